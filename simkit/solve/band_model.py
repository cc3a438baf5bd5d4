"""The model Hessian of a band: stiff across the path as the crystal is, along it as its springs are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats
from simkit.solve.band_rules import on_soft_motions
from simkit.solve.host_model import HostModel, modes_of, stiffness
from simkit.solve.precondition import Springs, solver, spring_model
from simkit.solve.stepper import UNIT_STIFFNESS_EV_PER_A2
from simkit.structure import Structure

BEYOND_HARMONIC = 1.5
"""Saddles stopped early fell by 1.2 to 1.9 times 1/2 f.H^-1.f of their host (O3 hops in P2|O3 of 210 atoms, vacancies
of fcc crystals): an ion between its sites is softer than on them."""


@dataclass(frozen=True, eq=False)
class BandModel:
    """What divides rows (k, 3 n) by the model Hessian of an image, the same for all images of a band.

    left: (k,) eV that forces (k, n, 3) stand for: of a host `BEYOND_HARMONIC` / 2 f.H^-1.f, which tells how far the
    energy will still fall also where slabs glide softly (`BandRules`). Of a host, without the mean force of an image.
    """

    divided: Callable[[Floats], Floats]
    left: Callable[[Floats], Floats] = on_soft_motions

    def applied(self, push: Floats, t: Floats, spring: float, climbing: np.ndarray) -> Floats:
        """(k, n, 3) A times `UNIT_STIFFNESS_EV_PER_A2`: the band's forces (k, n, 3) divided by its stiffness.

        Across the unit tangents t (k, n, 3), H^-1 restricted to the plane: q - w (t.q) / (t.w), q = H^-1 f, w = H^-1 t
        (what has no part along t and least energy; Makri, Ortner and Kermode, J. Chem. Phys. 150, 094109, 2019, divide
        by P before they project). Along it the chain of springs: spring (2 s_i - s_i-1 - s_i+1), and for images in the
        mask `climbing`, which no spring holds, t.H.t.
        """
        k = len(push)
        rows, tangents = push.reshape(k, -1), t.reshape(k, -1)
        q, w = self.divided(rows), self.divided(tangents)
        along = np.einsum("kd,kd->k", rows, tangents)
        q -= along[:, None] * w
        soft = np.einsum("kd,kd->k", tangents, w)
        across = q - (np.einsum("kd,kd->k", tangents, q) / soft)[:, None] * w
        chain = _chain(k, spring / UNIT_STIFFNESS_EV_PER_A2, climbing, 1.0 / soft)
        moved = across + np.linalg.solve(chain, along)[:, None] * tangents
        return moved.reshape(push.shape)


def _chain(images: int, spring: float, climbing: np.ndarray, stiff: Floats) -> Floats:
    """(k, k) stiffness along the path: springs between images that do not climb, ends held."""
    chain = spring * (2.0 * np.eye(images) - np.eye(images, k=1) - np.eye(images, k=-1))
    chain[climbing], chain[:, climbing] = 0.0, 0.0
    chain[climbing, climbing] = stiff[climbing]
    return chain


def band_model(model: Springs | HostModel, initial: Structure, final: Structure, middle: Floats) -> BandModel:
    """The model Hessian of the images between two structures; middle (n, 3) A, an image half way.

    Of a host the mean of those of the two ends; of springs that of the middle.
    """
    if isinstance(model, HostModel):
        return _of_host(model, initial, final)
    n = len(initial)
    divide = solver(spring_model(initial.moved_to(middle), model), np.ones((n, 3), dtype=bool))
    return BandModel(_not_drifting(lambda rows: divide(rows.T.reshape(n, 3, -1)).reshape(3 * n, -1).T))


def _of_host(model: HostModel, initial: Structure, final: Structure) -> BandModel:
    first, last = (stiffness(model, s, 1.0).matrix[:-6, :-6] for s in (initial, final))
    modes = modes_of(0.5 * (first + last), np.arange(len(first)), model)

    def left(forces: Floats) -> Floats:
        inside = forces - forces.mean(axis=1, keepdims=True)
        return BEYOND_HARMONIC * modes.left(inside.reshape(len(forces), -1))

    return BandModel(_not_drifting(modes.divided), left)


def _not_drifting(divide: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    """`divide` with rigid translations of an image as stiff as the steppers' unit.

    A model finds them soft. A tangent has a part along them, as the ion that hops moves the centre of mass, and so has
    a force without its part along the tangent; divided by next to nothing, it would carry the whole crystal along, and
    with it the image down its path: bands of vacancies in metals then take two to five times as many steps.
    """

    def held(rows: Floats) -> Floats:
        atoms = rows.reshape(len(rows), -1, 3)
        drift = atoms.mean(axis=1, keepdims=True)
        moved = divide((atoms - drift).reshape(rows.shape)).reshape(atoms.shape)
        return (moved - moved.mean(axis=1, keepdims=True) + drift).reshape(rows.shape)

    return held
