"""Trajectory: the frames of one system under molecular dynamics, a frozen record of stacked arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats, frozen
from simkit.elements import MASSES_AMU
from simkit.errors import InputError
from simkit.structure import Structure
from simkit.units import BOLTZMANN_EV_PER_K, FEMTOSECOND

FINISHED = "finished"
"""Status of a trajectory that took all its steps; every other status is a sentence naming what happened."""

_OPTIONAL = ("velocities_A_per_fs", "forces", "energy_spread", "force_spread", "rest_centre")


@dataclass(frozen=True, eq=False)
class Trajectory:
    """f frames of n atoms, oldest first; the last one is where the run ended.

    structure           the atoms at the start, with their layers and tags
    time_fs             (f,) since the start, rising; evenly spaced but for the last frame
    positions           (f, n, 3) A, unwrapped: an atom that leaves through one face goes on beyond it
    cells               (f, 3, 3) A
    velocities_A_per_fs (f, n, 3), None where they were not stored
    energy              (f,) eV, potential energy
    forces              (f, n, 3) eV/A, None where they were not stored
    stress              (f, 3, 3) eV/A^3 of the potential, without the kinetic part
    energy_spread       (f,) eV/atom between the members of a committee, None of a single potential
    force_spread        (f, n) eV/A, the same for the force on each atom
    rest_centre         (f, 3) A, mean position of the atoms that were left out, None where all are here
    freedoms            degrees of freedom among which the kinetic energy is shared (3n, or 3n - 3)
    status              `FINISHED`, or why the run ended; all frames are from before that
    steps               taken, of timestep each; evaluations: model evaluations spent

    A run that broke down at its very start has no frames. Raises InputError on wrong shapes and numbers that are
    not finite.
    """

    structure: Structure
    time_fs: Floats
    positions: Floats
    cells: Floats
    velocities_A_per_fs: Floats | None
    energy: Floats
    forces: Floats | None
    stress: Floats
    freedoms: int
    status: str
    steps: int
    evaluations: int
    energy_spread: Floats | None = None
    force_spread: Floats | None = None
    rest_centre: Floats | None = None

    def __post_init__(self) -> None:
        f, n = len(self.time_fs), len(self.structure)
        shapes = {
            "time_fs": (f,),
            "positions": (f, n, 3),
            "cells": (f, 3, 3),
            "velocities_A_per_fs": (f, n, 3),
            "energy": (f,),
            "forces": (f, n, 3),
            "stress": (f, 3, 3),
            "energy_spread": (f,),
            "force_spread": (f, n),
            "rest_centre": (f, 3),
        }
        for name, shape in shapes.items():
            if name in _OPTIONAL and getattr(self, name) is None:
                continue
            object.__setattr__(self, name, frozen(getattr(self, name), np.float64, shape, name))
        if np.any(np.diff(self.time_fs) <= 0):
            raise InputError("time_fs does not rise from frame to frame; frames must be in the order of time.")
        if self.freedoms < 1:
            raise InputError(f"freedoms={self.freedoms}; a trajectory needs at least one degree of freedom.")

    def __len__(self) -> int:
        return len(self.time_fs)

    def __getitem__(self, frame: int) -> Structure:
        """The structure of one frame; negative numbers count from the end. Raises IndexError beyond the frames."""
        return self.structure.moved_to(self.positions[frame], self.cells[frame])

    @property
    def finished(self) -> bool:
        """Whether all steps were taken and nothing broke down."""
        return self.status == FINISHED

    @property
    def kinetic_eV(self) -> Floats:
        """(f,) kinetic energy, sum of m v^2 / 2. Raises InputError where velocities were not stored."""
        if self.velocities_A_per_fs is None:
            raise InputError("the velocities of this trajectory were not stored; its log holds the kinetic energy.")
        masses = np.take(MASSES_AMU, self.structure.numbers)
        squares = np.einsum("fnk,fnk->fn", self.velocities_A_per_fs, self.velocities_A_per_fs)
        return 0.5 * squares @ masses / FEMTOSECOND**2

    @property
    def total_eV(self) -> Floats:
        """(f,) potential plus kinetic energy: what "nve" conserves."""
        return self.energy + self.kinetic_eV

    @property
    def temperature_K(self) -> Floats:
        """(f,) instantaneous temperature, 2 K / (freedoms k)."""
        return 2.0 * self.kinetic_eV / (self.freedoms * BOLTZMANN_EV_PER_K)
