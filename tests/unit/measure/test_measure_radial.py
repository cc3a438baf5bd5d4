"""Pairs over frames: shells of crystals, the ideal gas, oxygens that come too close."""

import numpy as np
import pytest

from simkit.errors import InputError
from simkit.measure import close_pairs, coordination_numbers, radial_distribution
from simkit.structure import Structure


def rock_salt(n=3, a=4.2):
    """MgO, n x n x n cubic cells."""
    fcc = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]) * a
    both = np.concatenate([fcc, fcc + np.array([0.5 * a, 0, 0])])
    return Structure([12] * 4 + [8] * 4, both, np.eye(3) * a).repeated(n, n, n)


def test_shells_of_rock_salt_are_counted():
    s, rng = rock_salt(), np.random.default_rng(1)
    frames = [s.moved_to(s.positions + rng.normal(0, 0.05, s.positions.shape)) for _ in range(3)]
    near, far = radial_distribution(frames, ("Mg", "O")), radial_distribution(frames, ("O", "O"))
    assert near.coordination(2.6) == pytest.approx(6.0) and far.coordination(3.5) == pytest.approx(12.0)
    assert near.coordination(4.1) == pytest.approx(14.0)  # and eight at sqrt(3) a / 2
    assert near.r_A[near.g.argmax()] == pytest.approx(2.1, abs=0.1)
    assert 2.4 < near.first_minimum_A < 3.5
    # g is normalised by the density: the integral of 4 pi r^2 rho g is the number of neighbours
    density = 4 / 4.2**3
    integral = np.cumsum(4 * np.pi * near.r_A**2 * density * near.g) * 0.05
    assert integral[-1] == pytest.approx(near.neighbours[-1], rel=2e-3)
    np.testing.assert_array_equal(coordination_numbers(frames, "Mg", "O", 2.6), np.full((3, 108), 6))


def test_an_ideal_gas_has_no_structure():
    rng = np.random.default_rng(2)
    gas = [Structure([18] * 400, rng.uniform(0, 20, (400, 3)), np.eye(3) * 20) for _ in range(10)]
    found = radial_distribution(gas, ("Ar", "Ar"), bin_A=0.5)
    # 10 x 400 x 399 / 8000 x shell pairs per bin, counted twice
    expected = 10 * 400 * 399 / 8000 * 4 / 3 * np.pi * np.diff((np.arange(13) * 0.5) ** 3) / 2
    assert np.all(np.abs(found.g - 1.0) < 4.5 / np.sqrt(expected))


def test_oxygens_too_close_are_seen():
    s = rock_salt(2)
    x = s.positions.copy()
    oxygens = np.flatnonzero(s.numbers == 8)
    x[oxygens[0]] = x[oxygens[1]] + [0.0, 0.0, 1.3]
    counts, shortest = close_pairs([s, s.moved_to(x)])
    assert counts.tolist() == [0, 1] and np.isinf(shortest[0]) and shortest[1] == pytest.approx(1.3)


def test_bad_requests():
    with pytest.raises(InputError, match="0 frames"):
        radial_distribution([], ("Mg", "O"))
    with pytest.raises(InputError, match="holds 0 Na"):
        radial_distribution([rock_salt(1)], ("Na", "O"))
