"""A scalar MACE by simkit's kernels against the same model by torch, and against its teacher.

Usage: python benchmarks/mace_host.py [--model SPEC] [--threads 1 2] [--blocks 3] [--clock wall|cpu] [--teacher]
Without a model, random weights of the embedded model's shape. Parity is asserted before anything is timed. One row per
line: id, kernels, other, ratio (other over kernels), spread of the blocks; times in us per atom for energy, forces,
stress and virials. The CPU clock counts all threads and is the one to trust on a machine that is busy otherwise.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from potential_floor import p2

from simkit import potential
from simkit.kernels.edges import edges_of
from simkit.kernels.neighbours import pairs_within
from simkit.potential.base import Potential
from simkit.potential.mace import MACEPotential, Place
from simkit.potential.mace_backend import ScaleShiftMACE, default_dtype, interaction_classes, o3, quarantine
from simkit.structure import Batch

CELLS = {16: (2, 1, 1), 192: (3, 4, 2), 2048: (8, 8, 4)}
NUMBERS = [3, 8, 11, 12, 13, 22, 25, 26, 27, 28, 29]
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
FORCE_ERROR = {"float32": 1e-4, "float64": 1e-6}
"""Largest difference from torch in float64 that a row is printed with, eV/A."""


@dataclass(frozen=True)
class Timing:
    """How often and by which clock."""

    blocks: int
    clock: Callable[[], float]


def random_scalar_mace() -> torch.nn.Module:
    """32 channels, l = 3, correlation 2, two layers, eleven elements, random weights."""
    interaction = interaction_classes["RealAgnosticResidualInteractionBlock"]
    with quarantine(), default_dtype(torch.float64):
        torch.manual_seed(0)
        return ScaleShiftMACE(
            r_max=5.0,
            num_bessel=8,
            num_polynomial_cutoff=5,
            max_ell=3,
            interaction_cls=interaction,
            interaction_cls_first=interaction,
            num_interactions=2,
            num_elements=len(NUMBERS),
            hidden_irreps=o3.Irreps("32x0e"),
            MLP_irreps=o3.Irreps("16x0e"),
            atomic_energies=np.zeros((1, len(NUMBERS))),
            avg_num_neighbors=54.0,
            atomic_numbers=NUMBERS,
            correlation=2,
            gate=torch.nn.functional.silu,
            atomic_inter_scale=30.0,
            atomic_inter_shift=0.0,
        )


def made(model: str | None, dtype: str, path: str) -> Potential:
    """The model asked for, or the random one, on one path."""
    if model is not None:
        return potential.load(f"{model}?path={path}", device="cpu", dtype=dtype)
    place = Place(torch.device("cpu"), getattr(torch, dtype), path=path)
    return MACEPotential(random_scalar_mace(), potential.Card("random", "mace", "random weights"), place)


def seconds(function: Callable[[], object], timing: Timing) -> tuple[float, float]:
    """Median seconds of a call over the blocks, of at least a fifth of a second each, and their relative spread."""
    function()
    start = timing.clock()
    function()
    repeats = max(1, int(0.2 / max(timing.clock() - start, 1e-6)))
    times = []
    for _ in range(timing.blocks):
        start = timing.clock()
        for _ in range(repeats):
            function()
        times.append((timing.clock() - start) / repeats)
    return float(np.median(times)), (max(times) - min(times)) / float(np.median(times))


def rows(given: argparse.Namespace, threads: int) -> Iterator[str]:
    """All comparisons on this many threads."""
    torch.set_num_threads(threads)
    timing = Timing(given.blocks, CLOCKS[given.clock])
    exact = made(given.model, "float64", "torch")
    teacher = potential.load("chgnet+d3", device="cpu") if given.teacher else None
    for dtype in ("float32", "float64"):
        fused, plain = made(given.model, dtype, "fused"), made(given.model, dtype, "torch")
        for atoms, repeats in CELLS.items():
            batch = Batch.of([p2(repeats, 0)])
            error = np.abs(fused.evaluate_batch(batch).forces - exact.evaluate_batch(batch).forces).max()
            assert error < FORCE_ERROR[dtype], f"{error:.1e} eV/A apart on {atoms} atoms"
            ours, spread = seconds(lambda b=batch, p=fused: p.evaluate_batch(b, virials=True), timing)
            others = {"torch": plain}
            if teacher is not None and dtype == "float32" and atoms == 192:
                others["chgnet+d3"] = teacher
            for name, other in others.items():
                theirs, theirs_spread = seconds(lambda b=batch, p=other: p.evaluate_batch(b, virials=True), timing)
                label = f"{dtype} {atoms} atoms {threads} threads against {name} [us/atom], max dF {error:.0e}"
                numbers = f"{ours / atoms * 1e6:.1f}, {theirs / atoms * 1e6:.1f}, {theirs / ours:.1f}"
                yield f"{label}, {numbers}, {max(spread, theirs_spread):.2f}"
            within = (batch.positions, batch.cells, batch.periodic, batch.starts, fused.card.cutoff_A)
            search, _ = seconds(lambda w=within: edges_of(pairs_within(*w), len(w[0])), timing)
            yield f"{dtype} {atoms} atoms share of the neighbour search, {search / ours:.3f}"


def main(arguments: list[str]) -> None:
    """Print the rows asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="a spec such as simkit:FILE; without it random weights")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--blocks", type=int, default=3)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--teacher", action="store_true", help="compare with chgnet+d3 too")
    given = parser.parse_args(arguments)
    for threads in given.threads:
        for row in rows(given, threads):
            sys.stdout.write(f"{row}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
