"""Gliding one slab between its neighbours: energy at the next letter, barrier on the way, what galleries become."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field

from simkit import build, io, measure, solve
from simkit.arrays import Floats
from simkit.config import Section
from simkit.errors import InputError
from simkit.potential.base import Potential
from simkit.structure import Structure
from simkit.units import EV_PER_A2_IN_J_PER_M2
from simkit.workflows.common import QUIET, Hooks
from simkit.workflows.glides.points import Apart, Effort, Place, Point, Row, answers, apart
from simkit.workflows.glides.starts import ion_starts, with_nudged_ions
from simkit.workflows.gliding import layered, plane_of


class Config(Section):
    """How single slabs glide.

    points   displaced points from one letter to the next (the next one included)
    letters  ways to glide: +1 and/or -1
    slabs    indices, "kinds" (one slab of each pair of neighbouring galleries) or "all"
    mode     "held": the centroid of every slab held in the plane, ions free; "normal": ions cannot move sideways
    seed     of the nudge that free ions get
    fmax_eV_per_A, max_steps  of each point
    """

    points: int = Field(default=4, ge=3)
    letters: list[Literal[1, -1]] = Field(default_factory=lambda: [1, -1], min_length=1, max_length=2)
    slabs: Literal["kinds", "all"] | list[int] = "kinds"
    mode: Literal["held", "normal", "rigid"] = "held"
    seed: int = Field(default=0, ge=0)
    fmax_eV_per_A: float = Field(default=0.05, gt=0)
    max_steps: int = Field(default=200, gt=0)


@dataclass(frozen=True, eq=False)
class Move:
    """One slab glided by one letter.

    before, after  names of the galleries below and above; found: what `classify` reads of the relaxed end, "" where it
                   reads no stack
    fraction (k,) of the way, 0 included; energy_eV (k,) of the cell; area_A2 of the slab, formula_units of it
    apart          spreads of a committee above the cell as it was, None for a single potential
    """

    structure: str
    slab: int
    g: int
    before: tuple[str, str]
    after: tuple[str, str]
    found: tuple[str, str]
    fraction: np.ndarray
    energy_eV: np.ndarray
    area_A2: float
    formula_units: float
    letter_distance_A: float
    statuses: tuple[str, ...]
    structures: tuple[Structure, ...]
    apart: Apart | None = None

    @property
    def converged(self) -> bool:
        """Whether every point converged."""
        return all(status == solve.CONVERGED for status in self.statuses)

    @property
    def curve(self) -> measure.GammaProfile:
        """Energy per area of the slab along the way, by cubic spline."""
        plane = measure.GlidePlane(self.area_A2, self.formula_units, self.letter_distance_A)
        return measure.gamma_profile(self.fraction, self.energy_eV, plane, "start")

    @property
    def final_J_per_m2(self) -> float:
        """Energy at the next letter, per area of the slab."""
        return float(self.curve.gamma_J_per_m2[-1])

    @property
    def barrier_J_per_m2(self) -> float:
        """Highest point of the way, per area of the slab."""
        return self.curve.unstable_J_per_m2


@dataclass(frozen=True)
class Result:
    """moves: one per structure, slab and letter."""

    moves: tuple[Move, ...]

    def to_ase(self) -> dict[str, list[Any]]:
        """The cells along each move as ase.Atoms, by "structure slab j letter g"."""
        return {f"{m.structure} slab {m.slab} {m.g:+d}": [io.to_ase(s) for s in m.structures] for m in self.moves}


@dataclass(frozen=True, eq=False)
class _Task:
    label: str
    structure: Structure
    slab: int
    g: int

    def places(self, config: Config, name: str) -> list[list[Place]]:
        """For every fraction the places to start from, of which the lowest counts."""
        vectors = build.letter_vectors(self.structure)
        vector = vectors[0] if self.g > 0 else vectors[1]
        held = config.mode == "held"
        beside = build.slab_weights(self.structure, self.slab, 2.0) == 2.0
        start = with_nudged_ions(self.structure, beside, config.seed) if held else self.structure
        stack = build.classify(self.structure).stack
        after, beside_it = stack.glide_slab(self.slab, self.g), (self.slab - 1, self.slab)
        shares = ion_starts([stack.gap(k) for k in beside_it], [after.gap(k) for k in beside_it])
        head = f"{name}-{self.label}-slab{self.slab}-{self.g:+d}-{config.mode}"
        return [
            [
                Place(f"{head}-{f:.6f}-{k}", _moved(start, self.slab, f * vector, ions), config.mode)
                for k, ions in enumerate(shares if held and f > 0 else shares[:1])
            ]
            for f in fractions(config)
        ]


def fractions(config: Config) -> np.ndarray:
    """(points + 1,) of the way, 0 included."""
    return np.arange(config.points + 1) / config.points


def run(config: Config, potential: Potential, structures: Any, hooks: Hooks = QUIET, name: str = "slab") -> Result:
    """Glide single slabs of relaxed layered structures (Structure, ase.Atoms, pymatgen.Structure; one or by name).

    Every point of every slab and structure is relaxed in one batch, and kept by itself. Raises InputError for a
    structure that is not layered, has free surfaces, has one slab only or lacks a slab asked for.
    """
    tasks = [
        _Task(label, structure, slab, g)
        for label, structure in layered(structures).items()
        for slab in _slabs(config, structure)
        for g in config.letters
    ]
    rows = [Row(f"{task.label}, slab {task.slab} by {task.g:+d}", task.places(config, name)) for task in tasks]
    found = answers(rows, potential, Effort(config.fmax_eV_per_A, config.max_steps), hooks, name)
    spreads = apart(found, potential, [0] * len(found), hooks, name)
    return Result(tuple(_move(config, task, *told) for task, *told in zip(tasks, found, spreads, strict=True)))


def _slabs(config: Config, structure: Structure) -> list[int]:
    found = build.classify(structure)
    if config.slabs == "kinds":
        return build.distinct_slabs(found)
    return list(range(len(found.stack))) if config.slabs == "all" else list(config.slabs)


def _moved(structure: Structure, slab: int, vector: np.ndarray, ions: Floats) -> Structure:
    weights = build.slab_weights(structure, slab, (float(ions[0]), float(ions[1])))
    return structure.moved_to(structure.positions + weights[:, None] * vector)


def _move(config: Config, task: _Task, points: list[Point], spreads: Apart | None) -> Move:
    stack = build.classify(task.structure).stack
    glided, j = stack.glide_slab(task.slab, task.g), task.slab
    plane = plane_of(task.structure)
    return Move(
        structure=task.label,
        slab=j,
        g=task.g,
        before=(stack.gap(j - 1), stack.gap(j)),
        after=(glided.gap(j - 1), glided.gap(j)),
        found=_read(points[-1].structure, j),
        fraction=fractions(config),
        energy_eV=np.array([point.energy_eV for point in points]),
        area_A2=plane.area_A2,
        formula_units=plane.formula_units,
        letter_distance_A=plane.length_A,
        statuses=tuple(point.status for point in points),
        structures=tuple(point.structure for point in points),
        apart=spreads,
    )


def _read(structure: Structure, slab: int) -> tuple[str, str]:
    """Galleries beside a slab as the relaxed coordinates have them."""
    try:
        stack = build.classify(structure).stack
    except InputError:
        return "", ""
    return stack.gap(slab - 1), stack.gap(slab)


def table(move: Move) -> dict:
    """Plain numbers of one move, unit in every key."""
    curve = move.curve
    return {
        "structure": move.structure,
        "slab": move.slab,
        "letter": move.g,
        "before": list(move.before),
        "after": list(move.after),
        "found": list(move.found),
        "converged": move.converged,
        "fractions": curve.fractions.tolist(),
        "energy_J_per_m2": curve.gamma_J_per_m2.tolist(),
        "final_J_per_m2": move.final_J_per_m2,
        "final_meV_per_fu": float(curve.gamma_meV_per_fu[-1]),
        "barrier_J_per_m2": move.barrier_J_per_m2,
        "barrier_meV_per_fu": per_unit(move, move.barrier_J_per_m2),
        "barrier_at_fraction": curve.unstable_at,
        **_spreads(move),
    }


def _spreads(move: Move) -> dict:
    """Of a committee: spreads along the way, and of its highest point."""
    if move.apart is None:
        return {}
    energies = move.apart.energy_eV / move.area_A2 * EV_PER_A2_IN_J_PER_M2
    return {
        "energy_committee_spread_J_per_m2": energies.tolist(),
        "barrier_committee_spread_J_per_m2": float(energies[np.argmax(move.energy_eV)]),
        "force_spread_meV_per_A": float(move.apart.force_eV_per_A.max()) * 1e3,
    }


def per_unit(move: Move, energy_J_per_m2: float) -> float:
    """An energy per area of the slab as one per formula unit of it, meV."""
    return measure.per_formula_unit_meV(energy_J_per_m2, move.area_A2, move.formula_units)
