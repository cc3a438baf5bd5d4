"""States of hops: shared by all hops that begin or end there, and joined again into two ends of one atom order."""

import numpy as np
import pytest

from simkit.build import Block, bulk
from simkit.build.hop import HopRequest, arranged, endpoints, ends_of, find_hops, joined

EXACT = 1e-9
"""Rounding of positions of some 10 A, A."""


@pytest.fixture(scope="module")
def o3():
    return bulk(Block("O3", 3), (3, 3)).structure


def test_all_vacancy_hops_of_a_full_gallery_join_as_many_states_as_there_are_ions(o3):
    hops = find_hops(o3, HopRequest(mechanisms=("vacancy",), unique=False))
    states = {state for hop in hops for state in (ends_of(o3, hop).initial, ends_of(o3, hop).final)}
    assert len(hops) == 81
    assert len(states) == 27
    assert states == {ends_of(o3, h).initial for h in hops} | {ends_of(o3, h).final for h in hops}
    assert all(len(state.gone) == 1 and not state.number for state in states)


@pytest.mark.parametrize("mechanism", ["vacancy", "divacancy", "metal"])
def test_joined_states_are_the_ends_of_the_hop(o3, mechanism):
    ion = "Co" if mechanism == "metal" else "Na"
    for hop in find_hops(o3, HopRequest(ion, (mechanism,), number=6)):
        ends = ends_of(o3, hop)
        initial, wanted = endpoints(o3, hop)
        first = arranged(o3, hop, ends.initial)
        last = arranged(o3, hop, ends.final)
        np.testing.assert_array_equal(first.numbers, initial.numbers)
        np.testing.assert_array_equal(last.numbers[ends.order], initial.numbers)
        final, through = joined(o3, hop, first, last.positions[ends.order])
        np.testing.assert_allclose(final.positions, wanted.positions, atol=EXACT)
        assert (through is None) == (hop.through_A is None)


def test_interstitial_ends_meet_wherever_the_ion_came_from():
    p2 = bulk(Block("P2", 2, content=2 / 3), (3, 3)).structure
    hops = find_hops(p2, HopRequest(mechanisms=("interstitial",), unique=False))
    assert len({ends_of(p2, hop).initial for hop in hops}) == 1
    finals = {ends_of(p2, hop).final for hop in hops}
    assert finals == {ends_of(p2, hop).final for hop in reversed(hops)}
    assert len(finals) == len({(hop.ion, hop.sites[1]) for hop in hops})


def test_the_longer_way_round_a_narrow_cell_is_led_over_its_middle():
    """Two sites wide, each neighbour is met in two images, and the ion must go to the one that the hop names."""
    narrow = bulk(Block("O3", 3), (2, 4)).structure
    hops = find_hops(narrow, HopRequest(mechanisms=("vacancy",), unique=False))
    turned = 0
    for hop in hops:
        ends = ends_of(narrow, hop)
        first, last = (arranged(narrow, hop, state) for state in (ends.initial, ends.final))
        final, through = joined(narrow, hop, first, last.positions[ends.order])
        step = final.positions[hop.moving] - first.positions[hop.moving]
        assert np.linalg.norm(step) == pytest.approx(hop.distance_A, abs=EXACT)
        wanted = endpoints(narrow, hop)[1].positions[hop.moving]
        np.testing.assert_allclose(first.positions[hop.moving] + step, wanted, atol=EXACT)
        if through is not None:
            turned += 1
            half = through.positions[hop.moving] - first.positions[hop.moving]
            np.testing.assert_allclose(half, step / 2, atol=EXACT)
    assert turned > 0
