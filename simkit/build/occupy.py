"""Filling a scaffold: exact counts per region and stratum, then who sits where, by seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from simkit.arrays import Integers
from simkit.build.fill.arrange import arranged
from simkit.build.fill.charges import filled_charges, parts, site_charges
from simkit.build.fill.coulomb import annealed, coulomb
from simkit.build.fill.counts import stratum_counts, stratum_level
from simkit.build.fill.ions import named, placed
from simkit.build.scaffold import CENTRE, HARD_CORE_A, Scaffold
from simkit.build.sites import Sites, site_tag
from simkit.elements import atomic_number
from simkit.kernels.pair_search import find_pairs
from simkit.structure import Structure

STREAMS: Mapping[str, int] = MappingProxyType({"metal": 0, "alkali": 1, "anion": 2, "tetrahedral": 3})
BETWEEN_SLABS, WITHOUT_LEVEL = 4, 8
"""Added to the stream number of metals between slabs, and of strata that lie in no single slab or gallery."""
WALKS = 4
"""Anneals of which the lowest is kept."""


@dataclass(frozen=True, eq=False)
class Filled:
    """A filled scaffold: the structure, and atom_of (m,) [0, sites) -> [0, atoms) or -1 where a site is empty."""

    structure: Structure
    atom_of: Integers


def occupy(scaffold: Scaffold, seed: int) -> Filled:
    """Fill every stratum to the count nearest to its region's composition; same seed, same cell, byte for byte.

    Raises InputError where a composition cannot be reached on these sites, with the nearest that can.
    """
    return filled(scaffold, occupants(scaffold, seed))


def occupants(scaffold: Scaffold, seed: int) -> np.ndarray:
    """(m,) symbol on every site, the empty string where none is; errors and promises as for `occupy`."""
    counts, keys = stratum_counts(scaffold), streams(scaffold, seed)
    names = np.full(len(scaffold), "", dtype="<U2")
    for k, stratum in enumerate(scaffold.strata):
        if stratum.role != "alkali":
            pool = [name for name, n in counts[k].items() for _ in range(n)]
            pool += [""] * (int((scaffold.stratum == k).sum()) - len(pool))
            names[scaffold.stratum == k] = np.random.default_rng(keys[k]).permutation(pool)
    found = parts(scaffold, counts)
    names = arranged(scaffold, names, site_charges(scaffold, names, found), keys)
    charge = site_charges(scaffold, names, found)
    for strata in ion_groups(scaffold):
        random = np.random.default_rng(keys[strata[0]])
        ions = placed(scaffold, charge, strata, [sum(counts[k].values()) for k in strata], random)
        for k in strata:
            mine = ions[scaffold.stratum[ions] == k]
            names[mine] = named(scaffold, mine, counts[k], keys[k])
    return _by_coulomb(scaffold, names, keys)


def _by_coulomb(scaffold: Scaffold, names: np.ndarray, keys: list[tuple[int, ...]]) -> np.ndarray:
    """The ions of regions with ordering "ewald" at the lowest Coulomb energy of a few anneals."""
    strata = [
        k
        for k, s in enumerate(scaffold.strata)
        if s.role == "alkali" and scaffold.regions[s.region].composition.ordering == "ewald"
    ]
    if not ((names != "") & np.isin(scaffold.stratum, strata)).any():
        return names
    table = coulomb(scaffold, names, filled_charges(scaffold, names), strata)
    walks = [annealed(table, np.random.default_rng((*keys[strata[0]], 2, w + 1))) for w in range(WALKS)]
    return min(walks, key=lambda walk: walk[1])[0]


def ion_groups(scaffold: Scaffold) -> list[list[int]]:
    """Alkali strata that are filled together: of one gallery, without gallery, or with sites in hard contact."""
    mine = np.flatnonzero(scaffold.role == "alkali")
    points = scaffold.positions[mine]
    pairs = find_pairs(points, points, scaffold.cell, HARD_CORE_A)
    touching = np.unique(
        np.column_stack([scaffold.stratum[mine[pairs.point]], scaffold.stratum[mine[pairs.atom]]]), axis=0
    )
    strata = np.unique(scaffold.stratum[mine])
    level = {int(k): stratum_level(scaffold, int(k)) for k in strata}
    home = {k: next(other for other in level if level[other] == level[k]) for k in level}
    for first, second in touching:
        low, high = sorted((home[int(first)], home[int(second)]))
        home = {k: low if h == high else h for k, h in home.items()}
    return [[k for k in home if home[k] == h] for h in dict.fromkeys(home.values())]


def streams(scaffold: Scaffold, seed: int) -> list[tuple[int, ...]]:
    """Key of the random stream of each stratum: (seed, role, slab or gallery), and the region where levels are shared.

    Adding a block or another composition elsewhere leaves the streams of the other strata as they are.
    """
    keys: list[tuple[int, ...]] = []
    for k, stratum in enumerate(scaffold.strata):
        level, role = stratum_level(scaffold, k), STREAMS[stratum.role]
        if stratum.role == "metal" and (scaffold.layers[scaffold.stratum == k] < 0).any():
            role += BETWEEN_SLABS
        keys.append((seed, role, level) if level >= 0 else (seed, role + WITHOUT_LEVEL, k))
    # a trailing zero does not change a stream, so regions and strata count from 1
    shared = [key for key, n in Counter(keys).items() if n > 1]
    keys = [(*key, s.region + 1) if key in shared else key for key, s in zip(keys, scaffold.strata, strict=True)]
    shared = [key for key, n in Counter(keys).items() if n > 1]
    return [(*key, k + 1) if key in shared else key for k, key in enumerate(keys)]


def filled(scaffold: Scaffold, names: np.ndarray) -> Filled:
    """The structure with a symbol on every site of `names` (m,) that is not the empty string."""
    there = np.flatnonzero(names != "")
    atom_of = np.full(len(scaffold), -1)
    atom_of[there] = np.arange(len(there))
    region, role = scaffold.region[there], scaffold.role[there]
    sites = [
        site_tag(str(kind), str(name)) if r == "alkali" else str(kind).replace(CENTRE, "TM")
        for kind, name, r in zip(scaffold.kind[there], names[there], role, strict=True)
    ]
    tags = {
        "gallery": scaffold.gallery[there],
        "phase": np.array([r.phase for r in scaffold.regions])[region],
        "site": np.array(sites, dtype="<U8"),
        "block": region,
    }
    numbers = np.array([atomic_number(str(name)) for name in names[there]], dtype=np.int64)
    return Filled(
        Structure(numbers, scaffold.positions[there], scaffold.cell, layers=scaffold.layers[there], tags=tags), atom_of
    )


def candidates(scaffold: Scaffold, atom_of: Integers) -> Sites:
    """The alkali sites of a filled scaffold."""
    mine = scaffold.role == "alkali"
    return Sites(scaffold.positions[mine], scaffold.gallery[mine], scaffold.kind[mine], atom_of[mine])
