"""Energies of the stackings O3, P2, P3, O2, O1 and OP4 at one composition and sodium content."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

from simkit import build
from simkit.workflows.scorecard.answers import Answers, Numbers, Verdict, apart, largest
from simkit.workflows.scorecard.cells import NIMN, Cell, Minima, energies_per_fu
from simkit.workflows.scorecard.config import Config

GOAL_MEV = 10.0
DEGENERATE_MEV = 1.0
"""Two stackings that the teacher holds for this equal (meV per formula unit) have no order to be kept."""
REFERENCE = "O3"
GAPS = {"O3": 3, "P2": 2, "P3": 3, "O2": 2, "O1": 2, "OP4": 4}
MANGANESE: Mapping[str, float] = {"Mn": 1.0}
COBALT: Mapping[str, float] = {"Co": 1.0}
QUICK = {"Na2/3Ni1/3Mn2/3O2": (NIMN, 2 / 3, ("O3", "P2", "P3", "O2"))}
FULL = {
    "Na2/3Ni1/3Mn2/3O2": (NIMN, 2 / 3, tuple(GAPS)),
    "Na1/3Ni1/3Mn2/3O2": (NIMN, 1 / 3, tuple(GAPS)),
    "Na2/3CoO2": (COBALT, 2 / 3, tuple(GAPS)),
    "MnO2": (MANGANESE, 0.0, tuple(GAPS)),
}
UNIT = "meV_per_fu"


def cells(config: Config) -> Mapping[str, Cell]:
    """A root3 x root3 cell of each stacking: the same metals and ions in each slab and gallery."""
    return {
        f"{name} {phase}": Cell(phase, GAPS[phase], metals, content, build.ROOT3)
        for name, (metals, content, phases) in (QUICK if config.quick else FULL).items()
        for phase in phases
    }


def read(minima: Minima, config: Config) -> Answers:
    """Energy of each relaxed stacking above O3, by composition; a composition counts only with all its stackings."""
    energies, numbers = energies_per_fu(minima.found), {}
    for name, (_, _, phases) in (QUICK if config.quick else FULL).items():
        if all(f"{name} {phase}" in energies for phase in phases):
            base = energies[f"{name} {REFERENCE}"]
            numbers[name] = {f"{p}_{UNIT}": 1e3 * (energies[f"{name} {p}"] - base) for p in phases}
    return Answers(numbers, minima.problems)


def swaps(own: Mapping[str, float], other: Mapping[str, float]) -> list[tuple[str, str]]:
    """Pairs of stackings whose order differs, where `other` holds them for more than `DEGENERATE_MEV` apart."""
    return [
        (a, b)
        for a, b in combinations(own, 2)
        if abs(other[a] - other[b]) > DEGENERATE_MEV and (own[a] - own[b]) * (other[a] - other[b]) <= 0
    ]


def judge(own: Numbers, other: Numbers) -> tuple[Verdict, ...]:
    """Pairs of stackings in the wrong order, and the largest difference of an energy above O3."""
    wrong = sum(len(swaps(own[case], other[case])) for case in own)
    return (
        Verdict("pairs of stackings in another order", float(wrong), 0.0, "pairs"),
        Verdict("stacking energy", largest(own, other, apart), GOAL_MEV, "meV/fu"),
    )
