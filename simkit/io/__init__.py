"""Structures in and out: ase, pymatgen and files, each checked as it comes in; atomic writes."""

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
