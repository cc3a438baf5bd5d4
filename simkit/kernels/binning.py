"""Spreading per-atom tensors over a periodic grid or over points: nearest cell, or a Gaussian of unit weight."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.kernels.prefetch import AHEAD, fetch_row

GAUSSIAN_CUTOFF = 6.0
"""A Gaussian is cut at this many widths, which leaves out 7.5e-8 of its weight."""
CHUNK = 4096
"""Atoms whose cells are found before their values are added: few enough that both stay in the nearest cache."""


def bin_values(fractional: Floats, values: Floats, shape: tuple[int, int, int], onto: Floats | None = None) -> Floats:
    """Sum of `values` in each cell of a periodic grid.

    fractional (n, 3) any real numbers, values (n, k), shape (n1, n2, n3); returns (n1, n2, n3, k). An atom
    belongs to the cell floor(f mod 1 * shape). onto: a grid returned earlier, added to in place and returned, for
    sums over many frames. Raises InputError on wrong shapes or non-finite coordinates.
    """
    fractional, values = _checked(fractional, values)
    sizes = np.asarray(shape, dtype=np.int32)
    if sizes.shape != (3,) or (sizes < 1).any() or np.prod(sizes, dtype=np.float64) >= 2**31:
        raise InputError(f"the grid {shape} must have three sizes of at least 1 and less than 2^31 cells.")
    wanted = (*map(int, sizes), values.shape[1])
    out = np.zeros(wanted) if onto is None else onto
    if out.shape != wanted or out.dtype != np.float64 or not out.flags.c_contiguous:
        raise InputError(f"the grid to add to has shape {out.shape}; wanted {wanted}, contiguous float64.")
    (_bin_six if values.shape[1] == 6 else _bin_all)(fractional, values, sizes, out.reshape(-1, values.shape[1]))
    return out


def spread_gaussian(fractional: Floats, values: Floats, cell: Floats, width_A: float, shape: tuple) -> Floats:
    """Gaussian smear of `values` on a periodic grid whose nodes are at (i, j, k) / shape.

    Each atom's weights over the nodes sum to exactly one (Hardy's partition of unity), so the sum over nodes of
    the result, (n1, n2, n3, k), is the sum of `values`. Dividing by the volume of a node gives a density.
    fractional (n, 3), values (n, k), cell (3, 3) A. Raises InputError on wrong shapes, a width not above zero, or
    a node spacing above one width (too coarse to carry the Gaussian).
    """
    fractional, values = _checked(fractional, values)
    cell = np.ascontiguousarray(cell, dtype=np.float64)
    sizes = np.asarray(shape, dtype=np.int64)
    spacing = float((_heights(cell) / sizes).max())
    if not width_A > 0 or spacing > width_A:
        raise InputError(
            f"width {width_A} A with a node spacing of {spacing:.3g} A; "
            "the width must be above zero and at least the spacing."
        )
    out = np.zeros((*map(int, sizes), values.shape[1]))
    reach = np.ceil(GAUSSIAN_CUTOFF * width_A / _heights(cell) * sizes).astype(np.int64)
    _spread(fractional, values, cell / sizes[:, None], width_A, reach, out)
    return out


def gaussian_at(points: Floats, fractional: Floats, values: Floats, cell: Floats, width_A: float) -> Floats:
    """Density of Gaussian-smeared `values` at points: sum over atoms and images of value x w(x - x_i), 1/A^3.

    w(r) = (2 pi s^2)^(-3/2) exp(-r^2 / 2 s^2), cut at GAUSSIAN_CUTOFF widths. points (m, 3) and fractional (n, 3)
    are fractional, values (n, k); returns (m, k). Raises InputError on wrong shapes or a width not above zero.
    """
    fractional, values = _checked(fractional, values)
    points = np.ascontiguousarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3 or not width_A > 0:
        raise InputError(f"points of shape {points.shape}, width {width_A} A; wanted (m, 3) and a width above zero.")
    cell = np.ascontiguousarray(cell, dtype=np.float64)
    out = np.zeros((len(points), values.shape[1]))
    _gather(points, fractional, values, cell, width_A, out)
    return out


def _checked(fractional: Floats, values: Floats) -> tuple[Floats, Floats]:
    fractional = np.ascontiguousarray(fractional, dtype=np.float64)
    values = np.ascontiguousarray(values, dtype=np.float64)
    if fractional.ndim != 2 or fractional.shape[1] != 3 or values.ndim != 2 or len(values) != len(fractional):
        raise InputError(f"fractional {fractional.shape} and values {values.shape}; wanted (n, 3) and (n, k).")
    # a finite sum has finite terms, and needs no array of answers; only a sum that is not is looked at closely
    if not math.isfinite(np.add.reduce(fractional, axis=None)) and not np.isfinite(fractional).all():
        raise InputError("a fractional coordinate is not finite; nothing can be binned.")
    return fractional, values


def _heights(cell: Floats) -> Floats:
    """(3,) A distances between opposite faces."""
    return 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)


@njit(cache=True)
def _cells(fractional, sizes, cells):
    """Flat cell of each atom; apart from the sums, so that those wait for memory only."""
    first, second, third = np.int64(sizes[0]), np.int64(sizes[1]), np.int64(sizes[2])
    for i in range(fractional.shape[0]):
        x, y, z = fractional[i, 0], fractional[i, 1], fractional[i, 2]
        a = min(np.int64((x - np.floor(x)) * first), first - 1)
        b = min(np.int64((y - np.floor(y)) * second), second - 1)
        c = min(np.int64((z - np.floor(z)) * third), third - 1)
        cells[i] = np.uint32((a * second + b) * third + c)


@njit(cache=True)
def _bin_six(fractional, values, sizes, out):
    """Six columns, as a symmetric tensor has: written out, so that nothing is left of the loop over them."""
    cells = np.empty(CHUNK, dtype=np.uint32)
    for start in range(0, fractional.shape[0], CHUNK):
        atoms = min(CHUNK, fractional.shape[0] - start)
        _cells(fractional[start : start + atoms], sizes, cells)
        for i in range(atoms):
            if i + AHEAD < atoms:
                fetch_row(out, cells[i + AHEAD])
            p, q = cells[i], start + i
            out[p, 0] += values[q, 0]
            out[p, 1] += values[q, 1]
            out[p, 2] += values[q, 2]
            out[p, 3] += values[q, 3]
            out[p, 4] += values[q, 4]
            out[p, 5] += values[q, 5]


@njit(cache=True)
def _bin_all(fractional, values, sizes, out):
    cells = np.empty(CHUNK, dtype=np.uint32)
    for start in range(0, fractional.shape[0], CHUNK):
        atoms = min(CHUNK, fractional.shape[0] - start)
        _cells(fractional[start : start + atoms], sizes, cells)
        for i in range(atoms):
            if i + AHEAD < atoms:
                fetch_row(out, cells[i + AHEAD])
            for k in range(values.shape[1]):
                out[cells[i], k] += values[start + i, k]


@njit(cache=True)
def _spread(fractional, values, steps, width, reach, out):
    weights = np.empty((2 * reach[0] + 1, 2 * reach[1] + 1, 2 * reach[2] + 1))
    sizes = np.array(out.shape[:3])
    first = np.empty(3, dtype=np.int64)
    offset = np.empty(3)
    for i in range(fractional.shape[0]):
        for d in range(3):
            node = fractional[i, d] * sizes[d]
            first[d] = math.floor(node) - reach[d]
            offset[d] = first[d] - node
        total = _weigh(offset, steps, width, weights)
        _add(first, weights, total, values[i], out)


@njit(cache=True)
def _weigh(offset, steps, width, weights):
    """Fill the block of Gaussian weights around one atom; returns their sum."""
    limit = (GAUSSIAN_CUTOFF * width) ** 2
    total = 0.0
    for a in range(weights.shape[0]):
        for b in range(weights.shape[1]):
            line = (offset[0] + a) * steps[0] + (offset[1] + b) * steps[1]
            for c in range(weights.shape[2]):
                x = line[0] + (offset[2] + c) * steps[2, 0]
                y = line[1] + (offset[2] + c) * steps[2, 1]
                z = line[2] + (offset[2] + c) * steps[2, 2]
                square = x * x + y * y + z * z
                weight = math.exp(-0.5 * square / width**2) if square < limit else 0.0
                weights[a, b, c] = weight
                total += weight
    return total


@njit(cache=True)
def _add(first, weights, total, value, out):
    """Add one atom's value, times its share at each node, to the periodic grid."""
    for a in range(weights.shape[0]):
        p = (first[0] + a) % out.shape[0]
        for b in range(weights.shape[1]):
            q = (first[1] + b) % out.shape[1]
            for c in range(weights.shape[2]):
                if weights[a, b, c] > 0.0:
                    r = (first[2] + c) % out.shape[2]
                    share = weights[a, b, c] / total
                    for k in range(value.shape[0]):
                        out[p, q, r, k] += share * value[k]


@njit(cache=True)
def _gather(points, fractional, values, cell, width, out):
    reach = GAUSSIAN_CUTOFF * width * np.sqrt((np.linalg.inv(cell) ** 2).sum(axis=0))
    norm = (2.0 * math.pi * width**2) ** -1.5
    delta = np.empty(3)
    for m in range(points.shape[0]):
        for i in range(fractional.shape[0]):
            for d in range(3):
                delta[d] = points[m, d] - fractional[i, d]
            weight = norm * _images(delta, cell, width, reach)
            for k in range(values.shape[1]):
                out[m, k] += weight * values[i, k]


@njit(cache=True)
def _images(delta, cell, width, reach):
    """Sum of exp(-r^2 / 2 s^2) over the images of one atom seen from one point."""
    limit = (GAUSSIAN_CUTOFF * width) ** 2
    total = 0.0
    for a in range(math.ceil(-reach[0] - delta[0]), math.floor(reach[0] - delta[0]) + 1):
        for b in range(math.ceil(-reach[1] - delta[1]), math.floor(reach[1] - delta[1]) + 1):
            for c in range(math.ceil(-reach[2] - delta[2]), math.floor(reach[2] - delta[2]) + 1):
                x = (delta[0] + a) * cell[0, 0] + (delta[1] + b) * cell[1, 0] + (delta[2] + c) * cell[2, 0]
                y = (delta[0] + a) * cell[0, 1] + (delta[1] + b) * cell[1, 1] + (delta[2] + c) * cell[2, 1]
                z = (delta[0] + a) * cell[0, 2] + (delta[1] + b) * cell[1, 2] + (delta[2] + c) * cell[2, 2]
                square = x * x + y * y + z * z
                if square < limit:
                    total += math.exp(-0.5 * square / width**2)
    return total
