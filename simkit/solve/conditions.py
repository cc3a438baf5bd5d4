"""What molecular dynamics is asked for, and whether it makes sense."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from simkit.errors import InputError, nearest
from simkit.solve.barostat import MODES
from simkit.solve.breakdown import MdLimits
from simkit.solve.schedule import Course

ENSEMBLES: tuple[str, ...] = ("nve", "nvt", "npt")
THERMOSTATS: tuple[str, ...] = ("langevin", "rescale")


@dataclass(frozen=True)
class MdConditions:
    """What a run simulates.

    ensemble      "nve" (constant energy), "nvt" (heat bath) or "npt" (heat bath and pressure, see `MdSettings.cell`)
    temperature_K of the velocities drawn at the start and of the bath: a number or a `Ramp`; one, or one per structure
    timestep_fs   about 1 for oxides, 0.5 or less with hydrogen
    steps         to take
    seed          of velocities and bath: one (replicas differ by their place in the list, so that appending one
                  does not change the others), or one per structure (each replica as if run alone)
    """

    ensemble: str
    temperature_K: Course | Sequence[Course]
    timestep_fs: float
    steps: int
    seed: int | Sequence[int]


@dataclass(frozen=True, eq=False)
class MdSettings:
    """How to simulate it.

    thermostat          of "nvt" and "npt": "langevin" (BAOAB, for sampling) or "rescale" (stochastic velocity
                        rescaling, which leaves diffusion nearly undisturbed)
    friction_per_ps     of "langevin"
    relaxation_fs       of "rescale": time in which the kinetic energy forgets
    every               steps between two frames
    hold_centre         centres of mass stay at rest, and 3n - 3 degrees of freedom are counted; False for atoms in an
                        external field (3n). A system with fixed atoms or groups at rest has nothing else to hold
    velocities_A_per_fs (n, 3) per structure to start from, without what the constraints forbid; None draws them
    limits              when a replica has broken down
    pressure_GPa        of "npt": a number or a `Ramp`; one, or one per structure; compression positive
    cell                of "npt", what may change: "isotropic", "layered" (plane as a whole, and normal), "anisotropic"
                        (three lengths), "free" (everything), "inplane", "c"
    barostat_fs         of "npt": time in which the volume forgets, for a compressibility as given
    compressibility_per_GPa of "npt", about 0.01 for oxides; wrong ones only make the barostat slower or faster
    fixed               per structure a mask (n,) of atoms that never move, or None
    resting             per structure (n,) numbers of groups of atoms whose centres of mass stay where they are, -1 for
                        none, or None: the slabs of `Structure.layers`, say
    """

    thermostat: str = "langevin"
    friction_per_ps: float = 5.0
    relaxation_fs: float = 100.0
    every: int = 10
    hold_centre: bool = True
    velocities_A_per_fs: Sequence[ArrayLike] | None = None
    limits: MdLimits = field(default_factory=MdLimits)
    pressure_GPa: Course | Sequence[Course] = 0.0
    cell: str = "anisotropic"
    barostat_fs: float = 1000.0
    compressibility_per_GPa: float = 0.01
    fixed: Sequence[ArrayLike | None] | None = None
    resting: Sequence[ArrayLike | None] | None = None


def check_request(conditions: MdConditions, settings: MdSettings) -> None:
    """Raise InputError for unknown names and numbers out of range."""
    for name, value, known in (
        ("ensemble", conditions.ensemble, ENSEMBLES),
        ("thermostat", settings.thermostat, THERMOSTATS),
        ("cell", settings.cell, tuple(MODES)),
    ):
        if value not in known:
            raise InputError(f"{name}={value!r} is unknown; {nearest(str(value), known)}")
    for name, value in (
        ("timestep_fs", conditions.timestep_fs),
        ("friction_per_ps", settings.friction_per_ps),
        ("relaxation_fs", settings.relaxation_fs),
        ("barostat_fs", settings.barostat_fs),
        ("compressibility_per_GPa", settings.compressibility_per_GPa),
    ):
        if not 0 < value < np.inf:
            raise InputError(f"{name}={value} is not allowed; it must be a positive finite number.")
    for name, count, least in (("steps", conditions.steps, 0), ("every", settings.every, 1)):
        if not isinstance(count, int | np.integer) or isinstance(count, bool) or count < least:
            raise InputError(f"{name}={count!r} is not allowed; it must be a whole number, {least} or more.")
    _check_limits(settings.limits)
    if conditions.ensemble == "npt" and settings.fixed is not None and any(f is not None for f in settings.fixed):
        raise InputError("fixed atoms have no place of their own in a cell that changes; hold slabs with `resting`.")


def _check_limits(limits: MdLimits) -> None:
    good = limits.force_eV_per_A > 0 and limits.hotter > 1 and 0 <= limits.closest_A < np.inf
    if not (good and limits.faster > 0 and limits.swelling > 1):
        raise InputError(
            f"{limits} is not allowed; force_eV_per_A and faster must be positive, swelling and hotter above 1, "
            "closest_A 0 or more."
        )
