"""Constant pressure: the cell breathes and shears as a random walk in strain, by stochastic cell rescaling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats
from simkit.errors import InputError, nearest
from simkit.kernels.cell_walk import frames_of, strains
from simkit.kernels.driving import kinetic_tensors
from simkit.solve.bodies import Bodies, Tick
from simkit.solve.noise import CELL
from simkit.structure import Batch

_XX, _YY, _ZZ = (np.diag(row) for row in np.eye(3))


def _mixed(a: int, b: int) -> Floats:
    out = np.zeros((3, 3))
    out[a, b] = out[b, a] = np.sqrt(0.5)
    return out


MODES: Mapping[str, tuple[Floats, ...]] = {
    "isotropic": (np.eye(3) / np.sqrt(3.0),),
    "layered": ((_XX + _YY) / np.sqrt(2.0), _ZZ),
    "anisotropic": (_XX, _YY, _ZZ),
    "free": (_XX, _YY, _ZZ, _mixed(1, 2), _mixed(0, 2), _mixed(0, 1)),
    "inplane": (_XX, _YY, _mixed(0, 1)),
    "c": (_ZZ,),
}
"""Orthonormal strains that may change, x along the first cell vector, z normal to the first two: all directions alike;
the plane as a whole, and the normal; three lengths; everything; the plane only; the normal only."""
ACTS_ON = {"inplane": (True, True, False), "c": (False, False, True)}
"""Cell vectors that must be periodic; all three where a mode is not named."""


@dataclass(frozen=True, eq=False)
class Barostat:
    """Stochastic cell rescaling of any set of strains (Bernetti and Bussi, J. Chem. Phys. 153, 114107, 2020; Del
    Tatto et al., Appl. Sci. 12, 1139, 2022).

    With strain e along one of `modes` B, once a step: e = D t/kT (V (P_int - p) + g kT 1) : B + sqrt(2 D t) R, then
    cell, positions and momenta go with exp(sum e B), which keeps the volume of phase space. P_int = (sum m v v)/V -
    stress; D = compressibility kT / (3 V_0 time). The mobility D depends on nothing that moves and the strains act
    from the left on the group of deformations, so the walk has the stationary distribution exp(-(K + U + pV)/kT) V^g
    dmu, dmu the invariant measure of the group, dV/V for the isotropic one. g is 1, and one more for each centre of
    mass at rest, whose place, but not momentum, is scaled.

    modes    (m, k, 3, 3) orthonormal symmetric strains of each system
    mobility (m,) D/kT, 1/(eV time)
    pressure (m,) eV/A^3; frames (m, 3, 3) directions (rows) that the first two cell vectors span at the start
    """

    modes: Floats
    mobility: Floats
    pressure: Floats
    frames: Floats

    def deformations(self, bodies: Bodies, tick: Tick, v: Floats, cells: Floats, stress: Floats) -> Floats:
        """(m, 3, 3) by which row vectors are multiplied; the identity for systems that do not take the step."""
        volumes = np.linalg.det(cells)
        push = kinetic_tensors(v, bodies.masses, bodies.streams.starts) - volumes[:, None, None] * stress
        weight = (1.0 + bodies.rests) * bodies.warmth - self.pressure * volumes
        push = push + weight[:, None, None] * np.eye(3)
        noise = np.zeros(self.modes.shape[:2])
        for system in np.flatnonzero(tick.active):
            bodies.streams.generator(system, tick.step, CELL).standard_normal(out=noise[system])
        drift, jitter = self.mobility * tick.time, np.sqrt(2.0 * self.mobility * bodies.warmth * tick.time)
        walk = strains(self.modes, push, drift * tick.active, jitter[:, None] * noise)
        return self._unturned(cells, _exponential(walk))

    def _unturned(self, cells: Floats, deformation: Floats) -> Floats:
        """The deformation and a turn that lays the first two cell vectors where they were: a turn changes no energy."""
        turn = np.swapaxes(frames_of(cells @ deformation), 1, 2) @ self.frames
        return deformation @ turn


def barostat(batch: Batch, cell: str, mobility: Floats, pressure: Floats) -> Barostat:
    """A barostat for the systems of a batch; mobility and pressure (m,) in internal units.

    Raises InputError for an unknown mode, and where a vector that must change is not periodic.
    """
    if cell not in MODES:
        raise InputError(f"cell={cell!r} is unknown; {nearest(cell, MODES)}")
    needed = np.array(ACTS_ON.get(cell, (True, True, True)))
    lacking = np.flatnonzero((needed & ~batch.periodic).any(axis=1))
    if len(lacking):
        raise InputError(f"cell={cell!r} changes vectors that structure {lacking[0]} does not repeat along.")
    frames = frames_of(batch.cells)
    modes = np.stack([np.swapaxes(frames, 1, 2) @ mode @ frames for mode in MODES[cell]], axis=1)
    return Barostat(modes, mobility, pressure, frames)


def _exponential(strain: Floats) -> Floats:
    """Matrix exponential of (m, 3, 3) symmetric matrices."""
    values, vectors = np.linalg.eigh(strain)
    return (vectors * np.exp(values)[:, None, :]) @ np.swapaxes(vectors, 1, 2)
