"""Molecular dynamics under way: its state of plain arrays, and one step of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.potential.base import Potential
from simkit.solve.breakdown import MOVING, TOO_CLOSE, MdLimits, closest, heated, torn
from simkit.solve.integrators import Bodies, Integrator, Tick
from simkit.solve.landscape import Answers, ask
from simkit.solve.loop import Hooks, Summary, iterate
from simkit.structure import Batch


@dataclass(frozen=True, eq=False)
class Dynamics:
    """All that a run is made of: who moves, how, how far, and what is kept.

    batch      the systems as they start
    velocities (n, 3) A per internal time at the start
    tick_time  length of a step, A sqrt(amu/eV)
    steps      to take; every: steps between two frames
    """

    potential: Potential
    batch: Batch
    bodies: Bodies
    integrator: Integrator
    velocities: Floats
    tick_time: float
    steps: int
    every: int
    limits: MdLimits


@dataclass(frozen=True, eq=False)
class Frame:
    """What is kept of one step: positions and velocities (n, 3), the potential's answers, and the mask `good` (m,) of
    the systems still moving then."""

    step: int
    positions: Floats
    velocities: Floats
    answers: Answers
    good: np.ndarray


@dataclass(frozen=True, eq=False)
class Motion:
    """A run under way: everything needed to go on, in plain arrays. Random numbers need no state (see `noise`).

    positions, velocities (n, 3) A, A per internal time: of a replica that broke down, the last good ones
    code    (m,) see `breakdown`; found (m,) the number that broke a limit
    clear   (n, 3) A, where the last search for close atoms found none (see `breakdown.closest`)
    steps   (m,) good steps; evaluations (m,) spent
    frames  kept so far, the first one of step 0
    """

    step: int
    positions: Floats
    velocities: Floats
    answers: Answers
    code: np.ndarray
    found: Floats
    clear: Floats
    steps: np.ndarray
    evaluations: np.ndarray
    frames: tuple[Frame, ...]


def integrate(dynamics: Dynamics, hooks: Hooks | None = None) -> Motion:
    """Take all steps; replicas that break down leave the evaluated batch, the others go on.

    Raises InputError when the state to resume from belongs to other atoms.
    """
    if hooks is not None and hooks.resume is not None:
        found, wanted = hooks.resume.positions.shape, dynamics.batch.positions.shape
        if found != wanted or len(hooks.resume.code) != len(dynamics.batch):
            raise InputError(
                f"the state to resume from holds {found[0]} atoms in {len(hooks.resume.code)} systems, the run "
                f"{wanted[0]} in {len(dynamics.batch)}; resume with the structures it was saved from."
            )
    return iterate(
        lambda: _first(dynamics),
        lambda state: _next(dynamics, state),
        lambda state: state.step >= dynamics.steps or not np.any(state.code == MOVING),
        _summary,
        hooks,
    )


def motion_to_arrays(state: Motion) -> dict[str, np.ndarray]:
    """The state as named plain arrays, frames included, for `numpy.savez` or a checkpoint."""
    out = {name: np.asarray(getattr(state, name)) for name in _PLAIN}
    out |= {f"frames.{name}": np.stack([getattr(f, name) for f in state.frames]) for name in _FRAME}
    for name, value in vars(state.answers).items():
        if value is not None:
            out[f"answers.{name}"] = value
            out[f"frames.answers.{name}"] = np.stack([getattr(f.answers, name) for f in state.frames])
    return out


def motion_from_arrays(arrays: Mapping[str, np.ndarray]) -> Motion:
    """Inverse of `motion_to_arrays`. Raises InputError naming an array that is missing."""
    known = [f"answers.{f.name}" for f in fields(Answers) if f"answers.{f.name}" in arrays]
    needed = {*known, "answers.energy", "answers.forces", "answers.stress"}
    wanted = [*_PLAIN, *(f"frames.{name}" for name in _FRAME), *needed, *(f"frames.{name}" for name in needed)]
    missing = sorted(name for name in wanted if name not in arrays)
    if missing:
        raise InputError(f"the saved state lacks {missing[0]!r}; it was not written by motion_to_arrays.")
    read = {name: np.asarray(arrays[name]) for name in wanted}

    def answers(prefix: str, where: Any) -> Answers:
        return Answers(**{name.removeprefix("answers."): read[prefix + name][where] for name in needed})

    frames = tuple(
        Frame(int(step), positions, velocities, answers("frames.", k), good)
        for k, (step, positions, velocities, good) in enumerate(
            zip(*(read[f"frames.{name}"] for name in _FRAME), strict=True)
        )
    )
    plain = {name: int(read[name]) if name == "step" else read[name] for name in _PLAIN}
    return Motion(answers=answers("", ...), frames=frames, **plain)


_PLAIN = ("step", "positions", "velocities", "code", "found", "clear", "steps", "evaluations")
_FRAME = ("step", "positions", "velocities", "good")


def _first(dynamics: Dynamics) -> Motion:
    batch, m = dynamics.batch, len(dynamics.batch)
    everyone = np.ones(m, dtype=bool)
    with np.errstate(**_QUIET):
        unseen = np.full_like(batch.positions, np.nan)
        asked, clear, verdict = _shown(dynamics, batch.positions, everyone, unseen)
        # the start is shown as it is: there are no earlier answers to keep
        answers = ask(dynamics.potential, batch, everyone, None)
        verdict = torn(dynamics.limits, batch, answers, verdict, asked)
        code, found = heated(dynamics.limits, dynamics.bodies, dynamics.velocities, verdict)
    state = Motion(
        step=0,
        positions=batch.positions,
        velocities=dynamics.velocities,
        answers=answers,
        code=code,
        found=found,
        clear=clear,
        steps=np.zeros(m, dtype=np.int64),
        evaluations=np.ones(m, dtype=np.int64),
        frames=(),
    )
    return replace(state, frames=(frame_of(state),))


_QUIET = {"divide": "ignore", "invalid": "ignore", "over": "ignore"}
"""Replicas that break down may give numbers that are not finite; they become a code."""


def _next(dynamics: Dynamics, state: Motion) -> Motion:
    bodies = dynamics.bodies
    tick = Tick(state.step + 1, dynamics.tick_time, state.code == MOVING)
    half = 0.5 * tick.time / bodies.masses[:, None]
    with np.errstate(**_QUIET):
        x, v = dynamics.integrator.drift(bodies, tick, state.positions, state.velocities + half * state.answers.forces)
        asked, clear, verdict = _shown(dynamics, x, tick.active, state.clear)
        answers = state.answers
        if asked.any():
            answers = ask(dynamics.potential, dynamics.batch.moved_to(x), asked, state.answers)
        v = dynamics.integrator.settle(bodies, tick, v + half * answers.forces)
        verdict = torn(dynamics.limits, dynamics.batch, answers, verdict, asked)
        code, found = heated(dynamics.limits, bodies, v, verdict)
    good = tick.active & (code == MOVING)
    atoms = good[dynamics.batch.system_of][:, None]
    moved = replace(
        state,
        step=tick.step,
        positions=np.where(atoms, x, state.positions),
        velocities=np.where(atoms, v, state.velocities),
        answers=_merged(dynamics, state.answers, answers, good),
        code=np.where(tick.active, code, state.code),
        found=np.where(tick.active, found, state.found),
        clear=clear,
        steps=state.steps + good,
        evaluations=state.evaluations + asked,
    )
    if tick.step % dynamics.every == 0 and good.any():
        return replace(moved, frames=(*state.frames, frame_of(moved)))
    return moved


def frame_of(state: Motion) -> Frame:
    """The state as it stands, for keeping."""
    return Frame(state.step, state.positions, state.velocities, state.answers, state.code == MOVING)


def _merged(dynamics: Dynamics, old: Answers, new: Answers, good: np.ndarray) -> Answers:
    """`new` for the systems in the mask `good`, `old` for the others."""
    atoms = good[dynamics.batch.system_of]

    def chosen(name: str, which: np.ndarray) -> Floats | None:
        a, b = getattr(old, name), getattr(new, name)
        if b is None:
            return None
        return np.where(which.reshape(-1, *(1,) * (b.ndim - 1)), b, a)

    per_atom = {"forces", "force_spread"}
    return Answers(**{f.name: chosen(f.name, atoms if f.name in per_atom else good) for f in fields(Answers)})


def _shown(
    dynamics: Dynamics, x: Floats, active: np.ndarray, clear: Floats
) -> tuple[np.ndarray, Floats, tuple[np.ndarray, Floats]]:
    """Mask of the systems to show to the potential (those without overlapping atoms), `clear`, codes and numbers."""
    m, limit = len(dynamics.batch), dynamics.limits.closest_A
    nearest = np.full(m, np.inf)
    if limit > 0:
        nearest, clear = closest(limit, dynamics.batch, x, active, clear)
    close = np.isfinite(nearest)
    code, found = np.where(close, TOO_CLOSE, MOVING), np.where(close, nearest, 0.0)
    return active & ~close, clear, (code, found)


def _summary(state: Motion) -> Summary:
    """No criterion draws a run nearer its end, so the residual is no number."""
    active = int(np.sum(state.code == MOVING))
    groups = len(state.code)
    return Summary(
        state.step, active, groups, np.full(groups, np.nan), state.answers.energy, int(state.evaluations.sum())
    )
