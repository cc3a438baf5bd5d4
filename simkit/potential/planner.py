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
"""Share of the free device memory one part may be planned to take."""
MOST_ON_CPU = 2e9
"""Bytes of one part on a CPU: a thousand atoms and more, so nothing is gained by larger ones, and a machine that runs
out of memory ends the process instead of raising an error."""

Evaluate = Callable[[Batch, bool], Evaluations]


def evaluate_in_parts(
    evaluate: Evaluate, batch: Batch, virials: bool, plan: tuple[torch.device, float, float]
) -> Evaluations:
    """Evaluate a batch in parts planned by directed edges; a part that runs out of memory is halved.

    plan is (device, cutoff in A, bytes per directed edge). Results come back in the order of the batch.
    Raises SimkitError when a single system does not fit.
    """
    device, cutoff_A, bytes_per_edge = plan
    cost = expected_edges(batch, cutoff_A) * bytes_per_edge
    limit = SHARE_OF_FREE_MEMORY * free_bytes(device) if cost.sum() > 1e8 else np.inf
    limit = min(limit, MOST_ON_CPU) if device.type == "cpu" else limit
    queue = split_by_cost(cost, limit)[::-1]
    done = []
    while queue:
        low, high = queue.pop()
        part = batch if high - low == len(batch) else systems(batch, low, high)
        try:
            done.append(evaluate(part, virials))
        except torch.OutOfMemoryError as error:
            if high - low == 1:
                raise SimkitError(
                    f"one structure of {len(part.numbers)} atoms does not fit into the memory of {device}; "
                    "use a smaller cell, float32 or a larger device."
                ) from error
            torch.cuda.empty_cache()
            middle = (low + high) // 2
            queue += [(middle, high), (low, middle)]
    return joined(done, batch)


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
    spreads = [p.spread for p in parts if p.spread is not None]
    spread = None
    if spreads:
        spread = Spreads(np.concatenate([s.energy for s in spreads]), np.concatenate([s.forces for s in spreads]))
    system_of: Integers = batch.system_of
    return Evaluations(
        np.concatenate([p.energy for p in parts]),
        np.concatenate([p.forces for p in parts]),
        np.concatenate([p.stress for p in parts]),
        virials,
        system_of,
        spread,
    )
