"""Points of gliding: every slid structure of a task in one batch, each kept the moment it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simkit import solve
from simkit.errors import Stopped
from simkit.potential.base import Potential
from simkit.structure import Structure
from simkit.workflows.common import Hooks


@dataclass(frozen=True, eq=False)
class Point:
    """One slid structure as its mode relaxed it, its energy, status and the evaluations it took."""

    structure: Structure
    energy_eV: float
    status: str
    evaluations: int

    @property
    def converged(self) -> bool:
        """Whether the relaxation met its criterion."""
        return self.status == solve.CONVERGED


@dataclass(frozen=True, eq=False)
class Place:
    """A slid structure to be relaxed as `mode` says; key names it among all that is kept."""

    key: str
    start: Structure
    mode: str


@dataclass(frozen=True)
class Effort:
    """fmax_eV_per_A and max_steps of each relaxed point."""

    fmax_eV_per_A: float
    max_steps: int


class _Missing(Exception):
    """A point that is not kept yet."""


def _missing() -> Point:
    raise _Missing


def kept(key: str, hooks: Hooks) -> Point | None:
    """The point kept under a key, or None."""
    try:
        return hooks.keep(key, _missing, (Point,))
    except _Missing:
        return None


def settled(
    places: Sequence[Place], potential: Potential, effort: Effort, hooks: Hooks, label: str
) -> dict[str, Point]:
    """The point of every place, by key: those kept are read, the others relaxed in one batch and kept one by one.

    A point that broke down (numbers not finite, exploding energy) is returned and not kept.
    """
    found = {place.key: point for place in places if (point := kept(place.key, hooks)) is not None}
    rest = [place for place in places if place.key not in found]
    if not rest:
        return found

    def finished(index: int, outcome: solve.Outcome) -> None:
        point = Point(outcome.structure, outcome.evaluation.energy, outcome.status, outcome.evaluations)
        found[rest[index].key] = point
        if not outcome.failed:
            hooks.keep(rest[index].key, lambda: point, (Point,))

    only_rigid = all(place.mode == "rigid" for place in rest)
    watch = None if only_rigid else hooks.watch(label)
    settings = solve.SlideSettings(
        effort.fmax_eV_per_A, solve.RelaxSettings(max_steps=effort.max_steps), observer=watch
    )
    solve.settle([p.start for p in rest], [p.mode for p in rest], potential, settings, finished)
    return found


def lowest(points: Sequence[Point], what: str) -> Point:
    """The converged point of lowest energy, else the lowest. Raises Stopped where none has a finite energy."""
    finite = [point for point in points if np.isfinite(point.energy_eV)]
    if not finite:
        raise Stopped(f"{what}: {points[0].status}")
    return min(finite, key=lambda point: (not point.converged, point.energy_eV))
