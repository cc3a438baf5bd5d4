"""The relaxed ends of hops: every state once, however many hops begin or end there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from simkit import build, solve
from simkit.errors import InputError
from simkit.potential.base import Evaluation, Potential, Spread
from simkit.solve.outcome import Outcome
from simkit.structure import Structure
from simkit.workflows.common import Content, Hooks
from simkit.workflows.hops.hessians import Hosts, optimiser_of_states
from simkit.workflows.hops.keeping import Place, batched
from simkit.workflows.hops.record import SPONTANEOUS, TYPES, Chosen, SiteEnergy
from simkit.workflows.hops.settings import Hopping

SPONTANEOUS_A = 0.3
"""Ends whose moving ion relaxes to within this distance of the other end's are one state, A."""
LOST_A = 1.0
"""An ion that relaxes farther than this from its site has left it: neighbouring sites are 1.67 apart, A."""

STATES = "states"
"""The stage in which states relax, which many may share."""

Key = tuple[str, build.State]
"""A state of a cell, by the label of the cell."""
Named = TypeVar("Named", bound=tuple)


@dataclass(frozen=True, eq=False)
class Bench:
    """What states and bands are found with: settings, potential, hooks, the name of the step, and preconditioners of
    the cells (None: springs between neighbours)."""

    config: Hopping
    potential: Potential
    hooks: Hooks
    name: str
    hosts: Hosts | None = None

    def kind(self, label: str) -> str:
        """The preconditioner of a cell."""
        return "exp" if self.hosts is None else self.hosts.kinds[label]


@dataclass(frozen=True, eq=False)
class Ready:
    """A hop with its relaxed ends in one atom order, and a structure on the way or None.

    trouble  why no band is to be run, or None
    """

    chosen: Chosen
    ends: tuple[Outcome, Outcome]
    through: Structure | None
    trouble: str | None


def states_of(structures: Mapping[str, Structure], chosen: Sequence[Chosen]) -> dict[Key, Structure]:
    """Every state the hops join, unrelaxed, once each and in the order they are met."""
    found: dict[Key, Structure] = {}
    for item in chosen:
        cell = structures[item.label]
        ends = build.ends_of(cell, item.hop)
        for state in (ends.initial, ends.final):
            if (item.label, state) not in found:
                found[item.label, state] = build.arranged(cell, item.hop, state)
    return found


def vacancies_of(
    structures: Mapping[str, Structure], sites: Mapping[str, Mapping[int, int]], known: Collection[Key]
) -> dict[Key, Structure]:
    """Unrelaxed cells without one ion of each class of sites of which none is known yet; sites: class of each ion."""
    found: dict[Key, Structure] = {}
    for label, classes in sites.items():
        covered = {classes[s.gone[0]] for name, s in known if name == label and _is_vacancy(s) and s.gone[0] in classes}
        for atom, group in classes.items():
            if group not in covered:
                found[label, build.State((atom,))] = structures[label].without(atom)
                covered.add(group)
    return found


def site_energies(states: Mapping[Key, Outcome]) -> tuple[SiteEnergy, ...]:
    """Energies of the relaxed cells that lack one ion and nothing else; of those that relaxed."""
    return tuple(
        SiteEnergy(label, state.gone[0], outcome.evaluation.energy)
        for (label, state), outcome in states.items()
        if _is_vacancy(state) and outcome.converged
    )


def _is_vacancy(state: build.State) -> bool:
    return len(state.gone) == 1 and not state.number


def relaxed_states(bench: Bench, states: Mapping[Named, Structure], stage: str = STATES) -> dict[Named, Outcome]:
    """All states relaxed at fixed cell in one batch; finished ones leave it and are kept at once.

    states: under keys that begin with the label of their cell.
    """
    config = bench.config
    settings = solve.RelaxSettings(max_steps=config.max_steps, optimiser=optimiser_of_states(config))

    def prepare(keys: list[Named]) -> solve.Descent:
        cells = [states[key] for key in keys]
        asked = settings
        if bench.hosts is not None:
            models = tuple(bench.hosts.models().states[key[0]] for key in keys)
            known = [isinstance(model, solve.HostModel) for model in models]
            errors = tuple(0.5 * config.barrier_error_eV if one else np.inf for one in known)
            asked = replace(settings, model=models, energy_error_eV=errors)
        return solve.prepare_relaxation(cells, bench.potential, "fixed", config.end_fmax_eV_per_A, asked)

    places = {
        key: Place(f"{bench.name}-{stage.removesuffix('s')}-{k:04d}", _content(config, state, bench.kind(key[0])))
        for k, (key, state) in enumerate(states.items())
    }
    return batched(bench.hooks, places, TYPES, prepare, solve.outcomes, stage)


def _content(config: Hopping, state: Structure, model: str) -> Content:
    """What fixes a relaxed state: where it starts, and how it is relaxed."""
    how = {"fmax": config.end_fmax_eV_per_A, "max_steps": config.max_steps, "optimiser": optimiser_of_states(config)}
    how |= {"error": config.barrier_error_eV} if model == "host" else {}
    return Content({"step": "state", "start": state, "model": model, **how}, "state")


def ready(
    config: Hopping, structures: Mapping[str, Structure], chosen: Sequence[Chosen], states: Mapping[Key, Outcome]
) -> list[Ready]:
    """Each hop with its ends; the first hop that uses a state is charged with its evaluations."""
    charged: set[Key] = set()
    result = []
    for item in chosen:
        ends = build.ends_of(structures[item.label], item.hop)
        outcomes = []
        for state in (ends.initial, ends.final):
            key = (item.label, state)
            outcomes.append(states[key] if key not in charged else replace(states[key], evaluations=0))
            charged.add(key)
        result.append(_ready(config, structures[item.label], item, ends, outcomes))
    return result


def _ready(config: Hopping, cell: Structure, item: Chosen, ends: build.Ends, outcomes: list[Outcome]) -> Ready:
    first, last = outcomes[0], _ordered(outcomes[1], ends.order)
    final, through = build.joined(cell, item.hop, first.structure, last.structure.positions)
    last = replace(last, structure=final)
    trouble = _trouble(cell, item.hop, first, last)
    if trouble is None:
        try:
            solve.first_guess(solve.Hop(first.structure, final, through), config.images)
        except InputError as error:
            trouble = f"no path could be started: {error}"
    return Ready(item, (first, last), through, trouble)


def _ordered(outcome: Outcome, order: np.ndarray) -> Outcome:
    """An outcome with its atoms in another order."""
    e = outcome.evaluation
    spread = None if e.spread is None else Spread(e.spread.energy, e.spread.forces[order])
    virials = None if e.virials is None else e.virials[order]
    evaluation = Evaluation(e.energy, e.forces[order], e.stress, virials, spread)
    return replace(outcome, structure=outcome.structure.take(order), evaluation=evaluation)


def _trouble(cell: Structure, hop: build.Hop, first: Outcome, last: Outcome) -> str | None:
    """Why no band is run between these ends, or None when one is."""
    for side, end in (("initial", first), ("final", last)):
        if not end.converged:
            return f"the {side} state did not relax: {end.status}"
    ion = hop.moving
    start, end = first.structure.positions[ion], last.structure.positions[ion]
    if np.linalg.norm(end - start) < SPONTANEOUS_A:
        return SPONTANEOUS
    begin, target = (s.positions[ion] for s in build.endpoints(cell, hop))
    for side, found, wanted in (("initial", start, begin), ("final", end, target)):
        away = found - wanted
        fractional = away @ np.linalg.inv(cell.cell)
        away = float(np.linalg.norm((fractional - np.round(fractional)) @ cell.cell))
        if away > LOST_A:
            return f"the ion was lost: it left the {side} site by {away:.2f} A when that state was relaxed"
    return None
