"""The decoration map: which phase holds each site of one anion lattice, and the scaffold that follows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build import checks
from simkit.build.arguments import require_kind
from simkit.build.check.contacts import TETRAHEDRON_A
from simkit.build.composition import Composition
from simkit.build.geometry import Frame
from simkit.build.phases import DECORATED, Block
from simkit.build.scaffold import Region, Scaffold, Stratum
from simkit.build.shapes.oxygen_lattice import (
    closure_problems,
    is_kagome,
    period_vectors,
    spinel_octahedra,
    spinel_tetrahedra,
)
from simkit.build.shapes.shape import SHAPE_EXAMPLE, Shape
from simkit.build.shapes.shape_table import shape_from_dict, shape_to_dict
from simkit.build.shapes.sites import ANION, ION, METAL, TETRAHEDRON, SiteTable
from simkit.errors import InputError
from simkit.kernels.pair_search import find_pairs

FACE = 0.9
"""A tetrahedron shares a face with octahedra nearer than this times a (0.61 in ideal close packing; next 1.17)."""
TETRAHEDRA_APART_A = 2.5
"""Two tetrahedral cations are not nearer than this (sharing an edge they are 2.0 A apart), A."""
ROLES = {ANION: "anion", METAL: "metal", ION: "alkali", TETRAHEDRON: "tetrahedral"}


@dataclass(frozen=True)
class Domain:
    """A shape and what fills it: phase, composition, variant and heights of a block (its gaps are the matrix's)."""

    block: Block
    shape: Shape

    def __post_init__(self) -> None:
        require_kind("the block of a domain", self.block, Block, "Block('rock-salt', 3, {'Ni': 1.0})")
        require_kind("the shape of a domain", self.shape, Shape, SHAPE_EXAMPLE)

    def to_dict(self) -> dict:
        """JSON-able table: the keys of the block and "shape"."""
        return {**self.block.to_dict(), "shape": shape_to_dict(self.shape)}

    @classmethod
    def from_dict(cls, table: Mapping, gaps: int) -> Domain:
        """The domain a table describes, as {"phase": "spinel", "metals": ..., "shape": {"shape": "sphere", ...}}."""
        require_kind("domain", table, Mapping, "{'phase': 'spinel', 'shape': {'shape': 'sphere', 'radius_A': 6.0}}")
        fields = {"heights": None, "gaps": gaps, **table}
        if "shape" not in fields:
            raise InputError("a domain needs a shape, as shape = {shape = 'sphere', radius_A = 6.0}.")
        shape = fields.pop("shape")
        return cls(Block.from_dict(fields), shape_from_dict(shape))


def decorated(
    table: SiteTable, frame: Frame, regions: Sequence[Domain], edges: str
) -> tuple[Scaffold, dict[str, int], dict[tuple[int, str], int]]:
    """The scaffold of a decoration map, facts of what gave way at the edges, and its sites by (region, role).

    table    all sites, with tetrahedra where a phase is spinel
    regions  the matrix everywhere, then the domains; later ones win
    edges    "tetrahedral" or "alkali": which one goes where the two would share a face
    Raises InputError where a spinel that fills the period cannot close.
    """
    region, shift = painted(table, frame, regions)
    role, kind = _roles(table, frame, regions, (region, shift))
    before = role.copy()
    facts = _edges(table, frame, (role, regions, region), edges)
    length = np.array([push_A(part.block, frame.a_A) for part in regions])[region]
    table = replace(table, positions=pushed_anions(table.positions, frame.cell, role, length), kind=kind)
    kept = role != ""
    lost = Counter(zip(region[before != role].tolist(), before[before != role].tolist(), strict=True))
    made = _scaffold(table.take(kept), frame, regions, (role[kept], region[kept]))
    return replace(made, octahedra=_octahedra(table, frame, region, len(regions))), facts, dict(lost)


def painted(table: SiteTable, frame: Frame, regions: Sequence[Domain]) -> tuple[Integers, Integers]:
    """(m,) region of every site, later ones over earlier, and (m, 3) cells that bring the site to its shape."""
    where = table.where(frame)
    region, shift = np.zeros(len(table), dtype=np.int64), np.zeros((len(table), 3), dtype=np.int64)
    for k, part in enumerate(regions):
        found = part.shape.member(where)
        region[found.inside], shift[found.inside] = k, found.shift[found.inside]
    return region, shift


def _roles(
    table: SiteTable, frame: Frame, regions: Sequence[Domain], place: tuple[Integers, Integers]
) -> tuple[np.ndarray, np.ndarray]:
    """(m,) role, "" where the site stays empty, and (m,) kind."""
    region, shift = place
    role = np.array([ROLES[s] for s in range(4)])[table.sort].astype("<U12")
    role[table.sort == TETRAHEDRON] = ""
    kind = table.kind.astype("<U4")
    for k, part in enumerate(regions):
        mine = region == k
        octahedra = mine & np.isin(table.sort, (METAL, ION))
        if part.block.phase in DECORATED:
            role[octahedra], kind[octahedra] = "metal", "RS"
        if part.block.phase == "spinel":
            vectors = period_vectors(frame.stack, frame.matrix)
            extended = part.shape.extended(frame.cell, table.where(frame).primitive)
            checks.require(closure_problems(vectors, extended))
            sites, variant = table.octahedron + shift @ vectors, part.block.variant
            role[octahedra & ~spinel_octahedra(sites, variant)] = ""
            kind[octahedra] = np.where(is_kagome(sites[octahedra, 0], variant), "K", "M")
            if part.block.tetrahedral:
                tets = mine & (table.sort == TETRAHEDRON) & spinel_tetrahedra(sites, variant)
                role[tets] = "tetrahedral"
    return role, kind


def _edges(table: SiteTable, frame: Frame, place: tuple, edges: str) -> dict[str, int]:
    """Empty the sites that give way, in place; counts of them."""
    role, regions, region = place
    used = np.array([part.block.composition.mean_content > 0 for part in regions])[region]
    octahedra = np.flatnonzero((role == "metal") | ((role == "alkali") & used))
    tets = np.flatnonzero(role == "tetrahedral")
    faces = find_pairs(table.positions[tets], table.positions[octahedra], frame.cell, FACE * frame.a_A)
    tet, other = tets[faces.point], octahedra[faces.atom]
    gone = tet if edges == "tetrahedral" else tet[role[other] == "metal"]
    role[gone] = ""
    left = np.isin(tet, np.flatnonzero(role == "tetrahedral"))
    moved = np.unique(other[left & (role[other] == "alkali")])
    role[moved] = ""
    crowded = _crowded(table.positions, np.flatnonzero(role == "tetrahedral"), frame.cell)
    role[crowded] = ""
    if not len(tets):
        return {}
    return {
        "tetrahedra_dropped_for_shared_faces": len(np.unique(gone)),
        "alkali_sites_dropped_for_shared_faces": len(moved),
        "tetrahedra_dropped_for_shared_edges": len(crowded),
    }


def _crowded(positions: Floats, tets: Integers, cell: Floats) -> list[int]:
    """Tetrahedra nearer than `TETRAHEDRA_APART_A` to one kept before them."""
    points = positions[tets]
    pairs = find_pairs(points, points, cell, TETRAHEDRA_APART_A)
    gone: set[int] = set()
    for i, j in zip(pairs.point.tolist(), pairs.atom.tolist(), strict=True):
        if i not in gone and j > i:
            gone.add(j)
    return [int(tets[i]) for i in sorted(gone)]


def pushed_anions(positions: Floats, cell: Floats, role: np.ndarray, length_A: Floats) -> Floats:
    """Positions with the anions moved away from their tetrahedral cations by length_A (m,), that of the cation."""
    tets, anions = np.flatnonzero(role == "tetrahedral"), np.flatnonzero(role == "anion")
    moved = positions.copy()
    pairs = find_pairs(positions[tets], positions[anions], cell, TETRAHEDRON_A)
    tet, anion = tets[pairs.point], anions[pairs.atom]
    vectors = positions[anion] + pairs.shift @ cell - positions[tet]
    np.add.at(moved, anion, vectors * (length_A[tet] / pairs.distance)[:, None])
    return moved


def push_A(block: Block, a_A: float) -> float:
    """How far an anion of a spinel lies from its ideal site: sqrt(3) (u - 1/4) a_s with a_s = 2 sqrt(2) a, A."""
    return math.sqrt(3.0) * (block.oxygen_u - 0.25) * 2.0 * math.sqrt(2.0) * a_A


def _scaffold(table: SiteTable, frame: Frame, regions: Sequence[Domain], place: tuple) -> Scaffold:
    role, region = place
    level = _level(table)
    order = ["anion", "metal", "alkali", "tetrahedral"]
    number = np.array([order.index(r) for r in role])
    keys = np.column_stack([level, number, region])
    rows, stratum = np.unique(keys, axis=0, return_inverse=True)
    stratum = stratum.ravel()
    strata = tuple(
        Stratum(order[r], int(k), int(first_kind(table.kind[stratum == i]).sum()))
        for i, (_, r, k) in enumerate(rows.tolist())
    )
    count = 2 * len(frame.stack)
    in_slab = level % 2 == 0
    layers = np.where(in_slab, level % count // 2, -1)
    gallery = np.where(in_slab, -1, level % count // 2)
    records = tuple(
        Region(part.block.phase, _composition(part.block.composition, (layers, gallery, role), region == k))
        for k, part in enumerate(regions)
    )
    return Scaffold(frame.cell, table.positions, stratum, table.kind, layers, gallery, strata, records)


def _octahedra(table: SiteTable, frame: Frame, region: Integers, count: int) -> Floats:
    """(2 slabs, regions) octahedra, empty ones included: a gallery has one per cell, by the share of its sites."""
    mine = np.isin(table.sort, (METAL, ION))
    sheet, rows = np.rint(table.sheet[mine]).astype(np.int64), 2 * len(frame.stack)
    number = np.bincount(sheet * count + region[mine], minlength=rows * count).reshape(rows, count).astype(float)
    return number * frame.cells / number.sum(axis=1, keepdims=True)


def _level(table: SiteTable) -> Integers:
    """(m,) cation sheet that holds each site; anions and metals 2 j, sites of gallery j 2 j + 1."""
    slab = 2 * np.rint(table.sheet / 2).astype(np.int64)
    sheet = np.rint(table.sheet).astype(np.int64)
    return np.where(table.sort == ANION, slab, sheet)


def first_kind(kinds: np.ndarray) -> np.ndarray:
    """(n,) bool: sites of the kind a full gallery takes ("e", "ef", "oct"), one per slab metal."""
    return ~np.isin(kinds, ("f", "fe"))


def _composition(composition: Composition, columns: tuple, mine: np.ndarray) -> Composition:
    """The composition with lists per slab and per gallery cut down to those the region holds."""
    layers, gallery, role = columns
    changes = {}
    for name, level, which in (("metals", layers, "metal"), ("content", gallery, "alkali")):
        values = getattr(composition, name)
        held = np.unique(level[mine & (role == which) & (level >= 0)])
        if isinstance(values, tuple) and 0 < len(held) < len(values):
            changes[name] = [values[j] for j in held]
    return replace(composition, **changes) if changes else composition
