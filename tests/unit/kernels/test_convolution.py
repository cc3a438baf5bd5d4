"""The fused convolution and its derivatives against sums written out in NumPy and finite differences."""

import numpy as np
import pytest

from simkit.errors import InputError
from simkit.kernels.convolution import (
    Factors,
    convolve,
    convolve_backward,
    convolve_double_backward,
    incoming,
)

ATOMS, EDGES = 7, 40
ROUNDING = {np.float64: 1e-13, np.float32: 3e-6}
"""Of the largest value: sums of about 60 products of numbers of order 1."""
CASES = [(0, 3, np.float64), (1, 8, np.float64), (2, 5, np.float64), (3, 8, np.float64), (2, 32, np.float32)]


def reference(ends, factors):
    """A in e3nn's layout, degree by degree."""
    radial, features, harmonics = factors
    sender, receiver = ends
    blocks = []
    for ell in range(radial.shape[1]):
        y = harmonics[:, ell * ell : (ell + 1) ** 2]
        block = np.zeros((ATOMS, features.shape[1], 2 * ell + 1), dtype=features.dtype)
        np.add.at(block, receiver, np.einsum("ek,ek,em->ekm", radial[:, ell], features[sender], y))
        blocks.append(block.reshape(ATOMS, -1))
    return np.concatenate(blocks, axis=1)


def ends(rng):
    """Unsorted edges; the last atom receives none."""
    return rng.integers(0, ATOMS, EDGES), rng.integers(0, ATOMS - 1, EDGES)


def some(rng, max_l, channels, dtype):
    radial = rng.normal(size=(EDGES, max_l + 1, channels))
    parts = radial, rng.normal(size=(ATOMS, channels)), rng.normal(size=(EDGES, (max_l + 1) ** 2))
    return Factors(*(part.astype(dtype) for part in parts))


def first(edges, factors, gradient):
    found = factors.empty()
    convolve_backward(edges, factors, gradient, found)
    return found.arrays()


def close(found, expected, dtype):
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING[dtype] * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize(("max_l", "channels", "dtype"), CASES)
def test_sums_are_those_written_out(max_l, channels, dtype):
    rng = np.random.default_rng(max_l)
    pair = ends(rng)
    factors = some(rng, max_l, channels, dtype)
    out = np.full((ATOMS, channels * (max_l + 1) ** 2), np.nan, dtype=dtype)
    convolve(incoming(*pair, ATOMS), factors, out)
    close(out, reference(pair, factors.arrays()), dtype)
    assert (out[-1] == 0).all()


@pytest.mark.parametrize(("max_l", "channels", "dtype"), CASES)
def test_derivatives_fit_the_sums_they_are_derivatives_of(max_l, channels, dtype):
    """A is linear in each factor: a derivative times any direction is G times A with the direction put in."""
    rng = np.random.default_rng(10 + max_l)
    pair = ends(rng)
    factors, along, given = (some(rng, max_l, channels, dtype) for _ in range(3))
    edges = incoming(*pair, ATOMS)
    gradient = rng.normal(size=(ATOMS, channels * (max_l + 1) ** 2)).astype(dtype)

    def one(parts, *changed):
        for place, value in changed:
            parts = (*parts[:place], value.arrays()[place], *parts[place + 1 :])
        return reference(pair, parts)

    second, by_gradient = factors.empty(), np.full_like(gradient, np.nan)
    convolve_double_backward(edges, factors, gradient, given, (second, by_gradient))
    found = first(edges, factors, gradient)
    size = np.sqrt(EDGES * channels) * ROUNDING[dtype] * 30  # sums of all edges and channels
    for place in range(3):
        expected = np.vdot(gradient, one(factors.arrays(), (place, along)))
        assert abs(np.vdot(found[place], along.arrays()[place]) - expected) < size
        expected = sum(
            np.vdot(gradient, one(factors.arrays(), (place, along), (other, given))) for other in {0, 1, 2} - {place}
        )
        assert abs(np.vdot(second.arrays()[place], along.arrays()[place]) - expected) < size
    close(by_gradient, sum(one(factors.arrays(), (place, given)) for place in range(3)), dtype)


def test_second_derivatives_are_differences_of_first_ones():
    """Central differences of bilinear functions are exact but for rounding: 1e-16 / 1e-3 times the size of the sum."""
    rng = np.random.default_rng(5)
    edges = incoming(*ends(rng), ATOMS)
    factors, given, step = some(rng, 2, 4, np.float64), some(rng, 2, 4, np.float64), 1e-3
    gradient, turned = rng.normal(size=(2, ATOMS, 36))
    found, by_gradient = factors.empty(), np.empty_like(gradient)
    convolve_double_backward(edges, factors, gradient, given, (found, by_gradient))

    def value(parts, g):
        return sum(np.vdot(a, b) for a, b in zip(first(edges, Factors(*parts), g), given.arrays(), strict=True))

    for place, direction in enumerate(some(rng, 2, 4, np.float64).arrays()):
        parts = factors.arrays()
        moved = [(*parts[:place], parts[place] + s * direction, *parts[place + 1 :]) for s in (step, -step)]
        slope = (value(moved[0], gradient) - value(moved[1], gradient)) / (2 * step)
        assert abs(slope - np.vdot(found.arrays()[place], direction)) < 1e-9
    slope = (value(factors.arrays(), gradient + step * turned) - value(factors.arrays(), gradient - step * turned)) / 2
    assert abs(slope / step - np.vdot(by_gradient, turned)) < 1e-9


def test_arrays_that_do_not_fit_are_refused():
    rng = np.random.default_rng(1)
    pair, factors = ends(rng), some(rng, 2, 4, np.float64)
    edges, out = incoming(*pair, ATOMS), np.empty((ATOMS, 36))
    with pytest.raises(InputError, match="there are 3"):
        incoming(*pair, 3)
    with pytest.raises(InputError, match="not one per edge"):
        incoming(pair[0], pair[1][1:], ATOMS)
    with pytest.raises(InputError, match="do not fit 40 edges among 7 atoms"):
        convolve(edges, factors, out[:, 1:])
    with pytest.raises(InputError, match="do not fit"):
        convolve_backward(edges, factors, out, Factors(factors.radial[:-1], factors.features, factors.harmonics))
    with pytest.raises(InputError, match="all float32 or all float64"):
        convolve(edges, factors, out.astype(np.float32))
