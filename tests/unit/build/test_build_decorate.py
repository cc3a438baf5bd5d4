"""Counts and lattice-gas arrangements against enumeration."""

import itertools

import numpy as np
import pytest

from simkit.build import Heights, Stack
from simkit.build.decorate import pair_repulsion, placed_ions, spread, whole_counts
from simkit.build.geometry import frame_of
from simkit.errors import InputError
from simkit.kernels.lattice_gas import anneal

HEIGHTS = Heights(2.89, 2.03, {"P2": 3.56})


def gallery(repeats):
    """Edge and face sites of one P2 gallery: points, in-plane cell."""
    frame = frame_of(Stack.from_string("AB BA"), HEIGHTS, repeats)
    return np.concatenate([frame.layer(0, 0.0), frame.layer(2, 0.0)])[:, :2], frame.cell[:2, :2]


def energy(pair, occupied):
    sub = pair[np.ix_(occupied, occupied)].copy()
    np.fill_diagonal(sub, 0)
    return 0.5 * sub.sum()


@pytest.mark.parametrize("ions", [2, 3, 4, 5, 6, 7])
def test_annealed_gallery_reaches_the_enumerated_minimum(ions):
    points, plane = gallery((3, 3))
    pair = pair_repulsion(points, plane)
    best = min(energy(pair, list(sites)) for sites in itertools.combinations(range(18), ions))
    reached = [
        energy(pair, np.flatnonzero(placed_ions(points, plane, ions, np.zeros(18), np.random.default_rng(k))))
        for k in range(4)
    ]
    # a seeded anneal may stop one arrangement short; the best of four seeds must be the minimum
    assert min(reached) == pytest.approx(best, abs=1e-9)
    assert max(reached) < best * 1.03


def test_repulsion_is_a_lattice_sum():
    points, plane = gallery((2, 3))
    pair = pair_repulsion(points, plane)
    big = pair_repulsion(np.concatenate([points + i * plane[0] for i in range(3)]), plane * [[3], [1]])
    finite = np.isfinite(pair) & ~np.eye(len(points), dtype=bool)
    n = len(points)
    folded = big[:n].reshape(n, 3, n).sum(axis=1)
    assert np.allclose(folded[finite], pair[finite], atol=1e-12)
    assert np.isinf(pair[0]).sum() == 3


def test_hard_core_is_never_broken_and_counts_are_kept():
    points, plane = gallery((5, 4))
    pair = pair_repulsion(points, plane)
    for ions in (1, 7, 13, 19, 20):
        filled = placed_ions(points, plane, ions, np.zeros(40), np.random.default_rng(ions))
        assert filled.sum() == ions
        assert np.isfinite(energy(pair, np.flatnonzero(filled)))


def test_a_start_in_hard_contact_is_refused():
    pair = np.array([[0, np.inf], [np.inf, 0]])
    with pytest.raises(InputError, match="exclude each other"):
        anneal(np.array([True, True]), pair, np.zeros(2), np.zeros((1, 3)), np.ones(1))


def test_vacancies_of_an_octahedral_gallery_stay_apart():
    frame = frame_of(Stack.from_string("AB CA BC"), Heights(2.96, 2.0, {"O3": 3.2}), (6, 6))
    points, plane = frame.layer(0, 0.0)[:, :2], frame.cell[:2, :2]
    filled = placed_ions(points, plane, 32, np.zeros(36), np.random.default_rng(0))
    steps = points[~filled][:, None] - points[~filled][None]
    images = np.array(list(itertools.product((-1, 0, 1), repeat=2))) @ plane
    distances = np.linalg.norm(steps[:, :, None] + images, axis=-1)
    # four vacancies on 36 sites can be 3 a apart
    assert np.sort(distances[distances > 1e-6])[0] > 2.5 * 2.96


def test_spread_keeps_totals_and_rounds_each_bin_up_or_down():
    rng = np.random.default_rng(0)
    for _ in range(100):
        bins, size = (int(n) for n in rng.integers(1, 9, 2))
        cut = np.sort(rng.integers(0, bins * size + 1, 2))
        counts = np.diff([0, *cut, bins * size]).tolist()
        table = spread(counts, bins)
        assert table.sum(axis=0).tolist() == counts
        assert np.all(table.sum(axis=1) == size)
        assert np.abs(table - np.array(counts) / bins).max() < 1


def test_whole_counts_are_the_nearest():
    assert whole_counts({"Ni": 1 / 3, "Mn": 2 / 3}, 9, "x") == {"Ni": 3, "Mn": 6}
    assert whole_counts({"Ni": 0.33, "Mn": 0.33, "Fe": 0.34}, 10, "x") == {"Ni": 3, "Mn": 3, "Fe": 4}
    with pytest.raises(InputError, match=r"less than one atom.*0 and 0.25"):
        whole_counts({"Ni": 0.05, "Mn": 0.95}, 4, "x")
