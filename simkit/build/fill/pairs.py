"""Pairs of species within slabs and across them, exchanged towards the numbers a random alloy has."""

from __future__ import annotations

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.kernels.pair_counts import PairTables, exchange_species
from simkit.kernels.pair_search import Pairs, find_pairs

SHELL_EDGES = (1.366, 1.866, 2.1)
"""Ends of the shells in nearest distances: midway between 1, sqrt 3 and 2 of a triangular layer."""
SLAB_WEIGHT, CROSS_WEIGHT = 0.1, 0.1
"""Weights of the pairs of each slab by itself (all slabs together) and across slabs; all slabs summed weigh 1."""
TRIALS_PER_SITE, LEAST_TRIALS, MOST_TRIALS = 3000, 300_000, 600_000
HOT, COLD = 2.0, 0.01
"""First kT over the median cost of one pair too many in the slabs summed; last kT over the first."""


def polished(points: Floats, cell: Floats, names: np.ndarray, group: Integers, rng: np.random.Generator) -> np.ndarray:
    """(n,) symbols exchanged within their group until pairs are as frequent as random occupation makes them.

    E = sum_shell sum_{a <= b} (n_ab - w_ab)^2 / (w_ab N) over three shells, with w_ab pairs of a and b wanted of N:
    the squares of all pair correlation functions in an orthonormal basis, summed (Sanchez, Ducastelle and Gratias,
    Physica A 128, 334 (1984)). Pairs within a group count summed over groups, for each group by itself at a lower
    weight, and across groups at a still lower one.

    points (n, 3) A, cell (3, 3) A; names (n,); group (n,) whole numbers. A seeded anneal that starts from `names`
    and never ends above their E; the minimum is not promised.
    """
    symbols, species = np.unique(names, return_inverse=True)
    _, group = np.unique(group, return_inverse=True)
    tables = pair_tables(points, cell, species, group)
    trials = int(np.clip(TRIALS_PER_SITE * len(names), LEAST_TRIALS, MOST_TRIALS))
    cost = tables.scale[-2 * len(SHELL_EDGES) : -len(SHELL_EDGES)]
    hot = HOT * float(np.median(cost[cost > 0])) if cost.any() else 0.0
    heat = hot * COLD ** np.linspace(0.0, 1.0, trials)
    return symbols[exchange_species(species, group, tables, rng.random((trials, 3)), heat)]


def _nearest(points: Floats, cell: Floats) -> float:
    """Shortest distance between two sites, or two images of one, A."""
    reach = 1.5 * (abs(float(np.linalg.det(cell))) / len(points)) ** (1 / 3) + 3.0
    return float(find_pairs(points, points, cell, reach).distance.min())


def pair_tables(points: Floats, cell: Floats, species: Integers, group: Integers) -> PairTables:
    """Classes: pairs of each group by shell, then pairs within groups by shell, then pairs across groups by shell.

    points (n, 3) A, cell (3, 3) A; species and group (n,) whole numbers from 0 without gaps
    """
    reach = _nearest(points, cell)
    pairs = find_pairs(points, points, cell, SHELL_EDGES[-1] * reach)
    shell = np.searchsorted(SHELL_EDGES, pairs.distance / reach)
    ends = group[pairs.point], group[pairs.atom]
    count, coarse, fine = _counted(pairs, shell, species, ends)
    wanted = _wanted((*ends, shell), species, group)
    shells, groups = len(SHELL_EDGES), int(group.max()) + 1
    weight = np.repeat([SLAB_WEIGHT / groups, 1.0, CROSS_WEIGHT], [groups * shells, shells, shells])
    total = wanted.sum(axis=(1, 2))
    cost = np.where(total > 0, weight / np.where(total > 0, total, 1.0), 0.0)[:, None, None]
    scale = np.divide(cost, wanted, out=np.zeros_like(wanted), where=wanted > 0)
    other = pairs.point != pairs.atom
    first = np.searchsorted(pairs.point[other], np.arange(len(species) + 1))
    return PairTables(first, pairs.atom[other], fine[other], coarse[other], count, wanted, scale)


def _counted(
    pairs: Pairs, shell: Integers, species: Integers, ends: tuple[Integers, Integers]
) -> tuple[Integers, Integers, Integers]:
    """(c, s, s) pairs there are, and the coarse and the fine class of each directed pair; ends: its two groups."""
    one, two = ends
    shells, size = len(SHELL_EDGES), int(species.max()) + 1
    within, every = one == two, (int(one.max()) + 1) * shells
    coarse = every + np.where(within, 0, shells) + shell
    fine = np.where(within, one * shells + shell, -1)
    low, high = np.sort([species[pairs.point], species[pairs.atom]], axis=0)
    count = np.zeros((every + 2 * shells, size, size), dtype=np.int64)
    np.add.at(count, (coarse, low, high), 1)
    np.add.at(count, (fine[within], low[within], high[within]), 1)
    return count // 2, coarse, fine


def _wanted(ends: tuple[Integers, Integers, Integers], species: Integers, group: Integers) -> Floats:
    """(c, s, s) pairs of species that random occupation of every group gives; ends: two groups and shell of pairs."""
    shells, groups, size = len(SHELL_EDGES), int(group.max()) + 1, int(species.max()) + 1
    every = groups * shells
    share = np.array([np.bincount(species[group == g], minlength=size) / (group == g).sum() for g in range(groups)])
    links = np.zeros((groups, groups, shells))
    np.add.at(links, ends, 0.5)
    wanted = np.zeros((every + 2 * shells, size, size))
    for g, h, k in np.argwhere(links):
        table = links[g, h, k] * np.outer(share[g], share[h])
        wanted[every + (0 if g == h else shells) + k] += table
        if g == h:
            wanted[g * shells + k] += table
    return np.triu(wanted) + np.triu(np.swapaxes(wanted, 1, 2), 1)
