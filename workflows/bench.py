"""How fast a potential is on this machine, how its cost grows, and where the time goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from pydantic import Field

from simkit import potential as potentials
from simkit import solve
from simkit.config import Section
from simkit.errors import InputError, SimkitError
from simkit.kernels.edges import edges_of
from simkit.kernels.neighbours import pairs_within
from simkit.potential.base import Potential
from simkit.structure import Batch, Structure

RATTLE_A = 0.02
SAME_EV_PER_ATOM = {"float64": 1e-9, "float32": 1e-5}
"""Largest change of an energy with the batch it is computed in, over which nothing is timed."""


class Config(Section):
    """What is timed.

    sizes_atoms   structures of about so many atoms, one at a time
    batches       so many structures of about batch_atoms atoms in one batch
    batch_atoms   atoms of each structure of those
    steps         of FIRE, for what the driver costs beside the model
    blocks        of evaluations, of which the median counts
    block_s       seconds of a block, at least
    """

    sizes_atoms: list[int] = Field(default_factory=lambda: [8, 24, 72, 192, 480, 1000], min_length=1)
    batches: list[int] = Field(default_factory=lambda: [1, 2, 4, 8, 16, 32], min_length=1)
    batch_atoms: int = Field(default=72, gt=0)
    steps: int = Field(default=10, gt=0)
    blocks: int = Field(default=5, gt=0)
    block_s: float = Field(default=0.2, gt=0)


@dataclass(frozen=True)
class Point:
    """Seconds of one evaluation of a batch: median of the blocks, their relative spread, and of the neighbour list."""

    structures: int
    atoms: int
    seconds: float
    spread: float
    list_s: float

    @property
    def us_per_atom(self) -> float:
        """Microseconds per atom and evaluation."""
        return 1e6 * self.seconds / self.atoms


@dataclass(frozen=True)
class Driver:
    """Seconds of a relaxation per step, of which in the model, and evaluations of structures it made."""

    step_s: float
    model_s: float
    evaluations: int

    @property
    def overhead(self) -> float:
        """Time of a step over the time in the model."""
        return self.step_s / self.model_s


@dataclass(frozen=True)
class Result:
    """sizes: one structure of growing size; batches: growing batches; driver: FIRE on the largest batch."""

    sizes: tuple[Point, ...]
    batches: tuple[Point, ...]
    driver: Driver

    @property
    def rows(self) -> list[dict[str, float | str]]:
        """One mapping per point, for a table."""
        kinds = [("size", p) for p in self.sizes] + [("batch", p) for p in self.batches]
        return [{"kind": kind, **asdict(p), "us_per_atom": p.us_per_atom} for kind, p in kinds]

    @property
    def lines(self) -> list[str]:
        """What the terminal is told."""
        best = min((*self.sizes, *self.batches), key=lambda p: p.us_per_atom)
        one, many = self.batches[0], self.batches[-1]
        share = 100 * many.list_s / many.seconds
        beside = 100 * (1.0 - self.driver.model_s / self.driver.step_s)
        return [
            f"{one.us_per_atom / many.us_per_atom:.2f} times the speed in a batch of {many.structures} structures",
            f"{best.us_per_atom:.2f} us per atom and evaluation at best ({best.structures} x "
            f"{best.atoms // best.structures} atoms); spread {100 * best.spread:.0f} %",
            f"a step of FIRE: {beside:.1f} % driver, {100 - beside:.1f} % potential ({share:.1f} % of it neighbours)",
        ]


def run(config: Config, potential: Potential, cell: Structure | None = None) -> Result:
    """Time `potential` on supercells of `cell` (None: P2-NaMnO2), rattled; results are checked before they are timed.

    Raises SimkitError where the energy of a structure depends on the batch it is in.
    """
    base = p2_cell() if cell is None else cell
    sizes = [_timed(config, potential, [grown(base, n)]) for n in config.sizes_atoms]
    groups = [[_rattled(grown(base, config.batch_atoms), k) for k in range(m)] for m in config.batches]
    require_independent(potential, groups[-1][:3])
    batches = [_timed(config, potential, group) for group in groups]
    return Result(tuple(sizes), tuple(batches), _driver(config, potential, groups[-1]))


def p2_cell() -> Structure:
    """P2-NaMnO2, 8 atoms."""
    a, c = 2.885, 11.155
    cell = np.array([[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, c]])
    u, v = 1 / 3, 2 / 3
    sites = [(v, u, 0.25), (v, u, 0.75), (0, 0, 0), (0, 0, 0.5), (u, v, 0.09), (v, u, 0.91), (u, v, 0.41), (v, u, 0.59)]
    return Structure(np.array([11, 11, 25, 25, 8, 8, 8, 8]), np.array(sites) @ cell, cell)


def grown(cell: Structure, atoms: int) -> Structure:
    """A supercell of about so many atoms, as even in its lengths as whole numbers of cells allow, rattled."""
    lengths, counts = np.linalg.norm(cell.cell, axis=1), np.ones(3, dtype=int)
    while True:
        axis = int(np.argmin(lengths * counts))
        more = counts + np.eye(3, dtype=int)[axis]
        if abs(more.prod() * len(cell) - atoms) >= abs(counts.prod() * len(cell) - atoms):
            return _rattled(cell.repeated(*(int(n) for n in counts)), 0)
        counts = more


def _rattled(s: Structure, seed: int) -> Structure:
    return s.moved_to(s.positions + RATTLE_A * np.random.default_rng(seed).normal(size=(len(s), 3)))


def require_independent(potential: Potential, structures: Sequence[Structure]) -> None:
    """Raise SimkitError where the energy of a structure depends on the batch it is in."""
    together = [e.energy for e in potential.evaluate(structures)]
    for s, energy in zip(structures, together, strict=True):
        change = abs(energy - potential.evaluate([s])[0].energy) / len(s)
        allowed = SAME_EV_PER_ATOM[potential.card.dtype]
        if not change <= allowed:
            raise SimkitError(
                f"the energy of {s.formula} changes by {change:.1e} eV per atom with the batch it is in; "
                f"{allowed:.0e} is allowed in {potential.card.dtype}. Nothing was timed."
            )


def _timed(config: Config, potential: Potential, structures: Sequence[Structure]) -> Point:
    batch = Batch.of(list(structures))
    seconds, spread = blocks(lambda: potential.evaluate_batch(batch), config.blocks, config.block_s)
    return Point(len(batch), len(batch.numbers), seconds, spread, _list_seconds(config, potential, batch))


def _list_seconds(config: Config, potential: Potential, batch: Batch) -> float:
    """Seconds of the neighbour list at the potential's cutoff; 0 where it has none."""
    cutoff = potential.card.cutoff_A
    if cutoff is None:
        return 0.0
    within = (batch.positions, batch.cells, batch.periodic, batch.starts, cutoff)
    return blocks(lambda: edges_of(pairs_within(*within), len(batch.numbers)), config.blocks, 0.1 * config.block_s)[0]


def blocks(work: Callable[[], object], count: int, least_s: float) -> tuple[float, float]:
    """Median seconds of a call over blocks of calls, each of at least so many seconds, and their relative spread."""
    work()
    start = time.perf_counter()
    work()
    calls = max(1, int(least_s / max(time.perf_counter() - start, 1e-9)))
    found = np.zeros(count)
    for k in range(count):
        start = time.perf_counter()
        for _ in range(calls):
            work()
        found[k] = (time.perf_counter() - start) / calls
    middle = float(np.median(found))
    return middle, float(np.ptp(found) / middle)


def _driver(config: Config, potential: Potential, structures: Sequence[Structure]) -> Driver:
    """FIRE for some steps that no force ends."""
    counted = potentials.Counted(potential)
    settings = solve.RelaxSettings(optimiser="fire2", max_steps=config.steps)
    descent = solve.prepare_relaxation(list(structures), counted, "fixed", 1e-12, settings)
    start = time.perf_counter()
    state = solve.run(descent)
    whole, cost = time.perf_counter() - start, counted.cost
    if state.step < config.steps:
        raise InputError(f"the relaxation ended after {state.step} of {config.steps} steps; give another structure.")
    return replace(Driver(0.0, 0.0, cost.evaluations), step_s=whole / cost.batches, model_s=cost.seconds / cost.batches)
