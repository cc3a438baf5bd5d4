"""One step of the equations of motion: kick, drift, kick, with a heat bath in the middle or at the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats
from simkit.solve.noise import BATH, START, Streams


@dataclass(frozen=True, eq=False)
class Bodies:
    """What moves, and at which temperature; energies in eV, masses in amu, times in A sqrt(amu/eV).

    masses    (n,)
    system_of (n,): [0, atoms) -> [0, systems)
    warmth    (m,) kT of each system, eV
    freedoms  (m,) degrees of freedom of each system
    held      whether centres of mass rest, at the cost of three degrees of freedom each
    streams   random numbers
    """

    masses: Floats
    system_of: np.ndarray
    warmth: Floats
    freedoms: np.ndarray
    held: bool
    streams: Streams

    def kinetic(self, v: Floats) -> Floats:
        """(m,) kinetic energy, eV."""
        squares = np.einsum("nk,nk->n", v, v)
        return 0.5 * np.bincount(self.system_of, self.masses * squares, minlength=len(self.warmth))

    def thermal(self, step: int, purpose: int, active: np.ndarray) -> Floats:
        """(n, 3) Maxwell-Boltzmann velocities, sqrt(kT/m) times standard normal numbers; centres not yet held."""
        spread = np.sqrt(self.warmth[self.system_of] / self.masses)
        return spread[:, None] * self.streams.normals(step, purpose, active)

    def resting(self, v: Floats) -> Floats:
        """Velocities without those of the centres of mass, where these are held; v as it is where not.

        What is left of a Maxwell-Boltzmann sample is one of the 3n - 3 remaining degrees of freedom: the
        projection is orthogonal in the metric of the masses.
        """
        if not self.held:
            return v
        total = np.bincount(self.system_of, self.masses, minlength=len(self.warmth))
        momenta = [np.bincount(self.system_of, self.masses * row, minlength=len(total)) for row in v.T]
        return v - (np.stack(momenta, axis=1) / total[:, None])[self.system_of]

    def drawn(self) -> Floats:
        """(n, 3) velocities to start from."""
        return self.resting(self.thermal(0, START, np.ones(len(self.warmth), dtype=bool)))


@dataclass(frozen=True, eq=False)
class Tick:
    """Which step it is: its number, its length in A sqrt(amu/eV), and the mask of systems that take it."""

    step: int
    time: float
    active: np.ndarray


class Integrator(ABC):
    """What happens between two half kicks v += F t / 2m, and after the second one."""

    @abstractmethod
    def drift(self, bodies: Bodies, tick: Tick, x: Floats, v: Floats) -> tuple[Floats, Floats]:
        """Positions and velocities (n, 3) after the atoms have moved by one step."""

    @abstractmethod
    def settle(self, bodies: Bodies, tick: Tick, v: Floats) -> Floats:
        """Velocities (n, 3) at the end of the step."""


@dataclass(frozen=True)
class Verlet(Integrator):
    """Velocity Verlet (Swope et al., J. Chem. Phys. 76, 637, 1982): time reversible, symplectic, second order."""

    def drift(self, bodies: Bodies, tick: Tick, x: Floats, v: Floats) -> tuple[Floats, Floats]:
        """x + t v."""
        return x + tick.time * v, v

    def settle(self, bodies: Bodies, tick: Tick, v: Floats) -> Floats:
        """v as it is."""
        return v


@dataclass(frozen=True)
class Langevin(Integrator):
    """Langevin dynamics by BAOAB (Leimkuhler and Matthews, J. Chem. Phys. 138, 174102, 2013).

    In the middle of the drift v becomes c v + sqrt(1 - c^2) sqrt(kT/m) R, c = exp(-friction t), and centres of
    mass are brought to rest where they are held. In a harmonic well averages over positions are exact at any step
    length, and the mean kinetic energy of a mode of frequency w is low by the part (w t)^2/4; in general both are
    off by O(t^2).
    """

    friction: float

    def drift(self, bodies: Bodies, tick: Tick, x: Floats, v: Floats) -> tuple[Floats, Floats]:
        """Half a drift, the bath, half a drift."""
        kept = np.exp(-self.friction * tick.time)
        noise = bodies.thermal(tick.step, BATH, tick.active)
        middle = x + 0.5 * tick.time * v
        v = bodies.resting(kept * v + np.sqrt(1.0 - kept**2) * noise)
        return middle + 0.5 * tick.time * v, v

    def settle(self, bodies: Bodies, tick: Tick, v: Floats) -> Floats:
        """v as it is."""
        return v


@dataclass(frozen=True)
class Rescaling(Integrator):
    """Stochastic velocity rescaling (Bussi, Donadio and Parrinello, J. Chem. Phys. 126, 014101, 2007).

    Velocity Verlet, then all velocities of a system times alpha, where K alpha^2 = c K + (1 - c) (R1^2 + S) K0/f
    + 2 R1 sqrt(c (1 - c) K K0/f): K0 = f kT/2, f degrees of freedom, S a sum of f - 1 squared normal numbers,
    c = exp(-t/relaxation). Canonical, and the motion of single atoms is hardly disturbed; it leaves the sharing of
    energy among modes to the forces, so a cold, nearly harmonic crystal wants Langevin.
    """

    relaxation: float

    def drift(self, bodies: Bodies, tick: Tick, x: Floats, v: Floats) -> tuple[Floats, Floats]:
        """x + t v."""
        return x + tick.time * v, v

    def settle(self, bodies: Bodies, tick: Tick, v: Floats) -> Floats:
        """alpha v; a system at perfect rest stays so, for there is nothing to scale."""
        kept = np.exp(-tick.time / self.relaxation)
        kinetic = bodies.kinetic(v)
        scale = np.ones(len(kinetic))
        for system in np.flatnonzero(tick.active & (kinetic > 0)):
            generator = bodies.streams.generator(system, tick.step, BATH)
            first = generator.standard_normal()
            others = 2.0 * generator.standard_gamma(0.5 * (bodies.freedoms[system] - 1))
            # K0 / (f K), the share of one degree of freedom
            share = 0.5 * bodies.warmth[system] / kinetic[system]
            cross = np.sqrt(kept * (1.0 - kept) * share)
            square = kept + (1.0 - kept) * share * (first**2 + others) + 2.0 * first * cross
            # alpha^2 = (sqrt(c) + R1 sqrt((1 - c) share))^2 + ... has the sign of that first term
            sign = np.sign(np.sqrt(kept) + first * np.sqrt((1.0 - kept) * share))
            scale[system] = sign * np.sqrt(max(square, 0.0))
        return scale[bodies.system_of][:, None] * v
