"""Percolation against closed forms and against a brute-force walk over supercells."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from simkit import measure
from simkit.errors import InputError


def test_square_lattice_with_one_site():
    result = measure.percolation(1, [[0, 0], [0, 0]], [[1, 0, 0], [0, 1, 0]], [0.3, 0.5])
    np.testing.assert_array_equal(result.barriers_eV, [0.3, 0.5, np.inf])
    np.testing.assert_array_equal(result.bottlenecks, [0, 1, -1])


def test_chain_is_limited_by_its_worst_hop():
    """Four sites in a row along c: the way around needs all four hops."""
    hops = [[0, 1], [1, 2], [2, 3], [3, 0]]
    offsets = [[0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 1]]
    result = measure.percolation(4, hops, offsets, [0.2, 0.9, 0.1, 0.3])
    np.testing.assert_array_equal(result.barriers_eV, [np.inf, np.inf, 0.9])
    assert result.bottlenecks[2] == 1


def test_a_ring_within_the_cell_is_no_way_out():
    hops, offsets = [[0, 1], [1, 2], [2, 0]], np.zeros((3, 3))
    assert np.isinf(measure.percolation(3, hops, offsets, [0.1, 0.1, 0.1]).barriers_eV).all()
    wound = measure.percolation(3, hops, [[2, 0, 0], [-1, 0, 0], [-1, 0, 0]], [0.1, 0.1, 0.1])
    assert np.isinf(wound.barriers_eV).all()


def test_diagonal_way_counts_for_both_axes():
    result = measure.percolation(1, [[0, 0]], [[1, -1, 0]], [0.4])
    np.testing.assert_array_equal(result.barriers_eV, [0.4, 0.4, np.inf])


def test_honeycomb_and_no_hops():
    """Honeycomb e/f network: three bonds; two of them make a zigzag, the third opens the plane."""
    hops, offsets = [[0, 1]] * 3, [[0, 0, 0], [-1, 0, 0], [0, -1, 0]]
    result = measure.percolation(2, hops, offsets, [0.1, 0.2, 0.3])
    np.testing.assert_array_equal(result.barriers_eV, [0.2, 0.3, np.inf])
    assert np.isinf(measure.percolation(2, [], [], []).barriers_eV).all()


def reaches_itself(edges, sites, length):
    """Whether in a row of 2 length + 1 cells some site of the middle cell is connected to its image in another."""
    cells = range(-length, length + 1)
    rows = [(i, c, j, c + step) for i, j, step in edges for c in cells if abs(c + step) <= length]
    index = np.array(rows, dtype=int).reshape(-1, 4) + np.array([0, length, 0, length])
    nodes = sites * len(cells)
    ends = index[:, 0] * len(cells) + index[:, 1], index[:, 2] * len(cells) + index[:, 3]
    graph = coo_array((np.ones(len(index)), ends), shape=(nodes, nodes))
    label = connected_components(graph, directed=False)[1].reshape(sites, len(cells))
    return any(np.count_nonzero(row == row[length]) > 1 for row in label)


def brute_force(sites, hops, offsets, barriers, axis):
    """Smallest level that joins a site to its own image along the axis, the other two axes rolled up.

    A way needs at most `sites` steps each way before it repeats, so a row of 3 x sites cells is long enough.
    """
    for level in np.sort(barriers):
        used = barriers <= level
        edges = [(int(i), int(j), int(o[axis])) for (i, j), o in zip(hops[used], offsets[used], strict=True)]
        if reaches_itself(edges, sites, 3 * sites + 1):
            return level
    return np.inf


def test_random_networks_against_brute_force():
    rng = np.random.default_rng(11)
    finite = 0
    for _ in range(25):
        sites, count = int(rng.integers(1, 5)), int(rng.integers(1, 9))
        hops, offsets = rng.integers(0, sites, (count, 2)), rng.integers(-1, 2, (count, 3))
        barriers = rng.permutation(count) / 10
        result = measure.percolation(sites, hops, offsets, barriers)
        for axis in range(3):
            assert result.barriers_eV[axis] == brute_force(sites, hops, offsets, barriers, axis)
        finite += np.isfinite(result.barriers_eV).sum()
    assert finite > 20


def test_a_gauge_winds_nowhere_and_one_hop_more_does():
    """Sites moved by whole cells give hops between cells but no way out; long trees exercise path compression."""
    rng = np.random.default_rng(5)
    cells, hops = rng.integers(-4, 5, (300, 3)), rng.integers(0, 300, (2000, 2))
    offsets = cells[hops[:, 1]] - cells[hops[:, 0]]
    barriers = rng.random(2000)
    closed = measure.percolation(300, hops, offsets, barriers)
    assert np.isinf(closed.barriers_eV).all()
    more = np.vstack([offsets, cells[7] - cells[250] + [0, 0, 1]])
    opened = measure.percolation(300, np.vstack([hops, [250, 7]]), more, np.append(barriers, 2.0))
    np.testing.assert_array_equal(opened.barriers_eV, [np.inf, np.inf, 2.0])


def test_network_refusals():
    with pytest.raises(InputError, match="allowed are 0 to 1"):
        measure.percolation(2, [[0, 2]], [[0, 0, 0]], [0.1])
    with pytest.raises(InputError, match="integers"):
        measure.percolation(2, [[0, 1]], [[0.5, 0, 0]], [0.1])
    with pytest.raises(InputError, match="inf"):
        measure.percolation(2, [[0, 1]], [[0, 0, 0]], [np.inf])
