"""Lattice-gas arrangements against enumeration, exclusions, and choices of sites."""

import itertools

import numpy as np
import pytest

from simkit.build import Heights, Stack
from simkit.build.fill.ions import Sublattice, pair_repulsion, screened, start
from simkit.build.geometry import frame_of
from simkit.errors import InputError
from simkit.kernels.lattice_gas import Gas, anneal, anneal_gas, anneal_species

HEIGHTS = Heights(2.89, 2.03, {"P2": 3.56})


def gallery(repeats):
    """Edge and face sites of one P2 gallery: points, in-plane cell."""
    frame = frame_of(Stack.from_string("AB BA"), HEIGHTS, repeats)
    return np.concatenate([frame.layer(0, 0.0), frame.layer(2, 0.0)])[:, :2], frame.cell[:2, :2]


def energy(pair, occupied):
    sub = pair[np.ix_(occupied, occupied)].copy()
    np.fill_diagonal(sub, 0)
    return 0.5 * sub.sum()


def placed(points, plane, ions, seed):
    half = np.arange(len(points)) < len(points) // 2
    lattice = Sublattice(np.arange(len(points)), np.zeros(len(points), dtype=int), (ions,), half)
    return screened(points, plane, lattice, np.zeros(len(points)), (np.random.default_rng(seed), "gallery 0"))


@pytest.mark.parametrize("ions", [2, 3, 4, 5, 6, 7])
def test_annealed_gallery_reaches_the_enumerated_minimum(ions):
    points, plane = gallery((3, 3))
    pair = pair_repulsion(points, plane)
    best = min(energy(pair, list(sites)) for sites in itertools.combinations(range(18), ions))
    reached = [energy(pair, np.flatnonzero(placed(points, plane, ions, k))) for k in range(4)]
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


def test_repulsion_in_space_is_that_in_the_plane_when_layers_are_far_apart():
    points, plane = gallery((3, 2))
    cell = np.diag([0.0, 0.0, 60.0])
    cell[:2, :2] = plane
    flat, space = pair_repulsion(points, plane), pair_repulsion(np.pad(points, ((0, 0), (0, 1))), cell)
    assert np.array_equal(np.isinf(flat), np.isinf(space))
    assert np.allclose(flat[np.isfinite(flat)], space[np.isfinite(flat)], atol=1e-12)


def test_hard_core_is_never_broken_and_counts_are_kept():
    points, plane = gallery((5, 4))
    pair = pair_repulsion(points, plane)
    for ions in (1, 7, 13, 19, 20):
        filled = placed(points, plane, ions, ions)
        assert filled.sum() == ions
        assert np.isfinite(energy(pair, np.flatnonzero(filled)))


def test_a_start_in_hard_contact_is_refused():
    pair = np.array([[0, np.inf], [np.inf, 0]])
    with pytest.raises(InputError, match="exclude each other"):
        anneal(np.array([True, True]), pair, np.zeros(2), np.zeros((1, 3)), np.ones(1))


def test_vacancies_of_an_octahedral_gallery_stay_apart():
    frame = frame_of(Stack.from_string("AB CA BC"), Heights(2.96, 2.0, {"O3": 3.2}), (6, 6))
    points, plane = frame.layer(0, 0.0)[:, :2], frame.cell[:2, :2]
    filled = placed(points, plane, 32, 0)
    steps = points[~filled][:, None] - points[~filled][None]
    images = np.array(list(itertools.product((-1, 0, 1), repeat=2))) @ plane
    distances = np.linalg.norm(steps[:, :, None] + images, axis=-1)
    # four vacancies on 36 sites can be 3 a apart
    assert np.sort(distances[distances > 1e-6])[0] > 2.5 * 2.96


def test_a_crowded_start_is_found_where_greedy_filling_jams():
    # a ring of ten sites, neighbours exclude each other: only the two alternating fillings hold five
    ring = np.zeros((10, 10), dtype=bool)
    for i in range(10):
        ring[i, (i + 1) % 10] = ring[(i + 1) % 10, i] = True
    lattice = Sublattice(np.arange(10), np.zeros(10, dtype=int), (5,), np.ones(10, dtype=bool))
    for seed in range(10):
        filled = start(lattice, ring, np.random.default_rng(seed), "ring")
        assert np.array_equal(filled, ~np.roll(filled, 1))
    full = Sublattice(np.arange(10), np.zeros(10, dtype=int), (6,), np.ones(10, dtype=bool))
    with pytest.raises(InputError, match=r"6 ions do not fit on 10 sites.* [45] do"):
        start(full, ring, np.random.default_rng(0), "ring")


def test_ions_stay_in_their_group():
    rng = np.random.default_rng(0)
    w = rng.random((12, 12))
    group = np.repeat([0, 1, 2], 4)
    # the sites of group 0 would draw every ion if they could
    gas = Gas(w + w.T, np.zeros((12, 12), dtype=bool), rng.normal(size=12) - 6.0 * (group == 0), group)
    occupied = np.isin(np.arange(12), [0, 4, 5, 8, 9, 10])
    moved = anneal_gas(gas, occupied, rng.random((4000, 3)), 2.0 * 0.01 ** np.linspace(0, 1, 4000))
    assert [int(moved[group == g].sum()) for g in range(3)] == [1, 2, 3]
    options = [itertools.combinations(np.flatnonzero(group == g), g + 1) for g in range(3)]
    best = min(
        energy(gas.pair, [*a, *b, *c]) + gas.site_energy[[*a, *b, *c]].sum() for a, b, c in itertools.product(*options)
    )
    reached = np.flatnonzero(moved)
    assert energy(gas.pair, reached) + gas.site_energy[reached].sum() == pytest.approx(best)


@pytest.mark.parametrize("seed", range(6))
def test_exchanged_species_reach_the_enumerated_minimum(seed):
    rng = np.random.default_rng(seed)
    w = 3.0 * rng.normal(size=(7, 7))
    pair, field = w + w.T, rng.normal(size=7)
    np.fill_diagonal(pair, 0)
    charge = np.array([1.0, 1, 1, 2, 2, 4, 4])
    random = rng.random((20000, 3)), 60.0 * 1e-3 ** np.linspace(0, 1, 20000)
    order = anneal_species(charge, pair, field, np.zeros(7, dtype=int), random)
    assert sorted(order.tolist()) == list(range(7))

    def total(q):
        return 0.5 * q @ pair @ q + field @ q

    best = min(total(np.array(q)) for q in set(itertools.permutations(charge)))
    assert total(charge[order]) == pytest.approx(best)
