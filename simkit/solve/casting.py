"""From a request to the bodies, baths and velocities of molecular dynamics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from simkit.arrays import Floats, frozen
from simkit.elements import MASSES_AMU
from simkit.errors import InputError
from simkit.potential.base import Potential
from simkit.solve.barostat import Barostat, barostat
from simkit.solve.bodies import Bodies
from simkit.solve.conditions import MdConditions, MdSettings, check_request
from simkit.solve.integrators import Integrator, Langevin, Rescaling, Verlet
from simkit.solve.motion import Dynamics
from simkit.solve.noise import Streams, replica_keys
from simkit.solve.schedule import Schedule, schedule
from simkit.structure import Batch, Structure, require_structure
from simkit.units import BOLTZMANN_EV_PER_K, EV_PER_A3_IN_GPA, FEMTOSECOND


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
    check_request(conditions, settings)
    batch = Batch.of(structures)
    temperature = schedule(conditions.temperature_K, len(batch), conditions.timestep_fs, "temperature_K")
    if temperature.lowest < 0:
        raise InputError(f"temperature_K={conditions.temperature_K} is not allowed; it must be 0 or more.")
    pressure = schedule(settings.pressure_GPa, len(batch), conditions.timestep_fs, "pressure_GPa")
    bodies = _bodies(structures, batch, conditions, settings, temperature)
    return Dynamics(
        potential=potential,
        batch=batch,
        bodies=bodies,
        temperature=temperature,
        integrator=_integrator(conditions.ensemble, settings),
        barostat=_barostat(batch, settings, pressure) if conditions.ensemble == "npt" else None,
        pressure=pressure,
        velocities=_start(structures, bodies, settings),
        tick_time=conditions.timestep_fs * FEMTOSECOND,
        steps=conditions.steps,
        every=settings.every,
        limits=settings.limits,
    )


def _bodies(
    structures: Sequence[Structure],
    batch: Batch,
    conditions: MdConditions,
    settings: MdSettings,
    temperature: Schedule,
) -> Bodies:
    sizes = np.diff(batch.starts)
    fixed = _columns(structures, settings.fixed, bool, "fixed")
    wanted = _columns(structures, settings.resting, np.int64, "resting")
    groups = [
        _groups(one, still, settings.hold_centre, (f"structure {k}", sizes[k]))
        for k, (one, still) in enumerate(zip(wanted, fixed, strict=True))
    ]
    rests = np.array([one.max() + 1 for one in groups])
    firsts = np.cumsum(rests) - rests
    mobile = ~np.concatenate([np.zeros(n, dtype=bool) if f is None else f for f, n in zip(fixed, sizes, strict=True)])
    freedoms = 3 * np.bincount(batch.system_of, mobile, minlength=len(batch)).astype(np.int64) - 3 * rests
    if freedoms.min() < 1:
        raise InputError(
            f"structure {int(freedoms.argmin())} has no degree of freedom left; a single atom whose centre of mass is "
            "held cannot move: set hold_centre=False, or fix fewer atoms."
        )
    return Bodies(
        masses=np.take(MASSES_AMU, batch.numbers),
        mobile=mobile,
        system_of=batch.system_of,
        group_of=np.concatenate([np.where(g < 0, -1, g + f) for g, f in zip(groups, firsts, strict=True)]),
        rests=rests,
        warmth=temperature.at(0) * BOLTZMANN_EV_PER_K,
        freedoms=freedoms,
        streams=Streams(replica_keys(conditions.seed, len(batch)), batch.starts),
    )


def _columns(
    structures: Sequence[Structure], given: Sequence[ArrayLike | None] | None, dtype: type, name: str
) -> list[np.ndarray | None]:
    """One checked (n,) array, or None, per structure."""
    if given is None:
        return [None] * len(structures)
    if len(given) != len(structures):
        raise InputError(f"{name} for {len(given)} of {len(structures)} structures; give an array or None for each.")
    return [
        None if one is None else frozen(one, dtype, (len(s),), f"{name}[{k}]")
        for k, (one, s) in enumerate(zip(given, structures, strict=True))
    ]


def _groups(wanted: np.ndarray | None, fixed: np.ndarray | None, whole: bool, where: tuple[str, int]) -> np.ndarray:
    """(n,) groups at rest, numbered from 0, -1 for atoms of none. The whole system where nothing else is held."""
    name, atoms = where
    if wanted is None:
        return np.full(atoms, 0 if whole and not (fixed is not None and fixed.any()) else -1)
    if fixed is not None and (fixed & (wanted >= 0)).any():
        raise InputError(f"{name}: an atom is fixed and in a group at rest; it can be only one of the two.")
    kept = np.unique(wanted[wanted >= 0])
    return np.where(wanted < 0, -1, np.searchsorted(kept, wanted))


def _barostat(batch: Batch, settings: MdSettings, pressure: Schedule) -> Barostat:
    """A mobility of compressibility / (3 volume time), see `barostat.Barostat`."""
    compressibility = settings.compressibility_per_GPa * EV_PER_A3_IN_GPA
    mobility = compressibility / (3.0 * batch.volumes * settings.barostat_fs * FEMTOSECOND)
    return barostat(batch, settings.cell, mobility, pressure.at(0) / EV_PER_A3_IN_GPA)


def _integrator(ensemble: str, settings: MdSettings) -> Integrator:
    if ensemble == "nve":
        return Verlet()
    if settings.thermostat == "langevin":
        return Langevin(settings.friction_per_ps / (1e3 * FEMTOSECOND))
    return Rescaling(settings.relaxation_fs * FEMTOSECOND)


def _start(structures: Sequence[Structure], bodies: Bodies, settings: MdSettings) -> Floats:
    """(n, 3) velocities in internal units: those given, without what the constraints forbid, or drawn ones."""
    given = settings.velocities_A_per_fs
    if given is None:
        return bodies.drawn()
    if len(given) != len(structures):
        raise InputError(f"velocities for {len(given)} of {len(structures)} structures; give one array each.")
    rows = [
        frozen(v, np.float64, (len(s), 3), f"velocities_A_per_fs[{i}]")
        for i, (v, s) in enumerate(zip(given, structures, strict=True))
    ]
    return bodies.resting(np.where(bodies.mobile[:, None], np.concatenate(rows) / FEMTOSECOND, 0.0))
