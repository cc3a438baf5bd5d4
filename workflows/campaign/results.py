"""What a campaign found: one row per task in a database, one row per number in a table, and one page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simkit import io, solve
from simkit.io.leases import holder
from simkit.io.store import FAILED, loaded
from simkit.io.tables import Row, write_csv, write_database
from simkit.workflows import study
from simkit.workflows.campaign import page
from simkit.workflows.campaign.plan import PHASE, Plan, Task

DATABASE, TABLE = "results.db", "results.csv"


@dataclass(frozen=True)
class Standing:
    """How a task stands: done, failed, running, waiting, or behind a task that failed; the reason of a failure."""

    task: Task
    state: str
    reason: str = ""
    converged: bool | None = None
    rows: Mapping[str, Mapping[str, Any]] | None = None


def write(root: Path, resolved: Plan) -> None:
    """Write results.db, results.csv and the campaign's page from what is in the store now."""
    found = list(standings(root, resolved))
    write_database(root / DATABASE, (_database_row(root, resolved, one) for one in found))
    table = list(_table(resolved, found))
    write_csv(root / TABLE, table)
    page.write(root, resolved, table, _counts(found))


def standings(root: Path, resolved: Plan) -> Iterator[Standing]:
    """Every task, in order, with its result read and checked."""
    store, failed = io.Store(root / "tasks"), set()
    for key, task in resolved.tasks.items():
        result = store.result(key)
        if result is not None:
            yield Standing(task, "done", "", result["converged"], result["rows"])
            continue
        reason = (store.read_sealed(key, FAILED) or {}).get("reason", "")
        behind = failed & set(task.needs)
        if reason or behind:
            failed.add(key)
        if reason:
            yield Standing(task, "failed", reason)
        elif behind:
            yield Standing(task, "behind a failure", f"needs {min(behind)[:10]}, which failed")
        else:
            yield Standing(task, "running" if holder(store.folder(key)) else "waiting")


def _counts(found: list[Standing]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in found:
        counts[one.state] = counts.get(one.state, 0) + 1
    return counts


def _about(resolved: Plan, one: Standing) -> dict[str, Any]:
    member = resolved.members[one.task.member]
    about = {"task": one.task.key[:16], "study": member.name, "step": one.task.title, "state": one.state}
    if one.reason:
        about["reason"] = one.reason
    if one.converged is not None:
        about["converged"] = one.converged
    return {**about, **{key: _word(value) for key, value in member.changes.items()}}


def _word(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str) else str(value)


def _database_row(root: Path, resolved: Plan, one: Standing) -> Row:
    outcome = _outcome(io.Store(root / "tasks"), one)
    numbers = {}
    for name, row in (one.rows or {}).items():
        for key, value in row.items():
            if isinstance(value, float | int) and math.isfinite(value):
                numbers[f"{key} {name}" if len(one.rows or {}) > 1 else key] = value
    about = {key: value for key, value in _about(resolved, one).items() if key not in numbers}
    energy = None if outcome is None else outcome.evaluation.energy
    cell = None if outcome is None else outcome.structure
    return Row(cell, {**about, **numbers, "key": one.task.key}, {"rows": one.rows or {}}, energy)


def _outcome(store: io.Store, one: Standing) -> solve.Outcome | None:
    """The relaxed cell of a task that relaxed one."""
    if one.state != "done" or one.task.step not in (PHASE, "relaxation"):
        return None
    name = f"phase-{one.task.phase}" if one.task.step == PHASE else "relaxation"
    kept = loaded(store.path(one.task.key, name), study.OUTCOMES, one.task.key)
    return None if kept is None else next(iter(kept[0].values()))


def _table(resolved: Plan, found: list[Standing]) -> Iterator[dict[str, Any]]:
    """One row per number; a share of a step has none of its own, and is named where it failed."""
    for one in found:
        if one.task.stage and one.state != "failed":
            continue
        about = _about(resolved, one)
        if not one.rows:
            yield about
        for name, row in (one.rows or {}).items():
            yield {**about, "of": name, **{key: value for key, value in row.items() if key not in about}}
