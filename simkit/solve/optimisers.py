"""The optimisers by name."""

from __future__ import annotations

from collections.abc import Callable

from simkit.errors import InputError, nearest
from simkit.solve.fire import Fire
from simkit.solve.lbfgs import Lbfgs
from simkit.solve.ode import Ode12r
from simkit.solve.stepper import Stepper

STEPPERS: dict[str, Callable[[float], Stepper]] = {
    "lbfgs": lambda cap: Lbfgs(max_step=cap),
    "ode12r": lambda cap: Ode12r(max_step=cap),
    "fire2": lambda cap: Fire(max_step=cap),
    "abcfire": lambda cap: Fire(max_step=cap, unbiased=True),
    "fire": lambda cap: Fire(max_step=cap),
}
"""Each makes a stepper whose coordinates change by no more than a cap (A) in one step; "fire" is "fire2"."""
DAMPED = ("fire", "fire2", "abcfire")
"""Damped dynamics: slow, hard to upset, and without a model Hessian."""


def stepper(optimiser: str, max_step_A: float) -> Stepper:
    """The stepper of that name. Raises InputError with the nearest name for an unknown one."""
    if optimiser not in STEPPERS:
        raise InputError(f"optimiser={optimiser!r} is unknown; {nearest(optimiser, STEPPERS)}")
    return STEPPERS[optimiser](max_step_A)
