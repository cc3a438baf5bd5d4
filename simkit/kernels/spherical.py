"""Real spherical harmonics of edge vectors up to l = 3 and the way back from their derivatives."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from simkit.errors import InputError

MOST_L = 3
"""Highest degree written out below."""
FAST = {"reassoc", "contract", "nsz"}


def harmonics(vectors: NDArray, max_l: int, out: NDArray) -> None:
    """out (e, (max_l + 1)^2) = Y_lm of the directions of vectors (e, 3) A.

    The sum over m of Y_lm^2 is 2l + 1, y is the polar axis, and m runs from -l to l: the order and norm of e3nn's
    'component' harmonics (for l = 1: sqrt(3) (x, y, z) / r). Directions of zero vectors are not numbers.
    Raises InputError on shapes that do not fit and on max_l above 3.
    """
    _check(vectors, max_l)
    if out.shape != (len(vectors), (max_l + 1) ** 2):
        raise InputError(f"harmonics of shape {out.shape}; {(len(vectors), (max_l + 1) ** 2)} is needed.")
    _harmonics(vectors, max_l, out)


def edge_gradient(vectors: NDArray, slopes: NDArray, out: NDArray) -> None:
    """out (e, 3) = sum over lm of slopes[:, lm] dY_lm/d(vector) + slopes[:, -1] dr/d(vector).

    slopes (e, (max_l + 1)^2 + 1) are the derivatives with the harmonics and, last, with the length.
    Raises InputError on shapes that do not fit.
    """
    max_l = round(np.sqrt(slopes.shape[1] - 1)) - 1
    _check(vectors, max_l)
    if slopes.shape != (len(vectors), (max_l + 1) ** 2 + 1) or out.shape != vectors.shape:
        raise InputError(f"slopes {slopes.shape} and gradient {out.shape} do not belong to vectors {vectors.shape}.")
    _edge_gradient(vectors, max_l, slopes, out)


def _check(vectors: NDArray, max_l: int) -> None:
    if vectors.ndim != 2 or vectors.shape[1] != 3:
        raise InputError(f"vectors of shape {vectors.shape}; (e, 3) is needed.")
    if not 0 <= max_l <= MOST_L:
        raise InputError(f"harmonics of degree {max_l}; 0 to {MOST_L} are written out.")


@njit(cache=True, nogil=True, error_model="numpy")
def _harmonics(vectors, max_l, out):
    for e in range(len(vectors)):
        x, y, z = vectors[e]
        r = np.sqrt(x * x + y * y + z * z)
        _fill((x / r, y / r, z / r), max_l, out[e])


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(unit, max_l, out):
    x, y, z = unit
    out[0] = 1.0
    if max_l > 0:
        out[1], out[2], out[3] = np.sqrt(3.0) * x, np.sqrt(3.0) * y, np.sqrt(3.0) * z
    if max_l > 1:
        out[4], out[5], out[7] = np.sqrt(15.0) * x * z, np.sqrt(15.0) * x * y, np.sqrt(15.0) * y * z
        out[6] = np.sqrt(1.25) * (2.0 * y * y - x * x - z * z)
        out[8] = np.sqrt(3.75) * (z * z - x * x)
    if max_l > 2:
        steep, flat = np.sqrt(35.0 / 8.0), np.sqrt(21.0 / 8.0)
        out[9] = steep * x * (3.0 * z * z - x * x)
        out[10] = np.sqrt(105.0) * x * y * z
        out[11] = flat * x * (4.0 * y * y - x * x - z * z)
        out[12] = np.sqrt(7.0 / 4.0) * y * (2.0 * y * y - 3.0 * x * x - 3.0 * z * z)
        out[13] = flat * z * (4.0 * y * y - x * x - z * z)
        out[14] = np.sqrt(105.0 / 4.0) * y * (z * z - x * x)
        out[15] = steep * z * (z * z - 3.0 * x * x)


@njit(cache=True, nogil=True, error_model="numpy")
def _edge_gradient(vectors, max_l, slopes, out):
    """The polynomials' gradients, less their part along the vector: Y depends on the direction alone."""
    last = slopes.shape[1] - 1
    for e in range(len(vectors)):
        x, y, z = vectors[e]
        r = np.sqrt(x * x + y * y + z * z)
        x, y, z = x / r, y / r, z / r
        gx, gy, gz = _polynomial_gradient((x, y, z), max_l, slopes[e])
        along = gx * x + gy * y + gz * z
        s = slopes[e, last]
        out[e, 0] = (gx - along * x) / r + s * x
        out[e, 1] = (gy - along * y) / r + s * y
        out[e, 2] = (gz - along * z) / r + s * z


@njit(cache=True, nogil=True, fastmath=FAST)
def _polynomial_gradient(unit, max_l, q):
    """Sum over lm of q_lm times the gradient of the polynomials of `_fill`."""
    x, y, z = unit
    gx, gy, gz = 0.0, 0.0, 0.0
    if max_l > 0:
        gx, gy, gz = np.sqrt(3.0) * q[1], np.sqrt(3.0) * q[2], np.sqrt(3.0) * q[3]
    if max_l > 1:
        a, b, c = np.sqrt(15.0) * q[4], np.sqrt(15.0) * q[5], np.sqrt(15.0) * q[7]
        d, f = np.sqrt(5.0) * q[6], np.sqrt(15.0) * q[8]
        gx += a * z + b * y - (d + f) * x
        gy += b * x + c * z + 2.0 * d * y
        gz += a * x + c * y - (d - f) * z
    if max_l > 2:
        steep, flat = np.sqrt(35.0 / 8.0), np.sqrt(21.0 / 8.0)
        a, b, c, d = steep * q[9], np.sqrt(105.0) * q[10], flat * q[11], np.sqrt(7.0 / 4.0) * q[12]
        f, g, h = flat * q[13], np.sqrt(105.0 / 4.0) * q[14], steep * q[15]
        xx, yy, zz = x * x, y * y, z * z
        gx += a * 3.0 * (zz - xx) + b * y * z + c * (4.0 * yy - 3.0 * xx - zz)
        gx -= (6.0 * d * y + 2.0 * f * z + 6.0 * h * z + 2.0 * g * y) * x
        gy += b * x * z + 8.0 * (c * x + f * z) * y + d * (6.0 * yy - 3.0 * xx - 3.0 * zz) + g * (zz - xx)
        gz += b * x * y + f * (4.0 * yy - xx - 3.0 * zz) + 3.0 * h * (zz - xx)
        gz += (6.0 * a * x - 2.0 * c * x - 6.0 * d * y + 2.0 * g * y) * z
    return gx, gy, gz
