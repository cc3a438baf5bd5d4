"""The model Hessians with which the states and bands of a request go downhill: the host's own where that pays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from simkit import solve
from simkit.errors import InputError
from simkit.potential.base import Potential
from simkit.solve.host_model import Model
from simkit.structure import Structure
from simkit.workflows.common import Hooks
from simkit.workflows.hops.settings import Hopping

STATE_SAVES = 8
"""Evaluations that the host's Hessian saves a relaxed vacancy: 5 to 17 instead of 11 to 33 in P2|O3 of 69 atoms."""
BAND_SAVES = 12
"""Evaluations of every moving image that it saves a band: 8 to 13 instead of 19 to 31 in P2|O3 of 69 atoms."""


@dataclass(frozen=True, eq=False)
class Models:
    """Model Hessians by the label of the cell, of the states that relax in it and of the bands."""

    states: Mapping[str, Model]
    bands: Mapping[str, Model]


@dataclass(frozen=True, eq=False)
class Hosts:
    """The preconditioner chosen for each cell, and what takes their models when they are needed."""

    kinds: Mapping[str, str]
    models: Callable[[], Models]


def hosts_for(
    config: Hopping,
    potential: Potential,
    cells: Mapping[str, Structure],
    work: tuple[Counter[str], Counter[str]],
    hooks: Hooks,
    name: str,
) -> Hosts:
    """What config.preconditioner asks for in each cell; work: numbers of states and of hops, by label.

    A host's Hessian is taken once and kept by the atoms of the cell and the potential, for all its states and hops.
    """
    kinds = {label: _kind(config, cell, (work[0][label], work[1][label])) for label, cell in cells.items()}

    @cache
    def models() -> Models:
        found = {
            label: _model(kind, potential, cells[label], hooks, f"{name}-host-{label}") for label, kind in kinds.items()
        }
        return Models(found, {label: None if kinds[label] == "auto" else model for label, model in found.items()})

    return Hosts(kinds, models)


def _model(kind: str, potential: Potential, cell: Structure, hooks: Hooks, name: str) -> Model:
    if kind == "host":
        return _host(potential, cell, hooks, name)
    return solve.Springs() if kind in ("exp", "auto") else None


def _kind(config: Hopping, cell: Structure, work: tuple[int, int]) -> str:
    """The model asked for; "auto" becomes "host" where its evaluations are fewer than those it will save."""
    if config.preconditioner != "auto" or config.optimiser not in ("lbfgs", "ode12r"):
        return config.preconditioner
    try:
        cost = solve.host_cost(cell)
    except InputError:
        return "auto"
    states, hops = work
    return "host" if cost < STATE_SAVES * states + BAND_SAVES * config.images * hops else "auto"


def _host(potential: Potential, cell: Structure, hooks: Hooks, name: str) -> solve.HostModel:
    plain = Structure(cell.numbers, cell.positions, cell.cell, cell.periodic)
    given = {"step": "host Hessian", "structure": plain, "settings": solve.HostSettings()}
    host = hooks.keep(name, lambda: solve.host_hessian(plain, potential), (solve.Host, Structure), given=given)
    return solve.HostModel(host)
