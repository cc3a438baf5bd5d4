"""Gamma surfaces against closed forms: a hexagonal corrugation with known saddles and wells."""

from __future__ import annotations

import numpy as np
import pytest

from simkit import measure
from simkit.errors import InputError
from simkit.units import EV_PER_A2_IN_J_PER_M2

A = 2.9
LATTICE = A * np.array([[1.0, 0, 0], [-0.5, np.sqrt(0.75), 0]])
WAVES = np.array([[1, 0], [0, -1], [-1, 1]])
PLANE = measure.GlidePlane(A * A * np.sqrt(0.75), 1.0, A / np.sqrt(3))


def energy(fractions, tilt=0.0):
    """3 - sum cos(2 pi k t), in eV: 0 on the lattice, 4.5 on both letters, 4 between; tilt parts the letters."""
    angle = 2 * np.pi * np.asarray(fractions) @ WAVES.T
    return (1 - np.cos(angle)).sum(axis=-1) + tilt * np.sin(angle).sum(axis=-1)


def surface(n, tilt=0.0):
    i, j = np.meshgrid(range(n), range(n), indexing="ij")
    return measure.gamma_surface(LATTICE, energy(np.stack([i, j], -1) / n, tilt), PLANE)


@pytest.mark.parametrize("n", [3, 4, 6, 7])
def test_the_series_is_the_function_it_was_made_from(n):
    """Three shortest waves: 3 points a side already hold them, odd or even."""
    s = surface(n, tilt=0.4)
    points = np.random.default_rng(0).uniform(-2, 2, (50, 2))
    unit = EV_PER_A2_IN_J_PER_M2 / PLANE.area_A2
    np.testing.assert_allclose(s.at(points), energy(points, 0.4) * unit, atol=1e-9)
    assert s.at([0, 0]) == pytest.approx(0, abs=1e-12)
    h = 1e-6
    for axis in (0, 1):
        bump = h * np.eye(3)[axis] @ np.linalg.pinv(LATTICE)
        numeric = (s.at(points + bump) - s.at(points - bump)) / (2 * h)
        np.testing.assert_allclose(s.slope(points)[:, axis], numeric, atol=1e-6)


def test_an_even_grid_keeps_the_symmetry_of_its_values():
    rng = np.random.default_rng(1)
    n = 4
    values = rng.normal(size=(n, n))
    turn = np.array([[0, -1], [1, -1]])
    i, j = np.meshgrid(range(n), range(n), indexing="ij")
    points = np.stack([i, j], -1)
    images = [points]
    for _ in range(2):
        images.append(images[-1] @ turn.T)
    values = sum(values[tuple(np.moveaxis(p % n, -1, 0))] for p in images)
    s = measure.gamma_surface(LATTICE, values, PLANE)
    points = rng.uniform(size=(20, 2))
    np.testing.assert_allclose(s.at(points), s.at(points @ turn.T), atol=1e-9)


def test_the_low_path_bends_around_the_summit():
    """From lattice point to lattice point along [1, 2] the straight way crosses both letters; the low one does not."""
    s = surface(6)
    unit = EV_PER_A2_IN_J_PER_M2 / PLANE.area_A2
    wide = s.low_path([0, 0], [1, 2])
    assert wide.unstable_J_per_m2 == pytest.approx(4.0 * unit, rel=5e-3)
    assert s.at(np.linspace([0, 0], [1, 2], 601)).max() == pytest.approx(4.5 * unit, rel=1e-3)


def test_the_steepest_rise_along_a_known_path():
    """Along [1, 0]: gamma = 2 (1 - cos 2 pi t), steepest 4 pi / a."""
    s = surface(6)
    path = s.low_path([0, 0], [1, 0])
    wanted = 4 * np.pi / A / PLANE.area_A2 * 160.21766
    assert path.ideal_shear_stress_GPa == pytest.approx(wanted, rel=5e-3)
    assert path.length_A == pytest.approx(A, rel=1e-3)


def test_wells_are_found():
    s = surface(6, tilt=-1.0)
    minima = s.minima()
    np.testing.assert_allclose(s.slope(np.array([f for f, _ in minima])), 0, atol=1e-4)
    assert all(value == pytest.approx(float(s.at(f))) for f, value in minima)
    assert minima[0][1] <= 1e-9


def test_bad_surfaces_are_refused():
    with pytest.raises(InputError, match="at least 3 x 3"):
        measure.gamma_surface(LATTICE, np.zeros((2, 2)), PLANE)
    with pytest.raises(InputError, match="xy plane"):
        measure.gamma_surface(LATTICE + np.array([[0, 0, 1], [0, 0, 0]]), np.zeros((3, 3)), PLANE)
    with pytest.raises(InputError, match="one translation"):
        surface(3).low_path([0, 0], [0, 0])
