"""Lattice-gas arrangements against enumeration, exclusions, and choices of sites."""

import itertools

import numpy as np
import pytest

import simkit.build.fill.ions as ions_module
from simkit.build import Block, Heights, Stack, bulk
from simkit.build.fill.ewald import COULOMB_EV_A
from simkit.build.fill.ions import Sublattice, pair_repulsion, screened, start
from simkit.build.fill.orders import ion_orders
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


def test_a_full_gallery_needs_no_repulsion(monkeypatch):
    """Also what makes thousands of sites cheap: all full and none in contact is decided from near pairs alone."""
    frame = frame_of(Stack.from_string("AB CA BC"), Heights(2.96, 2.0, {"O3": 3.2}), (5, 5))
    points, plane = frame.layer(0, 0.0)[:, :2], frame.cell[:2, :2]
    monkeypatch.setattr(ions_module, "pair_repulsion", None)
    assert placed(points, plane, 25, 0).all()
    assert not placed(points, plane, 0, 0).any()
    with pytest.raises(TypeError):
        placed(points, plane, 24, 0)


def test_repulsion_agrees_with_a_plain_sum_over_images():
    rng = np.random.default_rng(3)
    cell = np.array([[9.0, 0.0, 0.0], [-3.0, 8.0, 0.0], [1.0, 2.0, 7.0]])
    points = rng.random((6, 3)) @ cell
    images = np.array(list(itertools.product(range(-4, 5), repeat=3))) @ cell
    distance = np.linalg.norm(points[None, :, None] + images - points[:, None, None], axis=-1)
    distance[distance < 1e-9] = np.inf
    each = np.where(distance < 14.0, COULOMB_EV_A / 3.0 * np.exp(-distance / 2.5) / distance, 0.0)
    expected = np.where((distance < 2.2).any(axis=-1), np.inf, each.sum(axis=-1))
    found = pair_repulsion(points, cell)
    assert np.array_equal(np.isinf(found), np.isinf(expected))
    assert np.allclose(found[np.isfinite(found)], expected[np.isfinite(expected)], atol=1e-12)


def test_a_cell_without_ions_has_no_orders():
    scaffold = bulk(Block("O3", 3, content=0.0), (3, 3), 0).scaffold
    with pytest.raises(InputError, match="holds no alkali ions"):
        ion_orders(scaffold, 0, 3)
    for arguments, words in (((scaffold, 0, 0), "count = 0"), ((None, 0, 1), "scaffold"), ((scaffold, "a", 1), "seed")):
        with pytest.raises(InputError, match=words):
            ion_orders(*arguments)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"phase": "P2", "gaps": 2, "sites": "lower"}, "sites = 'lower' in block P2, which has P2 galleries"),
        ({"phase": "P3", "gaps": 3, "sites": "e"}, "sites = 'e' in block P3"),
        ({"phase": "O3", "gaps": 3, "sites": "f"}, "sites = 'f' in block O3"),
        ({"phase": "O3", "gaps": 3, "sites": "mixed"}, "sites = 'mixed' in block O3"),
        (
            {"phase": "spinel", "gaps": 3, "sites": "f", "tetrahedral": {"Li": 1.0}},
            "sites = 'f' in block spinel, which has metals between its slabs",
        ),
        ({"phase": "spinel", "gaps": 3, "dopants": {"Ca": 0.1}, "tetrahedral": {"Li": 1.0}}, "dopants in block spinel"),
        ({"phase": "rock-salt", "gaps": 3, "dopants": {"Ca": 0.1}}, "dopants in block rock-salt"),
        ({"phase": "rock-salt", "gaps": 3, "alkali": "Li", "content": 0.3}, "content = 0.3 in block rock-salt"),
    ],
)
def test_words_about_ions_that_nothing_follows_are_refused(fields, words):
    with pytest.raises(InputError, match=words):
        Block(**fields)


def test_words_about_ions_are_taken_where_a_gallery_follows():
    for phase, gaps, sites in (("P2", 2, "f"), ("P3", 3, "upper"), ("OP4", 4, "e"), ("T#2", 2, "mixed")):
        assert Block(phase, gaps, sites=sites).sites == sites
    assert Block("rock-salt", 3, content=0).content == 0
