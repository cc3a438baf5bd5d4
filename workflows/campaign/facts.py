"""Headline numbers of a finished step, as rows of plain numbers with units in the keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simkit import solve
from simkit.workflows import gliding, migration, numbers, stress
from simkit.workflows.study import Result as StudyResult


@dataclass(frozen=True)
class Facts:
    """converged: whether every number can be used; rows: one per thing the step found, by name."""

    converged: bool
    rows: dict[str, dict[str, Any]]


def of(step: str, value: Any) -> Facts:
    """The facts of what a step returned; a step that is not known here has none."""
    return FACTS.get(step, _none)(value)


def _relaxations(found: dict[str, solve.Outcome]) -> Facts:
    rows = {name: numbers.relaxation(outcome) for name, outcome in found.items()}
    return Facts(all(o.converged for o in found.values()), rows)


def _relaxation(found: solve.Outcome) -> Facts:
    return Facts(found.converged, {"cell": numbers.relaxation(found)})


def _migration(found: migration.Result) -> Facts:
    return Facts(all(h.converged for h in found.hops), {h.name: numbers.hop(h) for h in found.hops})


def _gliding(found: gliding.Result) -> Facts:
    ways = [way for profile in found.profiles for way in numbers.ways(profile)]
    rows = {f"{way['name']} {way['mode']} to {way['letter']:+d}": way for way in ways}
    return Facts(all(p.converged for p in found.profiles), rows)


def _stress(found: stress.Result) -> Facts:
    return Facts(True, {name: numbers.stress_of(mapped) for name, mapped in found.maps.items()})


def _report(found: StudyResult) -> Facts:
    return Facts(found.converged, {"study": {"problems": len(found.findings.problems)}})


def _none(found: Any) -> Facts:
    return Facts(True, {})


FACTS: dict[str, Callable[[Any], Facts]] = {
    "phase": _relaxations,
    "relaxation": _relaxation,
    "strained phases": _relaxations,
    "migration": _migration,
    "gliding": _gliding,
    "stress": _stress,
    "report": _report,
}
