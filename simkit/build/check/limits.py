"""What a cell must keep, and what a builder promises about the cell it made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from simkit.build.arguments import require_number

NOTHING: Mapping = MappingProxyType({})


@dataclass(frozen=True)
class Limits:
    """What a built cell must keep. Distances in A, strain in per cent of a block's own lattice parameter.

    The alkali distances are for Na; `contacts.ION_SHIFT_A` moves them for other ions and `ANION_SHIFT_A` for
    other anions. Names ending in `face_A` (and face_sharing_A) are flags, not refusals. Raises InputError unless
    every one is a finite number, 0 or larger.
    """

    strain_warning_percent: float = 2.0
    oxygen_oxygen_A: float = 2.3
    metal_oxygen_A: float = 1.75
    alkali_oxygen_A: float = 2.1
    alkali_alkali_A: float = 2.6
    metal_metal_A: float = 2.5
    alkali_metal_A: float = 2.5
    face_sharing_A: float = 2.9
    image_A: float = 8.0
    block_galleries: int = 3
    order_parameter: float = 0.8
    content: float = 0.01
    strain_percent: float = 4.0
    tetrahedral_oxygen_A: float = 1.6
    tetrahedral_metal_A: float = 2.5
    tetrahedral_alkali_A: float = 2.4
    tetrahedral_tetrahedral_A: float = 2.5
    tetrahedral_face_A: float = 3.2
    bond_valence: float = 0.5
    domain_A: float = 25.0
    tunnel_A: float = 15.0
    least_volume_A3: float = 17.0
    most_volume_A3: float = 23.0

    def __post_init__(self) -> None:
        for name, value in self.__dict__.items():
            require_number(name, value, 0.0)


@dataclass(frozen=True)
class Amount:
    """Ions or tetrahedral cations asked of a region and those its builder could give it, both per `sites`.

    sites  number of sites (or metals) that asked and held are fractions of
    why    what kept the builder from what was asked
    parts  galleries that were rounded on their own
    """

    asked: float
    sites: float
    held: float
    why: str
    parts: int = 1


@dataclass(frozen=True)
class Rules:
    """What a builder promises about its cell; what it leaves out is not checked, and the validation says so.

    limits           distances and sizes
    coordination     site tag -> numbers of anions allowed there ({"TM": (5, 6)}); others keep the usual ones
    gaps             galleries that the whole cell reads back as, from below
    columns          galleries of each lateral domain, which the cell reads back as in columns
    normal           "a" or "b": the cell vector across lateral boundaries; None: found
    space_group      number of the space group of the slabs of a pure phase at 1e-3 A (`order.FRAMEWORK_GROUPS`)
    strains_percent  block or domain -> largest in-plane strain of its own lattice in the cell as built, per cent
    planes_A         block -> the first two cell vectors as they are in its own lattice, (2, 2) A; where it is given
                     the strain is measured against it, else against the cell as built
    galleries        block -> number of galleries along the stacking axis
    lengths_A        domain -> extent across its lateral boundaries, A
    tunnels_A        tunnel block -> thickness, A
    burgers_A        name of a slab or gallery -> sum of its displacements around the cell, A (must be zero)
    contents         region -> alkali per metal asked of it (one number, or one per gallery), where the scaffold
                     counts its ions by their sites
    amounts          (region, role) -> ions or tetrahedral cations asked and held, where sites gave way (`Amount`)
    neutral_slabs    every slab can be neutral with half of its two galleries; False: a slab that cannot is a flag
    alike            whether all interfaces are equivalent, where the builder knows; None: compared site by site
    surface          the cell holds a particle in vacuum: volume per anion and images say nothing
    """

    limits: Limits = field(default_factory=Limits)
    coordination: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: NOTHING)
    gaps: tuple[str, ...] | None = None
    columns: tuple[tuple[str, ...], ...] = ()
    normal: str | None = None
    space_group: int | None = None
    strains_percent: Mapping[str, float] = field(default_factory=lambda: NOTHING)
    planes_A: Mapping[str, Sequence] = field(default_factory=lambda: NOTHING)
    galleries: Mapping[str, int] = field(default_factory=lambda: NOTHING)
    lengths_A: Mapping[str, float] = field(default_factory=lambda: NOTHING)
    tunnels_A: Mapping[str, float] = field(default_factory=lambda: NOTHING)
    burgers_A: Mapping[str, tuple[float, ...]] = field(default_factory=lambda: NOTHING)
    contents: Mapping[int, float | tuple[float, ...]] = field(default_factory=lambda: NOTHING)
    amounts: Mapping[tuple[int, str], Amount] = field(default_factory=lambda: NOTHING)
    neutral_slabs: bool = False
    surface: bool = False
    alike: bool | None = None

    def __getstate__(self) -> dict:
        return {k: dict(v) if isinstance(v, Mapping) else v for k, v in self.__dict__.items()}

    def __setstate__(self, state: dict) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)
