"""Sums over neighbours, products and gathered forces against plain NumPy."""

import numpy as np
import pytest

from simkit.errors import InputError
from simkit.kernels.edge_forces import gather_forces, reversed_edges
from simkit.kernels.edges import edges_of
from simkit.kernels.messages import Around, messages_backward, sum_messages
from simkit.kernels.neighbours import pairs_within
from simkit.kernels.products import Polynomial, mix, products

ATOMS, CHANNELS, DEGREES = 9, 6, 3
L_OF = np.repeat(np.arange(DEGREES), 2 * np.arange(DEGREES) + 1)
ALL = slice(0, ATOMS)


def neighbours(seed=0):
    """Edges of random atoms in a small periodic box; atom 0 has none."""
    rng = np.random.default_rng(seed)
    positions = rng.uniform(0, 6, size=(ATOMS, 3))
    positions[0] = (50.0, 50.0, 50.0)
    periodic = np.zeros((1, 3), dtype=bool)
    pairs = pairs_within(positions, np.eye(3)[None] * 100, periodic, np.array([0, ATOMS]), 4.5)
    return edges_of(pairs, ATOMS)


def around_of(edges, seed=1):
    rng = np.random.default_rng(seed)
    # harmonics of opposite vectors differ by (-1)^l, the rest is the same for both
    one = rng.normal(size=(len(edges.edges_of), DEGREES**2))
    y = np.empty((len(edges), DEGREES**2))
    y[edges.edges_of[:, 0]], y[edges.edges_of[:, 1]] = one, one * (-1.0) ** L_OF
    place, basis = rng.integers(0, 7, size=len(one)), rng.normal(size=(len(one), 2, 6))
    return Around(edges.starts, edges.sender, y, place[edges.pair_of], basis[edges.pair_of])


def radial(around, table, order):
    """(e, l, c) values (0) or slopes (1) of the radial functions."""
    return np.einsum("es,eslc->elc", around.basis[:, order], table[around.place[:, None] + np.arange(6)])


def inputs(seed=2):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(ATOMS, CHANNELS)), rng.normal(size=(12, DEGREES, CHANNELS))


def reference(edges, around, features, table):
    out = np.zeros((ATOMS, DEGREES**2, CHANNELS))
    terms = radial(around, table, 0)[:, L_OF] * around.harmonics[:, :, None] * features[edges.sender][:, None]
    np.add.at(out, edges.receiver, terms)
    return out


def test_sums_are_those_of_numpy_in_shares():
    edges = neighbours()
    around, (features, table) = around_of(edges), inputs()
    expected = reference(edges, around, features, table)
    assert len(edges) > 20
    for share in (ALL, slice(3, 7)):
        out = np.full((share.stop - share.start, DEGREES**2, CHANNELS), np.nan)
        sum_messages(around, features, table, share, out)
        np.testing.assert_allclose(out, expected[share], atol=1e-12)
    assert not expected[0].any()


def test_derivatives_are_those_of_numpy():
    edges = neighbours()
    around, (features, table) = around_of(edges), inputs()
    gradient = np.random.default_rng(3).normal(size=(ATOMS, DEGREES**2, CHANNELS))
    by_features, slopes = np.full((ATOMS, CHANNELS), np.nan), np.ones((len(edges), DEGREES**2 + 1))
    messages_backward(around, (features, table), gradient, ALL, (by_features, slopes))
    received = gradient[edges.receiver]
    value, slope = (radial(around, table, k)[:, L_OF] for k in (0, 1))
    sent = features[edges.sender][:, None]
    expected = np.zeros_like(features)
    np.add.at(expected, edges.sender, (value * around.harmonics[:, :, None] * received).sum(1))
    np.testing.assert_allclose(by_features, expected, atol=1e-12)
    # an edge's term stands in the slot of the opposite edge, whose harmonics have the other sign for odd l
    other = reversed_edges(edges)
    by_harmonics = (value * sent * received).sum(2) * (-1.0) ** L_OF
    by_length = (slope * sent * received * around.harmonics[:, :, None]).sum((1, 2))
    np.testing.assert_allclose(slopes[other, :-1] - 1, by_harmonics, atol=1e-12)
    np.testing.assert_allclose(slopes[other, -1] - 1, by_length, atol=1e-11)


def test_shapes_that_do_not_fit_are_refused():
    edges = neighbours()
    around, (features, table) = around_of(edges), inputs()
    with pytest.raises(InputError, match="do not fit"):
        sum_messages(around, features[:, :-1], table, ALL, np.empty((ATOMS, DEGREES**2, CHANNELS - 1)))
    with pytest.raises(InputError, match="share has 9"):
        sum_messages(around, features, table, ALL, np.empty((ATOMS - 1, DEGREES**2, CHANNELS)))


@pytest.mark.parametrize("kinds", [1, 2])
def test_mix_adds_matrix_products_per_degree_and_species(kinds):
    rng = np.random.default_rng(4)
    rows, matrices = rng.normal(size=(ATOMS, DEGREES**2, 7)), rng.normal(size=(kinds, DEGREES, 7, 5))
    species = rng.integers(0, 2, size=ATOMS)
    out = np.ones((ATOMS, DEGREES**2, 5))
    mix(rows, matrices, species, slice(2, ATOMS), out)
    used = matrices[species if kinds > 1 else np.zeros(ATOMS, dtype=int)][:, L_OF]
    np.testing.assert_allclose(out[2:] - 1, np.einsum("nmc,nmcd->nmd", rows, used)[2:], atol=1e-12)
    np.testing.assert_array_equal(out[:2], 1)


@pytest.mark.parametrize("kinds", [1, 2])
def test_products_are_the_polynomial_and_its_derivative(kinds):
    rng = np.random.default_rng(5)
    factors = np.array([(0, -1, -1), (2, -1, -1), (0, 1, -1), (3, 3, -1), (0, 1, 2), (1, 1, 3), (2, 2, 2)])
    polynomial = Polynomial(factors, rng.normal(size=(kinds, len(factors), CHANNELS)))
    sums, species = rng.normal(size=(ATOMS, 4, CHANNELS)), rng.integers(0, 2, size=ATOMS)
    coefficients = polynomial.coefficients[species if kinds > 1 else np.zeros(ATOMS, dtype=int)]

    def value(a):
        with_one = np.concatenate([a, np.ones((ATOMS, 1, CHANNELS))], axis=1)  # factor -1 is the row of ones
        return (coefficients * with_one[:, factors].prod(2)).sum(1)

    values, derivatives = np.empty((ATOMS, CHANNELS)), np.empty_like(sums)
    products(sums, polynomial, species, ALL, (values, derivatives))
    np.testing.assert_allclose(values, value(sums), atol=1e-12)
    for row in range(4):
        step = np.zeros((1, 4, 1))
        step[0, row] = 1e-4
        slope = (value(sums + step) - value(sums - step)) / 2e-4
        # of cubic terms the differences leave step^2 times their third derivatives, a few units
        np.testing.assert_allclose(derivatives[:, row], slope, atol=1e-6)


def test_forces_and_virials_are_gathered_from_both_directions():
    edges = neighbours()
    g = np.random.default_rng(6).normal(size=(len(edges), 3))
    forces, virials = np.empty((ATOMS, 3)), np.empty((ATOMS, 3, 3))
    gather_forces(edges, reversed_edges(edges), g, ALL, (forces, virials))
    expected, w = np.zeros((ATOMS, 3)), g[:, :, None] * edges.vectors[:, None, :]
    np.add.at(expected, edges.sender, g)
    np.add.at(expected, edges.receiver, -g)
    np.testing.assert_allclose(forces, expected, atol=1e-13)
    half, each = 0.25 * (w + w.transpose(0, 2, 1)), np.zeros((ATOMS, 3, 3))
    np.add.at(each, edges.sender, half)
    np.add.at(each, edges.receiver, half)
    np.testing.assert_allclose(virials, each, atol=1e-13)
