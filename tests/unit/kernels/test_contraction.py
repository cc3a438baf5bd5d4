"""Polynomials of sums and their derivatives against products written out in NumPy and finite differences."""

import numpy as np
import pytest

from simkit.errors import InputError
from simkit.kernels.contraction import Terms, contract, contract_backward, contract_double_backward

ATOMS, CHANNELS, ROWS, KINDS = 6, 5, 4, 3
FACTORS = np.array([[0, -1, -1], [3, -1, -1], [0, 0, -1], [1, 2, -1], [0, 0, 0], [1, 1, 2], [0, 2, 3], [3, 3, 1]])
TERMS = Terms(FACTORS, np.array([0, 1, 2, 2, 0, 1]))
STEP = 1e-5


def reference(sums, coefficients):
    padded = np.concatenate([sums, np.ones_like(sums[:, :, :1])], axis=2)
    monomials = padded[:, :, FACTORS].prod(axis=3)
    return np.einsum("nkt,ntk->nk", monomials, coefficients[TERMS.species])


def drawn(seed, dtype=np.float64):
    rng = np.random.default_rng(seed)
    sums, weights = rng.normal(size=(ATOMS, CHANNELS, ROWS)), rng.normal(size=(KINDS, len(FACTORS), CHANNELS))
    return (sums.astype(dtype), weights.astype(dtype)), rng.normal(size=(ATOMS, CHANNELS)).astype(dtype)


def first(inputs, gradient):
    out = tuple(np.full_like(part, np.nan) for part in inputs)
    contract_backward(TERMS, inputs, gradient, out)
    return out


def slope(function, parts, place, direction):
    """Central difference of a function of several arrays along a direction of one."""
    ends = [function(*parts[:place], parts[place] + s * direction, *parts[place + 1 :]) for s in (STEP, -STEP)]
    return (ends[0] - ends[1]) / (2 * STEP)


@pytest.mark.parametrize(("dtype", "rounding"), [(np.float64, 1e-14), (np.float32, 1e-5)])
def test_values_are_products_written_out(dtype, rounding):
    inputs, _ = drawn(0, dtype)
    out = np.full((ATOMS, CHANNELS), np.nan, dtype=dtype)
    contract(TERMS, *inputs, out)
    expected = reference(*inputs)
    np.testing.assert_allclose(out, expected, rtol=0, atol=rounding * np.abs(expected).max())


def test_first_derivatives_are_differences_of_values():
    """Cubic in the sums: an error of step^2 = 1e-10 and of rounding, 1e-16 / step, times sums of 30 numbers."""
    inputs, gradient = drawn(1)
    found = first(inputs, gradient)
    for place, direction in enumerate(drawn(2)[0]):
        expected = slope(lambda *x: np.vdot(gradient, reference(*x)), inputs, place, direction)
        assert abs(np.vdot(found[place], direction) - expected) < 1e-7


def test_second_derivatives_are_differences_of_first_ones():
    """As above: the first derivatives are quadratic in the sums."""
    inputs, gradient = drawn(3)
    given, turned = drawn(4)
    out = tuple(np.full_like(part, np.nan) for part in (*inputs, gradient))
    contract_double_backward(TERMS, inputs, gradient, given, out)

    def value(sums, weights, g):
        return sum(np.vdot(a, b) for a, b in zip(first((sums, weights), g), given, strict=True))

    for place, direction in enumerate((*drawn(5)[0], turned)):
        expected = slope(value, (*inputs, gradient), place, direction)
        assert abs(np.vdot(out[place], direction) - expected) < 1e-6


def test_what_does_not_fit_is_refused():
    (sums, weights), out = drawn(6)
    with pytest.raises(InputError, match="do not fit"):
        contract(TERMS, sums, weights[:, 1:], out)
    with pytest.raises(InputError, match="names row -1 or 3; there are 3"):
        contract(TERMS, np.ascontiguousarray(sums[:, :, :3]), weights, out)
    with pytest.raises(InputError, match="species 0 to 2 with coefficients for 2"):
        contract(TERMS, sums, weights[:2], out)
    with pytest.raises(InputError, match="all float32 or all float64"):
        contract(TERMS, sums, weights.astype(np.float32), out)
