"""What a neighbour list on a device must know before it sees a position: bins, reaches and images of every cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.errors import InputError
from simkit.kernels.neighbours import check_images, heights_of
from simkit.structure import Batch

MARGIN = 1.0 + 1e-6
"""Bins are this much wider than they need be, so that rounding never moves a neighbour out of reach."""
MOST_REACH = 10**6
"""Bins; more than any allowed number of images, and a whole number that can be counted with."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Bins of all systems of a batch, made on the host from its cells.

    bins, reach (m, 3) bins along each vector and how many of them a neighbour may be away; first_bin (m + 1,);
    most (m, 3) cells a neighbour may be away; first_image (m,), images (k, 3) cells away, system_of_image (k,):
    [0, images) -> [0, systems).
    """

    bins: Integers
    reach: Integers
    periodic: np.ndarray
    first_bin: Integers
    most: Integers
    first_image: Integers
    images: Integers
    system_of_image: Integers

    @property
    def runs(self) -> Integers:
        """(m,) bins to look into for each atom of a system."""
        return np.prod(2 * self.reach + 1, axis=1)

    def translations(self, cells: Floats) -> Floats:
        """(k, 3) A: where each image of its cell lies."""
        return np.einsum("ka,kab->kb", self.images.astype(np.float64), cells[self.system_of_image])


@dataclass(frozen=True, eq=False)
class Homes:
    """Atoms moved into their cells: turns (n, 3) cells moved by, bin_of (n, 3), flat (n,) bin in the batch."""

    turns: Integers
    bin_of: Integers
    flat: Integers


def grid_of(batch: Batch, cutoff_A: float) -> tuple[Grid, Homes]:
    """Bins no smaller than the cutoff where the cell allows it, and which of them each atom is in.

    A cell thinner than the cutoff is one bin whose images are looked into as far as the cutoff reaches; bins are
    slabs between faces, so a cell may lean at will. Raises InputError for positions that are not finite and for a
    cutoff that is not positive or reaches absurdly many images.
    """
    if not 0.0 < cutoff_A < np.inf:
        raise InputError(f"cutoff {cutoff_A} A; it must be a positive finite length.")
    if not np.isfinite(batch.positions).all():
        raise InputError("positions hold numbers that are not finite; neighbours cannot be found.")
    heights = heights_of(batch.cells)
    check_images(heights, batch.periodic, cutoff_A)
    turns, home = _wrapped(batch)
    origin, extent = _extents(batch, home)
    length = heights * extent
    sizes = np.diff(batch.starts)[:, None]
    densest = np.maximum(1, 2 * np.rint(np.cbrt(4.0 * sizes))).astype(np.int64)
    fitting = np.minimum(length / (cutoff_A * MARGIN), densest)  # before the cast: an extent may be huge
    bins = np.maximum(1, fitting.astype(np.int64))
    reach = np.ceil(cutoff_A * MARGIN * bins / length).clip(0, MOST_REACH).astype(np.int64)
    reach = np.where(batch.periodic, reach, np.minimum(reach, bins - 1))
    grid = _with_images(bins, reach, batch.periodic)
    inner = (home - origin[batch.system_of]) / extent[batch.system_of] * bins[batch.system_of]
    bin_of = np.clip(inner.astype(np.int64), 0, bins[batch.system_of] - 1)
    return grid, Homes(turns, bin_of, _flat(bin_of, grid, batch.system_of))


def _wrapped(batch: Batch) -> tuple[Integers, Floats]:
    """Cells each atom is moved by along periodic vectors, and its fractional coordinates after that."""
    inverse = np.linalg.inv(batch.cells)
    fractional = np.einsum("na,nab->nb", batch.positions, inverse[batch.system_of])
    turns = np.where(batch.periodic[batch.system_of], np.floor(fractional), 0.0)
    return turns.astype(np.int64), fractional - turns


def _extents(batch: Batch, home: Floats) -> tuple[Floats, Floats]:
    """(m, 3) origin and extent of the atoms in fractional units: 0 and 1 along periodic vectors."""
    low, high = np.full((2, len(batch), 3), [[[np.inf]], [[-np.inf]]])
    np.minimum.at(low, batch.system_of, home)
    np.maximum.at(high, batch.system_of, home)
    origin = np.where(batch.periodic, 0.0, low)
    return origin, np.where(batch.periodic, 1.0, np.maximum(high - low, 1e-9))


def _with_images(bins: Integers, reach: Integers, periodic: np.ndarray) -> Grid:
    most = np.where(periodic, -(-reach // bins), 0)
    counts = np.prod(2 * most + 1, axis=1)
    first_image = np.concatenate([[0], np.cumsum(counts)])
    system_of_image = np.repeat(np.arange(len(bins)), counts)
    rest = np.arange(first_image[-1]) - first_image[system_of_image]
    wide = 2 * most[system_of_image] + 1
    images = np.stack([rest // (wide[:, 1] * wide[:, 2]), rest // wide[:, 2] % wide[:, 1], rest % wide[:, 2]], axis=1)
    first_bin = np.concatenate([[0], np.cumsum(np.prod(bins, axis=1))])
    images = images - most[system_of_image]
    return Grid(bins, reach, periodic, first_bin, most, first_image[:-1], images, system_of_image)


def _flat(bin_of: Integers, grid: Grid, system_of: Integers) -> Integers:
    wide = grid.bins[system_of]
    return grid.first_bin[system_of] + (bin_of[:, 0] * wide[:, 1] + bin_of[:, 1]) * wide[:, 2] + bin_of[:, 2]
