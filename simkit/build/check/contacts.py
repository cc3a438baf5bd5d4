"""Contacts of a cell: the role of every atom, its neighbours, and pairs that are too close."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.check.limits import Limits
from simkit.build.layering import ALKALI_NUMBERS, ANIONS
from simkit.build.valence import RADII_A
from simkit.elements import NUMBERS, SYMBOLS
from simkit.kernels.pair_search import Pairs, find_pairs
from simkit.structure import Structure

KINDS = ("O", "M", "A", "T")
"""Anion, octahedral metal, alkali ion, tetrahedral cation: the letters of the pair kinds."""
ROLE_KINDS: Mapping[str, int] = {"anion": 0, "metal": 1, "alkali": 2, "tetrahedral": 3}
"""Role of a scaffold site -> kind."""
ION_SITES = ("oct", "e", "f", "ef", "fe", "tl", "tr")
TETRAHEDRON_A, EMPTY_A = 2.5, 3.0
REACH_A = 4.2
"""Neighbours are listed up to this distance, A."""
ION_SHIFT_A: Mapping[int, float] = {
    NUMBERS[symbol]: shift for symbol, shift in {"Li": -0.35, "Mg": -0.30, "Zn": -0.28, "K": 0.2}.items()
}
"""How much closer (-) or farther than Na an ion of a gallery must stay from anions and metals, A."""
FACE_SHIFT_A: Mapping[int, float] = {
    NUMBERS[symbol]: shift for symbol, shift in {"Li": -0.25, "Mg": -0.25, "Zn": -0.25, "K": 0.55}.items()
}
"""How far from that of Na the distance lies below which an ion and a metal share a face: between face and edge, A."""
ANION_SHIFT_A: Mapping[int, float] = {NUMBERS["F"]: -0.07}
"""How much closer than O an anion may come to cations: 1.33 against 1.40 A (Shannon 1976)."""
ANION_RADII_A: Mapping[int, float] = {NUMBERS[s]: r for s, r in {"O": 1.40, "F": 1.33, "S": 1.84, "Se": 1.98}.items()}
"""Anion radii, A (Shannon, Acta Cryst. A 32, 751, 1976)."""
CROWDED = 0.88
"""A bond shorter than this part of the sum of ionic radii is crowded; it must open in relaxation."""


@dataclass(frozen=True, eq=False)
class Contacts:
    """Neighbour pairs of a structure up to `REACH_A` and each atom's kind (index into `KINDS`)."""

    kinds: Integers
    pairs: Pairs


def contacts(structure: Structure, kinds: Integers | None = None) -> Contacts:
    """Pairs within `REACH_A` and the kind of each atom (`kinds_of` unless given)."""
    pairs = find_pairs(structure.positions, structure.positions, structure.cell, REACH_A)
    return Contacts(kinds_of(structure, pairs) if kinds is None else np.asarray(kinds), pairs)


def kinds_of(structure: Structure, pairs: Pairs | None = None) -> Integers:
    """Kind of each atom from its number, its slab and its tag "site".

    A cation off the slabs is an ion where it is an alkali or its tag is that of a gallery site. Without the tag a
    cation with four anions within `TETRAHEDRON_A` and no fifth within `EMPTY_A` counts as tetrahedral.
    """
    kinds = np.full(len(structure), 1)
    anion = np.isin(structure.numbers, ANIONS)
    ion = np.isin(structure.numbers, ALKALI_NUMBERS)
    if "site" in structure.tags:
        site = structure.tags["site"].astype(str)
        ion |= np.isin(np.char.rpartition(site, "_")[:, 2], ION_SITES)
        tetrahedral = np.char.startswith(site, "tet")
    else:
        tetrahedral = _four_near(structure, anion, pairs)
    kinds[ion & (structure.layers < 0)] = 2
    kinds[tetrahedral] = 3
    kinds[anion] = 0
    return kinds


def _four_near(structure: Structure, anion: np.ndarray, pairs: Pairs | None) -> np.ndarray:
    if pairs is None:
        pairs = find_pairs(structure.positions, structure.positions, structure.cell, EMPTY_A)
    near = anion[pairs.atom] & ~anion[pairs.point]
    counts = [
        np.bincount(pairs.point[near & (pairs.distance < r)], minlength=len(anion)) for r in (TETRAHEDRON_A, EMPTY_A)
    ]
    return (counts[0] == 4) & (counts[1] == 4)


def overlaps(structure: Structure, minimum_A: float = 0.7) -> list[str]:
    """Pairs of atoms nearer than minimum_A: atoms on top of each other, in any structure."""
    pairs = find_pairs(structure.positions, structure.positions, structure.cell, minimum_A)
    pairs = pairs.take(pairs.point <= pairs.atom)
    return [pair_sentence(structure, pairs, k, minimum_A) for k in range(min(len(pairs), 5))]


def shortest_A(found: Contacts) -> dict[str, float]:
    """Shortest distance of each pair kind present: "O-O", "M-O", "A-O", "T-O", "M-M", "A-A", "A-M", "T-M" ..., A."""
    first, second = found.kinds[found.pairs.point], found.kinds[found.pairs.atom]
    least = np.full((len(KINDS), len(KINDS)), np.inf)
    np.minimum.at(least, (first, second), found.pairs.distance)
    order = ((0, 0), (1, 0), (2, 0), (1, 1), (2, 2), (2, 1), (3, 0), (3, 1), (3, 2), (3, 3))
    return {f"{KINDS[a]}-{KINDS[b]}": float(least[a, b]) for a, b in order if np.isfinite(least[a, b])}


def distance_problems(structure: Structure, limits: Limits | None = None, found: Contacts | None = None) -> list[str]:
    """Pairs nearer than the limits (first five), for cells as built; relaxed cells may be closer."""
    limits = limits or Limits()
    found = found or contacts(structure)
    pairs = found.pairs
    least = _minimum_table(limits)[found.kinds[pairs.point], found.kinds[pairs.atom]]
    least = least + _shift(structure, found)
    return _closer(structure, pairs, least)


def face_problems(structure: Structure, limits: Limits | None = None, found: Contacts | None = None) -> list[str]:
    """Cations whose polyhedra share a face: alkali and metal, tetrahedral cation and metal (soft)."""
    limits = limits or Limits()
    found = found or contacts(structure)
    table = np.zeros((4, 4))
    table[2, 1] = limits.face_sharing_A
    table[3, 1] = limits.tetrahedral_face_A
    pairs = found.pairs
    limit = table[found.kinds[pairs.point], found.kinds[pairs.atom]]
    limit = limit + np.where(
        found.kinds[pairs.point] == 2, _of_element(FACE_SHIFT_A)[structure.numbers[pairs.point]], 0.0
    )
    close = pairs.distance < limit
    near, least = pairs.take(close), limit[close]
    problems = []
    for kind, noun in ((2, "alkali"), (3, "tetrahedral")):
        mine = found.kinds[near.point] == kind
        if mine.any():
            k = int(np.flatnonzero(mine)[np.argmin(near.distance[mine])])
            problems.append(
                f"{len(np.unique(near.point[mine]))} {noun} cations share a face with a metal; the closest: "
                + pair_sentence(structure, near, k, float(least[k]), "without a shared face they are at least")
            )
    return problems


def crowding_problems(structure: Structure, found: Contacts | None = None) -> list[str]:
    """Bonds of slab metals shorter than `CROWDED` of their ionic radii: large ions on small sites (soft)."""
    found = found or contacts(structure)
    metal = np.array([min(RADII_A.get(s, {0: 0.0}).values()) for s in SYMBOLS])
    anion = np.array([ANION_RADII_A.get(z, 0.0) for z in range(len(SYMBOLS))])
    pairs = found.pairs
    pairs = pairs.take((found.kinds[pairs.point] == 1) & (found.kinds[pairs.atom] == 0) & (pairs.distance < 2.8))
    own, other = metal[structure.numbers[pairs.point]], anion[structure.numbers[pairs.atom]]
    least = np.where((own > 0) & (other > 0), CROWDED * (own + other), 0.0)
    kind = structure.numbers[pairs.point] * 200 + structure.numbers[pairs.atom]
    problems = []
    for key in np.unique(kind[pairs.distance < least]):
        mine = pairs.take((kind == key) & (pairs.distance < least))
        k = int(np.argmin(mine.distance))
        limit = float(least[kind == key][0])
        words = f"{100 * CROWDED:.0f} % of the ionic radii would be"
        text = pair_sentence(structure, mine, k, limit, words)
        problems.append(f"{len(mine)} crowded {SYMBOLS[key // 200]}-{SYMBOLS[key % 200]} bonds; the shortest: {text}")
    return problems


def name(structure: Structure, i: int) -> str:
    """Index and element of an atom, in words."""
    return f"atom {i} ({SYMBOLS[structure.numbers[i]]})"


def pair_sentence(structure: Structure, pairs: Pairs, k: int, least: float, words: str = "at least") -> str:
    """A sentence about pair k: both atoms, their distance and the least one."""
    i, j = int(pairs.point[k]), int(pairs.atom[k])
    image = "" if not pairs.shift[k].any() else " in the next cell"
    tail = f"{words} {least:.2f} A is needed." if words == "at least" else f"{words} {least:.2f} A."
    return f"{name(structure, i)} and {name(structure, j)}{image} are {pairs.distance[k]:.3f} A apart; {tail}"


def _closer(structure: Structure, pairs: Pairs, least: Floats) -> list[str]:
    wrong = np.flatnonzero((pairs.distance < least) & (pairs.point <= pairs.atom))
    return [pair_sentence(structure, pairs, k, float(least[k])) for k in wrong[:5]]


def _shift(structure: Structure, found: Contacts) -> Floats:
    """(p,) A added to the limit of each pair for the elements in it."""
    kinds, pairs = found.kinds, found.pairs
    ion, anion = _of_element(ION_SHIFT_A), _of_element(ANION_SHIFT_A)
    alkali = kinds == 2
    of_ion = np.where(alkali, ion[structure.numbers], 0.0)
    of_anion = np.where(kinds == 0, anion[structure.numbers], 0.0)
    one_alkali = alkali[pairs.point] != alkali[pairs.atom]
    one_anion = (kinds[pairs.point] == 0) != (kinds[pairs.atom] == 0)
    total = np.where(one_alkali, of_ion[pairs.point] + of_ion[pairs.atom], 0.0)
    return total + np.where(one_anion, of_anion[pairs.point] + of_anion[pairs.atom], 0.0)


def _of_element(table: Mapping[int, float]) -> Floats:
    """(119,) value of every atomic number, 0 where the table has none."""
    values = np.zeros(len(SYMBOLS))
    values[list(table)] = list(table.values())
    return values


def _minimum_table(limits: Limits) -> Floats:
    oo, mo, ao, to = (
        limits.oxygen_oxygen_A,
        limits.metal_oxygen_A,
        limits.alkali_oxygen_A,
        limits.tetrahedral_oxygen_A,
    )
    mm, am, aa = limits.metal_metal_A, limits.alkali_metal_A, limits.alkali_alkali_A
    tm, ta, tt = limits.tetrahedral_metal_A, limits.tetrahedral_alkali_A, limits.tetrahedral_tetrahedral_A
    return np.array([[oo, mo, ao, to], [mo, mm, am, tm], [ao, am, aa, ta], [to, tm, ta, tt]])
