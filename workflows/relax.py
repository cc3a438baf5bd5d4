"""Relax one or many structures in one batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from simkit import io, solve
from simkit.config import Section
from simkit.potential.base import Evaluation, Potential, Spread
from simkit.solve.outcome import Outcome
from simkit.workflows.common import QUIET, Hooks, named_structures


class Config(Section):
    """How a structure is relaxed.

    cell           what may move besides the atoms
    fmax_eV_per_A  largest force on any atom at the end
    max_steps      after which it stops, converged or not
    optimiser      of atoms and cell: "lbfgs", "ode12r", "fire2", "abcfire"; "fire" is "fire2"
    preconditioner of lbfgs and ode12r: "exp", springs between neighbours, or "none"
    """

    cell: Literal["fixed", "free", "c", "inplane"] = "free"
    fmax_eV_per_A: float = Field(default=0.03, gt=0)
    max_steps: int = Field(default=300, gt=0)
    optimiser: Literal["lbfgs", "ode12r", "fire2", "abcfire", "fire"] = "lbfgs"
    preconditioner: Literal["exp", "none"] = "exp"


@dataclass(frozen=True)
class Result:
    """outcomes: one `Outcome` per structure, by name."""

    outcomes: dict[str, Outcome]

    @property
    def converged(self) -> bool:
        """Whether every structure converged."""
        return all(outcome.converged for outcome in self.outcomes.values())

    def to_ase(self) -> dict[str, Any]:
        """The relaxed structures as ase.Atoms, by name."""
        return {name: io.to_ase(outcome.structure) for name, outcome in self.outcomes.items()}


TYPES = (Result, Outcome, Evaluation, Spread)


def run(config: Config, potential: Potential, structures: Any, hooks: Hooks = QUIET, name: str = "relax") -> Result:
    """Relax `structures` (one, a list or a mapping of Structure, ase.Atoms or pymatgen.Structure) in one batch.

    A structure that does not converge is returned as far as it got, with a status that says why.
    """
    given = named_structures(structures)

    def compute() -> Result:
        model = solve.Springs() if config.preconditioner == "exp" else None
        settings = solve.RelaxSettings(optimiser=config.optimiser, max_steps=config.max_steps, model=model)
        outcomes = solve.relax(
            list(given.values()),
            potential,
            cell=config.cell,
            fmax_eV_per_A=config.fmax_eV_per_A,
            settings=settings,
            observer=hooks.watch(name),
        )
        return Result(dict(zip(given, outcomes, strict=True)))

    return hooks.keep(name, compute, TYPES)
