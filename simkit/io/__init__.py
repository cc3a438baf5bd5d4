"""Structures in and out: ase, pymatgen and files, each checked as it comes in; atomic writes.

Names are looked up when they are asked for: a status of a campaign needs no structure, and waits for none of ase and
pymatgen.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simkit.io.ase import from_ase, to_ase
    from simkit.io.atomic import write_atomic
    from simkit.io.checks import check_distances
    from simkit.io.files import as_structure, read, text, write
    from simkit.io.frames import Frame, frame_text, frames_text, read_frames
    from simkit.io.pymatgen import from_pymatgen, to_pymatgen
    from simkit.io.rundir import RunDirectory, file_name, json_bytes, open_run, unsaved
    from simkit.io.segments import Layout, Segments
    from simkit.io.states import load_state, save_state
    from simkit.io.store import Store, file_sha256
    from simkit.io.trajectories import StoredRun, log_csv, open_trajectories, write_extxyz

__all__ = [
    "Frame",
    "Layout",
    "RunDirectory",
    "Segments",
    "Store",
    "StoredRun",
    "as_structure",
    "check_distances",
    "file_name",
    "file_sha256",
    "frame_text",
    "frames_text",
    "from_ase",
    "from_pymatgen",
    "json_bytes",
    "load_state",
    "log_csv",
    "open_run",
    "open_trajectories",
    "read",
    "read_frames",
    "save_state",
    "text",
    "to_ase",
    "to_pymatgen",
    "unsaved",
    "write",
    "write_atomic",
    "write_extxyz",
]

_HOMES = {
    "simkit.io.ase": (
        "from_ase",
        "to_ase",
    ),
    "simkit.io.atomic": ("write_atomic",),
    "simkit.io.checks": ("check_distances",),
    "simkit.io.files": (
        "as_structure",
        "read",
        "text",
        "write",
    ),
    "simkit.io.frames": (
        "Frame",
        "frame_text",
        "frames_text",
        "read_frames",
    ),
    "simkit.io.pymatgen": (
        "from_pymatgen",
        "to_pymatgen",
    ),
    "simkit.io.rundir": (
        "RunDirectory",
        "file_name",
        "json_bytes",
        "open_run",
        "unsaved",
    ),
    "simkit.io.segments": (
        "Layout",
        "Segments",
    ),
    "simkit.io.states": (
        "load_state",
        "save_state",
    ),
    "simkit.io.store": (
        "Store",
        "file_sha256",
    ),
    "simkit.io.trajectories": (
        "StoredRun",
        "log_csv",
        "open_trajectories",
        "write_extxyz",
    ),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value
