"""Neighbours of points among periodic atoms: every image within a cutoff, for any cell shape and size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from simkit.arrays import Floats, Integers
from simkit.errors import InputError


@dataclass(frozen=True, eq=False)
class Pairs:
    """Directed neighbour pairs.

    point (p,), atom (p,) indices; shift (p, 3) cell images of the atom; distance (p,) A. The vector is
    positions[atom] + shift @ cell - points[point].
    """

    point: Integers
    atom: Integers
    shift: Integers
    distance: Floats

    def __len__(self) -> int:
        return len(self.point)

    def take(self, which: np.ndarray) -> Pairs:
        """The pairs `which` (mask or indices)."""
        return Pairs(self.point[which], self.atom[which], self.shift[which], self.distance[which])


def find_pairs(points: ArrayLike, positions: ArrayLike, cell: ArrayLike, cutoff_A: float) -> Pairs:
    """All images of `positions` within cutoff_A of each point of a fully periodic cell, sorted by point.

    points (m, 3) A, positions (n, 3) A, cell (3, 3) A in rows. Pairs at distance zero are left out when
    points and positions are the same object (an atom and itself). Small and tilted cells are exact: as many
    images as the cutoff needs. Raises InputError for a cutoff that is not positive and finite.
    """
    if not (np.isfinite(cutoff_A) and cutoff_A > 0):
        raise InputError(f"cutoff_A = {cutoff_A!r}; it must be positive and finite.")
    own = points is positions
    cell = np.ascontiguousarray(cell, dtype=np.float64)
    centres, where = (np.ascontiguousarray(x, dtype=np.float64).reshape(-1, 3) for x in (points, positions))
    inverse = np.linalg.inv(cell)
    thickness = 1.0 / np.linalg.norm(inverse, axis=0)
    bins = np.clip(np.floor(thickness / cutoff_A), 1, 64).astype(np.int64)
    reach = np.ceil(cutoff_A * bins / thickness - 1e-12).astype(np.int64)
    turn_p, home_p = _wrapped(centres @ inverse)
    turn_q, home_q = _wrapped(where @ inverse)
    order, starts = _binned(home_q, bins)
    box_p = np.minimum((home_p * bins).astype(np.int64), bins - 1)
    centres, where = home_p @ cell, np.ascontiguousarray((home_q @ cell)[order])
    table = (order, starts, bins, reach)
    counts = np.zeros(len(centres), dtype=np.int64)
    nothing = np.empty((0, 5), dtype=np.int64), np.empty(0)
    _search((centres, where), cell, (box_p, *table), (float(cutoff_A), own), counts, nothing)
    total = int(counts.sum())
    out = np.empty((total, 5), dtype=np.int64), np.empty(total)
    offsets = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    _search((centres, where), cell, (box_p, *table), (float(cutoff_A), own), offsets, out)
    index, distance = out
    shift = index[:, 2:] + turn_p[index[:, 0]] - turn_q[index[:, 1]]
    return Pairs(index[:, 0].copy(), index[:, 1].copy(), shift, distance)


def _wrapped(fractional: Floats) -> tuple[Integers, Floats]:
    turns = np.floor(fractional)
    return turns.astype(np.int64), fractional - turns


def _binned(home: Floats, bins: Integers) -> tuple[Integers, Integers]:
    box = np.minimum((home * bins).astype(np.int64), bins - 1)
    flat = (box[:, 0] * bins[1] + box[:, 1]) * bins[2] + box[:, 2]
    order = np.argsort(flat, kind="stable").astype(np.int64)
    starts = np.searchsorted(flat[order], np.arange(int(bins.prod()) + 1)).astype(np.int64)
    return order, starts


@njit(cache=True)
def _search(points, cell, table, rule, cursor, out):
    centres, where = points
    box, order, starts, bins, reach = table
    cutoff, own = rule
    index, distance = out
    write = len(distance) > 0
    for p in range(len(centres)):
        for x in range(box[p, 0] - reach[0], box[p, 0] + reach[0] + 1):
            sx, bx = x // bins[0], x % bins[0]
            for y in range(box[p, 1] - reach[1], box[p, 1] + reach[1] + 1):
                sy, by = y // bins[1], y % bins[1]
                for z in range(box[p, 2] - reach[2], box[p, 2] + reach[2] + 1):
                    sz, bz = z // bins[2], z % bins[2]
                    flat = (bx * bins[1] + by) * bins[2] + bz
                    ox = sx * cell[0, 0] + sy * cell[1, 0] + sz * cell[2, 0] - centres[p, 0]
                    oy = sx * cell[0, 1] + sy * cell[1, 1] + sz * cell[2, 1] - centres[p, 1]
                    oz = sx * cell[0, 2] + sy * cell[1, 2] + sz * cell[2, 2] - centres[p, 2]
                    for k in range(starts[flat], starts[flat + 1]):
                        dx, dy, dz = where[k, 0] + ox, where[k, 1] + oy, where[k, 2] + oz
                        square = dx * dx + dy * dy + dz * dz
                        itself = own and order[k] == p and sx == 0 and sy == 0 and sz == 0
                        if square > cutoff * cutoff or itself:
                            continue
                        if write:
                            index[cursor[p], 0] = p
                            index[cursor[p], 1] = order[k]
                            index[cursor[p], 2] = sx
                            index[cursor[p], 3] = sy
                            index[cursor[p], 4] = sz
                            distance[cursor[p]] = np.sqrt(square)
                        cursor[p] += 1
