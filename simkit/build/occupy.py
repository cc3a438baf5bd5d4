"""Filling a scaffold: exact counts per region and stratum, then who sits where, by seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.composition import Composition
from simkit.build.decorate import whole_counts
from simkit.build.scaffold import HARD_CORE_A, Scaffold
from simkit.build.sites import Sites, site_tag
from simkit.elements import atomic_number
from simkit.kernels.pair_search import find_pairs
from simkit.structure import Structure


@dataclass(frozen=True, eq=False)
class Filled:
    """A filled scaffold: the structure, and atom_of (m,) [0, sites) -> [0, atoms) or -1 where a site is empty."""

    structure: Structure
    atom_of: Integers


def occupy(scaffold: Scaffold, seed: int) -> Filled:
    """Fill every stratum to the count nearest to its region's composition; same seed, same cell, byte for byte.

    Raises InputError where a composition cannot be reached on these sites, with the nearest that can.
    """
    names = np.full(len(scaffold), "", dtype="<U2")
    for k, stratum in enumerate(scaffold.strata):
        rng = np.random.default_rng((seed, k))
        mine = np.flatnonzero(scaffold.stratum == k)
        composition = scaffold.regions[stratum.region].composition
        if stratum.role == "alkali":
            chosen = _ions(scaffold.positions[mine], scaffold.cell, _count(composition, stratum.capacity), rng)
            names[mine[chosen]] = composition.alkali
            continue
        table = {"anion": composition.anions, "metal": composition.mean_metals, "tetrahedral": composition.tetrahedral}
        counts = whole_counts(table[stratum.role], len(mine), f"{stratum.role} sites")
        names[mine] = rng.permutation([name for name, n in counts.items() for _ in range(n)])
    return filled(scaffold, names)


def filled(scaffold: Scaffold, names: np.ndarray) -> Filled:
    """The structure with a symbol on every site of `names` (m,) that is not the empty string."""
    there = np.flatnonzero(names != "")
    atom_of = np.full(len(scaffold), -1)
    atom_of[there] = np.arange(len(there))
    region, role = scaffold.region[there], scaffold.role[there]
    sites = [
        site_tag(str(kind), str(name)) if r == "alkali" else str(kind)
        for kind, name, r in zip(scaffold.kind[there], names[there], role, strict=True)
    ]
    tags = {
        "gallery": scaffold.gallery[there],
        "phase": np.array([r.phase for r in scaffold.regions])[region],
        "site": np.array(sites),
        "block": region,
    }
    numbers = np.array([atomic_number(str(name)) for name in names[there]])
    return Filled(
        Structure(numbers, scaffold.positions[there], scaffold.cell, layers=scaffold.layers[there], tags=tags), atom_of
    )


def candidates(scaffold: Scaffold, atom_of: Integers) -> Sites:
    """The alkali sites of a filled scaffold."""
    mine = scaffold.role == "alkali"
    return Sites(scaffold.positions[mine], scaffold.gallery[mine], scaffold.kind[mine], atom_of[mine])


def _count(composition: Composition, capacity: int) -> int:
    return int(np.floor(composition.mean_content * capacity + 0.5))


def _ions(points: Floats, cell: Floats, count: int, rng: np.random.Generator) -> list[int]:
    pairs = find_pairs(points, points, cell, HARD_CORE_A)
    chosen: list[int] = []
    for i in rng.permutation(len(points)):
        clash = pairs.atom[(pairs.point == i) & (pairs.atom != i)]
        if len(chosen) < count and not np.isin(clash, chosen).any():
            chosen.append(int(i))
    return sorted(chosen)
