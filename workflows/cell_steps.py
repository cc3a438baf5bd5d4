"""What the steps of a study do with some of its relaxed cells: all of them, or one where many share the work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simkit import build
from simkit.potential.base import Potential
from simkit.structure import Structure
from simkit.workflows import extras, gliding, migration
from simkit.workflows.common import Hooks


@dataclass(frozen=True, eq=False)
class Cells:
    """Relaxed cells of a study and the models they were built as, by name; label names the cell under study."""

    label: str
    relaxed: Mapping[str, Structure]
    built: Mapping[str, build.Model]


def moved(config: Any, model: Potential, cells: Cells, hooks: Hooks) -> migration.Result:
    """The hops of some cells of a study."""
    return migration.run(config.migration, model, cells.relaxed, hooks, models=cells.built)


def glided(config: Any, model: Potential, cells: Cells, hooks: Hooks) -> gliding.Result:
    """Glides of some cells; galleries asked for by number are those of the cell under study, phases glide by kind."""
    by_kind = config.gliding.model_copy(update={"galleries": "kinds"})
    whole = {name: cell for name, cell in cells.relaxed.items() if name == cells.label}
    rest = {name: cell for name, cell in cells.relaxed.items() if name != cells.label}
    found: tuple[gliding.Profile, ...] = ()
    for settings, given in ((config.gliding, whole), (by_kind, rest)):
        found += gliding.run(settings, model, given, hooks).profiles if given else ()
    return gliding.Result(found)


def added(config: Any, model: Potential, cells: Cells, hooks: Hooks, name: str) -> Any:
    """What a step of `extras` finds in some cells; None where the study does not have it."""
    table, run_step = extras.STEPS[name]
    settings = getattr(config, table)
    return None if settings is None else run_step(settings, model, cells.relaxed, hooks, cells.label)
