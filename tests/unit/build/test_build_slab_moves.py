"""Which atoms move when one slab glides alone, and what the algebra says of it."""

from __future__ import annotations

import numpy as np
import pytest

from simkit import build
from simkit.errors import InputError


def stack(*blocks):
    made = [build.Block(p, n, metals={"Co": 1.0}, content=1.0) for p, n in blocks]
    return (build.bulk(made[0]) if len(made) == 1 else build.intergrowth(made, (2, 1))).structure


CASES = [(("P2", 2), ("P3", 3)), (("P2", 2), ("O3", 3)), (("O3", 3), ("P3", 3)), (("P2", 4),)]


@pytest.mark.parametrize("blocks", CASES, ids=str)
def test_moving_a_slab_gives_the_stack_of_the_algebra(blocks):
    """`classify` of the moved coordinates is `glide_slab` of the stack, for every slab and both letters."""
    s = stack(*blocks)
    read = build.classify(s).stack
    for slab in range(len(read)):
        weights = build.slab_weights(s, slab)
        for g, vector in zip((1, -1), build.letter_vectors(s), strict=True):
            moved = s.moved_to(s.positions + weights[:, None] * vector)
            assert build.classify(moved).stack.gaps() == read.glide_slab(slab, g).gaps()


def test_the_interlock_table_is_that_of_the_literature():
    """P2|P3 turns into O2|O3 or O2|O1, P2|O3 into O2|P3 or O2|O1: nothing else is open to a shared slab."""
    for other, becomes in (("P3", {"O3", "O1"}), ("O3", {"P3", "O1"})):
        read = build.classify(stack(("P2", 2), (other, 3))).stack
        rows = [row for row in read.interlock_table() if set(row.before) == {"P2", other}]
        assert len(rows) == 4
        for row in rows:
            kinds = {name[:2] for name in row.after}
            assert "O2" in kinds
            assert (kinds - {"O2"}) <= becomes
        assert {name for row in rows for name in row.after if name[:2] != "O2"} == becomes


def test_ions_stay_go_along_or_half_the_way():
    s = stack(("P2", 4))
    for share in (0.0, 0.5, 1.0):
        w = build.slab_weights(s, 1, share)
        ions = s.layers < 0
        beside = np.isin(s.tags["gallery"], [0, 1])
        np.testing.assert_array_equal(w[ions & beside], share)
        np.testing.assert_array_equal(w[ions & ~beside], 0)
        np.testing.assert_array_equal(w[~ions], (s.layers == 1)[~ions])


def test_distinct_slabs_name_every_pair_once():
    read = build.classify(stack(("P2", 2), ("O3", 3)))
    gaps = read.stack.gaps()
    pairs = [(gaps[j - 1], gaps[j]) for j in build.distinct_slabs(read)]
    assert sorted(pairs) == [("O3", "O3"), ("O3", "P2"), ("P2", "O3"), ("P2", "P2")]


def test_bad_slabs_are_refused():
    s = stack(("P2", 4))
    with pytest.raises(InputError, match="slabs 0 to 3"):
        build.slab_weights(s, 4)
    lone = build.bulk(build.Block("O1", 1, metals={"Co": 1.0})).structure
    with pytest.raises(InputError, match="one slab"):
        build.slab_weights(lone, 0)
