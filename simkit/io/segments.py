"""Trajectories on disk while they grow: a folder of HDF5 files, each written whole, so that no kill can spoil one.

`head.h5` says what is stored; `part-STEP.h5` holds the frames and the log up to STEP since the part before. Both have
one group per system. Numbers are compressed and carry checksums; the units are those of `Trajectory`.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from simkit.arrays import Integers
from simkit.errors import InputError
from simkit.io.atomic import write_atomic
from simkit.structure import Structure

SCHEMA = "simkit-trajectory-1"
HEAD = "head.h5"
ROWS = 64
"""Frames in one compressed block."""
COARSE = ("positions", "velocities", "forces", "virials")
"""Columns that are stored in single precision where that is asked for: 1e-7 of a position, some 1e-5 A."""


@dataclass(frozen=True, eq=False)
class Layout:
    """What a run stores.

    names, structures of its systems, as they start
    atoms       per system the (a,) indices of the atoms that are stored
    freedoms    (m,) degrees of freedom
    timestep_fs of the run
    single      whether per-atom columns are stored in single precision
    facts       further words about each system (temperature, source ...) for readers
    """

    names: tuple[str, ...]
    structures: tuple[Structure, ...]
    atoms: tuple[Integers, ...]
    freedoms: Integers
    timestep_fs: float
    single: bool = True
    facts: tuple[Mapping[str, float | str], ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names) or any("/" in name or not name for name in self.names):
            raise InputError(f"the systems are called {', '.join(self.names)}; each needs a name of its own without /.")


class Segments:
    """The writer: rows are collected in memory, `flush` puts them on disk as one more part."""

    def __init__(self, folder: Path, layout: Layout) -> None:
        self.folder, self.layout = folder, layout
        self._rows: dict[tuple[str, str], list[dict[str, np.ndarray]]] = {}

    def start(self) -> None:
        """Begin anew: parts of an earlier attempt are removed, the head is written."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.cut(-1)
        write_atomic(self.folder / HEAD, _head(self.layout))

    def add(self, system: int, kind: str, row: Mapping[str, np.ndarray]) -> None:
        """One row of a system's `kind` ("frames" or "log"): numbers and arrays by name, "step" among them."""
        self._rows.setdefault((self.layout.names[system], kind), []).append(dict(row))

    def flush(self, step: int) -> None:
        """Write what was collected up to `step`; nothing where nothing was."""
        if self._rows:
            write_atomic(self.folder / f"part-{step:012d}.h5", _part(self._rows, self.layout.single))
            self._rows = {}

    def cut(self, step: int) -> None:
        """Remove what lies beyond `step`, where a run is taken up from a state of that step."""
        self._rows = {}
        for path, last in parts(self.folder):
            if last > step:
                path.unlink()


def parts(folder: Path) -> list[tuple[Path, int]]:
    """The parts of a trajectory and the last step of each, in order."""
    found = [(path, path.stem.removeprefix("part-")) for path in folder.glob("part-*.h5")]
    return sorted(((path, int(step)) for path, step in found if step.isdecimal()), key=lambda item: item[1])


def _head(layout: Layout) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs.update(schema=SCHEMA, timestep_fs=layout.timestep_fs, systems=list(layout.names))
        for k, name in enumerate(layout.names):
            group = file.create_group(name)
            _put_structure(group, layout.structures[k])
            group["atoms"] = layout.atoms[k]
            group.attrs["freedoms"] = int(layout.freedoms[k])
            group.attrs.update(layout.facts[k] if layout.facts else {})
    return buffer.getvalue()


def _put_structure(group: h5py.Group, structure: Structure) -> None:
    for name in ("numbers", "positions", "cell", "periodic", "layers"):
        group[name] = getattr(structure, name)
    tags = group.create_group("tags")
    for name, column in structure.tags.items():
        words = np.array(column)
        tags[name] = words.astype(h5py.string_dtype()) if words.dtype.kind == "U" else words


def _part(rows: Mapping[tuple[str, str], Sequence[Mapping[str, np.ndarray]]], single: bool) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["schema"] = SCHEMA
        for (name, kind), entries in rows.items():
            group = file.create_group(f"{name}/{kind}")
            for column in entries[0]:
                _put_column(group, column, np.stack([np.asarray(entry[column]) for entry in entries]), single)
    return buffer.getvalue()


def _put_column(group: h5py.Group, name: str, values: np.ndarray, single: bool) -> None:
    if single and name in COARSE:
        values = values.astype(np.float32)
    chunks = (min(ROWS, len(values)), *values.shape[1:])
    group.create_dataset(name, data=values, chunks=chunks, compression="gzip", compression_opts=4, shuffle=True,
                         fletcher32=True)  # fmt: skip
