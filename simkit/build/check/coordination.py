"""Anions around every cation: their number, and the bond-valence sum."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.check.contacts import ANION_RADII_A, KINDS, Contacts, contacts, name
from simkit.build.check.limits import Limits
from simkit.build.valence import ION_VALENCE, RADII_A, TETRAHEDRAL_VALENCE
from simkit.elements import NUMBERS, SYMBOLS
from simkit.structure import Structure

COORDINATION_A: Mapping[str, float] = {"M": 2.8, "A": 3.3, "T": 2.5}
"""Anions nearer than this count as neighbours of a metal, an alkali ion or a tetrahedral cation, A."""
STRETCHED_A, STRETCHED = 2.45, 1.2
"""A metal bond longer than 2.45 A (the Jahn-Teller bonds of Mn3+ reach 2.40 A), and for larger metals and anions longer
than 1.2 times the sum of their ionic radii, is stretched."""
LARGER_A: Mapping[int, float] = {NUMBERS["S"]: 0.4, NUMBERS["Se"]: 0.5}
"""How much farther a larger anion still counts, A."""
ALLOWED: Mapping[str, tuple[int, ...]] = {"M": (6,), "A": (5, 6, 7, 8, 9), "T": (4,)}
"""Numbers of anions around each kind."""

SOFTNESS_A = 0.37
BOND_VALENCE_A: Mapping[str, Mapping[int, float]] = {
    "Li": {1: 1.466},
    "Na": {1: 1.80},
    "K": {1: 2.13},
    "Mg": {2: 1.693},
    "Ca": {2: 1.967},
    "Zn": {2: 1.704},
    "Al": {3: 1.651},
    "Ga": {3: 1.730},
    "In": {3: 1.902},
    "Y": {3: 2.014},
    "La": {3: 2.172},
    "Si": {4: 1.624},
    "Ge": {4: 1.748},
    "Sc": {3: 1.849},
    "Ti": {3: 1.791, 4: 1.815},
    "V": {3: 1.743, 4: 1.784, 5: 1.803},
    "Cr": {3: 1.724, 4: 1.81, 6: 1.794},
    "Mn": {2: 1.790, 3: 1.760, 4: 1.753},
    "Fe": {2: 1.734, 3: 1.759, 4: 1.78},
    "Co": {2: 1.692, 3: 1.70, 4: 1.72},
    "Ni": {2: 1.654, 3: 1.686, 4: 1.70},
    "Cu": {2: 1.679, 3: 1.739},
    "Zr": {4: 1.928},
    "Nb": {5: 1.911},
    "Hf": {4: 1.923},
    "Ta": {5: 1.920},
    "Mo": {4: 1.886, 5: 1.907, 6: 1.907},
    "Ru": {3: 1.77, 4: 1.834, 5: 1.900},
    "Rh": {3: 1.791, 4: 1.83},
    "Sn": {4: 1.905},
    "Sb": {5: 1.942},
    "Te": {6: 1.917},
    "W": {6: 1.921},
    "Ir": {4: 1.87, 5: 1.916},
    "Pt": {4: 1.879},
}
"""R0 of s = exp((R0 - R) / 0.37 A) with oxygen, A (Brese and O'Keeffe, Acta Cryst. B 47, 192, 1991); the
tetravalent Cr, Fe, Co, Ni and Rh, Ru3+, Ir4+, Mo4+ and Mo5+ are not in that table and are estimates."""
ANION_OFFSET_A: Mapping[str, float] = {"O": 0.0, "F": -0.10, "S": 0.42, "Se": 0.55}
"""Mean of R0(X) - R0(O) over the cations of that table, A; single cations scatter by 0.05 A."""


def coordination(found: Contacts, kind: str, numbers: Integers | None = None) -> tuple[Integers, Integers]:
    """Indices of the atoms of kind "M", "A" or "T" and how many anions each has within `COORDINATION_A`.

    numbers  (n,) atomic numbers, which let larger anions count farther out
    """
    atoms = np.flatnonzero(found.kinds == KINDS.index(kind))
    reach = np.full(len(found.pairs), COORDINATION_A[kind])
    for number, more in LARGER_A.items() if numbers is not None else ():
        reach += np.where(numbers[found.pairs.atom] == number, more, 0.0)
    near = (found.kinds[found.pairs.atom] == 0) & (found.pairs.distance < reach)
    return atoms, np.bincount(found.pairs.point[near], minlength=len(found.kinds))[atoms]


def histogram(found: Contacts, kind: str, numbers: Integers | None = None) -> dict[str, int]:
    """Number of anions -> how many atoms of this kind have it."""
    _, counts = coordination(found, kind, numbers)
    return {str(n): int((counts == n).sum()) for n in np.unique(counts)}


def coordination_problems(
    structure: Structure, found: Contacts | None = None, allowed: Mapping[str, tuple[int, ...]] | None = None
) -> list[str]:
    """Metals without exactly 6 anions, alkali ions without 5 to 9, tetrahedral cations without 4 (first five of each).

    allowed  site tag -> numbers of anions allowed there instead, as {"TM": (5, 6)}
    """
    found = found or contacts(structure)
    allowed = allowed or {}
    site = structure.tags["site"].astype(str) if "site" in structure.tags else np.full(len(structure), "")
    problems = []
    for kind, usual in ALLOWED.items():
        atoms, numbers = coordination(found, kind, structure.numbers)
        wrong = ~np.isin(numbers, usual)
        for tag, other in allowed.items():
            mine = site[atoms] == tag
            wrong[mine] = ~np.isin(numbers[mine], other)
        for i in np.flatnonzero(wrong)[:5]:
            choice = allowed.get(str(site[atoms[i]]), usual)
            problems.append(
                f"{name(structure, int(atoms[i]))} has {int(numbers[i])} anions within {COORDINATION_A[kind]} A; "
                f"{_range(choice)} are needed."
            )
    return problems


def stretched_problems(structure: Structure, found: Contacts | None = None) -> list[str]:
    """Octahedral metals that keep fewer than 6 anions when stretched bonds (`STRETCHED_A`) do not count (soft).

    The radius of a metal is its smallest one of all valences; metals without radii are left out.
    """
    found = found or contacts(structure)
    atoms, numbers = coordination(found, "M", structure.numbers)
    metal = np.array([min(RADII_A[s].values()) if s in RADII_A else np.inf for s in SYMBOLS])
    anion = np.array([ANION_RADII_A.get(n, np.inf) for n in range(len(SYMBOLS))])
    pairs = found.pairs
    reach = STRETCHED * (metal[structure.numbers[pairs.point]] + anion[structure.numbers[pairs.atom]])
    near = (found.kinds[pairs.atom] == 0) & (pairs.distance < np.maximum(reach, STRETCHED_A))
    kept = np.bincount(pairs.point[near], minlength=len(structure))[atoms]
    lacking = np.flatnonzero((kept < numbers) & (kept < 6))
    if not len(lacking):
        return []
    worst = lacking[np.argmin(kept[lacking])]
    return [
        f"{len(lacking)} of {len(atoms)} metals have 6 anions only by bonds longer than {STRETCHED_A:g} A (or "
        f"{STRETCHED:g} times the sum of ionic radii); {name(structure, int(atoms[worst]))} has "
        f"{kept[worst]} without them, {numbers[worst]} within {COORDINATION_A['M']:g} A: stretched "
        "bonds at a boundary, which must close in relaxation."
    ]


def bond_valence_sums(structure: Structure, found: Contacts | None = None) -> dict[int, Floats]:
    """Formal valence -> (n,) bond-valence sum of every cation read as that valence; NaN where it does not apply.

    s = exp((R0 - R) / 0.37 A) over the anions within 3.5 A, 4 A for S and Se.
    """
    found = found or contacts(structure)
    pairs = found.pairs
    pairs = pairs.take((found.kinds[pairs.point] != 0) & (found.kinds[pairs.atom] == 0))
    offset = np.array([ANION_OFFSET_A.get(s, np.nan) for s in SYMBOLS])[structure.numbers[pairs.atom]]
    near = pairs.distance < 3.5 + np.maximum(offset, 0.0)
    pairs, offset = pairs.take(near), offset[near]
    result = {}
    for q in sorted({q for table in BOND_VALENCE_A.values() for q in table}):
        r0 = np.array([BOND_VALENCE_A.get(s, {}).get(q, np.nan) for s in SYMBOLS])[structure.numbers]
        s = np.exp((r0[pairs.point] + offset - pairs.distance) / SOFTNESS_A)
        sums = np.bincount(pairs.point, s, minlength=len(structure))
        result[q] = np.where(np.isnan(r0) | (found.kinds == 0), np.nan, sums)
    return result


def bond_valence_problems(
    structure: Structure, limits: Limits | None = None, found: Contacts | None = None
) -> list[str]:
    """Elements whose bond-valence sums leave the window of their valences by more than the limit (soft).

    Sums between two valences of a metal are those of mixed valence. One sentence for each element.
    """
    limits = limits or Limits()
    found = found or contacts(structure)
    sums = bond_valence_sums(structure, found)
    miss = np.full((len(sums), len(structure)), np.inf)
    for row, (q, values) in enumerate(sums.items()):
        windows = np.array([q in _allowed(symbol) for symbol in SYMBOLS])
        use = windows[structure.numbers] & ~np.isnan(values)
        miss[row, use] = values[use] - q
    best = np.argmin(np.abs(miss), axis=0)
    off = miss[best, np.arange(len(structure))]
    known = np.isfinite(off)
    between = (np.where(np.isfinite(miss), miss, -1.0) > 0).any(axis=0) & (miss < 0).any(axis=0)
    off = np.where(between, 0.0, off)
    charges = np.array(list(sums))[best]
    problems = []
    for number in np.unique(structure.numbers[known]):
        mine = np.flatnonzero(known & (structure.numbers == number) & (np.abs(off) > limits.bond_valence))
        if len(mine):
            worst = int(mine[np.argmax(np.abs(off[mine]))])
            problems.append(
                f"{len(mine)} of {int((structure.numbers == number).sum())} {SYMBOLS[number]} have bond-valence sums "
                f"more than {limits.bond_valence:g} outside the valences allowed; {name(structure, worst)} has "
                f"{charges[worst] + off[worst]:.2f} where {charges[worst]} is nearest."
            )
    return problems


def _allowed(symbol: str) -> set[int]:
    """Valences an element may have on any site."""
    single = {table[symbol] for table in (ION_VALENCE, TETRAHEDRAL_VALENCE) if symbol in table}
    return single | set(RADII_A.get(symbol, ()))


def _range(numbers: tuple[int, ...]) -> str:
    if len(numbers) == 1:
        return str(numbers[0])
    low, high = min(numbers), max(numbers)
    return f"{low} to {high}" if len(numbers) == high - low + 1 else " or ".join(map(str, sorted(numbers)))
