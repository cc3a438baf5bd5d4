"""The stacking algebra against the rules written out by hand."""

import itertools

import numpy as np
import pytest

from simkit.build import PHASES, Slab, Stack, gallery_sites, same_cyclic
from simkit.build.stacking import GAP_RULES, RULES, flipped
from simkit.errors import InputError


def by_letters(below, above):
    """Gap name from letters alone, without the (relation, k) rule: an independent implementation."""
    b_low, b_up = below.lower, below.upper
    a_low, a_up = above.lower, above.upper
    if b_up == a_low:
        return "P3" if a_up != b_low else "P2"
    site = 3 - b_up - a_low
    faces = (site == below.z, site == above.z)
    return {(False, False): "O3", (True, True): "O1", (False, True): "O2u", (True, False): "O2l"}[faces]


def test_gap_names_follow_from_which_polyhedra_share_faces():
    slabs = [Slab(z, s) for z in range(3) for s in (1, -1)]
    for below, above in itertools.product(slabs, slabs):
        stack = Stack((below, above))
        assert stack.gap(0) == by_letters(below, above)


@pytest.mark.parametrize(
    ("text", "gaps"),
    [
        ("AB BA", ["P2", "P2"]),
        ("AB CA BC", ["O3"] * 3),
        ("AB BC CA", ["P3"] * 3),
        ("AB AC", ["O2l", "O2l"]),
        ("AB CB", ["O2u", "O2u"]),
        ("AB", ["O1"]),
        ("AB BA CA AC", ["P2", "O2u", "P2", "O2l"]),
        ("AB BA CB BC", ["P2", "O3", "P2", "O3"]),
        ("ABBABAAB", ["P2", "O1", "P2", "O1"]),
        ("BC AB +0", ["O3", "P3"]),
        ("AB +2", ["O3"]),
        ("AB +1", ["P3"]),
    ],
)
def test_strings_read_as_the_known_gap_patterns(text, gaps):
    assert same_cyclic(Stack.from_string(text).gaps(), gaps)


def test_text_and_gaps_round_trip_for_random_stacks():
    rng = np.random.default_rng(3)
    for _ in range(200):
        slabs = tuple(Slab(int(z), int(s)) for z, s in zip(rng.integers(0, 3, 6), rng.choice([1, -1], 6), strict=True))
        stack = Stack(slabs, int(rng.integers(3)))
        assert Stack.from_string(str(stack)) == stack
        assert Stack.from_gaps(stack.gaps()).gaps() == stack.gaps()


def test_gliding_by_the_sense_runs_through_the_two_cycles():
    cycles = (("O3", "O1", "P3", "O3"), ("P2", "O2u", "O2l", "P2"))
    for cycle in cycles:
        for before, after in itertools.pairwise(cycle):
            stack = Stack.from_gaps([before, before])
            assert stack.glide(0, stack.slabs[0].s).gaps() == [after, before]


def test_a_glide_changes_one_gallery_and_a_slab_glide_two():
    stack = Stack.from_gaps(["P2"] * 4 + ["O3"] * 6)
    for j in range(len(stack)):
        for g in (1, -1):
            changed = [a != b for a, b in zip(stack.gaps(), stack.glide(j, g).gaps(), strict=True)]
            assert changed == [k == j for k in range(10)]
            moved = [a != b for a, b in zip(stack.gaps(), stack.glide_slab(j, g).gaps(), strict=True)]
            assert moved == [k in (j, (j - 1) % 10) for k in range(10)]
            assert stack.glide(j, g).sense_class() == stack.sense_class()
        assert stack.glide(j, 1).glide(j, 1).glide(j, 1) == stack


def test_phase_transitions_by_gliding():
    p2 = Stack.from_string("AB BA AB BA")
    assert p2.glide_slab(1, 1).glide_slab(3, 1).gaps() in (["O2u"] * 4, ["O2l"] * 4)
    assert same_cyclic(p2.glide_slab(2, 1).glide_slab(3, 1).gaps(), PHASES["OP4"])
    o3 = Stack.from_string("AB CA BC")
    assert o3.glide_slab(1, -1).glide_slab(2, -2).gaps() == ["P3"] * 3
    assert o3.glide_slab(1, 1).glide_slab(2, 2).gaps() == ["O1"] * 3
    p3 = Stack.from_string("AB BC CA")
    assert p3.glide_slab(1, 1).glide_slab(2, 2).gaps() == ["O3"] * 3
    assert p3.glide_slab(1, -1).glide_slab(2, -2).gaps() == ["O1"] * 3


def plain(name):
    return name[:2]


@pytest.mark.parametrize(
    ("first", "second", "results"),
    [
        ("P2", "P3", {("O2", "O3"), ("O2", "O1")}),
        ("P2", "O3", {("O2", "P3"), ("O2", "O1")}),
        ("O3", "P3", {("P3", "O3"), ("O1", "O1")}),
        ("P2", "P2", {("O2", "O2")}),
    ],
)
def test_interlock_modes_of_a_shared_slab(first, second, results):
    stack = Stack.from_gaps([first] * 2 + [second] * 2)
    rows = [r for r in stack.interlock_table() if (plain(r.before[0]), plain(r.before[1])) == (first, second)]
    assert rows
    assert {(plain(r.after[0]), plain(r.after[1])) for r in rows} == results


def test_sense_classes():
    classes = {"O3": "+", "P3": "+", "O1": "+", "OP2": "+", "P2": "+-", "O2": "+-", "OP4": "+-", "OP4-Li": "+--+"}
    for phase, pattern in classes.items():
        gaps = list(PHASES[phase]) * (2 if len(PHASES[phase]) == 1 else 1)
        assert Stack.from_gaps(gaps).sense_class() == pattern


def test_closure():
    assert Stack.from_gaps(["P2"] * 4 + ["O3"] * 6, closure="strict").shear == 0
    assert Stack.from_gaps(["P2"] * 4 + ["P3"] * 3 + ["O3"] * 3, closure="strict").shear == 0
    twins = ["O3"] * 3
    assert Stack.from_gaps([*twins, "P2", *twins, "P2"], closure="strict").shear == 0
    assert Stack.from_gaps([*twins, "O2u", *twins, "O2l"]).shear == 2
    assert len(Stack.from_gaps(["O3"])) == 1
    with pytest.raises(InputError, match="displaced by 2 of 3"):
        Stack.from_gaps(["O3"], closure="strict")
    with pytest.raises(InputError, match="use 2 or 4 of them"):
        Stack.from_gaps(["P2"] * 3)


def test_turning_a_stack_over_exchanges_the_two_o2_directions():
    rng = np.random.default_rng(5)
    for _ in range(50):
        gaps = [str(g) for g in rng.choice(list(GAP_RULES), 6)]
        if sum(GAP_RULES[g][0] < 0 for g in gaps) % 2:
            continue
        stack = Stack.from_gaps(gaps)
        images = [*stack.slabs, stack.slabs[0].moved(stack.shear)]
        over = [Slab(slab.z, -slab.s) for slab in reversed(images)]
        read = [by_letters(a, b) for a, b in itertools.pairwise(over)]
        assert read == [flipped(g) for g in reversed(gaps)]


@pytest.mark.parametrize("text", ["", "ABB", "AX", "AA", "AB +5"])
def test_impossible_strings_are_refused(text):
    with pytest.raises(InputError):
        Stack.from_string(text)


@pytest.mark.parametrize(
    "bad", [lambda: Slab(3, 1), lambda: Slab(0, 0), lambda: Stack(()), lambda: Stack.from_gaps([])]
)
def test_impossible_slabs_and_stacks_are_refused(bad):
    with pytest.raises(InputError):
        bad()


def test_unknown_gap_names_the_nearest():
    with pytest.raises(InputError, match="did you mean 'O2u'"):
        Stack.from_gaps(["O2uu"])
    with pytest.raises(InputError, match="gallery 7 does not exist"):
        Stack.from_string("AB BA").glide(7, 1)


def test_half_letters_close_in_pairs_and_round_trip_as_text():
    t2 = Stack.from_gaps(["T#2", "T2"], closure="strict")
    assert (str(t2), t2.gaps(), t2.sense_class()) == ("AB CB*", ["T2", "T2"], "+-")
    single = Stack.from_gaps(["P2", "T2"])
    assert single.shear == 1.5
    with pytest.raises(InputError, match=r"displaced by 1\.5 of 3"):
        Stack.from_gaps(["P2", "T2"], closure="strict")
    rng = np.random.default_rng(8)
    for _ in range(100):
        names = [str(n) for n in rng.choice(sorted(RULES), 6)]
        if sum(RULES[n][0] < 0 for n in names) % 2 == 0:
            stack = Stack.from_gaps(names)
            assert stack.gaps() == names
            assert Stack.from_string(str(stack)) == stack


def test_half_a_glide_leads_from_o2u_through_t2_to_o2l():
    stack = Stack.from_gaps(["O2u", "O2u"])
    step = 0.5 * stack.slabs[0].s
    assert stack.glide(0, step).gaps() == ["T2", "O2u"]
    assert stack.glide(0, step).glide(0, step).gaps() == ["O2l", "O2u"]
    assert Stack.from_gaps(["P2", "P2"]).glide(0, step).gaps() == ["P2/O2u", "P2"]
    assert Stack.from_gaps(["O3", "O3"]).glide(0, step).gaps() == ["O3/O1", "O3"]
    with pytest.raises(InputError, match="gallery 0 stands half-way between P2 and O2u"):
        gallery_sites(Stack.from_gaps(["P2", "P2"]).glide(0, step), 0)


def test_sites_of_half_letter_slabs_are_those_of_whole_ones_moved():
    for gap in GAP_RULES:
        whole = Stack.from_gaps([gap, gap])
        moved = Stack(tuple(slab.moved(0.5) for slab in whole.slabs), whole.shear)
        assert moved.gaps() == whole.gaps()
        there = {(kind, (letter + 0.5) % 3) for letter, kind in gallery_sites(whole, 0)}
        assert {(kind, letter) for letter, kind in gallery_sites(moved, 0)} == there
