"""Random numbers of molecular dynamics: a function of seed, replica and step, with no state to carry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from simkit.arrays import Floats
from simkit.errors import InputError

START, BATH, CELL = range(3)
"""What the numbers of a step are for; each purpose has numbers of its own."""


_FRESH = {"buffer": np.zeros(4, dtype=np.uint64), "buffer_pos": 4, "has_uint32": 0, "uinteger": 0}
"""A generator from which nothing has been drawn."""


@dataclass(frozen=True, eq=False)
class Streams:
    """One stream of random numbers per replica.

    The stream is the counter-based generator Philox (Salmon et al., SC11, 2011): its key is the replica's, its
    counter begins at (step, purpose). So a replica's numbers depend neither on the other replicas nor on what
    was drawn before, and a run that is taken up again draws what it would have drawn.

    keys   (m, 2) unsigned 64 bit
    starts (m + 1,) first atom of each replica, and the total at the end
    """

    keys: np.ndarray
    starts: np.ndarray

    @cached_property
    def _only(self) -> tuple[np.random.Philox, np.random.Generator]:
        """Making a generator takes ten times as long as putting one where it is wanted."""
        bits = np.random.Philox(key=0)
        return bits, np.random.Generator(bits)

    def generator(self, replica: int, step: int, purpose: int) -> np.random.Generator:
        """The generator of one replica at one step, good until the next one is asked for."""
        bits, generator = self._only
        counter = np.array([0, 0, step, purpose], dtype=np.uint64)
        place = {"counter": counter, "key": self.keys[replica]}
        bits.state = {"bit_generator": "Philox", "state": place, **_FRESH}
        return generator

    def normals(self, step: int, purpose: int, active: np.ndarray) -> Floats:
        """(n, 3) standard normal numbers for the atoms of the replicas in the mask `active`, zero for the others."""
        out = np.zeros((self.starts[-1], 3))
        for replica in np.flatnonzero(active):
            low, high = self.starts[replica : replica + 2]
            self.generator(replica, step, purpose).standard_normal(out=out[low:high])
        return out


def replica_keys(seed: int | Sequence[int], replicas: int) -> np.ndarray:
    """(m, 2) keys. One seed: the replicas differ by their place. One seed each: a replica is as if run alone.

    Raises InputError for negative seeds, seeds that are not whole and a wrong number of seeds.
    """
    one_for_all = np.ndim(seed) == 0
    entropy = [(seed, place) for place in range(replicas)] if one_for_all else [(one, 0) for one in seed]
    if len(entropy) != replicas:
        raise InputError(f"{len(entropy)} seeds for {replicas} structures; give one seed, or one each.")
    for one, _ in entropy:
        if not isinstance(one, int | np.integer) or isinstance(one, bool) or one < 0:
            raise InputError(f"seed {one!r} is not allowed; it must be a whole number, 0 or more.")
    words = [np.random.SeedSequence([int(one), place]).generate_state(2, np.uint64) for one, place in entropy]
    return np.array(words)
