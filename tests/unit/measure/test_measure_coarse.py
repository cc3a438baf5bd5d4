"""Binning and Gaussian averages against NumPy references, sums, closed forms and each other."""

from __future__ import annotations

import numpy as np
import pytest

from simkit import measure
from simkit.arrays import symmetric
from simkit.errors import InputError
from simkit.kernels.binning import bin_values, gaussian_at, spread_gaussian
from simkit.structure import Structure

CELL = np.array([[5.0, 0, 0], [-2.2, 4.6, 0], [1.3, -0.9, 9.0]])


@pytest.fixture
def case():
    rng = np.random.default_rng(7)
    structure = Structure(np.full(11, 8), rng.uniform(-2, 3, (11, 3)) @ CELL, CELL)
    return structure, symmetric(rng.normal(size=(11, 3, 3)))


def reference_gaussian(points, positions, values, cell, width):
    """Plain sum over many images."""
    reach = int(np.ceil(8 * width / 2)) + 2
    shifts = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 3, indexing="ij"), -1).reshape(-1, 3) @ cell
    out = np.zeros((len(points), values.shape[1]))
    for x, value in zip(positions, values, strict=True):
        square = ((points[:, None] - x - shifts) ** 2).sum(axis=-1)
        out += np.exp(-0.5 * square / width**2).sum(axis=1)[:, None] * value
    return out / (2 * np.pi * width**2) ** 1.5


def test_binning_equals_numpy():
    rng = np.random.default_rng(0)
    fractional, values, shape = rng.uniform(-3, 3, (5000, 3)), rng.normal(size=(5000, 6)), (5, 8, 3)
    fractional[0], fractional[1] = [0, -1e-18, 1], [2, -1, 0.999999999999999999]
    expected = np.zeros((*shape, 6))
    # just below a face the wrapped coordinate rounds to one: such an atom is in the last cell
    cells = np.minimum(np.floor((fractional - np.floor(fractional)) * shape).astype(int), np.array(shape) - 1)
    np.add.at(expected, tuple(cells.T), values)
    np.testing.assert_allclose(bin_values(fractional, values, shape), expected, atol=1e-12)  # order of summation


def test_binning_adds_frames_and_takes_any_number_of_columns():
    rng = np.random.default_rng(2)
    fractional = rng.random((300, 3))
    for columns in (1, 6, 9):
        values = rng.normal(size=(300, columns))
        grid = bin_values(fractional, values, (3, 4, 5))
        np.testing.assert_allclose(grid.sum(axis=(0, 1, 2)), values.sum(axis=0), atol=1e-12)
        once = grid.copy()
        assert bin_values(fractional, values, (3, 4, 5), onto=grid) is grid
        np.testing.assert_allclose(grid, 2 * once, atol=1e-12)
    with pytest.raises(InputError, match="to add to has shape"):
        bin_values(fractional, values, (3, 4, 5), onto=np.zeros((3, 4, 5, 2)))


@pytest.mark.parametrize("width", [0.8, 2.0, 4.0])
def test_gaussian_at_points_equals_the_plain_sum(case, width):
    structure, virials = case
    values = virials.reshape(11, 9)
    points = np.random.default_rng(1).uniform(-5, 9, (7, 3))
    inverse = np.linalg.inv(CELL)
    ours = gaussian_at(points @ inverse, structure.fractional, values, CELL, width)
    expected = reference_gaussian(points, structure.fractional % 1 @ CELL, values, CELL, width)
    # the Gaussian is cut at six widths, exp(-18) = 1.5e-8 of its height; several images lie there
    np.testing.assert_allclose(ours, expected, atol=1e-6 * np.abs(values).max() / width**3)


def test_grid_integral_is_the_sum_of_virials(case):
    structure, virials = case
    for width, spacing in ((1.0, None), (3.0, 1.7), (0.7, 0.7)):
        grid = measure.stress_grid(structure, virials, width, spacing)
        integral = grid.stress.mean(axis=(0, 1, 2)) * structure.volume
        np.testing.assert_allclose(integral, virials.sum(axis=0), atol=1e-12)


def test_grid_and_points_agree(case):
    """At half a width per node the sum of a Gaussian is its integral to exp(-79): only the cut remains."""
    structure, virials = case
    grid = measure.stress_grid(structure, virials, 1.4)
    at = measure.coarse_grain(structure, virials, 1.4, grid.points.reshape(-1, 3))
    np.testing.assert_allclose(grid.stress.reshape(-1, 3, 3), at, atol=1e-6 * np.abs(at).max())


def test_binned_grid_is_the_raw_material_of_the_smooth_one(case):
    structure, virials = case
    sums = measure.virial_grid(structure, virials, (4, 5, 6))
    np.testing.assert_allclose(sums.sum(axis=(0, 1, 2)), virials.sum(axis=0), atol=1e-12)
    assert np.count_nonzero(np.abs(sums).sum(axis=(3, 4))) <= len(structure)


def test_wide_kernel_gives_the_stress_of_the_cell(case):
    structure, virials = case
    mean = virials.sum(axis=0) / structure.volume
    wide = measure.coarse_grain(structure, virials, 9.0)
    # the slowest plane wave of this cell is damped by exp(-2 pi^2 81 / 81) = 3e-9
    np.testing.assert_allclose(wide, np.broadcast_to(mean, wide.shape), atol=1e-6)


def test_supercells_and_translations_change_nothing(case):
    structure, virials = case
    alone = measure.coarse_grain(structure, virials, 1.7)
    large = measure.coarse_grain(structure.repeated(2, 1, 2), np.tile(virials, (4, 1, 1)), 1.7)
    np.testing.assert_allclose(large, np.tile(alone, (4, 1, 1)), atol=1e-12)
    moved = structure.moved_to(structure.positions + np.array([3.0, -8.0, 21.0]))
    np.testing.assert_allclose(measure.coarse_grain(moved, virials, 1.7), alone, atol=1e-12)


def test_profile_is_the_plane_average_of_the_map(case):
    structure, virials = case
    profile = measure.profile_along_normal(structure, virials, 12, 1.3)
    np.testing.assert_allclose(profile.stress.mean(axis=0), virials.sum(axis=0) / structure.volume, atol=1e-10)
    axes = np.arange(24) / 24
    u, v = np.meshgrid(axes, axes, indexing="ij")
    plane = (u[..., None] * CELL[0] + v[..., None] * CELL[1]).reshape(-1, 3)
    for k in (0, 5):
        points = plane + np.array([0, 0, profile.z_A[k]])
        average = measure.coarse_grain(structure, virials, 1.3, points).mean(axis=0)
        np.testing.assert_allclose(profile.stress[k], average, atol=1e-6)  # cut of the kernel at six widths


def test_default_width_holds_a_formula_unit():
    structure = Structure([11, 25, 8, 8], np.arange(12).reshape(4, 3), np.diag([4.0, 4.0, 2.5]))
    assert 4 / 3 * np.pi * measure.default_width_A(structure) ** 3 == pytest.approx(40.0)


def test_coarse_refusals(case):
    structure, virials = case
    with pytest.raises(InputError, match="width"):
        measure.stress_grid(structure, virials, 1.0, spacing_A=3.0)
    with pytest.raises(InputError, match="width"):
        measure.coarse_grain(structure, virials, 0.0)
    with pytest.raises(InputError, match="spacing_A"):
        measure.stress_grid(structure, virials, 1.0, spacing_A=-1.0)
    with pytest.raises(InputError, match="shape"):
        measure.coarse_grain(structure, virials[:3], 1.0)
    with pytest.raises(InputError, match="points"):
        measure.profile_along_normal(structure, virials, 0, 1.0)
    with pytest.raises(InputError, match="sizes"):
        bin_values(np.zeros((1, 3)), np.zeros((1, 1)), (0, 1, 1))
    with pytest.raises(InputError, match="finite"):
        bin_values(np.full((1, 3), np.nan), np.zeros((1, 1)), (1, 1, 1))
    with pytest.raises(InputError, match="wanted"):
        spread_gaussian(np.zeros((2, 3)), np.zeros((1, 1)), CELL, 1.0, (9, 9, 9))
