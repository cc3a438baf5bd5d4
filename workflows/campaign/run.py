"""A campaign from its file to its results: resolve, drive, collect. What plans and what collects is loaded for that."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from simkit import io
from simkit.errors import InputError
from simkit.io.rundir import Lock
from simkit.io.store import FAILED as FAILED_FILE
from simkit.workflows.campaign import plan
from simkit.workflows.campaign.attempt import Item
from simkit.workflows.campaign.drive import Driver, Tally
from simkit.workflows.campaign.engine import Engine
from simkit.workflows.campaign.order import Unit
from simkit.workflows.campaign.remote import perform
from simkit.workflows.campaign.stopping import FILE, Stopping, forget, listen

DRIVER_LOCK = "runs/driver.lock"
HERE = "simkit.workflows.campaign"
CONFIG, PLANNING, RESULTS = f"{HERE}.config", f"{HERE}.planning", f"{HERE}.results"


def resolve(path: Path, spread: int | None = None) -> plan.Plan:
    """The plan of a campaign or study file. Raises InputError for everything that could only fail later.

    spread: instead of what the file says
    """
    config, members = importlib.import_module(CONFIG).read(path)
    if spread is not None:
        config = config.model_copy(update={"spread": spread})
    return importlib.import_module(PLANNING).plan(config, members)


def write(path: Path, root: Path, resolved: plan.Plan) -> None:
    """Make the campaign's folder, or bring it up to date; finished work of a former version of the file is used."""
    known = (plan.LOCK, "campaign.toml", "study.toml", "tasks", "runs")
    if root.exists() and any(root.iterdir()) and not any((root / name).exists() for name in known):
        raise InputError(f"--out {root} holds other files and no campaign; name an empty or new folder.")
    for name in ("tasks", "runs"):
        (root / name).mkdir(parents=True, exist_ok=True)
    io.write_atomic(root / "campaign.toml", path.read_bytes())
    plan.write(root, resolved)


def drive(root: Path, engine: Callable[[], Engine], tell: Callable[[str], None] = lambda line: None) -> Tally:
    """Drive a campaign to its end with an engine; then write its tables and its page (not when told to stop).

    Raises InputError when another driver is at it.
    """
    resolved = plan.read(root)
    lock = _locked(root)
    listen()
    (root / FILE).unlink(missing_ok=True)
    started = engine()
    try:
        driver = Driver(root, started, perform, describing(root, resolved), tell, Stopping(root / FILE))
        tally = driver.drive(units(resolved))
    finally:
        started.close()
        lock.close()
    if not tally.stopped:
        importlib.import_module(RESULTS).write(root, resolved)
    forget()
    return tally


def units(resolved: plan.Plan) -> list[Unit]:
    """What is done in one go, with what it needs."""
    tasks = resolved.tasks
    return [Unit(keys, {key: tasks[key].needs for key in keys}) for keys in resolved.units()]


def describing(root: Path, resolved: plan.Plan) -> Callable[[str], dict[str, Any]]:
    """describe(key) -> the item of a task, as a worker gets it."""

    def describe(key: str) -> dict[str, Any]:
        task = resolved.tasks[key]
        folder = str(resolved.folder(root, task.member))
        data, share = resolved.members[task.member].data, (task.stage, task.part, task.parts)
        return asdict(Item(key, task.step, task.phase, data, folder, task.needs, share))

    return describe


def retry(root: Path, words: list[str]) -> int:
    """Forget failures, so that these tasks are tried again; of all where no key or step is named. How many."""
    resolved, store, count = plan.read(root), io.Store(root / "tasks"), 0
    for key, task in resolved.tasks.items():
        path = store.folder(key) / FAILED_FILE
        asked = not words or any(key.startswith(word) or task.step == word for word in words)
        if asked and path.exists():
            path.unlink()
            store.note(key, "retry")
            count += 1
    return count


def _locked(root: Path) -> Lock:
    (root / "runs").mkdir(exist_ok=True)
    try:
        return Lock(root / DRIVER_LOCK)
    except BlockingIOError:
        raise InputError(f"{root} is being driven by another process; see simkit status {root}.") from None
