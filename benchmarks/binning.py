"""C9: binning 100,000 virials onto a 64 x 64 x 64 grid, against numpy.add.at, with equal results.

Both add frame after frame to a grid that is already there, a block of frames in turn, and both are timed in CPU time of
their one thread, which other work on the machine disturbs little. Run: python benchmarks/binning.py
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
from rows import Row, main, of_blocks

from simkit.kernels.binning import bin_values

GOAL = 1 / 20
ATOMS = 100_000
SHAPE = (64, 64, 64)
BLOCKS, FRAMES = 9, 10


def numpy_bins(fractional: np.ndarray, values: np.ndarray, out: np.ndarray) -> np.ndarray:
    """The same sums by numpy.add.at."""
    cells = ((fractional - np.floor(fractional)) * SHAPE).astype(np.int64) % SHAPE
    np.add.at(out, tuple(cells.T), values)
    return out


def timed(work: Callable[[], object]) -> float:
    """CPU seconds of one frame, of a block of them."""
    start = time.thread_time()
    for _ in range(FRAMES):
        work()
    return (time.thread_time() - start) / FRAMES


def rows() -> Iterator[Row]:
    """Interleaved blocks, medians, parity first."""
    rng = np.random.default_rng(0)
    fractional, virials = rng.random((ATOMS, 3)), rng.normal(size=(ATOMS, 6))
    ours, theirs = np.zeros((*SHAPE, 6)), np.zeros((*SHAPE, 6))
    bin_values(fractional, virials, SHAPE, onto=ours)
    numpy_bins(fractional, virials, theirs)
    worst = float(np.abs(ours - theirs).max())
    if worst > 1e-12:
        raise SystemExit(f"C9: results differ by {worst:.1e}")
    pairs = [
        (
            timed(lambda: bin_values(fractional, virials, SHAPE, onto=ours)),
            timed(lambda: numpy_bins(fractional, virials, theirs)),
        )
        for _ in range(BLOCKS)
    ]
    mine, other, spread = of_blocks(pairs)
    what = f"{ATOMS} virials on a grid of {SHAPE[0]}^3"
    yield Row("C9", what, "numpy.add.at", 1e3 * mine, 1e3 * other, "ms", GOAL, spread)


if __name__ == "__main__":
    main(rows)
