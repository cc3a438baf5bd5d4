"""Molecular dynamics of a batch against the bare model: OVERHEAD of the driver, of the list, and of what is recorded.

Usage: python benchmarks/md_overhead.py [--model SPEC] [--steps 20] [--blocks 3] [--clock cpu|wall] [--replicas 8]
FLOOR is the bare model on a list that is there; 'list' the potential as the driver asks it; each row below is the
driver's time per batched evaluation, in memory and as `simkit md` does with log, frames and states on disk. Blocks of
steps take turns, medians count, and the energies of every driver are held to the potential's own. One row per line:
id, ours and FLOOR in ms, ratio, ratio within, spread, goal. Blocks of one and the same work differ by 5 % and more
from one process to the next, with where its memory lies and what else the machine does. 'ratio within' is therefore the
number to read: the same run's time over that which it spent in the bare model. A model with random weights would not
hold a crystal together for so many steps.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from inside import Inside

from simkit import build, potential, solve
from simkit.kernels.edges import edges_of
from simkit.kernels.neighbours import pairs_within
from simkit.potential.base import Potential
from simkit.potential.mace import MACEPotential, energies_and_gradient
from simkit.potential.mace_host import evaluate_edges
from simkit.potential.mace_host_weights import read_model
from simkit.structure import Batch, Structure
from simkit.trajectory import FINISHED
from simkit.workflows import md

GOAL = 1.05
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
DRIVERS = {
    "nve": ("nve", {}),
    "nvt langevin": ("nvt", {"thermostat": "langevin"}),
    "nvt rescale": ("nvt", {"thermostat": "rescale"}),
    "npt": ("npt", {"thermostat": "rescale", "cell": "anisotropic"}),
}
TEMPERATURE_K, FOREVER = 300.0, 10**9


@dataclass(frozen=True)
class Driver:
    """What is timed, by name: one call makes `evaluations` batched evaluations."""

    name: str
    work: Callable[[], None]
    evaluations: int


def cells(replicas: int) -> list[Structure]:
    """P2-Na2/3Ni1/3Mn2/3O2 of 66 atoms, rattled."""
    block = build.Block("P2", 2, metals={"Ni": 1 / 3, "Mn": 2 / 3}, content=2 / 3)
    made = build.bulk(block, (3, 3), seed=0).structure
    noise = np.random.default_rng(0).normal(size=(replicas, len(made), 3))
    return [made.moved_to(made.positions + 0.02 * one) for one in noise]


def bare(p: MACEPotential, spec: str, batch: Batch) -> Callable[[], np.ndarray]:
    """Energies of the bare model on a list that is there, forward and backward, by the path the potential takes."""
    if p.path == "torch":
        data = p.graph(batch)
        data["shifts"].requires_grad_(True)
        return lambda: energies_and_gradient(p.module, dict(data))[0].numpy()
    known = p.module.atomic_numbers.numpy()
    host = read_model(potential.load(spec, device="cpu", dtype="float64").module, np.float32)
    pairs = pairs_within(batch.positions, batch.cells, batch.periodic, batch.starts, host.cutoff_A)
    edges, species = edges_of(pairs, len(batch.numbers)), np.searchsorted(known, batch.numbers)
    return lambda: evaluate_edges(host, species, edges, batch, False).energy


def in_memory(p: Potential, structures: list[Structure], name: str, steps: int) -> Driver:
    """`steps` further steps of one run at a time."""
    ensemble, settings = DRIVERS[name]
    conditions = solve.MdConditions(ensemble, TEMPERATURE_K, 1.0, FOREVER, 0)
    dynamics = solve.prepare_md(structures, p, conditions, solve.MdSettings(every=FOREVER, **settings))
    state = solve.integrate(dynamics, solve.Hooks(stop=lambda: True))

    def work() -> None:
        nonlocal state
        end = state.step + steps
        latest = [state.step]
        hooks = solve.Hooks(
            observer=lambda step, _: latest.__setitem__(0, step), stop=lambda: latest[0] >= end, resume=state
        )
        state = solve.integrate(dynamics, hooks)
        if state.step != end or not (state.code == 0).all():
            raise SystemExit(f"{name}: a replica broke down, nothing can be timed")
        asked = p.evaluate_batch(dynamics.batch.moved_to(state.positions, state.cells)).energy
        np.testing.assert_allclose(state.answers.energy, asked, rtol=1e-7)

    return Driver(name, work, steps + 1)  # one more to hold the energies to


def on_disk(p: Potential, structures: list[Structure], steps: int) -> Driver:
    """A run of `simkit md` with its defaults for what is stored, taken up again and again."""
    folder = Path(tempfile.mkdtemp())
    given = {str(k): s for k, s in enumerate(structures)}
    done = 0

    def work() -> None:
        nonlocal done
        done += steps
        config = md.Config(temperatures_K=(TEMPERATURE_K,), length_ps=1e-3 * done)
        statuses = md.simulate(config, p, given, folder).statuses
        if set(statuses.values()) != {FINISHED}:
            raise SystemExit(f"nothing can be timed: {statuses}")

    work()
    return Driver("simkit md", work, steps)


def rows(given: argparse.Namespace) -> Iterator[str]:
    """All drivers, blocks in turn."""
    torch.set_num_threads(1)
    clock = CLOCKS[given.clock]
    p, structures = potential.load(given.model, device="cpu"), cells(given.replicas)
    batch = Batch.of(structures)
    floor = bare(p, given.model, batch)
    np.testing.assert_allclose(p.evaluate_batch(batch).energy, floor(), rtol=1e-7)
    single = [
        Driver("FLOOR", lambda: [floor() for _ in range(given.steps)], given.steps),
        Driver("list", lambda: [p.evaluate_batch(batch) for _ in range(given.steps)], given.steps),
    ]
    drivers = [*single, *(in_memory(p, structures, name, given.steps) for name in DRIVERS)]
    drivers.append(on_disk(p, structures, 20 * given.steps))
    model = Inside(p.path, clock)
    times, inside = np.empty((given.blocks, len(drivers))), np.empty((given.blocks, len(drivers)))
    for block in range(-1, given.blocks):  # the first is not counted
        for k, driver in enumerate(drivers):
            model.seconds, start = 0.0, clock()
            driver.work()
            times[block, k] = (clock() - start) / driver.evaluations
            inside[block, k] = model.seconds / driver.evaluations
    ratios = times / times[:, :1]
    for k, driver in enumerate(drivers[1:], start=1):
        ours, over = np.median(times[:, k]) * 1e3, np.median(ratios[:, k])
        alone = np.median(times[:, k] / inside[:, k])
        numbers = f"{ours:.2f}, {np.median(times[:, 0]) * 1e3:.2f}, {over:.3f}, {alone:.3f}, {np.ptp(ratios[:, k]):.3f}"
        yield f"OVERHEAD {driver.name} {given.model} {len(batch.numbers)} atoms, {numbers}, {GOAL}"


def main(arguments: list[str]) -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="simkit:nalox")
    parser.add_argument("--steps", type=int, default=20, help="evaluations of a block")
    parser.add_argument("--blocks", type=int, default=3)
    parser.add_argument("--replicas", type=int, default=8, help="cells in the batch")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    sys.stdout.write("id, ours [ms], FLOOR [ms], ratio, ratio within, spread, goal\n")
    for row in rows(parser.parse_args(arguments)):
        sys.stdout.write(row + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
