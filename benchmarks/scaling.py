"""How the cost of a step grows: with atoms, with structures in a batch, and with the workload until memory is full.

Writes results/MACHINE/scaling-POTENTIAL.png and prints the points. Usage: python benchmarks/scaling.py [SPEC ...]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rows import Row, machine, main

from simkit import plot, potential
from simkit.workflows import bench

SPECS = ("simkit:nalox",)
WORKLOADS = (1, 4, 16, 64, 256)
"""Structures of 72 atoms in the largest batches: the planner cuts what memory does not hold."""


def series(name: str, points: tuple[bench.Point, ...], by: str, scale: float) -> plot.Scaling:
    """Points of a plot: us per atom, or for a workload (scale 1e3) ms of the whole batch."""
    grows = np.array([getattr(p, by) for p in points])
    per = np.array([1.0 if scale == 1e3 else p.atoms for p in points])
    seconds, lists = (np.array([getattr(p, key) for p in points]) for key in ("seconds", "list_s"))
    return plot.Scaling(name, grows, scale * seconds / per, scale * lists / per)


def rows() -> Iterator[Row]:
    """Cost per atom of each point over that of the cheapest of its kind; linear where the last ones are near 1."""
    folder = Path(__file__).parent / "results" / machine()
    folder.mkdir(parents=True, exist_ok=True)
    for spec in sys.argv[1:] or SPECS:
        p = potential.load(spec, dtype="float32")
        config = bench.Config(batches=list(WORKLOADS), steps=1)
        found = bench.run(config, p)
        kinds = {"atoms": found.sizes, "structures": found.batches}
        for by, points in kinds.items():
            least = min(point.us_per_atom for point in points)
            for point in points:
                what = f"{p.card.name}: {getattr(point, by)} {by}"
                yield Row("SCALING", what, "cheapest", point.us_per_atom, least, "us/atom", None, point.spread)
        figure = plot.speed_figure(
            [series(p.card.name, found.sizes, "atoms", 1e6)],
            [series(p.card.name, found.batches, "structures", 1e6)],
            [series(p.card.name, found.batches, "atoms", 1e3)],
            f"{p.card.name}, {p.card.dtype}, {machine()}",
        )
        (folder / f"scaling-{p.card.name}.png").write_bytes(plot.png_bytes(figure))


if __name__ == "__main__":
    main(rows)
