"""Phases as gap patterns, and Block: one phase, its size, its composition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from simkit.build.arguments import is_number, require_kind, require_record
from simkit.build.composition import DEFAULT_METALS, NOTHING, OXYGEN, Composition
from simkit.build.heights import Heights
from simkit.build.polytypes import PHASES, SHAPES
from simkit.build.sequences import sequence
from simkit.build.strain import stiffness
from simkit.errors import InputError, nearest

DECORATED: tuple[str, ...] = ("spinel", "rock-salt")
"""Phases whose galleries hold metals instead of alkali ions."""
FACES: tuple[str, ...] = ("K", "M")
"""How a spinel block ends: in a kagome sheet (Na|K, no tetrahedral cation lost), or in a mixed sheet whose outer
tetrahedra are left out (TM|M), because they would share faces with a full sheet of metals or ions."""
SITE_GAPS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        **dict.fromkeys(("e", "f"), frozenset({"P2"})),
        **dict.fromkeys(("lower", "upper"), frozenset({"P3"})),
        "mixed": frozenset({"P2", "P3", "T2"}),
    }
)
"""Choice of `sites` -> galleries that have such sites."""
LABEL = 12
"""Longest label of a phase that a pattern makes up, letters."""

EVEN_U = 0.2625
"""Oxygen parameter that makes A-O and B-O of a spinel equally long."""

COMPOSED = tuple(Composition.__dataclass_fields__)


@dataclass(frozen=True)
class Block:
    """One phase of an intergrowth.

    phase    a key of `PHASES`, or any short label where a pattern is given
    gaps     number of galleries, a multiple of the phase's pattern
    pattern  explicit gallery names from below, or a table of `sequences.sequence`, as {"sequence": "z",
             "fraction": 0.25}; kept as the names it stands for. None: the pattern of the phase
    heights  lattice parameter and layer heights; None: `default_heights`, which are starting values
             (O'3 and P'2 then take ratio and lean of `SHAPES`)
    cell     published cell of the phase, a, b, c in A and three angles (`distort.published`), to which the heights
             are brought by an affine strain: hexagonal, or the distorted O'3 (C2/m) and P'2 (Cmcm)
    elastic  elastic constants in GPa (`strain.stiffness`), instead of those of the heights
    metals, alkali, content, anions, dopants, tetrahedral, sites, arrangement, ordering: see `Composition`;
    a sequence of contents has one number per gallery, a sequence of metals one table per slab; in a spinel block
    metals are the octahedral ones and content is the filled part of its tetrahedral sites
    variant  spinel only, 0 to 7: which of the 4 sites of its first kagome sheet is vacant (variant modulo 4),
             and whether the kagome sheets are its slabs (0 to 3) or its galleries (4 to 7)
    faces    spinel only, lower and upper end, one letter for both: see `FACES`
    oxygen_u  spinel only: oxygen parameter, 1/4 on the ideal sites
    centres  arrangement "honeycomb" only: which third of the metal sites the centres of each slab take, 0, 1 or 2
             (`honeycomb.centre_sites`), one number or one per slab; None: the third of least repulsion

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
    pattern: Sequence[str] | Mapping | None = None
    cell: Sequence[float] | None = None
    elastic: Mapping[str, float] | Sequence[Sequence[float]] | None = None
    variant: int = 0
    faces: str | Sequence[str] = "K"
    oxygen_u: float = EVEN_U
    centres: int | Sequence[int] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", _pattern(self.phase, self.gaps, self.pattern))
        object.__setattr__(self, "cell", _cell(self.phase, self.cell))
        if self.elastic is not None:
            object.__setattr__(self, "elastic", tuple(tuple(row) for row in stiffness(self.elastic).tolist()))
        object.__setattr__(self, "faces", _faces(self.faces))
        object.__setattr__(self, "centres", _centres(self.centres, self.gaps, self.arrangement))
        if self.heights is not None:
            require_kind("heights", self.heights, Heights, 'Heights(2.89, 2.0, {"P2": 3.5})')
        checked = self.composition
        _require_decoration(self)
        for name in COMPOSED:
            object.__setattr__(self, name, getattr(checked, name))
        _require_sites(self)
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
    def distorted(self) -> bool:
        """Whether the block has a centred rectangular in-plane cell of its own shape, not a hexagonal one."""
        if self.cell is not None:
            return abs(self.cell[5] - 120.0) > 1.0
        return self.phase in SHAPES if self.heights is None else (self.heights.ratio, self.heights.lean) != (1.0, 0.0)

    @property
    def period(self) -> int:
        """Galleries after which the block's own sequence repeats."""
        return len(self.pattern or PHASES[self.phase])

    @property
    def gap_names(self) -> list[str]:
        """Gap names of the block from below."""
        pattern = self.pattern or PHASES[self.phase]
        return list(pattern) * (self.gaps // len(pattern))

    @property
    def contents(self) -> tuple[float, ...]:
        """Requested alkali per metal in each gallery, from below."""
        return (self.content,) * self.gaps if isinstance(self.content, float) else tuple(self.content)

    def to_dict(self) -> dict:
        """JSON-able record of the request."""
        heights = None if self.heights is None else self.heights.to_dict()
        shape = {"variant": int(self.variant), "faces": list(self.faces), "oxygen_u": float(self.oxygen_u)}
        shape["centres"] = None if self.centres is None else list(self.centres)
        for name in ("pattern", "cell"):
            value = getattr(self, name)
            shape[name] = None if value is None else list(value)
        shape["elastic"] = None if self.elastic is None else [list(row) for row in self.elastic]
        return {"phase": self.phase, "gaps": self.gaps, **self.composition.to_dict(), "heights": heights, **shape}

    @classmethod
    def from_dict(cls, record: Mapping) -> Block:
        """The block a `to_dict` record describes. Raises InputError for a record that is none."""
        fields = require_record("block", record, cls)
        heights = fields.get("heights")
        if heights is not None:
            fields["heights"] = Heights(**require_record("heights", heights, Heights))
        return cls(**fields)


def _faces(faces: object) -> tuple[str, str]:
    pair = tuple(faces) if isinstance(faces, Sequence) and not isinstance(faces, str) else (faces, faces)
    if len(pair) != 2 or any(face not in FACES for face in pair):
        raise InputError(f"faces = {faces!r}; give 'K' or 'M', or one for the lower and one for the upper end.")
    return pair


def _centres(centres: object, gaps: int, arrangement: str) -> tuple[int, ...] | None:
    if centres is None:
        return None
    listed = isinstance(centres, Sequence | np.ndarray)
    values = tuple(centres) if listed else (centres,) * int(gaps)
    if arrangement != "honeycomb" or len(values) != gaps or any(not _one_of(c, 3) for c in values):
        raise InputError(
            f"centres = {centres!r} with arrangement {arrangement!r}; give 0, 1 or 2, or {gaps} of them, one per slab, "
            "with arrangement='honeycomb'."
        )
    return tuple(int(c) for c in values)


def _require_decoration(block: Block) -> None:
    if block.phase != "spinel" and (block.variant, block.faces, block.oxygen_u) != (0, ("K", "K"), EVEN_U):
        raise InputError(f"variant, faces and oxygen_u belong to spinel blocks; leave them out of block {block.phase}.")
    if not _one_of(block.variant, 8):
        raise InputError(f"variant = {block.variant!r} in block {block.phase}; a spinel has variants 0 to 7.")
    if not is_number(block.oxygen_u) or not 0.24 <= block.oxygen_u <= 0.28:
        raise InputError(f"oxygen_u = {block.oxygen_u!r}; a spinel has 0.24 to 0.28 (1/4: ideal sites).")
    if block.tetrahedral and block.phase != "spinel":
        raise InputError(f"tetrahedral cations in block {block.phase}; only the phase spinel has such sites.")
    if block.phase == "spinel" and not block.tetrahedral and block.content != 0:
        raise InputError(
            "a spinel block needs cations for its tetrahedral sites, as tetrahedral={'Mn': 1.0}; "
            "content=0 leaves them empty (lambda-MnO2)."
        )


def _require_sites(block: Block) -> None:
    """Raise InputError for words about ions that nothing in the galleries of the block could follow."""
    decorated = block.phase in DECORATED
    gaps = set() if decorated else set(block.pattern or PHASES[block.phase])
    needed = SITE_GAPS.get(block.sites, frozenset())
    if needed and not needed & gaps:
        held = "metals between its slabs" if decorated else f"{', '.join(sorted(gaps))} galleries"
        raise InputError(
            f"sites = {block.sites!r} in block {block.phase}, which has {held}; 'e' and 'f' choose in P2 galleries, "
            "'lower' and 'upper' in P3, 'mixed' in P2, P3 and T2: leave it 'auto'."
        )
    if decorated and block.dopants:
        raise InputError(f"dopants in block {block.phase}, which has no alkali ions to replace; leave them out.")
    if block.phase == "rock-salt" and block.content not in (0.0, 1.0):
        raise InputError(
            f"content = {block.content!r} in block rock-salt, whose octahedra all hold metals; leave it out, and put "
            "alkali among its metals, as metals={'Li': 0.3, 'Ni': 0.7}."
        )


def _one_of(value: object, count: int) -> bool:
    return is_number(value) and value in range(count)


def _pattern(phase: str, gaps: int, pattern: object) -> tuple[str, ...] | None:
    if isinstance(gaps, bool) or not isinstance(gaps, int | np.integer) or gaps < 1:
        raise InputError(f"gaps = {gaps!r} in block {phase}; it must be a whole number of galleries, at least 1.")
    if pattern is None:
        if not isinstance(phase, str) or phase not in PHASES:
            remedy = "a phase of your own has a pattern of gap names"
            raise InputError(f"phase {phase!r} is unknown; {remedy}; {nearest(str(phase), PHASES)}")
        _require_multiple(phase, gaps)
        return None
    if not isinstance(phase, str) or not 0 < len(phase) <= LABEL or phase in DECORATED or phase.split() != [phase]:
        raise InputError(
            f"phase {phase!r} with a pattern; give a label of your own, 1 to {LABEL} letters without a blank."
        )
    return tuple(sequence(pattern, int(gaps)))


def _cell(phase: str, cell: object) -> tuple[float, ...] | None:
    if cell is None:
        return None
    values = [float(x) for x in cell if is_number(x)] if isinstance(cell, Sequence | np.ndarray) else []
    if len(values) != 6 or len(cell) != 6 or min(values) <= 0 or phase in DECORATED:
        raise InputError(
            f"cell = {cell!r} in block {phase}; give a, b, c in A and alpha, beta, gamma in degrees, of a layered "
            "phase."
        )
    return tuple(values)


def _require_multiple(phase: str, gaps: int) -> None:
    period = len(PHASES[phase])
    if gaps % period:
        below, above = gaps // period * period, (gaps // period + 1) * period
        choice = f"{below} or {above}" if below else str(above)
        raise InputError(f"gaps = {gaps} in block {phase}; it repeats every {period} galleries: use {choice}.")
