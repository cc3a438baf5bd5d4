"""Elastic constants with relaxed ions, from stresses of strained cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from simkit.arrays import Floats
from simkit.potential.base import Potential
from simkit.structure import Structure
from simkit.units import EV_PER_A3_IN_GPA
from simkit.workflows.scorecard.answers import Answers
from simkit.workflows.scorecard.cells import Cell, built, relaxed
from simkit.workflows.scorecard.config import Config

STRAIN = 0.01
"""Central difference, wide enough to look over the kinks that a potential makes where a neighbour crosses a cutoff."""
FMAX_EV_PER_A = 3e-3
VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
COLUMNS = (0, 2, 3)
"""Strains that give C11, C12, C13, C33 and C44 of a crystal with a three- or sixfold axis."""
CELLS: Mapping[str, Cell] = {
    "O3 NaCoO2": Cell("O3", 3, {"Co": 1.0}, 1.0),
    "P2 NaCoO2": Cell("P2", 2, {"Co": 1.0}, 1.0),
}
QUICK = ("O3 NaCoO2",)


def measure(potential: Potential, config: Config) -> Answers:
    """C11, C12, C13, C33 and C44 in GPa of freely relaxed cells with a three- or sixfold axis."""
    structures, problems = built({n: CELLS[n] for n in (QUICK if config.quick else CELLS)}, config, potential)
    outcomes, failed = relaxed(structures, potential, config, fmax_eV_per_A=FMAX_EV_PER_A)
    problems.update(failed)
    columns, failed = stiffness_columns({n: o.structure for n, o in outcomes.items()}, potential, config, COLUMNS)
    numbers = {}
    for name, c in columns.items():
        numbers[name] = {
            "C11_GPa": c[0, 0], "C12_GPa": c[0, 1], "C13_GPa": 0.5 * (c[0, 2] + c[1, 0]),
            "C33_GPa": c[1, 2], "C44_GPa": c[2, 3],
        }  # fmt: skip
    plain = {name: {key: float(value) for key, value in row.items()} for name, row in numbers.items()}
    return Answers(plain, {**problems, **failed})


def stiffness_columns(
    structures: Mapping[str, Structure], potential: Potential, config: Config, columns: Sequence[int]
) -> tuple[dict[str, Floats], dict[str, str]]:
    """(columns, 6) d stress_j / d strain_i in GPa for the Voigt strains i asked for, and what did not relax.

    Strains of plus and minus `STRAIN` (engineering shear for xz, yz, xy) of the whole cell, ions relaxed at fixed
    cell. structures must be free of stress, else the difference between stresses and second derivatives shows.
    """
    strained = {
        f"{name}\n{i}{sign}": structure.strained_to(structure.cell @ (np.eye(3) + float(sign + "1") * _strain(i)))
        for name, structure in structures.items()
        for i in columns
        for sign in "+-"
    }
    outcomes, failed = relaxed(strained, potential, config, "fixed", FMAX_EV_PER_A)
    found = {}
    for name in structures:
        keys = [[f"{name}\n{i}{sign}" for sign in "+-"] for i in columns]
        if all(key in outcomes for pair in keys for key in pair):
            stress = np.array([[_voigt(outcomes[key].evaluation.stress) for key in pair] for pair in keys])
            found[name] = (stress[:, 0] - stress[:, 1]) / (2 * STRAIN) * EV_PER_A3_IN_GPA
    return found, {key.split("\n")[0]: f"a strained cell: {words}" for key, words in failed.items()}


def _strain(component: int) -> Floats:
    """(3, 3) symmetric strain whose Voigt component (engineering shear) is `STRAIN`."""
    i, j = VOIGT[component]
    strain = np.zeros((3, 3))
    strain[i, j] += 0.5 * STRAIN
    strain[j, i] += 0.5 * STRAIN
    return strain


def _voigt(stress: Floats) -> Floats:
    return np.array([stress[i, j] for i, j in VOIGT])
