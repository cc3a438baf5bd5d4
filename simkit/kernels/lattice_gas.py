"""Annealing of ions on sites with hard-core exclusion and pair repulsion: Metropolis with given random numbers."""

from __future__ import annotations

import numpy as np
from numba import njit

from simkit.arrays import Floats
from simkit.errors import InputError


def anneal(occupied: np.ndarray, repulsion: Floats, site_energy: Floats, draws: Floats, heat_eV: Floats) -> np.ndarray:
    """Lowest-energy occupation met while ions jump to random empty sites as the temperature falls.

    E = sum_i e_i n_i + 1/2 sum_{i != j} w_ij n_i n_j, infinite w_ij meaning that both sites are never filled

    occupied (m,) bool, the start, which must respect the exclusions; repulsion (m, m) eV, symmetric;
    site_energy (m,) eV; draws (t, 3) uniform numbers in [0, 1): which ion, which site, acceptance;
    heat_eV (t,) kT of each trial, eV. The number of ions is kept. Same draws, same answer.
    Raises InputError where the start breaks an exclusion. The global minimum is not promised.
    """
    occupied = np.array(occupied, dtype=np.bool_)
    forbidden = np.isinf(repulsion)
    if np.any(forbidden[np.ix_(occupied, occupied)]):
        raise InputError("two ions of the start sit on sites that exclude each other; start otherwise.")
    filled, empty = np.flatnonzero(occupied), np.flatnonzero(~occupied)
    if len(filled) == 0 or len(empty) == 0 or len(draws) == 0:
        return occupied
    pair = np.where(forbidden, 0.0, repulsion)
    np.fill_diagonal(pair, 0.0)
    np.fill_diagonal(forbidden, False)
    field = site_energy + pair[:, filled].sum(axis=1)
    blocked = forbidden[:, filled].sum(axis=1).astype(np.int64)
    best = filled.copy()
    _walk((filled, empty), (pair, forbidden), (field, blocked), np.ascontiguousarray(draws), heat_eV, best)
    result = np.zeros(len(occupied), dtype=np.bool_)
    result[best] = True
    return result


@njit(cache=True)
def _walk(places, pairs, state, draws, heat, best):
    filled, empty = places
    pair, forbidden = pairs
    field, blocked = state
    energy, lowest = 0.0, 0.0
    for t in range(len(draws)):
        a, b = int(draws[t, 0] * len(filled)), int(draws[t, 1] * len(empty))
        old, new = filled[a], empty[b]
        barred = blocked[new] - (1 if forbidden[new, old] else 0)
        if barred > 0:
            continue
        change = field[new] - pair[new, old] - field[old]
        if change > 0.0 and draws[t, 2] >= np.exp(-change / heat[t]):
            continue
        filled[a], empty[b] = new, old
        energy += change
        for k in range(len(field)):
            field[k] += pair[k, new] - pair[k, old]
            blocked[k] += (1 if forbidden[k, new] else 0) - (1 if forbidden[k, old] else 0)
        if energy < lowest - 1e-9:
            lowest = energy
            best[:] = filled
