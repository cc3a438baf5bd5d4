"""Angles between the bonds that meet at an atom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from simkit.errors import InputError


@dataclass(frozen=True, eq=False)
class Angles:
    """Ordered pairs of different bonds received by the same atom.

    first, second (a,): [0, angles) -> [0, bonds), sorted by first; pair_of (a,): [0, angles) -> [0, pairs),
    the same for (first, second) and (second, first); pairs (a / 2, 2) the bonds of each unordered pair.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    pair_of: NDArray[np.int64]
    pairs: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.first)


def angles_between(centre: NDArray) -> Angles:
    """All angles between bonds sorted by the atom they meet at; `centre` (b,) is that atom.

    Raises InputError when `centre` is not sorted.
    """
    centre = np.ascontiguousarray(centre, dtype=np.int64)
    if np.any(np.diff(centre) < 0):
        raise InputError("bonds must be sorted by the atom they meet at.")
    count = np.bincount(centre) if len(centre) else np.zeros(0, dtype=np.int64)
    total = int((count * (count - 1)).sum())
    first, second, pair_of = (np.empty(total, dtype=np.int64) for _ in range(3))
    pairs = np.empty((total // 2, 2), dtype=np.int64)
    _fill(centre, first, second, pair_of, pairs)
    return Angles(first, second, pair_of, pairs)


@njit(cache=True)
def _fill(centre, first, second, pair_of, pairs):
    place, paired, start = 0, 0, 0
    while start < len(centre):
        stop = start
        while stop < len(centre) and centre[stop] == centre[start]:
            stop += 1
        n = stop - start
        for a in range(n):
            for b in range(n):
                if a == b:
                    continue
                low, high = min(a, b), max(a, b)
                rank = paired + low * (2 * n - low - 1) // 2 + high - low - 1
                first[place], second[place], pair_of[place] = start + a, start + b, rank
                pairs[rank, 0], pairs[rank, 1] = start + low, start + high
                place += 1
        paired += n * (n - 1) // 2
        start = stop
