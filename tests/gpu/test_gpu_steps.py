"""Lists, padded steps, recordings and backends on a CUDA device: the numbers of the plain path, one wait a step.

None of these has run yet: they were written where no CUDA device was at hand.
"""

import warnings
from itertools import pairwise

import numpy as np
import pytest
import torch
from conformance import layered
from scalar_mace import Shape, scalar_mace
from small_mace import small_mace
from test_device_list import CUTOFF_A, by_kernels, mixed, same, table

from simkit import potential
from simkit.potential import device_list
from simkit.potential.edge_buffers import EdgeBuffers
from simkit.potential.mace import MACEPotential, Place
from simkit.potential.mace_backend import o3
from simkit.potential.replays import REPEATS
from simkit.structure import Batch

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device here"),
]
CARD = potential.Card("m", "mace", "random")
LIMITS = {torch.float64: 1e-8, torch.float32: 1e-4}
"""eV/A: other orders of summation in that precision."""


def cuda():
    return torch.device("cuda", 0)


def equivariant():
    return scalar_mace(Shape(correlation=3), hidden_irreps=o3.Irreps("4x0e+4x1o"))


def made(module=small_mace, dtype=torch.float64, **means):
    return MACEPotential(module(), CARD, Place(cuda(), dtype, path="torch", **means))


def structures():
    lone = layered().take([0])
    return [layered(seed=1), layered(seed=2).repeated(2, 2, 1), lone.moved_to(lone.positions, 9.0 * np.eye(3))]


def stepped(step):
    rng = np.random.default_rng(step)
    return Batch.of([s.moved_to(s.positions + 0.01 * rng.normal(size=s.positions.shape)) for s in structures()])


def alike(a, b, dtype):
    limit = LIMITS[dtype] * max(1.0, np.abs(b.forces).max())
    assert (np.abs(a.energy - b.energy) / np.bincount(b.system_of)).max() < limit
    assert np.abs(a.forces - b.forces).max() < limit
    assert np.abs(a.virials - b.virials).max() < 10 * limit


def test_the_list_on_the_device_is_that_of_the_kernels():
    batch = mixed(np.random.default_rng(2))
    found = device_list.find_candidates(batch, CUTOFF_A, 0.4, cuda())
    places = torch.from_numpy(device_list.packed_places(found, batch)).to(cuda())
    buffers = EdgeBuffers.of(9000, len(batch.numbers), CUTOFF_A, places)
    count = int(device_list.fill(found, places, CUTOFF_A, buffers))
    assert count == device_list.count_within(found, places, CUTOFF_A)
    sender, receiver = buffers.edge_index[:, :count].cpu().numpy()
    same(table(sender, receiver, buffers.edge_vectors[:count].cpu().numpy()), by_kernels(batch))


@pytest.mark.parametrize("dtype", LIMITS)
@pytest.mark.parametrize("module", [small_mace, equivariant])
@pytest.mark.parametrize("graphs", ["off", "on"])
def test_steps_are_those_of_edges_from_the_host(module, dtype, graphs):
    ours, theirs = made(module, dtype, graphs=graphs), made(module, dtype, neighbours="host")
    assert ours.steps is not None
    for step in range(REPEATS + 4):
        alike(*(p.evaluate_batch(stepped(step), virials=True) for p in (ours, theirs)), dtype)
    if graphs == "on":
        assert ours.replays.replayed >= 4
        assert ours.replays.reason is None


def test_a_step_waits_for_the_device_once():
    p = made(dtype=torch.float32)
    for step in range(3):
        p.evaluate_batch(stepped(step))
    searches = p.steps.searches
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            p.evaluate_batch(stepped(3))
        finally:
            torch.cuda.set_sync_debug_mode("default")
    assert p.steps.searches == searches
    assert len([w for w in caught if "called a synchronizing" in str(w.message)]) == 1


@pytest.mark.parametrize("dtype", LIMITS)
@pytest.mark.parametrize("module", [small_mace, equivariant])
@pytest.mark.parametrize(
    ("backend", "package"), [("cueq", "cuequivariance_ops_torch"), ("oeq", "openequivariance"), ("compile", "triton")]
)
def test_a_backend_says_what_the_plain_module_says(backend, package, module, dtype):
    pytest.importorskip(package)
    ours, theirs = made(module, dtype, backend=backend), made(module, dtype, neighbours="host")
    alike(*(p.evaluate_batch(stepped(1), virials=True) for p in (ours, theirs)), dtype)


def test_a_batch_larger_than_the_memory_is_split_and_nothing_is_lost():
    """Real errors of the allocator: this process may take 1 GB."""
    p = made(dtype=torch.float32)
    some = [layered(seed=k).repeated(3, 3, 1) for k in range(96)]
    wanted = [p.evaluate([s])[0] for s in some]
    total = torch.cuda.get_device_properties(cuda()).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(1e9 / total, cuda())
    try:
        said = p.evaluate(some * 2)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, cuda())
    for a, b in zip(said, wanted * 2, strict=True):
        assert abs(a.energy - b.energy) < 1e-5 * len(b.forces) * max(1.0, np.abs(b.forces).max())
        assert np.abs(a.forces - b.forces).max() < 1e-4 * max(1.0, np.abs(b.forces).max())


def test_memory_grows_with_edges_not_faster():
    p = made(dtype=torch.float32)
    per_edge = []
    for repeats in ((6, 6, 2), (12, 6, 2), (12, 12, 2)):
        batch = Batch.of([layered().repeated(*repeats)])
        p.evaluate_batch(batch)
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        p.evaluate_batch(batch)
        per_edge.append((torch.cuda.max_memory_allocated() - before) / len(batch.numbers))
    assert all(b < 1.1 * a for a, b in pairwise(per_edge))
