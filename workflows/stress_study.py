"""A study of stress: several cells and their phases in several states, on one scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field, model_validator

from simkit import build, io, solve
from simkit.build.phases import DECORATED
from simkit.config import Section
from simkit.errors import InputError, Stopped
from simkit.potential.base import Evaluation, Potential, Spread
from simkit.structure import Structure
from simkit.workflows import relax, stress
from simkit.workflows.cells import blocks_of, intergrowth, named, phase_cells, phase_names
from simkit.workflows.common import QUIET, Hooks
from simkit.workflows.stress import Config as StressConfig
from simkit.workflows.stresses.states import Bench, Group, Made, State, make
from simkit.workflows.structures import Request, StackConfig

OUTCOMES = (solve.Outcome, Evaluation, Spread)


class CellConfig(Section):
    """One cell of the comparison: a stack to be built, or a structure file with files of its phases relaxed alone.

    name       in tables and pictures
    structure  the stack; its phases are built alone from its blocks
    file       a layered structure of your own instead
    phases     files of its phases, by the names that its atoms have in the column "phase"
    """

    name: str
    structure: StackConfig | None = None
    file: str | None = None
    phases: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one(self) -> CellConfig:
        if (self.structure is None) == (self.file is None):
            raise ValueError("give a cell either a structure table or a file")
        return self


class Config(Request):
    """A study of stress.

    ion     the mobile ion that leaves in charged states
    cells   the cells compared
    states  in which they are mapped
    stress  the field and the threshold
    """

    ion: str = "Na"
    cells: list[CellConfig] = Field(min_length=1)
    states: list[State] = Field(default_factory=lambda: [State(name="as built", cell="free")], min_length=1)
    stress: StressConfig = StressConfig()

    @model_validator(mode="after")
    def _apart(self) -> Config:
        for what in ("cells", "states"):
            names = [item.name for item in getattr(self, what)]
            if len(set(names)) < len(names):
                raise ValueError(f"two {what} have one name; give each its own")
        return self


@dataclass(frozen=True, eq=False)
class Mapped:
    """One cell in one state: the map, how its relaxation ended, and the maps of its phases alone in that state."""

    state: str
    cell: str
    map: stress.StressMap
    status: str
    phases: dict[str, stress.StressMap]

    @property
    def converged(self) -> bool:
        """Whether the cell met its criterion (a mean over frames counts as such)."""
        return self.status == solve.CONVERGED or self.status.startswith("mean")


@dataclass(frozen=True)
class Result:
    """maps: one for each state and cell, states outermost; groups: relaxed cells and phases by cell."""

    maps: tuple[Mapped, ...]
    groups: dict[str, Group]

    @property
    def converged(self) -> bool:
        """Whether every cell in every state is relaxed."""
        return all(mapped.converged for mapped in self.maps)

    def to_ase(self) -> dict[str, Any]:
        """Each cell in each state as ase.Atoms."""
        return {f"{m.state} {m.cell}": io.to_ase(m.map.structure) for m in self.maps}


def run(config: Config, potential: Potential, hooks: Hooks = QUIET) -> Result:
    """Build and relax cells and phases, make every state of them, map the stress in excess of the phases alone.

    Raises InputError for cells that cannot be built, potentials without virials and states that do not fit, Stopped
    where a relaxation breaks down.
    """
    if not potential.card.virials:
        raise InputError(
            f"{potential.card.name} gives no atomic virials, so no stress map can be made from it; "
            "use a MACE, CHGNet or analytic potential."
        )
    groups = _groups(config, potential, hooks)
    bench = Bench(config.relax, config.ion, config.seed, potential, hooks)
    maps: list[Mapped] = []
    for state in config.states:
        made = make(state, groups, bench)
        maps += [_mapped(config, state, name, group, made) for name, group in groups.items()]
    return Result(tuple(maps), groups)


def _mapped(config: Config, state: State, name: str, group: Group, made: Mapping[tuple[str, str], Made]) -> Mapped:
    own = {name: made[name, ""], **{f"phase {p}": made[name, p] for p in group.phases}}
    structures = {key: one.structure for key, one in own.items()}
    for key, structure in structures.items():
        build.require_filled(structure, f"{name}, {key}")
    evaluations = {key: one.evaluation for key, one in own.items()}
    references = [key for key in own if key != name]
    found = stress.mapped(config.stress, structures, evaluations, references).maps
    phases = {p: found[f"phase {p}"] for p in group.phases}
    return Mapped(state.name, name, found[name], own[name].status, phases)


def _groups(config: Config, potential: Potential, hooks: Hooks) -> dict[str, Group]:
    """Relaxed cells with their relaxed phases: phases first, then cells with the heights of their phases."""
    built = [cell for cell in config.cells if cell.structure is not None]
    alone = {
        (cell.name, name): model.structure
        for cell in built
        for name, model in phase_cells(cell.structure, config.seed).items()
    }
    phases = _relaxed(config.relax, potential, alone, hooks, "phases")
    wholes = {(cell.name, ""): _whole(cell, config.seed, phases) for cell in built}
    relaxed = _relaxed(config.relax, potential, wholes, hooks, "cells")
    groups = {}
    for cell in config.cells:
        if cell.structure is None:
            given = {phase: _read(file) for phase, file in cell.phases.items()}
            groups[cell.name] = Group(_read(cell.file or ""), given)
        else:
            own = {p: s for (name, p), s in phases.items() if name == cell.name}
            groups[cell.name] = Group(relaxed[cell.name, ""], own)
    return groups


def _read(file: str) -> Structure:
    found = io.read(file)
    return found if {"site", "phase"} <= set(found.tags) else build.label(found)


def _whole(cell: CellConfig, seed: int, phases: Mapping[tuple[str, str], Structure]) -> Structure:
    """The built cell with harvested heights of its layered phases; spinel and rock-salt keep their own."""
    names, blocks = phase_names(cell.structure), blocks_of(cell.structure)
    heights = {
        name: None if block.phase in DECORATED else build.harvest(phases[cell.name, name], block.distorted)
        for name, block in zip(names, blocks, strict=True)
    }
    return named(intergrowth(cell.structure, seed, heights), cell.structure).structure


def _relaxed(settings: relax.Config, potential: Potential, cells: Mapping, hooks: Hooks, what: str) -> dict:
    if not cells:
        return {}
    numbered = {str(k): s for k, s in enumerate(cells.values())}
    outcomes = relax.run(settings, potential, numbered, hooks, f"stress-{what}").outcomes.values()
    found = dict(zip(cells, outcomes, strict=True))
    for (name, phase), outcome in found.items():
        if outcome.failed:
            raise Stopped(f"{name} {phase}".strip() + f": {outcome.status}")
    return {key: outcome.structure for key, outcome in found.items()}
