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
"""Evaluations that the host's Hessian saves a relaxed vacancy: 5 instead of 15 to 20 in P2|O3 of 210 atoms, 8 or 9
instead of 11 or 12 in one of 72."""
BAND_SAVES = 20
"""Evaluations of every moving image that it saves a band: O3 hops take 14 to 40 instead of 19 to 45 in P2|O3 with two
thirds of its sodium, P2 hops 5 to 49 instead of 21 to 167, and those with springs end up to 10 meV too high; with O3
galleries that are full, 10 to 14 instead of 18 to 23."""


@dataclass(frozen=True, eq=False)
class Models:
    """Model Hessians by the label of the cell, of the states that relax in it and of the bands."""

    states: Mapping[str, Model]
    bands: Mapping[str, Model]


@dataclass(frozen=True, eq=False)
class Hosts:
    """The preconditioner chosen for each cell, "host", "exp" or "none", and what takes their models when needed."""

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
        taken = {
            label: _host(potential, cells[label], hooks, f"{name}-host-{label}")
            for label, kind in kinds.items()
            if kind == "host"
        }

        def of(springs: solve.Springs) -> dict[str, Model]:
            return {label: taken.get(label, springs if kind == "exp" else None) for label, kind in kinds.items()}

        return Models(of(solve.Springs()), of(solve.BAND_SPRINGS))

    return Hosts(kinds, models)


def optimiser_of_states(config: Hopping) -> str:
    """What relaxes the ends."""
    return "lbfgs" if config.optimiser == "auto" else config.optimiser


def optimiser_of_bands(config: Hopping, kinds: Iterable[str]) -> str:
    """What leads the bands of one batch, in cells of these kinds of preconditioner: one optimiser for all of them.

    With a host's Hessian ode12r takes 10 to 14 steps where lbfgs takes 36 and more (O3 hops in P2|O3 of 210 atoms):
    what lbfgs learns of a force that is no gradient spoils a model that is nearly right. With springs both take about
    20 there; in cells of 72 atoms lbfgs takes 14 to 18, ode12r 19 to 31.
    """
    if config.optimiser != "auto":
        return config.optimiser
    return "ode12r" if "host" in kinds else "lbfgs"


def _kind(config: Hopping, cell: Structure, work: tuple[int, int]) -> str:
    """The model asked for; "auto" becomes "host" where its evaluations are fewer than those it saves, else "exp".

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
        return "exp"
    states, hops = work
    return "host" if cost < STATE_SAVES * states + BAND_SAVES * config.images * hops else "exp"


def _host(potential: Potential, cell: Structure, hooks: Hooks, name: str) -> solve.HostModel:
    plain = Structure(cell.numbers, cell.positions, cell.cell, cell.periodic)
    given = {"step": "host Hessian", "structure": plain, "settings": solve.HostSettings()}
    host = hooks.keep(name, lambda: solve.host_hessian(plain, potential), (solve.Host, Structure), given=given)
    return solve.HostModel(host)
