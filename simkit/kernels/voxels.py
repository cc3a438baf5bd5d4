"""Nearest periodic site of points by a table of voxels, and jumps from the series of sites that ions visit."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from simkit.arrays import Floats, Integers
from simkit.errors import InputError

Table = tuple[Integers, Floats, Integers]
"""starts (voxels + 1,), places (c, 3) fractional, keys (c, 4) site and image: candidates of each voxel, in C order."""


def look_up(fractional: ArrayLike, cell: ArrayLike, shape: tuple[int, int, int], table: Table) -> Integers:
    """(p, 4) nearest site and its image (3 integers) of each point.

    fractional (p, 3) any real numbers; cell (3, 3) A in rows; shape of the grid of voxels. A voxel with one candidate
    needs no distance; elsewhere the nearest of its candidates is taken. Raises InputError on wrong shapes or numbers
    that are not finite.
    """
    fractional = np.ascontiguousarray(fractional, dtype=np.float64)
    cell = np.ascontiguousarray(cell, dtype=np.float64)
    sizes = np.array(shape, dtype=np.int64)
    starts, places, keys = table
    if fractional.ndim != 2 or fractional.shape[1] != 3 or not np.isfinite(fractional).all():
        raise InputError(f"points of shape {fractional.shape}; wanted (p, 3) finite numbers.")
    if sizes.shape != (3,) or cell.shape != (3, 3) or len(starts) != sizes.prod() + 1 or len(places) != len(keys):
        raise InputError(f"a table of {len(starts) - 1} voxels does not fit the grid {shape}.")
    out = np.empty((len(fractional), 4), dtype=np.int64)
    _look(fractional, cell, sizes, (starts, places, keys), out)
    return out


def settle(keys: ArrayLike, dwell: int) -> Integers:
    """(f, n) frame at which the stay began to which each ion belongs at each frame.

    keys (f, n, 4) site and image of each ion at each frame. A new stay begins only where an ion then keeps to one
    site for `dwell` frames in a row; shorter visits count to the stay before. Raises InputError on wrong shapes or a
    dwell below one frame.
    """
    keys = np.ascontiguousarray(keys, dtype=np.int64)
    if keys.ndim != 3 or keys.shape[2] != 4 or len(keys) == 0 or dwell < 1:
        raise InputError(f"keys of shape {keys.shape}, dwell {dwell}; wanted (frames, ions, 4) and at least one frame.")
    out = np.zeros(keys.shape[:2], dtype=np.int64)
    _settle(keys, dwell, out)
    return out


@njit(cache=True)
def _look(fractional, cell, sizes, table, out):
    starts, places, keys = table
    home = np.empty(3)
    turn = np.empty(3, dtype=np.int64)
    for p in range(fractional.shape[0]):
        flat = 0
        for d in range(3):
            whole = math.floor(fractional[p, d])
            turn[d] = int(whole)
            home[d] = fractional[p, d] - whole
            flat = flat * sizes[d] + min(int(home[d] * sizes[d]), sizes[d] - 1)
        best = starts[flat]
        if starts[flat + 1] - best > 1:
            best = _nearest(home, cell, places, starts[flat], starts[flat + 1])
        out[p, 0] = keys[best, 0]
        for d in range(3):
            out[p, d + 1] = keys[best, d + 1] + turn[d]


@njit(cache=True)
def _nearest(home, cell, places, first, end):
    """Index of the candidate nearest to a point."""
    best, shortest = first, np.inf
    for c in range(first, end):
        a, b, g = places[c, 0] - home[0], places[c, 1] - home[1], places[c, 2] - home[2]
        x = a * cell[0, 0] + b * cell[1, 0] + g * cell[2, 0]
        y = a * cell[0, 1] + b * cell[1, 1] + g * cell[2, 1]
        z = a * cell[0, 2] + b * cell[1, 2] + g * cell[2, 2]
        square = x * x + y * y + z * z
        if square < shortest:
            best, shortest = c, square
    return best


@njit(cache=True)
def _same(keys, i, one, other):
    site = keys[one, i, 0] == keys[other, i, 0] and keys[one, i, 1] == keys[other, i, 1]
    return site and keys[one, i, 2] == keys[other, i, 2] and keys[one, i, 3] == keys[other, i, 3]


@njit(cache=True)
def _settle(keys, dwell, out):
    for i in range(keys.shape[1]):
        began, visit = 0, 0
        for t in range(keys.shape[0]):
            if not _same(keys, i, t, visit):
                visit = t
            if t - visit + 1 >= dwell and not _same(keys, i, t, began):
                began = visit
                out[visit:t, i] = began
            out[t, i] = began
