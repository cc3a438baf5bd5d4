"""The sites of a coherent stack: from its plan to a Scaffold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.decorated import Sheet, owners, sheets
from simkit.build.geometry import gallery_sites
from simkit.build.honeycomb import centre_sites
from simkit.build.phases import DECORATED
from simkit.build.scaffold import CENTRE, Region, Scaffold, Stratum
from simkit.build.spinel import on_point
from simkit.build.summary import Plan
from simkit.errors import InputError
from simkit.kernels.pair_search import find_pairs

TETRAHEDRON_A = 2.5
"""The four anions of a tetrahedral site lie nearer than this (1.8 A on ideal sites, the next at 3.4 A), A."""


@dataclass
class _Table:
    """Columns of a scaffold under construction."""

    points: list = field(default_factory=list)
    stratum: list = field(default_factory=list)
    kind: list = field(default_factory=list)
    layers: list = field(default_factory=list)
    gallery: list = field(default_factory=list)
    strata: list = field(default_factory=list)

    def put(self, points: Floats, stratum: int, kind: str | np.ndarray, where: tuple[int, int]) -> None:
        """Add sites (n, 3) A of one stratum and kind, or (n,) kinds; where: slab and gallery, -1 for none."""
        n = len(points)
        self.points.append(points)
        self.stratum.append(np.full(n, stratum))
        self.kind.append(np.broadcast_to(np.asarray(kind, dtype="<U4"), (n,)))
        self.layers.append(np.full(n, where[0]))
        self.gallery.append(np.full(n, where[1]))

    def open(self, role: str, region: int, capacity: int) -> int:
        """Number of a new stratum (`scaffold.Stratum`)."""
        self.strata.append(Stratum(role, region, capacity))
        return len(self.strata) - 1


def scaffold(plan: Plan) -> Scaffold:
    """Sites of a stack, per slab lower anions, metals and upper anions, then the sites of the gallery above.

    Strata from below: the anions, the metals (and tetrahedral cations) of each slab; the ions of each gallery,
    or its metals and tetrahedral cations in spinel and rock-salt blocks. Regions are the blocks.
    Anions next to tetrahedral sites stand at the oxygen parameter of their block.
    Raises InputError where a spinel order does not fit the supercell or does not close.
    """
    table, found = _Table(), sheets(plan)
    owner = owners(plan, found)
    for j in range(len(plan.frame.stack)):
        _slab(table, plan, (j, int(owner[j])), found.get(2 * j))
        _gallery(table, plan, j, found.get(2 * j + 1))
    columns = (np.concatenate(c) for c in (table.stratum, table.kind, table.layers, table.gallery))
    strata, cell = tuple(table.strata), plan.frame.cell
    made = Scaffold(cell, np.concatenate(table.points), *columns, strata, _regions(plan, owner))
    return _relaxed_anions(made, plan)


def _slab(table: _Table, plan: Plan, place: tuple[int, int], sheet: Sheet | None) -> None:
    j, region = place
    lower, metal, upper = plan.frame.slab(j)
    anions = table.open("anion", region, len(lower) + len(upper))
    table.put(lower, anions, "O", (j, -1))
    if sheet is None:
        table.put(metal, table.open("metal", region, len(metal)), _metal_kinds(plan, j, region), (j, -1))
    else:
        slab = plan.frame.stack.slabs[j]
        heights = plan.frame.bottoms_A[j], plan.frame.slabs_A[j]
        _cations(table, plan, sheet, ((slab.lower, slab.z, slab.upper), heights, (j, -1)))
    table.put(upper, anions, "O", (j, -1))


def _metal_kinds(plan: Plan, j: int, region: int) -> np.ndarray:
    """(cells,) kind of the metal sites of slab j: `CENTRE` where a honeycomb shall have its centres, else "TM"."""
    block, mine = plan.blocks[region], np.flatnonzero(plan.block_of == region)
    if block.centres is None:
        return np.full(plan.frame.cells, "TM")
    letter = plan.frame.stack.slabs[j].z
    centre = block.centres[int(np.searchsorted(mine, j)) if j in mine else -1]
    return np.where(centre_sites(plan.frame.matrix, round(letter - letter % 1), centre), CENTRE, "TM")


def _gallery(table: _Table, plan: Plan, j: int, sheet: Sheet | None) -> None:
    frame = plan.frame
    letters = gallery_sites(frame.stack, j)
    if sheet is None:
        ions = table.open("alkali", int(plan.block_of[j]), frame.cells)
        for letter, kind in letters:
            table.put(frame.layer(letter, frame.gallery_height_A(j)), ions, kind, (-1, j))
        return
    below, above = frame.stack.slabs[j].upper, frame.stack.above(j).lower
    heights = frame.bottoms_A[j] + frame.slabs_A[j], frame.galleries_A[j]
    _cations(table, plan, sheet, ((below, letters[0][0], above), heights, (-1, j)))


def _cations(table: _Table, plan: Plan, sheet: Sheet, place: tuple) -> None:
    """Octahedral, then tetrahedral sites of a decorated sheet; place: letters, (bottom, thickness) A, where."""
    (below, middle, above), (bottom, thickness), where = place
    frame = plan.frame
    points = frame.layer(middle, bottom + 0.5 * thickness)
    if sheet.kind != "RS":
        there = on_point(frame.matrix, middle, sheet.point)
        points = points[~there if sheet.kind == "K" else there]
    table.put(points, table.open("metal", sheet.block, len(points)), sheet.kind, where)
    corners = ((above, 0.25, sheet.lower), (below, 0.75, sheet.upper))
    tets = [
        frame.layer(letter, bottom + height * thickness)[on_point(frame.matrix, letter, point)]
        for letter, height, point in corners
        if point is not None
    ]
    if tets:
        points = np.concatenate(tets)
        table.put(points, table.open("tetrahedral", sheet.block, len(points)), "tet", where)


def _regions(plan: Plan, owner: Integers) -> tuple[Region, ...]:
    """The blocks, each with one table of metals per slab that it owns."""
    regions = []
    for k, block in enumerate(plan.blocks):
        composition = block.composition
        if not isinstance(composition.metals, Mapping):
            composition = replace(composition, metals=_tables(plan, owner, k))
        regions.append(Region(block.phase, composition))
    return tuple(regions)


def _tables(plan: Plan, owner: Integers, k: int) -> list[Mapping[str, float]]:
    """Metals of the slabs of block k; a slab above its own takes the highest table."""
    block = plan.blocks[k]
    if block.phase in DECORATED:
        raise InputError(f"metals of block {block.phase} list one table per slab; give one table for all its sheets.")
    mine = np.flatnonzero(plan.block_of == k)
    beyond = [block.metals[-1]] * int(((owner == k) & (plan.block_of != k)).sum())
    kept = [table for table, j in zip(block.metals, mine, strict=True) if owner[j] == k]
    return [*kept, *beyond] or [block.metals[0]]


def _relaxed_anions(made: Scaffold, plan: Plan) -> Scaffold:
    """Anions moved from their tetrahedral sites by sqrt(3) (u - 1/4) a_s, a_s = 2 sqrt(2) a."""
    tets, anions = np.flatnonzero(made.role == "tetrahedral"), np.flatnonzero(made.role == "anion")
    if len(tets) == 0:
        return made
    pairs = find_pairs(made.positions[tets], made.positions[anions], made.cell, TETRAHEDRON_A)
    vectors = made.positions[anions[pairs.atom]] + pairs.shift @ made.cell - made.positions[tets[pairs.point]]
    wanted = np.array([b.oxygen_u - 0.25 for b in plan.blocks])[made.region[tets[pairs.point]]]
    lengths = math.sqrt(3.0) * wanted * 2.0 * math.sqrt(2.0) * plan.frame.a_A
    positions = made.positions.copy()
    np.add.at(positions, anions[pairs.atom], vectors * (lengths / pairs.distance)[:, None])
    return replace(made, positions=positions)
