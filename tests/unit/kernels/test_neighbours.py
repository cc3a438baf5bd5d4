"""The neighbour list against a brute-force sum over images, ASE and its own symmetries."""

from itertools import pairwise

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import primitive_neighbor_list

from simkit.errors import InputError
from simkit.kernels.angles import angles_between
from simkit.kernels.edges import edges_of
from simkit.kernels.neighbours import pairs_within

CELLS = {
    "cubic": np.eye(3) * 7.0,
    "thin": np.diag([9.0, 8.0, 1.1]),
    "smaller than the cutoff": np.diag([2.0, 2.3, 2.1]),
    "hexagonal": np.array([[2.9, 0, 0], [-1.45, 2.511, 0], [0, 0, 11.0]]),
    "one layer, leaning by 0.8": np.array([[2.9, 0, 0], [-1.45, 2.511, 0], [2.32, 0, 5.2]]),
    "three layers, leaning by three cells": np.array([[2.9, 0, 0], [1.45, 2.511, 0], [8.9, -4.1, 15.6]]),
    "needle": np.array([[1.9, 0, 0], [0.4, 1.7, 0], [0.9, -0.8, 23.0]]),
    "sheared beyond one half": np.array([[4.0, 0, 0], [3.1, 4.5, 0], [-7.3, 6.2, 5.0]]),
}


def brute_force(positions, cell, periodic, cutoff):
    """Every directed edge (sender, receiver, shift) by trying all images."""
    heights = abs(np.linalg.det(cell)) / np.linalg.norm(np.cross(np.roll(cell, -1, 0), np.roll(cell, -2, 0)), axis=1)
    spread = np.ptp(positions @ np.linalg.inv(cell), axis=0)
    most = np.where(periodic, np.ceil(cutoff / heights + spread), 0).astype(int) + periodic
    grid = np.stack(np.meshgrid(*(np.arange(-m, m + 1) for m in most), indexing="ij"), -1).reshape(-1, 3)
    vectors = positions[None, :, None] - positions[:, None, None] + (grid @ cell)[None, None]
    inside = (vectors**2).sum(-1) < cutoff**2
    inside &= ~((np.eye(len(positions), dtype=bool)[:, :, None]) & (grid == 0).all(1)[None, None])
    return {(i, j, *grid[s]) for i, j, s in np.argwhere(inside)}


def shifts_of(pairs, edges):
    """(e, 3) images of the cell along each edge: those of its pair, the other way round against it."""
    shifts = pairs.shifts[edges.pair_of]
    shifts[edges.edges_of[:, 1]] *= -1
    return shifts


@pytest.mark.parametrize("periodic", [(1, 1, 1), (1, 1, 0), (0, 1, 0), (0, 0, 0)])
@pytest.mark.parametrize("name", CELLS)
def test_edges_are_those_of_brute_force(name, periodic):
    rng = np.random.default_rng(1)
    cell, periodic = CELLS[name], np.array(periodic, dtype=bool)
    positions = rng.uniform(-1.5, 2.5, size=(5, 3)) @ cell  # far outside the first cell
    cutoff = 4.1
    pairs = pairs_within(positions, cell[None], periodic[None], [0, 5], cutoff)
    edges = edges_of(pairs, 5)
    shifts = shifts_of(pairs, edges)
    found = [(i, j, *s) for i, j, s in zip(edges.sender, edges.receiver, shifts, strict=True)]
    assert len(set(found)) == len(found)
    assert set(found) == brute_force(positions, cell, periodic, cutoff)
    vectors = positions[edges.receiver] - positions[edges.sender] + shifts @ cell
    np.testing.assert_allclose(edges.vectors, vectors, atol=1e-12)  # rounding of coordinates near 20 A
    assert pairs.lengths.max(initial=0.0) < cutoff


def test_edges_agree_with_ase_for_a_larger_cell():
    rng = np.random.default_rng(2)
    cell = np.array([[9.0, 0, 0], [4.0, 8.0, 0], [-5.0, 2.0, 10.0]])
    positions = rng.uniform(size=(60, 3)) @ cell
    pairs = pairs_within(positions, cell[None], np.ones((1, 3)), [0, 60], 5.0)
    edges = edges_of(pairs, 60)
    atoms = Atoms("Ar60", positions=positions, cell=cell, pbc=True)
    i, j, s = primitive_neighbor_list("ijS", atoms.pbc, atoms.cell, atoms.positions, 5.0)
    theirs = {(*t,) for t in np.column_stack([i, j, s])}
    ours = {(*t,) for t in np.column_stack([edges.sender, edges.receiver, shifts_of(pairs, edges)])}
    assert ours == theirs


def test_a_batch_is_its_systems_one_by_one():
    rng = np.random.default_rng(3)
    cells = np.stack([CELLS["hexagonal"], CELLS["cubic"], CELLS["thin"]])
    periodic = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0]], dtype=bool)
    starts = np.array([0, 4, 9, 11])
    positions = rng.uniform(size=(11, 3)) * 6
    together = pairs_within(positions, cells, periodic, starts, 4.0)
    vectors = []
    for m, (low, high) in enumerate(pairwise(starts)):
        one = pairs_within(positions[low:high], cells[m : m + 1], periodic[m : m + 1], [0, high - low], 4.0)
        vectors.append(one.vectors)
    np.testing.assert_array_equal(together.vectors, np.concatenate(vectors))


def test_edges_come_sorted_with_their_reverse():
    rng = np.random.default_rng(4)
    pairs = pairs_within(rng.uniform(size=(8, 3)) * 3, np.eye(3)[None] * 3, np.ones((1, 3)), [0, 8], 3.5)
    edges = edges_of(pairs, 8)
    assert (np.diff(edges.receiver) >= 0).all()
    along, against = edges.edges_of.T
    np.testing.assert_array_equal(edges.vectors[along], pairs.vectors)
    np.testing.assert_array_equal(edges.vectors[against], -pairs.vectors)  # exactly: no pair may lose its partner
    np.testing.assert_array_equal(edges.pair_of[along], np.arange(len(pairs)))
    np.testing.assert_array_equal(edges.receiver, np.repeat(np.arange(8), np.diff(edges.starts)))


def test_a_shell_exactly_at_the_cutoff_is_left_out_with_both_directions_or_kept_with_both():
    cell = np.eye(3) * 4.0
    fcc = np.array([[0, 0, 0], [0, 2, 2], [2, 0, 2], [2, 2, 0.0]])
    edges = edges_of(pairs_within(fcc, cell[None], np.ones((1, 3)), [0, 4], 4.0), 4)
    assert len(edges) == 4 * 12


@pytest.mark.parametrize("cutoff", [0.0, -1.0, np.nan, np.inf])
def test_a_cutoff_that_is_no_length_is_refused(cutoff):
    with pytest.raises(InputError, match="cutoff"):
        pairs_within(np.zeros((1, 3)), np.eye(3)[None], np.ones((1, 3)), [0, 1], cutoff)


def test_positions_that_are_not_finite_are_refused():
    with pytest.raises(InputError, match="not finite"):
        pairs_within(np.full((1, 3), np.nan), np.eye(3)[None], np.ones((1, 3)), [0, 1], 2.0)


def test_angles_are_all_ordered_pairs_of_bonds_at_an_atom():
    centre = np.array([0, 0, 0, 2, 3, 3])
    angles = angles_between(centre)
    wanted = [(a, b) for a in range(6) for b in range(6) if a != b and centre[a] == centre[b]]
    assert list(zip(angles.first, angles.second, strict=True)) == wanted
    assert (np.sort(np.column_stack([angles.first, angles.second]), axis=1) == angles.pairs[angles.pair_of]).all()
    assert len(angles_between(np.zeros(0, dtype=int))) == 0
