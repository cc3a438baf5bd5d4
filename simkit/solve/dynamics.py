"""Molecular dynamics of many replicas in one batch: at constant energy, or in a heat bath."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from simkit.arrays import Floats, frozen
from simkit.elements import MASSES_AMU
from simkit.errors import InputError, nearest
from simkit.potential.base import Potential
from simkit.solve.breakdown import NOT_FINITE, PULLED, TOO_CLOSE, TOO_HOT, MdLimits
from simkit.solve.integrators import Bodies, Integrator, Langevin, Rescaling, Verlet
from simkit.solve.loop import Hooks
from simkit.solve.motion import Dynamics, Motion, frame_of, integrate
from simkit.solve.noise import Streams, replica_keys
from simkit.structure import Batch, Structure, require_structure
from simkit.trajectory import FINISHED, Trajectory
from simkit.units import BOLTZMANN_EV_PER_K, FEMTOSECOND

ENSEMBLES: tuple[str, ...] = ("nve", "nvt")
THERMOSTATS: tuple[str, ...] = ("langevin", "rescale")


@dataclass(frozen=True)
class MdConditions:
    """What a run simulates.

    ensemble      "nve" (constant energy) or "nvt" (heat bath)
    temperature_K of the velocities drawn at the start and of the bath: one, or one per structure
    timestep_fs   about 1 for oxides, 0.5 or less with hydrogen
    steps         to take
    seed          of velocities and bath: one (replicas differ by their place in the list, so that appending one
                  does not change the others), or one per structure (each replica as if run alone)
    """

    ensemble: str
    temperature_K: float | Sequence[float]
    timestep_fs: float
    steps: int
    seed: int | Sequence[int]


@dataclass(frozen=True, eq=False)
class MdSettings:
    """How to simulate it.

    thermostat          of "nvt": "langevin" (BAOAB, for sampling) or "rescale" (stochastic velocity rescaling,
                        which leaves diffusion nearly undisturbed)
    friction_per_ps     of "langevin"
    relaxation_fs       of "rescale": time in which the kinetic energy forgets
    every               steps between two frames
    hold_centre         centres of mass start at rest, a Langevin bath keeps them so, and 3n - 3 degrees of freedom
                        are counted; False for atoms in an external field (3n)
    velocities_A_per_fs (n, 3) per structure to start from, used as they are; None draws them
    limits              when a replica has broken down
    """

    thermostat: str = "langevin"
    friction_per_ps: float = 5.0
    relaxation_fs: float = 100.0
    every: int = 10
    hold_centre: bool = True
    velocities_A_per_fs: Sequence[ArrayLike] | None = None
    limits: MdLimits = field(default_factory=MdLimits)


def run_md(  # noqa: PLR0913 (one keyword for each fact of a run)
    structures: Sequence[Structure],
    potential: Potential,
    ensemble: str = "nvt",
    *,
    temperature_K: float | Sequence[float],
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


def prepare_md(
    structures: Sequence[Structure],
    potential: Potential,
    conditions: MdConditions,
    settings: MdSettings | None = None,
) -> Dynamics:
    """The dynamics that `run_md` runs, for those who call `integrate` themselves."""
    settings = MdSettings() if settings is None else settings
    if isinstance(structures, Structure) or not len(structures):
        raise InputError("run_md takes a list of at least one structure; write run_md([structure], ...)[0].")
    for item in structures:
        require_structure(item)
    _check(conditions, settings)
    batch = Batch.of(structures)
    bodies = _bodies(batch, conditions, settings)
    return Dynamics(
        potential=potential,
        batch=batch,
        bodies=bodies,
        integrator=_integrator(conditions.ensemble, settings),
        velocities=_start(structures, bodies, settings),
        tick_time=conditions.timestep_fs * FEMTOSECOND,
        steps=conditions.steps,
        every=settings.every,
        limits=settings.limits,
    )


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
        cells=np.repeat(structure.cell[None], len(frames), axis=0),
        velocities_A_per_fs=velocities * FEMTOSECOND,
        energy=stacked("energy", False),
        forces=stacked("forces", True, (n, 3)),
        stress=stacked("stress", False, (3, 3)),
        energy_spread=stacked("energy_spread", False),
        force_spread=stacked("force_spread", True, (n,)),
        freedoms=int(dynamics.bodies.freedoms[system]),
        status=_sentence(dynamics, state, system),
        steps=int(state.steps[system]),
        evaluations=int(state.evaluations[system]),
    )


def _sentence(dynamics: Dynamics, state: Motion, system: int) -> str:
    steps, found, limits = int(state.steps[system]), state.found[system], dynamics.limits
    where = f"at step {steps + 1}; the state of step {steps} is kept"
    if not state.frames[0].good[system]:
        where = "at the start"
    words = {
        NOT_FINITE: f"the potential returned an energy, force or stress that is not a finite number {where}",
        PULLED: f"a force reached {found:.4g} eV/A (limit {limits.force_eV_per_A:g}) {where}",
        TOO_HOT: f"the temperature reached {found:.4g} K (limit {limits.hotter:g} times the set one) {where}",
        TOO_CLOSE: f"two atoms came within {found:.3g} A (limit {limits.closest_A:g}) {where}",
    }
    done = FINISHED if steps >= dynamics.steps else f"stopped on request after {steps} of {dynamics.steps} steps"
    return words.get(int(state.code[system]), done)


def _bodies(batch: Batch, conditions: MdConditions, settings: MdSettings) -> Bodies:
    sizes = np.diff(batch.starts)
    if settings.hold_centre and sizes.min() < 2:
        raise InputError("a single atom whose centre of mass is held cannot move; set hold_centre=False.")
    temperature = np.atleast_1d(np.asarray(conditions.temperature_K, dtype=np.float64))
    if temperature.shape not in ((1,), (len(batch),)):
        raise InputError(f"{len(temperature)} temperatures for {len(batch)} structures; give one, or one each.")
    if not np.all(np.isfinite(temperature) & (temperature >= 0)):
        raise InputError(f"temperature_K={conditions.temperature_K} is not allowed; it must be 0 or more.")
    return Bodies(
        masses=np.take(MASSES_AMU, batch.numbers),
        system_of=batch.system_of,
        warmth=np.broadcast_to(temperature, len(batch)) * BOLTZMANN_EV_PER_K,
        freedoms=3 * sizes - (3 if settings.hold_centre else 0),
        held=settings.hold_centre,
        streams=Streams(replica_keys(conditions.seed, len(batch)), batch.starts),
    )


def _integrator(ensemble: str, settings: MdSettings) -> Integrator:
    if ensemble == "nve":
        return Verlet()
    if settings.thermostat == "langevin":
        return Langevin(settings.friction_per_ps / (1e3 * FEMTOSECOND))
    return Rescaling(settings.relaxation_fs * FEMTOSECOND)


def _start(structures: Sequence[Structure], bodies: Bodies, settings: MdSettings) -> Floats:
    """(n, 3) velocities in internal units: those given, or drawn ones."""
    given = settings.velocities_A_per_fs
    if given is None:
        return bodies.drawn()
    if len(given) != len(structures):
        raise InputError(f"velocities for {len(given)} of {len(structures)} structures; give one array each.")
    rows = [
        frozen(v, np.float64, (len(s), 3), f"velocities_A_per_fs[{i}]")
        for i, (v, s) in enumerate(zip(given, structures, strict=True))
    ]
    return np.concatenate(rows) / FEMTOSECOND


def _check(conditions: MdConditions, settings: MdSettings) -> None:
    for name, value, known in (
        ("ensemble", conditions.ensemble, ENSEMBLES),
        ("thermostat", settings.thermostat, THERMOSTATS),
    ):
        if value not in known:
            raise InputError(f"{name}={value!r} is unknown; {nearest(str(value), known)}")
    for name, value in (
        ("timestep_fs", conditions.timestep_fs),
        ("friction_per_ps", settings.friction_per_ps),
        ("relaxation_fs", settings.relaxation_fs),
    ):
        if not 0 < value < np.inf:
            raise InputError(f"{name}={value} is not allowed; it must be a positive finite number.")
    for name, count, least in (("steps", conditions.steps, 0), ("every", settings.every, 1)):
        if not isinstance(count, int | np.integer) or isinstance(count, bool) or count < least:
            raise InputError(f"{name}={count!r} is not allowed; it must be a whole number, {least} or more.")
    limits = settings.limits
    if not (limits.force_eV_per_A > 0 and limits.hotter > 1 and 0 <= limits.closest_A < np.inf):
        raise InputError(
            f"{limits} is not allowed; force_eV_per_A must be positive, hotter above 1, closest_A 0 or more."
        )
