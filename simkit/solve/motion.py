"""Molecular dynamics under way: one step of it, and the loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np

from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.kernels.driving import transformed
from simkit.solve.bodies import Bodies, Tick
from simkit.solve.breakdown import MOVING, TOO_CLOSE, closest, heated, swollen, torn
from simkit.solve.landscape import Answers, ask
from simkit.solve.loop import Hooks, Summary, iterate
from simkit.solve.motion_records import Dynamics, Frame, Motion, Trial
from simkit.structure import Batch

Recorder = Callable[[Motion], None]
"""Told the state at the start of a new run and after every step; it takes the frames, so that the state keeps none."""


def integrate(dynamics: Dynamics, hooks: Hooks | None = None, recorder: Recorder | None = None) -> Motion:
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

    def told(state: Motion) -> Motion:
        if recorder is None:
            return state
        recorder(state)
        return replace(state, frames=())

    return iterate(
        lambda: told(_first(dynamics)),
        lambda state: told(_next(dynamics, state)),
        lambda state: state.step >= dynamics.steps or not np.any(state.code == MOVING),
        _summary,
        hooks,
    )


def frame_of(state: Motion) -> Frame:
    """The state as it stands, for keeping."""
    return Frame(state.step, state.positions, state.velocities, state.cells, state.answers, state.code == MOVING)


def _first(dynamics: Dynamics) -> Motion:
    batch, m = dynamics.batch, len(dynamics.batch)
    everyone = np.ones(m, dtype=bool)
    bodies = dynamics.bodies_at(0)
    with np.errstate(**_QUIET):
        unseen = np.full_like(batch.positions, np.nan)
        asked, clear, verdict = _shown(dynamics, batch, everyone, unseen)
        # the start is shown as it is: there are no earlier answers to keep
        answers = ask(dynamics.potential, batch, everyone, None)
        verdict = torn(dynamics.limits, batch, answers, verdict, asked)
        code, found = heated(dynamics.limits, bodies, dynamics.velocities, verdict)
    state = Motion(
        step=0,
        positions=batch.positions,
        velocities=dynamics.velocities,
        cells=batch.cells,
        answers=answers,
        code=code,
        found=found,
        clear=clear,
        heat=np.zeros(m),
        began=code == MOVING,
        steps=np.zeros(m, dtype=np.int64),
        evaluations=np.ones(m, dtype=np.int64),
        wreck_positions=batch.positions,
        wreck_velocities=dynamics.velocities,
        wreck_cells=batch.cells,
        frames=(),
    )
    return replace(state, frames=(frame_of(state),))


_QUIET = {"divide": "ignore", "invalid": "ignore", "over": "ignore"}
"""Replicas that break down may give numbers that are not finite; they become a code."""


def _next(dynamics: Dynamics, state: Motion) -> Motion:
    tick = Tick(state.step + 1, dynamics.tick_time, state.code == MOVING)
    bodies = dynamics.bodies_at(tick.step)
    with np.errstate(**_QUIET):
        trial = _drifted(dynamics, bodies, tick, state)
        batch = dynamics.batch.moved_to(trial.positions, trial.cells)
        asked, clear, verdict = _shown(dynamics, batch, tick.active, trial.clear)
        answers = ask(dynamics.potential, batch, asked, state.answers) if asked.any() else state.answers
        trial = replace(_arrived(dynamics, bodies, tick, trial, answers), clear=clear)
        verdict = torn(dynamics.limits, batch, answers, verdict, asked)
        verdict = heated(dynamics.limits, bodies, trial.velocities, verdict)
    moved = _judged(dynamics, tick, state, trial, answers, verdict)
    moved = replace(moved, evaluations=state.evaluations + asked)
    if tick.step % dynamics.every == 0 and (tick.active & (moved.code == MOVING)).any():
        return replace(moved, frames=(*state.frames, frame_of(moved)))
    return moved


def _drifted(dynamics: Dynamics, bodies: Bodies, tick: Tick, state: Motion) -> Trial:
    """Half a kick, half a drift, the bath, the barostat, half a drift."""
    half = 0.5 * tick.time
    v = bodies.kicked(state.velocities, state.answers.forces, half)
    x = state.positions + half * v
    before = v
    v = dynamics.integrator.middle(bodies, tick, v)
    heat = state.heat if v is before else state.heat + bodies.kinetic(v) - bodies.kinetic(before)
    cells, clear = state.cells, state.clear
    barostat = dynamics.barostat_at(tick.step)
    if barostat is not None:
        by = barostat.deformations(bodies, tick, v, cells, state.answers.stress)
        cells = cells @ by
        x, clear = (transformed(rows, by, bodies.streams.starts) for rows in (x, clear))
        v = transformed(v, np.swapaxes(np.linalg.inv(by), 1, 2), bodies.streams.starts)
    return Trial(x + half * v, v, cells, clear, heat)


def _arrived(dynamics: Dynamics, bodies: Bodies, tick: Tick, trial: Trial, answers: Answers) -> Trial:
    """Half a kick by the new forces, and the bath at the end."""
    before = bodies.kicked(trial.velocities, answers.forces, 0.5 * tick.time)
    v = dynamics.integrator.settle(bodies, tick, before)
    heat = trial.heat if v is before else trial.heat + bodies.kinetic(v) - bodies.kinetic(before)
    return replace(trial, velocities=v, heat=heat)


def _judged(
    dynamics: Dynamics,
    tick: Tick,
    state: Motion,
    trial: Trial,
    answers: Answers,
    verdict: tuple[np.ndarray, Floats],
) -> Motion:
    """The new state for the systems that are well, the old one for the others."""
    code, found = verdict
    if tick.active.all() and (code == MOVING).all():
        return _all_well(tick, state, trial, answers, (code, found))
    good, lost = tick.active & (code == MOVING), tick.active & (code != MOVING)
    of = dynamics.batch.system_of
    atoms, wrecks = good[of][:, None], lost[of][:, None]
    cells = good[:, None, None]
    return replace(
        state,
        step=tick.step,
        positions=np.where(atoms, trial.positions, state.positions),
        velocities=np.where(atoms, trial.velocities, state.velocities),
        cells=np.where(cells, trial.cells, state.cells),
        answers=_merged(dynamics, state.answers, answers, good),
        code=np.where(tick.active, code, state.code),
        found=np.where(tick.active, found, state.found),
        clear=trial.clear,
        heat=np.where(good, trial.heat, state.heat),
        steps=state.steps + good,
        wreck_positions=np.where(wrecks, trial.positions, state.wreck_positions),
        wreck_velocities=np.where(wrecks, trial.velocities, state.wreck_velocities),
        wreck_cells=np.where(lost[:, None, None], trial.cells, state.wreck_cells),
    )


def _all_well(tick: Tick, state: Motion, trial: Trial, answers: Answers, verdict: tuple[np.ndarray, Floats]) -> Motion:
    """The new state where every system moves and is well: nothing of the old one is kept."""
    return replace(
        state,
        step=tick.step,
        positions=trial.positions,
        velocities=trial.velocities,
        cells=trial.cells,
        answers=answers,
        code=verdict[0],
        found=verdict[1],
        clear=trial.clear,
        heat=trial.heat,
        steps=state.steps + 1,
    )


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
    dynamics: Dynamics, batch: Batch, active: np.ndarray, clear: Floats
) -> tuple[np.ndarray, Floats, tuple[np.ndarray, Floats]]:
    """Mask of the systems to show to the potential (sound cells, no overlapping atoms), `clear`, codes and numbers."""
    limit = dynamics.limits.closest_A
    code, found = np.full(len(batch), MOVING), np.zeros(len(batch))
    if dynamics.barostat is not None:
        code, found = swollen(dynamics.limits, dynamics.batch.cells, batch.cells)
    sound = active & (code == MOVING)
    nearest = np.full(len(batch), np.inf)
    if limit > 0:
        nearest, clear = closest(limit, batch, batch.positions, sound, clear)
    close = np.isfinite(nearest)
    code, found = np.where(close, TOO_CLOSE, code), np.where(close, nearest, found)
    return sound & ~close, clear, (code, found)


def _summary(state: Motion) -> Summary:
    """No criterion draws a run nearer its end, so the residual is no number."""
    active = int(np.sum(state.code == MOVING))
    groups = len(state.code)
    return Summary(
        state.step, active, groups, np.full(groups, np.nan), state.answers.energy, int(state.evaluations.sum())
    )
