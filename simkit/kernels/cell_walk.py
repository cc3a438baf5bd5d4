"""Small matrices of many cells at once: strains along given modes, and the frame that two vectors of a cell span."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from simkit.arrays import Floats
from simkit.errors import InputError


def strains(modes: Floats, push: Floats, drift: Floats, jumps: Floats) -> Floats:
    """(m, 3, 3) sum over modes B of (drift push : B + jump) B.

    modes (m, k, 3, 3), push (m, 3, 3), drift (m,), jumps (m, k). Raises InputError on wrong shapes.
    """
    m, k = modes.shape[:2]
    if push.shape != (m, 3, 3) or drift.shape != (m,) or jumps.shape != (m, k):
        raise InputError(f"modes {modes.shape}, push {push.shape}, drift {drift.shape} and jumps {jumps.shape} differ.")
    out = np.zeros((m, 3, 3))
    _strain(np.ascontiguousarray(modes), np.ascontiguousarray(push), drift, jumps, out)
    return out


def frames_of(cells: Floats) -> Floats:
    """(m, 3, 3) orthonormal rows: along the first vector, in the plane of the first two, normal to it.

    cells (m, 3, 3) with vectors in rows. Raises InputError on wrong shapes.
    """
    cells = np.ascontiguousarray(cells, dtype=np.float64)
    if cells.ndim != 3 or cells.shape[1:] != (3, 3):
        raise InputError(f"cells of shape {cells.shape}; wanted (m, 3, 3).")
    out = np.empty_like(cells)
    _frames(cells, out)
    return out


@njit(cache=True)
def _strain(modes, push, drift, jumps, out):
    for s in range(modes.shape[0]):
        for k in range(modes.shape[1]):
            along = 0.0
            for a in range(3):
                for b in range(3):
                    along += push[s, a, b] * modes[s, k, a, b]
            size = drift[s] * along + jumps[s, k]
            for a in range(3):
                for b in range(3):
                    out[s, a, b] += size * modes[s, k, a, b]


@njit(cache=True)
def _cross(u, v, out):
    out[0] = u[1] * v[2] - u[2] * v[1]
    out[1] = u[2] * v[0] - u[0] * v[2]
    out[2] = u[0] * v[1] - u[1] * v[0]


@njit(cache=True, error_model="numpy")
def _unit(u):
    length = math.sqrt(u[0] * u[0] + u[1] * u[1] + u[2] * u[2])
    for k in range(3):
        u[k] /= length


@njit(cache=True, error_model="numpy")
def _frames(cells, out):
    for s in range(cells.shape[0]):
        out[s, 0] = cells[s, 0]
        _unit(out[s, 0])
        _cross(cells[s, 0], cells[s, 1], out[s, 2])
        _unit(out[s, 2])
        _cross(out[s, 2], out[s, 0], out[s, 1])
