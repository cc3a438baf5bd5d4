"""Polynomials of each atom's sums over neighbours, differentiated twice, for training their coefficients.

P[i, k] = sum over terms t of c[s_i, t, k] times the product of the term's factors A[i, k, f]: MACE's symmetric
contraction to a scalar (Batatia et al., NeurIPS 2022, eq. 10 and 11) with like monomials added up. Arrays are
float32 or float64, all of one kind; A (n, k, rows) lies as mace has it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from simkit.errors import InputError

FAST = {"reassoc", "contract", "nsz"}


@dataclass(frozen=True, eq=False)
class Terms:
    """factors (t, 3): rows of A, -1 where a term has fewer (these come last); species (n,) of the atoms."""

    factors: NDArray[np.int64]
    species: NDArray[np.int64]


def contract(terms: Terms, sums: NDArray, coefficients: NDArray, out: NDArray) -> None:
    """out (n, k) = P of sums (n, k, rows) and coefficients (s, t, k). Raises InputError on what does not fit."""
    _check(terms, sums, coefficients, out)
    _contract((terms.factors, terms.species), sums, coefficients, out)


def contract_backward(
    terms: Terms, inputs: tuple[NDArray, NDArray], gradient: NDArray, out: tuple[NDArray, NDArray]
) -> None:
    """Derivatives of the sum of gradient (n, k) times P with respect to inputs = sums and coefficients, written to out.

    Raises InputError on what does not fit.
    """
    _check(terms, *inputs, gradient)
    _check(terms, *out, gradient)
    out[1][:] = 0
    _backward((terms.factors, terms.species), inputs, gradient, out)


def contract_double_backward(
    terms: Terms,
    inputs: tuple[NDArray, NDArray],
    gradient: NDArray,
    given: tuple[NDArray, NDArray],
    out: tuple[NDArray, NDArray, NDArray],
) -> None:
    """Derivatives of the sum of `given` times the outputs of `contract_backward`.

    out: with respect to sums, coefficients and the gradient; all written. Raises InputError on what does not fit.
    """
    for part in (inputs, given, out[:2]):
        _check(terms, *part, gradient)
    _check(terms, *inputs, out[2])
    out[1][:] = 0
    _double_backward((terms.factors, terms.species), inputs, gradient, given, out)


def _check(terms: Terms, sums: NDArray, coefficients: NDArray, values: NDArray) -> None:
    factors, species = terms.factors, terms.species
    atoms, channels = values.shape
    fits = coefficients.shape[1:] == (len(factors), channels) and factors.shape[1:] == (3,)
    if not fits or sums.shape[:2] != values.shape or len(species) != atoms:
        raise InputError(
            f"sums {sums.shape}, coefficients {coefficients.shape}, values {values.shape}, {len(species)} species and "
            f"{len(factors)} terms do not fit."
        )
    if len(factors) and not -1 <= factors.min() <= factors.max() < sums.shape[2]:
        raise InputError(f"a term names row {factors.min()} or {factors.max()}; there are {sums.shape[2]} (from 0).")
    if atoms and not 0 <= species.min() <= species.max() < len(coefficients):
        raise InputError(f"species {species.min()} to {species.max()} with coefficients for {len(coefficients)}.")
    kinds = {array.dtype for array in (sums, coefficients, values)}
    if len(kinds) > 1 or kinds.pop() not in (np.float32, np.float64):
        raise InputError("the arrays must be all float32 or all float64.")


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _turn(source, rows):
    """(k, rows) of one atom into (rows + 1, k), the last row ones: what a term with fewer factors multiplies by."""
    for m in range(source.shape[1]):
        for k in range(source.shape[0]):
            rows[m, k] = source[k, m]
    rows[source.shape[1]] = 1


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _turn_back(rows, out):
    for m in range(out.shape[1]):
        for k in range(out.shape[0]):
            out[k, m] = rows[m, k]


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _contract(terms, sums, coefficients, out):
    factors, species = terms
    x = np.empty((sums.shape[2] + 1, sums.shape[1]), dtype=sums.dtype)
    for atom in range(len(sums)):
        _turn(sums[atom], x)
        out[atom] = 0
        for t in range(len(factors)):
            a, b, c = x[factors[t, 0]], x[factors[t, 1]], x[factors[t, 2]]
            weight, row = coefficients[species[atom], t], out[atom]
            for k in range(len(row)):
                row[k] += weight[k] * a[k] * b[k] * c[k]


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _backward(terms, inputs, gradient, out):
    """Loops over channels write one array each: with more, they are not vectorised."""
    factors, species = terms
    sums, coefficients = inputs
    x = np.empty((sums.shape[2] + 1, sums.shape[1]), dtype=sums.dtype)
    slopes = np.empty_like(x)
    for atom in range(len(sums)):
        _turn(sums[atom], x)
        slopes[:] = 0
        g = gradient[atom]
        for t in range(len(factors)):
            i, j, n = factors[t]
            weight, by_weight = coefficients[species[atom], t], out[1][species[atom], t]
            _first(weight, g, (x[j], x[n]), slopes[i])
            _first(weight, g, (x[i], x[n]), slopes[j])
            _first(weight, g, (x[i], x[j]), slopes[n])
            _first(x[n], g, (x[i], x[j]), by_weight)
        _turn_back(slopes, out[0][atom])


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _first(weight, g, pair, into):
    """into += weight g times both of the pair."""
    a, b = pair
    for k in range(len(g)):
        into[k] += weight[k] * g[k] * a[k] * b[k]


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _double_backward(terms, inputs, gradient, given, out):
    factors, species = terms
    sums, coefficients = inputs
    wide, channels = sums.shape[2] + 1, sums.shape[1]
    x, u = np.empty((wide, channels), dtype=sums.dtype), np.empty((wide, channels), dtype=sums.dtype)
    slopes, along = np.empty((wide, channels), dtype=sums.dtype), np.empty(channels, dtype=sums.dtype)
    for atom in range(len(sums)):
        _turn(sums[atom], x)
        _turn(given[0][atom], u)
        u[wide - 1] = 0  # a missing factor is the constant one
        slopes[:] = 0
        out[2][atom] = 0
        g, kind = gradient[atom], species[atom]
        for t in range(len(factors)):
            i, j, n = factors[t]
            weights = coefficients[kind, t], given[1][kind, t]
            _slope((x[i], x[j], x[n]), (u[i], u[j], u[n]), along)
            _by_gradient(weights, (x[i], x[j], x[n]), along, out[2][atom])
            _add_product(g, along, out[1][kind, t])
            _second(weights, g, (x[j], x[n], u[j], u[n]), slopes[i])
            _second(weights, g, (x[i], x[n], u[i], u[n]), slopes[j])
            _second(weights, g, (x[i], x[j], u[i], u[j]), slopes[n])
        _turn_back(slopes, out[0][atom])


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _slope(x, u, along):
    """The derivative of a monomial along u."""
    a, b, c = x
    p, q, r = u
    for k in range(len(along)):
        along[k] = p[k] * b[k] * c[k] + a[k] * q[k] * c[k] + a[k] * b[k] * r[k]


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _by_gradient(weights, x, along, into):
    weight, other = weights
    a, b, c = x
    for k in range(len(along)):
        into[k] += weight[k] * along[k] + other[k] * a[k] * b[k] * c[k]


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _add_product(a, b, into):
    for k in range(len(into)):
        into[k] += a[k] * b[k]


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _second(weights, g, pair, into):
    """The derivative with respect to one factor, the other two being the pair and what is given along them."""
    weight, other = weights
    a, b, p, q = pair
    for k in range(len(into)):
        into[k] += g[k] * (weight[k] * (p[k] * b[k] + a[k] * q[k]) + other[k] * a[k] * b[k])
