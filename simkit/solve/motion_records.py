"""Records of molecular dynamics: what a run is made of, its state, and a step that is not judged yet."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from simkit.arrays import Floats
from simkit.potential.base import Potential
from simkit.solve.barostat import Barostat
from simkit.solve.bodies import Bodies
from simkit.solve.breakdown import MdLimits
from simkit.solve.integrators import Integrator
from simkit.solve.landscape import Answers
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


@dataclass(frozen=True, eq=False)
class Trial:
    """Where a step leads, before it is judged."""

    positions: Floats
    velocities: Floats
    cells: Floats
    clear: Floats
    heat: Floats
