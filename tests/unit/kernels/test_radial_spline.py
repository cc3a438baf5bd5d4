"""Uniform quintic splines: polynomials come back exactly, errors fall as the sixth power, slopes are slopes."""

import numpy as np
import pytest

from simkit.errors import InputError
from simkit.kernels.radial_spline import fit_spline, spline_basis

CUTOFF_A = 4.0
AT = np.random.default_rng(0).uniform(0.01, CUTOFF_A, 300)


def fitted(function, slope, curvature, intervals):
    """Values and slopes at AT of the spline through a function."""
    ends = np.array([[slope(x), curvature(x)] for x in (0.0, CUTOFF_A)])[..., None]
    table = fit_spline(function(np.linspace(0, CUTOFF_A, intervals + 1))[:, None], ends, CUTOFF_A)
    direction = np.array([0.6, 0.0, -0.8])
    place, basis = np.empty(len(AT), dtype=np.int64), np.empty((len(AT), 2, 6))
    spline_basis(AT[:, None] * direction, CUTOFF_A, intervals, place, basis)
    return np.einsum("eds,es->de", basis, table[place[:, None] + np.arange(6), 0])


def test_a_quintic_comes_back_with_its_slope():
    p = np.polynomial.Polynomial([1.0, -2.0, 0.5, 0.3, -0.2, 0.04])
    value, slope = fitted(p, p.deriv(), p.deriv(2), 12)
    np.testing.assert_allclose(value, p(AT), atol=1e-12)
    np.testing.assert_allclose(slope, p.deriv()(AT), atol=1e-11)


def test_errors_fall_with_the_sixth_and_fifth_power_of_the_step():
    errors = []
    for intervals in (40, 80):
        value, slope = fitted(
            lambda x: np.sin(3 * x), lambda x: 3 * np.cos(3 * x), lambda x: -9 * np.sin(3 * x), intervals
        )
        errors.append([np.abs(value - np.sin(3 * AT)).max(), np.abs(slope - 3 * np.cos(3 * AT)).max()])
    ratio = np.log2(np.array(errors[0]) / errors[1])
    np.testing.assert_allclose(ratio, [6, 5], atol=0.5)  # the largest errors sit at other places of the interval


def test_the_slope_is_the_derivative_of_the_value():
    table = np.random.default_rng(1).normal(size=37)  # any table: 32 intervals
    step = 1e-5

    def value(lengths):
        place, basis = np.empty(len(lengths), dtype=np.int64), np.empty((len(lengths), 2, 6))
        spline_basis(lengths[:, None] * np.array([0.0, 1.0, 0.0]), CUTOFF_A, 32, place, basis)
        return np.einsum("eds,es->de", basis, table[place[:, None] + np.arange(6)])

    inside = AT[AT < CUTOFF_A - step]
    slope = (value(inside + step)[0] - value(inside - step)[0]) / (2 * step)
    np.testing.assert_allclose(value(inside)[1], slope, atol=1e-6)  # step^2/6 of third derivatives near 8^3


def test_too_few_values_are_refused():
    with pytest.raises(InputError, match="degree 5"):
        fit_spline(np.zeros((4, 1)), np.zeros((2, 2, 1)), CUTOFF_A)
