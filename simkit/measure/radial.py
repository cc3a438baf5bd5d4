"""Pairs of atoms over a trajectory: radial distributions, coordination numbers, and pairs that are too close."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.elements import atomic_number
from simkit.errors import InputError
from simkit.kernels.neighbours import pairs_within
from simkit.structure import Batch, Structure

PEROXIDE_A = 1.6
"""Two oxygens nearer than this have bonded to each other."""


@dataclass(frozen=True, eq=False)
class Radial:
    """Radial distribution g(r) of one element around another and its integral n(r), at bin centres r_A (b,)."""

    elements: tuple[str, str]
    r_A: Floats
    g: Floats
    neighbours: Floats

    def coordination(self, within_A: float) -> float:
        """Mean number of neighbours within a distance."""
        return float(np.interp(within_A, self.r_A + 0.5 * (self.r_A[1] - self.r_A[0]), self.neighbours))

    @property
    def first_minimum_A(self) -> float:
        """Where the first shell ends: the lowest place (the middle of an empty stretch) between the first two peaks
        above 1; the end of the range where there is no second one."""
        first = int(np.argmax(self.g > 1.0))
        below = first + int(np.argmax(self.g[first:] < 1.0))
        again = np.flatnonzero(self.g[below:] > 1.0)
        between = self.g[below : below + int(again[0]) + 1] if len(again) else self.g[below:]
        lowest = np.flatnonzero(between <= between.min())
        return float(self.r_A[below + int(lowest[len(lowest) // 2])])


def radial_distribution(
    frames: Sequence[Structure], elements: tuple[str, str], reach_A: float = 6.0, bin_A: float = 0.05
) -> Radial:
    """g(r) = pairs in a shell / (those of an ideal gas of the same density), averaged over frames.

    Raises InputError on no frames, an element that is absent, or a reach or bin not above zero.
    """
    if not frames or not reach_A > bin_A > 0:
        raise InputError(
            f"{len(frames)} frames, reach {reach_A} A, bins {bin_A} A; wanted a frame and reach > bin > 0."
        )
    centre, other = (atomic_number(e) for e in elements)
    batch, pairs = _pairs(frames, reach_A)
    one, two = batch.numbers[pairs.first], batch.numbers[pairs.second]
    counts = np.zeros(round(reach_A / bin_A))
    edges = np.arange(len(counts) + 1) * bin_A
    for a, b in ((one, two), (two, one)):
        counts += np.histogram(pairs.lengths[(a == centre) & (b == other)], edges)[0]
    around = int((frames[0].numbers == centre).sum())
    found = int((frames[0].numbers == other).sum()) - (centre == other)
    if around == 0 or found <= 0:
        raise InputError(f"{frames[0].formula} holds {around} {elements[0]} and too few {elements[1]} around them.")
    density = found / np.mean([frame.volume for frame in frames])
    shells = 4.0 / 3.0 * np.pi * np.diff(edges**3)
    each = counts / (len(frames) * around)
    return Radial(elements, edges[:-1] + 0.5 * bin_A, each / (shells * density), np.cumsum(each))


def close_pairs(
    frames: Sequence[Structure], elements: tuple[str, str] = ("O", "O"), within_A: float = PEROXIDE_A
) -> tuple[Integers, Floats]:
    """(f,) number of pairs within a distance in each frame, and (f,) the shortest, A; infinite where there is none."""
    batch, pairs = _pairs(frames, within_A)
    a, b = (atomic_number(e) for e in elements)
    one, two = batch.numbers[pairs.first], batch.numbers[pairs.second]
    chosen = ((one == a) & (two == b)) | ((one == b) & (two == a))
    frame = batch.system_of[pairs.first[chosen]]
    shortest = np.full(len(frames), np.inf)
    np.minimum.at(shortest, frame, pairs.lengths[chosen])
    return np.bincount(frame, minlength=len(frames)), shortest


def coordination_numbers(frames: Sequence[Structure], element: str, around: str, within_A: float) -> Integers:
    """(f, n) number of `around` atoms within a distance of each atom of `element`, frame by frame."""
    batch, pairs = _pairs(frames, within_A)
    centre, other = atomic_number(element), atomic_number(around)
    total = np.zeros(len(batch.numbers), dtype=np.int64)
    for a, b in ((pairs.first, pairs.second), (pairs.second, pairs.first)):
        np.add.at(total, a[batch.numbers[b] == other], 1)
    return total[batch.numbers == centre].reshape(len(frames), -1)


def _pairs(frames: Sequence[Structure], within_A: float):
    batch = Batch.of(list(frames))
    return batch, pairs_within(batch.positions, batch.cells, batch.periodic, batch.starts, within_A)
