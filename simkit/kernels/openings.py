"""Least lift of one set of points over another at which every pair keeps its distance, for many in-plane shifts."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from simkit.arrays import Floats
from simkit.errors import InputError


def least_lifts(lower: ArrayLike, upper: ArrayLike, plane: ArrayLike, least_A: ArrayLike, shifts: ArrayLike) -> Floats:
    """(k,) A: for each in-plane shift of `upper`, max over pairs and images of z_lower - z_upper + sqrt(r^2 - rho^2).

    lower (m, 3), upper (n, 3) A; plane (2, 2) A in rows, in which both repeat; least_A (m, n) distances r to keep, A;
    shifts (k, 2) A. Lifted by this much, no pair is nearer than r while the upper points come down from above.
    Raises InputError for shapes that do not fit together or where no pair ever meets (all r zero).
    """
    a, b = (np.ascontiguousarray(x, dtype=np.float64).reshape(-1, 3) for x in (lower, upper))
    plane = np.ascontiguousarray(plane, dtype=np.float64)
    least = np.ascontiguousarray(least_A, dtype=np.float64)
    steps = np.ascontiguousarray(shifts, dtype=np.float64).reshape(-1, 2)
    if least.shape != (len(a), len(b)) or not least.size or not least.max() > 0:
        raise InputError(
            f"distances of shape {least.shape} for {len(a)} and {len(b)} points; give one above 0 per pair."
        )
    inverse = np.linalg.inv(plane)
    widths = 1.0 / np.linalg.norm(inverse, axis=0)
    reach = np.ceil(least.max() / widths + 0.5).astype(np.int64)
    out = np.full(len(steps), -np.inf)
    _lift((a, b), (plane, inverse), least, (steps, reach), out)
    if not np.isfinite(out).all():
        raise InputError("no pair of points comes within its least distance; the two sets do not meet.")
    return out


@njit(cache=True)
def _lift(points, lattice, least, moves, out):
    a, b = points
    plane, inverse = lattice
    steps, reach = moves
    for k in range(len(steps)):
        best = -np.inf
        for i in range(len(a)):
            for j in range(len(b)):
                r2 = least[i, j] * least[i, j]
                x = b[j, 0] + steps[k, 0] - a[i, 0]
                y = b[j, 1] + steps[k, 1] - a[i, 1]
                u = x * inverse[0, 0] + y * inverse[1, 0]
                v = x * inverse[0, 1] + y * inverse[1, 1]
                u -= np.round(u)
                v -= np.round(v)
                rise = a[i, 2] - b[j, 2]
                if rise + least[i, j] <= best:
                    continue
                for p in range(-reach[0], reach[0] + 1):
                    for q in range(-reach[1], reach[1] + 1):
                        fx = (u + p) * plane[0, 0] + (v + q) * plane[1, 0]
                        fy = (u + p) * plane[0, 1] + (v + q) * plane[1, 1]
                        room = r2 - fx * fx - fy * fy
                        if room > 0.0:
                            best = max(best, rise + np.sqrt(room))
        out[k] = best
