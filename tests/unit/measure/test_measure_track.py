"""The way of one ion along a path."""

import numpy as np
import pytest

from simkit.errors import InputError
from simkit.measure import displacements_A, largest_rise, track_length_A, window_A
from simkit.structure import Structure


def box(x):
    """One sodium at height x in a 6 A box with an oxygen at the corner."""
    return Structure([11, 8], [[3.0, 3.0, x], [0.0, 0.0, 0.0]], 6 * np.eye(3))


def test_displacements_take_the_nearest_image():
    step = displacements_A(box(5.5), box(0.5))[0]
    assert step == pytest.approx([0, 0, 1], abs=1e-12)  # through the cell face, not back through the cell


def test_track_is_the_polyline():
    assert track_length_A([box(1), box(2), box(1.5), box(5.9), box(0.4)], 0) == pytest.approx(1 + 0.5 + 1.6 + 0.5)


def test_window_is_the_narrowest_place():
    images = [box(3.0), box(1.0), box(2.0)]
    assert window_A(images, 0) == pytest.approx(np.sqrt(9 + 9 + 1))
    assert window_A(images, 0, None) == pytest.approx(np.sqrt(9 + 9 + 1))
    with pytest.raises(InputError, match="Mn"):
        window_A(images, 0, "Mn")


def test_largest_rise_sees_deeper_states():
    assert largest_rise([0.0, 0.04, -0.08, 0.05, 0.01]) == pytest.approx(0.13)
    assert largest_rise([0.0, 0.3, 0.1]) == pytest.approx(0.3)
    assert largest_rise([0.0, -0.1, -0.2]) == 0.0
    with pytest.raises(InputError, match="images"):
        largest_rise([])
