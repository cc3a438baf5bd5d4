"""The one loop: any (init, step) pair, with stopping, progress and checkpoints entering from outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from simkit.arrays import Floats


@dataclass(frozen=True, eq=False)
class Summary:
    """What an observer is told after each step.

    step       steps taken so far
    active     groups (structures, bands) still moving
    groups     all groups
    residual   (groups,) distance from the criterion as a ratio: 1 or less is met
    energy     (groups,) eV, of a band its highest image
    evaluations model evaluations spent so far, summed over structures
    """

    step: int
    active: int
    groups: int
    residual: Floats
    energy: Floats
    evaluations: int

    @property
    def worst(self) -> float:
        """Largest finite residual; nan when there is none."""
        finite = self.residual[np.isfinite(self.residual)]
        return float(finite.max()) if len(finite) else float("nan")


Observer = Callable[[int, Summary], None]


@dataclass(frozen=True)
class Hooks:
    """What may be attached to a run.

    observer   called as observer(step, summary) after every step
    stop       asked before every step; True ends the run, groups still moving get the status "stopped"
    save       called as save(state) after every `save_every` steps and at the end
    save_every steps between two saves
    resume     state to go on from instead of the start; the run then equals an uninterrupted one bit for bit
    restore    called with the first state; returns the state to go on from, which may be that one
    """

    observer: Observer | None = None
    stop: Callable[[], bool] | None = None
    save: Callable[[Any], None] | None = None
    save_every: int = 10
    resume: Any | None = None
    restore: Callable[[Any], Any] | None = None


def hooks_of(observer: Observer | Hooks | None) -> Hooks:
    """Hooks for a solver that was given an observer, hooks that also save and restore, or nothing."""
    return observer if isinstance(observer, Hooks) else Hooks(observer=observer)


def also_saving(observer: Observer | Hooks | None, save: Callable[[Any], None]) -> Hooks:
    """Hooks of a solver that was given any of these, with one more `save` after every step, before theirs."""
    given = hooks_of(observer)

    def both(state: Any) -> None:
        save(state)
        if given.save is not None:
            given.save(state)

    return replace(given, save=both, save_every=1)


def iterate(
    init: Callable[[], Any],
    step: Callable[[Any], Any],
    finished: Callable[[Any], bool],
    summary: Callable[[Any], Summary],
    hooks: Hooks | None = None,
) -> Any:
    """Apply `step` from `init()` (or from `hooks.resume`) until `finished` or until asked to stop.

    The state is opaque here; `summary` tells its step number. Returns the last state.
    """
    hooks = Hooks() if hooks is None else hooks
    state = init() if hooks.resume is None else hooks.resume
    state = state if hooks.restore is None else hooks.restore(state)
    while not finished(state) and not (hooks.stop is not None and hooks.stop()):
        state = step(state)
        told = summary(state)
        if hooks.observer is not None:
            hooks.observer(told.step, told)
        if hooks.save is not None and told.step % hooks.save_every == 0:
            hooks.save(state)
    if hooks.save is not None:
        hooks.save(state)
    return state
