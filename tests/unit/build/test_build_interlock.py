"""Gliding between stacks, what locks a slab, and which interfaces see the same surroundings."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkit.build import (
    PHASES,
    Block,
    Stack,
    all_equivalent,
    environments,
    interfaces_of,
    interlock_scores,
    minimal_moves,
    same_cyclic,
)
from simkit.build.stacking import GAP_RULES, flipped
from simkit.errors import InputError

ENERGIES = {"P2": 0.010, "O3": 0.0, "P3": 0.045, "O2": 0.036, "O1": 0.080}
letter_stacks = st.lists(st.sampled_from(sorted(GAP_RULES)), min_size=1, max_size=7).filter(
    lambda gaps: sum(GAP_RULES[g][0] < 0 for g in gaps) % 2 == 0
)
QUICK = settings(max_examples=60, deadline=None)


def applied(start, moves):
    for j, g in moves.slabs:
        start = start.glide_slab(j, g)
    return Stack(start.slabs, (start.shear + moves.shear) % 3)


@QUICK
@given(letter_stacks, st.data())
def test_minimal_moves_lead_there_and_no_fewer_do(gaps, data):
    start = Stack.from_gaps(gaps)
    shifts = data.draw(st.lists(st.integers(0, 2), min_size=len(start), max_size=len(start)))
    shear = data.draw(st.integers(0, 2))
    end = Stack(tuple(s.moved(g) for s, g in zip(start.slabs, shifts, strict=True)), (start.shear + shear) % 3)
    moves = minimal_moves(start, end)
    assert same_cyclic(applied(start, moves).gaps(), end.gaps())
    assert len(moves.slabs) <= np.count_nonzero(shifts)
    if len(start) <= 4:
        steps = itertools.product((0, 1, -1), repeat=len(start))
        counts = [np.count_nonzero(s) for s in steps if alike(_glided(start, s, moves.shear), end)]
        assert min(counts) == len(moves.slabs)


def alike(first, second):
    """Whether two stacks are one crystal in one orientation, at any height of the origin."""
    there = [(slab.s, gap) for slab, gap in zip(first.slabs, first.gaps(), strict=True)]
    return same_cyclic(there, [(slab.s, gap) for slab, gap in zip(second.slabs, second.gaps(), strict=True)])


def _glided(start, steps, shear):
    slabs = tuple(slab.moved(g) for slab, g in zip(start.slabs, steps, strict=True))
    return Stack(slabs, (start.shear + shear) % 3)


def test_p2_to_op4_moves_two_slabs_and_to_o2_two():
    p2 = Stack.from_gaps(["P2"] * 4)
    assert len(minimal_moves(p2, Stack.from_gaps(PHASES["OP4"])).galleries) == 2
    assert [j for j, _ in minimal_moves(p2, Stack.from_gaps(["O2u"] * 4)).slabs] == [1, 3]
    assert minimal_moves(p2, p2).slabs == ()


def test_gliding_never_joins_two_sense_classes():
    with pytest.raises(InputError, match=r"at least 2 of 4 slabs would have to change their sense"):
        minimal_moves(Stack.from_gaps(["P2"] * 4), Stack.from_gaps(["O3"] * 4))
    with pytest.raises(InputError, match="4 and 2 slabs"):
        minimal_moves(Stack.from_gaps(["P2"] * 4), Stack.from_gaps(["P2"] * 2))


def test_shared_slabs_are_locked_harder_than_those_of_p2():
    stack = Stack.from_gaps(["P2"] * 4 + ["O3"] * 6)
    scores = interlock_scores(stack, ENERGIES)
    assert [m.slab for m in scores] == list(range(10))
    assert [m.energy for m in scores[1:4]] == pytest.approx([2 * (0.036 - 0.010)] * 3)
    # P2|O3 becomes O2|P3, cheaper than O2|O1
    assert scores[4].energy == pytest.approx(0.036 + 0.045 - 0.010)
    for move in scores:
        before = sum(ENERGIES[n[:2]] for n in stack.gaps())
        after = sum(ENERGIES[n[:2]] for n in stack.glide_slab(move.slab, move.g).gaps())
        assert move.energy == pytest.approx(after - before)
    with pytest.raises(InputError, match="no energy for galleries O1"):
        interlock_scores(stack, {k: v for k, v in ENERGIES.items() if k != "O1"})


@QUICK
@given(st.lists(st.sampled_from(sorted(GAP_RULES)), min_size=1, max_size=8), st.data())
def test_environments_do_not_depend_on_origin_or_on_which_side_is_up(gaps, data):
    n = len(gaps)
    slabs = data.draw(st.lists(st.sampled_from("xy"), min_size=n, max_size=n))
    inside = data.draw(st.lists(st.sampled_from("12"), min_size=n, max_size=n))
    found = environments(gaps, slabs, inside)
    turn = data.draw(st.integers(0, n - 1))
    moved = environments(*(values[turn:] + values[:turn] for values in (gaps, slabs, inside)))
    assert moved == found[turn:] + found[:turn]
    over = environments(
        [flipped(g) for g in reversed(gaps)],
        [slabs[-j % n] for j in range(n)],
        list(reversed(inside)),
    )
    assert over == tuple(found[-j % n] for j in range(n))


def test_interfaces_know_metals_and_contents():
    metals = {"Mn": 1.0}
    twice = [Block("P2", 2, metals), Block("O3", 3, metals)] * 2
    assert all_equivalent(interfaces_of(twice))
    assert [i.slab for i in interfaces_of(twice)] == [0, 2, 5, 7]
    assert interfaces_of(twice)[1].blocks == (0, 1)
    richer = [Block("P2", 2, metals, content=0.5), *twice[1:]]
    assert not all_equivalent(interfaces_of(richer))
    other = [twice[0], Block("O3", 3, {"Ni": 0.5, "Mn": 0.5}), *twice[2:]]
    assert not all_equivalent(interfaces_of(other))
    graded = [Block("P2", 2, metals, content=[0.5, 0.7]), Block("O3", 3, metals)]
    assert not all_equivalent(interfaces_of(graded))
    assert interfaces_of([Block("O3", 3, metals)]) == ()
    # one phase, two compositions
    assert len(interfaces_of([Block("O3", 3, metals), Block("O3", 3, {"Co": 1.0})])) == 2
    with pytest.raises(InputError, match="2 gaps, 1 slabs and 2 galleries"):
        environments(["P2", "P2"], ["x"], ["1", "1"])
