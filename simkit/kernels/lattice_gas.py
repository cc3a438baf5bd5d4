"""Annealing of ions on sites, and of species on filled sites: Metropolis with given random numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from simkit.arrays import Floats, Integers
from simkit.errors import InputError


@dataclass(frozen=True, eq=False)
class Gas:
    """Sites that ions share.

    pair (m, m) eV, symmetric and finite; forbidden (m, m) bool, symmetric: never both filled;
    site_energy (m,) eV; group (m,) whole numbers: ions jump within their group only
    """

    pair: Floats
    forbidden: np.ndarray
    site_energy: Floats
    group: Integers


def anneal(occupied: np.ndarray, repulsion: Floats, site_energy: Floats, draws: Floats, heat_eV: Floats) -> np.ndarray:
    """`anneal_gas` for one group of sites; an infinite repulsion means that both sites are never filled."""
    forbidden = np.isinf(repulsion)
    np.fill_diagonal(forbidden, False)
    pair = np.where(np.isinf(repulsion), 0.0, repulsion)
    group = np.zeros(len(pair), dtype=np.int64)
    return anneal_gas(Gas(pair, forbidden, site_energy, group), occupied, draws, heat_eV)


def anneal_gas(gas: Gas, occupied: np.ndarray, draws: Floats, heat_eV: Floats) -> np.ndarray:
    """Lowest-energy occupation met while ions jump to random empty sites of their group as the temperature falls.

    E = sum_i e_i n_i + 1/2 sum_{i != j} w_ij n_i n_j

    occupied (m,) bool, the start, which must respect the exclusions; draws (t, 3) uniform numbers in [0, 1):
    which ion, which site, acceptance; heat_eV (t,) kT of each trial, eV. The number of ions in every group is
    kept. Same draws, same answer.
    Raises InputError where the start breaks an exclusion. The global minimum is not promised.
    """
    occupied = np.array(occupied, dtype=np.bool_)
    forbidden = np.ascontiguousarray(gas.forbidden)
    if np.any(forbidden[np.ix_(occupied, occupied)]):
        raise InputError("two ions of the start sit on sites that exclude each other; start otherwise.")
    filled, empty = np.flatnonzero(occupied), np.flatnonzero(~occupied)
    if len(filled) == 0 or len(empty) == 0 or len(draws) == 0:
        return occupied
    _, group = np.unique(gas.group, return_inverse=True)
    empty = empty[np.argsort(group[empty], kind="stable")]
    starts = np.searchsorted(group[empty], np.arange(group.max() + 2))
    pair = np.array(gas.pair, dtype=np.float64)
    np.fill_diagonal(pair, 0.0)
    field = gas.site_energy + pair[:, filled].sum(axis=1)
    blocked = forbidden[:, filled].sum(axis=1).astype(np.int64)
    best = filled.copy()
    # entry [new, k] of the transposes is [k, new] of the tables: rows are read in order
    tables = (np.ascontiguousarray(pair.T), np.ascontiguousarray(forbidden.T), group, starts)
    _walk((filled, empty), tables, (field, blocked), np.ascontiguousarray(draws), heat_eV, best)
    result = np.zeros(len(occupied), dtype=np.bool_)
    result[best] = True
    return result


@njit(cache=True)
def _walk(places, tables, state, draws, heat, best):
    filled, empty = places
    pair, forbidden, group, starts = tables
    field, blocked = state
    energy, lowest = 0.0, 0.0
    for t in range(len(draws)):
        a = int(draws[t, 0] * len(filled))
        old = filled[a]
        low, high = starts[group[old]], starts[group[old] + 1]
        if low == high:
            continue
        b = low + int(draws[t, 1] * (high - low))
        new = empty[b]
        barred = blocked[new] - (1 if forbidden[old, new] else 0)
        if barred > 0:
            continue
        change = field[new] - pair[old, new] - field[old]
        if change > 0.0 and draws[t, 2] >= np.exp(-change / heat[t]):
            continue
        filled[a], empty[b] = new, old
        energy += change
        to, leave, bars, frees = pair[new], pair[old], forbidden[new], forbidden[old]
        for k in range(len(field)):
            field[k] += to[k] - leave[k]
        for k in range(len(field)):
            blocked[k] += np.int64(bars[k]) - np.int64(frees[k])
        if energy < lowest - 1e-9:
            lowest = energy
            best[:] = filled


def anneal_species(charge: Floats, pair: Floats, field: Floats, group: Integers, random: tuple) -> Integers:
    """(m,) order of the charges over the sites with the lowest energy met while pairs of a group change places.

    E = 1/2 sum_{i != j} q_i q_j w_ij + sum_i q_i f_i with q_i = charge[order[i]]

    charge (m,) of what sits on each site at the start; pair (m, m) symmetric; field (m,); group (m,) whole
    numbers; random: draws (t, 3) uniform in [0, 1) - which site, which partner, acceptance - and heat (t,) kT
    in the units of E. Charges move within their group only. Same draws, same answer; no promise of the minimum.
    """
    draws, heat = random
    _, group = np.unique(group, return_inverse=True)
    members = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[members], np.arange(group.max() + 2)) if len(group) else np.zeros(1, dtype=np.int64)
    order = np.arange(len(charge))
    if len(charge) < 2:
        return order
    pair = np.array(pair, dtype=np.float64)
    np.fill_diagonal(pair, 0.0)
    now = np.array(charge, dtype=np.float64)
    best = order.copy()
    _exchange(
        (now, field + pair @ now, order, best), np.ascontiguousarray(pair.T), (group, members, starts), draws, heat
    )
    return best


@njit(cache=True)
def _exchange(state, pair, table, draws, heat):
    charge, potential, order, best = state
    group, members, starts = table
    energy, lowest = 0.0, 0.0
    for t in range(len(draws)):
        i = int(draws[t, 0] * len(charge))
        low, high = starts[group[i]], starts[group[i] + 1]
        j = members[low + int(draws[t, 1] * (high - low))]
        step = charge[j] - charge[i]
        if step == 0.0:
            continue
        change = step * (potential[i] - potential[j]) - step * step * pair[j, i]
        if change > 0.0 and draws[t, 2] >= np.exp(-change / heat[t]):
            continue
        charge[i] += step
        charge[j] -= step
        order[i], order[j] = order[j], order[i]
        energy += change
        to, leave = pair[i], pair[j]
        for k in range(len(charge)):
            potential[k] += step * (to[k] - leave[k])
        if energy < lowest - 1e-9:
            lowest = energy
            best[:] = order
