"""Phases as gap patterns, and Block: one phase, its size, its composition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from simkit.build.composition import DEFAULT_METALS, NOTHING, OXYGEN, Composition
from simkit.build.heights import Heights
from simkit.errors import InputError

PHASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "P2": ("P2",),
        "O3": ("O3",),
        "P3": ("P3",),
        "O2": ("O2u",),
        "O2u": ("O2u",),
        "O2l": ("O2l",),
        "O1": ("O1",),
        "OP4": ("P2", "O2u", "P2", "O2l"),
        "OP4-Li": ("P2", "O3", "P2", "O3"),
        "OP2": ("O3", "P3"),
    }
)
"""Phase name -> repeating gap pattern. OP4 is the one P2 reaches by gliding (P-6m2); OP4-Li is the
P6_3/mmc kind of (Li,Na)CoO2, which P2 cannot reach by gliding."""

COMPOSED = tuple(Composition.__dataclass_fields__)


@dataclass(frozen=True)
class Block:
    """One phase of an intergrowth.

    phase    a key of `PHASES`
    gaps     number of galleries, a multiple of the phase's pattern
    heights  lattice parameter and layer heights; None: `default_heights`, which are starting values
    metals, alkali, content, anions, dopants, tetrahedral, sites, arrangement, ordering: see `Composition`;
    a sequence of contents has one number per gallery, a sequence of metals one table per slab

    Raises InputError naming the field, the value and what is allowed.
    """

    phase: str
    gaps: int
    metals: Mapping[str, float] | Sequence[Mapping[str, float]] = field(default_factory=lambda: DEFAULT_METALS)
    alkali: str = "Na"
    content: float | Sequence[float] = 1.0
    sites: str = "auto"
    heights: Heights | None = None
    anions: Mapping[str, float] = field(default_factory=lambda: OXYGEN)
    dopants: Mapping[str, float] = field(default_factory=lambda: NOTHING)
    tetrahedral: Mapping[str, float] = field(default_factory=lambda: NOTHING)
    arrangement: str = "random"
    ordering: str = "screened"

    def __post_init__(self) -> None:
        if self.phase not in PHASES:
            raise InputError(f"phase {self.phase!r} is unknown; allowed: {', '.join(PHASES)}.")
        _require_multiple(self.phase, self.gaps)
        checked = self.composition
        for name in COMPOSED:
            object.__setattr__(self, name, getattr(checked, name))
        for name, what, one in (("content", "galleries", "one number"), ("metals", "slabs", "one table")):
            values = getattr(self, name)
            if isinstance(values, tuple) and len(values) != self.gaps:
                raise InputError(
                    f"{name} lists {len(values)} {what}, the block has {self.gaps}; give {one} or {self.gaps}."
                )

    @property
    def composition(self) -> Composition:
        """What fills the block."""
        return Composition(**{name: getattr(self, name) for name in COMPOSED})

    def __getstate__(self) -> dict:
        return self.to_dict()

    def __setstate__(self, state: dict) -> None:
        for name, value in Block.from_dict(state).__dict__.items():
            object.__setattr__(self, name, value)

    @property
    def gap_names(self) -> list[str]:
        """Gap names of the block from below."""
        pattern = PHASES[self.phase]
        return list(pattern) * (self.gaps // len(pattern))

    @property
    def contents(self) -> tuple[float, ...]:
        """Requested alkali per metal in each gallery, from below."""
        return (self.content,) * self.gaps if isinstance(self.content, float) else tuple(self.content)

    def to_dict(self) -> dict:
        """JSON-able record of the request."""
        heights = None if self.heights is None else self.heights.to_dict()
        return {"phase": self.phase, "gaps": self.gaps, **self.composition.to_dict(), "heights": heights}

    @classmethod
    def from_dict(cls, record: Mapping) -> Block:
        """The block a `to_dict` record describes."""
        heights = record["heights"]
        return cls(**{**record, "heights": None if heights is None else Heights(**heights)})


def _require_multiple(phase: str, gaps: int) -> None:
    period = len(PHASES[phase])
    if isinstance(gaps, bool) or not isinstance(gaps, int | np.integer) or gaps < 1:
        raise InputError(f"gaps = {gaps!r} in block {phase}; it must be a whole number of galleries, at least 1.")
    if gaps % period:
        below, above = gaps // period * period, (gaps // period + 1) * period
        choice = f"{below} or {above}" if below else str(above)
        raise InputError(f"gaps = {gaps} in block {phase}; it repeats every {period} galleries: use {choice}.")
