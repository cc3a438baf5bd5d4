"""Squared displacements against sums written out in NumPy, and the nearest of sites against all of them."""

import itertools

import numpy as np
import pytest

from simkit.errors import InputError
from simkit.kernels.correlation import count_distances, log_spaced_lags, squares_at_all_lags, squares_at_lags
from simkit.kernels.voxels import settle
from simkit.measure import site_table


def walks(frames, ions, seed=0):
    """Random walks that end some 10 A from where they started, far from the origin."""
    steps = np.random.default_rng(seed).normal(size=(frames, ions, 3))
    return 40.0 + 10.0 * np.cumsum(steps, axis=0) / np.sqrt(frames)


def direct(positions, lag):
    return ((positions[lag:] - positions[: len(positions) - lag]) ** 2).mean(axis=0)


@pytest.mark.parametrize("frames", [1, 2, 63, 64, 65, 1000])
def test_all_lags_are_the_direct_sums(frames):
    """1e-10 of 100 A^2 is what is promised; the rounding of sums of 1000 squares is far below."""
    positions = walks(frames, 5)
    expected = np.array([direct(positions, lag) for lag in range(frames)])
    np.testing.assert_allclose(squares_at_all_lags(positions), expected, rtol=1e-10, atol=1e-10)
    lags = np.unique(np.geomspace(1, frames, 9).astype(int)) - 1
    np.testing.assert_allclose(squares_at_lags(positions, lags), expected[lags], rtol=1e-13, atol=1e-13)


def test_a_long_run_keeps_the_promise():
    positions = walks(20_000, 2)
    found = squares_at_all_lags(positions)
    for lag in (1, 7, 900, 12_345, 19_935, 19_937, 19_999):
        np.testing.assert_allclose(found[lag], direct(positions, lag), rtol=1e-10, atol=1e-10)


def test_lags_are_spread_over_the_logarithm():
    lags = log_spaced_lags(1, 1000, 4)
    assert lags.tolist() == [1, 10, 100, 1000]
    assert log_spaced_lags(1, 3, 50).tolist() == [1, 2, 3]
    with pytest.raises(InputError, match="from 5 to 5"):
        log_spaced_lags(5, 5, 3)


def test_distances_are_counted_in_their_bins():
    positions, edges = walks(200, 3), np.linspace(0.5, 6.0, 12)
    away = np.linalg.norm(positions[7:] - positions[:-7], axis=2)
    np.testing.assert_array_equal(count_distances(positions, 7, edges), np.histogram(away, edges)[0])
    with pytest.raises(InputError, match="even steps"):
        count_distances(positions, 7, [0.0, 1.0, 3.0])


@pytest.mark.parametrize(("bad", "message"), [(np.zeros((4, 3)), "shape"), (np.full((4, 2, 3), np.nan), "not finite")])
def test_positions_that_do_not_fit_are_refused(bad, message):
    with pytest.raises(InputError, match=message):
        squares_at_all_lags(bad)
    with pytest.raises(InputError, match="outside the run"):
        squares_at_lags(np.zeros((4, 2, 3)), [4])


CELLS = {
    "cube": np.diag([8.0, 8.0, 8.0]),
    "hexagonal": np.array([[5.8, 0, 0], [-2.9, 5.02, 0], [0.0, 0.0, 11.0]]),
    "sheared": np.array([[5.8, 0, 0], [-2.9, 5.02, 0], [4.1, 3.3, 9.0]]),
    "steep": np.array([[3.0, 0, 0], [6.5, 3.0, 0], [-7.0, 5.0, 4.0]]),
}


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("sites", [1, 2, 14])
def test_the_table_names_the_nearest_of_all_images(name, sites):
    """Every image within five cells is tried; in the steepest cell that is further than any point from a site."""
    rng, cell = np.random.default_rng(3), CELLS[name]
    places = rng.random((sites, 3)) @ cell
    points = rng.uniform(-2, 3, size=(300, 3)) @ cell
    found = site_table(places, cell, voxel_A=0.5).nearest(points)
    away = np.linalg.norm(places[found[:, 0]] + found[:, 1:] @ cell - points, axis=1)
    home = points - np.floor(points @ np.linalg.inv(cell)) @ cell
    images = np.array(list(itertools.product(range(-5, 6), repeat=3))) @ cell
    everything = (places[:, None] + images).reshape(-1, 3)
    least = np.array([np.linalg.norm(everything - point, axis=1).min() for point in home])
    np.testing.assert_allclose(away, least, rtol=0, atol=1e-9)


def test_sites_at_one_place_are_refused():
    with pytest.raises(InputError, match="one place"):
        site_table([[0, 0, 0], [8.0, 0, 0]], CELLS["cube"])
    with pytest.raises(InputError, match="voxels"):
        site_table([[0, 0, 0]], CELLS["cube"], voxel_A=1e-3)


def stays(letters, dwell):
    """The letter that each frame belongs to."""
    keys = np.zeros((len(letters), 1, 4), dtype=np.int64)
    keys[:, 0, 0] = [ord(letter) for letter in letters]
    return "".join(letters[k] for k in settle(keys, dwell)[:, 0])


def test_short_visits_belong_to_the_stay_before():
    assert stays("AABABBBA", 1) == "AABABBBA"
    assert stays("AABABBBA", 2) == "AAAABBBB"
    assert stays("AABCBBBCCC", 3) == "AAAABBBCCC"
    assert stays("AABBAACC", 3) == "AAAAAAAA"
    assert stays("AABCAA", 1) == "AABCAA"
