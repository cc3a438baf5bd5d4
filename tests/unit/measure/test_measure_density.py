"""Density maps: every ion counted once, the width of a Gaussian, tilted cells, and a file that others read."""

import io

import numpy as np
import pytest
from ase.io.cube import read_cube

from simkit.errors import InputError
from simkit.measure import cube_text, density_map
from simkit.structure import Structure

TILTED = np.array([[6.0, 0, 0], [-2.5, 5.0, 0], [1.0, 0.7, 8.0]])


def test_every_ion_is_counted_once_wherever_its_image_is():
    rng = np.random.default_rng(1)
    positions = rng.uniform(-1, 2, (20, 7, 3)) @ TILTED
    found = density_map(positions, TILTED)
    assert found.ions == pytest.approx(7.0, rel=1e-9)
    np.testing.assert_allclose(
        density_map(positions + TILTED[1] - 2 * TILTED[2], TILTED).density, found.density, atol=1e-9
    )
    area = np.linalg.norm(np.cross(TILTED[0], TILTED[1]))
    assert found.along(2).mean() * area == pytest.approx(7.0, rel=1e-9)


def test_one_ion_is_a_gaussian():
    width = 0.5
    shape = density_map(np.zeros((1, 1, 3)), TILTED).density.shape
    node = np.array([5, 7, 9]) / shape
    found = density_map(np.tile(node @ TILTED, (3, 1, 1)), TILTED, 0.25, width)
    grid = np.stack(np.meshgrid(*(np.arange(n) / n for n in shape), indexing="ij"), axis=-1) - node
    away = (grid - np.round(grid)) @ TILTED
    exact = np.exp(-0.5 * (away**2).sum(axis=-1) / width**2) / (2 * np.pi * width**2) ** 1.5
    # what the grid cannot carry is exp(-(pi w / spacing)^2 / 2), 3e-9; images of the ion are 5 A away
    near = (away**2).sum(axis=-1) < 2.0**2
    np.testing.assert_allclose(found.density[near], exact[near], atol=1e-6 * exact.max())


def test_cube_files_are_read_by_ase():
    found = density_map(np.random.default_rng(2).uniform(0, 1, (4, 3, 3)) @ TILTED, TILTED)
    s = Structure([27, 8], np.array([[0, 0, 0], [1.0, 2.0, 3.0]]), TILTED)
    back = read_cube(io.StringIO(cube_text(found, s)))
    np.testing.assert_allclose(back["data"], found.density, rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(back["atoms"].cell.array, TILTED, atol=1e-5)
    np.testing.assert_allclose(back["atoms"].positions, s.positions, atol=1e-5)


def test_bad_requests():
    with pytest.raises(InputError, match="at least half of the spacing"):
        density_map(np.zeros((1, 1, 3)), TILTED, 0.5, 0.1)
