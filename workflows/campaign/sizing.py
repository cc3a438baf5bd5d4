"""How much goes to one worker in one go, by the memory that the planner expects an evaluation to take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import ceil
from typing import TypeVar

from simkit.potential.planner import expected_edges
from simkit.structure import Batch, Structure

REACH_A = 6.0
"""Within which edges are counted: CHGNet's reach, and that of the longest MACE models in use, A."""
BYTES_PER_EDGE = {"float32": 50_000.0, "float64": 100_000.0}
"""Of the hungriest model that simkit loads, MACE with 128 channels. A worker's planner cuts what it is given by its
own model's number and the memory that is free then: here it is decided only how much one worker is given."""
DEFAULT_GB = {"cpu": 2.0}
"""A batch on a CPU: a thousand atoms and more, beyond which nothing is gained."""
OTHER_GB = 16.0
"""A batch on any other device."""

Item = TypeVar("Item")


def memory_MB(structure: Structure, dtype: str) -> float:
    """What one evaluation of a structure is expected to take."""
    return round(float(expected_edges(Batch.of([structure]), REACH_A)[0]) * BYTES_PER_EDGE[dtype] / 1e6, 3)


def limit_MB(batch_GB: float | None, device: str) -> float:
    """Most memory of one batch: as the campaign says, else as becomes the device."""
    return 1e3 * (DEFAULT_GB.get(device, OTHER_GB) if batch_GB is None else batch_GB)


def parts(count: int, each_MB: float, most_MB: float, spread: int) -> int:
    """In how many parts `count` equal items are cut: none of several above the limit, and `spread` at least where there
    are so many items."""
    most_items = max(1, int(most_MB // each_MB))
    return max(1, min(count, max(ceil(count / most_items), spread)))


def batches(
    items: Sequence[Item], sizes_MB: Mapping[Item, float], most_MB: float, spread: int
) -> Iterator[tuple[Item, ...]]:
    """Consecutive items together, none of several above the limit, and `spread` batches where there are so many."""
    most_items = max(1, ceil(len(items) / spread))
    batch: list[Item] = []
    for item in items:
        if batch and (len(batch) == most_items or _sum(batch, sizes_MB) + sizes_MB[item] > most_MB):
            yield tuple(batch)
            batch = []
        batch.append(item)
    if batch:
        yield tuple(batch)


def _sum(items: Iterable[Item], sizes_MB: Mapping[Item, float]) -> float:
    return sum(sizes_MB[item] for item in items)
