"""Gliding profile: energy per area along a path between stacking letters, its faults, its ideal shear stress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import CubicSpline

from simkit.arrays import Floats, frozen
from simkit.errors import InputError
from simkit.units import EV_PER_A2_IN_J_PER_M2, EV_PER_A3_IN_GPA

Ends = Literal["free", "start", "stationary", "periodic"]
_BOUNDARY = {
    "free": "not-a-knot",
    "start": ((1, 0.0), "not-a-knot"),
    "stationary": "clamped",
    "periodic": "periodic",
}
_CURVE_POINTS = 201


@dataclass(frozen=True, eq=False)
class GammaProfile:
    """Energy per area of a sliding gallery, relative to the first point.

    fractions (m,) of the path; gamma_J_per_m2, gamma_meV_per_A2, gamma_meV_per_fu (m,) at the points
    unstable_J_per_m2 highest point of the interpolant, unstable_at its fraction
    stable_J_per_m2 lowest local minimum beyond the first interval (the end of an open path counts when the curve
        falls into it), stable_at its fraction; both None when there is none
    ideal_shear_stress_GPa largest slope d gamma / dx; curve_* (points,) the interpolant
    """

    fractions: Floats
    gamma_J_per_m2: Floats
    gamma_meV_per_A2: Floats
    gamma_meV_per_fu: Floats
    unstable_J_per_m2: float
    unstable_at: float
    stable_J_per_m2: float | None
    stable_at: float | None
    ideal_shear_stress_GPa: float
    curve_fractions: Floats
    curve_J_per_m2: Floats


@dataclass(frozen=True)
class GlidePlane:
    """What turns energies into gamma: plane area A^2, formula units on it, and length A of the whole path."""

    area_A2: float
    formula_units: float
    length_A: float

    def __post_init__(self) -> None:
        for name in ("area_A2", "formula_units", "length_A"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} = {getattr(self, name)}; it must be above zero.")


def per_formula_unit_meV(energy_J_per_m2: float, area_A2: float, formula_units: float) -> float:
    """An energy per area as one per formula unit of that area, meV."""
    return float(energy_J_per_m2 / EV_PER_A2_IN_J_PER_M2 * 1e3 * area_A2 / formula_units)


def gamma_profile(fractions: ArrayLike, energies_eV: ArrayLike, plane: GlidePlane, ends: Ends = "free") -> GammaProfile:
    """gamma(t) = [E(t) - E(0)] / A for a cell that holds one sliding gallery, by cubic spline.

    fractions (m,) rising from 0 to at most 1, energies_eV (m,) of the cell. ends says what is known at both
    ends: "stationary" between letters of equal three-fold symmetry (slope zero), "start" where only the first is one,
    "periodic" when the path closes
    (last energy equals the first), "free" otherwise.

    Raises InputError: fewer than four points, fractions that do not rise, a periodic path that does not close
    within 1 meV, an unknown word for ends. Not promised: features narrower than the spacing of the points.
    """
    t = frozen(fractions, np.float64, (None,), "fractions")
    energies = frozen(energies_eV, np.float64, (len(t),), "energies_eV")
    _check_path(t, energies, ends)
    relative = energies - energies[0]
    if ends == "periodic":
        relative[-1] = 0.0
    gamma = relative / plane.area_A2 * EV_PER_A2_IN_J_PER_M2
    curve = CubicSpline(t, gamma, bc_type=_BOUNDARY[ends])
    dense = np.linspace(t[0], t[-1], _CURVE_POINTS)
    top_at, top = _highest(curve, t)
    slope = _steepest(curve, t) / plane.length_A / EV_PER_A2_IN_J_PER_M2
    stable_at, stable = _stable(curve, t, ends == "periodic")
    return GammaProfile(
        t, gamma, gamma / EV_PER_A2_IN_J_PER_M2 * 1e3, relative / plane.formula_units * 1e3,
        top, top_at, stable, stable_at, slope * EV_PER_A3_IN_GPA,
        dense, curve(dense),
    )  # fmt: skip


def _check_path(t: Floats, energies: Floats, ends: str) -> None:
    if ends not in _BOUNDARY:
        raise InputError(f"ends = {ends!r}; allowed: {', '.join(_BOUNDARY)}.")
    if len(t) < 4 or not (np.diff(t) > 0).all() or t[0] != 0 or t[-1] > 1:
        raise InputError(f"fractions {t.tolist()} must rise from 0 to at most 1 over at least four points.")
    if ends == "periodic" and abs(energies[-1] - energies[0]) > 1e-3:
        raise InputError(
            f"the path does not close: its ends differ by {energies[-1] - energies[0]:.4f} eV; "
            "use ends='stationary' or 'free'."
        )


def _turning(curve: CubicSpline) -> Floats:
    roots = curve.derivative().roots(extrapolate=False)
    return roots[np.isfinite(roots)]


def _highest(curve: CubicSpline, t: Floats) -> tuple[float, float]:
    candidates = np.concatenate([t, _turning(curve)])
    top = int(np.argmax(curve(candidates)))
    return float(candidates[top]), float(curve(candidates[top]))


def _stable(curve: CubicSpline, t: Floats, closed: bool) -> tuple[float | None, float | None]:
    """Lowest local minimum after the first interval, or the end of an open path where the curve falls into it."""
    span = t[-1] - t[0]
    turning = _turning(curve)
    inside = (turning > t[1]) & (turning < (t[-2] if closed else t[-1] - 1e-6 * span))
    minima = [float(x) for x in turning[inside & (curve(turning, 2) > 0)]]
    if not closed and curve(t[-1]) < curve(t[-1] - 1e-3 * span):
        minima.append(float(t[-1]))
    if not minima:
        return None, None
    lowest = min(minima, key=lambda x: float(curve(x)))
    return lowest, float(curve(lowest))


def _steepest(curve: CubicSpline, t: Floats) -> float:
    """Largest slope of the interpolant per unit of fraction."""
    bends = curve.derivative(2).roots(extrapolate=False)
    candidates = np.concatenate([t, bends[np.isfinite(bends)]])
    return float(np.abs(curve(candidates, 1)).max())
