"""Steps that a study takes where its file has their table: elastic constants, gamma surfaces, molecular dynamics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from simkit.errors import Stopped
from simkit.potential.base import Potential
from simkit.structure import Structure
from simkit.workflows import dynamics, elastic, gliding_surface
from simkit.workflows.common import Hooks
from simkit.workflows.together import together

Cells = Mapping[str, Structure]


@dataclass(frozen=True)
class Constants:
    """Elastic constants by cell, and why a cell has none."""

    found: elastic.Result
    missing: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Extras:
    """What these steps found; None of a step that was not asked for."""

    elastic: Constants | None = None
    surfaces: gliding_surface.Result | None = None
    dynamics: dynamics.Result | None = None

    @property
    def problems(self) -> list[str]:
        """One sentence for everything that did not converge."""
        lines = [f"Elastic constants of {name}: {why}" for name, why in (self.elastic or _NONE).missing.items()]
        for surface in self.surfaces.surfaces if self.surfaces else ():
            bad = [status for status in surface.statuses if status != "converged"]
            if bad:
                lines.append(f"Surface {surface.name}, {surface.mode}: {len(bad)} points not converged ({bad[0]}).")
        return lines + (dynamics.problems(self.dynamics) if self.dynamics else [])


_NONE = Constants(elastic.Result({}))


def constants(config: elastic.Config, model: Potential, cells: Cells, hooks: Hooks, label: str) -> Constants:
    """Elastic constants of every cell by itself, all in one batch; a cell that does not relax has a reason instead."""
    jobs = [partial(_constants_of, config, {name: cell}, hooks) for name, cell in cells.items()]
    found, missing = {}, {}
    for name, one in zip(cells, together(model, jobs), strict=True):
        if isinstance(one, Stopped):
            missing[name] = str(one)
        elif isinstance(one, BaseException):
            raise one
        else:
            found |= one.answers
    return Constants(elastic.Result(found), missing)


def _constants_of(config: elastic.Config, cells: Cells, hooks: Hooks, model: Potential) -> elastic.Result:
    (name,) = cells
    return elastic.run(config, model, cells, hooks, f"elastic-{name}")


def surfaces(
    config: gliding_surface.Config, model: Potential, cells: Cells, hooks: Hooks, label: str
) -> gliding_surface.Result:
    """Gamma surfaces of every cell; galleries asked for by number are those of the cell under study."""
    by_kind = config.model_copy(update={"galleries": "kinds"})
    found: tuple[gliding_surface.Surface, ...] = ()
    for name, cell in cells.items():
        how = config if name == label else by_kind
        found += gliding_surface.run(how, model, {name: cell}, hooks).surfaces
    return gliding_surface.Result(found)


def moving(config: dynamics.Config, model: Potential, cells: Cells, hooks: Hooks, label: str) -> dynamics.Result:
    """Molecular dynamics of the cells that the settings name."""
    wanted = {name: cell for name, cell in cells.items() if config.cells == "all" or name == label}
    return dynamics.run(config, model, wanted, hooks)


STEPS: dict[str, tuple[str, Callable[..., Any]]] = {
    "elastic": ("elastic", constants),
    "surfaces": ("surfaces", surfaces),
    "dynamics": ("dynamics", moving),
}
"""Step -> table of the study, and what it does with (settings, model, cells, hooks, label of the cell under study)."""
