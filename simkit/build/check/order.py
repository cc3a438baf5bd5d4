"""Stacking as requested, closed in sense, letters and shear; kagome sheets and displacements that close."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from simkit.build.check.contacts import Contacts, contacts, pair_sentence
from simkit.build.check.limits import Limits
from simkit.build.identify import Classification, classify
from simkit.build.stacking import RULES, gap_name, same_cyclic
from simkit.build.symmetry import space_group
from simkit.structure import Structure

FRAMEWORK_GROUPS: Mapping[str, int] = MappingProxyType(
    {
        **{"P2": 194, "O3": 166, "P3": 166, "O1": 164, "O2": 186, "O2u": 186, "O2l": 186, "O4": 186, "O6": 166},
        **{"OP4": 187, "OP4-Li": 194, "OP2": 164, "T#2": 64, "O'3": 12, "P'2": 63},
    }
)
"""Phase -> number of the space group of its slabs alone, every metal alike and the galleries empty."""
CLOSED_A = 0.5
"""How far a gallery may stand off its letter in the plane, A (O'3-NaMnO2 leans by 0.39 A per slab)."""
BURGERS_A = 1e-3
"""Largest sum of displacements around the cell, A."""


def stacking_problems(
    structure: Structure, gaps: Sequence[str], limits: Limits | None = None, found: Classification | None = None
) -> list[str]:
    """Whether the coordinates read back as the requested gaps (cyclic) with well-kept letters."""
    limits = limits or Limits()
    found = found or classify(structure)
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


def framework(structure: Structure, found: Classification | None = None) -> Structure:
    """The slabs alone on one primitive cell of the layers: three mean positions per slab, every metal alike."""
    found = found or classify(structure)
    cell = np.vstack([found.primitive, structure.cell[2]])
    inside = np.flatnonzero(found.slab_of >= 0)
    level = found.slab_of[inside] * 3 + found.layering.level[inside]
    fractional = structure.positions[inside] @ np.linalg.inv(cell)
    _, first = np.unique(level, return_index=True)
    step = fractional - fractional[first][level]
    step -= np.round(step)
    number = np.bincount(level)
    mean = np.stack([np.bincount(level, step[:, k]) / number for k in range(3)], axis=1) + fractional[first]
    return Structure(np.tile([8, 25, 8], len(found.stack)), mean @ cell, cell)


def space_group_problems(structure: Structure, number: int, symprec_A: float = 1e-3) -> list[str]:
    """Whether the slabs of a pure phase (`framework`), whatever sits on them, have the space group of this number."""
    symbol, found = space_group(framework(structure), symprec_A)
    if found == number:
        return []
    return [f"the slabs have the space group {symbol} ({found}) at {symprec_A:g} A; number {number} was promised."]


def parity_problems(gaps: Sequence[str]) -> list[str]:
    """Whether the number of gaps that flip the slab sense is even, as a period needs."""
    names = [gap_name(g) for g in gaps]
    flips = sum(RULES[g][0] < 0 for g in names)
    if flips % 2 == 0:
        return []
    return [
        f"{flips} of {len(names)} gaps flip the slab sense (P2, O2u, O2l, T2), an odd number; "
        f"use {flips - 1} or {flips + 1} of them."
    ]


def closure_problems(structure: Structure, found: Classification | None = None) -> list[str]:
    """Whether every gallery stands on a letter (T2: half-way), the one across the period too: letters and shear close.

    Monoclinic cells lean by less than `CLOSED_A` per slab.
    """
    found = found or classify(structure)
    away = np.linalg.norm(found.drift_A, axis=1)
    last = len(found.stack) - 1
    problems = [
        f"gallery {j} ({found.stack.gap(j)}) stands {away[j]:.2f} A off its letter, at most {CLOSED_A} A is allowed"
        + (f": the third cell vector does not close the letters (shear {found.stack.shear:g})." if j == last else ".")
        for j in np.flatnonzero(away > CLOSED_A)
    ]
    return problems + parity_problems(found.stack.gaps())


def kagome_problems(structure: Structure, limits: Limits | None = None, found: Contacts | None = None) -> list[str]:
    """Whether whole kagome sheets (site "K") hold three metals of four, and vacancies meet the tetrahedral cations.

    Sheets that two domains share are left out. A tetrahedral cation nearer than `tetrahedral_metal_A` to a metal
    sits on a filled octahedron: the sequence of kagome vacancies does not close there.
    """
    limits = limits or Limits()
    found = found or contacts(structure)
    problems = []
    site = structure.tags["site"].astype(str)
    for j in np.unique(structure.layers[(site == "K") & (structure.layers >= 0)]):
        here = structure.layers == j
        kagome, whole = int((here & (site == "K")).sum()), int((here & (found.kinds == 0)).sum()) // 2
        one = len(np.unique(structure.tags.get("block", site)[here & (site == "K")])) == 1
        alone = one and not (here & (found.kinds == 1) & (site != "K")).any()
        if alone and 4 * kagome != 3 * whole:
            problems.append(f"kagome sheet {j} holds {kagome} metals on {whole} sites; it needs three of every four.")
    pairs = found.pairs
    near = (found.kinds[pairs.point] == 3) & (found.kinds[pairs.atom] == 1)
    bad = pairs.take(near & (pairs.distance < limits.tetrahedral_metal_A))
    for k in range(min(len(bad), 5)):
        text = pair_sentence(structure, bad, k, limits.tetrahedral_metal_A)
        problems.append(f"{text} The kagome vacancies do not close: take K sheets in multiples of 3.")
    return problems


def burgers_problems(sums_A: Mapping[str, Sequence[float]]) -> list[str]:
    """Whether the displacements of each slab or gallery add up to nothing around the cell."""
    problems = []
    for what, vector in sums_A.items():
        length = float(np.linalg.norm(vector))
        if length > BURGERS_A:
            problems.append(
                f"the displacements of {what} sum to a Burgers vector of {length:.3f} A; a periodic cell needs zero."
            )
    return problems
