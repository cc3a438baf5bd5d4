"""Lattice parameters of relaxed phases."""

from __future__ import annotations

from collections.abc import Mapping

from simkit import build
from simkit.errors import InputError
from simkit.structure import Structure
from simkit.workflows.scorecard.answers import Answers, Numbers, Verdict, largest, percent
from simkit.workflows.scorecard.cells import NIMN, Cell, Minima, formula_units
from simkit.workflows.scorecard.config import Config

GOAL_PERCENT = 0.5
QUICK: Mapping[str, Cell] = {
    "P2 Na2/3Ni1/3Mn2/3O2": Cell("P2", 2, NIMN, 2 / 3, build.ROOT3),
    "O3 NaMnO2": Cell("O3", 3, {"Mn": 1.0}, 1.0),
    "O3 NaCoO2": Cell("O3", 3, {"Co": 1.0}, 1.0),
}
FULL: Mapping[str, Cell] = {
    **QUICK,
    "O3 NaFeO2": Cell("O3", 3, {"Fe": 1.0}, 1.0),
    "O3 NaNi1/2Mn1/2O2": Cell("O3", 3, {"Ni": 0.5, "Mn": 0.5}, 1.0, (2, 1)),
    "O3 NaNi1/3Mn1/3Ti1/3O2": Cell("O3", 3, {"Ni": 1 / 3, "Mn": 1 / 3, "Ti": 1 / 3}, 1.0, build.ROOT3),
    "P2 Na2/3Fe1/2Mn1/2O2": Cell("P2", 2, {"Fe": 0.5, "Mn": 0.5}, 2 / 3, (3, 2)),
    "P2 Na2/3Mg1/3Mn2/3O2": Cell("P2", 2, {"Mg": 1 / 3, "Mn": 2 / 3}, 2 / 3, build.ROOT3),
    "P2 Na2/3Cu1/3Mn2/3O2": Cell("P2", 2, {"Cu": 1 / 3, "Mn": 2 / 3}, 2 / 3, build.ROOT3),
    "P3 Na2/3Ni1/3Mn2/3O2": Cell("P3", 3, NIMN, 2 / 3, build.ROOT3),
    "O2 Na1/3MnO2": Cell("O2", 2, {"Mn": 1.0}, 1 / 3, build.ROOT3),
    "O1 CoO2": Cell("O1", 2, {"Co": 1.0}, 0.0),
}
KNOWN: Numbers = {
    "O3 NaCoO2": {"a_A": 2.889, "layer_A": 15.609 / 3},
    "O3 NaFeO2": {"a_A": 3.025, "layer_A": 16.094 / 3},
    "P2 Na2/3Ni1/3Mn2/3O2": {"a_A": 2.885, "layer_A": 11.155 / 2},
    "O1 CoO2": {"a_A": 2.822, "layer_A": 4.293},
}
"""Measured at room temperature: Takahashi et al., J. Solid State Chem. 172, 257 (2003); Takeda et al., Mater. Res.
Bull. 29, 659 (1994); Lu and Dahn, J. Electrochem. Soc. 148, A1225 (2001); Amatucci et al., ibid. 143, 1114 (1996)."""


def cells(config: Config) -> Mapping[str, Cell]:
    """The phases that are relaxed."""
    return QUICK if config.quick else FULL


def read(minima: Minima, config: Config) -> Answers:
    """a of the hexagonal cell of the same area, height per layer and volume of relaxed free cells."""
    del config
    numbers, problems = {}, dict(minima.problems)
    for name, structure in minima.structures.items():
        try:
            numbers[name] = geometry(structure)
        except InputError as error:
            problems[name] = f"no longer layered after its relaxation: {error}"
    return Answers(numbers, problems)


def geometry(structure: Structure) -> dict[str, float]:
    """a_A, layer_A and volume_A3_per_fu of a layered cell. Raises InputError where it is not layered."""
    found = build.classify(structure)
    return {
        "a_A": float(found.a_A),
        "layer_A": float(found.height_A / len(found.stack)),
        "volume_A3_per_fu": structure.volume / formula_units(structure),
    }


def judge(own: Numbers, other: Numbers) -> tuple[Verdict, ...]:
    """Largest differences in percent of a and of the layer height."""
    return (
        Verdict("lattice parameter a", largest(own, other, percent, "a_A"), GOAL_PERCENT, "%"),
        Verdict("height of a layer", largest(own, other, percent, "layer_A"), GOAL_PERCENT, "%"),
    )
