"""Squared displacements of many ions over lags of time: every lag by Fourier transform, chosen lags by direct sums."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import ArrayLike
from scipy.fft import irfft, next_fast_len, rfft

from simkit.arrays import Floats, Integers
from simkit.errors import InputError

FEWEST_ORIGINS = 64
"""Lags with fewer origins are summed directly: the rounding of a transform, divided by so few, would show."""
ROWS = 12
"""Series transformed at a time, few enough to stay in the cache."""


def squares_at_all_lags(positions: ArrayLike) -> Floats:
    """(f, n, 3) A^2: mean over time origins of the squared displacement along x, y, z of each ion at lags 0 to f - 1.

    positions (f, n, 3) A, unwrapped, evenly spaced in time. By the Wiener-Khinchin theorem (Kneller et al.,
    Comput. Phys. Commun. 91, 191 (1995)): sum (x' - x)^2 = sum (x'^2 + x^2) - 2 autocorrelation, f log f operations
    for all lags. Raises InputError on wrong shapes and numbers that are not finite.
    """
    positions = checked_positions(positions)
    frames, ions, _ = positions.shape
    series = np.ascontiguousarray(positions.reshape(frames, -1).T)
    series -= series.mean(axis=1, keepdims=True)  # small numbers, small rounding
    length = next_fast_len(2 * frames - 1, real=True)
    origins = frames - np.arange(frames)
    out = np.empty_like(series)
    for start in range(0, len(series), ROWS):
        rows = series[start : start + ROWS]
        spectrum = rfft(rows, length, axis=1)
        power = spectrum.real**2 + spectrum.imag**2
        products = irfft(power, length, axis=1)[:, :frames]
        _combine(rows, products, origins, out[start : start + ROWS])
    result = np.ascontiguousarray(out.T).reshape(frames, ions, 3)
    last = np.arange(max(frames - FEWEST_ORIGINS, 0), frames)
    result[last] = squares_at_lags(positions, last)
    result[0] = 0.0
    return result


def squares_at_lags(positions: ArrayLike, lags: ArrayLike) -> Floats:
    """(l, n, 3) A^2: the same at chosen lags only, counted in frames, by direct sums.

    positions (f, n, 3) A; lags (l,) in [0, f). Raises InputError on wrong shapes or a lag outside the run.
    """
    positions, lags = checked_positions(positions), _checked_lags(lags, len(positions))
    out = np.zeros((len(lags), *positions.shape[1:]))
    _direct(positions.reshape(len(positions), -1), lags, out.reshape(len(lags), -1))
    return out


def log_spaced_lags(first: int, last: int, number: int) -> Integers:
    """At most `number` different lags from first to last, both included, evenly spaced in the logarithm.

    Raises InputError unless 1 <= first < last and number >= 2.
    """
    if not (1 <= first < last and number >= 2):
        raise InputError(f"{number} lags from {first} to {last}; wanted at least 2, from 1 or more up to a later one.")
    return np.unique(np.rint(np.geomspace(first, last, number)).astype(np.int64))


def count_distances(positions: ArrayLike, lag: int, edges_A: ArrayLike) -> Integers:
    """(b,) displacements over `lag` frames whose length falls in each bin, over all ions and origins (van Hove).

    positions (f, n, 3) A; edges_A (b + 1,) evenly spaced and rising; lengths outside the edges are not counted.
    Raises InputError on wrong shapes, edges or a lag outside the run.
    """
    positions = checked_positions(positions)
    (lag,) = _checked_lags([lag], len(positions))
    edges = np.asarray(edges_A, dtype=np.float64)
    if edges.ndim != 1 or len(edges) < 2 or edges[-1] <= edges[0] or np.ptp(np.diff(edges)) > 1e-9 * edges[-1]:
        raise InputError("edges_A must be at least two numbers, rising in even steps.")
    counts = np.zeros(len(edges) - 1, dtype=np.int64)
    _count(positions, lag, edges[0], (len(edges) - 1) / (edges[-1] - edges[0]), counts)
    return counts


def checked_positions(positions: ArrayLike) -> Floats:
    """Contiguous (f, n, 3) positions. Raises InputError on other shapes and numbers that are not finite."""
    positions = np.ascontiguousarray(positions, dtype=np.float64)
    if positions.ndim != 3 or positions.shape[2] != 3 or 0 in positions.shape:
        raise InputError(f"positions of shape {positions.shape}; wanted (frames, ions, 3), none of them zero.")
    if not np.isfinite(positions).all():
        raise InputError("a position is not finite; cut the trajectory before it broke down.")
    return positions


def _checked_lags(lags: ArrayLike, frames: int) -> Integers:
    lags = np.ascontiguousarray(lags, dtype=np.int64)
    if lags.ndim != 1 or (len(lags) and (lags.min() < 0 or lags.max() >= frames)):
        raise InputError(f"lags of shape {lags.shape} reach outside the run; allowed are 0 to {frames - 1} frames.")
    return lags


@njit(cache=True)
def _combine(series, products, origins, out):
    """From autocorrelation sums to mean squared displacements, one row per series."""
    frames = series.shape[1]
    for r in range(series.shape[0]):
        total = 0.0
        for k in range(frames):
            total += series[r, k] ** 2
        both = 2.0 * total
        for m in range(frames):
            out[r, m] = max((both - 2.0 * products[r, m]) / origins[m], 0.0)
            both -= series[r, m] ** 2 + series[r, frames - 1 - m] ** 2


@njit(cache=True)
def _direct(positions, lags, out):
    frames, columns = positions.shape
    for k in range(lags.shape[0]):
        lag = lags[k]
        for t in range(frames - lag):
            for c in range(columns):
                step = positions[t + lag, c] - positions[t, c]
                out[k, c] += step * step
        for c in range(columns):
            out[k, c] /= frames - lag


@njit(cache=True)
def _count(positions, lag, lowest, per_A, counts):
    for t in range(positions.shape[0] - lag):
        for i in range(positions.shape[1]):
            x = positions[t + lag, i, 0] - positions[t, i, 0]
            y = positions[t + lag, i, 1] - positions[t, i, 1]
            z = positions[t + lag, i, 2] - positions[t, i, 2]
            place = math.floor((math.sqrt(x * x + y * y + z * z) - lowest) * per_A)
            if 0 <= place < counts.shape[0]:
                counts[place] += 1
