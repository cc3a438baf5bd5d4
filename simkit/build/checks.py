"""Predicates on structures: each returns the problems it finds, in sentences that name the atoms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simkit.arrays import Integers
from simkit.build.identify import classify
from simkit.build.layering import ALKALI_NUMBERS, ANIONS
from simkit.build.stacking import gap_name, same_cyclic
from simkit.build.valence import required_valences, window
from simkit.elements import NUMBERS, SYMBOLS
from simkit.errors import InputError
from simkit.kernels.pair_search import Pairs, find_pairs
from simkit.structure import Structure

KINDS = ("O", "M", "A")
"""Anion, slab metal, alkali ion: the letters of the pair kinds."""


@dataclass(frozen=True)
class Limits:
    """What a built cell must keep. Distances in A, strain in per cent of a block's own lattice parameter.

    alkali_oxygen_A and alkali_metal_A are for Na; Li may be 0.35 A closer, K must stay 0.2 A farther.
    """

    strain_warning_percent: float = 2.0
    oxygen_oxygen_A: float = 2.3
    metal_oxygen_A: float = 1.75
    alkali_oxygen_A: float = 2.1
    alkali_alkali_A: float = 2.6
    metal_metal_A: float = 2.5
    alkali_metal_A: float = 2.5
    face_sharing_A: float = 2.9
    image_A: float = 8.0
    block_galleries: int = 3
    order_parameter: float = 0.8
    content: float = 0.01


@dataclass(frozen=True, eq=False)
class Contacts:
    """Neighbour pairs of a structure up to `REACH_A` and each atom's kind (0 anion, 1 metal, 2 alkali ion)."""

    kinds: Integers
    pairs: Pairs


REACH_A = 4.2
COORDINATION_A: Mapping[str, float] = {"M": 2.8, "A": 3.3}
"""Anions nearer than this count as neighbours of a slab metal or an alkali ion, A."""
CLOSER_A = {NUMBERS["Li"]: -0.35, NUMBERS["K"]: 0.2}


def contacts(structure: Structure) -> Contacts:
    """Pairs within `REACH_A` and the role of each atom (an alkali ion inside a slab counts as metal)."""
    kinds = np.full(len(structure), 1)
    kinds[np.isin(structure.numbers, ANIONS)] = 0
    kinds[np.isin(structure.numbers, ALKALI_NUMBERS) & (structure.layers < 0)] = 2
    return Contacts(kinds, find_pairs(structure.positions, structure.positions, structure.cell, REACH_A))


def overlaps(structure: Structure, minimum_A: float = 0.7) -> list[str]:
    """Pairs of atoms nearer than minimum_A: atoms on top of each other, in any structure."""
    pairs = find_pairs(structure.positions, structure.positions, structure.cell, minimum_A)
    pairs = pairs.take(pairs.point <= pairs.atom)
    return [_pair_sentence(structure, pairs, k, minimum_A) for k in range(min(len(pairs), 5))]


def shortest_A(found: Contacts) -> dict[str, float]:
    """Shortest distance of each pair kind present: "O-O", "M-O", "A-O", "M-M", "A-A", "A-M", A."""
    first, second = found.kinds[found.pairs.point], found.kinds[found.pairs.atom]
    result = {}
    for a, b in ((0, 0), (1, 0), (2, 0), (1, 1), (2, 2), (2, 1)):
        distances = found.pairs.distance[(first == a) & (second == b)]
        if len(distances):
            result[f"{KINDS[a]}-{KINDS[b]}"] = float(distances.min())
    return result


def distance_problems(structure: Structure, limits: Limits | None = None, found: Contacts | None = None) -> list[str]:
    """Pairs nearer than the limits (first five), for cells as built; relaxed cells may be closer."""
    limits = limits or Limits()
    found = found or contacts(structure)
    table = _minimum_table(limits)
    pairs = found.pairs
    least = table[found.kinds[pairs.point], found.kinds[pairs.atom]]
    alkali = found.kinds == 2
    shift = np.where(alkali, [CLOSER_A.get(int(z), 0.0) for z in structure.numbers], 0.0)
    one_alkali = alkali[pairs.point] != alkali[pairs.atom]
    least = least + np.where(one_alkali, shift[pairs.point] + shift[pairs.atom], 0.0)
    wrong = (pairs.distance < least) & (pairs.point <= pairs.atom)
    return [_pair_sentence(structure, pairs, k, float(least[k])) for k in np.flatnonzero(wrong)[:5]]


def coordination(found: Contacts, kind: str) -> tuple[Integers, Integers]:
    """Indices of the atoms of kind "M" or "A" and how many anions each has within `COORDINATION_A`."""
    atoms = np.flatnonzero(found.kinds == KINDS.index(kind))
    near = (found.kinds[found.pairs.atom] == 0) & (found.pairs.distance < COORDINATION_A[kind])
    return atoms, np.bincount(found.pairs.point[near], minlength=len(found.kinds))[atoms]


def coordination_problems(structure: Structure, found: Contacts | None = None) -> list[str]:
    """Slab metals without exactly 6 anions, and alkali ions without 5 to 9 (first five)."""
    found = found or contacts(structure)
    problems = []
    for kind, low, high in (("M", 6, 6), ("A", 5, 9)):
        atoms, numbers = coordination(found, kind)
        for i in np.flatnonzero((numbers < low) | (numbers > high))[:5]:
            allowed = str(low) if low == high else f"{low} to {high}"
            problems.append(
                f"{_name(structure, int(atoms[i]))} has {int(numbers[i])} anions within {COORDINATION_A[kind]} A; "
                f"{allowed} are needed."
            )
    return problems


def stacking_problems(structure: Structure, gaps: Sequence[str], limits: Limits | None = None) -> list[str]:
    """Whether the coordinates read back as the requested gaps (cyclic) with well-kept letters."""
    limits = limits or Limits()
    found = classify(structure)
    wanted, read = [gap_name(g) for g in gaps], found.stack.gaps()
    problems = []
    if not same_cyclic(wanted, read):
        problems.append(f"requested galleries {' '.join(wanted)} read back as {' '.join(read)}.")
    worst = int(np.argmin(found.order_parameter))
    if found.order_parameter[worst] < limits.order_parameter:
        problems.append(
            f"slab {worst} has order parameter {found.order_parameter[worst]:.2f}, below {limits.order_parameter}."
        )
    return problems


def charge_problems(metals: Sequence[Mapping[str, int]], contents: Sequence[float]) -> list[str]:
    """Slabs whose metals cannot take the mean valence the electroneutral-slab rule asks of them.

    metals    counts by element for each slab, from below
    contents  alkali per metal for each gallery, gallery j above slab j
    """
    problems = []
    for j, (counts, needed) in enumerate(zip(metals, required_valences(contents), strict=True)):
        low, high = window(counts)
        if not low - 1e-6 <= needed <= high + 1e-6:
            text = " ".join(f"{n} {symbol}" for symbol, n in counts.items())
            problems.append(
                f"slab {j} ({text}) needs a mean metal valence of {needed:.3f} between galleries of content "
                f"{contents[j - 1]:.3f} and {contents[j]:.3f}, but its metals allow {low:.3f} to {high:.3f}; "
                "change the metals or the alkali content (or the repeats, so that counts come out exact)."
            )
    return problems


def strain_problems(strains_percent: Sequence[float], names: Sequence[str], limit_percent: float) -> list[str]:
    """Blocks strained beyond the limit, in per cent of their own in-plane lattice parameter."""
    return [
        f"block {k} ({name}) would be strained by {strain:+.2f} % in plane to match, the limit is "
        f"{limit_percent:g} %: "
        "bring the lattice parameters closer (composition, content, heights), share the strain otherwise "
        "(strain='equal' or 'thickness'), or raise max_strain_percent."
        for k, (strain, name) in enumerate(zip(strains_percent, names, strict=True))
        if abs(strain) > limit_percent + 1e-9
    ]


def require(problems: Sequence[str]) -> None:
    """Raise InputError with the first three problems, or do nothing where there are none."""
    if problems:
        more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
        raise InputError(" ".join(problems[:3]) + more)


def _minimum_table(limits: Limits) -> np.ndarray:
    oo, mo, ao = limits.oxygen_oxygen_A, limits.metal_oxygen_A, limits.alkali_oxygen_A
    mm, am, aa = limits.metal_metal_A, limits.alkali_metal_A, limits.alkali_alkali_A
    return np.array([[oo, mo, ao], [mo, mm, am], [ao, am, aa]])


def _name(structure: Structure, i: int) -> str:
    return f"atom {i} ({SYMBOLS[structure.numbers[i]]})"


def _pair_sentence(structure: Structure, pairs: Pairs, k: int, least: float) -> str:
    i, j = int(pairs.point[k]), int(pairs.atom[k])
    image = "" if not pairs.shift[k].any() else " in the next cell"
    return (
        f"{_name(structure, i)} and {_name(structure, j)}{image} are {pairs.distance[k]:.3f} A apart; "
        f"at least {least:.2f} A is needed."
    )
