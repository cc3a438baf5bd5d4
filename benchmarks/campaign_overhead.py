"""C10: what a campaign costs beside its work: 1,000 tasks that do nothing, through the store and an engine.

Run as `python benchmarks/campaign_overhead.py [inline|local|status ...]`; prints one row each: engine, tasks, seconds,
ms per task (wall time, starting the workers left out) and CPU ms per task of this process; the bound is 50 ms per task.
Last how long the count of 10,000 tasks takes of which 1,000 failed, the table of `simkit status`; the bound is 2 s.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from simkit import io
from simkit.errors import SimkitError
from simkit.io.keys import digest
from simkit.slurm.parsl_engine import ParslEngine, Setup
from simkit.workflows.campaign.config import Member
from simkit.workflows.campaign.drive import Driver, Unit
from simkit.workflows.campaign.engine import Inline
from simkit.workflows.campaign.facts import Facts
from simkit.workflows.campaign.plan import Plan, Task
from simkit.workflows.campaign.status import status
from simkit.workflows.campaign.stopping import Stopping
from simkit.workflows.campaign.work import Item, attempt

TASKS = 1000
WORKERS = 2
BOUND_MS = 50.0
MANY, EVERY, BOUND_S = 10_000, 10, 2.0
"""Tasks that are counted; every tenth failed."""


def nothing(root: str, items: list[dict[str, Any]], deadline_s: float) -> list[dict[str, Any]]:
    """Tasks whose result is one number."""
    store = io.Store(Path(root) / "tasks")
    asked = [Item(**{**item, "needs": ()}) for item in items]
    return [attempt(store, item, _ends, Stopping()) for item in asked]


def measured(kind: str) -> float:
    """Print the row of an engine; its ms per task."""
    with tempfile.TemporaryDirectory() as folder:
        engine = Inline() if kind == "inline" else ParslEngine(Setup("local", Path(folder), workers=WORKERS))
        try:
            _drive(Path(folder), engine, [digest(["first", k]) for k in range(2 * WORKERS)])  # workers start and import
            wall, cpu = time.perf_counter(), time.process_time()
            done = _drive(Path(folder), engine, [digest(k) for k in range(TASKS)])
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        finally:
            engine.close()
    each = 1e3 * wall / TASKS
    sys.stdout.write(f"C10 {kind:<7} {done} tasks {wall:7.2f} s {each:6.2f} ms/task {1e3 * cpu / TASKS:6.2f} CPU ms\n")
    return each


def counted() -> float:
    """Print the row of the count; its seconds."""
    with tempfile.TemporaryDirectory() as folder:
        keys = [digest(k) for k in range(MANY)]
        _drive(Path(folder), Inline(), keys, some)
        plan = Plan("many", {"m": Member("m", {}, {})}, {key: Task(key, "nothing", "m", ()) for key in keys})
        start = time.perf_counter()
        found = status(Path(folder), plan)
        spent = time.perf_counter() - start
    done, failed = found.total("done"), found.total("failed")
    sys.stdout.write(f"C10 status {done} tasks done and {failed} failed are counted in {spent:.2f} s\n")
    return spent


def some(root: str, items: list[dict[str, Any]], deadline_s: float) -> list[dict[str, Any]]:
    """The same, and every tenth task fails."""
    store, bad = io.Store(Path(root) / "tasks"), failing()
    asked = [Item(**{**item, "needs": ()}) for item in items]
    return [attempt(store, item, _fails if item.key in bad else _ends, Stopping()) for item in asked]


@functools.cache
def failing() -> set[str]:
    """Keys of the tasks that fail."""
    return {digest(k) for k in range(0, MANY, EVERY)}


def _ends() -> tuple[Facts, dict[str, Any]]:
    return Facts(True, {"all": {"value": 1}}), {}


def _fails() -> tuple[Facts, dict[str, Any]]:
    raise SimkitError("nothing comes of it")


def _drive(folder: Path, engine: Any, keys: list[str], work: Any = nothing) -> int:
    def describe(key: str) -> dict[str, Any]:
        return {"key": key, "step": "nothing", "phase": "", "study": {}, "folder": str(folder), "needs": ()}

    return Driver(folder, engine, work, describe).drive([Unit((key,)) for key in keys]).done


if __name__ == "__main__":
    here = Path(__file__)
    os.environ["PYTHONPATH"] = str(here.parent)  # workers import `nothing` by the name of this file
    module = importlib.import_module(here.stem)
    asked = sys.argv[1:] or ["inline", "local", "status"]
    slow = [module.measured(kind) > BOUND_MS for kind in asked if kind != "status"]
    slow += [module.counted() > BOUND_S] if "status" in asked else []
    sys.exit(int(any(slow)))
