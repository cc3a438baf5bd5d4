"""Points of gliding: every slid structure of a task in one batch, each kept the moment it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simkit import solve
from simkit.arrays import Floats
from simkit.errors import Stopped
from simkit.io.keys import digest
from simkit.potential.base import Potential, Spread
from simkit.potential.committee import KIND, difference_spread
from simkit.structure import Structure
from simkit.workflows.common import Content, Hooks


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


STAGE = "points"
"""The stage in which points relax, which many may share."""


@dataclass(frozen=True, eq=False)
class Place:
    """A slid structure to be relaxed as `mode` says; key names it among all of a run."""

    key: str
    start: Structure
    mode: str


@dataclass(frozen=True)
class Effort:
    """fmax_eV_per_A and max_steps of each relaxed point."""

    fmax_eV_per_A: float
    max_steps: int

    def content(self, place: Place) -> Content:
        """What fixes the point of a place."""
        how = {"fmax": self.fmax_eV_per_A, "max_steps": self.max_steps} if place.mode != "rigid" else {}
        return Content({"step": "point", "start": place.start, "mode": place.mode, **how}, "point")


class _Missing(Exception):
    """A point that is not kept yet."""


def _missing() -> Point:
    raise _Missing


def kept(place: Place, effort: Effort, hooks: Hooks) -> Point | None:
    """The point kept of a place, or None."""
    try:
        return hooks.keep(place.key, _missing, (Point,), effort.content(place))
    except _Missing:
        return None


def settled(
    places: Sequence[Place], potential: Potential, effort: Effort, hooks: Hooks, label: str
) -> dict[str, Point]:
    """The point of every place, by key: those kept are read, the others relaxed in one batch and kept one by one.

    A point that broke down (numbers not finite, exploding energy) is returned and not kept.
    """
    mine = hooks.mine(STAGE, places)
    found = {place.key: point for place in mine if (point := kept(place, effort, hooks)) is not None}
    rest = [place for place in mine if place.key not in found]
    if rest:
        _relaxed(rest, potential, effort, (hooks, label), found)
    hooks.leave(STAGE)
    return found


@dataclass(frozen=True, eq=False)
class Row:
    """Points of one line, surface or slab: what they are in words, and of each the places to start from."""

    what: str
    points: list[list[Place]]


def answers(rows: Sequence[Row], potential: Potential, effort: Effort, hooks: Hooks, name: str) -> list[list[Point]]:
    """The lowest point of each point of each row, all from one batch. Raises Stopped as `lowest` does."""
    every = [place for row in rows for starts in row.points for place in starts]
    found = settled(every, potential, effort, hooks, f"{name}: {len(every)} points")
    return [[lowest([found[place.key] for place in starts], row.what) for starts in row.points] for row in rows]


def _relaxed(
    rest: Sequence[Place], potential: Potential, effort: Effort, told: tuple[Hooks, str], found: dict[str, Point]
) -> None:
    """Relax what is not kept, in one batch, into `found`."""
    hooks, label = told

    def finished(index: int, outcome: solve.Outcome) -> None:
        point = Point(outcome.structure, outcome.evaluation.energy, outcome.status, outcome.evaluations)
        found[rest[index].key] = point
        if not outcome.failed:
            hooks.keep(rest[index].key, lambda: point, (Point,), effort.content(rest[index]))

    only_rigid = all(place.mode == "rigid" for place in rest)
    watch = None if only_rigid else hooks.watch(label)
    settings = solve.SlideSettings(
        effort.fmax_eV_per_A, solve.RelaxSettings(max_steps=effort.max_steps), observer=watch
    )
    solve.settle([p.start for p in rest], [p.mode for p in rest], potential, settings, finished)


@dataclass(frozen=True, eq=False)
class Apart:
    """How far the members of a committee are apart along a row of points.

    energy_eV (k,) standard deviation over the members of the energy above that of the point where the row starts, in
    which their offsets cancel; force_eV_per_A (k,) on the atom they agree least about.
    """

    energy_eV: Floats
    force_eV_per_A: Floats


def apart(
    rows: Sequence[Sequence[Point]], potential: Potential, first: Sequence[int], hooks: Hooks, name: str
) -> list[Apart | None]:
    """Spreads of the points of each row above its number `first`; None of each for a single potential.

    A committee is asked once more for every point, all in one batch, and what it said is kept: descents do not carry
    what each member says.
    """
    if potential.card.kind != KIND:
        return [None] * len(rows)
    structures = [point.structure for points in rows for point in points]

    def asked() -> list[Apart | None]:
        said = iter(potential.evaluate(structures))
        return [_apart([next(said).spread for _ in points], start) for points, start in zip(rows, first, strict=True)]

    return hooks.keep(f"{name}-spreads-{digest(structures)[:12]}", asked, (Apart,))


def _apart(spreads: Sequence[Spread | None], first: int) -> Apart | None:
    told = [s for s in spreads if s is not None]
    members = [s.members for s in told if s.members is not None]
    if not spreads or len(members) < len(spreads):
        return None
    return Apart(difference_spread(np.stack(members), first), np.array([s.largest for s in told]))


def lowest(points: Sequence[Point], what: str) -> Point:
    """The converged point of lowest energy, else the lowest. Raises Stopped where none has a finite energy."""
    finite = [point for point in points if np.isfinite(point.energy_eV)]
    if not finite:
        raise Stopped(f"{what}: {points[0].status}")
    return min(finite, key=lambda point: (not point.converged, point.energy_eV))
