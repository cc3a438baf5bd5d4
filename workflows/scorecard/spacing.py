"""Layer spacing of a host against its sodium content, down to the empty host."""

from __future__ import annotations

import numpy as np

from simkit import build
from simkit.potential.base import Potential
from simkit.structure import Structure
from simkit.workflows.scorecard.answers import Answers, Numbers, Verdict, percent
from simkit.workflows.scorecard.cells import NIMN, Cell, built, relaxed
from simkit.workflows.scorecard.config import Config

GOAL_EMPTY_PERCENT = {"O3": 2.0, "P2": 5.0}
"""An empty host is held by dispersion alone: a minimum so flat that 2 % cost 2 meV per formula unit. In P2, with oxygen
above oxygen, the energy is flat within 2 meV over 0.2 A (4 %), with more than one minimum there."""
WIDEST = 1.0
"""Sodium props layers open; without it every measured layered MO2 is thinner than with some of it."""
FULL = {
    f"{phase} NaxNi1/3Mn2/3O2": (phase, 2, (3, 2), (1.0, 5 / 6, 2 / 3, 1 / 2, 1 / 3, 1 / 6, 0.0))
    for phase in ("P2", "O3")
}
QUICK = {f"{phase} NaxNi1/3Mn2/3O2": (phase, 2, build.ROOT3, (1.0, 2 / 3, 1 / 3, 0.0)) for phase in ("P2", "O3")}


def measure(potential: Potential, config: Config) -> Answers:
    """Height per layer of the freely relaxed host, A, at each sodium content.

    The empty host has a root3 x root3 cell, whose threefold axis keeps its slabs from gliding: P2 glides to O2 without
    any barrier, and whether it does in a lower cell is chance.
    """
    table = QUICK if config.quick else FULL
    cells = {
        f"{name}\n{quantity(x)}": Cell(phase, gaps, NIMN, x, repeats if x else build.ROOT3)
        for name, (phase, gaps, repeats, contents) in table.items()
        for x in contents
    }
    structures, problems = built(cells, config, potential)
    outcomes, failed = relaxed(structures, potential, config)
    numbers: dict[str, dict[str, float]] = {}
    for key, outcome in outcomes.items():
        name, content = key.split("\n")
        numbers.setdefault(name, {})[content] = height_A(outcome.structure) / table[name][1]
    return Answers(numbers, {key.replace("\n", ", "): words for key, words in {**problems, **failed}.items()})


def height_A(structure: Structure) -> float:
    """Height of a cell along the normal of its first two vectors."""
    normal = np.cross(structure.cell[0], structure.cell[1])
    return float(structure.cell[2] @ normal / np.linalg.norm(normal))


def quantity(content: float) -> str:
    """Name of the spacing at a sodium content."""
    return f"x={content:.2f}_A"


def judge(own: Numbers, other: Numbers) -> tuple[Verdict, ...]:
    """Spacing of each empty host that the other potential has, against it; the other spacings are in the table."""
    empty = quantity(0.0)
    verdicts = []
    for phase, limit in GOAL_EMPTY_PERCENT.items():
        for case, numbers in other.items():
            if case.startswith(phase) and empty in numbers:
                mine = own.get(case, {}).get(empty)
                value = None if mine is None else abs(percent(mine, numbers[empty]))
                verdicts.append(Verdict(f"spacing of the empty {phase} host", value, limit, "%"))
    return tuple(verdicts)


def judge_alone(own: Numbers) -> tuple[Verdict, ...]:
    """Spacing of the empty host over the widest of the filled ones: layers without ions do not drift apart.

    The larger of both phases; not computed where either lacks its empty host or all filled ones.
    """
    ratios = [ratio for phase in GOAL_EMPTY_PERCENT if (ratio := _empty_over_filled(own, phase)) is not None]
    value = max(ratios) if len(ratios) == len(GOAL_EMPTY_PERCENT) else None
    return (Verdict("empty host over the widest filled one", value, WIDEST, "x"),)


def _empty_over_filled(own: Numbers, phase: str) -> float | None:
    """Spacing of the empty host of a phase over that of its widest filled one; None where either is missing."""
    numbers = next((numbers for case, numbers in own.items() if case.startswith(phase)), {})
    empty = quantity(0.0)
    filled = [value for name, value in numbers.items() if name != empty]
    return numbers[empty] / max(filled) if filled and empty in numbers else None
