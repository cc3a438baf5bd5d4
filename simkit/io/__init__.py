"""Structures in and out: ase, pymatgen and files, each checked as it comes in; atomic writes."""

from simkit.io.ase import from_ase, to_ase
from simkit.io.atomic import write_atomic
from simkit.io.checks import check_distances
from simkit.io.files import as_structure, read, text, write
from simkit.io.frames import Frame, frame_text, frames_text, read_frames
from simkit.io.pymatgen import from_pymatgen, to_pymatgen
from simkit.io.rundir import RunDirectory, file_name, json_bytes, open_run, unsaved
from simkit.io.store import Store, file_sha256

__all__ = [
    "Frame",
    "RunDirectory",
    "Store",
    "as_structure",
    "check_distances",
    "file_name",
    "file_sha256",
    "frame_text",
    "frames_text",
    "from_ase",
    "from_pymatgen",
    "json_bytes",
    "open_run",
    "read",
    "read_frames",
    "text",
    "to_ase",
    "to_pymatgen",
    "unsaved",
    "write",
    "write_atomic",
]
