"""Row-wise parts of gated message functions: gather, normalise, gate and scatter, without intermediate arrays.

Rows are two halves, core and gate. The kernels release the interpreter, take float32 or float64, and leave
exponentials and matrix products to the caller. Sums over a row may be taken in any order (`reassoc`): measured
3 times faster than in order.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from simkit.errors import InputError

EPSILON = 1e-5
"""Added to the variance."""
FAST = {"reassoc", "contract", "nsz"}


def gather_add(rows: NDArray, tables: tuple[NDArray, ...], indices: tuple[NDArray, ...]) -> None:
    """rows[i] += sum over tables of table[index[i]], in place; rows (n, 2w), each table (., 2w), each index (n,)."""
    _same_width(rows, *tables)
    for table, index in zip(tables, indices, strict=True):
        _gather_add(rows, table, index)


def scatter_add(rows: NDArray, tables: tuple[NDArray, ...], indices: tuple[NDArray, ...]) -> None:
    """table[index[i]] += rows[i] for each table, in place; shapes as for `gather_add`."""
    _same_width(rows, *tables)
    for table, index in zip(tables, indices, strict=True):
        _scatter_add(rows, table, index)


def normalise(rows: NDArray, weight: NDArray, bias: NDArray, out: NDArray) -> None:
    """Layer norm of each half of each row, times weight plus bias: rows, out (n, 2w), weight, bias (2w,)."""
    _same_width(rows, out, weight[None], bias[None])
    _normalise(rows, weight, bias, _constants(weight), out)


def gated_into(
    normed: NDArray, sigmoid: NDArray, weights: tuple[NDArray, NDArray], total: NDArray, owner: NDArray
) -> None:
    """total[owner[i]] += core * sigmoid(core) * sigmoid(gate) * table[index[i]], in place.

    normed and sigmoid (n, 2w), weights = table (., w) and index (n,), total (., w), owner (n,).
    """
    _same_width(normed, sigmoid)
    _gated_into(normed, sigmoid, weights[0], weights[1], total, owner)


def gated_plus(normed: NDArray, sigmoid: NDArray, feature: NDArray, out: NDArray) -> None:
    """out = feature + core * sigmoid(core) * sigmoid(gate); feature and out (n, w)."""
    _same_width(normed, sigmoid)
    _gated_plus(normed, sigmoid, feature, out)


def weigh_gradient(
    parts: tuple[NDArray, NDArray], gradient: NDArray, owner: NDArray, weights: tuple[NDArray, ...], out: NDArray
) -> None:
    """Derivatives of `gated_into`: out[i] (n, w) = gradient[owner[i]] * table[index[i]], and that of the table.

    parts = normed and sigmoid, weights = table, index and the table's derivative, added to in place.
    """
    _weigh_gradient(parts[0], parts[1], gradient, owner, weights, out)


def gated_backward(
    rows: NDArray, parts: tuple[NDArray, NDArray], weight: NDArray, gradient: NDArray, out: NDArray
) -> None:
    """d/d(rows) of sum(gradient * core * sigmoid(core) * sigmoid(gate)) through the normalisation.

    rows and out (n, 2w), parts = normed and sigmoid (n, 2w), weight (2w,) of the norm, gradient (n, w).
    """
    _same_width(rows, *parts, out, weight[None])
    _gated_backward(rows, parts, weight, _constants(weight), gradient, out)


def _constants(weight: NDArray) -> NDArray:
    """1/width, epsilon and 1 in the type of the rows: plain numbers would turn float32 loops into float64."""
    return np.array([2 / len(weight), EPSILON, 1.0], dtype=weight.dtype)


def _same_width(*arrays: NDArray) -> None:
    widths = {array.shape[1] for array in arrays}
    if len(widths) != 1 or widths.pop() % 2:
        raise InputError(f"rows of different or odd widths: {[array.shape for array in arrays]}.")


@njit(cache=True, nogil=True)
def _gather_add(rows, table, index):
    for i in range(len(rows)):
        row, other = rows[i], table[index[i]]
        for k in range(len(row)):
            row[k] += other[k]


@njit(cache=True, nogil=True)
def _scatter_add(rows, table, index):
    for i in range(len(rows)):
        row, other = rows[i], table[index[i]]
        for k in range(len(row)):
            other[k] += row[k]


@njit(cache=True, nogil=True, fastmath=FAST, inline="always")
def _moments(row, constants):
    """Mean and reciprocal deviation of a half row."""
    share, epsilon, one = constants
    mean = epsilon - epsilon
    for k in range(len(row)):
        mean += row[k]
    mean *= share
    variance = epsilon - epsilon
    for k in range(len(row)):
        variance += (row[k] - mean) * (row[k] - mean)
    return mean, one / np.sqrt(variance * share + epsilon)


@njit(cache=True, nogil=True, fastmath=FAST)
def _normalise(rows, weight, bias, constants, out):
    width = rows.shape[1] // 2
    for i in range(len(rows)):
        for half in range(2):
            part = slice(half * width, (half + 1) * width)
            row, target, w, b = rows[i, part], out[i, part], weight[part], bias[part]
            mean, scale = _moments(row, constants)
            for k in range(width):
                target[k] = (row[k] - mean) * scale * w[k] + b[k]


@njit(cache=True, nogil=True, fastmath=FAST)
def _gated_into(normed, sigmoid, table, index, total, owner):
    width = table.shape[1]
    for i in range(len(normed)):
        y, s, w, t = normed[i], sigmoid[i], table[index[i]], total[owner[i]]
        for k in range(width):
            t[k] += y[k] * s[k] * s[width + k] * w[k]


@njit(cache=True, nogil=True, fastmath=FAST)
def _gated_plus(normed, sigmoid, feature, out):
    width = feature.shape[1]
    for i in range(len(normed)):
        y, s, f, o = normed[i], sigmoid[i], feature[i], out[i]
        for k in range(width):
            o[k] = f[k] + y[k] * s[k] * s[width + k]


@njit(cache=True, nogil=True, fastmath=FAST)
def _weigh_gradient(normed, sigmoid, gradient, owner, weights, out):
    table, index, slope = weights
    width = table.shape[1]
    for i in range(len(normed)):
        y, s, g, o = normed[i], sigmoid[i], gradient[owner[i]], out[i]
        w, d = table[index[i]], slope[index[i]]
        for k in range(width):
            o[k] = g[k] * w[k]
            d[k] += g[k] * y[k] * s[k] * s[width + k]


@njit(cache=True, nogil=True, fastmath=FAST)
def _gated_backward(rows, parts, weight, constants, gradient, out):
    normed, sigmoid = parts
    width, one = gradient.shape[1], constants[2]
    for i in range(len(rows)):
        y, s, g, o = normed[i], sigmoid[i], gradient[i], out[i]
        for k in range(width):
            core, opened = s[k], s[width + k]
            o[k] = g[k] * opened * core * (one + y[k] * (one - core)) * weight[k]
            o[width + k] = g[k] * y[k] * core * opened * (one - opened) * weight[width + k]
        _norm_backward(rows[i, :width], o[:width], constants)
        _norm_backward(rows[i, width:], o[width:], constants)


@njit(cache=True, nogil=True, fastmath=FAST, inline="always")
def _norm_backward(row, g, constants):
    """Derivative through the normalisation of a half row, in place on g."""
    mean, scale = _moments(row, constants)
    total = mean - mean
    along = mean - mean
    for k in range(len(row)):
        total += g[k]
        along += g[k] * (row[k] - mean)
    total *= constants[0]
    along *= scale * scale * constants[0]
    for k in range(len(row)):
        g[k] = (g[k] - total - (row[k] - mean) * along) * scale
