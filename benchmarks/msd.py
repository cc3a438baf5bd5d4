"""C8: mean squared displacements at all lags, 128 ions x 20,000 frames, against tidynamics; C9: 100,000 positions to
the nearest of 128 sites in a tilted cell against a numba loop over all of them, with equal results.

Both are timed in CPU time of their one thread, which other work on the machine disturbs little. Run:
python benchmarks/msd.py
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from importlib.metadata import version

import numba
import numpy as np
from rows import Row, main, of_blocks
from tidynamics import msd

from simkit.kernels.correlation import squares_at_all_lags
from simkit.measure import site_table

FRAMES, IONS, POINTS, SITES = 20_000, 128, 100_000, 128
CELL = np.array([[17.4, 0.0, 0.0], [-8.7, 15.07, 0.0], [2.9, 1.7, 22.0]])
BLOCKS = 5
Pairs = list[tuple[float, float]]
"""CPU seconds of ours and theirs in each block."""


def timed(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.thread_time()
    work()
    return time.thread_time() - start


@numba.njit
def nearest_of_all(points: np.ndarray, sites: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """(p,) squared distance to the nearest image of any site, of points and sites given as fractions in [0, 1)."""
    out = np.full(len(points), np.inf)
    for p in range(len(points)):
        for s in range(len(sites)):
            for image in range(27):
                a = sites[s, 0] - points[p, 0] + image // 9 - 1
                b = sites[s, 1] - points[p, 1] + image // 3 % 3 - 1
                c = sites[s, 2] - points[p, 2] + image % 3 - 1
                x = a * cell[0, 0] + b * cell[1, 0] + c * cell[2, 0]
                y = a * cell[0, 1] + b * cell[1, 1] + c * cell[2, 1]
                z = a * cell[0, 2] + b * cell[1, 2] + c * cell[2, 2]
                out[p] = min(out[p], x * x + y * y + z * z)
    return out


def lags() -> Pairs:
    """C8: the sum over directions, parity first."""
    walk = np.cumsum(np.random.default_rng(0).normal(size=(FRAMES, IONS, 3)), axis=0)

    def theirs() -> np.ndarray:
        return np.array([msd(walk[:, k]) for k in range(IONS)])

    ours, other = squares_at_all_lags(walk).sum(axis=2).T[:, 1:-100], theirs()[:, 1:-100]
    worst = np.abs(ours / other - 1.0).max()
    if worst > 1e-8:
        raise SystemExit(f"C8: results differ by {worst:.1e} of themselves")
    return [(timed(lambda: squares_at_all_lags(walk)), timed(theirs)) for _ in range(BLOCKS)]


def sites() -> Pairs:
    """C9: the table is built before the clock starts, as for a run of many frames; parity first."""
    rng = np.random.default_rng(1)
    homes, points = rng.random((SITES, 3)), rng.random((POINTS, 3))
    places, positions = homes @ CELL, points @ CELL
    table = site_table(places, CELL)
    found = table.nearest(positions)
    away = places[found[:, 0]] + found[:, 1:] @ CELL - positions
    worst = np.abs((away**2).sum(axis=1) - nearest_of_all(points, homes, CELL)).max()
    if worst > 1e-9:
        raise SystemExit(f"C9: squared distances differ by {worst:.1e} A^2")
    return [
        (timed(lambda: table.nearest(positions)), timed(lambda: nearest_of_all(points, homes, CELL)))
        for _ in range(BLOCKS)
    ]


def rows() -> Iterator[Row]:
    """Interleaved blocks, parity first."""
    mine, other, spread = of_blocks(sites())
    what = f"{POINTS} positions to the nearest of {SITES} sites"
    yield Row("C9", what, "all sites and images", 1e3 * mine, 1e3 * other, "ms", 1 / 30, spread)
    mine, other, spread = of_blocks(lags())
    what, peer = f"all-lag MSD of {IONS} ions x {FRAMES} frames", f"tidynamics {version('tidynamics')}"
    yield Row("C8", what, peer, 1e3 * mine, 1e3 * other, "ms", 1 / 1.5, spread)


if __name__ == "__main__":
    main(rows)
