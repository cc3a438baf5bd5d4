"""Molecular dynamics of many replicas in one batch: at constant energy, in a heat bath, or at constant pressure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.potential.base import Potential
from simkit.solve.breakdown import MOVING, NOT_FINITE, PULLED, SWOLLEN, TOO_CLOSE, TOO_FAST, TOO_HOT
from simkit.solve.casting import prepare_md
from simkit.solve.conditions import MdConditions, MdSettings
from simkit.solve.loop import Hooks
from simkit.solve.motion import Dynamics, Motion, frame_of, integrate
from simkit.solve.schedule import Course
from simkit.structure import Structure
from simkit.trajectory import FINISHED, Trajectory
from simkit.units import FEMTOSECOND


def run_md(  # noqa: PLR0913 (one keyword for each fact of a run)
    structures: Sequence[Structure],
    potential: Potential,
    ensemble: str = "nvt",
    *,
    temperature_K: Course | Sequence[Course],
    timestep_fs: float,
    steps: int,
    seed: int | Sequence[int],
    settings: MdSettings | None = None,
    hooks: Hooks | None = None,
) -> list[Trajectory]:
    """Molecular dynamics of all structures in one batch; arguments as in `MdConditions` and `MdSettings`.

    hooks observer, stop, save and resume as for every solver; the state is a `Motion` with all frames in it

    One `Trajectory` per structure, in order. A replica that breaks down (numbers that are not finite, a limit of
    `MdLimits`) ends with a sentence and its last good frame; the others go on. Raises InputError for unknown
    names, numbers out of range and settings that do not fit the structures.
    Promises no equilibrium: a start at rest in a minimum gives half its kinetic energy away under "nve".
    """
    conditions = MdConditions(ensemble, temperature_K, timestep_fs, steps, seed)
    dynamics = prepare_md(structures, potential, conditions, settings)
    return trajectories(structures, dynamics, integrate(dynamics, hooks))


def trajectories(structures: Sequence[Structure], dynamics: Dynamics, state: Motion) -> list[Trajectory]:
    """What became of each structure; the state a replica ended in is its last frame, whether or not one was due."""
    return [_trajectory(s, system, dynamics, state) for system, s in enumerate(structures)]


def _trajectory(structure: Structure, system: int, dynamics: Dynamics, state: Motion) -> Trajectory:
    first, last = dynamics.batch.starts[system : system + 2]
    frames = [f for f in state.frames if f.good[system]]
    if frames and frames[-1].step < state.steps[system]:
        frames.append(replace(frame_of(state), step=int(state.steps[system])))

    def stacked(name: str, of_atoms: bool, shape: tuple[int, ...] = ()) -> Floats | None:
        if getattr(state.answers, name) is None:
            return None
        rows = [getattr(f.answers, name)[slice(first, last) if of_atoms else system] for f in frames]
        return np.reshape(rows, (len(frames), *shape))

    n = len(structure)
    velocities = np.reshape([f.velocities[first:last] for f in frames], (len(frames), n, 3))
    return Trajectory(
        structure=structure,
        time_fs=np.array([f.step for f in frames]) * (dynamics.tick_time / FEMTOSECOND),
        positions=np.reshape([f.positions[first:last] for f in frames], (len(frames), n, 3)),
        cells=np.reshape([f.cells[system] for f in frames], (len(frames), 3, 3)),
        velocities_A_per_fs=velocities * FEMTOSECOND,
        energy=stacked("energy", False),
        forces=stacked("forces", True, (n, 3)),
        stress=stacked("stress", False, (3, 3)),
        energy_spread=stacked("energy_spread", False),
        force_spread=stacked("force_spread", True, (n,)),
        freedoms=int(dynamics.bodies.freedoms[system]),
        status=status(dynamics, state, system),
        steps=int(state.steps[system]),
        evaluations=int(state.evaluations[system]),
    )


def status(dynamics: Dynamics, state: Motion, system: int) -> str:
    """What became of a replica: `FINISHED`, or a sentence."""
    steps, found, limits = int(state.steps[system]), state.found[system], dynamics.limits
    where = f"at step {steps + 1}; the state of step {steps} is kept"
    if not state.began[system]:
        where = "at the start"
    words = {
        NOT_FINITE: f"the potential returned an energy, force or stress that is not a finite number {where}",
        PULLED: f"a force reached {found:.4g} eV/A (limit {limits.force_eV_per_A:g}) {where}",
        TOO_HOT: f"the temperature reached {found:.4g} K (limit {limits.hotter:g} times the set one) {where}",
        TOO_FAST: f"an atom reached a kinetic energy of {found:.4g} eV (limit {limits.faster:g} kT) {where}",
        SWOLLEN: f"the volume changed by a factor of {found:.4g} (limit {limits.swelling:g}) {where}",
        TOO_CLOSE: f"two atoms came within {found:.3g} A (limit {limits.closest_A:g}) {where}",
    }
    done = FINISHED if steps >= dynamics.steps else f"stopped on request after {steps} of {dynamics.steps} steps"
    return words.get(int(state.code[system]), done)


def wreck(structure: Structure, dynamics: Dynamics, state: Motion, system: int) -> Structure | None:
    """The state in which a replica broke a limit, None for one that did not or whose numbers are no structure."""
    if state.code[system] == MOVING:
        return None
    first, last = dynamics.batch.starts[system : system + 2]
    try:
        return structure.moved_to(state.wreck_positions[first:last], state.wreck_cells[system])
    except InputError:
        return None
