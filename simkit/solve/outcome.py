"""What a solver returns: the last state, whether it converged, and a sentence that says why it stopped."""

from __future__ import annotations

from dataclasses import dataclass

from simkit.potential.base import Evaluation
from simkit.structure import Structure

CONVERGED = "converged"
"""Status of a run that met its criterion; every other status is a sentence naming what happened."""
NOT_CONVERGED = "not converged"
"""How the status of a run begins that used up its steps; its state is sound, only not finished."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """Where a relaxation of one structure ended.

    status is `CONVERGED` or a sentence (steps used up, forces not finite, energy exploded, stopped);
    steps counts optimiser steps, evaluations the model evaluations spent on this structure.
    Not converging is a value, never an exception; `structure` is the last good one.
    """

    structure: Structure
    evaluation: Evaluation
    converged: bool
    status: str
    steps: int
    evaluations: int
    fmax_eV_per_A: float

    @property
    def failed(self) -> bool:
        """Whether the run broke down (numbers not finite, explosion), rather than converged or ran out of steps."""
        return not self.converged and not self.status.startswith(NOT_CONVERGED)
