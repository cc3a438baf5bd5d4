"""What a run says of itself: versions, machine, source, times."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from functools import lru_cache
from pathlib import Path

PACKAGES = (
    "simkit-atomistic",
    "numpy",
    "scipy",
    "torch",
    "mace-torch",
    "chgnet",
    "torch-dftd",
    "ase",
    "icet",
    "pymatgen",
    "numba",
    "spglib",
)


def versions() -> dict[str, str]:
    """Installed versions of simkit and what its numbers depend on; a missing one is named as such."""
    return dict(_versions())


@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    """Read once: it takes tens of milliseconds, and every content key holds a version."""
    found = {}
    for package in PACKAGES:
        name = package.removesuffix("-atomistic")
        try:
            found[name] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return {**found, "python": platform.python_version()}


def machine_name() -> str:
    """Processor, cores this process may use, operating system."""
    cores = len(os.sched_getaffinity(0)) if platform.system() == "Linux" else os.cpu_count()
    return f"{_processor()}, {cores} cores, {platform.system()} {platform.machine()}"


def is_alive(pid: int, host: str) -> bool:
    """Whether a process still runs; on another host it cannot be known and is taken to."""
    if host != platform.node():
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def git_commit() -> str:
    """Commit of the source tree simkit runs from, with `+changes` when it is not clean; empty outside a checkout."""
    here = Path(__file__).resolve().parent
    try:
        commit = _git(here, "rev-parse", "HEAD")
        return commit + ("+changes" if _git(here, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"
