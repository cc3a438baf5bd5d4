"""Ions on the sites of galleries and tunnels: exact counts, hard-core exclusion, screened repulsion, by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.fill.arrange import ordered, screened_pairs
from simkit.build.fill.ewald import COULOMB_EV_A
from simkit.build.scaffold import HARD_CORE_A, Scaffold
from simkit.build.valence import ion_valence
from simkit.errors import InputError
from simkit.kernels.lattice_gas import Gas, anneal_gas
from simkit.kernels.pair_search import Pairs, find_pairs

PERMITTIVITY = 3.0
SCREENING_A = 2.5
"""Repulsion between two ions: 14.4 exp(-r / 2.5) / (3 r) eV, a screened start, not an energy."""
REPULSION_CUTOFF_A = 14.0
FACE_EV_PER_VALENCE = 0.005
"""Penalty of a site for each metal octahedron it shares a face with, per unit of that metal's valence, eV: chosen
so that P2 at 2/3 comes out near the observed e : f of 0.40 : 0.26."""
TRIALS_PER_SITE = 300
HOT_EV, COLD_EV = 0.4, 0.01
FLAT_A = 1.5
"""Sites of one gallery within this height of each other repel in the plane only, A."""
FACE_ANIONS = 3
METAL_ANION_A, SITE_ANION_A = 2.6, 3.0
"""A site shares a face with a metal where both have three anions in common within these distances, A."""
CHOICES = {"e": ("e", "f"), "f": ("f", "e"), "lower": ("ef", "fe"), "upper": ("fe", "ef")}
"""Choice of `Composition.sites` -> the kind it takes, the kind it leaves."""


@dataclass(frozen=True, eq=False)
class Sublattice:
    """Candidate sites that are filled together: the usable ones of one gallery, or of all tunnels.

    sites (m,) indices into the scaffold; group (m,) [0, m) -> [0, counts); counts ions of each group;
    first (m,) bool, the sites tried first for a start
    """

    sites: Integers
    group: Integers
    counts: tuple[int, ...]
    first: np.ndarray


def placed(
    scaffold: Scaffold, charge: Floats, strata: Sequence[int], counts: Sequence[int], rng: np.random.Generator
) -> Integers:
    """Indices of the sites of these alkali strata that are filled, in order.

    charge (m,) formal charges of what is there already; counts of ions in each stratum
    Raises InputError where so many ions do not fit without hard contacts.
    """
    lattice = sublattice(scaffold, strata, counts)
    what = f"gallery {int(scaffold.gallery[lattice.sites[0]])}" if len(lattice.sites) else "alkali sites"
    orderings = {scaffold.regions[scaffold.strata[k].region].composition.ordering for k in strata}
    if orderings == {"random"}:
        forbidden = exclusions(scaffold.positions[lattice.sites], scaffold.cell)
        anywhere = replace(lattice, first=np.ones(len(lattice.sites), dtype=bool))
        return lattice.sites[start(anywhere, forbidden, rng, what)]
    points, cell = plane_of(scaffold, lattice.sites)
    energies = face_energies(scaffold, charge, lattice.sites)
    return lattice.sites[screened(points, cell, lattice, energies, (rng, what))]


def named(scaffold: Scaffold, sites: Integers, counts: Mapping[str, int], key: tuple[int, ...]) -> np.ndarray:
    """The symbols of the ions on these sites of one stratum: unlike charges apart, or in random order.

    counts of each element; key of the random stream of the stratum
    """
    rng = np.random.default_rng((*key, 1))
    names = rng.permutation([name for name, n in counts.items() for _ in range(n)])
    if len(counts) < 2 or scaffold.regions[scaffold.region[sites[0]]].composition.ordering == "random":
        return names
    charge = np.array([ion_valence(str(name)) for name in names], dtype=np.float64)
    points = np.array(scaffold.positions[sites])
    group = np.zeros(len(sites), dtype=np.int64)
    return ordered(names, charge - charge.mean(), screened_pairs(points, scaffold.cell), group, rng)


def sublattice(scaffold: Scaffold, strata: Sequence[int], counts: Sequence[int]) -> Sublattice:
    """The sites that ions of these alkali strata may fill, following each region's choice of `sites`."""
    sites, group, first = [], [], []
    for g, (k, count) in enumerate(zip(strata, counts, strict=True)):
        mine = np.flatnonzero(scaffold.stratum == k)
        stratum = scaffold.strata[k]
        usable = _usable(
            scaffold.kind[mine], scaffold.regions[stratum.region].composition.sites, count, stratum.capacity
        )
        mine = mine[usable]
        sites.append(mine)
        group.append(np.full(len(mine), g))
        first.append(scaffold.kind[mine] == scaffold.kind[mine[0]] if len(mine) else np.zeros(0, dtype=bool))
    return Sublattice(np.concatenate(sites), np.concatenate(group), tuple(counts), np.concatenate(first))


def _usable(kinds: np.ndarray, choice: str, count: int, capacity: int) -> np.ndarray:
    """(n,) bool: "e", "f", "lower", "upper" leave out their partner; a full gallery takes one kind alone, and so
    does T2 at any content unless "mixed" (its two kinds come as near as 0.87 a)."""
    if choice in CHOICES and (kinds == CHOICES[choice][0]).any():
        return kinds != CHOICES[choice][1]
    if choice != "mixed" and (kinds == "tl").any():
        return kinds != "tr"
    for kind, partner in (("e", "f"), ("ef", "fe")):
        if count == capacity and (kinds == kind).sum() >= count:
            return kinds != partner
    return np.ones(len(kinds), dtype=bool)


def exclusions(points: Floats, cell: Floats) -> np.ndarray:
    """(m, m) bool: pairs of sites in hard contact, nearer than `HARD_CORE_A` through any image.

    points (m, d) A, cell (d, d) A, d = 2 or 3
    """
    pairs = _pairs(points, cell, HARD_CORE_A)
    forbidden = np.zeros((len(points), len(points)), dtype=bool)
    forbidden[pairs.point, pairs.atom] = True
    np.fill_diagonal(forbidden, False)
    return forbidden


def start(lattice: Sublattice, forbidden: np.ndarray, rng: np.random.Generator, what: str) -> np.ndarray:
    """(m,) bool: a first filling without hard contacts, by seed.

    Raises InputError where so many ions do not fit, with the number that was reached.
    """
    occupied = np.zeros(len(lattice.sites), dtype=bool)
    crowded = forbidden.any()
    for g, count in enumerate(lattice.counts):
        mine = np.flatnonzero(lattice.group == g)
        free = mine[lattice.first[mine]] if crowded else mine
        _fill(occupied, free[rng.permutation(len(free))], count, forbidden)
        missing = count - int(occupied[mine].sum())
        if missing > 0:
            rest = np.setdiff1d(mine, free)
            _fill(occupied, rest[rng.permutation(len(rest))], missing, forbidden)
    if occupied.sum() < sum(lattice.counts):
        return _squeezed(lattice, occupied, forbidden, (rng, what))
    return occupied


def _fill(occupied: np.ndarray, order: Integers, count: int, forbidden: np.ndarray) -> None:
    blocked = forbidden[:, occupied].any(axis=1)
    for i in order:
        if count == 0:
            return
        if not blocked[i]:
            occupied[i] = True
            blocked |= forbidden[i]
            count -= 1


def _squeezed(lattice: Sublattice, occupied: np.ndarray, forbidden: np.ndarray, ask: tuple) -> np.ndarray:
    """All ions in, at first with contacts, which an anneal of their number then removes."""
    rng, what = ask
    reached = int(occupied.sum())
    for g, count in enumerate(lattice.counts):
        empty = np.flatnonzero((lattice.group == g) & ~occupied)
        missing = count - int(occupied[lattice.group == g].sum())
        if missing > len(empty):
            most = int((lattice.group == g).sum())
            raise InputError(f"{what}: {count} ions were asked on {most} sites; ask for {most} at most.")
        occupied[rng.permutation(empty)[:missing]] = True
    gas = Gas(forbidden.astype(np.float64), np.zeros_like(forbidden), np.zeros(len(occupied)), lattice.group)
    trials = TRIALS_PER_SITE * len(occupied)
    heat = 1.0 * 0.05 ** np.linspace(0.0, 1.0, trials)
    occupied = anneal_gas(gas, occupied, rng.random((trials, 3)), heat)
    contacts = forbidden[np.ix_(occupied, occupied)]
    if contacts.any():
        raise InputError(
            f"{what}: {sum(lattice.counts)} ions do not fit on {len(occupied)} sites without two of them nearer than "
            f"{HARD_CORE_A} A; {max(reached, _apart(contacts))} do: lower the content to that."
        )
    return occupied


def _apart(contacts: np.ndarray) -> int:
    """How many ions stay when the one with the most contacts is taken away until there are none."""
    contacts = contacts.copy()
    removed = 0
    while contacts.any():
        worst = int(np.argmax(contacts.sum(axis=1)))
        contacts[worst] = contacts[:, worst] = False
        removed += 1
    return len(contacts) - removed


def screened(
    points: Floats, cell: Floats, lattice: Sublattice, site_energy: Floats, ask: tuple[np.random.Generator, str]
) -> np.ndarray:
    """(m,) bool: the sites filled with little screened repulsion, counts of every group exact.

    points (m, d) A and cell (d, d) A, d = 2 for a flat gallery; site_energy (m,) eV
    ask: the random stream and the name of the place for messages
    A seeded anneal: low in repulsion, not promised to be the lowest.
    """
    rng, what = ask
    forbidden = exclusions(points, cell)
    full = [n == int((lattice.group == g).sum()) for g, n in enumerate(lattice.counts)]
    if not sum(lattice.counts) or (all(full) and not forbidden.any()):
        return np.full(len(points), bool(sum(lattice.counts)))
    occupied = start(lattice, forbidden, rng, what)
    trials = TRIALS_PER_SITE * len(points)
    heat = HOT_EV * (COLD_EV / HOT_EV) ** np.linspace(0.0, 1.0, trials)
    gas = Gas(np.where(forbidden, 0.0, pair_repulsion(points, cell)), forbidden, site_energy, lattice.group)
    return anneal_gas(gas, occupied, rng.random((trials, 3)), heat)


def pair_repulsion(points: Floats, cell: Floats) -> Floats:
    """(m, m) eV screened repulsion between sites, all images; infinite in hard contact, nearer than 2.2 A.

    points (m, d) A, cell (d, d) A with d = 2 (one gallery, in its plane) or 3
    """
    pairs = _pairs(points, cell, REPULSION_CUTOFF_A)
    energy = COULOMB_EV_A / PERMITTIVITY * np.exp(-pairs.distance / SCREENING_A) / pairs.distance
    energy[pairs.distance < HARD_CORE_A] = np.inf
    return np.bincount(pairs.point * len(points) + pairs.atom, energy, len(points) ** 2).reshape(2 * (len(points),))


def _pairs(points: Floats, cell: Floats, reach_A: float) -> Pairs:
    """`find_pairs` of points with themselves, in a plane (d = 2) or in space."""
    if points.shape[1] == 2:
        points = np.pad(points, ((0, 0), (0, 1)))
        cell = np.pad(cell, ((0, 1), (0, 1)))
        cell[2, 2] = 2.0 * reach_A
    return find_pairs(points, points, cell, reach_A)


def plane_of(scaffold: Scaffold, sites: Integers) -> tuple[Floats, Floats]:
    """Points and cell in which sites repel: the layer plane for a flat gallery, else all three directions."""
    points, cell = scaffold.positions[sites], scaffold.cell
    lies = np.allclose(cell[:2, 2], 0.0, atol=1e-9) and _one_gallery(scaffold.gallery[sites])
    if lies and np.ptp(points[:, 2]) < FLAT_A:
        return points[:, :2], cell[:2, :2]
    return points, cell


def _one_gallery(gallery: Integers) -> bool:
    return len(gallery) > 0 and bool(gallery[0] >= 0) and bool((gallery == gallery[0]).all())


def face_energies(scaffold: Scaffold, charge: Floats, sites: Integers) -> Floats:
    """(sites,) eV penalty for octahedral faces shared with metals: three anions in common with one image of it."""
    metal, anion = np.flatnonzero(scaffold.role == "metal"), np.flatnonzero(scaffold.role == "anion")
    anions = scaffold.positions[anion]
    to_anion = find_pairs(scaffold.positions[sites], anions, scaffold.cell, SITE_ANION_A)
    near, rank = np.unique(to_anion.atom, return_inverse=True)
    to_metal = find_pairs(anions[near], scaffold.positions[metal], scaffold.cell, METAL_ANION_A)
    first = np.searchsorted(to_metal.point, rank, side="left")
    number = np.searchsorted(to_metal.point, rank, side="right") - first
    left = np.repeat(np.arange(len(to_anion)), number)
    right = first[left] + np.arange(len(left)) - np.repeat(np.cumsum(number) - number, number)
    step = to_metal.shift[right] + to_anion.shift[left]
    key = np.column_stack([to_anion.point[left], to_metal.atom[right], step])
    unique, common = np.unique(key, axis=0, return_counts=True)
    faces = unique[common >= FACE_ANIONS]
    return FACE_EV_PER_VALENCE * np.bincount(faces[:, 0], charge[metal[faces[:, 1]]], minlength=len(sites))
