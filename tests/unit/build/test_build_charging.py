"""Charging: how many ions leave, and from where."""

from __future__ import annotations

import numpy as np
import pytest

from simkit import build
from simkit.errors import InputError


@pytest.fixture(scope="module")
def mixed():
    blocks = [build.Block(p, n, metals={"Co": 1.0}, content=1.0) for p, n in (("P2", 2), ("O3", 3))]
    return build.intergrowth(blocks, (2, 2)).structure


def left(structure):
    ions = structure.numbers == 11
    return {int(g): int((structure.tags["gallery"][ions] == g).sum()) for g in range(5)}


def test_every_gallery_loses_the_same_share(mixed):
    assert set(left(build.charged(mixed, 0.5)).values()) == {2}
    assert build.charged(mixed, 0.0).formula == mixed.formula
    assert sum(left(build.charged(mixed, 1.0)).values()) == 0
    # 30 % of 20 ions: 6 leave, so four galleries lose one and one loses two
    assert sorted(left(build.charged(mixed, 0.3)).values()) == [2, 3, 3, 3, 3]


def test_one_phase_is_emptied_before_the_other(mixed):
    some = build.charged(mixed, 0.25, first="P2")
    assert build.ion_counts(some) == {"P2": 3, "O3": 12}
    more = build.charged(mixed, 0.7, first="P2")
    assert build.ion_counts(more) == {"O3": 6}
    assert set(left(more)[g] for g in (2, 3, 4)) == {2}


def test_the_seed_chooses_ions_and_slabs_stay(mixed):
    one, again, other = (build.charged(mixed, 0.5, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.positions, again.positions)
    assert not np.array_equal(one.positions, other.positions)
    assert (one.layers >= 0).sum() == (mixed.layers >= 0).sum()


def test_bad_requests_are_refused(mixed):
    with pytest.raises(InputError, match="from 0 to 1"):
        build.charged(mixed, 1.2)
    with pytest.raises(InputError, match="holds no Li"):
        build.charged(mixed, 0.5, ion="Li")
    with pytest.raises(InputError, match="it is in O3, P2"):
        build.charged(mixed, 0.5, first="P3")
