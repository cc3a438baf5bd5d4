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
    """Spacing of each empty host against the other potential's; the other spacings are in the table."""
    empty = quantity(0.0)
    return tuple(
        Verdict(f"spacing of the empty {phase} host", abs(percent(numbers[empty], other[case][empty])), limit, "%")
        for phase, limit in GOAL_EMPTY_PERCENT.items()
        for case, numbers in own.items()
        if case.startswith(phase) and empty in numbers
    )


def judge_alone(own: Numbers) -> tuple[Verdict, ...]:
    """Spacing of the empty host over the widest of the filled ones: layers without ions do not drift apart."""
    empty = quantity(0.0)
    ratios = [
        numbers[empty] / max(value for name, value in numbers.items() if name != empty)
        for numbers in own.values()
        if empty in numbers and len(numbers) > 1
    ]
    return (Verdict("empty host over the widest filled one", max(ratios, default=None), WIDEST, "x"),)
