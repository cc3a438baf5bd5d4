"""Columns: what a uniform stack, a lateral cell, an annihilated one and a torn one read as."""

from dataclasses import replace

import numpy as np
import pytest

from simkit import build
from simkit.build import Block, Heights, LateralSettings, Stack
from simkit.build.columns import amplitude_A, phase_of
from simkit.build.lateral.domains import plan
from simkit.build.lateral.walls import slid_layers
from simkit.errors import InputError
from simkit.structure import Structure

HEIGHTS = Heights(2.88, 2.0, {"P2": 3.5, "O2": 3.5, "O3": 3.2, "P3": 3.2, "O1": 3.2})
GALLERIES = {"P2": 2, "O2": 2, "O3": 3, "P3": 3, "O1": 1}


def block(phase):
    return Block(phase, GALLERIES[phase], heights=HEIGHTS, metals={"Mn": 1.0}, content=0.0)


def lateral(left, right, line="zigzag", metal="Mn"):
    settings = LateralSettings(repeats=1)
    other = replace(block(right), metals={metal: 1.0})
    return build.lateral(block(left), other, line, (30.0, 30.0), 0, settings).structure


@pytest.mark.parametrize("text", ["AB BA", "AB CA BC", "AB BC CA", "AB +1", "AB BA CA AC"])
def test_a_uniform_stack_reads_like_the_whole_cell(text):
    stack = Stack.from_string(text)
    s = build.prototype(stack, HEIGHTS, ()).repeated(6, 4, 1)
    found, whole = build.classify_columns(s), build.classify(s)
    assert {column for column in found.gaps} == {tuple(whole.stack.gaps())} == {tuple(stack.gaps())}
    assert np.allclose(found.order_parameter, 1.0)
    assert len(found.domains) == 1 and found.walls_A == () and len(found.burgers()) == 0
    assert found.a_A == pytest.approx(2.88)
    assert found.phase_fractions == {phase_of(stack.gaps()): 1.0}


@pytest.mark.parametrize(("phase", "letters"), [("P2", 0), ("O1", 0), ("O2", 1), ("O3", 1), ("P3", 1)])
def test_the_registry_is_the_distance_between_letters(phase, letters):
    stack = Stack.from_gaps([phase] * GALLERIES[phase])
    found = build.classify_columns(build.prototype(stack, HEIGHTS, ()).repeated(6, 4, 1))
    assert np.allclose(found.registry_A, letters * 2.88 / np.sqrt(3.0), atol=1e-9)


@pytest.mark.parametrize("line", ["zigzag", "armchair"])
def test_nothing_depends_on_origin_rotation_wrapping_and_atom_order(line):
    s = lateral("P2", "O2", line)
    turn = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
    rng = np.random.default_rng(0)
    shifted = s.moved_to((s.positions + np.array([3.1, 7.7, 2.2])) @ turn, s.cell @ turn)
    shifted = shifted.moved_to(shifted.positions + rng.integers(-1, 2, (len(s), 3)) @ shifted.cell)
    shifted = shifted.take(rng.permutation(len(s)))
    first, second = build.classify_columns(s), build.classify_columns(shifted)
    assert first.normal == second.normal
    assert sorted(d.gaps for d in first.domains) == sorted(d.gaps for d in second.domains)
    assert np.allclose(amplitude_A(first), amplitude_A(second), atol=0.02)
    assert first.fractions == pytest.approx(second.fractions, abs=0.06)


def test_fractions_follow_the_lengths():
    settings = LateralSettings(repeats=1)
    s = build.lateral(block("P2"), block("O2"), "armchair", (30.0, 60.0), 0, settings).structure
    found = build.classify_columns(s)
    assert found.phase_fractions["P2"] == pytest.approx(1 / 3, abs=0.05)
    assert found.phase_fractions["O2"] == pytest.approx(2 / 3, abs=0.05)


def test_boundaries_that_ran_together_are_named():
    built = build.classify_columns(lateral("P2", "O2"), "b")
    assert build.annihilation_problems(built, built) == []
    gone = build.classify_columns(lateral("P2", "P2", metal="Co"), "b")
    texts = build.annihilation_problems(gone, built)
    assert len(texts) == 2 and "annihilated" in texts[0] and "1.66 A" in texts[0]
    half = lateral("P2", "O2")
    plain = lateral("P2", "P2", metal="Co")
    mixed = half.moved_to(0.4 * half.positions + 0.6 * plain.positions)
    assert build.annihilation_problems(build.classify_columns(mixed, "b"), built)
    assert build.annihilation_problems(build.classify_columns(mixed, "b"), built, share=0.2) == []


def test_a_missing_phase_is_named():
    found = build.classify_columns(lateral("P2", "O2"))
    assert "was wanted" in build.column_problems(found, [["O3", "O3"]])[0]
    assert build.column_problems(found, [["P2", "P2"], ["O2", "O2"]]) == []
    assert "order parameter" in build.column_problems(found, [["P2", "P2"]], order_parameter=1.01)[0]


def test_a_torn_boundary_has_a_burgers_vector_left_over():
    """Across a step as sharp as a row, twice a partial reads as a partial the other way: a lattice vector is left."""
    domains = plan((block("O3"), block("P3")), "armchair", (30.0, 30.0), False, LateralSettings(width_A=1.0, repeats=2))
    layers = slid_layers(domains)
    points = np.concatenate([layer.positions for layer in layers])
    numbers = np.concatenate([np.full(len(x.positions), 25 if x.role == "metal" else 8) for x in layers])
    slabs = np.concatenate([np.full(len(x.positions), x.slab) for x in layers])
    found = build.classify_columns(Structure(numbers, points, domains.cell, layers=slabs), "a", window_A=2.5)
    assert build.column_problems(found, [["O3"] * 3, ["P3"] * 3]) == []
    texts = build.wall_problems(found)
    assert texts and "must sum to zero" in texts[0]
    left = np.sort(np.linalg.norm(found.burgers().sum(axis=1), axis=1))
    assert np.allclose(left, [0.0, 2.88], atol=0.1)  # the boundary over the cell edge is closed by the period


def test_names_of_phases():
    assert phase_of(["P2", "O2u", "P2", "O2l"]) == phase_of(["O2u", "P2", "O2l", "P2"]) == "OP4"
    assert phase_of(["P2", "O3", "O3", "P2"]) is None


def test_bad_requests_are_refused():
    s = lateral("P2", "O2")
    with pytest.raises(InputError, match="normal"):
        build.classify_columns(s, "c")
    for width in (0.0, 1e-9, 2.0, float("nan"), "6"):
        with pytest.raises(InputError, match="window_A"):
            build.classify_columns(s, window_A=width)
    with pytest.raises(InputError, match="3 galleries now, 2 before"):
        first = build.classify_columns(lateral("O3", "P3"))
        build.annihilation_problems(first, build.classify_columns(s))


@pytest.mark.parametrize("phases", [("P2", "O2"), ("O3", "P3")])
@pytest.mark.parametrize("line", ["zigzag", "armchair"])
def test_a_cell_that_is_not_uniform_in_the_plane_is_noticed(phases, line):
    s = lateral(*phases, line)
    found = build.lateral_domains(s)
    across = "ab"[int(np.argmax(np.linalg.norm(s.cell[:2], axis=1)))]  # two domains of 30 A follow one another there
    assert found.normal == across
    assert len(found.domains) == 2
    assert set(found.phase_fractions) - {"boundary"} == set(phases)


@pytest.mark.parametrize("seed", range(6))
def test_noise_makes_no_domains(seed):
    gaps = build.markov({"P2": 0.4, "O3": 0.4, "P3": 0.2}, 6, seed)
    s = build.bulk(Block("R", 6, {"Mn": 1.0}, content=0.5, pattern=gaps), (3 + seed, 3)).structure
    noise = np.random.default_rng((2, seed)).normal(0.0, 0.2, s.positions.shape)
    assert build.lateral_domains(s.moved_to(s.positions + noise)) is None
