"""Powder diffraction patterns of structures by pymatgen, on a common axis so that they can be laid side by side."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.structure import Structure

CORE, DIFFRACTION = "pymatgen.core", "pymatgen.analysis.diffraction.xrd"
"""Loaded when a pattern is asked for: they take longer than all else that measures."""


@dataclass(frozen=True)
class Radiation:
    """Radiation (a name of pymatgen's, as "CuKa", or a wavelength in A), angles and the width of a peak."""

    wavelength: str | float = "CuKa"
    two_theta_deg: tuple[float, float] = (10.0, 60.0)
    fwhm_deg: float = 0.3
    step_deg: float = 0.05


def powder_pattern(structure: Structure, radiation: Radiation | None = None) -> tuple[Floats, Floats]:
    """Angles (k,) degrees and intensities (k,) of a structure: peaks of kinematic scattering, as Gaussians.

    Intensities are per formula cell in one unit for all structures (not scaled to 100), with Lorentz and polarisation
    factors, without thermal factors: disorder is in the positions. Raises InputError on a range that is empty.
    """
    radiation = radiation or Radiation()
    low, high = radiation.two_theta_deg
    if not 0 < low < high < 180 or not radiation.fwhm_deg > 0 or not radiation.step_deg > 0:
        raise InputError(f"{radiation}: angles must rise within 0 to 180 degrees, width and step be positive.")
    core, diffraction = (importlib.import_module(name) for name in (CORE, DIFFRACTION))
    lattice = core.Lattice(structure.cell)
    crystal = core.Structure(lattice, structure.symbols, structure.positions, coords_are_cartesian=True)
    calculator = diffraction.XRDCalculator(wavelength=radiation.wavelength)
    found = calculator.get_pattern(crystal, scaled=False, two_theta_range=(low, high))
    angles = np.arange(low, high + 0.5 * radiation.step_deg, radiation.step_deg)
    sigma = radiation.fwhm_deg / (2.0 * np.sqrt(2.0 * np.log(2.0)))
    away = (angles[:, None] - np.asarray(found.x)[None, :]) / sigma
    shapes = np.exp(-0.5 * away**2) / (sigma * np.sqrt(2.0 * np.pi))
    return angles, shapes @ np.asarray(found.y) / structure.volume**2


def mean_structure(structure: Structure, positions: ArrayLike, cells: ArrayLike) -> Structure:
    """The average over frames of unwrapped fractional coordinates, in the mean cell: its peaks carry no diffuse part.

    positions (f, n, 3), cells (f, 3, 3) A.
    """
    positions, cells = np.asarray(positions, dtype=np.float64), np.asarray(cells, dtype=np.float64)
    fractional = (positions @ np.linalg.inv(cells)).mean(axis=0)
    cell = cells.mean(axis=0)
    return structure.moved_to(fractional @ cell, cell)
