"""How the memory of one evaluation grows with its edges, and what the planner takes an edge to need.

Peak of an evaluation above what was there before, cells of growing size; a line through the points, the largest
distance of a point from it, and the exponent of the growth. On a CPU the peak is that of the process (VmHWM, Linux),
each path in a process of its own whose arrays go back to the system at once; on CUDA it is the allocator's.
Usage: python benchmarks/memory.py [--device cpu|cuda] [--paths fused torch device]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from potential_floor import p2, random_mace
from rows import Row, main, say

from simkit import potential
from simkit.kernels.neighbours import pairs_within
from simkit.potential.mace import MACEPotential, Place
from simkit.structure import Batch

REPEATS = {
    "cpu": ((5, 5, 1), (5, 5, 2), (7, 7, 2), (10, 8, 2)),
    "fused": ((10, 8, 2), (10, 8, 4), (14, 12, 4), (20, 16, 4)),
    "cuda": ((9, 9, 2), (9, 9, 4), (13, 13, 4), (18, 13, 4)),
}
"""Cells of 8 atoms along each vector, each about twice the one before; the kernels take little and get larger ones."""
PLACES = {
    "fused": {"path": "fused"},
    "torch": {"path": "torch", "neighbours": "host"},
    "device": {"path": "torch", "neighbours": "device"},
}
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak_bytes(p: MACEPotential, batch: Batch, device: torch.device) -> float:
    """Most bytes that one evaluation takes above what is held before it."""
    if device.type == "cuda":
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        p.evaluate_batch(batch, virials=True)
        return float(torch.cuda.max_memory_allocated(device) - before)
    CLEAR.write_text("5")  # the high-water mark starts anew
    before = kilobytes("VmRSS")
    p.evaluate_batch(batch, virials=True)
    return 1024.0 * (kilobytes("VmHWM") - before)


def kilobytes(name: str) -> float:
    """A number of this process's status."""
    return float(re.search(rf"{name}:\s+(\d+) kB", STATUS.read_text()).group(1))


def points(path: str, device: torch.device) -> list[tuple[int, float]]:
    """(edges, peak bytes) of every size; each is evaluated once before, so that nothing is compiled in it."""
    place = Place(device, torch.float32, **PLACES[path])
    p = MACEPotential(random_mace(device.type == "cuda"), potential.Card("m", "mace", "random"), place)
    found = []
    p.evaluate_batch(Batch.of([p2((3, 3, 1), 0)]), virials=True)
    for repeats in REPEATS["fused" if path == "fused" else device.type]:
        batch = Batch.of([p2(repeats, 0)])
        pairs = pairs_within(batch.positions, batch.cells, batch.periodic, batch.starts, p.card.cutoff_A)
        p.evaluate_batch(batch, virials=True)
        found.append((2 * len(pairs), peak_bytes(p, batch, device)))
    return found


def apart(path: str, device: torch.device) -> list[tuple[int, float]]:
    """`points` in a process whose freed arrays go back to the system."""
    env = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    words = [sys.executable, __file__, "--device", device.type, "--points", path]
    done = subprocess.run(words, env=env, check=True, capture_output=True, text=True)
    return [(int(edges), float(peak)) for edges, peak in json.loads(done.stdout.splitlines()[-1])]


def line(found: list[tuple[int, float]]) -> tuple[float, float, float, float]:
    """Offset and slope of the line, the largest distance from it over the point itself, the exponent of the growth."""
    edges, peaks = np.array(found, dtype=float).T
    slope, offset = np.polyfit(edges, peaks, 1, w=1.0 / peaks)
    off = np.abs(offset + slope * edges - peaks) / peaks
    return float(offset), float(slope), float(off.max()), float(np.polyfit(np.log(edges), np.log(peaks), 1)[0])


def rows(device: torch.device, paths: list[str]) -> Iterator[Row]:
    """The exponent of each path against 1, and bytes per edge against what the planner starts from."""
    for path in paths:
        found = apart(path, device)
        offset, slope, off, exponent = line(found)
        seen = "; ".join(f"{edges} edges {peak / 1e6:.1f} MB" for edges, peak in found)
        say(f"# {path}: {seen}; fit {offset / 1e6:.2f} MB + {slope:.0f} B per edge, off by {off:.3f} at most")
        yield Row("MEMORY", f"{path}: growth with edges", "linear", exponent, 1.0, "exponent", 1.05, off)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--paths", nargs="*", choices=[*PLACES], default=None)
    parser.add_argument("--points", choices=[*PLACES], help="print the points of one path as JSON and end")
    given = parser.parse_args()
    where = torch.device(given.device)
    if given.points:
        say(json.dumps(points(given.points, where)))
    else:
        default = [*PLACES] if where.type == "cpu" else ["torch", "device"]
        main(lambda: rows(where, given.paths or default))
