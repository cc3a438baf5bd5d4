"""C10: what a campaign costs beside its work: 1,000 tasks that do nothing, through the store and an engine.

Run as `python benchmarks/campaign_overhead.py [inline|local|status ...]`; prints one row each: ms per task
(wall time, starting the workers left out) beside the bound of 50 ms, and CPU ms per task of this process. Last how long
the count of 10,000 tasks takes of which 1,000 failed, the table of `simkit status`, beside the bound of 2 s.
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

from rows import HEADER, Row, say

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
    return _attempted(root, items, frozenset())


def some(root: str, items: list[dict[str, Any]], deadline_s: float) -> list[dict[str, Any]]:
    """The same, and every tenth task fails."""
    return _attempted(root, items, failing())


def measured(kind: str) -> Row:
    """The row of an engine: wall time per task."""
    with tempfile.TemporaryDirectory() as folder:
        engine = Inline() if kind == "inline" else ParslEngine(Setup("local", Path(folder), workers=WORKERS))
        try:
            _drive(Path(folder), engine, [digest(["first", k]) for k in range(2 * WORKERS)])  # workers start and import
            wall, cpu = time.perf_counter(), time.process_time()
            done = _drive(Path(folder), engine, [digest(k) for k in range(TASKS)])
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        finally:
            engine.close()
    what = f"{done} tasks through the {kind} engine; {1e3 * cpu / TASKS:.2f} CPU ms each in the driver"
    return Row(f"C10 {kind}", what, f"{BOUND_MS:g} ms", 1e3 * wall / TASKS, BOUND_MS, "ms", goal=1.0)


def counted() -> Row:
    """The row of the count."""
    with tempfile.TemporaryDirectory() as folder:
        keys = [digest(k) for k in range(MANY)]
        _drive(Path(folder), Inline(), keys, some)
        plan = Plan("many", {"m": Member("m", {}, {})}, {key: Task(key, "nothing", "m", ()) for key in keys})
        start = time.perf_counter()
        found = status(Path(folder), plan)
        spent = time.perf_counter() - start
    done, failed = found.total("done"), found.total("failed")
    what = f"status of {done} tasks done and {failed} failed"
    return Row("C10 status", what, f"{BOUND_S:g} s", spent, BOUND_S, "s", goal=1.0)


@functools.cache
def failing() -> frozenset[str]:
    """Keys of the tasks that fail."""
    return frozenset(digest(k) for k in range(0, MANY, EVERY))


def _attempted(root: str, items: list[dict[str, Any]], bad: frozenset[str]) -> list[dict[str, Any]]:
    store = io.Store(Path(root) / "tasks")
    asked = [Item(**{**item, "needs": ()}) for item in items]
    return [attempt(store, item, _fails if item.key in bad else _ends, Stopping()) for item in asked]


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
    say(HEADER)
    missed = False
    for kind in asked:
        row = module.counted() if kind == "status" else module.measured(kind)
        say(row)
        missed |= row.met == "no"
    sys.exit(int(missed))
