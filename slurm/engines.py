"""Which engine a driver gets: this process, processes of this machine, the nodes of its job, jobs of their own."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from simkit.errors import InputError, nearest
from simkit.slurm import script, words
from simkit.slurm.site import Site

PARSL = "simkit.slurm.parsl_engine"
"""Imported when it is asked for: it takes a second, and a run in one process does without."""
KINDS = ("inline", "local", "allocation", "blocks")


def engine(kind: str, folder: Path, site: Site, inline: Callable[[], Any]) -> Callable[[], Any]:
    """A function that starts an engine. folder: for its own files; inline: what makes the engine of this process."""
    if kind not in KINDS:
        raise InputError(f"--engine {kind!r} is unknown; {nearest(kind, KINDS)}")
    if kind == "inline":
        return inline

    def start() -> Any:
        parsl = importlib.import_module(PARSL)
        return parsl.ParslEngine(setup(parsl.Setup, kind, folder, site))

    return start


def setup(record: Callable[..., Any], kind: str, folder: Path, site: Site) -> Any:
    """The engine's settings for a kind of place."""
    known = {"kind": kind, "folder": folder, "workers": site.per_node, "gpus": site.gpus}
    known |= {"address": site.address or None, "overrides": tuple(site.srun)}
    if kind == "local":
        return record(**known)
    known |= {"nodes": site.nodes, "prepare": tuple(script.prepare(site))}
    if kind == "allocation":
        return record(**known)
    left_s = words.seconds(site.time) - site.save_s
    deadline = f"export SIMKIT_DEADLINE_S=$(( $(date +%s) + {left_s} ))"
    return record(
        **{**known, "prepare": (*known["prepare"], deadline)},
        blocks=site.max_jobs,
        walltime=clock(words.seconds(site.time)),
        options=tuple(script.resources(site)),
        drain_s=left_s,
    )


def clock(total_s: int) -> str:
    """Seconds as HH:MM:SS, days counted into the hours."""
    return f"{total_s // 3600:02d}:{total_s % 3600 // 60:02d}:{total_s % 60:02d}"
