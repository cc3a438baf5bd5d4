"""Interpolation in a table: polynomials of degree five are exact, and derivatives are those of differences."""

import numpy as np
import pytest

from simkit.errors import InputError
from simkit.kernels.interpolation import interpolate, interpolate_backward, interpolate_double_backward

ROWS = 12
X = np.array([0.0, 0.3, 1.5, 4.2, 6.9, 9.7, 10.5, 11.0])
POWERS = np.arange(6)


def drawn(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in shapes]


def first(x, table, gradient):
    out = np.full_like(x, np.nan), np.full_like(table, np.nan)
    interpolate_backward(x, table, gradient, out)
    return out


@pytest.mark.parametrize(("dtype", "rounding"), [(np.float64, 1e-13), (np.float32, 1e-5)])
def test_polynomials_of_degree_five_and_their_slopes_are_exact(dtype, rounding):
    (weights,) = drawn(0, (6, 3))
    place = np.arange(ROWS)[:, None] / ROWS
    table, x = (place**POWERS @ weights).astype(dtype), X.astype(dtype)
    out = np.full((len(x), 3), np.nan, dtype=dtype)
    interpolate(x, table, out)
    np.testing.assert_allclose(out, (X[:, None] / ROWS) ** POWERS @ weights, rtol=0, atol=rounding * 10)
    found, _ = first(x, table, np.ones_like(out))
    slopes = POWERS[1:] * (X[:, None] / ROWS) ** POWERS[:-1] / ROWS @ weights[1:]
    np.testing.assert_allclose(found, slopes.sum(axis=1), rtol=0, atol=rounding * 10)


def test_a_wave_is_followed_as_well_as_promised():
    k, x = 0.5, np.linspace(3, 27, 500)
    out = np.empty((500, 1))
    interpolate(x, np.sin(k * np.arange(31.0))[:, None], out)
    worst = np.abs(out[:, 0] - np.sin(k * x)).max()
    assert 0.001 * k**6 < worst < 0.005 * k**6  # a method of another order misses one of the two


def test_derivatives_are_differences_of_what_they_derive():
    """Central differences of polynomials of degree five: step^2 times third derivatives of some tens."""
    table, gradient, along, by_table, turned = drawn(1, (ROWS, 4), (8, 4), 8, (ROWS, 4), (8, 4))
    given, x, step = drawn(2, 8, (ROWS, 4)), X + 0.01, 1e-5
    out = np.full_like(x, np.nan), np.full_like(table, np.nan), np.full_like(gradient, np.nan)
    interpolate_double_backward(x, table, gradient, tuple(given), out)

    def value(x, table, gradient):
        values = np.empty_like(gradient)
        interpolate(x, table, values)
        return np.vdot(values, gradient)

    def slope(x, table, gradient):
        return sum(np.vdot(a, b) for a, b in zip(first(x, table, gradient), given, strict=True))

    parts = x, table, gradient
    for function, found in ((value, first(*parts)), (slope, out)):
        for place, direction in enumerate((along, by_table, turned)[: len(found)]):
            ends = [[*parts[:place], parts[place] + s * direction, *parts[place + 1 :]] for s in (step, -step)]
            expected = (function(*ends[0]) - function(*ends[1])) / (2 * step)
            assert abs(np.vdot(found[place], direction) - expected) < 1e-6


def test_what_does_not_fit_is_refused():
    (table,) = drawn(3, (ROWS, 2))
    with pytest.raises(InputError, match="do not fit"):
        interpolate(X, table[:5], np.empty((8, 2)))
    with pytest.raises(InputError, match="do not fit"):
        interpolate(X, table, np.empty((8, 3)))
    with pytest.raises(InputError, match="all float32 or all float64"):
        interpolate(X.astype(np.float32), table, np.empty((8, 2)))
