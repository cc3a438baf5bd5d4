"""Cut a batch into parts that fit into memory; on running out, halve and go on."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import torch

from simkit.arrays import Integers
from simkit.errors import SimkitError
from simkit.potential.base import Evaluations, Spreads
from simkit.structure import Batch

SHARE_OF_FREE_MEMORY = 0.8
"""Share of the free device memory one part may be planned to take while its need is an estimate."""
MEASURED_SHARE = 0.92
"""The same once it has been measured; what is left is for fragments and for systems denser than the measured ones."""
LEAST_MEASURED = 50_000
"""Edges of a part that says what an edge needs; below it, what an atom needs and rounding of blocks count too much."""
AFTER_RUNNING_OUT = 1.25
"""Factor on the bytes per edge after running out of memory: parts to come are planned smaller."""
MOST_ON_CPU = 2e9
"""Bytes of one part on a CPU: a thousand atoms and more, so nothing is gained by larger ones, and a machine that runs
out of memory ends the process instead of raising an error."""

Evaluate = Callable[[Batch, bool], Evaluations]


class EdgeMemory:
    """Bytes that one directed edge takes in an evaluation: an estimate until a part on a CUDA device has been measured.

    The allocator counts its own peak, so measuring waits for nothing. The largest measured need counts.
    """

    def __init__(self, estimate: float) -> None:
        self.bytes_per_edge = estimate
        self.measured = False

    @property
    def share(self) -> float:
        """Share of the free memory that a part may be planned to take."""
        return MEASURED_SHARE if self.measured else SHARE_OF_FREE_MEMORY

    def learn(self, peak: float, edges: float) -> None:
        """Take note of the peak, bytes, of a part of so many edges."""
        if edges < LEAST_MEASURED or not peak > 0.0:
            return
        self.bytes_per_edge = max(peak / edges, self.bytes_per_edge if self.measured else 0.0)
        self.measured = True

    def ran_out(self) -> None:
        """Plan what is to come smaller."""
        self.bytes_per_edge *= AFTER_RUNNING_OUT


def evaluate_in_parts(
    evaluate: Evaluate, batch: Batch, virials: bool, plan: tuple[torch.device, float, float | EdgeMemory]
) -> Evaluations:
    """Evaluate a batch in parts planned by directed edges; a part that runs out of memory is halved.

    plan is (device, cutoff in A, bytes per directed edge or what is known of them). Parts are planned anew when the
    need of an edge has been measured. Results come back in the order of the batch.
    Raises SimkitError when a single system does not fit.
    """
    device, cutoff_A, per_edge = plan
    memory = per_edge if isinstance(per_edge, EdgeMemory) else EdgeMemory(per_edge)
    edges = expected_edges(batch, cutoff_A)
    plan_from = lambda low: planned(edges, low, device, memory)  # noqa: E731
    known, queue, done = memory.bytes_per_edge, plan_from(0), []
    while queue:
        if known != memory.bytes_per_edge:
            known, queue = memory.bytes_per_edge, plan_from(queue[-1][0])
        low, high = queue.pop()
        part = batch if high - low == len(batch) else systems(batch, low, high)
        try:
            done.append(measured(evaluate, part, virials, (device, edges[low:high].sum(), memory)))
        except torch.OutOfMemoryError as error:
            if high - low == 1:
                raise SimkitError(
                    f"one structure of {len(part.numbers)} atoms does not fit into the memory of {device}; "
                    "use a smaller cell, float32 or a larger device."
                ) from error
            torch.cuda.empty_cache()
            memory.ran_out()
            middle = (low + high) // 2
            known, queue = memory.bytes_per_edge, [*plan_from(high), (middle, high), (low, middle)]
    return joined(done, batch)


def planned(edges: np.ndarray, low: int, device: torch.device, memory: EdgeMemory) -> list[tuple[int, int]]:
    """Ranges of the systems from `low` on, the first one last."""
    if low == len(edges):
        return []
    limit = limit_of(device, edges.sum() * memory.bytes_per_edge, memory.share)
    ranges = split_by_cost(edges[low:] * memory.bytes_per_edge, limit)
    return [(low + first, low + last) for first, last in ranges][::-1]


def measured(
    evaluate: Evaluate, part: Batch, virials: bool, known: tuple[torch.device, float, EdgeMemory]
) -> Evaluations:
    """Evaluate a part; on CUDA the allocator's peak says what its edges took. known: device, edges, memory."""
    device, edges, memory = known
    if device.type != "cuda":
        return evaluate(part, virials)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    result = evaluate(part, virials)
    memory.learn(torch.cuda.max_memory_allocated(device) - before, edges)
    return result


def limit_of(device: torch.device, cost: float, share: float) -> float:
    """Bytes that one part may take; what is small is not even asked about."""
    limit = share * free_bytes(device) if cost > 1e8 else np.inf
    return min(limit, MOST_ON_CPU) if device.type == "cpu" else limit


def expected_edges(batch: Batch, cutoff_A: float) -> np.ndarray:
    """(m,) directed edges expected from the density of each system."""
    sizes = np.diff(batch.starts)
    return sizes * sizes * (4.0 / 3.0 * np.pi * cutoff_A**3) / batch.volumes


def split_by_cost(cost: np.ndarray, limit: float) -> list[tuple[int, int]]:
    """Ranges of consecutive systems whose summed cost stays below `limit`, at least one system each."""
    ranges, low, total = [], 0, 0.0
    for system, one in enumerate(cost):
        if system > low and total + one > limit:
            ranges.append((low, system))
            low, total = system, 0.0
        total += one
    return [*ranges, (low, len(cost))]


def free_bytes(device: torch.device) -> float:
    """Memory free for one evaluation, bytes."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return float(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
    return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def systems(batch: Batch, low: int, high: int) -> Batch:
    """Systems low to high - 1 of a batch."""
    first, last = batch.starts[low], batch.starts[high]
    return Batch(
        batch.numbers[first:last],
        batch.positions[first:last],
        batch.cells[low:high],
        batch.periodic[low:high],
        batch.system_of[first:last] - low,
    )


def joined(parts: list[Evaluations], batch: Batch) -> Evaluations:
    """Evaluations of consecutive parts as those of the whole batch."""
    if len(parts) == 1:
        return parts[0]
    virials = None if parts[0].virials is None else np.concatenate([p.virials for p in parts])
    system_of: Integers = batch.system_of
    return Evaluations(
        np.concatenate([p.energy for p in parts]),
        np.concatenate([p.forces for p in parts]),
        np.concatenate([p.stress for p in parts]),
        virials,
        system_of,
        _spreads([p.spread for p in parts if p.spread is not None]),
    )


def _spreads(parts: list[Spreads]) -> Spreads | None:
    if not parts:
        return None
    told = [s.members for s in parts if s.members is not None]
    members = np.concatenate(told) if len(told) == len(parts) else None
    return Spreads(np.concatenate([s.energy for s in parts]), np.concatenate([s.forces for s in parts]), members)
