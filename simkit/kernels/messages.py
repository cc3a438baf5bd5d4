"""Sums over neighbours of features times radial functions times spherical harmonics, and their derivatives.

Every sum is gathered by the atom that owns it, so that shares of the atoms can run in threads and the numbers do not
depend on how many there are. Arrays are float32 or float64, all of one kind.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from simkit.errors import InputError

FAST = {"reassoc", "contract", "nsz"}
SIDE_BY_SIDE = 4
"""Neighbours summed in one pass over an atom's features: each pass reads and writes all of them."""


@dataclass(frozen=True, eq=False)
class Around:
    """The neighbours of every atom, sorted by the atom, and what depends on their vectors only.

    starts (n + 1,) first neighbour of each atom; neighbour (e,) atoms; harmonics (e, (max_l + 1)^2) of the vector from
    neighbour to atom; place (e,) and basis (e, 2, 6) as `spline_basis` gives them.
    """

    starts: NDArray[np.int64]
    neighbour: NDArray[np.int64]
    harmonics: NDArray
    place: NDArray[np.int64]
    basis: NDArray


def sum_messages(around: Around, features: NDArray, table: NDArray, share: slice, out: NDArray) -> None:
    """out[i, lm, k] = sum over neighbours j of i: features[j, k] R_lk(r_ij) Y_lm(r_ij), for the atoms of `share`.

    features (n, c), table (rows, max_l + 1, c) of R, out (share, (max_l + 1)^2, c): a row for each atom of the share.
    Raises InputError on shapes that do not fit.
    """
    _check(around, features, table, out)
    if len(out) != share.stop - share.start:
        raise InputError(f"sums of {len(out)} atoms; the share has {share.stop - share.start}.")
    _sum_messages((share.start, share.stop), _parts(around), features, table, out)


def messages_backward(
    around: Around, inputs: tuple[NDArray, NDArray], gradient: NDArray, share: slice, out: tuple[NDArray, NDArray]
) -> None:
    """Derivatives of an energy through `sum_messages`, given gradient (n, lm, c) with respect to its sums.

    inputs = features and table; out = (features' derivative (n, c), written; slopes (e, lm + 1), added to), for the
    atoms of `share` as senders: slot e of atom i and neighbour j takes what i sends to j. The columns of slopes are
    the derivatives with the harmonics of that slot (vector from j to i) and, last, with the distance.
    Raises InputError on shapes that do not fit.
    """
    features, table = inputs
    _check(around, features, table, gradient)
    if len(gradient) != len(features):
        raise InputError(f"the gradient has rows for {len(gradient)} of {len(features)} atoms.")
    if out[0].shape != features.shape or out[1].shape != (len(around.neighbour), gradient.shape[1] + 1):
        raise InputError(f"derivatives of shapes {out[0].shape} and {out[1].shape} do not fit the messages.")
    _messages_backward((share.start, share.stop), _parts(around), inputs, gradient, out)


def _parts(around: Around) -> tuple[NDArray, ...]:
    return (around.starts, around.neighbour, around.harmonics, around.place, around.basis)


def _check(around: Around, features: NDArray, table: NDArray, sums: NDArray) -> None:
    atoms, channels = features.shape
    wide = table.shape[1] ** 2
    fits = table.shape[2] == channels and sums.shape[1:] == (wide, channels)
    if not fits or around.harmonics.shape != (len(around.neighbour), wide) or len(around.starts) != atoms + 1:
        raise InputError(
            f"features {features.shape}, table {table.shape}, sums {sums.shape} and harmonics "
            f"{around.harmonics.shape} do not fit."
        )


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _sum_messages(share, around, features, table, out):
    starts, neighbour, harmonics, place, basis = around
    rows = np.empty((SIDE_BY_SIDE, table.shape[1], table.shape[2]), dtype=table.dtype)
    y = np.empty((SIDE_BY_SIDE, harmonics.shape[1]), dtype=table.dtype)
    for atom in range(share[0], share[1]):
        out[atom - share[0]] = 0
        for first in range(starts[atom], starts[atom + 1], SIDE_BY_SIDE):
            for side in range(SIDE_BY_SIDE):
                e = first + side
                if e < starts[atom + 1]:
                    _radial_row((features, neighbour[e]), (table, place[e], basis, e), rows, side)
                    for m in range(harmonics.shape[1]):
                        y[side, m] = harmonics[e, m]
                else:
                    y[side], rows[side] = 0, 0
            _add_rows(rows, y, atom - share[0], out)


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _radial_row(sender, radial, rows, side):
    """Features of one neighbour times the radial functions of its distance."""
    features, j = sender
    table, s, basis, e = radial
    w0, w1, w2 = basis[e, 0, 0], basis[e, 0, 1], basis[e, 0, 2]
    w3, w4, w5 = basis[e, 0, 3], basis[e, 0, 4], basis[e, 0, 5]
    for ell in range(table.shape[1]):
        for k in range(table.shape[2]):
            near = w0 * table[s, ell, k] + w1 * table[s + 1, ell, k] + w2 * table[s + 2, ell, k]
            far = w3 * table[s + 3, ell, k] + w4 * table[s + 4, ell, k] + w5 * table[s + 5, ell, k]
            rows[side, ell, k] = features[j, k] * (near + far)


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _add_rows(rows, y, row, out):
    for ell in range(rows.shape[1]):
        for m in range(ell * ell, (ell + 1) * (ell + 1)):
            y0, y1, y2, y3 = y[0, m], y[1, m], y[2, m], y[3, m]
            for k in range(rows.shape[2]):
                out[row, m, k] += (
                    y0 * rows[0, ell, k] + y1 * rows[1, ell, k] + y2 * rows[2, ell, k] + y3 * rows[3, ell, k]
                )


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _messages_backward(share, around, inputs, gradient, out):
    """The harmonics of the opposite vector are those of the slot's vector times (-1)^l.

    Loops over channels write one array each and read the rest: with more, they are not vectorised.
    """
    starts, neighbour, harmonics, place, basis = around
    features, table = inputs
    by_features, slopes = out
    channels, last, zero = table.shape[2], harmonics.shape[1], table.dtype.type(0)
    value, slope, total = np.empty_like(table[0, 0]), np.empty_like(table[0, 0]), np.empty_like(table[0, 0])
    for atom in range(share[0], share[1]):
        by_features[atom] = 0
        for e in range(starts[atom], starts[atom + 1]):
            other, by_length = neighbour[e], zero
            for ell in range(table.shape[1]):
                _radial_pair((table, place[e], ell), basis, e, (value, slope))
                total[:] = 0
                sign = table.dtype.type(1 - 2 * (ell % 2))
                for m in range(ell * ell, (ell + 1) * (ell + 1)):
                    y, dot = sign * harmonics[e, m], zero
                    for k in range(channels):
                        total[k] += y * gradient[other, m, k]
                        dot += value[k] * features[atom, k] * gradient[other, m, k]
                    slopes[e, m] += sign * dot
                for k in range(channels):
                    by_features[atom, k] += value[k] * total[k]
                    by_length += slope[k] * features[atom, k] * total[k]
            slopes[e, last] += by_length


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _radial_pair(radial, basis, e, out):
    """The radial functions of degree l and their slopes with the distance."""
    table, s, ell = radial
    value, slope = out
    w0, w1, w2 = basis[e, 0, 0], basis[e, 0, 1], basis[e, 0, 2]
    w3, w4, w5 = basis[e, 0, 3], basis[e, 0, 4], basis[e, 0, 5]
    v0, v1, v2 = basis[e, 1, 0], basis[e, 1, 1], basis[e, 1, 2]
    v3, v4, v5 = basis[e, 1, 3], basis[e, 1, 4], basis[e, 1, 5]
    for k in range(table.shape[2]):
        t0, t1, t2 = table[s, ell, k], table[s + 1, ell, k], table[s + 2, ell, k]
        t3, t4, t5 = table[s + 3, ell, k], table[s + 4, ell, k], table[s + 5, ell, k]
        value[k] = w0 * t0 + w1 * t1 + w2 * t2 + w3 * t3 + w4 * t4 + w5 * t5
        slope[k] = v0 * t0 + v1 * t1 + v2 * t2 + v3 * t3 + v4 * t4 + v5 * t5
