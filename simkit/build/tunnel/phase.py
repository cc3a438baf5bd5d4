"""The tunnel phase Na0.44MnO2 (Na4Mn9O18, Pbam) as numbers, and as a scaffold of any size.

Status of the numbers: no published coordinate file could be consulted. The cell is that of the literature (Mumme,
Acta Cryst. B 24, 1114, 1968; Parant et al., J. Solid State Chem. 3, 1, 1971; Sauvage et al., Inorg. Chem. 46, 3289,
2007) as remembered, +-0.03 A. The framework was rebuilt from its topology (triple and double octahedral chains
joined by MnO5 pyramids) and its coordinates were relaxed with CHGNet at that cell; a second, independent
reconstruction has the same framework within 0.06 of the normalised distance. Compare with a published refinement
before using bond lengths.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.arguments import require_kind, require_list, require_number, require_whole
from simkit.build.composition import Composition
from simkit.build.scaffold import Region, Scaffold, Stratum
from simkit.errors import InputError, nearest

FIVE = "TM5"
"""Kind of the metal site with five anions, a square pyramid; every other metal site has six."""
TUNNEL_SITES: tuple[tuple[str, str, tuple[float, float, float]], ...] = (
    ("metal", "TM", (0.0, 0.5, 0.0)),
    ("metal", "TM", (0.3701, 0.30844, 0.5)),
    ("metal", "TM", (0.37045, 0.08895, 0.5)),
    ("metal", "TM", (0.0277, 0.10931, 0.0)),
    ("metal", FIVE, (0.04265, 0.30717, 0.0)),
    ("anion", "O", (0.51332, 0.07374, 0.0)),
    ("anion", "O", (0.35716, 0.00383, 0.5)),
    ("anion", "O", (0.22944, 0.09402, 0.0)),
    ("anion", "O", (0.42019, 0.16821, 0.5)),
    ("anion", "O", (0.82615, 0.14302, 0.0)),
    ("anion", "O", (0.06376, 0.15994, 0.5)),
    ("anion", "O", (0.97233, 0.06633, 0.5)),
    ("anion", "O", (0.6722, 0.21769, 0.5)),
    ("anion", "O", (0.92486, 0.23578, 0.0)),
    ("alkali", "t1", (0.21792, 0.20584, 0.0)),
    ("alkali", "t2", (0.77411, 0.04969, 0.0)),
    ("alkali", "t3", (0.11, 0.007, 0.0)),
)
"""Role, kind and fractional position of one site of every orbit: t1 in the small tunnel, t2 at the wall of the
S-shaped tunnel, t3 in its middle (a void of this model with seven oxygens at 2.4 to 3.0 A, beside two t2 sites: an
alternative to them, not an addition)."""
SIGNS = np.array([[1, 1, 1], [-1, -1, 1], [-1, 1, -1], [1, -1, -1]])
SHIFTS = np.array([[0, 0, 0], [0, 0, 0], [0.5, 0.5, 0], [0.5, 0.5, 0]])
METALS_PER_CELL, IONS_PER_CELL = 18, 8
SITES = ("auto", "mixed")
"""Choices of `Composition.sites` that mean something in tunnels: t1 and t2, or t3 as well."""


@dataclass(frozen=True)
class TunnelLattice:
    """Lattice parameters of the tunnel phase, A; c runs along the tunnels. Raises InputError 15 % off the default."""

    a_A: float = 9.09
    b_A: float = 26.42
    c_A: float = 2.826

    def __post_init__(self) -> None:
        for name, usual in (("a_A", 9.09), ("b_A", 26.42), ("c_A", 2.826)):
            value = require_number(f"{name} of the tunnel phase", getattr(self, name))
            if not 0.85 * usual <= value <= 1.15 * usual:
                raise InputError(f"{name} = {value!r}; the tunnel phase has about {usual} A, within 15 %.")

    @property
    def cell(self) -> Floats:
        """(3, 3) A."""
        return np.diag([self.a_A, self.b_A, self.c_A])


def tunnel_scaffold(
    composition: Composition, repeats: tuple[int, int, int] = (1, 1, 1), lattice: TunnelLattice | None = None
) -> Scaffold:
    """Sites of the tunnel phase: 18 metals, 36 anions and room for 8 alkali ions per cell.

    composition  content is alkali per metal, 0 to 8/18; sites="mixed" opens t3 as well, else t1 and t2
    The region's own content is counted per ion site, as everywhere in scaffolds. Raises InputError for repeats that
    are no three whole numbers, a content the tunnels cannot hold or one per gallery, and what only layers have.
    """
    lattice = lattice or TunnelLattice()
    require_kind("composition", composition, Composition, "Composition({'Mn': 1.0}, content=0.44)")
    require_kind("lattice", lattice, TunnelLattice, "TunnelLattice(9.09, 26.42, 2.826)")
    repeats = whole_repeats(repeats)
    role, kind, fractional = _orbits(third=composition.sites == "mixed")
    grid = np.stack(np.meshgrid(*(range(n) for n in repeats), indexing="ij"), -1).reshape(-1, 3)
    positions = ((fractional[None] + grid[:, None]) @ lattice.cell).reshape(-1, 3)
    cells, sites = len(grid), len(grid) * len(role)
    strata = tuple(Stratum(r, 0, n * cells) for r, n in (("anion", 36), ("metal", 18), ("alkali", IONS_PER_CELL)))
    index = {s.role: k for k, s in enumerate(strata)}
    nowhere: Integers = np.full(sites, -1)
    return Scaffold(
        lattice.cell * np.array(repeats)[:, None],
        positions,
        np.tile([index[r] for r in role], cells),
        np.tile(kind, cells),
        nowhere,
        nowhere,
        strata,
        (Region("tunnel", per_site(composition, METALS_PER_CELL * cells, IONS_PER_CELL * cells)),),
    )


def whole_repeats(repeats: object) -> tuple[int, int, int]:
    """Cells along a, b and c. Raises InputError unless they are three whole numbers, at least 1."""
    numbers = require_list("repeats", repeats, object, "(1, 1, 3)")
    if len(numbers) != 3:
        raise InputError(
            f"repeats has {len(numbers)} numbers; give three, along a, b and the tunnel axis c: (1, 1, 3)."
        )
    return tuple(require_whole(f"repeats[{k}]", n, 1) for k, n in enumerate(numbers))


def per_site(composition: Composition, metals: int, capacity: int) -> Composition:
    """The composition of a tunnel region with its content, given per metal, turned into a share of `capacity` sites.

    The ions are the whole number nearest to the request; `Rules.contents` keeps the request for the report and the
    checks. Raises InputError where that many ions have no room, where less than one is asked for, where contents
    are given per gallery or metals per slab, or for tetrahedral cations and a choice of prismatic sites.
    """
    _require_no_layers(composition)
    wanted = int(np.floor(composition.content * metals + 0.5))
    if wanted == 0 and composition.content > 0:
        raise InputError(
            f"content = {composition.content:g} alkali per metal is less than one ion among {metals} metals; the "
            f"nearest that can be reached are 0 and {1 / max(metals, 1):.4g}: take more repeats or layers."
        )
    if wanted > capacity:
        raise InputError(
            f"content = {composition.content:g} alkali per metal asks for {wanted} ions among {metals} metals; the "
            f"tunnels hold at most {capacity}: use content up to {np.floor(1000 * capacity / metals) / 1000:g}."
        )
    return replace(composition, content=wanted / capacity if capacity else 0.0, sites="auto")


def _require_no_layers(composition: Composition) -> None:
    if not isinstance(composition.content, float):
        raise InputError("a tunnel phase has no galleries: give its content as one number, alkali per metal.")
    if not isinstance(composition.metals, Mapping):
        raise InputError("a tunnel phase has no slabs: give one table of metals, as {'Mn': 0.9, 'Ti': 0.1}.")
    if composition.tetrahedral:
        raise InputError("a tunnel phase has no tetrahedral sites: leave tetrahedral out of its composition.")
    if composition.sites not in SITES:
        raise InputError(f"sites = {composition.sites!r} in a tunnel phase; {nearest(composition.sites, SITES)}")


def recounted(scaffold: Scaffold, region: int, composition: Composition) -> Scaffold:
    """The scaffold with the content of a tunnel region counted anew, for the metals and ion sites it really has."""
    metals = int(((scaffold.role == "metal") & (scaffold.region == region)).sum())
    capacity = sum(s.capacity for s in scaffold.strata if s.role == "alkali" and s.region == region)
    regions = list(scaffold.regions)
    regions[region] = Region(regions[region].phase, per_site(composition, metals, capacity))
    return replace(scaffold, regions=tuple(regions))


def _orbits(third: bool) -> tuple[np.ndarray, np.ndarray, Floats]:
    """Role, kind and fractional position of every site of one cell."""
    rows = []
    for role, kind, x in TUNNEL_SITES:
        if kind == "t3" and not third:
            continue
        images = np.concatenate([SIGNS * x + SHIFTS, -SIGNS * x + SHIFTS]) % 1.0
        _, first = np.unique(np.round(images, 6) % 1.0, axis=0, return_index=True)
        rows += [(role, kind, *images[k]) for k in sorted(first)]
    role, kind, *xyz = zip(*rows, strict=True)
    return np.array(role), np.array(kind), np.array(xyz).T
