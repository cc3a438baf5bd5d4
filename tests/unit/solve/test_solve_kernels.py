"""Kernels of the solvers against plain NumPy."""

import numpy as np
import pytest

from simkit.errors import InputError
from simkit.kernels.solve_idpp import idpp
from simkit.kernels.solve_pairs import close_pairs

SKEW = np.array([[4.0, 0, 0], [1.7, 3.6, 0], [-1.1, 0.9, 5.0]])


@pytest.mark.parametrize("periodic", [(True, True, True), (True, False, True), (False, False, False)])
def test_close_pairs_match_brute_force(periodic):
    rng = np.random.default_rng(0)
    periodic = np.array(periodic)
    x = rng.normal(size=(7, 3)) * 6
    first, second, shift = close_pairs(x, SKEW, periodic, 5.0)
    found = np.sort(np.linalg.norm(x[second] + shift - x[first], axis=1))
    n = np.where(periodic, 12, 0)
    grid = np.stack(np.meshgrid(*[np.arange(-k, k + 1) for k in n], indexing="ij"), -1).reshape(-1, 3) @ SKEW
    d = np.linalg.norm(x[None, :, None] + grid - x[:, None, None], axis=-1)
    brute = np.sort(d[(d <= 5.0) & (d > 1e-9)])
    # brute force sees each pair from both sides
    np.testing.assert_allclose(np.repeat(found, 2), brute, atol=1e-9)
    lattice = shift @ np.linalg.inv(SKEW)
    np.testing.assert_allclose(lattice, np.rint(lattice), atol=1e-9)
    assert np.all(np.rint(lattice)[:, ~periodic] == 0)


def test_a_cut_off_must_be_positive():
    with pytest.raises(InputError, match="cut-off"):
        close_pairs(np.zeros((1, 3)), SKEW, np.ones(3, bool), 0.0)


def test_idpp_matches_its_formula_and_its_own_differences():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, 5, 3)) * 2
    first, second = np.triu_indices(5, 1)
    shift = rng.normal(size=(10, 3)) * 0.3
    wanted = rng.uniform(1, 3, size=(2, 10))

    def energy(x):
        d = np.linalg.norm(x[:, second] + shift - x[:, first], axis=2)
        return np.sum((d - wanted) ** 2 / d**4, axis=1)

    e, f = idpp(x, first, second, shift, wanted)
    np.testing.assert_allclose(e, energy(x), rtol=1e-12)
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index] += 1e-5
        down[index] -= 1e-5
        slope = (energy(up) - energy(down))[index[0]] / 2e-5
        # second-order differences of a function with third derivatives up to about 1e3
        assert f[index] == pytest.approx(-slope, rel=1e-4, abs=1e-6)


def test_idpp_refuses_shapes_that_disagree():
    with pytest.raises(InputError, match="idpp got"):
        idpp(np.zeros((1, 2, 3)), np.array([0]), np.array([1]), np.zeros((2, 3)), np.ones((1, 1)))
