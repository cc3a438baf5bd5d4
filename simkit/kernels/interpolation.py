"""Many functions of one number from a table at even steps, through six points, differentiated twice.

f(x) = sum over p of w_p(t) T[s + p] with Lagrange's polynomials w through the points -2 ... 3 around the interval
s + 2, t in [0, 1]: an error of 0.005 (step k)^6 for a wave of k per unit of x, and 0.02 k (step k)^5 in the slope.
Arrays are float32 or float64, all of one kind.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from simkit.errors import InputError

POINTS = 6
FAST = {"reassoc", "contract", "nsz"}


def interpolate(x: NDArray, table: NDArray, out: NDArray) -> None:
    """out (e, c) = f at x (e,), in steps from the first row of table (rows, c). Raises InputError on what does not fit.

    x from 0 to rows - 1; near the ends the six points are the first or last ones.
    """
    _check(x, table, out)
    _interpolate(x, table, out)


def interpolate_backward(x: NDArray, table: NDArray, gradient: NDArray, out: tuple[NDArray, NDArray]) -> None:
    """Derivatives of the sum of gradient (e, c) times f with respect to x and table, written; errors as above."""
    _check(x, table, gradient)
    _check(*out, gradient)
    out[1][:] = 0
    _backward((x, table), gradient, out)


def interpolate_double_backward(
    x: NDArray, table: NDArray, gradient: NDArray, given: tuple[NDArray, NDArray], out: tuple[NDArray, NDArray, NDArray]
) -> None:
    """Derivatives of the sum of `given` times the outputs of `interpolate_backward`; errors as above.

    out: with respect to x, table and the gradient; all written.
    """
    for part in ((x, table), given, out[:2]):
        _check(*part, gradient)
    _check(x, table, out[2])
    out[1][:] = 0
    _double_backward((x, table), gradient, given, out)


def _check(x: NDArray, table: NDArray, values: NDArray) -> None:
    if table.ndim != 2 or len(table) < POINTS or values.shape != (*x.shape, table.shape[1]) or x.ndim != 1:
        raise InputError(f"numbers {x.shape}, table {table.shape} and values {values.shape} do not fit.")
    kinds = {array.dtype for array in (x, table, values)}
    if len(kinds) > 1 or kinds.pop() not in (np.float32, np.float64):
        raise InputError("the arrays must be all float32 or all float64.")


@njit(cache=True, nogil=True, error_model="numpy")
def _weights(x, rows, orders, w):
    """First row, and into w (3, 6) the weights of value, slope and (for orders = 3) curvature at x.

    Products over the other points, and sums of such products with one or two factors left out.
    """
    s = min(max(int(x) - 2, 0), rows - POINTS)
    t = x - s
    for p in range(POINTS):
        value, slope, curvature, scale = 1.0, 0.0, 0.0, 1.0
        for q in range(POINTS):
            if q != p:
                scale *= p - q
                curvature = curvature * (t - q) + 2.0 * slope
                slope = slope * (t - q) + value
                value *= t - q
        w[0, p], w[1, p] = value / scale, slope / scale
        if orders == 3:
            w[2, p] = curvature / scale
    return s


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _sum_rows(w, rows, out):
    """out = sum over p of w[p] times rows[p]."""
    w0, w1, w2, w3, w4, w5 = w
    for k in range(len(out)):
        near = w0 * rows[0, k] + w1 * rows[1, k] + w2 * rows[2, k]
        out[k] = near + w3 * rows[3, k] + w4 * rows[4, k] + w5 * rows[5, k]


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _add_to_rows(w, row, into):
    for p in range(len(w)):
        weight, line = w[p], into[p]
        for k in range(len(row)):
            line[k] += weight * row[k]


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _dot(a, b):
    total = a[0] - a[0]
    for k in range(len(a)):
        total += a[k] * b[k]
    return total


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _interpolate(x, table, out):
    w = np.empty((3, POINTS), dtype=table.dtype)
    for e in range(len(x)):
        s = _weights(np.float64(x[e]), len(table), 2, w)
        _sum_rows((w[0, 0], w[0, 1], w[0, 2], w[0, 3], w[0, 4], w[0, 5]), table[s : s + POINTS], out[e])


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _backward(inputs, gradient, out):
    x, table = inputs
    w, row = np.empty((3, POINTS), dtype=table.dtype), np.empty_like(table[0])
    for e in range(len(x)):
        s = _weights(np.float64(x[e]), len(table), 2, w)
        _sum_rows((w[1, 0], w[1, 1], w[1, 2], w[1, 3], w[1, 4], w[1, 5]), table[s : s + POINTS], row)
        out[0][e] = _dot(row, gradient[e])
        _add_to_rows(w[0], gradient[e], out[1][s : s + POINTS])


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _double_backward(inputs, gradient, given, out):
    x, table = inputs
    w, mixed = np.empty((3, POINTS), dtype=table.dtype), np.empty((3, POINTS), dtype=table.dtype)
    row, other = np.empty_like(table[0]), np.empty_like(table[0])
    for e in range(len(x)):
        s = _weights(np.float64(x[e]), len(table), 3, w)
        along, rows, others = given[0][e], table[s : s + POINTS], given[1][s : s + POINTS]
        for p in range(POINTS):
            mixed[0, p], mixed[1, p] = along * w[1, p], along * w[2, p]
        _sum_rows((mixed[1, 0], mixed[1, 1], mixed[1, 2], mixed[1, 3], mixed[1, 4], mixed[1, 5]), rows, row)
        _sum_rows((w[1, 0], w[1, 1], w[1, 2], w[1, 3], w[1, 4], w[1, 5]), others, other)
        out[0][e] = _dot(row, gradient[e]) + _dot(other, gradient[e])
        _add_to_rows(mixed[0], gradient[e], out[1][s : s + POINTS])
        _sum_rows((mixed[0, 0], mixed[0, 1], mixed[0, 2], mixed[0, 3], mixed[0, 4], mixed[0, 5]), rows, row)
        _sum_rows((w[0, 0], w[0, 1], w[0, 2], w[0, 3], w[0, 4], w[0, 5]), others, other)
        for k in range(len(row)):
            out[2][e, k] = row[k] + other[k]
