"""What moves in molecular dynamics: masses, baths, what is held still, and the random numbers of it all."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from simkit.arrays import Floats
from simkit.kernels.driving import Rest, kicked, kinetic_and_largest, rested
from simkit.solve.noise import START, Streams


@dataclass(frozen=True, eq=False)
class Bodies:
    """What moves, and at which temperature; energies in eV, masses in amu, times in A sqrt(amu/eV).

    masses    (n,)
    mobile    (n,) False for atoms that are fixed
    system_of (n,): [0, atoms) -> [0, systems)
    group_of  (n,): [0, atoms) -> [0, groups) whose centre of mass rests, or -1; by default a system is one group
    rests     (m,) groups in each system
    warmth    (m,) kT of each system, eV
    freedoms  (m,) degrees of freedom of each system: three per mobile atom, three less per group
    streams   random numbers
    """

    masses: Floats
    mobile: np.ndarray
    system_of: np.ndarray
    group_of: np.ndarray
    rests: np.ndarray
    warmth: Floats
    freedoms: np.ndarray
    streams: Streams

    @cached_property
    def inverse(self) -> Floats:
        """(n,) one over the mass, zero where an atom is fixed."""
        return np.where(self.mobile, 1.0 / self.masses, 0.0)

    @cached_property
    def _rest(self) -> Rest:
        kept = self.group_of >= 0
        total = np.bincount(self.group_of[kept], self.masses[kept], minlength=int(self.rests.sum()))
        return self.group_of.astype(np.int64), self.masses, total

    def kinetic(self, v: Floats) -> Floats:
        """(m,) kinetic energy, eV."""
        return kinetic_and_largest(v, self.masses, self.streams.starts)[0]

    def kicked(self, v: Floats, forces: Floats, time: float) -> Floats:
        """(n, 3) velocities after forces (n, 3) have acted for a time, under the constraints; see `resting`."""
        return kicked(v, forces, time * self.inverse, self._rest)

    def thermal(self, step: int, purpose: int, active: np.ndarray) -> Floats:
        """(n, 3) Maxwell-Boltzmann velocities, sqrt(kT/m) times standard normal numbers; centres not yet at rest."""
        spread = np.sqrt(self.warmth[self.system_of] * self.inverse)
        return spread[:, None] * self.streams.normals(step, purpose, active)

    def resting(self, v: Floats) -> Floats:
        """Velocities without those of the centres of mass that rest.

        The projection is orthogonal in the metric of the masses: what is left of a Maxwell-Boltzmann sample is one
        of the remaining degrees of freedom, and applied to every kick it is the exact motion under the constraint.
        """
        return rested(v, self._rest)

    def drawn(self) -> Floats:
        """(n, 3) velocities to start from."""
        return self.resting(self.thermal(0, START, np.ones(len(self.warmth), dtype=bool)))


@dataclass(frozen=True, eq=False)
class Tick:
    """Which step it is: its number, its length in A sqrt(amu/eV), and the mask of systems that take it."""

    step: int
    time: float
    active: np.ndarray
