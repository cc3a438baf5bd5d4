"""Shapes: membership is periodic, depths are distances, tables come back as they were."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkit.build import Ellipsoid, Everywhere, Layers, Offset, Prism, Ribbon, shape_from_dict, shape_to_dict, sphere
from simkit.build.plane import HEXAGONAL
from simkit.build.shapes.shape import Where, crossing_axis
from simkit.errors import InputError

CELL = np.array([[24.0, 0.0, 0.0], [0.0, 20.0 * np.sqrt(0.75) * 1.2, 0.0], [0.0, 0.0, 30.0]])
SHAPES = [
    Everywhere(),
    Layers(1, 3),
    Ribbon(-3.0, 8.0, "zigzag"),
    Ribbon(5.0, 11.0, "armchair"),
    Prism(7.0, (0.9, 0.1)),
    Prism(6.0, (0.2, 0.5), 6),
    sphere(8.0, (0.0, 0.5, 0.95)),
    Ellipsoid((4.0, 6.0, 9.0)),
    Offset(Prism(6.0), 1.5),
]


def where(points, slabs=6, cell=CELL):
    sheet = points[:, 2] / cell[2, 2] * 2 * slabs
    return Where(points, sheet, cell, slabs, 2.9 * HEXAGONAL)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(SHAPES))
def test_membership_has_the_period_of_the_cell(seed, shape):
    rng = np.random.default_rng(seed)
    points = rng.random((40, 3)) @ CELL
    turns = rng.integers(-2, 3, (40, 3))
    first, moved = shape.member(where(points)), shape.member(where(points + turns @ CELL))
    finite = np.isfinite(first.depth_A)
    assert np.allclose(first.depth_A[finite], moved.depth_A[finite], atol=1e-6)
    clear = np.abs(first.depth_A) > 1e-3
    bounded = ~np.array(shape.extended(CELL, 2.9 * HEXAGONAL))
    reached = (first.shift - moved.shift - turns)[clear & first.inside]
    assert (reached[:, bounded] == 0).all()


@pytest.mark.parametrize(
    ("shape", "volume"),
    [
        (sphere(8.0), 4 / 3 * np.pi * 8**3),
        (Ellipsoid((4.0, 6.0, 9.0)), 4 / 3 * np.pi * 4 * 6 * 9),
        (Prism(7.0), np.pi * 49 * 30),
        (Prism(7.0, sides=6), 2 * np.sqrt(3) * 49 * 30),
        (Ribbon(2.0, 8.0, "armchair"), 6.0 / 24.0 * np.linalg.det(CELL)),
        (Ribbon(2.0, 8.0, "zigzag"), 6.0 / CELL[1, 1] * np.linalg.det(CELL)),
        (Layers(1, 3), (2 * 2 + 1.5) / 12 * np.linalg.det(CELL)),
    ],
)
def test_volumes_are_those_of_the_bodies(shape, volume):
    """40 000 even points: the share inside scatters by less than 0.25 % of the cell (three sigma 0.75 %)."""
    points = np.random.default_rng(1).random((40_000, 3)) @ CELL
    share = shape.member(where(points)).inside.mean()
    assert share == pytest.approx(volume / np.linalg.det(CELL), abs=0.0075)


def test_the_shift_brings_a_point_to_its_shape():
    shape = sphere(8.0, (0.02, 0.5, 0.98))
    points = np.random.default_rng(2).random((500, 3)) @ CELL
    found = shape.member(where(points))
    unwrapped = points + found.shift @ CELL
    distance = np.linalg.norm(unwrapped - np.array(shape.centre) @ CELL, axis=1)
    assert np.allclose(8.0 - distance, found.depth_A, atol=1e-9)


def test_a_grown_shape_is_the_larger_one():
    points = np.random.default_rng(3).random((500, 3)) @ CELL
    grown, larger = Offset(Prism(6.0, sides=6), 1.5).member(where(points)), Prism(7.5, sides=6).member(where(points))
    assert np.allclose(grown.depth_A, larger.depth_A)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: type(s).__name__)
def test_tables_come_back(shape):
    assert shape_from_dict(json.loads(json.dumps(shape_to_dict(shape)))) == shape


def test_a_sphere_is_written_as_one():
    assert shape_from_dict({"shape": "sphere", "radius_A": 5.0, "centre": [0.1, 0.2, 0.3]}) == sphere(
        5, (0.1, 0.2, 0.3)
    )


def test_lines_find_their_cell_vector():
    hexagonal = np.diag([4.0, 4.0, 1.0]) @ np.block([[HEXAGONAL * 2.9, np.zeros((2, 1))], [np.zeros((1, 2)), 20.0]])
    assert crossing_axis(CELL, HEXAGONAL, "armchair") == 0
    assert crossing_axis(CELL, HEXAGONAL, "zigzag") == 1
    with pytest.raises(InputError, match="orthogonal"):
        crossing_axis(hexagonal, HEXAGONAL, "armchair")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"shape": "spere", "radius_A": 3.0}, "sphere"),
        ({"shape": "prism"}, "incomplete"),
        ({"shape": "prism", "radius": 3.0}, "radius_A"),
        ({"shape": "prism", "radius_A": -3.0}, "positive"),
        ({"shape": "prism", "radius_A": 3.0, "sides": 5}, "5 sides"),
        ({"shape": "ribbon", "from_A": 5.0, "to_A": 5.0}, "empty"),
        ({"shape": "ribbon", "from_A": 0.0, "to_A": 5.0, "line": "zigzig"}, "zigzag"),
        ({"shape": "layers", "first": 3, "last": 1}, "first <= last"),
        ({"shape": "ellipsoid", "radii_A": [1.0, 2.0]}, "3 numbers"),
        ({"shape": "ellipsoid", "radii_A": 5.0}, "3 numbers"),
        ({"shape": "prism", "radius_A": 3.0, "centre": ["a", "b"]}, r"centre\[0\] = 'a'"),
        ({"shape": "prism", "radius_A": 3.0, "centre": [float("nan"), 0.0]}, r"centre\[0\] = nan"),
        ({"shape": "layers", "first": 0.5, "last": 1.2}, "whole number"),
        ({"shape": "layers", "first": True, "last": True}, "whole number"),
        ({"shape": "ribbon", "from_A": -float("inf"), "to_A": 5.0}, "from_A = -inf"),
        ({"shape": "offset", "of": "x", "by_A": 1.0}, "of is a str"),
        ({"shape": "offset", "of": {"shape": "prism", "radius_A": 5.0}, "by_A": "b"}, "by_A = 'b'"),
        ({"shape": "sphere"}, "needs radius_A"),
        ({"shape": "sphere", "radius_A": 5.0, "radii_A": [1, 2, 3]}, "no key of shape sphere"),
        ({"shape": ["x"]}, "unknown"),
        ("sphere", "shape is a str"),
        (None, "shape is a NoneType"),
    ],
)
def test_bad_tables_are_refused(table, message):
    with pytest.raises(InputError, match=message):
        shape_from_dict(table)


@pytest.mark.parametrize("shape", [sphere(13.0), Prism(12.5), Ribbon(0.0, 25.0), Layers(2, 6)])
def test_shapes_that_do_not_fit_are_refused(shape):
    with pytest.raises(InputError):
        shape.member(where(np.zeros((1, 3))))


def test_numpy_numbers_are_numbers():
    assert shape_to_dict(Prism(np.float32(5.0), np.array([0.25, 0.5]))) == shape_to_dict(Prism(5.0, (0.25, 0.5)))
    assert json.dumps(shape_to_dict(Layers(np.int64(0), np.int64(1))))
