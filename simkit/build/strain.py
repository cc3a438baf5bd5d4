"""Coherency strain: plane-stress stiffness, the common cell of least elastic energy, and measures of misfit."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike

from simkit.arrays import Floats
from simkit.build.arguments import require_kind, require_number, require_whole
from simkit.errors import InputError
from simkit.units import EV_PER_A2_IN_J_PER_M2

GPA_A_IN_J_PER_M2 = 0.1
"""1 GPa A in J/m^2."""
PLANE, NORMAL = [0, 1, 5], [2, 3, 4]
"""Voigt components (xx yy zz yz xz xy) in the plane of the layers, and those whose stress vanishes."""
REQUIRED = ("C11", "C12", "C13", "C33")


@dataclass(frozen=True, eq=False)
class Shared:
    """What `share_strain` found.

    cell      (2, 2) A, common in-plane cell, the first vector along x
    strains   (m, 3) xx, yy and engineering shear xy of each part
    normal    (m,) strain along the normal that leaves it free of stress
    energies_J_per_m2  (m,) elastic energy of each part per area
    """

    cell: Floats
    strains: Floats
    normal: Floats
    energies_J_per_m2: Floats


@dataclass(frozen=True)
class Misfit:
    """In-plane misfit of one part, per cent of its own cell: strains, shear (engineering), von Mises, area."""

    strain_x_percent: float
    strain_y_percent: float
    shear_xy_percent: float
    von_mises_percent: float
    area_percent: float

    def to_dict(self) -> dict:
        """JSON-able dictionary."""
        return asdict(self)


def stiffness(constants: Mapping[str, float] | ArrayLike) -> Floats:
    """(6, 6) GPa, Voigt xx yy zz yz xz xy with z the layer normal, from elastic constants or a full matrix.

    constants  {"C11", "C12", "C13", "C33", ...}: those not given follow from hexagonal symmetry (C22 = C11,
               C23 = C13, C66 = (C11 - C12) / 2, C44 = C55, and C44 = C66 where no C44 is given, which plays no
               part in plane stress); or a 6 x 6 matrix
    Raises InputError where constants are missing or unknown, or the matrix is not symmetric and stable.
    """
    matrix = _from_table(constants) if isinstance(constants, Mapping) else _array("elastic constants", constants)
    if matrix.shape == (6, 6) and not np.all(np.isfinite(matrix)):
        wrong = matrix[~np.isfinite(matrix)][0]
        raise InputError(f"elastic constants hold {wrong}; each must be a finite number, GPa.")
    if matrix.shape != (6, 6) or not np.allclose(matrix, matrix.T, rtol=1e-3, atol=0.5):
        raise InputError(f"elastic constants of shape {matrix.shape}; give a symmetric 6 x 6 matrix in GPa.")
    matrix = 0.5 * (matrix + matrix.T)
    lowest = float(np.linalg.eigvalsh(matrix)[0])
    if lowest <= 0:
        raise InputError(
            f"the elastic constants are unstable: the lowest eigenvalue of the stiffness is {lowest:.3g} GPa, "
            "it must be above 0 (C11 > |C12| and C33 (C11 + C12) > 2 C13^2)."
        )
    return matrix


def plane_stress(matrix: ArrayLike) -> Floats:
    """(3, 3) GPa stiffness of xx, yy, xy with sigma_zz = sigma_yz = sigma_xz = 0: C_pp - C_pn C_nn^-1 C_np.

    Raises InputError where the matrix is no (6, 6) stiffness.
    """
    c = stiffness(matrix)
    inner = np.linalg.solve(c[np.ix_(NORMAL, NORMAL)], c[np.ix_(NORMAL, PLANE)])
    return c[np.ix_(PLANE, PLANE)] - c[np.ix_(PLANE, NORMAL)] @ inner


def normal_strain(matrix: ArrayLike, strain: ArrayLike) -> float:
    """Poisson strain along z at an in-plane strain (xx, yy, engineering xy): -(2 C13 / C33) eps if hexagonal.

    Raises InputError where the matrix is no (6, 6) stiffness.
    """
    c = stiffness(matrix)
    inner = np.linalg.solve(c[np.ix_(NORMAL, NORMAL)], c[np.ix_(NORMAL, PLANE)])
    return float(-(inner @ _strain(strain))[0])


def share_strain(cells: ArrayLike, thicknesses: Sequence[float], stiffnesses: Sequence[ArrayLike]) -> Shared:
    """The common in-plane cell that minimises sum_i t_i / 2 eps_i : C_i : eps_i in plane stress: a linear solve.

    cells        (m, 2, 2) A, in-plane vectors in rows of cells that are to coincide, one per part
    thicknesses  (m,) A
    stiffnesses  (m, 6, 6) GPa, x along the first in-plane vector (`stiffness`)
    Strains are small strains of each part's own cell; a rigid rotation of a part costs nothing. Raises
    InputError for cells without area, thicknesses that are not positive or lists of different lengths.
    """
    given = cells, thicknesses, stiffnesses
    example = "lists with one (2, 2) cell, one thickness and one (6, 6) stiffness per part"
    for name, values in zip(("cells", "thicknesses", "stiffnesses"), given, strict=True):
        require_kind(name, values, (Sequence, np.ndarray), example)
    own = [_upright(cell) for cell in cells]
    if not own or not len(own) == len(thicknesses) == len(stiffnesses):
        raise InputError(
            f"{len(own)} cells, {len(thicknesses)} thicknesses and {len(stiffnesses)} stiffnesses; give one of each."
        )
    for k, thickness in enumerate(thicknesses):
        if require_number(f"thicknesses[{k}]", thickness, 0.0) == 0:
            raise InputError(f"thicknesses[{k}] = {thickness!r}; a part needs a thickness above 0 A.")
    reduced = [plane_stress(c) for c in stiffnesses]
    maps = [_strain_map(cell) for cell in own]
    flat = np.array([-1.0, -1.0, 0.0])
    left = sum(t * a.T @ c @ a for t, a, c in zip(thicknesses, maps, reduced, strict=True))
    right = -sum(t * a.T @ c @ flat for t, a, c in zip(thicknesses, maps, reduced, strict=True))
    p, q, r = np.linalg.solve(left, right)
    strains = np.array([a @ (p, q, r) + flat for a in maps])
    normal = np.array([normal_strain(c, e) for c, e in zip(stiffnesses, strains, strict=True)])
    energies = [elastic_energy_J_per_m2(c, t, e) for c, t, e in zip(stiffnesses, thicknesses, strains, strict=True)]
    return Shared(np.array([[p, 0.0], [q, r]]), strains, normal, np.array(energies))


def elastic_energy_J_per_m2(matrix: ArrayLike, thickness_A: float, strain: ArrayLike) -> float:
    """t / 2 eps : C : eps of a film in plane stress, J/m2; strain (xx, yy, engineering xy)."""
    e, thickness_A = _strain(strain), require_number("thickness_A", thickness_A, 0.0)
    return float(GPA_A_IN_J_PER_M2 * 0.5 * thickness_A * e @ plane_stress(matrix) @ e)


def energy_meV_per_unit(energy_J_per_m2: float, area_A2: float, units: int) -> float:
    """Elastic energy per formula unit, meV, of `units` formula units above an area."""
    units = require_whole("units", units, 1)
    return 1000.0 * energy_J_per_m2 / EV_PER_A2_IN_J_PER_M2 * area_A2 / units


def strain_between(own: ArrayLike, common: ArrayLike) -> Floats:
    """(3,) small strain (xx, yy, engineering xy) that takes an in-plane cell onto another, rotations aside."""
    return _strain_map(_upright(own)) @ _upright(common)[[0, 1, 1], [0, 0, 1]] - (1.0, 1.0, 0.0)


def misfit(own: ArrayLike, common: ArrayLike, normal: float = 0.0) -> Misfit:
    """Misfit of a part whose in-plane cell (2, 2) A is strained onto the common one.

    normal  strain along the normal, for the von Mises strain sqrt(2/3 e:e) of the deviator e
    """
    xx, yy, xy = strain_between(own, common)
    tensor = np.array([[xx, 0.5 * xy, 0.0], [0.5 * xy, yy, 0.0], [0.0, 0.0, normal]])
    deviator = tensor - np.trace(tensor) / 3.0 * np.eye(3)
    mises = math.sqrt(2.0 / 3.0 * float((deviator**2).sum()))
    area = float(np.linalg.det(_upright(common)) / np.linalg.det(_upright(own)) - 1.0)
    return Misfit(*(100.0 * float(value) for value in (xx, yy, xy, mises, area)))


def _from_table(constants: Mapping[str, float]) -> Floats:
    given = {str(name).upper(): require_number(f"elastic[{name!r}]", value) for name, value in constants.items()}
    missing = [name for name in REQUIRED if name not in given]
    unknown = [name for name in given if not re.fullmatch(r"C[1-6][1-6]", name)]
    if missing or unknown:
        raise InputError(
            f"the table of elastic constants holds {', '.join(map(str, constants)) or 'nothing'}; "
            + (f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing; " if missing else "")
            + (f"{', '.join(unknown)} {'is' if len(unknown) == 1 else 'are'} unknown; " if unknown else "")
            + "give C11, C12, C13, C33 (and others as Cij) in GPa."
        )
    shear = given.get("C66", 0.5 * (given["C11"] - given["C12"]))
    c44 = given.get("C44", given.get("C55", shear))
    full = {"C22": given["C11"], "C23": given["C13"], "C44": c44, "C55": c44, "C66": shear, **given}
    matrix = np.zeros((6, 6))
    for name, value in full.items():
        i, j = int(name[1]) - 1, int(name[2]) - 1
        matrix[i, j] = matrix[j, i] = value
    return matrix


def _array(name: str, values: object) -> Floats:
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} = {values!r:.60}; give numbers in rows of equal length.") from error


def _strain(strain: ArrayLike) -> Floats:
    values = _array("strain", strain)
    if values.shape != (3,) or not np.all(np.isfinite(values)):
        raise InputError(f"strain = {strain!r:.60}; give three finite numbers: xx, yy and engineering shear xy.")
    return values


def _upright(cell: ArrayLike) -> Floats:
    """The cell turned so that its first vector lies along x."""
    rows = _array("in-plane cell", cell)
    if rows.shape != (2, 2) or not np.linalg.det(rows) > 1e-6:
        raise InputError(f"in-plane cell {rows.tolist()} has no area or is left-handed; give two rows, right-handed.")
    length = float(np.linalg.norm(rows[0]))
    across = float(np.linalg.det(rows)) / length
    return np.array([[length, 0.0], [float(rows[0] @ rows[1]) / length, across]])


def _strain_map(cell: Floats) -> Floats:
    """(3, 3) linear map from the common cell (p, q, r) = [[p, 0], [q, r]] to xx + 1, yy + 1 and shear xy."""
    a, b, c = cell[0, 0], cell[1, 0], cell[1, 1]
    return np.array([[1.0 / a, 0.0, 0.0], [0.0, 0.0, 1.0 / c], [-b / (a * c), 1.0 / c, 0.0]])
