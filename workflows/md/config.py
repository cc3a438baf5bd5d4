"""What a study file says of molecular dynamics."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from simkit import solve
from simkit.config import Section

Kelvin = Annotated[float, Field(ge=0)]
Points = Annotated[tuple[Annotated[tuple[float, float], Field(strict=False)], ...], Field(strict=False)]
"""Points of a ramp: (time in ps, value)."""


class Storage(Section):
    """What is stored of each frame besides positions, cell, energy and stress.

    atoms       "all", or "ions": those of the element `ion` only, and the mean position of the others
    single      positions, velocities, forces and virials in single precision: half the size, 1e-7 of a length
    """

    atoms: Literal["all", "ions"] = "all"
    ion: str = "Na"
    velocities: bool = False
    forces: bool = False
    virials: bool = False
    single: bool = True


class Config(Section):
    """Molecular dynamics of every structure at every temperature, `replicas` times, all in one batch.

    temperatures_K of velocities and bath; heating: points (ps, K) of a ramp that replaces them
    pressure_GPa   of "npt"; pressing: points (ps, GPa) of a ramp that replaces it; cell: what may change then
    length_ps      of each run
    thermostat     "rescale" hardly disturbs diffusion, "langevin" (friction_per_ps) samples a cold crystal faster
    resting        "slabs": the centre of mass of every slab stays where it is; fixed_slabs: slabs that never move
    frame_fs, log_fs time between two stored frames, and between two lines of the log
    save_ps, save_minutes  time between two saved states, whichever comes first; a kill loses at most as much
    """

    ensemble: Literal["nve", "nvt", "npt"] = "nvt"
    temperatures_K: Annotated[tuple[Kelvin, ...], Field(strict=False, min_length=1)] = (600.0, 800.0, 1000.0)
    heating: Points = ()
    pressure_GPa: float = 0.0
    pressing: Points = ()
    replicas: int = Field(default=1, ge=1)
    length_ps: float = Field(default=50.0, gt=0)
    timestep_fs: float = Field(default=1.0, gt=0)
    seed: int = Field(default=0, ge=0)
    thermostat: Literal["langevin", "rescale"] = "rescale"
    friction_per_ps: float = Field(default=5.0, gt=0)
    relaxation_fs: float = Field(default=100.0, gt=0)
    cell: Literal["isotropic", "layered", "anisotropic", "free", "inplane", "c"] = "anisotropic"
    barostat_fs: float = Field(default=1000.0, gt=0)
    compressibility_per_GPa: float = Field(default=0.01, gt=0)
    resting: Literal["nothing", "slabs"] = "nothing"
    fixed_slabs: Annotated[tuple[int, ...], Field(strict=False)] = ()
    frame_fs: float = Field(default=50.0, gt=0)
    log_fs: float = Field(default=10.0, gt=0)
    save_ps: float = Field(default=5.0, gt=0)
    save_minutes: float = Field(default=10.0, gt=0)
    storage: Storage = Storage()

    @model_validator(mode="after")
    def _ramps(self) -> Config:
        for name, points in (("heating", self.heating), ("pressing", self.pressing)):
            times = [time for time, _ in points]
            if any(b <= a for a, b in pairwise(times)):
                raise ValueError(f"{name}: the times of its points must rise")
        return self

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return max(1, round(1e3 * self.length_ps / self.timestep_fs))

    def ticks(self, time_fs: float) -> int:
        """A time as a number of steps, at least one."""
        return max(1, round(time_fs / self.timestep_fs))


def ramp(points: Points) -> solve.Ramp:
    """A ramp of the solver from points in ps."""
    return solve.Ramp(tuple(1e3 * time for time, _ in points), tuple(value for _, value in points))
