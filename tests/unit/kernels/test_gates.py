"""Gate kernels against NumPy."""

import numpy as np
import pytest

from simkit.errors import InputError
from simkit.kernels import gates

LIMIT = {np.float32: 2e-5, np.float64: 1e-12}
"""Rounding of sums of 64 terms of order one, and of the terms around them."""


def reference_norm(rows, weight, bias):
    halves = rows.reshape(len(rows), 2, -1).astype(np.float64)
    mean = halves.mean(-1, keepdims=True)
    normed = (halves - mean) / np.sqrt(halves.var(-1, keepdims=True) + 1e-5)
    return normed.reshape(rows.shape) * weight + bias


def gate(normed):
    core, opened = np.split(normed, 2, axis=1)
    return core / (1 + np.exp(-core)) / (1 + np.exp(-opened))


@pytest.fixture(params=[np.float32, np.float64])
def data(request):
    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.normal(size=shape).astype(request.param)  # noqa: E731
    return request.param, draw, rng


def parts_of(rows, weight, bias):
    normed = np.empty_like(rows)
    gates.normalise(rows, weight, bias, normed)
    return normed, (1 / (1 + np.exp(-normed))).astype(rows.dtype)


def test_normalise_is_layer_norm_of_both_halves(data):
    dtype, draw, _ = data
    rows, weight, bias = draw(30, 128), draw(128), draw(128)
    normed, _ = parts_of(rows, weight, bias)
    np.testing.assert_allclose(normed, reference_norm(rows, weight, bias), atol=LIMIT[dtype])


def test_gather_and_scatter_are_adjoint_sums(data):
    dtype, draw, rng = data
    rows, tables = draw(50, 8), (draw(7, 8), draw(9, 8))
    indices = (rng.integers(0, 7, 50), rng.integers(0, 9, 50))
    wanted = rows + tables[0][indices[0]] + tables[1][indices[1]]
    gathered = rows.copy()
    gates.gather_add(gathered, tables, indices)
    np.testing.assert_allclose(gathered, wanted, atol=LIMIT[dtype])
    scattered = tuple(np.zeros_like(t) for t in tables)
    gates.scatter_add(rows, scattered, indices)
    for table, index in zip(scattered, indices, strict=True):
        want = np.zeros(table.shape)
        np.add.at(want, index, rows)
        np.testing.assert_allclose(table, want, atol=LIMIT[dtype])


def test_gated_sums_and_steps(data):
    dtype, draw, rng = data
    rows, weight, bias, table, feature = draw(40, 32), draw(32), draw(32), draw(5, 16), draw(40, 16)
    normed, sigmoid = parts_of(rows, weight, bias)
    index, owner = rng.integers(0, 5, 40), np.sort(rng.integers(0, 6, 40))
    total, stepped = np.zeros((6, 16), dtype), np.empty_like(feature)
    gates.gated_into(normed, sigmoid, (table, index), total, owner)
    gates.gated_plus(normed, sigmoid, feature, stepped)
    message = gate(reference_norm(rows, weight, bias))
    want = np.zeros((6, 16))
    np.add.at(want, owner, message * table[index])
    np.testing.assert_allclose(total, want, atol=LIMIT[dtype])
    np.testing.assert_allclose(stepped, feature + message, atol=LIMIT[dtype])


def test_backward_kernels_are_the_slopes_of_the_sum():
    rng = np.random.default_rng(1)
    rows, weight, bias, table = (rng.normal(size=s) for s in ((12, 32), (32,), (32,), (4, 16)))
    gradient, index, owner = rng.normal(size=(3, 16)), rng.integers(0, 4, 12), np.sort(rng.integers(0, 3, 12))

    def value(rows, table):
        return (gate(reference_norm(rows, weight, bias)) * table[index] * gradient[owner]).sum()

    parts = parts_of(rows, weight, bias)
    slope, weighed, backward = np.zeros_like(table), np.empty((12, 16)), np.empty_like(rows)
    gates.weigh_gradient(parts, gradient, owner, (table, index, slope), weighed)
    gates.gated_backward(rows, parts, weight, weighed, backward)
    step = 1e-5  # truncation 1e-10, cancellation 1e-10
    for _ in range(5):
        d_rows, d_table = rng.normal(size=rows.shape), rng.normal(size=table.shape)
        by_rows = (value(rows + step * d_rows, table) - value(rows - step * d_rows, table)) / (2 * step)
        by_table = (value(rows, table + step * d_table) - value(rows, table - step * d_table)) / (2 * step)
        assert by_rows == pytest.approx((backward * d_rows).sum(), abs=1e-7)
        assert by_table == pytest.approx((slope * d_table).sum(), abs=1e-7)


def test_rows_of_different_widths_are_refused():
    with pytest.raises(InputError, match="widths"):
        gates.normalise(np.zeros((2, 8)), np.zeros(6), np.zeros(6), np.zeros((2, 8)))
