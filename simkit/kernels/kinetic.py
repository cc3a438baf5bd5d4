"""Rejection-free jumps of ions over sites: the n-fold way (Bortz, Kalos, Lebowitz, J. Comput. Phys. 17, 10, 1975)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from simkit.arrays import Floats, Integers
from simkit.errors import InputError


@dataclass(frozen=True, eq=False)
class Jumps:
    """Directed jumps sorted by the site they leave: those of site i are first[i] to first[i + 1].

    first (n + 1,); targets (e,) the site reached; cells (e, 3) the lattice vector crossed; rates_per_s (e,);
    order (e,) the place of each in the list it was made from
    """

    first: Integers
    targets: Integers
    cells: Integers
    rates_per_s: Floats
    order: Integers


@dataclass(frozen=True, eq=False)
class Walk:
    """What one replica did, seen at f given times.

    sites (f, ions) where each ion sits; cells (f, ions, 3) whole lattice vectors it has crossed since the start;
    filled_s (n,) time each site was filled up to the last frame; counts (e,) jumps made, as in `Jumps`
    """

    sites: Integers
    cells: Integers
    filled_s: Floats
    counts: Integers


def directed_jumps(sites: int, hops: Integers, offsets: Integers, rates_per_s: Floats) -> Jumps:
    """Both directions of m hops as one table; jump k < m is hop k forward, jump m + k the same hop backward.

    hops (m, 2): from hops[k, 0] in cell 0 to hops[k, 1] in cell offsets[k] (m, 3); rates_per_s (m, 2) forward and
    backward. Raises InputError on wrong shapes, a site outside [0, sites), a hop onto the site's own image, rates
    that are negative or not finite.
    """
    hops = np.asarray(hops, dtype=np.int64).reshape(-1, 2)
    offsets = np.asarray(offsets, dtype=np.int64).reshape(-1, 3)
    rates = np.asarray(rates_per_s, dtype=np.float64).reshape(-1, 2)
    if not len(hops) == len(offsets) == len(rates):
        raise InputError(f"{len(hops)} hops, {len(offsets)} offsets and {len(rates)} pairs of rates; give one of each.")
    if hops.size and (hops.min() < 0 or hops.max() >= sites):
        raise InputError(f"hops name sites {hops.min()} to {hops.max()}; allowed are 0 to {sites - 1}.")
    if (own := np.flatnonzero(hops[:, 0] == hops[:, 1])).size:
        raise InputError(f"hop {own[0]} leads from site {hops[own[0], 0]} to its own image; repeat the cell first.")
    if not np.isfinite(rates).all() or (rates < 0.0).any():
        raise InputError(f"rates run from {rates.min()} to {rates.max()} /s; they must be finite and not negative.")
    leave, reach = hops.T.reshape(-1), hops[:, ::-1].T.reshape(-1)
    order = np.argsort(leave, kind="stable")
    cells = np.concatenate([offsets, -offsets])[order]
    first = np.searchsorted(leave[order], np.arange(sites + 1))
    return Jumps(first, reach[order], cells, np.ascontiguousarray(rates.T.reshape(-1)[order]), order)


def total_rate_per_s(jumps: Jumps, start: ArrayLike) -> float:
    """Sum of the rates of all open jumps, 1/s, when the ions sit on the sites `start`."""
    filled = np.zeros(len(jumps.first) - 1, dtype=np.bool_)
    filled[np.asarray(start, dtype=np.int64)] = True
    leave = np.repeat(np.arange(len(filled)), np.diff(jumps.first))
    return float(jumps.rates_per_s[filled[leave] & ~filled[jumps.targets]].sum())


def walk(jumps: Jumps, start: ArrayLike, times_s: ArrayLike, stream: np.random.Generator) -> Walk:
    """Ions jump to empty sites at the given rates; a site holds one ion.

    start (ions,) the site of each ion; times_s (f,) s, ascending from 0 or later: what is seen then is recorded;
    stream: the random numbers of this replica alone, so that replicas do not depend on who runs beside them.
    Each step costs a descent and a few updates of a tree of sums over sites; sums are remade from their parts and
    never drift. Raises InputError for ions on one site, sites that do not exist, times that are not ascending.
    """
    sites = np.array(start, dtype=np.int64).reshape(-1)
    times = np.array(times_s, dtype=np.float64).reshape(-1)
    count = len(jumps.first) - 1
    if len(np.unique(sites)) < len(sites) or (sites.size and (sites.min() < 0 or sites.max() >= count)):
        raise InputError(f"{len(sites)} ions need as many different sites out of 0 to {count - 1}.")
    if not times.size or not np.isfinite(times).all() or times[0] < 0.0 or (np.diff(times) <= 0.0).any():
        raise InputError("times_s must be finite, not negative and ascending.")
    ion = np.full(count, -1, dtype=np.int64)
    ion[sites] = np.arange(len(sites))
    tree = np.zeros(2 << max(count - 1, 0).bit_length())
    table = (jumps.first, jumps.targets, jumps.cells, jumps.rates_per_s)
    seen = np.zeros((len(times), len(sites)), dtype=np.int64)
    crossed = np.zeros((len(times), len(sites), 3), dtype=np.int64)
    tally = (np.zeros(count), np.zeros(count), np.zeros(len(jumps.targets), dtype=np.int64))
    _run(table, (ion, sites, np.zeros((len(sites), 3), dtype=np.int64), tree), times, stream, (seen, crossed, *tally))
    return Walk(seen, crossed, tally[0], tally[2])


@njit(cache=True)
def _refresh(table, ion, tree, site):
    """Sum of the open jumps out of one site, into its leaf and every sum above."""
    first, targets, _, rates = table
    total = 0.0
    if ion[site] >= 0:
        for e in range(first[site], first[site + 1]):
            if ion[targets[e]] < 0:
                total += rates[e]
    node = len(tree) // 2 + site
    tree[node] = total
    node //= 2
    while node >= 1:
        tree[node] = tree[2 * node] + tree[2 * node + 1]
        node //= 2


@njit(cache=True)
def _choose(table, ion, tree, draw):
    """Site and jump in which `draw`, uniform in [0, 1), falls; rounding never lands on a closed jump."""
    first, targets, _, rates = table
    half = len(tree) // 2
    rest = draw * tree[1]
    node = 1
    while node < half:
        node *= 2
        if rest >= tree[node] and tree[node + 1] > 0.0:
            rest -= tree[node]
            node += 1
    site = node - half
    chosen = -1
    for e in range(first[site], first[site + 1]):
        if ion[targets[e]] < 0 and rates[e] > 0.0:
            chosen = e
            if rest < rates[e]:
                break
            rest -= rates[e]
    return site, chosen


@njit(cache=True)
def _move(table, state, site, jump):
    """One ion jumps; the leaves of both sites and of all their neighbours are remade."""
    first, targets, cells, _ = table
    ion, where, crossed, tree = state
    target = targets[jump]
    mover = ion[site]
    ion[site], ion[target] = -1, mover
    where[mover] = target
    for axis in range(3):
        crossed[mover, axis] += cells[jump, axis]
    for middle in (site, target):
        _refresh(table, ion, tree, middle)
        for e in range(first[middle], first[middle + 1]):
            if ion[targets[e]] >= 0:
                _refresh(table, ion, tree, targets[e])


@njit(cache=True)
def _run(table, state, times, stream, out):
    ion, where, crossed, tree = state
    seen, travelled, filled, since, counts = out
    for site in where:
        _refresh(table, ion, tree, site)
    clock = 0.0
    frame = 0
    while True:
        # an exponential waiting time; 1 - random() is never zero
        clock = clock - np.log(1.0 - stream.random()) / tree[1] if tree[1] > 0.0 else np.inf
        while frame < len(times) and times[frame] < clock:
            seen[frame], travelled[frame] = where, crossed
            frame += 1
        if frame == len(times):
            break
        site, jump = _choose(table, ion, tree, stream.random())
        filled[site] += clock - since[site]
        since[table[1][jump]] = clock
        counts[jump] += 1
        _move(table, state, site, jump)
    for site in where:
        filled[site] += times[-1] - since[site]


def least_dissipation(nodes: int, ends: Integers, weights: Floats, steps: Floats) -> Floats:
    """(3, 3) smallest sum over edges of w g g^T with g = step + x_j - x_i, over all vectors x of the nodes.

    ends (m, 2); weights (m,) not negative; steps (m, 3). Nodes are eliminated one by one (star to mesh) and parallel
    edges merged; weights are only added, multiplied and divided, so weights that span 30 decades do no harm, as
    a factorisation with differences of them would suffer. Time nodes^3, memory 32 nodes^2 bytes.
    Raises InputError on wrong shapes, a node outside [0, nodes) or negative weights.
    """
    ends = np.ascontiguousarray(ends, dtype=np.int64).reshape(-1, 2)
    weights = np.ascontiguousarray(weights, dtype=np.float64)
    steps = np.ascontiguousarray(steps, dtype=np.float64).reshape(-1, 3)
    if weights.shape != (len(ends),) or steps.shape != (len(ends), 3) or (weights < 0.0).any():
        raise InputError(f"{len(ends)} edges need as many steps of three and weights that are not negative.")
    if len(ends) and (ends.min() < 0 or ends.max() >= nodes):
        raise InputError(f"edges name nodes {ends.min()} to {ends.max()}; allowed are 0 to {nodes - 1}.")
    mesh = (np.zeros((nodes, nodes)), np.zeros((nodes, nodes, 3)), np.zeros((3, 3)))
    _eliminate(ends, weights, steps, mesh)
    return mesh[2]


@njit(cache=True)
def _join(mesh, i, j, weight, step):
    """Add an edge; what it dissipates against one already there (or as a loop) can never relax and is booked."""
    total, mean, lost = mesh
    if weight <= 0.0:
        return
    share = 1.0 if i == j else weight / (total[i, j] + weight)
    booked = weight if i == j else total[i, j] * share
    for a in range(3):
        for b in range(3):
            # the stored step of a loop is zero
            lost[a, b] += booked * (step[a] - mean[i, j, a]) * (step[b] - mean[i, j, b])
    if i == j:
        return
    for a in range(3):
        value = mean[i, j, a] + share * (step[a] - mean[i, j, a])
        mean[i, j, a], mean[j, i, a] = value, -value
    total[i, j] += weight
    total[j, i] = total[i, j]


@njit(cache=True)
def _eliminate(ends, weights, steps, mesh):
    for k in range(len(ends)):
        _join(mesh, ends[k, 0], ends[k, 1], weights[k], steps[k])
    total, mean, _ = mesh
    for k in range(len(total) - 1, 0, -1):
        row = total[k, :k]
        beside = np.flatnonzero(row)
        whole = row.sum()
        for p in range(len(beside)):
            i = beside[p]
            for q in range(p + 1, len(beside)):
                j = beside[q]
                _join(mesh, i, j, row[i] * (row[j] / whole), mean[k, j] - mean[k, i])
