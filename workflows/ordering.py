"""Rank arrangements of the ions of a built cell with a potential: Coulomb energies choose, the potential decides."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from simkit import build, solve
from simkit.config import Section
from simkit.potential.base import Evaluation, Potential, Spread
from simkit.structure import Structure
from simkit.workflows import relax
from simkit.workflows.common import QUIET, Hooks


class Config(Section):
    """How many arrangements are ranked, and whether each is relaxed (`settle`) or taken as built.

    count  arrangements of lowest Coulomb energy that the potential ranks
    settle None: energies of the cells as built; else each is relaxed with these settings first
    """

    count: int = Field(default=6, ge=1)
    settle: relax.Config | None = None


@dataclass(frozen=True, eq=False)
class Ranked:
    """One arrangement: cell (relaxed where asked), energy by the potential, Coulomb energy, ions by kind of site.

    converged  whether its relaxation did; True where none was asked
    """

    structure: Structure
    energy_eV: float
    coulomb_eV: float
    by_kind: dict[str, int]
    converged: bool


TYPES = (Ranked, solve.Outcome, Evaluation, Spread)


def run(
    config: Config, potential: Potential, built: build.Model | build.Composite, hooks: Hooks = QUIET
) -> list[Ranked]:
    """Arrangements of the ions of one built cell, lowest energy first; all have the same composition.

    Metals stay where the seed put them. Relaxations that did not converge come last, whatever their energy.
    Fewer than `count` come back where the Coulomb search meets fewer distinct ones.
    """
    orders = build.ion_orders(built.scaffold, built.report.seed, config.count)
    cells = [order.filled.structure for order in orders]

    def compute() -> list[Ranked]:
        if config.settle is None:
            energies = [e.energy for e in potential.evaluate(cells, virials=False)]
            return _sorted(cells, energies, orders, [True] * len(cells))
        named = {f"order {k}": cell for k, cell in enumerate(cells)}
        outcomes = list(relax.run(config.settle, potential, named, Hooks(watch=hooks.watch)).outcomes.values())
        energies = [outcome.evaluation.energy for outcome in outcomes]
        return _sorted([o.structure for o in outcomes], energies, orders, [o.converged for o in outcomes])

    return hooks.keep("ordering", compute, TYPES)


def _sorted(
    cells: list[Structure], energies: list[float], orders: tuple[build.IonOrder, ...], converged: list[bool]
) -> list[Ranked]:
    ranked = [
        Ranked(cell, float(energy), order.energy_eV, dict(order.by_kind), good)
        for cell, energy, order, good in zip(cells, energies, orders, converged, strict=True)
    ]
    return sorted(ranked, key=lambda one: (not one.converged, one.energy_eV))
