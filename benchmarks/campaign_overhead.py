"""C10: what a campaign costs beside its work: 1,000 tasks that do nothing, through the store and an engine.

Run as `python benchmarks/campaign_overhead.py [inline|local ...]`; prints one row each: engine, tasks, seconds, ms per
task (wall time, starting the workers left out) and CPU ms per task of this process. The bound is 50 ms per task.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from simkit import io
from simkit.io.keys import digest
from simkit.slurm.parsl_engine import ParslEngine, Setup
from simkit.workflows.campaign.drive import Driver, Unit
from simkit.workflows.campaign.engine import Inline
from simkit.workflows.campaign.facts import Facts
from simkit.workflows.campaign.stopping import Stopping
from simkit.workflows.campaign.work import Item, attempt

TASKS = 1000
WORKERS = 2
BOUND_MS = 50.0


def nothing(root: str, items: list[dict[str, Any]], deadline_s: float) -> list[dict[str, Any]]:
    """Tasks whose result is one number."""
    store = io.Store(Path(root) / "tasks")
    asked = [Item(**{**item, "needs": ()}) for item in items]
    return [attempt(store, item, lambda: (Facts(True, {"all": {"value": 1}}), {}), Stopping()) for item in asked]


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


def _drive(folder: Path, engine: Any, keys: list[str]) -> int:
    def describe(key: str) -> dict[str, Any]:
        return {"key": key, "step": "nothing", "phase": "", "study": {}, "folder": str(folder), "needs": ()}

    return Driver(folder, engine, nothing, describe).drive([Unit((key,)) for key in keys]).done


if __name__ == "__main__":
    here = Path(__file__)
    os.environ["PYTHONPATH"] = str(here.parent)  # workers import `nothing` by the name of this file
    module = importlib.import_module(here.stem)
    worst = max(module.measured(kind) for kind in (sys.argv[1:] or ["inline", "local"]))
    sys.exit(0 if worst < BOUND_MS else 1)
