"""Words with SLURM: sbatch, squeue, scancel. sacct is not needed."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from simkit.errors import InputError

TIMEOUT_S = 60


@dataclass(frozen=True)
class Queued:
    """A job that squeue knows. left: of its time limit, as SLURM writes it; why: reason or nodes."""

    job: str
    state: str
    left: str
    why: str


def submit(path: Path) -> str:
    """Submit a batch script; the id of the job."""
    return _asked("sbatch", "--parsable", str(path)).strip().partition(";")[0]


def queued(jobs: list[str]) -> list[Queued]:
    """Those of the jobs that are in the queue, waiting or running; ended ones are not."""
    if not jobs or shutil.which("squeue") is None:
        return []
    lines = _asked("squeue", "--me", "-h", "-o", "%A|%T|%L|%R").splitlines()
    found = [Queued(*line.split("|", 3)) for line in lines if line.count("|") >= 3]
    return [one for one in found if one.job in jobs]


def named(name: str) -> list[str]:
    """Jobs of this user in the queue under that name."""
    if shutil.which("squeue") is None:
        return []
    return _asked("squeue", "--me", "-h", "-o", "%A", "-n", name).split()


def cancel(jobs: list[str]) -> None:
    """Take jobs out of the queue; running ones are told to stop first."""
    if jobs:
        _asked("scancel", *jobs)


def _asked(program: str, *arguments: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise InputError(f"{program} is not on PATH: this machine has no SLURM; use --engine local.")
    done = subprocess.run([found, *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode != 0:
        raise InputError(f"{program} {' '.join(arguments)} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
