"""Where ions sit over time: nearest sites, occupancies, jumps that last, rates and residence times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from simkit.arrays import Floats, Integers, frozen
from simkit.errors import InputError
from simkit.kernels.pair_search import find_pairs
from simkit.kernels.voxels import Table, look_up, settle
from simkit.measure.diffusion import IonTracks
from simkit.measure.error_bars import Estimate, mean_of_blocks

VOXEL_A = 0.3
MOST_VOXELS = 8_000_000


@dataclass(frozen=True, eq=False)
class SiteTable:
    """Sites (s, 3) A of a periodic cell (3, 3) A in rows, with a table of voxels that finds the nearest one exactly."""

    sites: Floats
    cell: Floats
    shape: tuple[int, int, int]
    table: Table

    def __len__(self) -> int:
        return len(self.sites)

    def nearest(self, positions: ArrayLike) -> Integers:
        """(..., 4) index of the nearest site of each position (..., 3) A and the cell it is in, by three integers.

        Raises InputError on wrong shapes or positions that are not finite.
        """
        positions = np.asarray(positions, dtype=np.float64)
        points = positions.reshape(-1, 3) @ np.linalg.inv(self.cell)
        return look_up(points, self.cell, self.shape, self.table).reshape(*positions.shape[:-1], 4)


@dataclass(frozen=True, eq=False)
class Jumps:
    """Jumps of n ions between s sites during a run, in order of ion and time.

    ions, frames, origins, targets (j,): the frame is the first of the stay on the new site; vectors_A (j, 3) from
    site to site. settled (f, n): the site each ion belongs to at each frame, short visits left out. interval_ps
    between frames.
    """

    ions: Integers
    frames: Integers
    origins: Integers
    targets: Integers
    vectors_A: Floats
    settled: Integers
    sites: int
    interval_ps: float

    def __len__(self) -> int:
        return len(self.ions)

    @property
    def occupancy(self) -> Floats:
        """(s,) mean number of ions on each site."""
        return np.bincount(self.settled.ravel(), minlength=self.sites) / len(self.settled)

    @property
    def occupied_ps(self) -> Floats:
        """(s,) time that ions spent on each site, added up over ions, from the first to the last frame."""
        return np.bincount(self.settled[:-1].ravel(), minlength=self.sites) * self.interval_ps

    @property
    def counts(self) -> Integers:
        """(s, s) jumps from each site to each."""
        out = np.zeros((self.sites, self.sites), dtype=np.int64)
        np.add.at(out, (self.origins, self.targets), 1)
        return out


def site_table(sites: ArrayLike, cell: ArrayLike, voxel_A: float = VOXEL_A) -> SiteTable:
    """Table of the sites that can be nearest to any point of each voxel, so that a look-up asks only those.

    For a voxel whose corners are within h of its centre, and whose centre is d from the nearest site, these are the
    sites within d + 2 h of the centre. sites (s, 3) A, cell (3, 3) A of any shape, periodic in all directions.
    Raises InputError on no sites, two sites at one place, or more voxels than MOST_VOXELS.
    """
    sites, cell = frozen(sites, np.float64, (None, 3), "sites"), frozen(cell, np.float64, (3, 3), "cell")
    lengths = np.linalg.norm(cell, axis=1)
    if len(sites) == 0 or not voxel_A > 0 or np.prod(lengths / voxel_A) > MOST_VOXELS:
        raise InputError(f"{len(sites)} sites, voxels of {voxel_A} A; wanted a site and at most {MOST_VOXELS} voxels.")
    if len(find_pairs(sites, sites, cell, 1e-6)):
        raise InputError("two sites lie at one place; leave one of them out.")
    shape = tuple(int(n) for n in np.maximum(np.ceil(lengths / voxel_A), 1))
    grid = np.stack(np.meshgrid(*[(np.arange(n) + 0.5) / n for n in shape], indexing="ij"), axis=-1).reshape(-1, 3)
    corners = np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)]) * 0.5 / shape
    half = float(np.linalg.norm(corners @ cell, axis=1).max())
    return SiteTable(sites, cell, shape, _candidates(grid, sites, cell, half))


def jumps(tracks: IonTracks, table: SiteTable, dwell_ps: float) -> Jumps:
    """Jumps of the ions between the sites: a new site counts once an ion has stayed nearest to it for dwell_ps.

    Recrossings and visits shorter than that count to the stay before; the time of the jump is when the lasting stay
    began. A jump to the image of its own site in another cell counts. Sites and tracks must have one origin: give the
    sites in the frame of the host. Raises InputError on a dwell time below zero.
    """
    if not dwell_ps >= 0:
        raise InputError(f"dwell_ps = {dwell_ps}; wanted zero or more, about the time an ion rattles near a site.")
    keys = table.nearest(tracks.positions)
    dwell = max(int(np.ceil(dwell_ps / tracks.interval_ps - 1e-9)), 1)
    began = settle(keys, dwell)
    ions, frames = np.nonzero((np.diff(began, axis=0) > 0).T)
    before, after = keys[began[frames, ions], ions], keys[began[frames + 1, ions], ions]
    vectors = table.sites[after[:, 0]] - table.sites[before[:, 0]] + (after - before)[:, 1:] @ table.cell
    settled = np.take_along_axis(keys[:, :, 0], began, axis=0)
    ends = before[:, 0].copy(), after[:, 0].copy()
    return Jumps(ions, frames + 1, *ends, vectors, settled, len(table), tracks.interval_ps)


def jump_rate(found: Jumps, blocks: int = 8) -> Estimate:
    """Jumps per ion and ps, with the error of a block bootstrap over ions and time.

    Raises InputError with fewer than two blocks or fewer steps than blocks.
    """
    steps, ions = len(found.settled) - 1, found.settled.shape[1]
    size = steps // max(blocks, 1)
    if blocks < 2 or size < 1:
        raise InputError(f"{steps} steps in {blocks} blocks; wanted at least two blocks of a step each.")
    table = np.zeros((blocks, ions))
    inside = found.frames <= blocks * size  # the odd steps at the end belong to no block
    np.add.at(table, ((found.frames[inside] - 1) // size, found.ions[inside]), 1.0)
    return mean_of_blocks(table / (size * found.interval_ps))


def site_rates_per_ps(found: Jumps) -> tuple[Floats, Floats]:
    """Rates (s, s) of jumping from each site to each, 1/ps, and their standard errors as of independent events.

    Jumps over the time the origin was occupied, the maximum-likelihood rate of a Poisson process; not-a-number where
    a site was never occupied.
    """
    time = np.where(found.occupied_ps > 0, found.occupied_ps, np.nan)[:, None]
    return found.counts / time, np.sqrt(found.counts) / time


def residence_ps(found: Jumps) -> Floats:
    """(s,) mean time an ion stays on each site: time occupied over departures; infinite where no ion ever left.

    Stays cut by the ends of the run count with the time seen, as they must for the mean of an exponential law to be
    unbiased; not-a-number where a site was never occupied.
    """
    leaving = np.bincount(found.origins, minlength=found.sites).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return found.occupied_ps / leaving


def stays_ps(found: Jumps) -> tuple[Integers, Floats]:
    """Site and length of every stay seen from its beginning to its end, for a histogram of residence times."""
    same = found.ions[1:] == found.ions[:-1]
    return found.targets[:-1][same], (found.frames[1:] - found.frames[:-1])[same] * found.interval_ps


def _candidates(grid: Floats, sites: Floats, cell: Floats, half: float) -> Table:
    centres = grid @ cell
    reach = float(np.linalg.norm(cell, axis=1).sum()) / 2.0  # no point is further from the images of a site
    step = max(1.0, (np.linalg.det(cell) / len(sites)) ** (1 / 3))
    nearest, cutoff = np.full(len(grid), np.inf), min(step, reach)
    while not np.isfinite(nearest).all():
        open_ = np.flatnonzero(~np.isfinite(nearest))
        pairs = find_pairs(centres[open_], sites, cell, cutoff)
        np.minimum.at(nearest, open_[pairs.point], pairs.distance)
        cutoff = cutoff + step
    pairs = find_pairs(centres, sites, cell, float(nearest.max()) + 2.0 * half + 1e-9)
    pairs = pairs.take(pairs.distance <= nearest[pairs.point] + 2.0 * half + 1e-9)
    starts = np.searchsorted(pairs.point, np.arange(len(grid) + 1)).astype(np.int64)
    places = (sites @ np.linalg.inv(cell))[pairs.atom] + pairs.shift
    return starts, np.ascontiguousarray(places), np.column_stack([pairs.atom, pairs.shift]).astype(np.int64)
