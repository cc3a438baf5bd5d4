import pickle

import numpy as np
import pytest

from simkit.errors import InputError
from simkit.structure import Batch, Structure


def sample(**changes):
    fields = {
        "numbers": [11, 27, 8],
        "positions": np.arange(9.0).reshape(3, 3),
        "cell": np.diag([4.0, 5.0, 6.0]),
        "layers": [-1, 0, 0],
        "tags": {"phase": np.array(["P2", "P2", "O3"])},
    }
    return Structure(**{**fields, **changes})


def test_arrays_are_frozen():
    s = sample()
    with pytest.raises(ValueError, match="read-only"):
        s.positions[0, 0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        s.tags["phase"][0] = "O3"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"numbers": [], "positions": np.zeros((0, 3)), "layers": None, "tags": {}}, "no atoms"),
        ({"numbers": [11, 27, 119]}, "119"),
        ({"numbers": [11, 27, 0]}, "0 is no element"),
        ({"positions": np.full((3, 3), np.nan)}, "nan at index"),
        ({"positions": np.zeros((2, 3))}, "shape"),
        ({"cell": np.zeros((3, 3))}, "singular"),
        ({"cell": np.diag([4.0, 5.0, -6.0])}, "left-handed"),
        ({"cell": np.diag([4.0, 5.0, 0.1])}, "0.1 A thick"),
        ({"layers": [0, 1]}, "layers"),
        ({"tags": {"phase": np.array(["P2"])}}, "phase"),
    ],
)
def test_nonsense_is_refused_by_name(change, words):
    with pytest.raises(InputError, match=words):
        sample(**change)


def test_repeated_keeps_density_and_columns():
    s = sample()
    big = s.repeated(2, 1, 3)
    assert len(big) == 18
    assert big.volume == pytest.approx(6 * s.volume, rel=1e-14)  # rounding of one determinant
    assert list(big.tags["phase"][:3]) == ["P2", "P2", "O3"]
    shift = big.positions[3] - big.positions[0]
    assert np.allclose(shift, s.cell[2], atol=0)


def test_strained_to_keeps_fractional_coordinates():
    s = sample()
    strained = s.strained_to(s.cell @ (np.eye(3) + 0.01 * np.arange(9).reshape(3, 3)))
    assert np.allclose(strained.fractional, s.fractional, atol=1e-12)  # two inversions in float64


def test_take_and_without_agree():
    s = sample()
    assert s.without(1).formula == "Na1O1"
    assert np.array_equal(s.without(1).positions, s.take([0, 2]).positions)


def test_pickle_round_trip_stays_frozen():
    s = pickle.loads(pickle.dumps(sample()))
    assert s.formula == "Co1Na1O1"
    assert list(s.tags["phase"]) == ["P2", "P2", "O3"]
    with pytest.raises(AttributeError):
        s.numbers = None


def test_batch_splits_what_it_joins():
    parts = [sample(), sample().without(0), sample()]
    batch = Batch.of(parts)
    assert len(batch) == 3
    assert np.array_equal(batch.starts, [0, 3, 5, 8])
    for piece, part in zip(batch.split(batch.positions), parts, strict=True):
        assert np.array_equal(piece, part.positions)
    assert np.allclose(batch.volumes, 120.0, rtol=1e-14)


def test_an_empty_batch_is_refused():
    with pytest.raises(InputError, match="at least one"):
        Batch.of([])
