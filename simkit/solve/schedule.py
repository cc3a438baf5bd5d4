"""Temperatures and pressures that may change during a run: straight lines between given times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats
from simkit.errors import InputError


@dataclass(frozen=True)
class Ramp:
    """A value over time: straight lines between points, constant before the first and after the last.

    times_fs rising, from the start of the run; values as many. Raises InputError otherwise.
    """

    times_fs: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "times_fs", tuple(float(t) for t in self.times_fs))
        object.__setattr__(self, "values", tuple(float(v) for v in self.values))
        good = len(self.times_fs) == len(self.values) > 0 and np.isfinite([*self.times_fs, *self.values]).all()
        if not good or np.any(np.diff(self.times_fs) <= 0):
            raise InputError(f"{self}: a ramp needs as many finite values as times, and times that rise.")


Course = float | Ramp
"""One value, or one that changes with time."""


@dataclass(frozen=True)
class Schedule:
    """The course of one quantity in each of m systems."""

    ramps: tuple[Ramp, ...]
    timestep_fs: float

    def at(self, step: int) -> Floats:
        """(m,) values at a step."""
        time = step * self.timestep_fs
        return np.array([np.interp(time, ramp.times_fs, ramp.values) for ramp in self.ramps])

    @property
    def constant(self) -> bool:
        """Whether nothing ever changes."""
        return all(len(set(ramp.values)) == 1 for ramp in self.ramps)

    @property
    def lowest(self) -> float:
        """Smallest value that is ever met."""
        return min(min(ramp.values) for ramp in self.ramps)


def schedule(given: Course | Sequence[Course], systems: int, timestep_fs: float, name: str) -> Schedule:
    """A schedule from one value or ramp, or one for each system.

    Raises InputError naming `name` for a wrong number of them or values that are not finite.
    """
    alone = isinstance(given, Ramp) or np.ndim(given) == 0
    courses = [given] if alone else list(given)
    if len(courses) not in (1, systems):
        raise InputError(f"{name}: {len(courses)} for {systems} structures; give one, or one each.")
    if not all(isinstance(c, Ramp) or np.isfinite(c) for c in courses):
        raise InputError(f"{name}={given} is not allowed; every value must be a finite number.")
    ramps = tuple(c if isinstance(c, Ramp) else Ramp((0.0,), (float(c),)) for c in courses)
    return Schedule(ramps if len(ramps) == systems else ramps * systems, timestep_fs)
