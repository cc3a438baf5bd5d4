"""Which steps of a study many workers may share: how many items each stage has, and how one share of them is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simkit import build
from simkit.errors import InputError
from simkit.structure import Structure
from simkit.workflows import dynamics, elastic, gliding, migration, study
from simkit.workflows.cell_steps import Cells, added, glided, moved
from simkit.workflows.glides import points as gliding_points
from simkit.workflows.hops import ends, refining
from simkit.workflows.hops.choice import choose


@dataclass(frozen=True)
class Stage:
    """Items of one stage of a step: `count` of them, of `systems` cells each that are evaluated together."""

    name: str
    count: int
    systems: int = 1


WORK: dict[str, Callable[..., Any]] = {
    "migration": moved,
    "gliding": glided,
    **{
        name: lambda config, model, cells, hooks, name=name: added(config, model, cells, hooks, name)
        for name in ("elastic", "surfaces", "dynamics")
    },
}
"""What a step does with some cells of a study, hooks deciding how much of it."""


def stages(step: str, config: study.Config, cells: Cells) -> Sequence[Stage]:
    """The stages of a step for one cell, in order, as far as they can be told from the cell as it is built.

    What relaxes may have a few items more or less; shares are parts of what is there then. Empty for a cell in which
    there is nothing to do.
    """
    ((name, cell),) = cells.relaxed.items()
    try:
        return STAGES[step](config, name, cell, cells) if step in STAGES else ()
    except InputError:
        return ()  # the step itself says what is wrong with it, with the cell as it relaxes


def _hops(config: study.Config, name: str, cell: Structure, cells: Cells) -> Sequence[Stage]:
    settings = config.migration
    chosen = choose(settings, {name: cell}, cells.built)
    states = migration.states(settings, {name: cell}, chosen, cells.built)
    first = (Stage(ends.STATES, len(states)), Stage(migration.BANDS, len(chosen), settings.images))
    if not settings.refine:
        return first
    again = Stage(refining.TURNS, len(chosen), settings.images), Stage(refining.RESTS, len(chosen))
    return (*first, *again, Stage(refining.PIECES, len(chosen), settings.images))


def _glides(config: study.Config, name: str, cell: Structure, cells: Cells) -> Sequence[Stage]:
    settings = config.gliding
    asked = settings.galleries if name == cells.label else "kinds"
    galleries = len(gliding.galleries_of(asked, build.label(cell)))
    starts = sum(2 if mode == "held" else 1 for mode in settings.modes)
    points = 1 + settings.points * len(settings.letters)
    return (Stage(gliding_points.STAGE, galleries * starts * points),)


def _surfaces(config: study.Config, name: str, cell: Structure, cells: Cells) -> Sequence[Stage]:
    settings = config.surfaces
    layered = build.label(cell)
    galleries = gliding.galleries_of(settings.galleries if name == cells.label else "kinds", layered)
    starts = sum(2 if mode == "held" else 1 for mode in settings.modes)
    grids = [
        build.glide_grid(layered, g, settings.grid, settings.period, symprec_A=settings.symprec_A) for g in galleries
    ]
    return (Stage(gliding_points.STAGE, starts * sum(len(grid.vectors_A) for grid in grids)),)


def _strains(config: study.Config, name: str, cell: Structure, cells: Cells) -> Sequence[Stage]:
    strained = Stage(elastic.STRAINED, 2 * len(elastic.strains(cell, config.elastic.symprec_A)))
    return (Stage(elastic.RELAXED, 1), strained) if config.elastic.relax else (strained,)


def _segments(config: study.Config, name: str, cell: Structure, cells: Cells) -> Sequence[Stage]:
    settings = config.dynamics
    if settings.cells == "whole" and name != cells.label:
        return ()
    runs = (1 if settings.run.heating else len(settings.run.temperatures_K)) * settings.run.replicas
    return [Stage(f"{dynamics.SEGMENT} {k}", runs) for k in range(len(settings.ends))]


STAGES: Mapping[str, Callable[[study.Config, str, Structure, Cells], Sequence[Stage]]] = {
    "migration": _hops,
    "gliding": _glides,
    "surfaces": _surfaces,
    "elastic": _strains,
    "dynamics": _segments,
}
