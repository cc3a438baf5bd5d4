"""Least lifts: pairs touch and none overlap at the lift found, by plain NumPy over images."""

import numpy as np
import pytest

from simkit.errors import InputError
from simkit.kernels.openings import least_lifts

PLANE = np.array([[2.9, 0.0], [0.7, 9.0]])


def closest(lower, upper, least, offset):
    """Smallest distance over its own limit r of any pair, over 11 x 5 images."""
    images = np.stack(np.meshgrid(range(-5, 6), range(-2, 3), indexing="ij"), -1).reshape(-1, 2) @ PLANE
    moved = upper + offset
    delta = moved[None, :, :] - lower[:, None, :]
    flat = delta[None, :, :, :2] + images[:, None, None]
    distance = np.sqrt((flat**2).sum(-1) + delta[None, ..., 2] ** 2)
    return (distance / least).min()


@pytest.mark.parametrize("seed", range(4))
def test_blocks_touch_and_never_overlap(seed):
    rng = np.random.default_rng(seed)
    lower, upper = (rng.uniform(0, 1, (n, 3)) @ np.diag([2.9, 9.0, 4.0]) for n in (7, 9))
    least = rng.uniform(1.5, 3.0, (7, 9))
    shifts = rng.uniform(-3, 3, (5, 2))
    lifts = least_lifts(lower, upper, PLANE, least, shifts)
    for shift, lift in zip(shifts, lifts, strict=True):
        assert closest(lower, upper, least, np.append(shift, lift)) == pytest.approx(1.0, abs=1e-9)
        for higher in (0.05, 0.7, 2.0):
            assert closest(lower, upper, least, np.append(shift, lift + higher)) > 1.0


def test_lattice_shifts_change_nothing():
    rng = np.random.default_rng(1)
    lower, upper = rng.uniform(0, 3, (4, 3)), rng.uniform(0, 3, (4, 3))
    shifts = np.array([[0.3, 0.4], [0.3, 0.4] + PLANE[0], [0.3, 0.4] - 2 * PLANE[1]])
    lifts = least_lifts(lower, upper, PLANE, np.full((4, 4), 2.2), shifts)
    assert lifts == pytest.approx(lifts[0], abs=1e-9)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="above 0 per pair"):
        least_lifts(np.zeros((2, 3)), np.zeros((3, 3)), PLANE, np.ones((3, 2)), np.zeros((1, 2)))
