"""What pushes the images of a band, when it climbs, and how far it is from its criterion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats
from simkit.solve.tangents import band_forces, tangents

SOFT_EV_PER_A2 = 0.1
"""Stiffness of the softest motions that count: a force f left on them stands for an energy f^2 / 2k."""
NO_MODEL_EV_PER_A2 = 0.03
"""The same for bands in a fixed cell that have no model Hessian, whose softest motions come to rest last: an O3 hop in
P2|O3 of 210 atoms, whose slabs glide with 0.04 eV/A^2, ends 1.4 to 1.7 meV too high with it, 2.4 to 3.5 with 0.1."""


@dataclass(frozen=True)
class BandRules:
    """When a band counts as converged, and how it climbs.

    fmax         eV/A, largest norm on an atom of the climbing image (without climbing: of every image)
    others       eV/A, the same for the other images of a climbing band
    error        eV, by which the barrier may still be too high as far as forces tell: the energy that those on the
                 highest image stand for, less that of the worse end, so that atoms far from the hop, which the ends
                 have as well, do not count. Without a host's Hessian that energy is `on_soft_motions`
    spring       eV/A^2
    climb        whether the highest image climbs
    climb_below  eV/A, the band's largest projected force below which the climb begins
    """

    fmax: float
    others: float
    error: float
    spring: float
    climb: bool
    climb_below: float


@dataclass(frozen=True, eq=False)
class Felt:
    """What a band feels: push (k, n, 3) on its images, highest energy (eV), residual, its climbing image or -1."""

    push: Floats
    peak: float
    residual: float
    mode: int


def on_soft_motions(forces: Floats, stiffness_eV_per_A2: float = SOFT_EV_PER_A2) -> Floats:
    """(images,) eV that forces (images, n, 3) stand for if all motions were as soft as k: |f|^2 / 2k."""
    return (forces**2).sum(axis=(1, 2)) / (2.0 * stiffness_eV_per_A2)


def felt(
    rules: BandRules,
    band: tuple[Floats, Floats, Floats],
    mode: int,
    mirrored: bool = False,
    left: Callable[[Floats], Floats] = on_soft_motions,
) -> Felt:
    """What a band of positions (k + 2, n, 3), energies (k + 2,) and forces, ends included, feels.

    mode is the image that climbed before, or -1; of a mirrored band the image opposite climbs with it.
    left: (images,) eV that forces (images, n, 3) stand for.
    """
    positions, energies, forces = band
    peak, images = float(energies.max()), len(positions) - 2
    t = tangents(positions, energies)[1:-1]
    top = int(np.argmax(energies)) - 1
    inside = 0 <= top < images and bool(np.isfinite(energies).all())
    push, true = band_forces(positions, t, forces[1:-1], rules.spring)
    norms = np.linalg.norm(true, axis=2).max(axis=1)
    if not (rules.climb and inside and (mode >= 0 or norms.max() < rules.climb_below)):
        residual = max(norms.max() / rules.fmax, _excess(left(true), left(forces[[0, -1]]), rules))
        return Felt(push, peak, float(residual), -1)
    climbing = climbing_images(top, images, mirrored)
    push, true = band_forces(positions, t, forces[1:-1], rules.spring, climbing)
    norms = np.linalg.norm(true, axis=2).max(axis=1)
    others = np.delete(norms, climbing).max(initial=0.0)
    excess = _excess(left(true[top : top + 1]), left(forces[[0, -1]]), rules)
    residual = max(norms[top] / rules.fmax, others / rules.others, excess)
    return Felt(push, peak, float(residual), top)


def climbing_images(top: int, images: int, mirrored: bool) -> tuple[int, ...]:
    """The images that climb: the highest, and where the band is mirrored the one opposite; none for top = -1."""
    if top < 0:
        return ()
    return tuple(sorted({top, images - 1 - top})) if mirrored else (top,)


def _excess(images: Floats, ends: Floats, rules: BandRules) -> float:
    """Square root of the energy left on the worst image over what is allowed, so that it falls as forces do."""
    return float(np.sqrt(images.max() / (rules.error + ends.max())))
