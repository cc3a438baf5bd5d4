"""Coarse-grained stress: Gaussian averages at points, on a grid, and along the stacking normal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from simkit.arrays import Floats, frozen, symmetric, to_voigt
from simkit.errors import InputError
from simkit.kernels.binning import bin_values, gaussian_at, spread_gaussian
from simkit.measure.tensors import hydrostatic, von_mises
from simkit.structure import Structure
from simkit.units import EV_PER_A3_IN_GPA

ATOMS_PER_FORMULA_UNIT = 4
_IMAGE_LIMIT = 8.0


@dataclass(frozen=True, eq=False)
class StressGrid:
    """Stress (n1, n2, n3, 3, 3) eV/A^3 at the nodes (i/n1, j/n2, k/n3) of a cell (3, 3) A; Gaussian width A."""

    cell: Floats
    stress: Floats
    width_A: float

    @property
    def points(self) -> Floats:
        """(n1, n2, n3, 3) A, cartesian nodes."""
        axes = [np.arange(n) / n for n in self.stress.shape[:3]]
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1) @ self.cell

    @property
    def von_mises_GPa(self) -> Floats:
        """(n1, n2, n3) GPa."""
        return von_mises(self.stress) * EV_PER_A3_IN_GPA


@dataclass(frozen=True, eq=False)
class StressProfile:
    """Plane-averaged stress (m, 3, 3) eV/A^3 at heights (m,) A along the normal of the first two cell vectors."""

    z_A: Floats
    stress: Floats
    width_A: float

    @property
    def von_mises_GPa(self) -> Floats:
        """(m,) GPa."""
        return von_mises(self.stress) * EV_PER_A3_IN_GPA


def default_width_A(structure: Structure, atoms_per_formula_unit: int = ATOMS_PER_FORMULA_UNIT) -> float:
    """Gaussian width s whose ball holds one formula unit: (4/3) pi s^3 = atoms x V / n, 2.1 A for NaMO2."""
    return float((3.0 * atoms_per_formula_unit * structure.volume / len(structure) / (4.0 * np.pi)) ** (1 / 3))


def coarse_grain(structure: Structure, virials: ArrayLike, width_A: float, at: ArrayLike | None = None) -> Floats:
    """(m, 3, 3) eV/A^3: sigma(x) = sum over atoms and images of W_i w(x - x_i), w a Gaussian of unit integral.

    virials (n, 3, 3) eV; at (m, 3) A cartesian points, the atoms when None. Hardy, J. Chem. Phys. 76, 622 (1982),
    with the atomic virial in place of the bond function.

    Raises InputError on wrong shapes or a width not above zero.
    """
    values = _voigt(structure, virials)
    inverse = np.linalg.inv(structure.cell)
    points = structure.positions if at is None else np.asarray(at, dtype=np.float64)
    return _tensors(gaussian_at(points @ inverse, structure.positions @ inverse, values, structure.cell, width_A))


def grid_shape(structure: Structure, spacing_A: float) -> tuple[int, int, int]:
    """Nodes along each cell vector so that planes of nodes are at most `spacing_A` apart."""
    if not spacing_A > 0:
        raise InputError(f"spacing_A = {spacing_A}; it must be above zero.")
    heights = 1.0 / np.linalg.norm(np.linalg.inv(structure.cell), axis=0)
    n1, n2, n3 = np.maximum(1, np.ceil(heights / spacing_A)).astype(int).tolist()
    return n1, n2, n3


def stress_grid(structure: Structure, virials: ArrayLike, width_A: float, spacing_A: float | None = None) -> StressGrid:
    """The coarse-grained stress on a grid; nodes half a width apart when no spacing is given.

    The weights of each atom over the nodes sum to one, so the integral over the grid is the sum of the virials.
    Raises InputError where the spacing exceeds the width.
    """
    shape = grid_shape(structure, 0.5 * width_A if spacing_A is None else spacing_A)
    values = _voigt(structure, virials)
    sums = spread_gaussian(structure.fractional, values, structure.cell, width_A, shape)
    return StressGrid(structure.cell, _tensors(sums) * (np.prod(shape) / structure.volume), width_A)


def virial_grid(structure: Structure, virials: ArrayLike, shape: tuple[int, int, int]) -> Floats:
    """(n1, n2, n3, 3, 3) eV: sum of the virials of the atoms in each grid cell, for accumulating many frames."""
    return _tensors(bin_values(structure.fractional, _voigt(structure, virials), shape))


def profile_along_normal(structure: Structure, virials: ArrayLike, points: int, width_A: float) -> StressProfile:
    """Plane-averaged stress at `points` heights: sigma(z) = (1/A) sum_i W_i g(z - z_i), g a periodic Gaussian.

    z runs along the normal of the first two cell vectors over one period V/A; the mean over z is the cell's
    stress. Raises InputError on wrong shapes, fewer than one point or a width not above zero.
    """
    if points < 1 or not width_A > 0:
        raise InputError(f"points = {points}, width_A = {width_A}; at least 1 point and a width above zero are needed.")
    values = _voigt(structure, virials)
    area_vector = np.cross(structure.cell[0], structure.cell[1])
    area = float(np.linalg.norm(area_vector))
    period = structure.volume / area
    z = np.arange(points) * period / points
    delta = z[:, None] - (structure.positions @ (area_vector / area))[None, :]
    delta -= period * np.round(delta / period)
    reach = int(np.ceil(_IMAGE_LIMIT * width_A / period + 0.5))
    weights = sum(np.exp(-0.5 * ((delta + m * period) / width_A) ** 2) for m in range(-reach, reach + 1))
    weights = weights / (np.sqrt(2 * np.pi) * width_A)
    return StressProfile(z, _tensors(weights @ values) / area, width_A)


def _voigt(structure: Structure, virials: ArrayLike) -> Floats:
    """(n, 6) eV symmetric virials: six numbers are smeared, not nine."""
    return to_voigt(frozen(virials, np.float64, (len(structure), 3, 3), "virials"))


def _tensors(values: Floats) -> Floats:
    """(..., 6) Voigt to (..., 3, 3)."""
    order = np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])
    return values[..., order]


def grid_scalars(grid: StressGrid) -> dict[str, Floats]:
    """Named (n1, n2, n3) fields in GPa: von Mises, hydrostatic and the six components."""
    fields = {"von_mises_GPa": grid.von_mises_GPa, "hydrostatic_GPa": hydrostatic(grid.stress) * EV_PER_A3_IN_GPA}
    voigt = to_voigt(symmetric(grid.stress)) * EV_PER_A3_IN_GPA
    return fields | {f"stress_{name}_GPa": voigt[..., k] for k, name in enumerate(("xx", "yy", "zz", "yz", "xz", "xy"))}
