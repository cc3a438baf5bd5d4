"""A rational plane of a crystal: its own cell, and the crystal seen in the frame of the plane."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.arguments import require_list
from simkit.build.scaffold import Scaffold
from simkit.errors import InputError

REACH = 8
"""Largest index of a lattice vector that is tried for the cell of a plane."""


@dataclass(frozen=True, eq=False)
class Plane:
    """A crystal standing on a plane: x along the first cell vector of the plane, z along its normal.

    sides (2, 2) A cell vectors in the plane; step (3,) A a lattice vector to the next equivalent plane, its z the
    spacing; positions (n, 3) A of one primitive block of the crystal; role, kind (n,) of each site
    """

    sides: Floats
    step: Floats
    positions: Floats
    role: np.ndarray
    kind: np.ndarray

    @property
    def spacing_A(self) -> float:
        """Distance between equivalent planes, A."""
        return float(self.step[2])

    @property
    def area_A2(self) -> float:
        """Area of the cell of the plane, A^2."""
        return float(abs(np.linalg.det(self.sides)))

    def inverted(self) -> Plane:
        """The crystal turned inside out through the origin: what lies above a plane comes to lie below."""
        return replace(self, positions=-self.positions)

    def window(self, low_A: float, high_A: float) -> tuple[Floats, Integers]:
        """Positions (m, 3) A, folded in plane, and sites (m,) of everything with low <= z <= high."""
        first = np.ceil((low_A - self.positions[:, 2]) / self.spacing_A - 1e-9).astype(np.int64)
        last = np.floor((high_A - self.positions[:, 2]) / self.spacing_A + 1e-9).astype(np.int64)
        number = np.maximum(last - first + 1, 0)
        site = np.repeat(np.arange(len(self.positions)), number)
        rank = np.arange(len(site)) - np.repeat(np.cumsum(number) - number, number)
        points = self.positions[site] + np.outer(first[site] + rank, self.step)
        fractional = points[:, :2] @ np.linalg.inv(self.sides)
        fractional -= np.floor(fractional + 1e-9)
        points[:, :2] = fractional @ self.sides
        return points, site


def plane_of(crystal: Scaffold, indices: Sequence[int], slabs: int) -> Plane:
    """The crystal on the plane (h k l) of the cell spanned by its two in-plane vectors and `slabs` cells along z.

    slabs  primitive cells along the normal until the letters return (3 for O3 in its one-slab cell)
    Raises InputError for indices that are no plane.
    """
    g = _indices(crystal.cell, indices, slabs)
    normal = np.linalg.inv(crystal.cell) @ g
    spacing = 1.0 / float(np.linalg.norm(normal))
    ez = normal * spacing
    grid = np.stack(np.meshgrid(*(np.arange(-REACH, REACH + 1),) * 3, indexing="ij"), -1).reshape(-1, 3)
    level, vectors = grid @ g, grid @ crystal.cell
    inside = vectors[(level == 0) & np.any(grid != 0, axis=1)]
    pair = _shortest_pair(inside, ez, abs(crystal_volume(crystal)) / spacing)
    if pair is None or not (level == 1).any():
        raise InputError(
            f"plane ({' '.join(str(int(i)) for i in indices)}) has no cell of lattice vectors up to {REACH} in each "
            "index; give a plane of lower indices."
        )
    first, second = pair
    ex = first / np.linalg.norm(first)
    turn = np.array([ex, np.cross(ez, ex), ez])
    steps = vectors[level == 1]
    step = steps[np.lexsort((np.arange(len(steps)), np.round(np.linalg.norm(steps, axis=1), 6)))[0]] @ turn.T
    sides = np.array([first, second]) @ turn.T
    return Plane(sides[:, :2], step, crystal.positions @ turn.T, crystal.role, crystal.kind)


def crystal_volume(crystal: Scaffold) -> float:
    """Cell volume, A^3."""
    return float(np.linalg.det(crystal.cell))


def _indices(cell: Floats, indices: Sequence[int], slabs: int) -> Integers:
    """(3,) coprime integers of the plane in the reciprocal basis of the cell itself."""
    values = require_list("plane", indices, object, "(0, 1, 2)")
    whole = all(isinstance(v, int | np.integer) and not isinstance(v, bool) for v in values)
    if len(values) != 3 or not whole or not any(values):
        raise InputError(f"plane {tuple(values)!r}; give three whole numbers h, k, l, not all zero, as (0, 1, 2).")
    conventional = np.array([cell[0], cell[1], [0.0, 0.0, slabs * cell[2, 2]]])
    along = cell @ np.linalg.inv(conventional) @ np.array(values, dtype=float)
    exact = [Fraction(float(x)).limit_denominator(12) for x in along]
    scale = math.lcm(*(x.denominator for x in exact))
    g = np.array([int(x * scale) for x in exact])
    return g // math.gcd(*(int(x) for x in g))


def _shortest_pair(vectors: Floats, normal: Floats, area_A2: float) -> tuple[Floats, Floats] | None:
    """The shortest two vectors that span the primitive cell of a plane, right-handed about the normal, or None."""
    if not len(vectors):
        return None
    vectors = vectors[np.lexsort((*np.round(vectors.T, 6), np.round(np.linalg.norm(vectors, axis=1), 6)))]
    first = vectors[0]
    spanned = np.cross(first, vectors) @ normal
    found = np.flatnonzero(np.isclose(spanned, area_A2, rtol=1e-6))
    return (first, vectors[found[0]]) if len(found) else None
