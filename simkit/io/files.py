"""read, write and as_structure: the format follows from the file's name, never from its content."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from pymatgen.core import Structure as PymatgenStructure

from simkit.errors import InputError
from simkit.io.ase import from_ase
from simkit.io.atomic import write_atomic
from simkit.io.cif import cif_text, read_cif
from simkit.io.frames import Frame, Scalar, frames_text, read_frames
from simkit.io.lammps import lammps_text, read_lammps
from simkit.io.poscar import poscar_text, read_poscar
from simkit.io.pymatgen import from_pymatgen
from simkit.structure import Structure

Readable = Structure | Atoms | PymatgenStructure | str | os.PathLike

_FORMATS = {
    ".cif": "cif", ".extxyz": "extxyz", ".xyz": "extxyz", ".vasp": "poscar", ".poscar": "poscar",
    ".lammps-data": "lammps", ".data": "lammps",
}  # fmt: skip
_TEXTS = {"cif": cif_text, "poscar": poscar_text, "lammps": lammps_text}
_READERS = {"cif": read_cif, "poscar": read_poscar, "lammps": read_lammps}


def format_of(path: str | os.PathLike) -> str:
    """cif, extxyz, poscar or lammps, from the file's name. Raises InputError for any other ending."""
    name = Path(path).name
    if name.upper().startswith(("POSCAR", "CONTCAR")):
        return "poscar"
    ending = Path(path).suffix.lower()
    if ending not in _FORMATS:
        raise InputError(
            f"{os.fspath(path)!r}: the ending {ending!r} names no structure format; "
            f"allowed: {', '.join(_FORMATS)}, or a name beginning with POSCAR or CONTCAR."
        )
    return _FORMATS[ending]


def read(path: str | os.PathLike) -> Structure:
    """The one structure of a .cif, .extxyz, .xyz, .vasp, POSCAR or .lammps-data file, checked.

    Raises InputError with what was found, what is allowed and what to do: see `read_cif`, `read_frames`,
    `read_poscar` and `read_lammps`; also for files of several frames (use `read_frames`).
    """
    kind = format_of(path)
    if kind in _READERS:
        return _READERS[kind](path)
    frames = read_frames(path)
    if len(frames) != 1:
        raise InputError(
            f"{os.fspath(path)!r} holds {len(frames)} frames; one is wanted here (io.read_frames reads all)."
        )
    return frames[0].structure


def write(
    path: str | os.PathLike,
    structures: Structure | Sequence[Structure],
    metadata: Mapping[str, Scalar] | Sequence[Mapping[str, Scalar]] | None = None,
    columns: Mapping[str, np.ndarray] | None = None,
) -> Path:
    """Write one structure (any format) or several (extended XYZ), atomically; returns the path.

    metadata goes to the comment line of each frame (one mapping for all, or one each), and to the comment or title
    of the other formats, where it is for people to read; columns (n,) or (n, k) are further per-atom columns of a
    single structure. Only extended XYZ keeps layers, tags, metadata and columns, and it keeps them exactly.

    Raises InputError for several structures or columns in a format without a place for them.
    """
    return write_atomic(path, text(path, structures, metadata, columns).encode())


def text(
    path: str | os.PathLike,
    structures: Structure | Sequence[Structure],
    metadata: Mapping[str, Scalar] | Sequence[Mapping[str, Scalar]] | None = None,
    columns: Mapping[str, np.ndarray] | None = None,
) -> str:
    """What `write` puts into the file of this name, without touching the disk; arguments and errors as there."""
    single = isinstance(structures, Structure)
    listed = [structures] if single else list(structures)
    if not listed:
        raise InputError("there is no structure to write; give at least one.")
    kind = format_of(path)
    if kind == "extxyz":
        return frames_text(_frames(listed, metadata, columns))
    if len(listed) != 1 or columns is not None:
        raise InputError(f"a {kind} file holds one structure without columns; write {len(listed)} as .extxyz.")
    facts = metadata if isinstance(metadata, Mapping) else (metadata or [{}])[0]
    return _TEXTS[kind](listed[0], _title(path, facts))


def as_structure(source: Readable) -> Structure:
    """A Structure from a Structure, an ase.Atoms, a pymatgen Structure or the path of a file.

    Raises InputError for anything else, and for what `from_ase`, `from_pymatgen` and `read` refuse.
    """
    if isinstance(source, Structure):
        return source
    if isinstance(source, Atoms):
        return from_ase(source)
    if isinstance(source, PymatgenStructure):
        return from_pymatgen(source)
    if isinstance(source, str | os.PathLike):
        return read(source)
    raise InputError(
        f"a {type(source).__name__} is no structure; allowed: simkit Structure, ase.Atoms, "
        "pymatgen Structure, or the path of a file."
    )


def _title(path: str | os.PathLike, facts: Mapping[str, Scalar]) -> str:
    """Name of the file and what is known of it, on one line."""
    return "; ".join([Path(path).stem, *(f"{key} {value}" for key, value in facts.items())])


def _frames(
    structures: Sequence[Structure],
    metadata: Mapping[str, Scalar] | Sequence[Mapping[str, Scalar]] | None,
    columns: Mapping[str, np.ndarray] | None,
) -> list[Frame]:
    """Structures with their metadata."""
    if metadata is None or isinstance(metadata, Mapping):
        metadata = [metadata or {}] * len(structures)
    if len(metadata) != len(structures):
        raise InputError(f"{len(metadata)} metadata for {len(structures)} structures; give one each, or one for all.")
    if columns is not None and len(structures) != 1:
        raise InputError("columns belong to one structure; write the frames one by one with frame_text.")
    return [Frame(s, m, columns or {}) for s, m in zip(structures, metadata, strict=True)]
