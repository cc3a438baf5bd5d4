"""Scaffold: the sites of a cell before anyone sits on them; what every geometric builder makes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from simkit.arrays import Floats, Integers, frozen
from simkit.build.composition import Composition
from simkit.errors import InputError
from simkit.structure import check_cell

ROLES = ("anion", "metal", "alkali", "tetrahedral")


@dataclass(frozen=True)
class Region:
    """A part of the cell with one phase and one composition: a block, a domain, a particle."""

    phase: str
    composition: Composition


@dataclass(frozen=True)
class Stratum:
    """Sites that share one exact count: the metals of one slab in one region, the ions of one gallery ...

    role      "anion", "metal", "alkali" or "tetrahedral"
    region    index into `Scaffold.regions`: whose composition applies
    capacity  most atoms it may hold: the number of sites, but half of them in a prismatic gallery whose two
              kinds exclude each other
    """

    role: str
    region: int
    capacity: int


@dataclass(frozen=True, eq=False)
class Scaffold:
    """Sites of a cell.

    cell      (3, 3) A, vectors in rows
    positions (m, 3) A
    stratum   (m,) [0, sites) -> [0, strata)
    kind      (m,) label of each site: "O" anions; "TM" slab metals, "K" kagome, "M" and "RS" metals between
              slabs; "e", "f", "ef", "fe", "oct" alkali sites (`gallery_sites`); "tet" tetrahedral cations; a
              builder may add its own
    layers    (m,) slab of an anion or slab metal, -1 for everything between slabs or without slabs
    gallery   (m,) gallery of a site between slabs, -1 else
    strata    records of the strata
    regions   records of the regions
    octahedra (2 slabs, regions) octahedra of each region, empty ones included, in slab j (row 2 j) and gallery j
              (row 2 j + 1), where regions share anion layers and one octahedron stands for one anion; None elsewhere

    Two alkali sites nearer than `HARD_CORE_A` are alternatives: at most one of them is filled.
    Sites keep their order as atoms. Raises InputError on wrong shapes, roles or indices.
    """

    cell: Floats
    positions: Floats
    stratum: Integers
    kind: np.ndarray
    layers: Integers
    gallery: Integers
    strata: tuple[Stratum, ...]
    regions: tuple[Region, ...]
    octahedra: Floats | None = None

    def __post_init__(self) -> None:
        put, m = object.__setattr__, len(self.positions)
        put(self, "cell", frozen(self.cell, np.float64, (3, 3), "cell"))
        check_cell(self.cell)
        put(self, "positions", frozen(self.positions, np.float64, (m, 3), "positions"))
        for name in ("stratum", "layers", "gallery"):
            put(self, name, frozen(getattr(self, name), np.int64, (m,), name))
        put(self, "kind", frozen(self.kind, None, (m,), "kind"))
        put(self, "strata", tuple(self.strata))
        put(self, "regions", tuple(self.regions))
        if self.octahedra is not None:
            rows = 2 * (int(self.layers.max(initial=-1)) + 1)
            put(self, "octahedra", frozen(self.octahedra, np.float64, (rows, len(self.regions)), "octahedra"))
        wrong = [s.role for s in self.strata if s.role not in ROLES or not 0 <= s.region < len(self.regions)]
        if wrong or not np.isin(self.stratum, np.arange(len(self.strata))).all():
            raise InputError("the strata of a scaffold do not match its sites, roles or regions.")

    def __len__(self) -> int:
        return len(self.positions)

    @cached_property
    def role(self) -> np.ndarray:
        """(m,) role of each site."""
        return frozen(np.array([s.role for s in self.strata])[self.stratum], None, (len(self),), "role")

    @cached_property
    def region(self) -> Integers:
        """(m,) region of each site."""
        return frozen(np.array([s.region for s in self.strata])[self.stratum], np.int64, (len(self),), "region")


CENTRE = "TMc"
"""Kind of a slab metal site that the centres of a honeycomb shall take; tagged "TM" like the others."""
HARD_CORE_A = 2.2
"""Two alkali sites nearer than this exclude each other (prismatic neighbours are 1.67 A apart), A."""
