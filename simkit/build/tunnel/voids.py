"""Alkali sites in the voids of an interface: points that keep their distance and touch the anions of both blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats
from simkit.build.scaffold import Scaffold
from simkit.build.tunnel.registry import Clearance
from simkit.build.tunnel.slice import ION_BOND_A, KEPT_ANIONS
from simkit.kernels.pair_search import find_pairs

STEP_A = 0.35
"""Spacing of the points tried, A."""


@dataclass(frozen=True)
class Zone:
    """Heights searched, A, and which sites belong to the upper block: mask (m,) over the scaffold."""

    low_A: float
    high_A: float
    upper: np.ndarray


def interface_voids(scaffold: Scaffold, zone: Zone, clearance: Clearance) -> Floats:
    """(k, 3) points, A, where an ion fits between two blocks, none excluding another.

    Each point keeps `clearance` from every site, has at least `KEPT_ANIONS` anions within `ION_BOND_A` and touches
    anions of both blocks. Roomiest first; deterministic. A start: an ion relaxes from there.
    """
    points = _grid(scaffold.cell, zone)
    role = scaffold.role
    limits = {
        "metal": clearance.alkali_metal_A,
        "tetrahedral": clearance.alkali_metal_A,
        "alkali": clearance.alkali_alkali_A,
    }
    for name, least in limits.items():
        mine = scaffold.positions[role == name]
        if len(mine) and len(points):
            near = find_pairs(points, mine, scaffold.cell, least).point
            points = np.delete(points, np.unique(near), axis=0)
    anion = np.flatnonzero(role == "anion")
    pairs = find_pairs(points, scaffold.positions[anion], scaffold.cell, ION_BOND_A)
    room = np.full(len(points), np.inf)
    np.minimum.at(room, pairs.point, pairs.distance)
    sides = [np.bincount(pairs.point[zone.upper[anion][pairs.atom] == s], minlength=len(points)) for s in (True, False)]
    good = (room >= clearance.alkali_oxygen_A) & (sides[0] + sides[1] >= KEPT_ANIONS)
    good &= (sides[0] > 0) & (sides[1] > 0)
    points, room = points[good], room[good]
    return _apart(points[np.argsort(-np.round(room, 6), kind="stable")], scaffold.cell, clearance.alkali_alkali_A)


def _grid(cell: Floats, zone: Zone) -> Floats:
    lengths = np.linalg.norm(cell[:2], axis=1)
    counts = np.maximum(1, np.ceil(lengths / STEP_A)).astype(int)
    flat = np.stack(np.meshgrid(*(np.arange(n) / n for n in counts), indexing="ij"), -1).reshape(-1, 2) @ cell[:2, :2]
    heights = np.arange(zone.low_A, zone.high_A, STEP_A)
    return np.column_stack([np.repeat(flat, len(heights), axis=0), np.tile(heights, len(flat))])


def _apart(points: Floats, cell: Floats, least_A: float) -> Floats:
    """A maximal subset with no two nearer than least_A, earlier points first."""
    if len(points) == 0:
        return points.reshape(0, 3)
    pairs = find_pairs(points, points, cell, least_A)
    starts = np.searchsorted(pairs.point, np.arange(len(points) + 1))
    free = np.ones(len(points), dtype=bool)
    chosen = []
    for i in range(len(points)):
        if free[i]:
            chosen.append(i)
            free[pairs.atom[starts[i] : starts[i + 1]]] = False
    return points[chosen]
