"""Powder patterns: Bragg's law, extinctions, supercells, and averages over thermal motion."""

import numpy as np
import pytest

from simkit.errors import InputError
from simkit.measure import Radiation, mean_structure, powder_pattern
from simkit.structure import Structure

WAVELENGTH_A = 1.54184  # pymatgen's CuKa


def rock_salt(a=4.2):
    """MgO."""
    fcc = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]) * a
    return Structure([12] * 4 + [8] * 4, np.concatenate([fcc, fcc + np.array([0.5 * a, 0, 0])]), np.eye(3) * a)


def peaks(angles, intensity):
    top = (
        (intensity[1:-1] > intensity[:-2])
        & (intensity[1:-1] >= intensity[2:])
        & (intensity[1:-1] > 0.01 * intensity.max())
    )
    return angles[1:-1][top]


def test_peaks_lie_where_bragg_says():
    angles, intensity = powder_pattern(rock_salt(), Radiation(two_theta_deg=(30.0, 80.0)))
    allowed = np.array([3, 4, 8, 11, 12])  # all even or all odd
    exact = 2 * np.degrees(np.arcsin(WAVELENGTH_A * np.sqrt(allowed) / 2 / 4.2))
    np.testing.assert_allclose(peaks(angles, intensity), exact, atol=0.05)
    assert intensity.argmax() == np.abs(angles - exact[1]).argmin()


def test_supercells_have_the_same_pattern():
    one = powder_pattern(rock_salt())
    for copies in ((2, 1, 1), (2, 2, 2)):
        two = powder_pattern(rock_salt().repeated(*copies))
        np.testing.assert_allclose(two[1], one[1], atol=1e-6 * one[1].max())


def test_the_mean_of_thermal_motion_is_the_crystal():
    s, rng = rock_salt().repeated(2, 2, 2), np.random.default_rng(1)
    scales = 1 + 0.01 * rng.normal(size=400)
    cells = s.cell[None] * scales[:, None, None]
    noise = rng.normal(0, 0.05, (400, len(s), 3))
    positions = (s.fractional + noise / 8.4) @ cells
    mean = mean_structure(s, positions, cells)
    np.testing.assert_allclose(mean.fractional, s.fractional, atol=5 * 0.05 / 8.4 / 20)
    np.testing.assert_allclose(mean.cell, s.cell, rtol=5 * 0.01 / 20)


def test_bad_requests():
    with pytest.raises(InputError, match="angles must rise"):
        powder_pattern(rock_salt(), Radiation(two_theta_deg=(50.0, 20.0)))
