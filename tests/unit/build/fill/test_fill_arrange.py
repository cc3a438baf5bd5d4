"""Arrangements of metals: honeycomb and stripes, charges apart, quasirandom correlations."""

import numpy as np
import pytest

from simkit.build import ROOT3, Block, bulk, orthogonal
from simkit.build.fill.arrange import contrasts, ordered, screened_pairs
from simkit.build.fill.pairs import pair_tables
from simkit.build.fill.quasirandom import quasirandom
from simkit.build.geometry import frame_of
from simkit.build.heights import Heights
from simkit.build.stacking import Stack
from simkit.errors import InputError
from simkit.kernels.pair_counts import exchange_species, pair_deviation
from simkit.kernels.pair_search import find_pairs

HEIGHTS = Heights(2.9, 2.0, {"P2": 3.5, "O3": 3.2})
HONEYCOMB = {"Ni": 1 / 3, "Mn": 2 / 3}
HALF = {"Ni": 0.5, "Mn": 0.5}


def metals(structure):
    return structure.take(structure.tags["site"] == "TM")


def like_neighbours(structure, symbol):
    """Neighbours of its own kind, within the slab, of every metal `symbol`."""
    slabs = metals(structure)
    mine = np.array(slabs.symbols) == symbol
    pairs = find_pairs(slabs.positions, slabs.positions, slabs.cell, 3.3)
    return np.bincount(pairs.point, mine[pairs.atom], minlength=len(mine))[mine]


@pytest.mark.parametrize("arrangement", ["honeycomb", "ordered"])
@pytest.mark.parametrize(
    ("phase", "repeats"), [("P2", (3, 3)), ("P2", ROOT3), ("O3", (6, 6)), ("P2", orthogonal(3, 2))]
)
def test_one_third_nickel_orders_into_a_honeycomb(arrangement, phase, repeats):
    gaps = 2 if phase == "P2" else 3
    s = bulk(Block(phase, gaps, HONEYCOMB, content=2 / 3, arrangement=arrangement), repeats, seed=2).structure
    # no two Ni are neighbours at 1/3: the sqrt3 x sqrt3 honeycomb of Mn
    assert like_neighbours(s, "Ni").max() == 0
    assert set(like_neighbours(s, "Mn").tolist()) == {3.0}


@pytest.mark.parametrize("arrangement", ["stripes", "ordered"])
def test_half_nickel_makes_rows(arrangement):
    s = bulk(Block("P2", 2, HALF, arrangement=arrangement), (4, 4), seed=1).structure
    # the ground state of repelling charges at 1/2 on a triangular layer has two like neighbours, never fewer on average
    assert set(like_neighbours(s, "Ni").tolist()) == {2.0}


def test_ordering_lowers_the_repulsion_and_keeps_the_counts():
    frame = frame_of(Stack.from_gaps(["P2"] * 2), HEIGHTS, (5, 5))
    points = np.concatenate([frame.slab(j)[1] for j in range(2)])
    rng = np.random.default_rng(0)
    names = np.concatenate([rng.permutation(["Ni"] * 5 + ["Fe"] * 10 + ["Mn"] * 10) for _ in range(2)])
    charge = np.array([{"Ni": 2.0, "Fe": 3.0, "Mn": 4.0}[n] for n in names])
    group = np.repeat([0, 1], 25)
    pair = screened_pairs(points, frame.cell)
    assert np.allclose(pair, pair.T)
    contrast = contrasts(names, charge, group)
    done = ordered(names, contrast, pair, group, np.random.default_rng(1))
    value = np.array([{"Ni": -1.2, "Fe": -0.2, "Mn": 0.8}[n] for n in done])
    draws = [np.concatenate([rng.permutation(contrast[:25]), rng.permutation(contrast[25:])]) for _ in range(50)]
    assert value @ pair @ value < min(d @ pair @ d for d in draws) - 1.0
    for g in (0, 1):
        assert sorted(done[group == g]) == sorted(names[group == g])


def test_species_of_one_charge_are_told_apart_by_radius():
    names = np.array(["Fe", "Co", "Fe", "Co"])
    value = contrasts(names, np.full(4, 3.0), np.zeros(4, dtype=int))
    assert value == pytest.approx([-0.05, 0.05, -0.05, 0.05])


@pytest.mark.parametrize(
    ("arrangement", "fractions", "repeats", "message"),
    [
        ("honeycomb", HONEYCOMB, orthogonal(3, 1), None),
        ("honeycomb", HALF, (4, 4), r"exactly 1/3 of the 16 sites"),
        ("honeycomb", HONEYCOMB, (4, 3), r"do not close on the pattern.*sqrt3 x sqrt3"),
        ("stripes", HALF, (3, 2), None),
        ("stripes", HONEYCOMB, (3, 3), r"exactly 1/2 of the 9 sites"),
        ("stripes", HALF, ((2, 1), (-2, 1)), None),
    ],
)
def test_patterns_fit_or_say_why_not(arrangement, fractions, repeats, message):
    block = Block("P2", 2, fractions, content=2 / 3, arrangement=arrangement)
    if message is None:
        assert bulk(block, repeats).structure.formula
        return
    with pytest.raises(InputError, match=message):
        bulk(block, repeats)


def test_several_species_share_a_sublattice_of_the_honeycomb():
    block = Block("P2", 2, {"Ni": 1 / 3, "Mn": 1 / 3, "Ti": 1 / 3}, content=2 / 3, arrangement="honeycomb")
    s = bulk(block, (6, 6), seed=4).structure
    assert like_neighbours(s, "Ni").max() == 0
    lithium = bulk(Block("O3", 3, {"Li": 1 / 3, "Mn": 2 / 3}, alkali="Li", arrangement="honeycomb"), (3, 3)).structure
    assert like_neighbours(lithium, "Li").max() == 0


def correlations(points, cell, names, symbol, shells=(3.2, 5.3, 6.1)):
    """Largest deviation of the pair probability of one species from random, by shell."""
    mine = (names == symbol).astype(float)
    share = mine.mean()
    deviations = []
    for reach in shells:
        pairs = find_pairs(points, points, cell, reach)
        deviations.append(abs((mine[pairs.point] * mine[pairs.atom]).mean() - share**2))
    return max(deviations)


def test_quasirandom_is_closer_to_random_than_the_best_of_twenty_draws(capfd):
    frame = frame_of(Stack.from_gaps(["P2"] * 2), HEIGHTS, (6, 6))
    points = np.concatenate([frame.slab(j)[1] for j in range(2)])
    group = np.repeat([0, 1], 36)
    rng = np.random.default_rng(0)
    draws = [np.concatenate([rng.permutation(["Ni"] * 12 + ["Mn"] * 24) for _ in range(2)]) for _ in range(20)]
    done = quasirandom(points, frame.cell, draws[0], group, (3, 1))
    best = min(correlations(points, frame.cell, names, "Ni") for names in draws)
    assert correlations(points, frame.cell, done, "Ni") < best
    for g in (0, 1):
        assert (done[group == g] == "Ni").sum() == 12
    assert np.array_equal(done, quasirandom(points, frame.cell, draws[0], group, (3, 1)))
    assert capfd.readouterr() == ("", "")


def slab_pairs(structure, reaches=(1.2, 1.85, 2.1)):
    """(3,) rms over species pairs of P_ab / (x_a x_b) - 1 in three shells within slabs, from bare distances."""
    slabs = metals(structure)
    names, cell, layer = np.array(slabs.symbols), slabs.cell, slabs.layers
    i, j = np.nonzero(layer[:, None] == layer)
    steps = np.array(np.meshgrid([-2, -1, 0, 1, 2], [-2, -1, 0, 1, 2])).reshape(2, -1).T @ cell[:2]
    away = slabs.positions[j] - slabs.positions[i]
    distance = np.linalg.norm(away[:, None] + steps, axis=2)
    nearest = distance[distance > 1e-6].min()
    found, low = [], 0.5
    for high in reaches:
        number = ((distance > low * nearest) & (distance < high * nearest)).sum(axis=1)
        kinds = np.unique(names)
        share = [(names == a).mean() for a in kinds]
        table = [[number[(names[i] == a) & (names[j] == b)].sum() for b in kinds] for a in kinds]
        found.append(np.sqrt(np.mean((np.array(table) / number.sum() / np.outer(share, share) - 1.0) ** 2)))
        low = high
    return np.array(found)


@pytest.mark.parametrize("repeats", [(5, 5), (5, 3)])
def test_five_metals_in_three_slabs_come_nearer_to_random_pairs_than_the_best_of_twenty_draws(repeats):
    fractions = dict.fromkeys(["Mn", "Fe", "Co", "Ni", "Ti"], 0.2)
    draws = np.array([slab_pairs(bulk(Block("O3", 3, fractions), repeats, seed=s).structure) for s in range(20)])
    structure = bulk(Block("O3", 3, fractions, arrangement="sqs"), repeats, seed=0).structure
    done = slab_pairs(structure)
    assert (done < draws.min(axis=0)).all()
    # clearly: the three shells together a quarter below the best draw, and less than two thirds of the mean draw
    assert done.mean() < 0.75 * draws.mean(axis=1).min()
    assert (done < 0.67 * draws.mean(axis=0)).all()
    slabs = metals(structure)
    for k in range(3):  # exact counts in every slab
        assert {(np.array(slabs.symbols)[slabs.layers == k] == m).sum() for m in fractions} == {np.prod(repeats) // 5}


def test_the_polish_never_worsens_and_counts_pairs_as_they_are():
    frame = frame_of(Stack.from_gaps(["P2"] * 2), HEIGHTS, (4, 3))
    points = np.concatenate([frame.slab(j)[1] for j in range(2)])
    group = np.repeat([0, 1], 12)
    rng = np.random.default_rng(5)
    species = np.concatenate([rng.permutation([0, 1, 2] * 4) for _ in range(2)])
    before = pair_tables(points, frame.cell, species, group)
    draws = rng.random((2000, 3))
    done = exchange_species(species, group, before, draws, np.full(2000, 1e-3))
    after = pair_tables(points, frame.cell, done, group)
    assert pair_deviation(after) < pair_deviation(before)
    # each slab of twelve has 6 x 12 / 2 pairs in every shell, and its species a third each
    assert (after.count.sum(axis=(1, 2))[:6] == 36).all()
    assert np.allclose(after.wanted[0], np.triu(np.full((3, 3), 8.0)) - 4.0 * np.eye(3))
    assert np.array_equal(after.wanted, before.wanted)
    # one exchange at a time, the kernel takes what counting afresh finds lower and leaves what it finds higher
    taken = 0
    for draw in draws[:200]:
        i = int(draw[0] * 24)
        j = int(draw[1] * 12) + 12 * group[i]
        trial = species.copy()
        trial[[i, j]] = species[[j, i]]
        change = pair_deviation(pair_tables(points, frame.cell, trial, group)) - pair_deviation(before)
        one = exchange_species(species, group, before, draw[None], np.zeros(1))
        if abs(change) > 1e-8:  # below, rounding decides
            assert np.array_equal(one, trial if change < 0 else species)
            taken += change < 0
    assert 0 < taken < 200
    for g in (0, 1):
        assert np.bincount(done[group == g]).tolist() == [4, 4, 4]


def test_quasirandom_through_the_builder_is_reproducible_and_exact():
    block = Block("O3", 1, {"Fe": 0.25, "Mn": 0.5, "Ni": 0.25}, arrangement="sqs")
    first, second = (bulk(block, (4, 4), seed=9).structure for _ in range(2))
    assert first.numbers.tobytes() == second.numbers.tobytes()
    counts = {s: first.symbols.count(s) for s in ("Fe", "Mn", "Ni")}
    assert counts == {"Fe": 4, "Mn": 8, "Ni": 4}


def test_quasirandom_needs_a_lattice():
    rng = np.random.default_rng(0)
    points = rng.random((12, 3)) * 8 + np.arange(12)[:, None] * [0, 0, 3.0]
    names = np.array(["Ni", "Mn"] * 6)
    with pytest.raises(InputError, match="sqs"):
        quasirandom(points, np.diag([8.0, 8, 44]), names, np.zeros(12, dtype=int), (0, 0))
