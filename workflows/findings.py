"""Everything a study found, as one frozen record."""

from __future__ import annotations

from dataclasses import dataclass, field

from simkit import build, measure, solve
from simkit.build.stacking import RULES
from simkit.structure import Structure
from simkit.workflows import committee, gliding, migration, stress
from simkit.workflows.extras import Extras
from simkit.workflows.hops.kinetics import Through


@dataclass(frozen=True, eq=False)
class Findings:
    """label names the cell under study, whose outcome is `whole`; phases and strained hold the pure phases.

    strained: those phases with their layers strained onto the cell's; no_energies says why energies is None. Entries
    of migration, gliding and stress carry the same names; stress is empty for a potential without atomic virials;
    spreads are those of a committee, None for a single potential;
    networks: what the hops of each cell make, where every class of them was run; extras: of steps that were added.
    """

    label: str
    model: build.Model
    phases: dict[str, solve.Outcome]
    strained: dict[str, solve.Outcome]
    whole: solve.Outcome
    energies: measure.IntergrowthEnergies | None
    no_energies: str
    migration: migration.Result
    gliding: gliding.Result
    stress: stress.Result
    spreads: committee.Summary | None = None
    networks: tuple[Through, ...] = ()
    extras: Extras = field(default_factory=Extras)

    @property
    def outcomes(self) -> dict[str, solve.Outcome]:
        """Every relaxation by name."""
        strained = {f"{name} at the common lattice": outcome for name, outcome in self.strained.items()}
        return {self.label: self.whole, **self.phases, **strained}

    @property
    def problems(self) -> list[str]:
        """One sentence for everything that did not converge."""
        lines = [f"Relaxation of {name}: {o.status}." for name, o in self.outcomes.items() if not o.converged]
        for name, outcome in {**self.phases, **self.strained}.items():
            kinds = foreign_galleries(name, outcome.structure)
            if kinds:
                lines.append(f"Phase {name} has galleries of kind {', '.join(kinds)} after relaxation.")
        lines += [f"Hop {hop.name}: {hop.status}." for hop in self.migration.hops if not hop.converged]
        for profile in self.gliding.profiles:
            bad = [status for status in profile.statuses if status != solve.CONVERGED]
            if bad:
                lines.append(f"Gliding {profile.name}, {profile.mode}: {len(bad)} points not converged ({bad[0]}).")
        lines += self.extras.problems
        if not self.stack_kept:
            lines.append("The stacking changed during relaxation: the cell is no longer the one that was asked for.")
        return lines

    @property
    def converged(self) -> bool:
        """Whether everything converged."""
        return not self.problems

    @property
    def stack_kept(self) -> bool:
        """Whether the relaxed cell still has the galleries it was built with."""
        return build.classify(self.whole.structure).stack.gaps() == self.model.stack.gaps()


def foreign_galleries(phase: str, structure: Structure) -> list[str]:
    """Galleries of a structure that do not belong to a phase, by the name it has in a study ("P2", "P2(2)").

    A phase that a block made up by a pattern of its own may hold any gallery.
    """
    pattern = set(build.PHASES.get(phase.split("(")[0], RULES))
    pattern |= {"O2u", "O2l"} if pattern & {"O2u", "O2l"} else set()
    return sorted(set(build.classify(structure).stack.gaps()) - pattern)
