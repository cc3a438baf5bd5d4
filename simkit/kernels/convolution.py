"""The sum over neighbours of radial weights times features times spherical harmonics, differentiated twice.

A[i, k, lm] = sum over edges e = (j -> i) of R[e, l, k] h[j, k] Y[e, lm] is linear in R, h and Y, and so the sum of
G times A is linear in each of four arrays: its first derivatives, and the derivatives of those, are sums of the
same kind. Here each of the three is one pass over the edges, receiver by receiver; nothing of the size of edges times
channels times harmonics is ever stored. A and G lie in memory as e3nn has them: for each l a block of (k, m).
Arrays are float32 or float64, all of one kind.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from simkit.errors import InputError

FAST = {"reassoc", "contract", "nsz"}


@dataclass(frozen=True, eq=False)
class Incoming:
    """Edges by receiver: those that atom i receives are order[starts[i] : starts[i + 1]], sent by sender[e]."""

    sender: NDArray[np.int64]
    order: NDArray[np.int64]
    starts: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Factors:
    """R (e, max_l + 1, k), h (n, k) and Y (e, (max_l + 1)^2), or derivatives with respect to them."""

    radial: NDArray
    features: NDArray
    harmonics: NDArray

    def arrays(self) -> tuple[NDArray, NDArray, NDArray]:
        return self.radial, self.features, self.harmonics

    def empty(self) -> Factors:
        """Arrays of the same shapes, not filled."""
        return Factors(*(np.empty_like(array) for array in self.arrays()))


def incoming(sender: NDArray[np.int64], receiver: NDArray[np.int64], atoms: int) -> Incoming:
    """Sort edges by receiver, keeping their order otherwise. Raises InputError when one names no atom."""
    sender, receiver = (np.ascontiguousarray(index, dtype=np.int64) for index in (sender, receiver))
    if sender.shape != receiver.shape or sender.ndim != 1:
        raise InputError(f"senders {sender.shape} and receivers {receiver.shape} are not one per edge.")
    for index in (sender, receiver):
        if len(index) and not 0 <= index.min() <= index.max() < atoms:
            raise InputError(f"an edge names atom {index.min()} or {index.max()}; there are {atoms} (from 0).")
    starts, order = np.zeros(atoms + 1, dtype=np.int64), np.empty(len(sender), dtype=np.int64)
    _sort(receiver, starts, order)
    return Incoming(sender, order, starts)


def convolve(edges: Incoming, factors: Factors, out: NDArray) -> None:
    """out (n, k (max_l + 1)^2) = A. Raises InputError on shapes or types that do not fit."""
    _check(edges, factors, out)
    _convolve((edges.sender, edges.order, edges.starts), factors.arrays(), out)


def convolve_backward(edges: Incoming, factors: Factors, gradient: NDArray, out: Factors) -> None:
    """Derivatives of the sum of gradient (n, k (max_l + 1)^2) times A with respect to the factors, written to out.

    Raises InputError on shapes or types that do not fit.
    """
    _check(edges, factors, gradient)
    _check(edges, out, gradient)
    out.features[:] = 0
    _backward((edges.sender, edges.order, edges.starts), factors.arrays(), gradient, out.arrays())


def convolve_double_backward(
    edges: Incoming, factors: Factors, gradient: NDArray, given: Factors, out: tuple[Factors, NDArray]
) -> None:
    """Derivatives of the sum of `given` times the outputs of `convolve_backward`.

    out: with respect to the factors, and to the gradient (n, k (max_l + 1)^2); all written. Raises InputError on
    shapes or types that do not fit.
    """
    for part in (factors, given, out[0]):
        _check(edges, part, gradient)
    _check(edges, factors, out[1])
    out[0].features[:] = 0
    index = (edges.sender, edges.order, edges.starts)
    _double_backward(index, factors.arrays(), gradient, given.arrays(), (*out[0].arrays(), out[1]))


def _check(edges: Incoming, factors: Factors, sums: NDArray) -> None:
    radial, features, harmonics = factors.arrays()
    atoms, count = len(edges.starts) - 1, len(edges.sender)
    wide = radial.shape[1] ** 2 if radial.ndim == 3 else -1
    fits = radial.shape[::2] == (count, features.shape[-1]) and harmonics.shape == (count, wide)
    if not fits or features.shape[:-1] != (atoms,) or sums.shape != (atoms, wide * features.shape[1]):
        raise InputError(
            f"radial weights {radial.shape}, features {features.shape}, harmonics {harmonics.shape} and sums "
            f"{sums.shape} do not fit {count} edges among {atoms} atoms."
        )
    kinds = {array.dtype for array in (*factors.arrays(), sums)}
    if len(kinds) > 1 or kinds.pop() not in (np.float32, np.float64):
        raise InputError("the arrays must be all float32 or all float64.")


@njit(cache=True, nogil=True)
def _sort(receiver, starts, order):
    for e in range(len(receiver)):
        starts[receiver[e] + 1] += 1
    for atom in range(len(starts) - 1):
        starts[atom + 1] += starts[atom]
    place = starts[:-1].copy()
    for e in range(len(receiver)):
        order[place[receiver[e]]] = e
        place[receiver[e]] += 1


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _load(row, rows):
    """Row of e3nn's layout into rows (lm, k)."""
    channels, first, ell = rows.shape[1], 0, 0
    while first < rows.shape[0]:
        wide = 2 * ell + 1
        for m in range(wide):
            for k in range(channels):
                rows[first + m, k] = row[first * channels + k * wide + m]
        first, ell = first + wide, ell + 1


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _store(rows, row):
    """Rows (lm, k) into a row of e3nn's layout."""
    channels, first, ell = rows.shape[1], 0, 0
    while first < rows.shape[0]:
        wide = 2 * ell + 1
        for m in range(wide):
            for k in range(channels):
                row[first * channels + k * wide + m] = rows[first + m, k]
        first, ell = first + wide, ell + 1


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _convolve(edges, factors, out):
    sender, order, starts = edges
    radial, features, harmonics = factors
    channels = features.shape[1]
    sums = np.empty((harmonics.shape[1], channels), dtype=features.dtype)
    product = np.empty(channels, dtype=features.dtype)
    for atom in range(len(starts) - 1):
        sums[:] = 0
        for place in range(starts[atom], starts[atom + 1]):
            e = order[place]
            h = features[sender[e]]
            for ell in range(radial.shape[1]):
                r = radial[e, ell]
                for k in range(channels):
                    product[k] = r[k] * h[k]
                for m in range(ell * ell, (ell + 1) * (ell + 1)):
                    y, row = harmonics[e, m], sums[m]
                    for k in range(channels):
                        row[k] += y * product[k]
        _store(sums, out[atom])


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _backward(edges, factors, gradient, out):
    sender, order, starts = edges
    radial, features, harmonics = factors
    channels, wide = features.shape[1], harmonics.shape[1]
    g, work = np.empty((wide, channels), dtype=features.dtype), np.empty((2, channels), dtype=features.dtype)
    along = work[1]
    for atom in range(len(starts) - 1):
        _load(gradient[atom], g)
        for place in range(starts[atom], starts[atom + 1]):
            e = order[place]
            h, by_h = features[sender[e]], out[1][sender[e]]
            for ell in range(radial.shape[1]):
                r, by_r = radial[e, ell], out[0][e, ell]
                low, high = ell * ell, (ell + 1) * (ell + 1)
                _degree_once((r, h, g[low:high], harmonics[e, low:high]), work, out[2][e, low:high])
                for k in range(channels):
                    by_r[k] = along[k] * h[k]
                for k in range(channels):
                    by_h[k] += along[k] * r[k]


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _degree_once(inputs, work, by_harmonics):
    """What one edge and one l give: work[1] = sum over m of G Y, and the derivatives for Y.

    Loops over channels write one array each: with more, they are not vectorised.
    """
    r, h, g, harmonics = inputs
    product, along = work[0], work[1]
    for k in range(len(h)):
        product[k] = r[k] * h[k]
    along[:] = 0
    for m in range(len(harmonics)):
        y, row = harmonics[m], g[m]
        dot = y - y
        for k in range(len(row)):
            along[k] += y * row[k]
            dot += product[k] * row[k]
        by_harmonics[m] = dot


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _double_backward(edges, factors, gradient, given, out):
    """With q = R'h + R h', t = sum over m of G Y and t' = sum over m of G Y' (primes: what is given),

    out = t h' + t' h for R, R't + R t' for h, sum over k of G q for Y, and q Y + R h Y' for G.
    """
    sender, order, starts = edges
    features, channels = factors[1], factors[1].shape[1]
    degrees, wide = factors[0].shape[1], factors[2].shape[1]
    g, by_g = np.empty((wide, channels), dtype=features.dtype), np.empty((wide, channels), dtype=features.dtype)
    work = np.empty((4, channels), dtype=features.dtype)
    for atom in range(len(starts) - 1):
        _load(gradient[atom], g)
        by_g[:] = 0
        for place in range(starts[atom], starts[atom + 1]):
            e = order[place]
            h, other_h, by_h = features[sender[e]], given[1][sender[e]], out[1][sender[e]]
            for ell in range(degrees):
                r, other_r, by_r = factors[0][e, ell], given[0][e, ell], out[0][e, ell]
                _products_twice((r, h), (other_r, other_h), work)
                low, high = ell * ell, (ell + 1) * (ell + 1)
                _degree_twice(
                    (g[low:high], factors[2][e, low:high], given[2][e, low:high]),
                    work,
                    (out[2][e, low:high], by_g[low:high]),
                )
                along, other_along = work[2], work[3]
                for k in range(channels):
                    by_r[k] = along[k] * other_h[k] + other_along[k] * h[k]
                for k in range(channels):
                    by_h[k] += along[k] * other_r[k] + other_along[k] * r[k]
        _store(by_g, out[3][atom])


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _products_twice(first, other, work):
    """work[0] = R h, work[1] = q, and zero in the rest."""
    r, h = first
    other_r, other_h = other
    product, mixed = work[0], work[1]
    for k in range(len(h)):
        product[k] = r[k] * h[k]
    for k in range(len(h)):
        mixed[k] = other_r[k] * h[k] + r[k] * other_h[k]
    work[2] = 0
    work[3] = 0


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _degree_twice(inputs, work, out):
    """What one edge and one l give: work[2] += t, work[3] += t', and the derivatives for Y and G."""
    g, harmonics, other = inputs
    by_harmonics, by_g = out
    product, mixed, along, other_along = work[0], work[1], work[2], work[3]
    for m in range(len(harmonics)):
        y, z, row, by_row = harmonics[m], other[m], g[m], by_g[m]
        dot = y - y
        for k in range(len(row)):
            along[k] += y * row[k]
            dot += mixed[k] * row[k]
        by_harmonics[m] = dot
        for k in range(len(row)):
            other_along[k] += z * row[k]
        for k in range(len(row)):
            by_row[k] += y * mixed[k] + z * product[k]
