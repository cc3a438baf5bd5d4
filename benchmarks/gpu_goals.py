"""G1, G2, G5, G10, G11 and G12 on a CUDA device in one run of less than 8 minutes, after parity of every path.

Usage: python benchmarks/gpu_goals.py [--out FOLDER] [--minutes 7.5] [--backends plain cueq ...] [--try-on-cpu]
Rows are printed and written to FOLDER/gpu_goals.csv (default results/MACHINE) as they come, so that a run that is cut
short keeps what it has. The ratio is ours over theirs, smaller is better; a goal of "6 times faster" is a ratio of 1/6.
Without a CUDA device it says so and ends with status 3; --try-on-cpu runs the same program on a small model there, to
see that it works: its rows stand for nothing and are not kept unless --out is given.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from mace_peer import by_mace, calculator
from potential_floor import interleaved, p2, random_mace
from rows import HEADER, Row, machine, say

from simkit import potential, solve
from simkit.errors import SimkitError
from simkit.potential import device_list
from simkit.potential.edge_buffers import EdgeBuffers, capacity_for
from simkit.potential.mace import MACEPotential, Place, energies_and_gradient
from simkit.potential.parity import refuse_unlike
from simkit.potential.planner import evaluate_in_parts, systems
from simkit.structure import Batch, Structure

FOREVER = 10**9
BATCHES = {"B72": (64, (3, 3, 1), 1 / 6), "B192": (32, (4, 3, 2), 1 / 3), "B480": (12, (5, 6, 2), 1 / 1.5)}
"""Structures, cells of 8 atoms along each vector, and the goal of G5."""
LIST_BATCH = (64, (8, 4, 2))
SMALL = {"B72": (2, (2, 2, 1), 1 / 6)}, (2, (3, 2, 1))
"""What --try-on-cpu takes in their place."""


@dataclass(frozen=True)
class Setting:
    """Where things run, on which batches, and until when (seconds of the monotonic clock)."""

    device: torch.device
    batches: dict[str, tuple[int, tuple[int, int, int], float]]
    list_batch: tuple[int, tuple[int, int, int]]
    steps: int
    deadline: float

    def model(self, **means: str) -> MACEPotential:
        """Random weights of the definitions in float32, by the means asked for."""
        place = Place(self.device, torch.float32, path="torch", **means)
        module = random_mace(self.device.type == "cuda")
        return MACEPotential(module, potential.Card("m", "mace", "random"), place)

    def structures(self, name: str) -> list[Structure]:
        """One of the batches."""
        count, repeats, _ = self.batches[name]
        return [p2(repeats, seed) for seed in range(count)]


def floor(p: MACEPotential, structures: list[Structure]) -> Callable[[], object]:
    """Forward and backward of mace's own module on a graph that is there."""
    data = p.graph(Batch.of(structures))
    data["shifts"].requires_grad_(True)
    return lambda: energies_and_gradient(p.module, dict(data))


def seconds(call: Callable[[], object], device: torch.device) -> float:
    """Seconds of one call, the device waited for."""
    start = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def parity(s: Setting, p: MACEPotential) -> None:
    """Hold the paths on CUDA to float64 with edges from the host; SimkitError ends the run before anything is timed."""
    batch = Batch.of([p2((3, 3, 1), 0), p2((2, 2, 1), 1), p2((1, 1, 1), 2)])
    place = Place(s.device, torch.float64, path="torch", neighbours="host")
    exact = MACEPotential(random_mace(s.device.type == "cuda"), p.card, place)
    wanted = exact.evaluate_batch(batch, virials=True)
    off = refuse_unlike(p.evaluate_batch(batch, virials=True), wanted, np.float32, p.means, "nothing is timed.")
    say(f"# parity of {p.means}: {off[0]:.1e} eV/A, {off[1]:.1e} eV/atom, {off[2]:.1e} eV in virials")


def lists(s: Setting, p: MACEPotential) -> Iterator[Row]:
    """G11: edges of a step, and a search for candidates, against the bare model; the model in pieces, by edges."""
    count, repeats = s.list_batch
    some = [p2(repeats, seed) for seed in range(count)]
    batch, piece = Batch.of(some), some[: max(1, count // 8)]
    cutoff = p.card.cutoff_A
    found = device_list.find_candidates(batch, cutoff, 0.5, s.device)
    edges = device_list.count_within(found, sent(found, batch, s.device), cutoff)
    buffers = EdgeBuffers.of(capacity_for(edges), len(batch.numbers), cutoff, torch.zeros(0, device=s.device))
    calls = [
        lambda: device_list.fill(found, sent(found, batch, s.device), cutoff, buffers),
        lambda: device_list.still_holds(found, batch, cutoff),
        lambda: device_list.find_candidates(batch, cutoff, 0.5, s.device),
        floor(p, piece),
    ]
    (fill, check, search, bare), spread = interleaved(calls, 5, 3)
    whole = bare * count / len(piece)
    what = f"{count} x {len(some[0])} atoms, {edges} edges"
    yield Row("G11", f"edges of a step, {what}", "bare model", 1e3 * (fill + check), 1e3 * whole, "ms", 0.05, spread)
    yield Row("G11", f"search, {what}", "bare model", 1e3 * search, 1e3 * whole, "ms", 0.05, spread)


def sent(found: device_list.SkinList, batch: Batch, device: torch.device) -> torch.Tensor:
    """Positions on the device."""
    return torch.from_numpy(device_list.packed_places(found, batch)).to(device)


def virials(s: Setting, p: MACEPotential) -> Iterator[Row]:
    """G10: virials beside forces and stress, and against mace's own route to atomic stresses."""
    name = next(iter(s.batches))
    some = s.structures(name)
    batch, theirs = Batch.of(some), by_mace(p.module, some, s.device)
    full = p.evaluate_batch(batch, virials=True)
    np.testing.assert_allclose(theirs()[0], full.forces, atol=1e-4 * max(1.0, np.abs(full.forces).max()))
    calls = [lambda: p.evaluate_batch(batch, virials=True), lambda: p.evaluate_batch(batch), theirs]
    (ours, plain, mace), spread = interleaved(calls, 5, 2)
    yield Row("G10", f"virials, {name}", "forces and stress", 1e3 * ours, 1e3 * plain, "ms", 1.05, spread)
    yield Row("G10", f"virials, {name}", "mace's own route", 1e3 * ours, 1e3 * mace, "ms", 1 / 1.5, spread)


def forces(s: Setting, p: MACEPotential) -> Iterator[Row]:
    """G5: forces for each structure of a batch against mace's ASE calculator, one structure after the other."""
    peer = calculator(p.module, s.device)
    for name, (_, _, goal) in s.batches.items():
        some = s.structures(name)
        batch, few = Batch.of(some), some[:4]
        moved = iter(range(10**6))

        def sequential(few: list[Structure] = few, moved: Iterator[int] = moved) -> np.ndarray:
            for one in few:
                atoms = Atoms(one.numbers, one.positions + 1e-4 * (next(moved) % 2), cell=one.cell, pbc=True)
                atoms.calc = peer
                last = atoms.get_forces()
            return last

        mine = p.evaluate(few)[-1].forces
        np.testing.assert_allclose(sequential(), mine, atol=1e-4 * max(1.0, np.abs(mine).max()))
        (ours, theirs), spread = interleaved([lambda batch=batch: p.evaluate_batch(batch), sequential], 5, 2)
        per = 1e3 * ours / len(some), 1e3 * theirs / len(few)
        yield Row("G5", f"forces of one of {name}", "mace's ASE calculator in turn", *per, "ms", goal, spread)


def dynamics(s: Setting, p: MACEPotential) -> Iterator[Row]:
    """G1: steps of NVT dynamics against the bare model on the first list, blocks in turn."""
    for name in s.batches:
        some = s.structures(name)
        advance, bare = nvt(p, some), floor(p, some)
        advance(5), bare()
        times = in_turn(partial(advance, s.steps // 5), lambda: s.steps // 5, bare, s.device, 5)
        yield row("G1", f"NVT, {s.steps} steps of {name}, {p.means}", times, 1.10 if name == "B72" else 1.05)


def nvt(p: MACEPotential, structures: list[Structure]) -> Callable[[int], None]:
    """A function that goes on by so many steps, one evaluation each."""
    conditions = solve.MdConditions("nvt", 300.0, 1.0, FOREVER, 0)
    made = solve.prepare_md(structures, p, conditions, solve.MdSettings(every=FOREVER, thermostat="langevin"))
    state = solve.integrate(made, solve.Hooks(stop=lambda: True))

    def advance(steps: int) -> None:
        nonlocal state
        end, latest = state.step + steps, [state.step]
        note = lambda step, _: latest.__setitem__(0, step)  # noqa: E731
        state = solve.integrate(made, solve.Hooks(observer=note, stop=lambda: latest[0] >= end, resume=state))
        if state.step != end or not (state.code == 0).all():
            raise SystemExit("a replica broke down, nothing can be timed")

    return advance


def relaxations(s: Setting, p: MACEPotential) -> Iterator[Row]:
    """G2: FIRE at a fixed and at a free cell against the bare model, time by evaluation."""
    steps = max(5, s.steps // 4)
    for name in s.batches:
        some = s.structures(name)
        bare = floor(p, some)
        for cell, goal in (("fixed", 1.10), ("free", 1.15)):
            counted = potential.Counted(p)
            settings = solve.RelaxSettings(optimiser="fire2", max_steps=steps)
            relax = partial(solve.relax, some, counted, cell=cell, fmax_eV_per_A=1e-9, settings=settings)
            calls = partial(evaluations, counted, [0])
            times = in_turn(relax, calls, bare, s.device, 3)
            yield row("G2", f"FIRE, {cell} cell, {steps} steps of {name}", times, goal)


def evaluations(counted: potential.Counted, before: list[int]) -> int:
    """Batched evaluations since this was last asked."""
    new = counted.cost.batches - before[0]
    before[0] = counted.cost.batches
    return new


def in_turn(
    work: Callable[[], object], calls: Callable[[], int], bare: Callable[[], object], device: torch.device, blocks: int
) -> tuple[list[float], list[float]]:
    """Seconds of one evaluation within `work`, which made `calls` of them, and of one of `bare`, block by block."""
    ours, theirs = [], []
    for _ in range(blocks):
        spent = seconds(work, device)
        ours.append(spent / calls())
        theirs.append(seconds(lambda: [bare() for _ in range(6)], device) / 6)
    return ours, theirs


def row(goal_id: str, what: str, times: tuple[list[float], list[float]], goal: float) -> Row:
    """Medians of seconds as a row in ms, with the larger relative spread."""
    medians = [float(np.median(t)) for t in times]
    spread = max(float(np.ptp(t) / np.median(t)) for t in times)
    return Row(goal_id, what, "bare model", 1e3 * medians[0], 1e3 * medians[1], "ms", goal, spread)


def planner(s: Setting, p: MACEPotential) -> Iterator[Row]:
    """G12: the most structures that fit into memory at once over the largest part the planner dared."""
    if s.device.type != "cuda":
        return
    one, part = p2((5, 6, 2), 0), p._part
    fits = lambda count: fitting(part, Batch.of([one] * count))  # noqa: E731
    low, high = 1, 2
    while fits(high):
        low, high = high, 2 * high
    while high - low > max(1, low // 32):
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    torch.cuda.empty_cache()
    asked, lost = [], []

    def watched(batch: Batch, want: bool) -> object:
        asked.append(len(batch))
        try:
            return part(batch, want)
        except torch.OutOfMemoryError:
            lost.append(asked.pop())
            raise

    whole = Batch.of([one] * (3 * low))
    said = evaluate_in_parts(watched, whole, True, (s.device, p.card.cutoff_A, p._memory))
    np.testing.assert_allclose(said.energy, said.energy[0], rtol=1e-5)
    say(f"# G12: {low} fit, parts {asked}, out of memory at {lost}, {p._memory.bytes_per_edge:.0f} B per edge")
    yield Row("G12", "structures of 480 atoms that fit at once", "largest part planned", low, max(asked), "", 1.25)


def fitting(part: Callable, batch: Batch) -> bool:
    """Whether a batch is evaluated without running out of memory."""
    try:
        part(systems(batch, 0, len(batch)), True)
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        return False
    return True


def others(s: Setting, backends: list[str]) -> Iterator[Row]:
    """The other programs of the same weights, and recorded steps, each behind its gate, against the plain steps."""
    asked = [{"backend": name} for name in backends if name != "plain"]
    if s.device.type == "cuda":
        asked += [{"backend": name, "graphs": "on"} for name in backends if name != "compile"]
    plain = s.model(neighbours="device")
    for means in asked:
        try:
            p = s.model(neighbours="device", **means)
        except SimkitError as error:
            say(f"# {means}: {error}")
            continue
        parity(s, p)
        name = next(iter(s.batches))
        for count in (1, len(s.structures(name))):
            batch = Batch.of(s.structures(name)[:count])
            calls = [lambda p=p, b=batch: p.evaluate_batch(b), lambda b=batch: plain.evaluate_batch(b)]
            for _ in range(3):
                calls[0]()
            (ours, theirs), spread = interleaved(calls, 5, 3)
            yield Row(
                "BACKEND", f"{p.means}, {count} of {name}", plain.means, 1e3 * ours, 1e3 * theirs, "ms", None, spread
            )


def run(s: Setting, backends: list[str], out: Path | None) -> int:
    """Parity, then every table while there is time; the exit status is 0 when all were run."""
    started, lines, left_out = time.monotonic(), [], []
    p = s.model(neighbours="device")
    parity(s, p)
    tables = {
        "G11": lambda: lists(s, p),
        "G10": lambda: virials(s, p),
        "G5": lambda: forces(s, p),
        "G1": lambda: dynamics(s, p),
        "G2": lambda: relaxations(s, p),
        "G12": lambda: planner(s, p),
        "BACKEND": lambda: others(s, backends),
    }
    say(HEADER)
    for name, rows in tables.items():
        if time.monotonic() > s.deadline:
            left_out.append(name)
            continue
        for one in rows():
            say(one)
            lines.append(str(one))
            keep(out, lines)
        say(f"# {name} done after {time.monotonic() - started:.0f} s")
    for name in left_out:
        say(f"# {name}: no time was left; ask for more with --minutes")
    return 1 if left_out else 0


def keep(out: Path | None, lines: list[str]) -> None:
    """Write the rows so far."""
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "gpu_goals.csv").write_text("\n".join([HEADER, *lines]) + "\n")


def main() -> int:
    """Read the words, look for a device, run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="folder for gpu_goals.csv")
    parser.add_argument("--minutes", type=float, default=6.0, help="no table is begun after so many")
    parser.add_argument("--steps", type=int, default=200, help="of G1")
    parser.add_argument("--backends", nargs="*", default=["plain", "cueq", "oeq"])
    parser.add_argument("--try-on-cpu", action="store_true")
    given = parser.parse_args()
    there = torch.cuda.is_available()
    if not there and not given.try_on_cpu:
        say(f"no CUDA device is here (torch {torch.__version__} sees none): G1 to G12 cannot be measured.")
        return 3
    deadline = time.monotonic() + 60.0 * given.minutes
    if there and not given.try_on_cpu:
        out = given.out or Path(__file__).parent / "results" / machine()
        return run(Setting(torch.device("cuda", 0), BATCHES, LIST_BATCH, given.steps, deadline), given.backends, out)
    return run(Setting(torch.device("cpu"), *SMALL, given.steps, deadline), given.backends, given.out)


if __name__ == "__main__":
    sys.exit(main())
