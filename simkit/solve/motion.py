"""Molecular dynamics under way: its state of plain arrays, and one step of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np

from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.potential.base import Potential
from simkit.solve.barostat import Barostat, carried
from simkit.solve.bodies import Bodies, Tick
from simkit.solve.breakdown import MOVING, TOO_CLOSE, MdLimits, closest, heated, swollen, torn
from simkit.solve.integrators import Integrator
from simkit.solve.landscape import Answers, ask
from simkit.solve.loop import Hooks, Summary, iterate
from simkit.solve.schedule import Schedule
from simkit.structure import Batch
from simkit.units import BOLTZMANN_EV_PER_K, EV_PER_A3_IN_GPA


@dataclass(frozen=True, eq=False)
class Dynamics:
    """All that a run is made of: who moves, how, how far, and what is kept.

    batch       the systems as they start
    bodies      with the warmth of step 0
    temperature of the baths over time, K
    barostat    with the pressure of step 0, None at constant volume; pressure over time, GPa
    velocities  (n, 3) A per internal time at the start
    tick_time   length of a step, A sqrt(amu/eV)
    steps       to take; every: steps between two frames
    """

    potential: Potential
    batch: Batch
    bodies: Bodies
    temperature: Schedule
    integrator: Integrator
    barostat: Barostat | None
    pressure: Schedule
    velocities: Floats
    tick_time: float
    steps: int
    every: int
    limits: MdLimits

    def bodies_at(self, step: int) -> Bodies:
        """The bodies in the baths of a step."""
        if self.temperature.constant:
            return self.bodies
        return replace(self.bodies, warmth=self.temperature.at(step) * BOLTZMANN_EV_PER_K)

    def barostat_at(self, step: int) -> Barostat | None:
        """The barostat at the pressure of a step."""
        if self.barostat is None or self.pressure.constant:
            return self.barostat
        return replace(self.barostat, pressure=self.pressure.at(step) / EV_PER_A3_IN_GPA)


@dataclass(frozen=True, eq=False)
class Frame:
    """What is kept of one step: positions and velocities (n, 3), cells (m, 3, 3), the potential's answers, and the
    mask `good` (m,) of the systems still moving then."""

    step: int
    positions: Floats
    velocities: Floats
    cells: Floats
    answers: Answers
    good: np.ndarray


@dataclass(frozen=True, eq=False)
class Motion:
    """A run under way: everything needed to go on, in plain arrays. Random numbers need no state (see `noise`).

    positions, velocities (n, 3) A, A per internal time; cells (m, 3, 3) A: of a replica that broke down, the last
    good ones
    code    (m,) see `breakdown`; found (m,) the number that broke a limit
    clear   (n, 3) A, where the last search for close atoms found none (see `breakdown.closest`)
    heat    (m,) eV that the heat bath has given so far: energy less heat is conserved at constant volume
    began   (m,) whether the start was sound; steps (m,) good steps; evaluations (m,) spent
    wreck_positions, wreck_velocities (n, 3), wreck_cells (m, 3, 3): the state in which a replica broke a limit
    frames  kept so far, the first one of step 0; none where a recorder takes them
    """

    step: int
    positions: Floats
    velocities: Floats
    cells: Floats
    answers: Answers
    code: np.ndarray
    found: Floats
    clear: Floats
    heat: Floats
    began: np.ndarray
    steps: np.ndarray
    evaluations: np.ndarray
    wreck_positions: Floats
    wreck_velocities: Floats
    wreck_cells: Floats
    frames: tuple[Frame, ...]


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


@dataclass(frozen=True, eq=False)
class _Trial:
    """Where a step leads, before it is judged."""

    positions: Floats
    velocities: Floats
    cells: Floats
    clear: Floats
    heat: Floats


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


def _drifted(dynamics: Dynamics, bodies: Bodies, tick: Tick, state: Motion) -> _Trial:
    """Half a kick, half a drift, the bath, the barostat, half a drift."""
    half = 0.5 * tick.time
    v = bodies.resting(state.velocities + half * bodies.inverse[:, None] * state.answers.forces)
    x = state.positions + half * v
    before = v
    v = dynamics.integrator.middle(bodies, tick, v)
    heat = state.heat if v is before else state.heat + bodies.kinetic(v) - bodies.kinetic(before)
    cells, clear = state.cells, state.clear
    barostat = dynamics.barostat_at(tick.step)
    if barostat is not None:
        by = barostat.deformations(bodies, tick, v, cells, state.answers.stress)
        cells = cells @ by
        x, clear = (carried(rows, by, bodies.system_of) for rows in (x, clear))
        v = carried(v, np.swapaxes(np.linalg.inv(by), 1, 2), bodies.system_of)
    return _Trial(x + half * v, v, cells, clear, heat)


def _arrived(dynamics: Dynamics, bodies: Bodies, tick: Tick, trial: _Trial, answers: Answers) -> _Trial:
    """Half a kick by the new forces, and the bath at the end."""
    kick = 0.5 * tick.time * bodies.inverse[:, None] * answers.forces
    before = bodies.resting(trial.velocities + kick)
    v = dynamics.integrator.settle(bodies, tick, before)
    heat = trial.heat if v is before else trial.heat + bodies.kinetic(v) - bodies.kinetic(before)
    return replace(trial, velocities=v, heat=heat)


def _judged(
    dynamics: Dynamics,
    tick: Tick,
    state: Motion,
    trial: _Trial,
    answers: Answers,
    verdict: tuple[np.ndarray, Floats],
) -> Motion:
    """The new state for the systems that are well, the old one for the others."""
    code, found = verdict
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
