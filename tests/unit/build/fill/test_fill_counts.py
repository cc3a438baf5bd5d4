"""Exact counts: nearest whole numbers, shared out over unequal strata, gradients by systematic sampling."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simkit.build.fill.counts import _settle, joint_counts, spread, spread_tables, whole_counts
from simkit.build.fill.gradient import gradient, profile
from simkit.errors import InputError


def cut_counts(draw, total, species):
    cuts = sorted(draw(st.lists(st.integers(0, total), min_size=species - 1, max_size=species - 1)))
    return np.diff([0, *cuts, total]).tolist()


@st.composite
def unequal(draw):
    sizes = draw(st.lists(st.integers(0, 20), min_size=1, max_size=10).filter(sum))
    return cut_counts(draw, sum(sizes), draw(st.integers(1, 7))), sizes


@settings(max_examples=200, deadline=None)
@given(unequal())
@example(([2, 14, 2, 3, 3], [4, 8, 12]))  # the last row has shares left of two species that are used up
def test_spread_keeps_all_sums_and_rounds_each_share_up_or_down(case):
    counts, sizes = case
    table = spread(counts, sizes)
    assert table.sum(axis=0).tolist() == counts
    assert table.sum(axis=1).tolist() == sizes
    ideal = np.outer(sizes, counts) / sum(sizes)
    assert np.abs(table - ideal).max() < 1


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_equal_bins_by_number_or_by_size_agree(bins, size, data):
    counts = cut_counts(data.draw, bins * size, 3)
    assert np.array_equal(spread(counts, bins), spread(counts, [size] * bins))


def test_extras_are_evenly_spaced():
    # systematic sampling: 3 atoms over 9 bins sit three bins apart
    places = np.flatnonzero(spread([3, 6], 9)[:, 0])
    assert np.diff(places).tolist() == [3, 3]


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 8), st.integers(2, 5), st.integers(0, 10**6))
def test_tables_of_slabs_give_nearest_totals(bins, species, seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 20, bins)
    tables = rng.dirichlet(np.ones(species), bins)
    counts = spread_tables(tables, sizes)
    ideal = tables * sizes[:, None]
    assert counts.min() >= 0
    assert np.array_equal(counts.sum(axis=1), sizes)
    assert np.abs(counts.sum(axis=0) - ideal.sum(axis=0)).max() < 1
    # whole column sums shift a row by a fraction of an atom, so a share may move by up to two roundings
    assert np.abs(counts - ideal).max() < 2


def test_a_column_that_comes_up_short_is_mended_along_a_chain():
    # rows 0 and 1 took column 0 and 1; column 2 is short, column 0 crowded, and no row can trade them directly
    extra = np.array([[1, 0, 0], [0, 1, 0]])
    allowed = np.array([[True, True, False], [False, True, True]])
    _settle(extra, allowed, np.array([-1, 0, 1]))
    assert extra.tolist() == [[0, 1, 0], [0, 0, 1]]


def test_tables_leave_absent_species_absent():
    tables = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.3, 0.7]])
    counts = spread_tables(tables, [5, 5, 5])
    assert np.all(counts[tables == 0] == 0)


def test_whole_counts_are_the_nearest():
    assert whole_counts({"Ni": 1 / 3, "Mn": 2 / 3}, 9, "x") == {"Ni": 3, "Mn": 6}
    assert whole_counts({"Ni": 0.33, "Mn": 0.33, "Fe": 0.34}, 10, "x") == {"Ni": 3, "Mn": 3, "Fe": 4}
    with pytest.raises(InputError, match=r"less than one atom.*0 and 0.25"):
        whole_counts({"Ni": 0.05, "Mn": 0.95}, 4, "x")


def test_gradient_is_linear_with_whole_atoms():
    tables = gradient({"Ni": 0.9, "Mn": 0.1}, {"Ni": 0.3, "Mn": 0.7}, 7, sites=10)
    assert [round(10 * t["Ni"]) for t in tables] == [9, 8, 7, 6, 5, 4, 3]
    fine = gradient({"Ni": 1.0}, {"Mn": 1.0}, 5)
    assert fine[0] == {"Ni": 1.0}
    assert fine[-1] == {"Mn": 1.0}
    assert fine[2] == pytest.approx({"Ni": 0.5, "Mn": 0.5})


def test_profile_sums_to_the_nearest_total():
    def core_and_shell(x):
        ni = 0.2 + 0.6 * np.exp(-(((x - 0.5) / 0.2) ** 2))
        return {"Ni": ni, "Mn": 1 - ni}

    tables = profile(core_and_shell, 9, sites=16)
    wanted = sum(core_and_shell(x)["Ni"] for x in np.linspace(0, 1, 9)) * 16
    counts = [t["Ni"] * 16 for t in tables]
    assert counts == pytest.approx(np.round(counts))
    assert abs(sum(counts) - wanted) <= 0.5


def test_impossible_gradients_are_refused():
    with pytest.raises(InputError, match="slabs = 0"):
        gradient({"Ni": 1}, {"Mn": 1}, 0)
    with pytest.raises(InputError, match=r"sum to 0\.8"):
        gradient({"Ni": 0.8}, {"Mn": 1}, 3)


def test_blocks_rounded_alike_are_mended_to_the_nearest_sums():
    ideal = np.array([[3.4, 16.6]] * 4)
    counts = np.array([[3, 17]] * 4)
    done = joint_counts(ideal, counts)
    assert done.sum(axis=0).tolist() == [14, 66]  # 13.6 asked, 12 rounded block by block
    assert done.sum(axis=1).tolist() == [20] * 4
    assert np.abs(done - ideal).max() < 1


def test_sums_within_an_atom_and_exact_blocks_stay():
    near = np.array([[3.4, 16.6], [3.4, 16.6]])
    assert np.array_equal(joint_counts(near, np.array([[3, 17]] * 2)), [[3, 17]] * 2)  # 0.8 off
    ideal = np.array([[5.0, 15.0], *[[3.4, 16.6]] * 4])
    done = joint_counts(ideal, np.array([[5, 15], *[[3, 17]] * 4]))
    assert done[0].tolist() == [5, 15]
    assert done.sum(axis=0).tolist() == [19, 81]
    # a count of one stays where its fraction is below an atom
    rare = np.array([[0.6, 9.4]] * 4)
    assert np.array_equal(joint_counts(rare, np.array([[1, 9]] * 4)), [[1, 9]] * 4)


@settings(max_examples=200, deadline=None)
@given(st.integers(2, 6), st.integers(2, 6), st.integers(0, 10**6))
def test_joint_counts_keep_rows_and_come_no_farther_from_the_sums(regions, species, seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(species * 6, 60, regions)
    tables = rng.dirichlet(np.full(species, 3.0), regions) * 0.4 + 0.6 / species
    ideal = tables * sizes[:, None]
    counts = np.array(
        [list(whole_counts(dict(enumerate(t)), int(n), "x").values()) for t, n in zip(tables, sizes, strict=True)]
    )
    done = joint_counts(ideal, counts)
    assert done.sum(axis=1).tolist() == sizes.tolist()
    assert np.abs(done - ideal).max() < 1 + 1e-9
    # no count is near zero here, so the sums always come within an atom
    assert np.abs((done - ideal).sum(axis=0)).max() < 1
