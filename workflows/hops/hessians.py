"""The model Hessians with which the states and bands of a request go downhill: the host's own where that pays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from simkit import solve
from simkit.errors import InputError
from simkit.potential.base import Potential
from simkit.solve.host_model import Model
from simkit.solve.optimisers import DAMPED
from simkit.structure import Structure
from simkit.workflows.common import Hooks
from simkit.workflows.hops.settings import Hopping

STATE_SAVES = 8
"""Evaluations that the host's Hessian saves a relaxed vacancy: 5 to 17 instead of 11 to 33 in P2|O3 of 69 atoms."""
BAND_SAVES = 20
"""Evaluations of every moving image that it saves a band: 12 to 16 instead of 32 to 53 in P2|O3 of 210 atoms, where the
bands without it end 10 to 15 meV too high as well."""


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


def optimiser_of_states(config: Hopping) -> str:
    """What relaxes the ends."""
    return "lbfgs" if config.optimiser == "auto" else config.optimiser


def optimiser_of_bands(config: Hopping, kinds: Iterable[str]) -> str:
    """What leads the bands of one batch, in cells of these kinds of preconditioner: one optimiser for all of them.

    With a host's Hessian ode12r took 12 to 16 steps where lbfgs took 60 to 70 (O3 hops in P2|O3 of 210 atoms): what
    lbfgs learns of a force that is no gradient spoils a model that is nearly right. Without, lbfgs took fewer.
    """
    if config.optimiser != "auto":
        return config.optimiser
    return "ode12r" if "host" in kinds else "lbfgs"


def _model(kind: str, potential: Potential, cell: Structure, hooks: Hooks, name: str) -> Model:
    if kind == "host":
        return _host(potential, cell, hooks, name)
    return solve.Springs() if kind in ("exp", "auto") else None


def _kind(config: Hopping, cell: Structure, work: tuple[int, int]) -> str:
    """The model asked for; "auto" becomes "host" where its evaluations are fewer than those it will save.

    Raises InputError where the optimiser takes no model.
    """
    if config.optimiser in DAMPED:
        if config.preconditioner in ("host", "exp"):
            raise InputError(
                f"preconditioner = {config.preconditioner!r} with optimiser = {config.optimiser!r}, which takes none; "
                "use optimiser = 'auto', 'lbfgs' or 'ode12r', or preconditioner = 'none'."
            )
        return "none"
    if config.preconditioner != "auto":
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
