"""Collective transformations, as P2 to O2 or O3 to P3: bands in positions and cell between relaxed stacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field

from simkit import build, io, solve
from simkit.arrays import Floats
from simkit.build.stacking import RULES
from simkit.config import Section
from simkit.errors import InputError, Stopped, nearest
from simkit.potential.base import Evaluation, Potential, Spread
from simkit.structure import Structure
from simkit.workflows.common import QUIET, Hooks
from simkit.workflows.glides.starts import ion_starts, with_nudged_ions
from simkit.workflows.gliding import layered


class Config(Section):
    """Which transformations, and how their bands are found.

    targets   names of phases or patterns to reach from every structure, as "O2", "OP4", "P3", "O1"
    images    moving images of each band
    seed      of the nudge that ions get before the end relaxes
    end_fmax_eV_per_A, end_max_steps  of both ends, cells free
    fmax_eV_per_A, barrier_change_eV, max_steps  of the band
    """

    targets: list[str] = Field(min_length=1)
    images: int = Field(default=7, ge=1)
    seed: int = Field(default=0, ge=0)
    end_fmax_eV_per_A: float = Field(default=0.02, gt=0)
    end_max_steps: int = Field(default=400, gt=0)
    fmax_eV_per_A: float = Field(default=0.08, gt=0)
    barrier_change_eV: float = Field(default=0.005, gt=0)
    max_steps: int = Field(default=300, gt=0)


@dataclass(frozen=True, eq=False)
class Transformation:
    """One structure on its way to another stacking.

    moves    the slab glides that do it; reached: galleries of the relaxed end as `classify` reads them
    path     the band, None where the end relaxed to another stacking
    units    formula units of the cell; volume_change_percent of the end against the start
    """

    structure: str
    start: tuple[str, ...]
    target: str
    moves: tuple[tuple[int, int], ...]
    reached: tuple[str, ...]
    status: str
    path: solve.Path | None
    units: float
    volume_change_percent: float

    @property
    def converged(self) -> bool:
        """Whether there is a converged band."""
        return self.path is not None and self.path.converged

    @property
    def barrier_meV_per_fu(self) -> float | None:
        """Barrier per formula unit of the whole crystal, which transforms at once."""
        return None if self.path is None else 1e3 * self.path.barrier_eV / self.units

    @property
    def energy_meV_per_fu(self) -> float | None:
        """Energy of the end above the start, per formula unit."""
        if self.path is None:
            return None
        return 1e3 * float(self.path.energies_eV[-1] - self.path.energies_eV[0]) / self.units


@dataclass(frozen=True)
class Result:
    """transformations: one for each structure and target."""

    transformations: tuple[Transformation, ...]

    def to_ase(self) -> dict[str, list[Any]]:
        """The images of each band as ase.Atoms."""
        return {
            f"{t.structure} to {t.target}": [io.to_ase(s) for s in t.path.images]
            for t in self.transformations
            if t.path is not None
        }


TYPES = (Transformation, solve.Path, solve.Outcome, Evaluation, Spread)


@dataclass(frozen=True, eq=False)
class _Task:
    label: str
    target: str
    start: Structure
    moves: build.Moves
    end: build.Stack

    @property
    def key(self) -> str:
        return f"{self.label} to {self.target}"


def run(
    config: Config, potential: Potential, structures: Any, hooks: Hooks = QUIET, name: str = "collective"
) -> Result:
    """Collective transformations of relaxed layered structures (one, or by name).

    A structure whose slabs the pattern does not fill is repeated along the normal first. Both ends are relaxed with
    free cells, all in one batch, and all bands are one batch. A crystal that transforms at once pays per formula unit:
    the barrier is that of every slab moving together, an upper bound on a front that runs through it.

    Raises InputError for a target that gliding cannot reach, or unknown; Stopped where a start breaks down.
    """
    given = layered(structures)
    tasks = [_task(label, s, target) for label, s in given.items() for target in config.targets]
    ends = hooks.keep(f"{name}-ends", lambda: _ends(config, potential, tasks, hooks), TYPES)
    good = {task.key: ends[task.key] for task in tasks if _kept(task, ends[task.key])}
    paths = hooks.keep(f"{name}-bands", lambda: _bands(config, potential, good, hooks), TYPES) if good else {}
    return Result(tuple(_transformation(task, ends[task.key], paths.get(task.key)) for task in tasks))


def _task(label: str, structure: Structure, target: str) -> _Task:
    pattern = build.PHASES.get(target)
    if pattern is None or any(name not in RULES for name in pattern):
        raise InputError(f"target {target!r} is no phase; {nearest(target, build.PHASES)}")
    count = len(build.classify(structure).stack)
    times = int(np.lcm(count, len(pattern)) // count)
    start = structure
    if times > 1:
        taller = structure.repeated(1, 1, times)
        start = build.label(taller.with_layers(np.full(len(taller), -1)))
    stack = build.classify(start).stack
    end = build.Stack.from_gaps(list(pattern) * (len(stack) // len(pattern)))
    return _Task(label, target, start, build.minimal_moves(stack, end), end)


def starts_of(before: build.Stack, after: build.Stack, moves: build.Moves) -> list[Floats]:
    """(galleries,) shares of the ions of every gallery, one array for each start."""
    now, then = before.gaps(), after.gaps()
    return ion_starts(now, [then[(moves.first + k) % len(now)] for k in range(len(now))])


def glided(structure: Structure, moves: build.Moves, ions: float | np.ndarray) -> Structure:
    """The structure with its slabs glided at once and the third vector sheared, positions unwrapped.

    ions  where the ions of a gallery go between the slab below (0) and the one above (1), of all or of each
    """
    found = build.classify(structure)
    letters = build.letter_vectors(found)
    vector = {1: letters[0], -1: letters[1], 0: np.zeros(3), 2: letters[1]}
    count = len(found.stack)
    moved = np.zeros((count + 1, 3))
    for slab, g in moves.slabs:
        moved[slab] = vector[g]
    shear = vector[int(moves.shear)]
    moved[count] = moved[0] + shear
    inside = found.slab_of >= 0
    gallery = np.where(inside, 0, found.gallery_of)
    shares = np.broadcast_to(np.asarray(ions, dtype=np.float64), count)[gallery]
    between = moved[gallery] + shares[:, None] * (moved[gallery + 1] - moved[gallery])
    shift = np.where(inside[:, None], moved[np.where(inside, found.slab_of, 0)], between)
    shift = shift - found.layering.images[:, None] * shear
    cell = structure.cell.copy()
    cell[2] += shear
    return structure.moved_to(structure.positions + shift, cell)


def _ends(config: Config, potential: Potential, tasks: list[_Task], hooks: Hooks) -> dict[str, list[solve.Outcome]]:
    """Start and best end of every task.

    First the slabs of the ends are held in the plane while ions find their sites, then all cells are free: ions that
    start between sites would else drag their slabs back.
    """
    cells = {}
    for task in tasks:
        nudged = with_nudged_ions(task.start, task.start.layers < 0, config.seed)
        starts = starts_of(build.classify(task.start).stack, task.end, task.moves)
        cells |= {(task.key, k): glided(nudged, task.moves, ions) for k, ions in enumerate(starts)}
    settings = solve.RelaxSettings(max_steps=config.end_max_steps)
    watch = hooks.watch(f"collective: {len(cells)} ends, slabs held")
    held_settings = solve.SlideSettings(config.end_fmax_eV_per_A, settings, watch)
    settled = solve.settle(list(cells.values()), ["held"] * len(cells), potential, held_settings)
    held = dict(zip(cells, settled, strict=True))
    best = [
        min((o for (key, _), o in held.items() if key == task.key), key=lambda o: (o.failed, o.evaluation.energy))
        for task in tasks
    ]
    both = [*(task.start for task in tasks), *(o.structure for o in best)]
    watch = hooks.watch(f"collective: {len(both)} cells, free")
    outcomes = solve.relax(both, potential, "free", config.end_fmax_eV_per_A, settings, watch)
    for task, start in zip(tasks, outcomes, strict=False):
        if start.failed:
            raise Stopped(f"{task.label}: {start.status}")
    return {task.key: [outcomes[k], outcomes[len(tasks) + k]] for k, task in enumerate(tasks)}


def _kept(task: _Task, ends: list[solve.Outcome]) -> bool:
    return not ends[1].failed and _reads(ends[1].structure, task)


def _reads(structure: Structure, task: _Task) -> bool:
    """Whether a relaxed end is the stacking it should be, upside down or not."""
    wanted = build.PHASES[task.target] * (len(build.classify(task.start).stack) // len(build.PHASES[task.target]))
    gaps = _gaps(structure)
    mirrored = [{"O2u": "O2l", "O2l": "O2u"}.get(name, name) for name in reversed(gaps)]
    return any(build.same_cyclic(list(wanted), form) for form in (list(gaps), mirrored) if form)


def _gaps(structure: Structure) -> tuple[str, ...]:
    try:
        return tuple(build.classify(structure).stack.gaps())
    except InputError:
        return ()


def _bands(config: Config, potential: Potential, ends: Mapping[str, list[solve.Outcome]], hooks: Hooks) -> dict:
    settings = solve.NebSettings(
        fmax_eV_per_A=config.fmax_eV_per_A,
        barrier_change_eV=config.barrier_change_eV,
        max_steps=config.max_steps,
        optimiser="fire",
    )
    pairs = [(start.structure, end.structure) for start, end in ends.values()]
    watch = hooks.watch(f"collective: {len(pairs)} bands")
    paths = solve.find_cell_paths(pairs, potential, config.images, settings=settings, observer=watch)
    return dict(zip(ends, paths, strict=True))


def _transformation(task: _Task, ends: list[solve.Outcome], path: solve.Path | None) -> Transformation:
    start, end = (o.structure for o in ends)
    reached = _gaps(end)
    where = " ".join(reached) or "no stack"
    status = path.status if path is not None else f"the end relaxed to {where}, so there is no band ({ends[1].status})"
    return Transformation(
        structure=task.label,
        start=_gaps(start),
        target=task.target,
        moves=task.moves.slabs,
        reached=reached,
        status=status,
        path=path,
        units=float((task.start.tags["site"] == "TM").sum()),
        volume_change_percent=100.0 * (end.volume / start.volume - 1.0),
    )


def table(t: Transformation) -> dict[str, Any]:
    """Plain numbers of one transformation, unit in every key."""
    return {
        "structure": t.structure,
        "start": list(t.start),
        "target": t.target,
        "moves": [list(move) for move in t.moves],
        "reached": list(t.reached),
        "status": t.status,
        "converged": t.converged,
        "barrier_meV_per_fu": t.barrier_meV_per_fu if t.converged else None,
        "end_meV_per_fu": t.energy_meV_per_fu,
        "volume_change_percent": t.volume_change_percent,
        "path_A": None if t.path is None else t.path.distances_A.tolist(),
        "energies_eV": None if t.path is None else t.path.energies_eV.tolist(),
        "model_evaluations": None if t.path is None else t.path.evaluations,
    }
