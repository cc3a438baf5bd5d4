"""Slips, profiles and alignments of lateral joins: closed forms, brute force, and the glide table of the phases."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkit.build import Slab, Stack
from simkit.build.lateral.align import align, common_gaps, letter_steps
from simkit.build.lateral.burgers import _POINTS, EDGE_WEIGHT, PARTIAL, burgers_problems, slips
from simkit.build.lateral.profile import Profile
from simkit.errors import InputError

PROFILES = [Profile(-1.2, 28.0, 61.3, 8.0), Profile(-0.4, 20.0, 45.0, 3.0), Profile(0.0, 33.0, 70.0, 8.0, 6.0)]
EQUAL = [
    ("P2", 2, "O2u", 2),
    ("P2", 2, "O2l", 2),
    ("O3", 3, "P3", 3),
    ("O3", 3, "O1", 1),
    ("P3", 1, "O1", 1),
]
OP4 = ["P2", "O2u", "P2", "O2l"]


@pytest.mark.parametrize("profile", PROFILES)
def test_the_integral_is_the_integral_of_the_step(profile):
    x = np.linspace(profile.start_A - 80.0, profile.start_A + 130.0, 200001)
    f = profile.step(x)
    numeric = np.concatenate([[0.0], np.cumsum(0.5 * (f[1:] + f[:-1]) * np.diff(x))])
    analytic = profile.integral(x) - profile.integral(x[:1])
    assert np.abs(numeric - analytic).max() < 1e-6  # trapezoid error of a step of 1e-3 A


@pytest.mark.parametrize("profile", PROFILES)
def test_the_step_is_periodic_flat_inside_and_as_steep_as_told(profile):
    x = np.linspace(profile.start_A, profile.start_A + profile.length_A, 40001)
    f = profile.step(x)
    assert np.allclose(f, profile.step(x + 3 * profile.length_A), atol=1e-12)
    middles = 0.5 * (profile.start_A + profile.turn_A), 0.5 * (profile.turn_A + profile.start_A + profile.length_A)
    reach = 2.0 * (0.5 * (profile.turn_A - profile.start_A) - profile.apron_A) / profile.width_A
    assert abs(profile.step(middles[0])) < 2 * math.erfc(reach)
    assert abs(profile.step(middles[1]) - 1.0) < 2 * math.erfc(reach)
    steepest = np.abs(np.diff(f)).max() / (x[1] - x[0])
    assert steepest == pytest.approx(profile.slope_per_A, rel=1e-5)
    if profile.apron_A == 0:
        assert profile.slope_per_A == pytest.approx(1.0 / (profile.width_A * math.sqrt(math.pi) / 2.0))
    assert profile.step(profile.turn_A) == pytest.approx(0.5, abs=1e-9)


def test_a_ramp_grows_by_both_steps_over_a_period():
    profile = PROFILES[0]
    first, second = np.array([0.7, 0.3]), np.array([-0.7, 0.9])
    x = np.linspace(-30.0, 50.0, 9)
    gain = profile.ramp(x + profile.length_A, first, second) - profile.ramp(x, first, second)
    assert np.allclose(gain, first + second, atol=1e-9)
    middle = 0.5 * (profile.start_A + profile.turn_A)
    assert np.allclose(profile.ramp(np.array([middle]), first, second), 0.0, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 2), min_size=2, max_size=8),
    st.sampled_from(["armchair", "zigzag"]),
    st.sampled_from(["minedge", "minburgers"]),
)
def test_slips_join_letters_and_sum_to_nothing(steps, line, mode):
    found = slips(steps, line, mode)
    assert burgers_problems(found.partials) == []
    assert np.allclose(found.partials.sum(axis=0), 0.0, atol=1e-12)
    thirds = np.round(3.0 * found.slabs @ np.linalg.inv([[1.0, 0.0], [-0.5, math.sqrt(0.75)]])).astype(int)
    assert ((thirds[:, 0] - (np.array(steps) - steps[0])) % 3 == 0).all()
    if mode == "minburgers":
        lengths = np.linalg.norm(found.partials, axis=1)
        assert np.all((np.abs(lengths) < 1e-9) | (np.abs(lengths - PARTIAL) < 1e-9))


@pytest.mark.parametrize("line", ["armchair", "zigzag"])
@pytest.mark.parametrize("steps", [(0, 1), (0, 1, 2), (0, 2, 2), (0, 1, 0, 2)])
def test_minedge_slips_are_the_cheapest_of_all(steps, line):
    edge = 0 if line == "armchair" else 1
    weight = np.where(np.arange(2) == edge, EDGE_WEIGHT, 1.0)
    near = [p[np.linalg.norm(p, axis=1) < 1.2] for p in _POINTS]
    costs = []
    for rest in itertools.product(*(near[k] for k in steps[1:])):
        path = np.array([np.zeros(2), *rest])
        costs.append((weight * (path - path.mean(axis=0)) ** 2).sum())
    assert slips(steps, line, "minedge").cost == pytest.approx(min(costs), rel=1e-9)


def test_armchair_minedge_is_pure_screw_and_minburgers_all_partials():
    screw = slips((0, 2, 1), "armchair", "minedge")
    assert np.allclose(screw.slabs[:, 0], 0.0, atol=1e-12)
    assert sorted(np.round(np.linalg.norm(screw.partials, axis=1) / PARTIAL, 6)) == [1, 1, 2]
    partial = slips((0, 2, 1), "armchair", "minburgers")
    assert np.allclose(np.linalg.norm(partial.partials, axis=1), PARTIAL)


def test_wrong_burgers_vectors_are_named():
    assert "sum to" in burgers_problems(np.array([[0.0, PARTIAL], [0.0, 0.0]]))[0]
    texts = burgers_problems(np.array([[0.3, 0.0], [-0.3, 0.0]]))
    assert len(texts) == 2 and "joins no letters" in texts[0]


@pytest.mark.parametrize(("low", "n", "high", "m"), EQUAL)
def test_gliding_the_left_slabs_gives_the_right_phase(low, n, high, m):
    found = align([low] * n, [high] * m, "armchair", "minedge", False)
    moved = Stack(tuple(s.moved(int(g)) for s, g in zip(found.left.slabs, found.moved, strict=True)))
    assert moved.gaps() == found.right.gaps()
    assert not found.flipped.any() and len(found.left) == len(found.right)


def test_op4_comes_from_p2_by_two_of_four_slabs():
    found = align(["P2"] * 2, OP4, "zigzag", "minedge", False)
    assert sorted(abs(found.moved)) == [0, 0, 1, 1]
    lengths = np.linalg.norm(found.slips.partials, axis=1)
    assert sorted(np.round(lengths / PARTIAL, 6)) == [0, 0, 1, 1]


@pytest.mark.parametrize(("low", "high", "share"), [("P2", "O3", 0.5), ("P2", "P3", 0.5), ("O2u", "O3", 0.5)])
def test_half_of_the_slabs_flip_between_alternating_and_constant_senses(low, high, share):
    found = align([low] * 2, [high] * 3, "zigzag", "minburgers", True)
    assert found.flipped.mean() == share
    with pytest.raises(InputError, match=r"at least 3 of 6 slabs .* use lateral_flip"):
        align([low] * 2, [high] * 3, "zigzag", "minburgers", False)


def test_a_twin_inverts_every_sense():
    found = align(["O3"] * 3, ["O3"] * 3, "zigzag", "minburgers", True)
    assert found.inverted and found.flipped.all() and found.right.gaps() == ["O3"] * 3
    assert found.right.slabs[0] == Slab(-found.left.slabs[0].z % 3, -found.left.slabs[0].s)


def test_as_few_slabs_as_can_be_flip():
    gaps = ["P2", "O3", "P2", "O3"]
    found = align(gaps, gaps, "zigzag", "minburgers", True)
    assert found.flipped.sum() == 2 and found.rotation == 1 and not found.inverted


def test_common_slabs_close_without_shear():
    low, high = common_gaps(["O3"], ["P3", "O3"])
    assert len(low) == len(high) == 6
    assert Stack.from_gaps(low).shear == Stack.from_gaps(high).shear == 0
    low, high = common_gaps(["O3", "O2u"], ["O2u", "O3"])
    assert len(low) == len(high) == 4 and Stack.from_gaps(low).shear == 0
    with pytest.raises(InputError, match="within 48"):
        common_gaps(["O3"] * 7, ["O3"] * 11)


def test_letter_steps_are_letters():
    steps = letter_steps(Stack.from_string("AB BA"), Stack.from_string("AB AC"))
    assert set(steps.tolist()) <= {0, 1, 2} and steps[0] == 0 and steps[1] != 0


@pytest.mark.parametrize(("line", "mode"), [("arm", "minedge"), ("zigzag", "least")])
def test_unknown_words_are_refused(line, mode):
    with pytest.raises(InputError, match="is unknown"):
        slips((0, 1), line, mode)
