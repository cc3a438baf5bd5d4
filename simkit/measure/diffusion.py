"""Tracer diffusivities from unwrapped positions, with error bars, and whether the run is long enough for them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from simkit.arrays import Floats, frozen
from simkit.elements import atomic_number
from simkit.errors import InputError
from simkit.kernels.correlation import count_distances, log_spaced_lags, squares_at_all_lags, squares_at_lags
from simkit.measure.error_bars import Estimate, mean_of_blocks
from simkit.trajectory import Trajectory

A2_PER_PS_IN_CM2_PER_S = 1e-4
DIFFUSIVE = "diffusive"
"""Status of a diffusivity that may be used; every other status is a sentence."""
SLOPE_TOLERANCE = 0.1
"""A log-log slope this far from 1 passes even where it is known better: a vibration of 0.3 A^2 that rides on jumps of
3 A lowers it by some hundredths for ever."""
WIDEST_SLOPE = 0.5
"""A log-log slope that is not known within this tells nothing about the regime."""
LEAST_BLOCK = 16
"""Frames that a block of time must hold at least."""


@dataclass(frozen=True, eq=False)
class IonTracks:
    """Positions (f, n, 3) A of n ions, unwrapped and in the frame of their host, every interval_ps.

    Raises InputError on wrong shapes, numbers that are not finite or an interval not above zero.
    """

    positions: Floats
    interval_ps: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "positions", frozen(self.positions, np.float64, (None, None, 3), "positions"))
        if not (np.isfinite(self.interval_ps) and self.interval_ps > 0):
            raise InputError(f"interval_ps = {self.interval_ps}; it must be positive and finite.")

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def length_ps(self) -> float:
        """Time between the first and the last frame."""
        return (len(self) - 1) * self.interval_ps

    def only(self, ions: ArrayLike) -> IonTracks:
        """Some of the ions, by index or mask: those of one gallery or phase."""
        return IonTracks(self.positions[:, np.asarray(ions)], self.interval_ps)


@dataclass(frozen=True)
class FitWindow:
    """Where the line is fitted: `lags` lags from first_ps to last_ps within each of `blocks` equal stretches of time.

    By default last_ps is half a block and first_ps a sixth of last_ps. Displacements never leave their block, so that
    blocks share nothing.
    """

    blocks: int = 8
    lags: int = 16
    first_ps: float | None = None
    last_ps: float | None = None


@dataclass(frozen=True, eq=False)
class Diffusivity:
    """What a run says about the motion of its ions along `axes`.

    status           `DIFFUSIVE`, or a sentence that says what is missing and about how long a run it takes
    fitted_cm2_per_s the fitted slope / (2 axes), whatever the status: a diffusivity only when diffusive
    log_slope        of ln MSD against ln t over the window; 1 for diffusion, 0 for vibration, 2 for flight
    offset_A2        MSD of the fitted line at t = 0: the vibration that rides on the jumps
    lags_ps, squares_A2 (l,) the fitted points
    table_cm2_per_s  (blocks, n) of which `fitted` is the mean
    needed_ps        estimated length of a run that would do; infinite where nothing grows, None when diffusive
    """

    axes: str
    status: str
    fitted_cm2_per_s: Estimate
    log_slope: Estimate
    offset_A2: float
    lags_ps: Floats = field(repr=False)
    squares_A2: Floats = field(repr=False)
    table_cm2_per_s: Floats = field(repr=False)
    needed_ps: float | None = None

    @property
    def value_cm2_per_s(self) -> Estimate | None:
        """The diffusivity, None unless the regime is diffusive."""
        return self.fitted_cm2_per_s if self.status == DIFFUSIVE else None


def ion_tracks(
    trajectory: Trajectory, ions: str | ArrayLike, host: ArrayLike | None = None, from_ps: float = 0.0
) -> IonTracks:
    """Tracks of an element's ions, or of the atoms with given indices, relative to the mean of the host's atoms.

    host: indices, by default every other atom, or all that was left out of the trajectory (`rest_centre`); a thermostat
    lets the whole cell wander, which is no diffusion. Where the cell changes, fractional coordinates are taken and
    laid into the mean cell (`mean_cell`): an ion that rests in a breathing cell does not diffuse.
    Frames before from_ps (equilibration) and an uneven last frame are left out.
    Raises InputError where no ion, no host or fewer than two frames are left, or frames are unevenly spaced.
    """
    chosen = _indices(trajectory, ions)
    frames = even_frames(trajectory, from_ps)
    drift = _host_centre(trajectory, chosen, host)[frames][:, None]
    positions = trajectory.positions[frames][:, chosen] - drift
    cells = trajectory.cells[frames]
    if np.any(cells != cells[0]):
        positions = positions @ np.linalg.inv(cells) @ mean_cell(trajectory, from_ps)
    time = trajectory.time_fs[frames]
    return IonTracks(positions, float(time[-1] - time[0]) / (len(time) - 1) / 1000.0)


def even_frames(trajectory: Trajectory, from_ps: float = 0.0) -> np.ndarray:
    """Frames from from_ps on, without an uneven last one. Raises InputError unless two are left, evenly spaced."""
    frames = np.flatnonzero(trajectory.time_fs >= from_ps * 1000.0)
    if len(frames) > 2 and not _even(trajectory.time_fs[frames]):
        frames = frames[:-1]
    if len(frames) < 2 or not _even(trajectory.time_fs[frames]):
        raise InputError(f"{len(frames)} frames from {from_ps} ps on; wanted at least two, evenly spaced in time.")
    return frames


def mean_cell(trajectory: Trajectory, from_ps: float = 0.0) -> Floats:
    """(3, 3) A mean of the cell over the frames of `ion_tracks`."""
    cells = trajectory.cells[even_frames(trajectory, from_ps)]
    return cells[0] if np.all(cells == cells[0]) else cells.mean(axis=0)


def _host_centre(trajectory: Trajectory, chosen: np.ndarray, host: ArrayLike | None) -> Floats:
    """(f, 3) A mean position of the host."""
    if host is None and trajectory.rest_centre is not None:
        rest, centre = np.arange(1), trajectory.rest_centre
    else:
        everyone = np.arange(len(trajectory.structure))
        rest = np.setdiff1d(everyone, chosen) if host is None else np.asarray(host, np.int64)
        centre = trajectory.positions[:, rest].mean(axis=1) if len(rest) else np.zeros((len(trajectory), 3))
    if len(chosen) == 0 or len(rest) == 0:
        raise InputError(f"{len(chosen)} ions and {len(rest)} host atoms; at least one of each is needed.")
    return centre


def mean_squares(tracks: IonTracks, axes: str = "xyz") -> tuple[Floats, Floats]:
    """Times (f,) ps and mean squared displacement (f,) A^2 along `axes` at every lag of the run.

    Raises InputError on axes other than letters of xyz.
    """
    squares = squares_at_all_lags(tracks.positions)[:, :, _columns(axes)]
    return np.arange(len(tracks)) * tracks.interval_ps, squares.sum(axis=2).mean(axis=1)


def diffusivity(
    tracks: IonTracks, axes: str = "xyz", *, jump_length_A: float, window: FitWindow | None = None
) -> Diffusivity:
    """Tracer diffusivity along `axes` ("x", "xy", "xyz" ...) from the Einstein relation MSD = offset + 2 d D t.

    The line is fitted to each block of time and each ion, with weights 1/t^2; the error is that of `mean_of_blocks`.
    The regime counts as diffusive when the MSD at the end of the window exceeds jump_length_A squared and the
    log-log slope is 1 within its 95 % interval or SLOPE_TOLERANCE. Raises InputError on wrong axes, a jump length not
    above zero, or a run too short for its window.
    """
    window = window or FitWindow()
    if not jump_length_A > 0:
        raise InputError(f"jump_length_A = {jump_length_A}; give the distance between neighbouring sites.")
    columns, lags, size = _columns(axes), _window_lags(tracks, window), len(tracks) // window.blocks
    parts = [tracks.positions[b * size : (b + 1) * size] for b in range(window.blocks)]
    squares = np.stack([squares_at_lags(part, lags)[:, :, columns].sum(axis=2) for part in parts])
    times, mean = lags * tracks.interval_ps, squares.mean(axis=(0, 2))
    slope = _slope_weights(times, times**-2.0)
    table = np.einsum("l,bln->bn", slope, squares) * A2_PER_PS_IN_CM2_PER_S / (2 * len(columns))
    fitted = mean_of_blocks(table)
    growth = fitted.value / A2_PER_PS_IN_CM2_PER_S * 2 * len(columns)
    offset = float(np.average(mean - growth * times, weights=times**-2.0))
    log_slope = _log_slope(times, mean, squares)
    lacking = _lacking(mean[-1], log_slope, jump_length_A)
    needed = None
    if lacking:
        best = fitted.value if fitted.lower > 0 else fitted.upper
        rate = best / A2_PER_PS_IN_CM2_PER_S * 2 * len(columns)
        needed = tracks.length_ps * _times_longer(times, rate, offset, jump_length_A)
    status = _sentence(lacking, needed) if lacking else DIFFUSIVE
    return Diffusivity(axes, status, fitted, log_slope, offset, times, mean, table, needed)


def van_hove(tracks: IonTracks, lag_ps: float, edges_A: ArrayLike) -> Floats:
    """(b,) 1/A: probability density 4 pi r^2 G_s(r, t) of the distance an ion has gone after lag_ps, per bin.

    edges_A (b + 1,) in even steps. The bins sum, times their width, to the share of displacements within the edges.
    Raises InputError on edges that are not even or a lag that is not within the run.
    """
    lag = round(lag_ps / tracks.interval_ps)
    counts = count_distances(tracks.positions, lag, edges_A)
    total = (len(tracks) - lag) * tracks.positions.shape[1]
    return counts / (total * np.diff(np.asarray(edges_A, dtype=np.float64)))


def _indices(trajectory: Trajectory, ions: str | ArrayLike) -> np.ndarray:
    if isinstance(ions, str):
        return np.flatnonzero(trajectory.structure.numbers == atomic_number(ions))
    return np.unique(np.asarray(ions, dtype=np.int64))


def _even(time_fs: Floats) -> bool:
    steps = np.diff(time_fs)
    return bool(np.ptp(steps) <= 1e-6 * steps[0])


def _columns(axes: str) -> list[int]:
    columns = ["xyz".find(letter) for letter in axes]
    if not columns or min(columns) < 0 or len(set(columns)) < len(columns):
        raise InputError(f"axes {axes!r}; allowed are different letters of 'xyz', such as 'xy' for within the layers.")
    return columns


def _window_lags(tracks: IonTracks, window: FitWindow) -> np.ndarray:
    size = len(tracks) // max(window.blocks, 1)
    if window.blocks < 2 or size < LEAST_BLOCK:
        raise InputError(
            f"{len(tracks)} frames in {window.blocks} blocks; wanted at least 2 blocks of {LEAST_BLOCK} frames: "
            "run longer or store frames more often."
        )
    last = size // 2 if window.last_ps is None else round(window.last_ps / tracks.interval_ps)
    first = max(last // 6, 1) if window.first_ps is None else round(window.first_ps / tracks.interval_ps)
    if not 1 <= first < last < size:
        raise InputError(
            f"the window covers {first} to {last} frames of a block of {size}; it must start at one frame or later, "
            "end after that, and within the block."
        )
    return log_spaced_lags(first, last, window.lags)


def _slope_weights(x: Floats, weights: Floats) -> Floats:
    """What to multiply values at x with to get the slope of their weighted least-squares line."""
    away = x - np.average(x, weights=weights)
    return weights * away / np.sum(weights * away**2)


def _log_slope(times: Floats, mean: Floats, squares: Floats) -> Estimate:
    """Slope of ln MSD over ln t; its error is that of the linearised logarithm."""
    if not (mean > 0).all():
        return Estimate(0.0, 0.0)
    weights = _slope_weights(np.log(times), np.ones_like(times))
    spread = mean_of_blocks(np.einsum("l,bln->bn", weights / mean, squares))
    return Estimate(float(weights @ np.log(mean)), spread.error, spread.freedom)


def _lacking(reached: float, slope: Estimate, jump_length_A: float) -> str:
    """What speaks against diffusion, empty where nothing does."""
    if reached < jump_length_A**2:
        return f"the ions went {reached**0.5:.2g} A (root mean square) within the window, less than a jump"
    if slope.reach > WIDEST_SLOPE:
        return f"the log-log slope {slope.value:.2f} is known only within {slope.reach:.2f}"
    if abs(slope.value - 1.0) > max(slope.reach, SLOPE_TOLERANCE):
        return f"the log-log slope is {slope.value:.2f} +- {slope.reach:.2f}, not 1"
    return ""


def _times_longer(times: Floats, rate: float, offset: float, jump_length_A: float) -> float:
    """How many times longer a run ends its window beyond a jump, and sees diffusion outweigh the offset half way."""
    if rate <= 0:
        return float("inf")
    middle = float(np.sqrt(times[0] * times[-1]))
    outweighs = abs(offset) * (1.0 - SLOPE_TOLERANCE) / SLOPE_TOLERANCE / rate
    beyond = (jump_length_A**2 - min(offset, 0.0)) / rate
    return max(2.0, beyond / float(times[-1]), outweighs / middle)


def _sentence(lacking: str, needed: float) -> str:
    if np.isinf(needed):
        return f"not diffusive yet: {lacking}, and the displacement does not grow; no length of run can be named."
    return f"not diffusive yet, run longer: about {needed:.2g} ps ({lacking})."
