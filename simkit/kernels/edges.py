"""Pairs of atoms taken in both directions, as message passing needs them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from simkit.kernels.neighbours import Pairs


@dataclass(frozen=True, eq=False)
class Edges:
    """Every pair in both directions, sorted by receiver: vector = x[receiver] + shift @ cell - x[sender].

    sender, receiver (2p,), vectors (2p, 3) A; pair_of: [0, edges) -> [0, pairs), whose shift is that of the edge along
    the pair; edges_of (p, 2): the edge along the pair (received by `second`) and the edge against it;
    starts (n + 1,) first edge received by each atom.
    """

    sender: NDArray[np.int64]
    receiver: NDArray[np.int64]
    vectors: NDArray[np.float64]
    pair_of: NDArray[np.int64]
    edges_of: NDArray[np.int64]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.sender)


def edges_of(pairs: Pairs, atoms: int) -> Edges:
    """The directed list of `pairs` among `atoms` atoms, sorted by receiver."""
    n = 2 * len(pairs)
    sender, receiver, pair_of = (np.empty(n, dtype=np.int64) for _ in range(3))
    vectors, both, starts = np.empty((n, 3)), np.empty((len(pairs), 2), dtype=np.int64), np.zeros(atoms + 1, np.int64)
    _direct((pairs.first, pairs.second, pairs.vectors), starts, (sender, receiver, vectors, pair_of, both))
    return Edges(sender, receiver, vectors, pair_of, both, starts)


@njit(cache=True)
def _direct(given, starts, out):
    """Counting sort of both directions of every pair by receiver."""
    first, second, vectors = given
    sender, receiver, directed, pair_of, both = out
    for p in range(len(first)):
        starts[first[p] + 1] += 1
        starts[second[p] + 1] += 1
    for atom in range(len(starts) - 1):
        starts[atom + 1] += starts[atom]
    place = starts[:-1].copy()
    for p in range(len(first)):
        for side in range(2):
            source, target = (first[p], second[p]) if side == 0 else (second[p], first[p])
            sign = 1 - 2 * side
            e = place[target]
            place[target] += 1
            sender[e], receiver[e], pair_of[e], both[p, side] = source, target, p, e
            for k in range(3):
                directed[e, k] = sign * vectors[p, k]
