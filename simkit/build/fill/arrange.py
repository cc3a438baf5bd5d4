"""How metals and anions are laid out in a region: unlike charges apart, named patterns, quasirandom."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.fill.patterns import patterned
from simkit.build.scaffold import CENTRE, Scaffold
from simkit.build.valence import ANION_VALENCE, octahedral_radius_A
from simkit.errors import InputError
from simkit.kernels.lattice_gas import anneal_species
from simkit.kernels.pair_search import find_pairs

SCREENING_A, CUTOFF_A = 2.5, 12.0
"""Charges q repel as q_i q_j exp(-r / 2.5) / r up to 12 A, where exp(-r / 2.5) is below 0.01."""
TRIALS_PER_SITE, MOST_TRIALS, HOT, COLD = 4000, 1_200_000, 0.4, 0.01
"""Exchanges tried per site, and in all; first kT over the largest pair energy; last kT over the first."""
ATTEMPTS = 6
QUASIRANDOM = "simkit.build.fill.quasirandom"
"""Imported by name when asked for: icet takes seconds to load."""


def arranged(scaffold: Scaffold, names: np.ndarray, charge: Floats, keys: Sequence[tuple[int, ...]]) -> np.ndarray:
    """(m,) symbols with every region's metals and anions laid out as its composition asks.

    names (m,) symbols drawn at random; charge (m,) formal charges; keys of the random stream of each stratum
    Counts of every stratum stay. Raises InputError where a pattern does not fit the supercell.
    """
    names = names.copy()
    for r, region in enumerate(scaffold.regions):
        kind = region.composition.arrangement
        if kind == "random":
            continue
        for role in ("metal", "anion"):
            sites = np.flatnonzero((scaffold.role == role) & (scaffold.region == r))
            if len(np.unique(names[sites])) < 2:
                continue
            names[sites] = _laid_out(kind, scaffold, sites, (names[sites], charge[sites], keys))
    return names


def _laid_out(kind: str, scaffold: Scaffold, sites: Integers, now: tuple) -> np.ndarray:
    names, charge, keys = now
    stratum = scaffold.stratum[sites]
    key = (*keys[int(stratum[0])], 2)
    metal = scaffold.role[sites[0]] == "metal"
    if kind == "sqs":
        heavy = importlib.import_module(QUASIRANDOM)
        return heavy.quasirandom(scaffold.positions[sites], scaffold.cell, names, stratum, key)
    contrast = contrasts(names, charge, stratum)
    pair = screened_pairs(scaffold.positions[sites], scaffold.cell)
    if kind == "ordered" or not metal:
        return ordered(names, contrast, pair, stratum, np.random.default_rng(key))
    if (scaffold.layers[sites] < 0).any():
        raise InputError(f"arrangement {kind!r} is a pattern of slab metals; take 'ordered' or 'random' here.")
    centres = scaffold.kind[sites] == CENTRE
    return patterned(kind, (scaffold.positions[sites], scaffold.cell), (names, contrast, stratum, centres), pair)


def contrasts(names: np.ndarray, charge: Floats, stratum: Integers) -> Floats:
    """(n,) what tells the species apart: charge less the mean of the stratum, or minus the radius where all agree."""
    value = np.array(charge, dtype=np.float64)
    for k in np.unique(stratum):
        mine = stratum == k
        if np.ptp(value[mine]) < 1e-6:
            value[mine] = [-_radius(str(name), q) for name, q in zip(names[mine], charge[mine], strict=True)]
        value[mine] -= value[mine].mean()
    return value


def _radius(symbol: str, charge: float) -> float:
    return 0.0 if symbol in ANION_VALENCE else octahedral_radius_A(symbol, charge)


def screened_pairs(points: Floats, cell: Floats) -> Floats:
    """(n, n) 1/A: sum over images of exp(-r / 2.5) / r up to 12 A, no self term."""
    pairs = find_pairs(points, points, cell, CUTOFF_A)
    value = np.exp(-pairs.distance / SCREENING_A) / pairs.distance
    flat = np.bincount(pairs.point * len(points) + pairs.atom, value, minlength=len(points) ** 2)
    matrix = flat.reshape(len(points), len(points))
    np.fill_diagonal(matrix, 0.0)
    return matrix


def ordered(names: np.ndarray, contrast: Floats, pair: Floats, group: Integers, rng: np.random.Generator) -> np.ndarray:
    """(n,) symbols exchanged within their group until like charges are far apart; best of a few seeded anneals."""
    trials = min(TRIALS_PER_SITE * len(names), MOST_TRIALS)
    hot = HOT * max(float(np.square(contrast).max() * pair.max()), 1e-12)
    heat = hot * COLD ** np.linspace(0.0, 1.0, trials)
    best, lowest = names, np.inf
    for _ in range(ATTEMPTS):
        order = anneal_species(contrast, pair, np.zeros(len(names)), group, (rng.random((trials, 3)), heat))
        energy = 0.5 * contrast[order] @ pair @ contrast[order]
        if energy < lowest - 1e-9:
            best, lowest = names[order], energy
    return best
