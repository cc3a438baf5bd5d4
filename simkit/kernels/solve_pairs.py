"""Pairs of atoms closer than a cut-off in a periodic cell, by trying every image that can reach."""

from __future__ import annotations

import numpy as np
from numba import njit

from simkit.arrays import Floats
from simkit.errors import InputError


def reach(cell: Floats, periodic: np.ndarray, cutoff: float) -> np.ndarray:
    """(3,) images needed on each side so that no atom of a wrapped cell within `cutoff` is missed."""
    height = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    return np.where(periodic, np.ceil(cutoff / height).astype(np.int64), 0)


def close_pairs(
    positions: Floats, cell: Floats, periodic: np.ndarray, cutoff: float
) -> tuple[np.ndarray, np.ndarray, Floats]:
    """Every pair within `cutoff` (A) once: first atom, second atom, shift (A) to add to the second.

    positions (n, 3) A, cell (3, 3) A rows, periodic (3,). A pair of an atom with its own image is given
    once. Brute force over images: meant for some thousand atoms, called once per problem.
    Raises InputError for a cut-off that is not positive.
    """
    if not cutoff > 0:
        raise InputError(f"the cut-off is {cutoff}; it must be a positive length in A.")
    fractional = positions @ np.linalg.inv(cell)
    whole = np.where(periodic, np.floor(fractional), 0.0)
    inside = np.ascontiguousarray(positions - whole @ cell)
    n = reach(cell, periodic, cutoff)
    grid = np.stack(np.meshgrid(*[np.arange(-k, k + 1) for k in n], indexing="ij"), axis=-1).reshape(-1, 3)
    shifts = np.ascontiguousarray(grid @ cell)
    half = np.array([tuple(g) > (0, 0, 0) for g in grid])
    count = _count(inside, shifts, half, cutoff * cutoff)
    first, second, image = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.int64)
    _fill(inside, shifts, half, cutoff * cutoff, (first, second, image))
    return first, second, shifts[image] + (whole[first] - whole[second]) @ cell


@njit(cache=True)
def _count(positions, shifts, half, limit):
    count = 0
    for s in range(len(shifts)):
        zero = shifts[s, 0] == 0.0 and shifts[s, 1] == 0.0 and shifts[s, 2] == 0.0
        for i in range(len(positions)):
            for j in range(i, len(positions)):
                if i == j and (zero or not half[s]):
                    continue
                d2 = 0.0
                for a in range(3):
                    d = positions[j, a] + shifts[s, a] - positions[i, a]
                    d2 += d * d
                if d2 <= limit:
                    count += 1
    return count


@njit(cache=True)
def _fill(positions, shifts, half, limit, out):
    first, second, image = out
    count = 0
    for s in range(len(shifts)):
        zero = shifts[s, 0] == 0.0 and shifts[s, 1] == 0.0 and shifts[s, 2] == 0.0
        for i in range(len(positions)):
            for j in range(i, len(positions)):
                if i == j and (zero or not half[s]):
                    continue
                d2 = 0.0
                for a in range(3):
                    d = positions[j, a] + shifts[s, a] - positions[i, a]
                    d2 += d * d
                if d2 <= limit:
                    first[count], second[count], image[count] = i, j, s
                    count += 1
