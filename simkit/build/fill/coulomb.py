"""Ion order by the full Coulomb sum: a lattice gas over all galleries on the formal charges of the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats
from simkit.build.fill.ewald import COARSE, COULOMB_EV_A, DECAY, potential_of, potentials
from simkit.build.fill.ions import Sublattice, exclusions, sublattice
from simkit.build.scaffold import HARD_CORE_A, Scaffold
from simkit.build.valence import ion_valence
from simkit.kernels.lattice_gas import Gas, anneal_gas, anneal_species
from simkit.kernels.pair_search import find_pairs

TRIALS_PER_SITE, LEAST_TRIALS, MOST_TRIALS = 8000, 20000, 1_500_000
HOT_EV, COLD_EV = 3.0, 0.05
"""First and last kT, eV: exchanges between galleries' sites cost from 0.05 to a few eV unscreened."""
FINE_SITES = 600
"""With more ion sites the sums stop at 5e-6 instead of 4e-11: enough for differences of many meV."""


@dataclass(frozen=True, eq=False)
class Coulomb:
    """Tables of the lattice gas.

    lattice  sites that ions may take and the counts of each stratum
    occupied (m,) bool, the start; names (s,) symbols of the whole scaffold at the start
    pair (m, m), host (m,) 1/A: potentials of unit charges on the sites and of everything that stays
    forbidden (m, m) bool
    """

    lattice: Sublattice
    occupied: np.ndarray
    names: np.ndarray
    pair: Floats
    host: Floats
    forbidden: np.ndarray


def coulomb(scaffold: Scaffold, names: np.ndarray, charge: Floats, strata: Sequence[int]) -> Coulomb:
    """Tables for the ions of these alkali strata; names (s,) and charge (s,) of the filled scaffold, e."""
    strata = [k for k in strata if ((scaffold.stratum == k) & (names != "")).any()]
    counts = [int(((scaffold.stratum == k) & (names != "")).sum()) for k in strata]
    movable = np.isin(scaffold.stratum, strata)
    lattice = _free(
        scaffold, sublattice(scaffold, strata, counts), ~movable & (scaffold.role == "alkali") & (names != "")
    )
    points = np.array(scaffold.positions[lattice.sites])
    stays = ~movable & (names != "")
    host = scaffold.positions[stays]
    decay = DECAY if len(points) <= FINE_SITES else COARSE
    return Coulomb(
        lattice,
        names[lattice.sites] != "",
        names,
        potentials(points, points, scaffold.cell, decay),
        potential_of(points, host, charge[stays], scaffold.cell, decay),
        exclusions(points, scaffold.cell),
    )


def _free(scaffold: Scaffold, lattice: Sublattice, others: np.ndarray) -> Sublattice:
    """The sites that are not in hard contact with ions that stay."""
    pairs = find_pairs(
        scaffold.positions[lattice.sites], np.array(scaffold.positions[others]), scaffold.cell, HARD_CORE_A
    )
    keep = np.setdiff1d(np.arange(len(lattice.sites)), pairs.point)
    return Sublattice(lattice.sites[keep], lattice.group[keep], lattice.counts, lattice.first[keep])


def annealed(table: Coulomb, rng: np.random.Generator, cold_eV: float = COLD_EV) -> tuple[np.ndarray, float]:
    """Symbols (s,) of the whole scaffold after an anneal, and the Coulomb energy of its ions, eV.

    The energy is that among the ions and with what stays, not that of what stays. Ions jump within their stratum,
    so counts stay; all galleries feel one another. Where a stratum holds more than one species, sites are chosen
    for their mean charge first, then the species exchanged.
    """
    lattice, names = table.lattice, table.names.copy()
    start = names[lattice.sites]
    mean = _mean_charges(lattice, start)
    gas = Gas(
        COULOMB_EV_A * table.pair * np.outer(mean, mean),
        table.forbidden,
        COULOMB_EV_A * mean * table.host,
        lattice.group,
    )
    trials = min(max(LEAST_TRIALS, TRIALS_PER_SITE * len(mean)), MOST_TRIALS)
    heat = HOT_EV * (cold_eV / HOT_EV) ** np.linspace(0.0, 1.0, trials)
    occupied = anneal_gas(gas, table.occupied, rng.random((trials, 3)), heat)
    symbols = np.full(len(mean), "", dtype=names.dtype)
    for g in range(len(lattice.counts)):
        mine = lattice.group == g
        symbols[np.flatnonzero(mine & occupied)] = start[mine & (start != "")]
    chosen = np.flatnonzero(occupied)
    charge = np.array([ion_valence(str(s)) for s in symbols[chosen]], dtype=np.float64)
    pair, host = COULOMB_EV_A * table.pair[np.ix_(chosen, chosen)], COULOMB_EV_A * table.host[chosen]
    if len(np.unique(charge)) > 1:
        order = anneal_species(charge, pair, host, lattice.group[chosen], (rng.random((trials, 3)), heat))
        symbols[chosen], charge = symbols[chosen][order], charge[order]
    names[lattice.sites] = symbols
    return names, float(charge @ host + 0.5 * charge @ pair @ charge)


def _mean_charges(lattice: Sublattice, names: np.ndarray) -> Floats:
    mean = np.zeros(len(names))
    for g in range(len(lattice.counts)):
        mine = lattice.group == g
        there = names[mine & (names != "")]
        mean[mine] = np.mean([ion_valence(str(s)) for s in there]) if len(there) else 1.0
    return mean
