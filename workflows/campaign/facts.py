"""Headline numbers of a finished step, as rows of plain numbers with units in the keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simkit import solve
from simkit.workflows import dynamics, elastic, gliding, gliding_surface, migration, numbers, stress
from simkit.workflows.extras import Constants
from simkit.workflows.study import Result as StudyResult


@dataclass(frozen=True)
class Facts:
    """converged: whether every number can be used; rows: one per thing the step found, by name.

    items: files of the store that it stands on besides its own, by path below the store's root
    """

    converged: bool
    rows: dict[str, dict[str, Any]]
    items: frozenset[Path] = frozenset()


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


def _elastic(found: Constants) -> Facts:
    rows = {name: _flat(elastic.table(answer)) for name, answer in found.found.answers.items()}
    return Facts(not found.missing, rows | {name: {"status": why} for name, why in found.missing.items()})


def _surfaces(found: gliding_surface.Result) -> Facts:
    rows = {}
    for surface in found.surfaces:
        said = gliding_surface.table(surface)
        about = {name: said[name] for name in ("kind", "gallery", "mode", "converged", "points_computed")}
        for path in said["paths"]:
            row = {name: value for name, value in path.items() if not isinstance(value, list)}
            rows[f"{surface.name} {surface.mode} to {path['letter']:+d}"] = about | row
    return Facts(all(s.converged for s in found.surfaces), rows)


def _dynamics(found: dynamics.Result) -> Facts:
    return Facts(found.converged, dynamics.table(found))


def _flat(table: dict[str, Any]) -> dict[str, Any]:
    """Numbers and words of a table, those of its tables under their own names, no lists."""
    flat: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, dict):
            unit = name.rpartition("_")[2]
            flat |= {f"{key}_{unit}": one for key, one in value.items()}
        elif not isinstance(value, list | tuple):
            flat[name] = value
    return flat


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
    "elastic": _elastic,
    "surfaces": _surfaces,
    "dynamics": _dynamics,
    "report": _report,
}
