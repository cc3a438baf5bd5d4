"""Heat baths of molecular dynamics: what they do to the velocities in the middle and at the end of a step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats
from simkit.solve.bodies import Bodies, Tick
from simkit.solve.noise import BATH


class Integrator(ABC):
    """A step is half a kick, half a drift, `middle`, half a drift, half a kick, `settle`."""

    @abstractmethod
    def middle(self, bodies: Bodies, tick: Tick, v: Floats) -> Floats:
        """Velocities (n, 3) in the middle of the drift."""

    @abstractmethod
    def settle(self, bodies: Bodies, tick: Tick, v: Floats) -> Floats:
        """Velocities (n, 3) at the end of the step."""


@dataclass(frozen=True)
class Verlet(Integrator):
    """Velocity Verlet (Swope et al., J. Chem. Phys. 76, 637, 1982): time reversible, symplectic, second order."""

    def middle(self, bodies: Bodies, tick: Tick, v: Floats) -> Floats:
        """v as it is."""
        return v

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

    def middle(self, bodies: Bodies, tick: Tick, v: Floats) -> Floats:
        """c v + sqrt(1 - c^2) noise."""
        kept = np.exp(-self.friction * tick.time)
        noise = bodies.thermal(tick.step, BATH, tick.active)
        return bodies.resting(kept * v + np.sqrt(1.0 - kept**2) * noise)

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

    def middle(self, bodies: Bodies, tick: Tick, v: Floats) -> Floats:
        """v as it is."""
        return v

    def settle(self, bodies: Bodies, tick: Tick, v: Floats) -> Floats:
        """alpha v; a system at perfect rest stays so, for there is nothing to scale."""
        kept = np.exp(-tick.time / self.relaxation)
        kinetic = bodies.kinetic(v)
        moving = tick.active & (kinetic > 0)
        first, others = np.zeros(len(kinetic)), np.zeros(len(kinetic))
        for system in np.flatnonzero(moving):
            generator = bodies.streams.generator(system, tick.step, BATH)
            first[system] = generator.standard_normal()
            others[system] = 2.0 * generator.standard_gamma(0.5 * (bodies.freedoms[system] - 1))
        # K0 / (f K), the share of one degree of freedom
        share = 0.5 * bodies.warmth / np.where(moving, kinetic, 1.0)
        cross = np.sqrt(kept * (1.0 - kept) * share)
        square = kept + (1.0 - kept) * share * (first**2 + others) + 2.0 * first * cross
        # alpha^2 = (sqrt(c) + R1 sqrt((1 - c) share))^2 + ... has the sign of that first term
        sign = np.sign(np.sqrt(kept) + first * np.sqrt((1.0 - kept) * share))
        scale = np.where(moving, sign * np.sqrt(np.maximum(square, 0.0)), 1.0)
        return scale[bodies.system_of][:, None] * v
