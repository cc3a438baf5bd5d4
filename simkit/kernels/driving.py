"""What every step of molecular dynamics asks of all atoms: kicks, centres at rest, energies, largest values.

Sums run atom by atom within a system, so that the result of a system does not depend on its batch.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from simkit.arrays import Floats
from simkit.errors import InputError

Rest = tuple[NDArray[np.int64], Floats, Floats]
"""group_of (n,): [0, atoms) -> [0, groups) at rest, or -1; masses (n,) amu; total (groups,) amu."""


def kicked(v: Floats, forces: Floats, share: Floats, rest: Rest) -> Floats:
    """(n, 3) v + share F, without the velocities of the centres that rest.

    v (n, 3), forces (n, 3) eV/A, share (n,) time over mass, zero where an atom is fixed; see `rested`. Raises
    InputError on wrong shapes.
    """
    forces = _rows(forces, len(v))
    out = np.empty((len(v), 3))
    _kick(_rows(v, len(share)), forces, share, out)
    _rest(rest, out)
    return out


def rested(v: Floats, rest: Rest) -> Floats:
    """(n, 3) v without the velocities of the centres of the groups at rest. Raises InputError on wrong shapes."""
    out = np.array(_rows(v, len(rest[0])))
    _rest(rest, out)
    return out


def kinetic_and_largest(v: Floats, masses: Floats, starts: NDArray) -> tuple[Floats, Floats]:
    """(m,) kinetic energy of each system, and of its fastest atom, infinite where one is no number.

    v (n, 3), masses (n,), starts (m + 1,) first atom of each system. Raises InputError on wrong shapes.
    """
    total, most = np.empty(len(starts) - 1), np.empty(len(starts) - 1)
    _energies(_rows(v, len(masses)), masses, starts, total, most)
    return total, most


def largest_norm(rows: Floats, starts: NDArray, origin: Floats | None = None) -> Floats:
    """(m,) largest length of the rows (n, 3), less those of `origin`, of each system; infinite where one is no number.

    starts (m + 1,) first row of each system. Raises InputError on wrong shapes.
    """
    out = np.empty(len(starts) - 1)
    rows = _rows(rows, starts[-1])
    _lengths(rows, rows if origin is None else _rows(origin, len(rows)), origin is None, starts, out)
    return out


def transformed(rows: Floats, matrices: Floats, starts: NDArray) -> Floats:
    """(n, 3) row vectors times the (m, 3, 3) matrix of their system. Raises InputError on wrong shapes."""
    out = np.empty((starts[-1], 3))
    _transform(_rows(rows, len(out)), np.ascontiguousarray(matrices, dtype=np.float64), starts, out)
    return out


def kinetic_tensors(v: Floats, masses: Floats, starts: NDArray) -> Floats:
    """(m, 3, 3) sum of mass v v of each system. Raises InputError on wrong shapes."""
    out = np.zeros((len(starts) - 1, 3, 3))
    _tensors(_rows(v, len(masses)), masses, starts, out)
    return out


def _rows(rows: Floats, count: int) -> Floats:
    rows = np.ascontiguousarray(rows, dtype=np.float64)
    if rows.shape != (count, 3):
        raise InputError(f"rows of shape {rows.shape}; wanted ({count}, 3).")
    return rows


@njit(cache=True)
def _kick(v, forces, share, out):
    for i in range(v.shape[0]):
        for k in range(3):
            out[i, k] = v[i, k] + share[i] * forces[i, k]


@njit(cache=True)
def _rest(rest, v):
    group_of, masses, total = rest
    if total.shape[0] == 0:
        return
    drift = np.zeros((total.shape[0], 3))
    for i in range(v.shape[0]):
        g = group_of[i]
        if g >= 0:
            drift[g, 0] += masses[i] * v[i, 0]
            drift[g, 1] += masses[i] * v[i, 1]
            drift[g, 2] += masses[i] * v[i, 2]
    drift /= total.reshape(-1, 1)
    for i in range(v.shape[0]):
        g = group_of[i]
        if g >= 0:
            v[i, 0] -= drift[g, 0]
            v[i, 1] -= drift[g, 1]
            v[i, 2] -= drift[g, 2]


@njit(cache=True)
def _energies(v, masses, starts, total, most):
    for s in range(total.shape[0]):
        total[s], most[s] = 0.0, 0.0
        for i in range(starts[s], starts[s + 1]):
            one = 0.5 * masses[i] * (v[i, 0] * v[i, 0] + v[i, 1] * v[i, 1] + v[i, 2] * v[i, 2])
            total[s] += one
            if not one <= most[s]:
                most[s] = one if one > most[s] else math.inf


@njit(cache=True)
def _lengths(rows, origin, plain, starts, out):
    for s in range(out.shape[0]):
        most = 0.0
        for i in range(starts[s], starts[s + 1]):
            square = 0.0
            for k in range(3):
                x = rows[i, k] if plain else rows[i, k] - origin[i, k]
                square += x * x
            if not square <= most:
                most = square if square > most else math.inf
        out[s] = math.sqrt(most)


@njit(cache=True)
def _transform(rows, matrices, starts, out):
    for s in range(starts.shape[0] - 1):
        a = matrices[s]
        for i in range(starts[s], starts[s + 1]):
            x, y, z = rows[i, 0], rows[i, 1], rows[i, 2]
            for k in range(3):
                out[i, k] = x * a[0, k] + y * a[1, k] + z * a[2, k]


@njit(cache=True)
def _tensors(v, masses, starts, out):
    for s in range(out.shape[0]):
        for i in range(starts[s], starts[s + 1]):
            for a in range(3):
                for b in range(3):
                    out[s, a, b] += masses[i] * v[i, a] * v[i, b]
