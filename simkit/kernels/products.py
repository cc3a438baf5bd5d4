"""Row-wise parts of a scalar MACE at each atom: linear maps per degree, products of sums over neighbours.

Shares of the atoms may run in threads. Arrays are float32 or float64, all of one kind.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from simkit.errors import InputError

FAST = {"reassoc", "contract", "nsz"}


@dataclass(frozen=True, eq=False)
class Polynomial:
    """Sum over t of coefficients[s, t, k] times the product over i of A[factors[t, i], k], degree 1 to 3.

    factors (terms, 3): rows of A, -1 where the term has fewer factors (these come last);
    coefficients (species or 1, terms, channels).
    """

    factors: NDArray[np.int64]
    coefficients: NDArray


def mix(rows: NDArray, matrices: NDArray, species: NDArray, share: slice, out: NDArray) -> None:
    """out[i, m] += rows[i, m] @ matrices[species[i], l(m)] for the atoms of `share`, l(m) the degree of row m.

    rows (n, (max_l + 1)^2, c), matrices (species, max_l + 1, c, d) or (1, ...) for all species alike, species (n,),
    out (n, (max_l + 1)^2, d). Raises InputError on shapes that do not fit.
    """
    atoms, wide, channels = rows.shape
    fits = matrices.ndim == 4 and matrices.shape[1] ** 2 == wide and matrices.shape[2] == channels
    if not fits or out.shape != (atoms, wide, matrices.shape[3]) or len(species) != atoms:
        raise InputError(f"rows {rows.shape}, matrices {matrices.shape} and out {out.shape} do not fit.")
    _mix((share.start, share.stop), rows, matrices, species, out)


def products(
    sums: NDArray, polynomial: Polynomial, species: NDArray, share: slice, out: tuple[NDArray, NDArray]
) -> None:
    """The polynomial of sums (n, rows, c) and its derivative, for the atoms of `share`.

    out = (values (n, c), derivatives (n, rows, c)), both written. Raises InputError on shapes that do not fit.
    """
    coefficients, factors = polynomial.coefficients, polynomial.factors
    fits = coefficients.shape[1:] == (len(factors), sums.shape[2]) and factors.shape[1:] == (3,)
    if not fits or out[0].shape != (len(sums), sums.shape[2]) or out[1].shape != sums.shape:
        raise InputError(f"sums {sums.shape} and coefficients {coefficients.shape} do not fit.")
    if len(factors) and factors.max() >= sums.shape[1]:
        raise InputError(f"the polynomial names row {factors.max()} of {sums.shape[1]}.")
    _products((share.start, share.stop), sums, (factors, coefficients), species, out)


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _mix(share, rows, matrices, species, out):
    for atom in range(share[0], share[1]):
        kind = species[atom] if len(matrices) > 1 else 0
        for ell in range(matrices.shape[1]):
            for m in range(ell * ell, (ell + 1) * (ell + 1)):
                _row_times(rows[atom, m], matrices[kind, ell], out[atom, m])


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _row_times(row, matrix, out):
    """out += row @ matrix, four rows of the matrix in one pass over `out`."""
    whole = len(row) // 4 * 4
    for q in range(0, whole, 4):
        x0, x1, x2, x3 = row[q], row[q + 1], row[q + 2], row[q + 3]
        for k in range(matrix.shape[1]):
            out[k] += x0 * matrix[q, k] + x1 * matrix[q + 1, k] + x2 * matrix[q + 2, k] + x3 * matrix[q + 3, k]
    for q in range(whole, len(row)):
        for k in range(matrix.shape[1]):
            out[k] += row[q] * matrix[q, k]


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _products(share, sums, polynomial, species, out):
    factors, coefficients = polynomial
    values, derivatives = out
    for atom in range(share[0], share[1]):
        kind = species[atom] if len(coefficients) > 1 else 0
        values[atom] = 0
        derivatives[atom] = 0
        for t in range(len(factors)):
            a, b, c = factors[t]
            weight, into = coefficients[kind, t], (values[atom], derivatives[atom])
            if b < 0:
                _first(sums[atom, a], a, weight, into)
            elif c < 0:
                _second(sums[atom], (a, b), weight, into)
            else:
                _third(sums[atom], (a, b, c), weight, into)


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _first(x, a, weight, into):
    value, derivative = into
    for k in range(len(weight)):
        value[k] += weight[k] * x[k]
        derivative[a, k] += weight[k]


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _second(sums, which, weight, into):
    a, b = which
    value, derivative = into
    for k in range(len(weight)):
        x, y = weight[k] * sums[a, k], weight[k] * sums[b, k]
        value[k] += x * sums[b, k]
        derivative[a, k] += y
        derivative[b, k] += x


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _third(sums, which, weight, into):
    a, b, c = which
    value, derivative = into
    for k in range(len(weight)):
        x, y, z = sums[a, k], sums[b, k], sums[c, k]
        xy, yz = weight[k] * x * y, weight[k] * y * z
        value[k] += xy * z
        derivative[a, k] += yz
        derivative[b, k] += weight[k] * x * z
        derivative[c, k] += xy
