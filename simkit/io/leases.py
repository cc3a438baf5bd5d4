"""Who works on a task just now: a file touched while the work goes on. It saves time; correctness does not need it."""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simkit.io.record import is_alive

TOUCH_S = 30.0
"""Between two touches of a lease."""
STALE_S = 120.0
"""A lease untouched for so long is nobody's: four touches were missed."""


@contextmanager
def lease(folder: Path) -> Iterator[None]:
    """Say in `folder`/lease that this process works there, until the block ends."""
    path = folder / "lease"
    path.write_text(json.dumps({"host": platform.node(), "pid": os.getpid(), "job": os.environ.get("SLURM_JOB_ID")}))
    over = threading.Event()

    def touch() -> None:
        while not over.wait(TOUCH_S):
            path.touch()

    thread = threading.Thread(target=touch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        path.unlink(missing_ok=True)


def holder(folder: Path) -> dict | None:
    """Who holds the lease of `folder`; None when nobody does, or its process is gone or silent."""
    path = folder / "lease"
    try:
        age, text = time.time() - path.stat().st_mtime, path.read_text()
        held = json.loads(text)
    except (OSError, ValueError):
        return None
    return held if age < STALE_S and is_alive(held["pid"], held["host"]) else None
