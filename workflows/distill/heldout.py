"""What nothing is trained on: cells of every kind that differ from all training cells, dynamics and hops in them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import astuple, dataclass

import numpy as np

from simkit.errors import InputError
from simkit.potential.base import Potential
from simkit.workflows.distill.active import (
    Active,
    along_hops,
    dynamics,
    relax_with_student,
    teacher_labels,
)
from simkit.workflows.distill.dataset import Labelled, fingerprint
from simkit.workflows.distill.labelling import Source, within_limit
from simkit.workflows.distill.sampling import PHASES, Base, Sampling, Stratum, draw

HELD_OUT = 900
"""Number of the stage whose cells are never trained on; rounds count from 0."""
TEMPERATURES_K = (300.0, 600.0, 900.0)
ATTEMPTS = 20
"""Draws of one held-out cell before it is passed over."""
EACH = 3
"""Cells of every phase and family at least, where as many are asked for."""
USED = ("relax_steps", "timestep_fs", "steps", "frames", "images", "band_steps")
"""Settings of the active rounds that held-out dynamics and hops depend on."""


@dataclass(frozen=True)
class Dropped:
    """What dynamics in held-out cells lost.

    replicas   runs that were begun; broken: those that ended before their last step
    frames     expected of them; dropped: those that a broken run did not reach, or whose label is no finite number
    """

    replicas: int = 0
    broken: int = 0
    frames: int = 0
    dropped: int = 0

    def plus(self, other: Dropped) -> Dropped:
        """The sum of both."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Dropped(*(mine + theirs for mine, theirs in pairs))


@dataclass(frozen=True, eq=False)
class Moved:
    """Labels of dynamics and hops in some held-out cells, and what was lost there."""

    labels: list[Labelled]
    dropped: Dropped


def strata(sampling: Sampling) -> list[Stratum]:
    """Every phase and family that the recipe gives a weight."""
    found = []
    for family in sorted(name for name, weight in sampling.families.items() if weight > 0.0):
        phases = [name for name in PHASES if sampling.phases is None or sampling.phases.get(name, 0.0) > 0.0]
        found += [Stratum(family, phase) for phase in phases] if family == "bulk" else [Stratum(family)]
    return found


def held_out_cells(source: Source, count: int, taken: Collection[str]) -> list[Base]:
    """`count` cells: `EACH` of every stratum in turn, the rest by weight; none as built among the fingerprints `taken`.

    Cells that a recipe of few possibilities draws again and again are passed over: a stratum without any new cell
    gives none. Raises InputError when no stratum has a new cell.
    """
    kinds: list[Stratum | None] = list(turns(strata(source.sampling)))[:count]
    kinds += [None] * (count - len(kinds))
    seen, found, spent = set(taken), [], set()
    for index, kind in enumerate(kinds):
        if kind in spent:
            continue
        base = _new_cell(source, index, kind, seen)
        if base is None:
            spent.add(kind)
            continue
        seen.add(fingerprint(base.structure))
        found.append(base)
    if not found:
        raise InputError(
            f"no held-out cell differs from the {len(seen)} training cells; widen [sampling] (largest, metals, "
            "families), or draw fewer bases."
        )
    return found


def turns(kinds: Sequence[Stratum]) -> Iterator[Stratum]:
    """Every stratum `EACH` times, so that it meets every temperature of dynamics, which goes by the place of a cell."""
    apart = len(kinds) % len(TEMPERATURES_K) == 0
    for turn in range(EACH):
        shift = turn if apart else 0
        yield from (*kinds[shift:], *kinds[:shift])


def _new_cell(source: Source, index: int, kind: Stratum | None, seen: Collection[str]) -> Base | None:
    """The first of `ATTEMPTS` draws that is none of those seen."""
    for attempt in range(ATTEMPTS):
        try:
            base = draw(source.sampling, (source.seed, HELD_OUT, attempt, index), kind)
        except InputError:
            return None
        if fingerprint(base.structure) not in seen:
            return base
    return None


def moved_labels(student: Potential, source: Source, bases: Sequence[Base], want: Active) -> Moved:
    """Labels of dynamics at `TEMPERATURES_K` in held-out cells, good or bad, and of hops in the dilute ones.

    No frame of dynamics is left out for its forces; only what has no finite label, and what a run that broke down
    did not reach.
    """
    want = want.model_copy(update={"temperatures_K": TEMPERATURES_K})
    relaxed = relax_with_student(student, bases, want.relax_steps)
    found, broken = dynamics(student, relaxed, want)
    finite = within_limit(teacher_labels(found, source), np.inf)
    frames = len(relaxed) * min(want.frames, want.steps)
    dropped = Dropped(len(relaxed), broken, frames, frames - len(finite))
    hops = along_hops(student, [base for base in relaxed if base.wide], want)
    return Moved(finite + within_limit(teacher_labels(hops, source), np.inf), dropped)
