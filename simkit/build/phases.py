"""Phases as gap patterns, and Block: one phase, its size, its composition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from simkit.build.heights import ALKALI, Heights
from simkit.build.valence import require_metal
from simkit.errors import InputError, nearest

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

SITE_CHOICES = ("auto", "e", "f", "lower", "upper", "mixed")

DEFAULT_METALS: Mapping[str, float] = MappingProxyType({"Co": 1.0})


@dataclass(frozen=True)
class Block:
    """One phase of an intergrowth.

    phase    a key of `PHASES`
    gaps     number of galleries, a multiple of the phase's pattern
    metals   fraction of each metal in the slabs, summing to 1 (default Co)
    alkali   Li, Na or K
    content  alkali per metal, one number or one per gallery, 0 to 1
    sites    prismatic sites that may be filled: "e" or "f" in P2 (edge or face sharing), "lower" or
             "upper" in P3 (edge shared with that slab), "mixed" both, "auto" one kind where full and both
             otherwise
    heights  lattice parameter and layer heights; None: `default_heights`, which are starting values

    Raises InputError naming the field, the value and what is allowed.
    """

    phase: str
    gaps: int
    metals: Mapping[str, float] = field(default_factory=lambda: DEFAULT_METALS)
    alkali: str = "Na"
    content: float | Sequence[float] = 1.0
    sites: str = "auto"
    heights: Heights | None = None

    def __post_init__(self) -> None:
        if self.phase not in PHASES:
            raise InputError(f"phase {self.phase!r} is unknown; allowed: {', '.join(PHASES)}.")
        _require_multiple(self.phase, self.gaps)
        if self.alkali not in ALKALI:
            raise InputError(f"alkali {self.alkali!r} is not offered; choose one of {', '.join(ALKALI)}.")
        if self.sites not in SITE_CHOICES:
            raise InputError(f"sites {self.sites!r} is unknown; {nearest(str(self.sites), SITE_CHOICES)}")
        object.__setattr__(self, "metals", MappingProxyType(_fractions(self.metals)))
        object.__setattr__(self, "content", _contents(self.content, self.gaps))

    def __getstate__(self) -> dict:
        return {**self.__dict__, "metals": dict(self.metals)}

    def __setstate__(self, state: dict) -> None:
        for name, value in {**state, "metals": MappingProxyType(state["metals"])}.items():
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
        content = self.content if isinstance(self.content, float) else list(self.content)
        return {
            "phase": self.phase,
            "gaps": self.gaps,
            "metals": dict(self.metals),
            "alkali": self.alkali,
            "content": content,
            "sites": self.sites,
            "heights": None if self.heights is None else self.heights.to_dict(),
        }

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


def _fractions(metals: Mapping[str, float]) -> dict[str, float]:
    if not isinstance(metals, Mapping) or not metals:
        raise InputError(f"metals = {metals!r}; give a table of fractions such as {{'Ni': 0.5, 'Mn': 0.5}}.")
    for symbol, fraction in metals.items():
        require_metal(symbol)
        if not _is_number(fraction) or not 0 < fraction <= 1 + 1e-9:
            raise InputError(f"metals[{symbol!r}] = {fraction!r}; every fraction must lie above 0 and up to 1.")
    total = float(sum(metals.values()))
    if abs(total - 1) > 0.02:
        raise InputError(f"the metal fractions sum to {total:.4g}; they must sum to 1 (within 0.02).")
    return {symbol: float(fraction) / total for symbol, fraction in metals.items()}


def _contents(content: float | Sequence[float], gaps: int) -> float | tuple[float, ...]:
    values = [content] if _is_number(content) else content
    if not isinstance(values, Sequence | np.ndarray) or isinstance(values, str):
        raise InputError(f"content = {content!r}; give a number from 0 to 1, or one per gallery.")
    for value in values:
        if not _is_number(value) or not 0 <= value <= 1:
            raise InputError(
                f"content = {value!r} alkali per metal is impossible: a gallery holds from 0 to 1 per metal."
            )
    if _is_number(content):
        return float(content)
    if len(values) != gaps:
        raise InputError(f"content lists {len(values)} galleries, the block has {gaps}; give one number or {gaps}.")
    return tuple(float(value) for value in values)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
