"""Gamma surface: a Fourier series through the energies of a grid of translations, its minima, and the low path."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize, minimize_scalar

from simkit.arrays import Floats, frozen
from simkit.errors import InputError
from simkit.measure.gamma import GlidePlane, per_formula_unit_meV
from simkit.units import EV_PER_A2_IN_J_PER_M2, EV_PER_A3_IN_GPA

PATH_POINTS = 25
_FIRST_ROUNDS = 300
_ROUNDS = 1500
_STEP_A = 0.01
_BOW = 0.15
_TENSION = 0.2
"""Part of a kink that is straightened in each round: it keeps a string smooth where the surface is flat."""
_STILL_A = 2e-6


@dataclass(frozen=True, eq=False)
class LowPath:
    """The path of least energy between two translations.

    fractions (k, 2) of the lattice, distances_A (k,), gamma_J_per_m2 (k,); unstable_J_per_m2 its highest point, at
    unstable_at_A along it and unstable_fractions (2,); ideal_shear_stress_GPa the steepest rise along it.
    """

    fractions: Floats
    distances_A: Floats
    gamma_J_per_m2: Floats
    unstable_J_per_m2: float
    unstable_at_A: float
    unstable_fractions: Floats
    ideal_shear_stress_GPa: float

    @property
    def length_A(self) -> float:
        """Length of the path, A."""
        return float(self.distances_A[-1])


@dataclass(frozen=True, eq=False)
class GammaSurface:
    """gamma(t) = [E(t) - E(0)] / A over one period of translations.

    lattice (2, 3) A, values_J_per_m2 (n, n) at (i, j) / n of its vectors; plane: area and formula units.
    """

    lattice: Floats
    values_J_per_m2: Floats
    plane: GlidePlane

    @cached_property
    def _series(self) -> tuple[Floats, np.ndarray]:
        """(w, 2) whole frequencies and their complex amplitudes: of the aliases of each, the shortest share it.

        So the series has every symmetry of its values, which the usual block of frequencies has not in a hexagonal
        cell.
        """
        n = len(self.values_J_per_m2)
        amplitudes = np.fft.fft2(self.values_J_per_m2) / n**2
        reciprocal = np.linalg.pinv(self.lattice).T
        shifts = n * np.stack(np.meshgrid(range(-2, 2), range(-2, 2), indexing="ij"), -1).reshape(-1, 2)
        waves, parts = [], []
        for k in np.ndindex(n, n):
            aliases = np.array(k) + shifts
            length = np.linalg.norm(aliases @ reciprocal, axis=1)
            short = aliases[length < length.min() + 1e-6]
            waves += list(short)
            parts += [amplitudes[k] / len(short)] * len(short)
        kept, strong = np.array(waves, dtype=np.float64), np.array(parts)
        # the values are real: a wave and its opposite are one cosine, of twice the amplitude
        first = (kept[:, 0] > 0) | ((kept[:, 0] == 0) & (kept[:, 1] >= 0))
        heard = first & (np.abs(strong) > 1e-12 * max(float(np.abs(strong).max()), 1e-300))
        double = np.where(np.any(kept != 0, axis=1), 2.0, 1.0)
        return kept[heard], (double * strong)[heard]

    def at(self, fractions: ArrayLike) -> Floats:
        """(...,) J/m2 at fractions (..., 2) of the lattice vectors."""
        waves, parts = self._series
        return (np.exp(2j * np.pi * np.asarray(fractions) @ waves.T) @ parts).real

    def slope(self, fractions: ArrayLike) -> Floats:
        """(..., 3) J/m2 per A, gradient by the cartesian translation."""
        waves, parts = self._series
        turning = np.exp(2j * np.pi * np.asarray(fractions) @ waves.T) * parts * 2j * np.pi
        return (turning @ waves).real @ np.linalg.pinv(self.lattice).T

    def minima(self) -> list[tuple[Floats, float]]:
        """Stable translations, lowest first: fractions (2,) in [0, 1) and gamma, J/m2."""
        fine = 4 * len(self.values_J_per_m2)
        grid = np.stack(np.meshgrid(np.arange(fine) / fine, np.arange(fine) / fine, indexing="ij"), -1)
        values = self.at(grid)
        lower = np.ones_like(values, dtype=bool)
        for shift in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1)):
            lower &= values <= np.roll(values, shift, axis=(0, 1))
        found: list[tuple[Floats, float]] = []
        for start in grid[lower]:
            best = minimize(lambda x: float(self.at(x)), start, jac=self._by_fraction, method="BFGS")
            apart = [self._apart(best.x, other) for other, _ in found]
            if min(apart, default=1.0) > 0.05:
                found.append((best.x % 1.0, float(best.fun)))
        return sorted(found, key=lambda item: item[1])

    def low_path(self, start: ArrayLike, end: ArrayLike, points: int = PATH_POINTS) -> LowPath:
        """The path of least energy from one translation to another, fractions (2,) each: a zero-temperature string.

        E, Ren and Vanden-Eijnden, J. Chem. Phys. 126, 164103 (2007): points go down the slope across the path and are
        spread evenly along it. It begins straight and bowed to either side, since a straight line may run along a
        ridge; the lowest of the three counts, by 0.1 mJ/m2. The ends stay. Raises InputError for ends that are
        one point.
        """
        a, b = (frozen(x, np.float64, (2,), "an end of the path") for x in (start, end))
        if np.linalg.norm((b - a) @ self.lattice) < 0.1:
            raise InputError("the two ends of the path are one translation; name two.")
        straight = np.linspace(a, b, points) @ self.lattice
        aside = np.cross([0.0, 0.0, 1.0], straight[-1] - straight[0]) * np.sin(np.linspace(0, np.pi, points))[:, None]
        inverse = np.linalg.pinv(self.lattice)
        tried = [self._lowered(straight + bow * aside, _FIRST_ROUNDS) for bow in (0.0, _BOW, -_BOW)]
        tops = [round(float(self.at(path @ inverse).max()), 4) for path in tried]
        return self._described(self._lowered(tried[int(np.argmin(tops))], _ROUNDS), inverse)

    def _lowered(self, path: Floats, rounds: int) -> Floats:
        """(k, 3) A that a string relaxes to in so many rounds at most."""
        inverse = np.linalg.pinv(self.lattice)
        rate = _STEP_A / max(float(np.abs(self.slope(path @ inverse)).max()), 1e-12)
        for _ in range(rounds):
            push = -self.slope(path[1:-1] @ inverse)
            along = path[2:] - path[:-2]
            along /= np.linalg.norm(along, axis=1, keepdims=True)
            push -= (push * along).sum(axis=1, keepdims=True) * along
            moved = path.copy()
            moved[1:-1] += rate * push
            moved[1:-1] += _TENSION * (0.5 * (moved[2:] + moved[:-2]) - moved[1:-1])
            moved = _even(moved)
            change = float(np.abs(moved - path).max())
            path = moved
            if change < _STILL_A:
                break
        return path

    def _described(self, path: Floats, inverse: Floats) -> LowPath:
        length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
        fine = np.linspace(0.0, length[-1], 10 * len(path))
        place = CubicSpline(length, path)
        gamma = self.at(place(fine) @ inverse)
        near = fine[[max(int(np.argmax(gamma)) - 1, 0), min(int(np.argmax(gamma)) + 1, len(fine) - 1)]]
        best = minimize_scalar(lambda x: -float(self.at(place(x) @ inverse)), bounds=near, method="bounded")
        top, highest = (best.x, -best.fun) if -best.fun > gamma.max() else (fine[np.argmax(gamma)], gamma.max())
        steepest = float(np.abs(np.gradient(gamma, fine)).max())
        return LowPath(
            path @ inverse, length, self.at(path @ inverse), float(highest), float(top),
            place(top) @ inverse, steepest / EV_PER_A2_IN_J_PER_M2 * EV_PER_A3_IN_GPA,
        )  # fmt: skip

    def meV_per_fu(self, gamma_J_per_m2: float) -> float:
        """An energy per area as one per formula unit of the plane, meV."""
        return per_formula_unit_meV(gamma_J_per_m2, self.plane.area_A2, self.plane.formula_units)

    def _by_fraction(self, fractions: Floats) -> Floats:
        return self.lattice @ self.slope(fractions)

    def _apart(self, one: Floats, other: Floats) -> float:
        """Distance of two translations, images included, A."""
        step = one - other
        return float(np.linalg.norm((step - np.round(step)) @ self.lattice))


def gamma_surface(lattice: ArrayLike, energies_eV: ArrayLike, plane: GlidePlane) -> GammaSurface:
    """The surface through the energies (n, n) eV of a cell with one sliding gallery; gamma(0) = 0.

    Raises InputError for fewer than 3 points a side or a lattice out of the xy plane.
    """
    vectors = frozen(lattice, np.float64, (2, 3), "lattice")
    energies = frozen(energies_eV, np.float64, (None, None), "energies_eV")
    if energies.shape[0] != energies.shape[1] or len(energies) < 3:
        raise InputError(f"energies of shape {energies.shape}; a square of at least 3 x 3 is needed.")
    if np.abs(vectors[:, 2]).max() > 1e-6:
        raise InputError("the lattice of a gamma surface lies in the xy plane; turn the cell.")
    values = (energies - energies[0, 0]) / plane.area_A2 * EV_PER_A2_IN_J_PER_M2
    return GammaSurface(vectors, values, plane)


def _even(path: Floats) -> Floats:
    """The same path with its points at equal distances."""
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    wanted = np.linspace(0.0, length[-1], len(path))
    return np.stack([np.interp(wanted, length, column) for column in path.T], axis=1)
