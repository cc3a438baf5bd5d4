"""The small cells that the rows share: named, seeded, built by `build.bulk`; and their relaxation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simkit import build, solve
from simkit.errors import InputError
from simkit.potential.base import Potential, check_elements
from simkit.structure import Structure
from simkit.workflows.scorecard.config import Config

NIMN: Mapping[str, float] = {"Ni": 1 / 3, "Mn": 2 / 3}
FMAX_EV_PER_A = 0.01
BEGUN = "begun at the minimum of the other potential"
STRESS_MAX_GPA = 0.02
"""A hundredth of the stress that 0.5 % of strain makes in the softest direction (C33 of 10 GPa: 0.05 GPa) or less."""


@dataclass(frozen=True)
class Cell:
    """One phase alone: `build.bulk` of a Block with this phase, these galleries, metals and sodium content."""

    phase: str
    gaps: int
    metals: Mapping[str, float]
    content: float
    repeats: Sequence = (1, 1)

    def built(self, seed: int = 0) -> Structure:
        """The cell, not relaxed."""
        block = build.Block(self.phase, self.gaps, metals=self.metals, content=self.content)
        return build.bulk(block, self.repeats, seed).structure


def built(cells: Mapping[str, Cell], config: Config, potential: Potential) -> tuple[dict[str, Structure], dict]:
    """Structures by name, and a sentence for every cell with an element that the potential does not know."""
    structures, problems = {}, {}
    for name, cell in cells.items():
        structure = cell.built(config.seed)
        try:
            check_elements(structure.numbers, potential.card)
        except InputError as error:
            problems[name] = str(error)
            continue
        structures[name] = structure
    return structures, problems


def relaxed(
    structures: Mapping[str, Structure],
    potential: Potential,
    config: Config,
    cell: str = "free",
    fmax_eV_per_A: float = FMAX_EV_PER_A,
) -> tuple[dict[str, solve.Outcome], dict[str, str]]:
    """Outcomes that converged by name, in one batch, and why the others did not."""
    if not structures:
        return {}, {}
    settings = solve.RelaxSettings(max_steps=config.max_steps, stress_max_GPa=STRESS_MAX_GPA)
    found = solve.relax(list(structures.values()), potential, cell, fmax_eV_per_A, settings)
    by_name = dict(zip(structures, found, strict=True))
    good = {name: outcome for name, outcome in by_name.items() if outcome.converged}
    return good, {name: outcome.status for name, outcome in by_name.items() if not outcome.converged}


@dataclass(frozen=True, eq=False)
class Minimum:
    """A relaxed cell and its energy, eV."""

    structure: Structure
    energy_eV: float


@dataclass(frozen=True, eq=False)
class Minima:
    """Relaxed cells by name, and a sentence for every one that was not reached."""

    found: Mapping[str, Minimum]
    problems: Mapping[str, str]

    @property
    def structures(self) -> dict[str, Structure]:
        """Where another potential may begin."""
        return {name: minimum.structure for name, minimum in self.found.items()}


def minima(structures: Mapping[str, Structure], potential: Potential, config: Config) -> Minima:
    """Freely relaxed cells."""
    outcomes, failed = relaxed(structures, potential, config)
    return Minima({name: Minimum(o.structure, float(o.evaluation.energy)) for name, o in outcomes.items()}, failed)


def lower(first: Minima, second: Minima) -> Minima:
    """The lower minimum of each name in `first`, where that of `second` is still of the same stacking.

    second begins at the minima of another potential; its problems say so.
    """
    found, problems = dict(first.found), dict(first.problems)
    for name, words in second.problems.items():
        problems[f"{name}, {BEGUN}"] = words
    for name, minimum in first.found.items():
        other = second.found.get(name, minimum)
        if other.energy_eV < minimum.energy_eV:
            if same_stacking(other.structure, minimum.structure):
                found[name] = other
            else:
                problems[f"{name}, {BEGUN}"] = "lower, but of another stacking: left out"
    return Minima(found, problems)


def same_stacking(one: Structure, other: Structure) -> bool:
    """Whether both are layered with the same kinds of galleries."""
    try:
        return build.classify(one).fractions == build.classify(other).fractions
    except InputError:
        return False


def formula_units(structure: Structure) -> int:
    """Metals in slabs: one per formula unit NaxMO2."""
    return int(np.sum(structure.tags["site"] == "TM"))


def energies_per_fu(found: Mapping[str, Minimum]) -> dict[str, float]:
    """Energy per formula unit by name, eV."""
    return {name: minimum.energy_eV / formula_units(minimum.structure) for name, minimum in found.items()}
