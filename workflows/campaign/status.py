"""How a campaign stands, fast enough for 10,000 tasks: files are looked for, not read, but for the last failures."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from simkit import io
from simkit.io.leases import STALE_S
from simkit.io.store import ATTEMPTS, FAILED, RESULT
from simkit.workflows.campaign.plan import Plan

STATES = ("done", "running", "waiting", "failed")
REASONS = 20
"""Failures told one by one; the rest are counted."""


@dataclass
class Status:
    """counts: step -> state -> tasks; failures: (key, step, reason); seconds: spent on tasks, by step, by how many."""

    name: str
    counts: dict[str, Counter] = field(default_factory=dict)
    failures: list[tuple[str, str, str]] = field(default_factory=list)
    spent_s: float = 0.0
    mean_s: dict[str, float] = field(default_factory=dict)

    def total(self, state: str) -> int:
        """Tasks in a state."""
        return sum(counter[state] for counter in self.counts.values())

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do but what failed."""
        return self.total("running") + self.total("waiting") == 0

    @property
    def left_s(self) -> float:
        """Seconds of one worker for what is left, by the mean of what was done of each step."""
        means = self.mean_s.values()
        known = sum(means) / len(means) if means else float("nan")
        return sum(
            (counter["waiting"] + counter["running"] / 2) * self.mean_s.get(step, known)
            for step, counter in self.counts.items()
        )


def status(root: Path, resolved: Plan) -> Status:
    """Count the tasks of a campaign by step and state."""
    found, times = Status(resolved.name), {}
    store = io.Store(root / "tasks")
    for key, task in resolved.tasks.items():
        folder = str(store.folder(key))
        state = _state(folder)
        found.counts.setdefault(task.title, Counter())[state] += 1
        if state == "failed" and len(found.failures) < REASONS:
            found.failures.append((key, task.title, (store.read_sealed(key, FAILED) or {}).get("reason", "unknown")))
        if state == "done":
            spent = _spent_s(folder)
            count, total = times.get(task.title, (0, 0.0))
            times[task.title] = count + 1, total + spent
    found.spent_s = sum(total for _, total in times.values())
    found.mean_s = {step: total / count for step, (count, total) in times.items()}
    return found


def _state(folder: str) -> str:
    if os.path.exists(f"{folder}/{RESULT}"):
        return "done"
    if os.path.exists(f"{folder}/{FAILED}"):
        return "failed"
    try:
        return "running" if time.time() - os.stat(f"{folder}/lease").st_mtime < STALE_S else "waiting"
    except FileNotFoundError:
        return "waiting"


def _spent_s(folder: str) -> float:
    """Seconds of a finished task: between the creation of its record of attempts and its result, unless it lay idle.

    Read from the last line, which says so itself.
    """
    try:
        with open(f"{folder}/{ATTEMPTS}", "rb") as stream:
            last = stream.read().rstrip().rpartition(b"\n")[2]
        marker = last.rpartition(b'"seconds": ')[2]
        return float(marker.partition(b",")[0].partition(b"}")[0])
    except (OSError, ValueError):
        return 0.0


def lines(found: Status, workers: int, devices: str) -> Iterator[str]:
    """The status as a table for a terminal."""
    width = max((len(step) for step in found.counts), default=4)
    yield f"{found.name}: {found.total('done')} of {sum(c.total() for c in found.counts.values())} tasks done"
    yield f"  {'step':<{width}} " + " ".join(f"{state:>8}" for state in STATES)
    for step, counter in found.counts.items():
        yield f"  {step:<{width}} " + " ".join(f"{counter[state]:>8}" for state in STATES)
    for key, step, reason in found.failures:
        yield f"  failed: {key[:10]} {step}: {reason}"
    rest = found.total("failed") - len(found.failures)
    if rest > 0:
        yield f"  and {rest} more failed"
    yield f"  spent {found.spent_s / 3600:.3f} {devices} hours" + _left(found, workers)


def _left(found: Status, workers: int) -> str:
    if found.finished or found.left_s != found.left_s:  # nan: nothing is done yet to judge by
        return ""
    return f"; about {found.left_s / max(workers, 1) / 60:.1f} minutes left with {max(workers, 1)} at work"


def verify(root: Path, resolved: Plan) -> list[str]:
    """Read every result and every kept value again; one line for each that is damaged, which is then set aside."""
    store, found = io.Store(root / "tasks"), []
    for key, task in resolved.tasks.items():
        if not (store.folder(key) / RESULT).exists():
            continue
        result = store.result(key)
        if result is None:
            found.append(f"{task.title} {key[:10]}: result.json is damaged")
            continue
        found += [f"{task.title} {key[:10]}: {trouble}" for trouble in _damaged(store, key, result["files"])]
    return found


def _damaged(store: io.Store, key: str, files: Mapping[str, str]) -> Iterator[str]:
    """Kept files that are not as they were; the result goes with them, so that the task is done again."""
    for name, wanted in files.items():
        path = store.root / name if "/" in name else store.folder(key) / name
        there = path.exists()
        if there and io.file_sha256(path) == wanted:
            continue
        for one in (path, store.folder(key) / RESULT):
            if one.exists():
                os.replace(one, one.with_name(one.name + ".corrupt"))
        yield f"{name} is {'damaged' if there else 'gone'}; it will be made again"
