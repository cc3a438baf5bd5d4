"""The list in torch is that of the kernels: the same edges in any cell, also after atoms and cells have moved."""

import numpy as np
import pytest
import torch

from simkit.errors import InputError
from simkit.kernels.edges import edges_of
from simkit.kernels.neighbours import pairs_within
from simkit.potential import device_list
from simkit.potential.edge_buffers import EdgeBuffers
from simkit.structure import Batch

CPU = torch.device("cpu")
CELLS = {
    "cubic": np.eye(3) * 7.0,
    "thin": np.diag([9.0, 8.0, 1.1]),
    "smaller than the cutoff": np.diag([2.0, 2.3, 2.1]),
    "large": np.diag([21.0, 17.0, 14.0]),
    "hexagonal": np.array([[2.9, 0, 0], [-1.45, 2.511, 0], [0, 0, 11.0]]),
    "one layer, leaning by 0.8": np.array([[2.9, 0, 0], [-1.45, 2.511, 0], [2.32, 0, 5.2]]),
    "three layers, leaning by three cells": np.array([[2.9, 0, 0], [1.45, 2.511, 0], [8.9, -4.1, 15.6]]),
    "needle": np.array([[1.9, 0, 0], [0.4, 1.7, 0], [0.9, -0.8, 23.0]]),
    "sheared beyond one half": np.array([[4.0, 0, 0], [3.1, 4.5, 0], [-7.3, 6.2, 5.0]]),
    "left-handed": np.array([[0, 5.0, 0], [6.0, 0, 0], [0, 1.0, 4.0]]),
}
CUTOFF_A = 4.1


def batch_of(systems):
    """Fractional coordinates (n, 3), cell and periodicity of each as a batch."""
    sizes = [len(f) for f, _, _ in systems]
    return Batch(
        np.full(sum(sizes), 8),
        np.concatenate([f @ cell for f, cell, _ in systems]),
        np.stack([cell for _, cell, _ in systems]),
        np.array([periodic for _, _, periodic in systems], dtype=bool),
        np.repeat(np.arange(len(sizes)), sizes),
    )


def by_kernels(batch, cutoff=CUTOFF_A):
    """Sender, receiver and vector of every edge, rows in an order of their own."""
    pairs = pairs_within(batch.positions, batch.cells, batch.periodic, batch.starts, cutoff)
    edges = edges_of(pairs, len(batch.numbers))
    return table(edges.sender, edges.receiver, edges.vectors)


def by_torch(found, batch, cutoff=CUTOFF_A, capacity=None):
    places = torch.from_numpy(device_list.packed_places(found, batch))
    count = device_list.count_within(found, places, cutoff)
    buffers = EdgeBuffers.of(count if capacity is None else capacity, len(batch.numbers), cutoff, places)
    assert int(device_list.fill(found, places, cutoff, buffers)) == count
    sender, receiver = buffers.edge_index[:, :count].numpy()
    return table(sender, receiver, buffers.edge_vectors[:count].numpy())


def table(sender, receiver, vectors):
    """Rows that two lists can be compared by: atoms, then vectors to 1e-9 A."""
    rows = np.column_stack([sender, receiver, np.round(vectors, 9) + 0.0])
    return rows[np.lexsort(rows.T)]


def same(a, b):
    assert len(a) == len(b)
    np.testing.assert_allclose(a, b, atol=3e-9)


@pytest.mark.parametrize("skin", [0.0, 0.6])
@pytest.mark.parametrize("periodic", [(1, 1, 1), (1, 1, 0), (0, 1, 0), (0, 0, 0)])
@pytest.mark.parametrize("name", CELLS)
def test_edges_are_those_of_the_kernels_in_any_cell(name, periodic, skin):
    rng = np.random.default_rng(1)
    cell = CELLS[name]
    batch = batch_of([(rng.uniform(-1.5, 2.5, size=(7, 3)), cell, periodic)])
    found = device_list.find_candidates(batch, CUTOFF_A, skin, CPU)
    same(by_torch(found, batch), by_kernels(batch))


def mixed(rng):
    """All of the cells at once, with a lone atom, a crowded one, and one that reaches out of its cell."""
    systems = [(rng.uniform(-1, 2, size=(rng.integers(2, 9), 3)), cell, (1, 1, 1)) for cell in CELLS.values()]
    systems += [(rng.uniform(size=(90, 3)), np.diag([11.0, 10.0, 9.0]) + rng.normal(size=(3, 3)), (1, 1, 0))]
    systems += [(np.zeros((1, 3)), 9.0 * np.eye(3), (1, 1, 1)), (np.array([[40.0, -30, 2]]), np.eye(3) * 3, (1, 0, 1))]
    return batch_of(systems)


def test_a_batch_of_unlike_cells_is_that_of_the_kernels_however_it_is_searched(monkeypatch):
    batch = mixed(np.random.default_rng(2))
    wanted = by_kernels(batch)
    assert len(wanted) > 3000
    same(by_torch(device_list.find_candidates(batch, CUTOFF_A, 0.3, CPU), batch), wanted)
    monkeypatch.setattr(device_list, "MOST_AT_ONCE", 500)
    same(by_torch(device_list.find_candidates(batch, CUTOFF_A, 0.3, CPU), batch), wanted)


@pytest.mark.parametrize("seed", range(12))
def test_random_cells(seed):
    rng = np.random.default_rng(seed)
    systems = []
    for _ in range(6):
        cell = rng.normal(size=(3, 3)) * rng.uniform(1.0, 9.0, size=(3, 1)) + 1.5 * np.eye(3)
        if abs(np.linalg.det(cell)) < 4.0:
            cell += 4.0 * np.eye(3)
        systems.append((rng.normal(size=(rng.integers(1, 14), 3)), cell, rng.integers(0, 2, size=3)))
    batch = batch_of(systems)
    same(by_torch(device_list.find_candidates(batch, 3.3, 0.4, CPU), batch, 3.3), by_kernels(batch, 3.3))


def test_a_list_serves_later_steps_until_something_moved_too_far():
    rng = np.random.default_rng(3)
    first = mixed(rng)
    found = device_list.find_candidates(first, CUTOFF_A, 0.5, CPU)
    held = 0
    for step in range(1, 40):
        push = 0.01 * step * rng.uniform(-1, 1, size=first.positions.shape)
        strain = np.eye(3) + 0.001 * step * rng.uniform(-1, 1, size=(len(first), 3, 3))
        cells = np.einsum("mab,mbc->mac", first.cells, strain)
        moved = np.einsum("na,nab->nb", first.positions, strain[first.system_of]) + push
        batch = first.moved_to(moved, cells)
        if not device_list.still_holds(found, batch, CUTOFF_A):
            break
        held += 1
        same(by_torch(found, batch), by_kernels(batch))
    assert 3 < held < 39, "it holds for a while and gives up in time"


def test_the_bound_on_motion_is_sharp():
    """Two atoms run at each other from just outside cutoff + skin: the list holds until they may meet, not longer."""
    cell, skin = 30.0 * np.eye(3), 0.5
    apart = CUTOFF_A + skin + 1e-6
    first = batch_of([(np.array([[0.1, 0.1, 0.1], [0.1 + apart / 30.0, 0.1, 0.1]]), cell, (1, 1, 1))])
    found = device_list.find_candidates(first, CUTOFF_A, skin, CPU)
    assert len(found.candidates) == 0
    for each, holds in ((0.249, True), (0.251, False)):
        step = np.array([[each, 0, 0], [-each, 0, 0]])
        assert device_list.still_holds(found, first.moved_to(first.positions + step), CUTOFF_A) is holds
    for scale, holds in ((CUTOFF_A / (CUTOFF_A + skin) + 1e-3, True), (CUTOFF_A / (CUTOFF_A + skin) - 1e-3, False)):
        squeezed = first.moved_to(first.positions * scale, first.cells * scale)
        assert device_list.still_holds(found, squeezed, CUTOFF_A) is holds


def test_another_batch_never_gets_the_list_of_this_one():
    rng = np.random.default_rng(4)
    one = batch_of([(rng.uniform(size=(4, 3)), CELLS["cubic"], (1, 1, 1))] * 2)
    found = device_list.find_candidates(one, CUTOFF_A, 0.5, CPU)
    assert device_list.still_holds(found, one, CUTOFF_A)
    whole = batch_of([(rng.uniform(size=(8, 3)), CELLS["cubic"], (1, 1, 1))])
    assert not device_list.still_holds(found, whole, CUTOFF_A)
    free = Batch(one.numbers, one.positions, one.cells, np.zeros((2, 3), dtype=bool), one.system_of)
    assert not device_list.still_holds(found, free, CUTOFF_A)
    jumped = one.moved_to(one.positions + one.cells[0][0])
    assert not device_list.still_holds(found, jumped, CUTOFF_A), "an atom put back into its cell is another place"


def test_the_vectors_of_a_pair_are_exactly_opposite():
    batch = mixed(np.random.default_rng(5))
    found = device_list.find_candidates(batch, CUTOFF_A, 0.0, CPU)
    rows = by_torch(found, batch)
    mirrored = rows[:, [1, 0, 2, 3, 4]] * np.array([1, 1, -1, -1, -1]) + 0.0
    np.testing.assert_array_equal(mirrored[np.lexsort(mirrored.T)], rows)


def test_a_shell_exactly_at_the_cutoff_is_left_out():
    fcc = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    batch = batch_of([(fcc, 4.0 * np.eye(3), (1, 1, 1))])
    assert len(by_torch(device_list.find_candidates(batch, 4.0, 0.0, CPU), batch, 4.0)) == 4 * 12


def test_edges_beyond_what_the_buffers_hold_are_counted():
    batch = mixed(np.random.default_rng(6))
    found = device_list.find_candidates(batch, CUTOFF_A, 0.2, CPU)
    places = torch.from_numpy(device_list.packed_places(found, batch))
    wanted = device_list.count_within(found, places, CUTOFF_A)
    small = EdgeBuffers.of(10, len(batch.numbers), CUTOFF_A, places)
    assert int(device_list.fill(found, places, CUTOFF_A, small)) == wanted > 10
    same(by_torch(found, batch, capacity=wanted + 37), by_kernels(batch))


def test_padding_lies_beyond_the_cutoff():
    batch = mixed(np.random.default_rng(7))
    found = device_list.find_candidates(batch, CUTOFF_A, 0.2, CPU)
    places = torch.from_numpy(device_list.packed_places(found, batch))
    buffers = EdgeBuffers.of(9000, len(batch.numbers), CUTOFF_A, places)
    count = int(device_list.fill(found, places, CUTOFF_A, buffers))
    lengths = buffers.edge_vectors.norm(dim=1)
    assert (lengths[:count] < CUTOFF_A).all()
    assert (lengths[count:] == 2 * CUTOFF_A).all()
    assert (buffers.edge_index[0, count:] == buffers.edge_index[1, count:]).all()


def test_what_makes_no_sense_is_refused():
    batch = batch_of([(np.zeros((1, 3)), np.eye(3), (1, 1, 1))])
    with pytest.raises(InputError, match="cutoff"):
        device_list.find_candidates(batch, 0.0, 0.0, CPU)
    with pytest.raises(InputError, match="images"):
        device_list.find_candidates(batch, 400.0, 0.0, CPU)
    broken = batch.moved_to(np.full((1, 3), np.nan))
    with pytest.raises(InputError, match="not finite"):
        device_list.find_candidates(broken, 2.0, 0.0, CPU)
