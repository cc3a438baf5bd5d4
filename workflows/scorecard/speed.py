"""Time of one evaluation, side by side."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from simkit.potential.base import Potential, check_elements
from simkit.structure import Structure
from simkit.workflows.scorecard.answers import Verdict
from simkit.workflows.scorecard.config import Config
from simkit.workflows.scorecard.stability import cell

GOAL_FASTER = 15.0
BLOCKS = 15
BLOCK_S = 0.1
"""Least time of a block: a hundred times what a timer and a scheduler disturb."""
CASE = "P2/O3 intergrowth"
QUANTITY = "evaluation_ms_per_atom"


def structure_of(config: Config, *potentials: Potential) -> Structure:
    """The cell that is evaluated. Raises InputError where one of the potentials does not know its elements."""
    structure = cell(config)
    for potential in potentials:
        check_elements(structure.numbers, potential.card)
    return structure


@dataclass(frozen=True)
class Times:
    """ms_per_atom of each potential (median of blocks), and how many times slower the last is than the first."""

    ms_per_atom: tuple[float, ...]
    ratio: float


def interleaved(structure: Structure, *potentials: Potential, blocks: int = BLOCKS) -> Times:
    """Blocks of evaluations in turn, A B B A A B ..., so that both see the same load; the ratio is that of pairs."""
    repeats = [_repeats(structure, potential) for potential in potentials]
    found = np.zeros((blocks, len(potentials)))
    for row, block in enumerate(found):
        for k in range(len(potentials))[:: 1 if row % 2 else -1]:
            block[k] = _seconds(structure, potentials[k], repeats[k]) / repeats[k]
    medians = 1e3 * np.median(found, axis=0) / len(structure)
    return Times(tuple(map(float, medians)), float(np.median(found[:, -1] / found[:, 0])))


def judge(times: Times) -> tuple[Verdict, ...]:
    """How many times faster the potential is."""
    return (Verdict("times faster than the other potential", times.ratio, GOAL_FASTER, "x", at_least=True),)


def _repeats(structure: Structure, potential: Potential) -> int:
    """Evaluations that fill a block; the first one compiles and warms up."""
    _seconds(structure, potential, 1)
    return max(1, round(BLOCK_S / _seconds(structure, potential, 2) * 2))


def _seconds(structure: Structure, potential: Potential, count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        potential.evaluate([structure])
    return time.perf_counter() - start
