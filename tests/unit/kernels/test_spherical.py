"""Spherical harmonics against their addition theorem, e3nn's own, and differences."""

import numpy as np
import pytest
import torch
from scipy.special import eval_legendre

from simkit.errors import InputError
from simkit.kernels.spherical import MOST_L, edge_gradient, harmonics
from simkit.potential.mace_backend import o3

VECTORS = np.random.default_rng(0).normal(size=(40, 3))


def values(vectors, max_l=MOST_L):
    out = np.empty((len(vectors), (max_l + 1) ** 2))
    harmonics(vectors, max_l, out)
    return out


def test_the_addition_theorem_holds_for_every_degree():
    y, unit = values(VECTORS), VECTORS / np.linalg.norm(VECTORS, axis=1)[:, None]
    cosine = (unit @ unit.T).clip(-1, 1)
    for ell in range(MOST_L + 1):
        part = y[:, ell * ell : (ell + 1) ** 2]
        np.testing.assert_allclose(part @ part.T, (2 * ell + 1) * eval_legendre(ell, cosine), atol=1e-13)


@pytest.mark.parametrize("max_l", range(MOST_L + 1))
def test_order_and_norm_are_those_of_e3nn(max_l):
    theirs = o3.spherical_harmonics(list(range(max_l + 1)), torch.from_numpy(VECTORS), True, "component").numpy()
    np.testing.assert_allclose(values(VECTORS, max_l), theirs, atol=1e-13)


@pytest.mark.parametrize("max_l", range(MOST_L + 1))
def test_the_gradient_is_the_slope(max_l):
    slopes = np.random.default_rng(1).normal(size=(len(VECTORS), (max_l + 1) ** 2 + 1))
    gradient = np.empty_like(VECTORS)
    edge_gradient(VECTORS, slopes, gradient)
    step = 1e-5

    def energy(vectors):
        return (slopes[:, :-1] * values(vectors, max_l)).sum(1) + slopes[:, -1] * np.linalg.norm(vectors, axis=1)

    for k, axis in enumerate(np.eye(3)):
        slope = (energy(VECTORS + step * axis) - energy(VECTORS - step * axis)) / (2 * step)
        # truncation is step^2 times third derivatives, which grow as 1/r^3: the shortest vector is 0.3 long
        np.testing.assert_allclose(gradient[:, k], slope, atol=1e-6)


def test_what_is_not_written_out_is_refused():
    with pytest.raises(InputError, match="degree 4"):
        harmonics(VECTORS, 4, np.empty((40, 25)))
    with pytest.raises(InputError, match="shape"):
        harmonics(VECTORS, 2, np.empty((40, 4)))
