"""Many functions of one distance as uniform quintic B-splines: one table, six rows of it per distance."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline

from simkit.errors import InputError

DEGREE = 5
"""Quintic: four continuous derivatives, and an error of order step^6 in values, step^5 in slopes."""


def fit_spline(values: NDArray, ends: NDArray, cutoff_A: float) -> NDArray[np.float64]:
    """(m + 5, ...) coefficients of the spline through values (m + 1, ...) at m + 1 even distances from 0 to the cutoff.

    ends (2, 2, ...): first and second derivative at distance 0 and at the cutoff. Raises InputError when
    there are fewer than six values.
    """
    count = len(values) - 1
    if count < DEGREE or ends.shape != (2, 2, *values.shape[1:]) or not 0.0 < cutoff_A < np.inf:
        raise InputError(f"{len(values)} values and ends {ends.shape} up to {cutoff_A} A are no spline of degree 5.")
    step = cutoff_A / count
    knots = step * np.arange(-DEGREE, count + DEGREE + 1)
    at = np.linspace(0.0, cutoff_A, count + 1)
    conditions = tuple([(order + 1, end[order]) for order in range(2)] for end in ends)
    return np.ascontiguousarray(make_interp_spline(at, values, k=DEGREE, t=knots, bc_type=conditions).c)


def spline_basis(vectors: NDArray, cutoff_A: float, intervals: int, place: NDArray, basis: NDArray) -> None:
    """First table row of each vector's length, and the weights of six rows for the value and for the slope.

    vectors (e, 3) A, shorter than the cutoff; place (e,) integers, basis (e, 2, 6), both written:
    f(r) = sum_s basis[e, 0, s] table[place[e] + s], df/dr the same with basis[e, 1]. Raises InputError on shapes
    that do not fit.
    """
    if vectors.shape != (len(place), 3) or basis.shape != (len(place), 2, DEGREE + 1):
        raise InputError(f"vectors {vectors.shape}, place {place.shape} and basis {basis.shape} do not fit.")
    _spline_basis(vectors, intervals / cutoff_A, intervals, place, basis)


@njit(cache=True, nogil=True, error_model="numpy")
def _spline_basis(vectors, per_length, intervals, place, basis):
    for e in range(len(vectors)):
        x, y, z = vectors[e]
        scaled = np.sqrt(x * x + y * y + z * z) * per_length
        place[e] = min(int(scaled), intervals - 1)
        _values(scaled - place[e], basis[e, 0])
        _slopes(scaled - place[e], per_length, basis[e, 1])


@njit(cache=True, nogil=True, error_model="numpy")
def _values(t, out):
    """The six uniform quintic B-splines that are not zero on an interval, at t in [0, 1]."""
    rest = 1.0 - t
    out[0] = rest**5 / 120.0
    out[1] = (26.0 + t * (-50.0 + t * (20.0 + t * (20.0 + t * (-20.0 + 5.0 * t))))) / 120.0
    out[2] = (66.0 + t * t * (-60.0 + t * t * (30.0 - 10.0 * t))) / 120.0
    out[3] = (26.0 + t * (50.0 + t * (20.0 + t * (-20.0 + t * (-20.0 + 10.0 * t))))) / 120.0
    out[4] = (1.0 + t * (5.0 + t * (10.0 + t * (10.0 + t * (5.0 - 5.0 * t))))) / 120.0
    out[5] = t**5 / 120.0


@njit(cache=True, nogil=True, error_model="numpy")
def _slopes(t, per_length, out):
    """Derivatives of `_values` with the length, t = per_length * length."""
    rest, share = 1.0 - t, per_length / 120.0
    out[0] = -5.0 * share * rest**4
    out[1] = share * (-50.0 + t * (40.0 + t * (60.0 + t * (-80.0 + 25.0 * t))))
    out[2] = share * t * (-120.0 + t * t * (120.0 - 50.0 * t))
    out[3] = share * (50.0 + t * (40.0 + t * (-60.0 + t * (-80.0 + 50.0 * t))))
    out[4] = share * (5.0 + t * (20.0 + t * (30.0 + t * (20.0 - 25.0 * t))))
    out[5] = 5.0 * share * t**4
