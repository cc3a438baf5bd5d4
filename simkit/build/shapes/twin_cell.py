"""The cell of a twin: a crystal between two mirrors and its image, as one scaffold."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.check.contacts import ION_SHIFT_A, TETRAHEDRON_A
from simkit.build.check.limits import Limits
from simkit.build.phases import Block
from simkit.build.scaffold import Region, Scaffold, Stratum
from simkit.build.shapes.decoration import first_kind
from simkit.build.shapes.mirror import Plane
from simkit.build.shapes.twin_search import (
    FRAMEWORK,
    IN_PLANE_A,
    Boundary,
    clashing,
    least_distances,
    reflected,
)
from simkit.elements import atomic_number
from simkit.kernels.pair_search import find_pairs


def closer_A(block: Block) -> float:
    """How much nearer (negative) or farther than Na the ions of a block may be, A."""
    return ION_SHIFT_A.get(atomic_number(block.alkali), 0.0)


def half_crystal(
    seen: Plane, pair: tuple[Boundary, Boundary], thickness_A: float
) -> tuple[Floats, Integers, np.ndarray, float]:
    """The crystal between its mirrors: positions, sites, whether each has an image, and height of the upper mirror.

    The lower mirror is at its own offset; the upper one at the first of its heights that is thickness_A above.
    """
    upper, lower = pair
    steps = np.ceil((lower.offset_A + thickness_A - upper.offset_A) / seen.spacing_A - 1e-9)
    top = upper.offset_A + steps * seen.spacing_A
    points, site = seen.window(lower.offset_A - IN_PLANE_A, top + IN_PLANE_A)
    at_top, at_bottom = points[:, 2] > top - IN_PLANE_A, points[:, 2] < lower.offset_A + IN_PLANE_A
    points[at_top, 2], points[at_bottom, 2] = top, lower.offset_A
    framework = np.isin(seen.role[site], FRAMEWORK)
    gone = framework & ((at_top & (upper.plane_atoms == "drop")) | (at_bottom & (lower.plane_atoms == "drop")))
    return points[~gone], site[~gone], ~(at_top | at_bottom)[~gone], top


def excess_anions(seen: Plane, pair: tuple[Boundary, Boundary], ratio: float, thickness_A: float) -> float:
    """Anions beyond the formula in the twin cell."""
    _, site, imaged, _ = half_crystal(seen, pair, thickness_A)
    weight = 1.0 + imaged
    return float(weight[seen.role[site] == "anion"].sum() - ratio * weight[seen.role[site] == "metal"].sum())


def joined(
    seen: Plane, pair: tuple[Boundary, Boundary], block: Block, thickness_A: float, limits: Limits
) -> tuple[Scaffold, Counter]:
    """Both halves in one cell as a scaffold, and how many sites were left out by (half, role, `first_kind`)."""
    upper, lower = pair
    points, site, imaged, top = half_crystal(seen, pair, thickness_A)
    image = reflected(points[imaged], top, upper.shift_A)
    cell = np.zeros((3, 3))
    cell[:2, :2] = seen.sides
    cell[2] = [upper.shift_A[0] - lower.shift_A[0], upper.shift_A[1] - lower.shift_A[1], 2.0 * (top - lower.offset_A)]
    cell[2, :2] -= np.rint(cell[2, :2] @ np.linalg.inv(seen.sides)) @ seen.sides
    positions = np.concatenate([points, image]) - [0.0, 0.0, lower.offset_A]
    site = np.concatenate([site, site[imaged]])
    half = np.repeat([0, 1], [len(points), len(image)])
    role = seen.role[site].astype("<U12")
    gone = _left_out(positions, cell, role, half, least_distances(limits, closer_A(block)))
    rows = half[gone].tolist(), role[gone].tolist(), first_kind(seen.kind[site[gone]]).tolist()
    dropped = Counter(zip(*rows, strict=True))
    kept = np.setdiff1d(np.arange(len(site)), gone)
    made = _scaffold(positions[kept], cell, (role[kept], seen.kind[site[kept]], half[kept]), block)
    return made, dropped


def _left_out(positions: Floats, cell: Floats, role: np.ndarray, half: Integers, rules: tuple) -> Integers:
    """Ions and tetrahedral cations too near to the other half, and tetrahedral cations without four anions."""
    pairs = find_pairs(positions, positions, cell, 3.0)
    gone = set().union(*clashing(pairs.take((half[pairs.point] == 0) & (half[pairs.atom] == 1)), role, rules))
    near = (role[pairs.point] == "tetrahedral") & (role[pairs.atom] == "anion") & (pairs.distance < TETRAHEDRON_A)
    numbers = np.bincount(pairs.point[near], minlength=len(role))
    gone |= set(np.flatnonzero((role == "tetrahedral") & (numbers != 4)).tolist())
    return np.array(sorted(gone), dtype=np.int64)


def _scaffold(positions: Floats, cell: Floats, columns: tuple, block: Block) -> Scaffold:
    role, kind, half = columns
    order = ["anion", "metal", "alkali", "tetrahedral"]
    keys = np.column_stack([half, [order.index(r) for r in role]])
    rows, stratum = np.unique(keys, axis=0, return_inverse=True)
    stratum = stratum.ravel()
    strata = tuple(
        Stratum(order[r], int(k), int(first_kind(kind[stratum == i]).sum())) for i, (k, r) in enumerate(rows.tolist())
    )
    region = Region(block.phase, block.composition)
    nowhere = np.full(len(positions), -1)
    return Scaffold(cell, positions, stratum, kind, nowhere, nowhere, strata, (region, region))


def repeated(made: Scaffold, repeats: tuple[int, int]) -> Scaffold:
    """The scaffold repeated along its two in-plane vectors."""
    grid = np.stack(np.meshgrid(*(range(n) for n in repeats), indexing="ij"), -1).reshape(-1, 2)
    count = len(grid)
    positions = (made.positions[None] + (grid @ made.cell[:2])[:, None]).reshape(-1, 3)
    tile = np.tile(np.arange(len(made)), count)
    cell = made.cell * np.array([*repeats, 1])[:, None]
    strata = tuple(replace(s, capacity=s.capacity * count) for s in made.strata)
    columns = (getattr(made, name)[tile] for name in ("stratum", "kind", "layers", "gallery"))
    return Scaffold(cell, positions, *columns, strata, made.regions)
