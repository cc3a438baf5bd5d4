"""States a stress is mapped in, each made from the relaxed cells: as built, charged, strained, warm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from pydantic import Field, field_validator

from simkit import build, measure, solve
from simkit.config import Section
from simkit.errors import InputError, Stopped
from simkit.potential.base import Evaluation, Potential, Spread
from simkit.structure import Structure
from simkit.workflows import relax
from simkit.workflows.common import Hooks

STRAINS = ("xx", "yy", "zz", "yz", "xz", "xy")
OUTCOMES = (solve.Outcome, Evaluation, Spread)


class Warm(Section):
    """Molecular dynamics over which the stress is averaged, kinetic part included.

    temperature_K, timestep_fs  of the bath and of the integrator
    settle_steps, steps  before and while stresses are gathered
    every  steps between two frames that count
    """

    temperature_K: float = Field(gt=0)
    timestep_fs: float = Field(default=1.0, gt=0)
    settle_steps: int = Field(default=1000, ge=0)
    steps: int = Field(default=2000, gt=0)
    every: int = Field(default=20, gt=0)


class State(Section):
    """One state of the cells.

    name     in tables and pictures
    removed  part of the mobile ions that has left, 0 to 1
    how      "evenly" from every gallery, "phase" (those of `phase` first), "lowest": of `tries` random choices the one
             of lowest energy when relaxed
    phase    whose ions leave first
    cell     what may relax besides the atoms: "free", "c" (along the normal; fixed in the plane), "fixed", "inplane"
    strain   applied to the relaxed cell before atoms relax in it, as { xx = 0.01 }; shears are engineering shears
    warm     molecular dynamics to average over
    """

    name: str
    removed: float = Field(default=0.0, ge=0, le=1)
    how: Literal["evenly", "phase", "lowest"] = "evenly"
    phase: str = ""
    tries: int = Field(default=4, ge=2)
    cell: Literal["free", "c", "fixed", "inplane"] = "c"
    strain: dict[str, float] = Field(default_factory=dict)
    warm: Warm | None = None

    @field_validator("strain")
    @classmethod
    def _known(cls, strain: dict[str, float]) -> dict[str, float]:
        wrong = [name for name in strain if name not in STRAINS]
        if wrong or any(abs(value) > 0.2 for value in strain.values()):
            raise ValueError(f"give components of {', '.join(STRAINS)} of at most 0.2, as {{ xx = 0.01 }}")
        return strain


@dataclass(frozen=True, eq=False)
class Made:
    """A cell in a state and what the potential says of it: evaluation with virials (averaged where warm)."""

    structure: Structure
    evaluation: Evaluation
    status: str


@dataclass(frozen=True, eq=False)
class Bench:
    """What every state is made with: relaxation, mobile ion, seed, potential, hooks."""

    relax: relax.Config
    ion: str
    seed: int
    potential: Potential
    hooks: Hooks


@dataclass(frozen=True, eq=False)
class Group:
    """A relaxed cell and its phases relaxed alone, by name; phases follow the cell's content and never its strain."""

    cell: Structure
    phases: dict[str, Structure]


def make(state: State, groups: Mapping[str, Group], bench: Bench) -> dict[tuple[str, str], Made]:
    """Every cell (name, "") and every phase (name, phase) in a state; each kind of work is one batch.

    The phases lose the share of ions that they lose in the cell, and relax free of stress: the zero of the excess.
    Raises InputError for a phase that no cell has, Stopped where a relaxation or a run breaks down.
    """
    if state.how == "phase" and not any(state.phase in group.phases for group in groups.values()):
        names = sorted({phase for group in groups.values() for phase in group.phases})
        raise InputError(f"state {state.name!r}: no cell has a phase {state.phase!r}; there are {', '.join(names)}.")
    chosen = _charged(state, groups, bench)
    strained = {name: _strained(cell, state.strain) for name, cell in chosen.items()}
    mode = "fixed" if state.strain else state.cell
    wholes = _relaxed(state, bench, mode, strained, "cells")
    alone = {
        (name, phase): build.charged(s, _lost(groups[name].cell, chosen[name], phase, bench.ion), bench.ion)
        if bench.ion in s.symbols
        else s
        for name, group in groups.items()
        for phase, s in group.phases.items()
    }
    phases = _relaxed(state, bench, "free", alone, "phases")
    every = {**{(name, ""): outcome for name, outcome in wholes.items()}, **phases}
    return _evaluated(state, every, bench)


def _charged(state: State, groups: Mapping[str, Group], bench: Bench) -> dict[str, Structure]:
    """Cells without the ions that leave."""
    if state.removed == 0:
        return {name: group.cell for name, group in groups.items()}
    if state.how != "lowest":
        return {name: _one(state, group, bench, bench.seed) for name, group in groups.items()}
    tries = {(name, k): _one(state, group, bench, k) for name, group in groups.items() for k in range(state.tries)}
    found = _relaxed(state, bench, state.cell, tries, "tries")
    best = {}
    for name in groups:
        k = min(range(state.tries), key=lambda k: found[name, k].evaluation.energy)
        best[name] = found[name, k].structure
    return best


def _one(state: State, group: Group, bench: Bench, seed: int) -> Structure:
    first = state.phase if state.how == "phase" and state.phase in group.phases else None
    if state.how == "lowest":
        ions = np.flatnonzero(np.array(group.cell.symbols) == bench.ion)
        count = round(state.removed * len(ions))
        gone = np.random.default_rng([bench.seed, seed]).permutation(ions)[:count]
        return group.cell.take(np.setdiff1d(np.arange(len(group.cell)), gone))
    return build.charged(group.cell, state.removed, bench.ion, seed, first)


def _lost(before: Structure, after: Structure, phase: str, ion: str) -> float:
    """Share of the ions of a phase that has left a cell."""
    had, has = (build.ion_counts(s, ion).get(phase, 0) for s in (before, after))
    return 0.0 if had == 0 else 1.0 - has / had


def _strained(structure: Structure, strain: Mapping[str, float]) -> Structure:
    total = sum((measure.strain(STRAINS.index(name), value) for name, value in strain.items()), np.zeros((3, 3)))
    return structure.strained_to(structure.cell @ (np.eye(3) + total))


def _relaxed(state: State, bench: Bench, cell: str, given: Mapping, what: str) -> dict:
    """Relaxed cells by the keys given, kept under the name of the state."""
    if not given:
        return {}
    name = f"stress-{state.name}-{what}"
    config = bench.relax.model_copy(update={"cell": cell})
    numbered = {str(k): s for k, s in enumerate(given.values())}
    outcomes = relax.run(config, bench.potential, numbered, bench.hooks, name).outcomes
    found = dict(zip(given, outcomes.values(), strict=True))
    for key, outcome in found.items():
        if outcome.failed:
            raise Stopped(f"state {state.name!r}, {key}: {outcome.status}")
    return found


def _evaluated(state: State, outcomes: Mapping, bench: Bench) -> dict[tuple[str, str], Made]:
    structures = [outcome.structure for outcome in outcomes.values()]
    statuses = [outcome.status for outcome in outcomes.values()]
    if state.warm is None:
        said = bench.potential.evaluate(structures, virials=True)
        return {key: Made(s, e, status) for key, s, e, status in zip(outcomes, structures, said, statuses, strict=True)}
    warm = bench.hooks.keep(
        f"stress-{state.name}-warm",
        lambda: _averaged(state.warm, structures, bench),
        (Made, Evaluation, Spread),
    )
    return dict(zip(outcomes, warm, strict=True))


def _averaged(warm: Warm, structures: Sequence[Structure], bench: Bench) -> list[Made]:
    """Mean structures and stresses over runs in a heat bath, all in one batch."""
    settings = solve.MdSettings(every=warm.every)
    watched = solve.hooks_of(bench.hooks.watch("stress: dynamics"))
    runs = solve.run_md(
        structures, bench.potential, "nvt", temperature_K=warm.temperature_K, timestep_fs=warm.timestep_fs,
        steps=warm.settle_steps + warm.steps, seed=bench.seed, settings=settings, hooks=watched,
    )  # fmt: skip
    found = []
    for run in runs:
        if not run.finished:
            raise Stopped(f"dynamics for the stress: {run.status}")
        counted = [k for k in range(len(run)) if run.time_fs[k] > warm.settle_steps * warm.timestep_fs - 1e-6]
        frames = [run[k] for k in counted]
        said = bench.potential.evaluate(frames, virials=True)
        structure, evaluation = measure.averaged(frames, said, [run.velocities_A_per_fs[k] for k in counted])
        found.append(Made(structure, replace(evaluation, spread=None), f"mean of {len(frames)} frames"))
    return found
