"""Driving a campaign from the command line, without loading anything that computes before it is needed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from simkit.cli.standing import SITE_FILE
from simkit.config import read_toml
from simkit.slurm import engines, site
from simkit.workflows.campaign import run
from simkit.workflows.campaign.drive import Tally
from simkit.workflows.campaign.engine import Inline


def drive(root: Path, engine: str, tell: Callable[[str], None]) -> int:
    """Drive a campaign to its end; says how it ended, and gives its exit code."""
    root = root.resolve()
    started = engines.engine(engine, root / "runs", settings_of(root), Inline)
    tally = run.drive(root, started, tell)
    for line in ending(tally, root):
        sys.stdout.write(line + "\n")
    return tally.exit_code


def settings_of(root: Path) -> site.Site:
    """The site a campaign was submitted for; a plain machine where it was not."""
    path = root / SITE_FILE
    return site.site(read_toml(path) if path.exists() else {"gpus": 0})


def said(line: str) -> None:
    """A line of a driver's log."""
    sys.stdout.write(f"{time.strftime('%F %T')} {line}\n")
    sys.stdout.flush()


def ending(tally: Tally, root: Path) -> list[str]:
    """How a drive ended, in words."""
    lines = [f"{tally.done} done, {tally.failed} failed, {tally.waiting} waiting"]
    lines += [f"the disk refused: {tally.disk}"] if tally.disk else []
    if tally.stopped:
        lines.append(f"stopped: {tally.stopped}; take it up again with: simkit resume {root}")
    return lines
