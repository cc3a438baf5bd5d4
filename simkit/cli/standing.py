"""How a campaign stands, told without loading anything that computes: 10,000 tasks in a second or two."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable
from pathlib import Path

from simkit.slurm import queue
from simkit.workflows.campaign import plan, status

SITE_FILE = "runs/site.toml"
WATCH_S = 5.0


def show(root: Path, watch: bool, say: Callable[[str], None]) -> int:
    """The table of a campaign; says whether it is over as an exit code: 0 all done, 1 some failed, 75 not yet."""
    resolved, devices = plan.read(root), "GPU" if _has_gpus(root) else "core"
    while True:
        found = status.status(root, resolved)
        for line in status.lines(found, found.total("running"), devices):
            say(line)
        for one in queue.queued(submitted(root)):
            say(f"  job {one.job} {one.state.lower()}, {one.left} left, {one.why}")
        if found.finished or not watch:
            break
        time.sleep(WATCH_S)
    return (1 if found.total("failed") else 0) if found.finished else 75


def is_campaign(root: Path) -> bool:
    """Whether a folder holds a campaign."""
    return (root / plan.LOCK).exists()


def submitted(root: Path) -> list[str]:
    """Jobs of a campaign so far, successors included."""
    path = root / "runs" / "jobs"
    return list(dict.fromkeys(path.read_text().split())) if path.exists() else []


def _has_gpus(root: Path) -> bool:
    path = root / SITE_FILE
    return path.exists() and tomllib.loads(path.read_text(encoding="utf-8")).get("gpus", 0) > 0
