"""Second derivatives against closed forms, and the attempt frequencies that follow from them."""

import numpy as np
import pytest
from solve_toys import EggBox, Morse, Well, one

from simkit import measure, solve
from simkit.errors import InputError
from simkit.units import AMU_KG, EV_J

SPACING, HEIGHT = 2.5, 0.6
CURVATURE = 0.5 * HEIGHT * (2 * np.pi / SPACING) ** 2
"""Of the egg box at its minima, eV/A^2; minus that along the way at a saddle."""


def test_egg_box_curvatures():
    low, high = solve.partial_hessians([one([0, 0, 0]), one([SPACING / 2, 0, 0])], [[0], [0]], EggBox(HEIGHT, SPACING))
    # truncation: h^2/6 of the fourth derivative over the second, 1e-4/6 (2 pi/2.5)^2 = 1e-4
    np.testing.assert_allclose(low, np.eye(3) * CURVATURE, rtol=2e-4, atol=1e-9)
    np.testing.assert_allclose(high, np.diag([-1, 1, 1]) * CURVATURE, rtol=2e-4, atol=1e-9)


def test_vineyard_of_the_egg_box_is_one_vibration():
    """Three equal modes over two of them: what is left is the frequency of one, sqrt(k/m) / 2 pi."""
    places = [one([x, 0, 0]) for x in (0.0, SPACING / 2, SPACING)]
    found = measure.attempts(*solve.partial_hessians(places, [[0]] * 3, EggBox(HEIGHT, SPACING)), [23.0])
    wanted = np.sqrt(CURVATURE * EV_J * 1e20 / (23.0 * AMU_KG)) / (2 * np.pi)
    assert (found.negative_start, found.negative_top, found.negative_end) == (0, 1, 0)
    assert found.forward_per_s == pytest.approx(wanted, rel=1e-3)
    assert found.mean_per_s == pytest.approx(wanted, rel=1e-3)
    assert 1e12 < wanted < 1e13


def test_a_top_that_is_no_saddle_gives_no_frequency():
    hill = one([SPACING / 2, SPACING / 2, 0])
    places = [one([0, 0, 0]), hill, one([SPACING, 0, 0])]
    found = measure.attempts(*solve.partial_hessians(places, [[0]] * 3, EggBox(HEIGHT, SPACING)), [23.0])
    assert found.negative_top == 2
    assert found.mean_per_s is None


def test_the_climbing_image_has_one_negative_curvature():
    toy = Well(tilt=0.1)
    roots, _ = toy.stationary()
    path = solve.find_path(toy.place(roots[0]), toy.place(roots[2]), toy, images=5)
    (hessian,) = solve.partial_hessians([path.images[path.climbing_image]], [[0]], toy)
    assert (np.linalg.eigvalsh(hessian) < 0).sum() == 1


def test_translation_costs_nothing():
    pair = one([0, 0, 0], [2.7, 0, 0], side=20.0)
    (hessian,) = solve.partial_hessians([pair], [[0, 1]], Morse())
    np.testing.assert_allclose(hessian @ np.tile(np.eye(3), (2, 1)), 0.0, atol=1e-6)
    np.testing.assert_array_equal(hessian, hessian.T)


@pytest.mark.parametrize("atoms", [[], [5], [0, 0]])
def test_atoms_that_do_not_exist_are_refused(atoms):
    with pytest.raises(InputError, match="give different ones that exist"):
        solve.partial_hessians([one([0, 0, 0])], [atoms], EggBox())
