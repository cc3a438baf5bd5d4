"""Long row-wise work cut into one share per thread, each share running its torch operations on its own.

Letting torch thread every operation means thousands of barriers per evaluation; on a machine that is busy with
something else each of them can cost a time slice. Here there is one per call.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from threading import Barrier

import torch
from torch import Tensor

FEWEST_ROWS = 256
"""A share smaller than this is not worth a thread."""

Work = Callable[[slice], Sequence[Tensor | None]]


def summed(work: Work, rows: int, device: torch.device) -> list[Tensor | None]:
    """Run `work` on shares of [0, rows) and add up what the shares return, in their order.

    On the CPU there are as many shares as torch has threads, elsewhere one. The work must not need gradients.
    """
    threads = torch.get_num_threads() if device.type == "cpu" else 1
    count = max(1, min(threads, rows // FEWEST_ROWS))
    edges = [rows * k // count for k in range(count + 1)]
    shares = [slice(low, high) for low, high in pairwise(edges)]
    if threads == 1:
        results = [without_gradients(work, share) for share in shares]
    else:
        results = list(pool(threads, os.getpid()).map(lambda share: without_gradients(work, share), shares))
    return [added(column) for column in zip(*results, strict=True)]


def without_gradients(work: Work, share: slice) -> Sequence[Tensor | None]:
    """Threads start with gradients recorded; here they are not."""
    with torch.no_grad():
        return work(share)


def added(tensors: Sequence[Tensor | None]) -> Tensor | None:
    """Sum into the first; None stays None."""
    total = tensors[0]
    for tensor in tensors[1:]:
        if total is not None:
            total += tensor
    return total


@lru_cache(maxsize=4)
def pool(threads: int, process: int) -> ThreadPoolExecutor:
    """Workers whose own torch operations run in one thread; one pool per process, since forks lose threads."""
    del process
    together = Barrier(threads)
    workers = ThreadPoolExecutor(threads, thread_name_prefix="simkit", initializer=torch.set_num_threads, initargs=(1,))
    list(workers.map(lambda _: together.wait(), range(threads)))
    torch.set_num_threads(threads)  # a worker's own setting is also what later threads would start with
    return workers
