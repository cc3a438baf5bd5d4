"""C9: binning 100,000 virials onto a 64 x 64 x 64 grid, against numpy.add.at, with equal results.

Both add frame after frame to a grid that is already there, a block of frames in turn, and both are timed in CPU time of
their one thread, which other work on the machine disturbs little. Run as `python benchmarks/binning.py`; prints one
row: id, ours, theirs, ratio, spread, machine, versions.
"""

from __future__ import annotations

import platform
import statistics
import sys
import time
from collections.abc import Callable

import numba
import numpy as np

from simkit.kernels.binning import bin_values

GOAL = 20.0
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


def main() -> int:
    """Interleaved blocks, medians, parity first; returns 1 when the goal is missed."""
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
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratios = sorted(b / a for a, b in pairs)
    row = {
        "id": "C9 grid virial vs np.add.at",
        "ours": f"{mine * 1e3:.2f} ms",
        "theirs": f"{other * 1e3:.1f} ms",
        "ratio": f"{other / mine:.1f}x (goal >= {GOAL:.0f}x)",
        "spread": f"{ratios[0]:.1f}-{ratios[-1]:.1f}x",
        "machine": f"{platform.machine()}, {platform.system()}",
        "versions": f"numpy {np.__version__}, numba {numba.__version__}",
    }
    sys.stdout.write(" | ".join(f"{key}: {value}" for key, value in row.items()) + "\n")
    return 0 if other / mine >= GOAL else 1


if __name__ == "__main__":
    raise SystemExit(main())
