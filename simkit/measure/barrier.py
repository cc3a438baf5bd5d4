"""Barrier of a path from energies and tangential forces at its images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import CubicHermiteSpline

from simkit.arrays import Floats, frozen
from simkit.errors import InputError


@dataclass(frozen=True, eq=False)
class BarrierFit:
    """A cubic through the images of a path.

    forward_eV, reverse_eV    barriers from the fit, seen from the first and the last image (never negative)
    highest_image             index of the image of highest energy
    highest_forward_eV        its energy above the first image: the barrier without a fit
    maximum_at_A              where along the path the fit is highest
    distances_A, energies_eV  (images,) what was fitted, energies relative to the first image
    curve_distances_A, curve_energies_eV  (points,) the fit, for plotting
    """

    forward_eV: float
    reverse_eV: float
    highest_image: int
    highest_forward_eV: float
    maximum_at_A: float
    distances_A: Floats
    energies_eV: Floats
    curve_distances_A: Floats
    curve_energies_eV: Floats


def largest_rise(energies_eV: ArrayLike) -> float:
    """Largest climb from an earlier to a later image, max over i < j of E_j - E_i, eV; 0 for a path that only falls.

    It exceeds the barrier where the path passes a state deeper than its start, which then is the one to leave.
    energies_eV (m,) at the images. Raises InputError for an empty path.
    """
    energies = frozen(energies_eV, np.float64, (None,), "energies_eV")
    if len(energies) == 0:
        raise InputError("a path without images has no rise; give at least one energy.")
    return float((energies - np.minimum.accumulate(energies)).max())


@dataclass(frozen=True)
class Intermediate:
    """A minimum between the ends of a path that splits it into two hops.

    at_A along the path; energy_eV above the first image; depth_eV the lower of the two barriers out of it
    """

    at_A: float
    energy_eV: float
    depth_eV: float


def intermediates(fit: BarrierFit, depth_eV: float = 0.01) -> tuple[Intermediate, ...]:
    """Minima of a fitted path that are at least depth_eV deep on both sides, in order.

    Between two images the cubic has no minimum of its own that both images do not see, so a minimum narrower than the
    distance of the images is missed.
    """
    energies = fit.curve_energies_eV
    inner = np.flatnonzero((energies[1:-1] < energies[:-2]) & (energies[1:-1] <= energies[2:])) + 1
    found: list[Intermediate] = []
    start = 0
    for k in inner:
        depth = min(energies[start : k + 1].max(), energies[k:].max()) - energies[k]
        if depth >= depth_eV:
            found.append(Intermediate(float(fit.curve_distances_A[k]), float(energies[k]), float(depth)))
            start = int(k)
    return tuple(found)


def fit_barrier(
    distances_A: ArrayLike, energies_eV: ArrayLike, tangential_forces_eV_per_A: ArrayLike, points: int = 201
) -> BarrierFit:
    """Cubic Hermite curve with E(s_i) and dE/ds = -F.tangent at every image, and its exact maximum.

    Henkelman & Jonsson, J. Chem. Phys. 113, 9978 (2000), appendix. distances_A (m,) is the path length up to each
    image, rising; energies_eV (m,); tangential_forces_eV_per_A (m,) is the force component along the path.

    Raises InputError: fewer than two images, distances that do not rise, other shapes. A path whose highest point
    is an end has a barrier of zero seen from there.
    """
    s = frozen(distances_A, np.float64, (None,), "distances_A")
    energies = frozen(energies_eV, np.float64, (len(s),), "energies_eV")
    forces = frozen(tangential_forces_eV_per_A, np.float64, (len(s),), "tangential_forces_eV_per_A")
    if len(s) < 2 or not (np.diff(s) > 0).all():
        raise InputError(f"distances_A {s.tolist()} must rise over at least two images; images may have collapsed.")
    relative = energies - energies[0]
    curve = CubicHermiteSpline(s, relative, -forces)
    turning = curve.derivative().roots(extrapolate=False)
    candidates = np.concatenate([s, turning[np.isfinite(turning)]])
    heights = curve(candidates)
    top = int(np.argmax(heights))
    forward = float(heights[top])
    highest = int(np.argmax(relative))
    dense = np.linspace(s[0], s[-1], points)
    return BarrierFit(
        forward, float(forward - relative[-1]), highest, float(relative[highest]), float(candidates[top]),
        s, relative, dense, curve(dense),
    )  # fmt: skip
