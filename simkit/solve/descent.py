"""Going downhill: landscape x stepper, with statuses, limits and a state made of plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.solve.landscape import Answers, Landscape, Point, merged
from simkit.solve.loop import Hooks, Summary, iterate
from simkit.solve.outcome import CONVERGED, NOT_CONVERGED
from simkit.solve.stepper import Memory, Push, Stepper

RUNNING, DONE, STEPS_USED, NOT_FINITE, EXPLODED, RAN_AWAY = range(6)
"""Codes of a group; `sentence` turns them into words."""


@dataclass(frozen=True)
class Limits:
    """When a group is done and when it has failed.

    max_steps              optimiser steps
    watched_change_eV      largest change of the watched energy over the last `window` steps that still
                           counts as converged; infinite where only the forces decide
    window                 steps over which that change is taken
    rise_eV_per_atom       energy above the start at which a group has exploded
    force_limit_eV_per_A   force above which (if also above the start's) a group has exploded
    strain_limit           cell volume below 1/strain_limit or above strain_limit of the start: it ran away
    """

    max_steps: int = 500
    watched_change_eV: float = np.inf
    window: int = 3
    rise_eV_per_atom: float = 2.0
    force_limit_eV_per_A: float = 1e3
    strain_limit: float = 3.0


@dataclass(frozen=True, eq=False)
class State:
    """A descent under way: everything needed to go on, in plain arrays.

    code (groups,) see the module; steps, evaluations (groups,) counts; trace (groups, window) earlier
    watched energies, the newest last; start (2, groups) energy and largest force at the first point.
    """

    step: int
    point: Point
    memory: Memory
    code: np.ndarray
    steps: np.ndarray
    evaluations: np.ndarray
    trace: Floats
    start: Floats
    fresh: np.ndarray


@dataclass(frozen=True, eq=False)
class Descent:
    """A landscape, a stepper and the limits: what `run` needs."""

    landscape: Landscape
    stepper: Stepper
    limits: Limits


def run(descent: Descent, hooks: Hooks | None = None) -> State:
    """Descend until every group is done or has failed; groups that end leave the evaluated batch."""
    return iterate(lambda: _first(descent), lambda state: _next(descent, state), _finished, _summary, hooks)


def sentence(state: State, group: int, limits: Limits) -> str:
    """`CONVERGED`, or why this group ended."""
    steps, residual = int(state.steps[group]), float(state.point.residual[group])
    where = f"at step {steps + 1}; the state of step {steps} is kept"
    words = {
        RUNNING: f"stopped on request after {steps} steps, {residual:.3g} times the criterion",
        DONE: CONVERGED,
        STEPS_USED: f"{NOT_CONVERGED}: all {limits.max_steps} steps used, {residual:.3g} times the criterion",
        NOT_FINITE: f"the potential returned an energy, force or stress that is not a finite number {where}",
        EXPLODED: f"the energy or the forces exploded {where}",
        RAN_AWAY: f"the cell volume changed by more than a factor {limits.strain_limit:g} {where}",
    }
    if steps == 0 and state.code[group] == NOT_FINITE:
        return "the potential returned an energy, force or stress that is not a finite number at the start"
    return words[int(state.code[group])]


def to_arrays(state: State) -> dict[str, np.ndarray]:
    """The state as named plain arrays, for `numpy.savez` or a checkpoint."""
    out = {"step": np.array(state.step)}
    for name in ("code", "steps", "evaluations", "trace", "start", "fresh"):
        out[name] = getattr(state, name)
    for name, value in vars(state.point).items():
        if name != "answers":
            out[f"point.{name}"] = value
    out |= {f"answers.{name}": value for name, value in vars(state.point.answers).items() if value is not None}
    return out | {f"memory.{name}": value for name, value in state.memory.items()}


def from_arrays(arrays: Mapping[str, np.ndarray]) -> State:
    """Inverse of `to_arrays`. Raises InputError naming an array that is missing."""

    def part(prefix: str) -> dict[str, np.ndarray]:
        return {k.removeprefix(prefix): np.asarray(arrays[k]) for k in arrays if k.startswith(prefix)}

    wanted = ("step", "code", "steps", "evaluations", "trace", "start", "fresh")
    missing = [name for name in (*wanted, "point.x", "answers.energy") if name not in arrays]
    if missing:
        raise InputError(f"the saved state lacks {missing[0]!r}; it was not written by to_arrays.")
    point = Point(answers=Answers(**part("answers.")), **part("point."))
    plain = {name: np.asarray(arrays[name]) for name in wanted[1:]}
    return State(step=int(arrays["step"]), point=point, memory=part("memory."), **plain)


def _first(descent: Descent) -> State:
    landscape, groups = descent.landscape, descent.landscape.groups
    everyone = np.ones(groups.count, dtype=bool)
    point = landscape.at(landscape.start(), everyone, None)
    state = State(
        step=0,
        point=point,
        memory=descent.stepper.init(groups),
        code=np.full(groups.count, RUNNING),
        steps=np.zeros(groups.count, dtype=np.int64),
        evaluations=landscape.asked.copy(),
        trace=np.full((groups.count, descent.limits.window), np.nan),
        start=np.stack([point.energy, point.largest]),
        fresh=np.zeros(groups.count, dtype=bool),
    )
    bad = ~_finite(descent, point)
    return replace(state, code=_verdict(descent, state, point, np.where(bad, NOT_FINITE, RUNNING)))


def _next(descent: Descent, state: State) -> State:
    landscape, groups = descent.landscape, descent.landscape.groups
    active = state.code == RUNNING
    point = state.point
    push = Push(point.x, point.force, active, state.fresh, landscape.metric(point))
    memory, x = descent.stepper.step(state.memory, groups, push)
    trial = landscape.at(x, active, point)
    code = np.where(active, _failures(descent, state, trial), state.code)
    good = active & (code == RUNNING)
    kept = merged(point, trial, good, landscape)
    moved = replace(
        state,
        step=state.step + 1,
        point=kept,
        memory=memory,
        steps=state.steps + good,
        evaluations=state.evaluations + active * landscape.asked,
        trace=np.where(good[:, None], np.hstack([state.trace[:, 1:], point.watched[:, None]]), state.trace),
        fresh=good & (kept.mode != point.mode),
    )
    return replace(moved, code=_verdict(descent, moved, kept, code))


def _finite(descent: Descent, point: Point) -> np.ndarray:
    numbers = (point.energy, point.largest, point.residual, descent.landscape.groups.largest(point.force))
    return np.all(np.isfinite(numbers), axis=0)


def _failures(descent: Descent, state: State, trial: Point) -> np.ndarray:
    landscape, limits = descent.landscape, descent.limits
    atoms = np.bincount(landscape.owner[landscape.batch.system_of], minlength=landscape.groups.count)
    code = np.full(landscape.groups.count, RUNNING)
    rise = trial.energy - state.start[0] > limits.rise_eV_per_atom * atoms
    pull = (trial.largest > limits.force_limit_eV_per_A) & (trial.largest > state.start[1])
    code[rise | pull] = EXPLODED
    code[landscape.swelling(trial.x) > limits.strain_limit] = RAN_AWAY
    code[~_finite(descent, trial)] = NOT_FINITE
    return code


def _verdict(descent: Descent, state: State, point: Point, code: np.ndarray) -> np.ndarray:
    limits = descent.limits
    spread = np.ptp(np.column_stack([state.trace, point.watched]), axis=1)
    still = np.isinf(limits.watched_change_eV) | (spread <= limits.watched_change_eV)
    done = (code == RUNNING) & (point.residual <= 1.0) & still & ~state.fresh
    used = (code == RUNNING) & ~done & (state.steps >= limits.max_steps)
    return np.where(done, DONE, np.where(used, STEPS_USED, code))


def _finished(state: State) -> bool:
    return not np.any(state.code == RUNNING)


def _summary(state: State) -> Summary:
    active = int(np.sum(state.code == RUNNING))
    point = state.point
    return Summary(state.step, active, len(state.code), point.residual, point.energy, int(state.evaluations.sum()))
