"""Exchanges of species within groups of sites until counted pairs come near the counts wanted of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from simkit.arrays import Floats, Integers


@dataclass(frozen=True, eq=False)
class PairTables:
    """Pairs of sites by class, and the number wanted of every class and pair of species.

    first (n + 1,) start of the partners of each site in `partner` and `kind`: other sites only, each image once
    fine, coarse (p,) the two classes every pair counts in; fine -1: one class only
    count (c, s, s) pairs there are, wanted (c, s, s) pairs wanted, entry [a, b] with a <= b; scale (c, s, s) >= 0
    """

    first: Integers
    partner: Integers
    fine: Integers
    coarse: Integers
    count: Integers
    wanted: Floats
    scale: Floats


def pair_deviation(tables: PairTables) -> float:
    """E = sum over classes and pairs of species of scale (count - wanted)^2."""
    return float((tables.scale * np.square(tables.count - tables.wanted)).sum())


def exchange_species(species: Integers, group: Integers, tables: PairTables, draws: Floats, heat: Floats) -> Integers:
    """(n,) species with the lowest E (`pair_deviation`) met while pairs of sites of one group change places.

    species (n,) [0, n) -> [0, s); group (n,) whole numbers; draws (t, 3) uniform in [0, 1) - which site, which
    partner, acceptance; heat (t,) kT in the units of E, 0 for improvements only. The number of each species in a
    group is kept. Same draws, same answer; no promise of the minimum. `tables.count` is that of `species`, with
    pairs of a site and its own images: all sites of a group must have as many of these.
    """
    species = np.array(species, dtype=np.int64)
    if not len(species):
        return species
    _, group = np.unique(group, return_inverse=True)
    members = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[members], np.arange(group.max() + 2))
    best = species.copy()
    pairs = (tables.first, tables.partner, tables.fine, tables.coarse)
    state = (np.array(tables.count, dtype=np.int64), tables.wanted, tables.scale)
    _exchange(species, pairs, state, (group, members, starts), (draws, heat), best)
    return best


@njit(cache=True)
def _exchange(species, pairs, state, table, random, best):
    group, members, starts = table
    draws, heat = random
    energy, lowest = 0.0, 0.0
    for t in range(len(draws)):
        i = int(draws[t, 0] * len(species))
        low, high = starts[group[i]], starts[group[i] + 1]
        j = members[low + int(draws[t, 1] * (high - low))]
        a, b = species[i], species[j]
        if a == b:
            continue
        change = _set(species, i, b, pairs, state) + _set(species, j, a, pairs, state)
        if change > 0.0 and draws[t, 2] >= np.exp(-change / max(heat[t], 1e-300)):
            _set(species, i, a, pairs, state)
            _set(species, j, b, pairs, state)
            continue
        energy += change
        if energy < lowest - 1e-9:
            lowest = energy
            best[:] = species


@njit(cache=True)
def _set(species, i, new, pairs, state):
    first, partner, fine, coarse = pairs
    old, change = species[i], 0.0
    for p in range(first[i], first[i + 1]):
        other = species[partner[p]]
        for c in (fine[p], coarse[p]):
            if c >= 0:
                change += _add(c, old, other, -1, state) + _add(c, new, other, 1, state)
    species[i] = new
    return change


@njit(cache=True)
def _add(c, a, b, step, state):
    count, wanted, scale = state
    low, high = min(a, b), max(a, b)
    off = count[c, low, high] - wanted[c, low, high]
    count[c, low, high] += step
    return scale[c, low, high] * (2.0 * step * off + 1.0)
