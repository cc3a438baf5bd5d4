"""Trajectories read back, also while they are being written, and written as one extended XYZ file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from simkit.arrays import Floats, Integers
from simkit.errors import CorruptFileError, InputError, nearest
from simkit.io.frames import Frame, frame_text
from simkit.io.segments import HEAD, SCHEMA, parts
from simkit.structure import Structure
from simkit.trajectory import FINISHED, Trajectory


@dataclass(frozen=True, eq=False)
class StoredSystem:
    """One system of a stored run: its start, which atoms are stored, degrees of freedom, and words about it."""

    structure: Structure
    atoms: Integers
    freedoms: int
    facts: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether every atom is stored."""
        return len(self.atoms) == len(self.structure)


@dataclass(frozen=True, eq=False)
class StoredRun:
    """A folder of trajectories; frames are read when they are asked for."""

    folder: Path
    timestep_fs: float
    systems: Mapping[str, StoredSystem]

    @property
    def names(self) -> tuple[str, ...]:
        """The systems in order."""
        return tuple(self.systems)

    def column(self, name: str, kind: str, column: str) -> np.ndarray:
        """All rows of one column of a system's "frames" or "log"; empty where none is stored yet.

        Raises InputError for a system or column that is not stored, CorruptFileError for a damaged file.
        """
        self.system(name)
        pieces = []
        for file in self._files():
            group = file.get(f"{name}/{kind}")
            if group is not None:
                if column not in group:
                    raise InputError(f"{column!r} is not stored in {kind} of {name}; stored: {', '.join(group)}.")
                pieces.append(_values(group[column], file))
        return np.concatenate(pieces) if pieces else np.zeros(0)

    def columns(self, name: str, kind: str) -> tuple[str, ...]:
        """Names of the columns stored."""
        for file in self._files():
            if f"{name}/{kind}" in file:
                return tuple(file[f"{name}/{kind}"])
        return ()

    def system(self, name: str) -> StoredSystem:
        """A system by its name. Raises InputError naming the nearest one."""
        if name not in self.systems:
            raise InputError(f"{self.folder} holds no system {name!r}; {nearest(name, self.systems)}")
        return self.systems[name]

    def trajectory(self, name: str, every: int = 1, status: str = FINISHED) -> Trajectory:
        """Every so many frames of a system as a `Trajectory`; what was not stored is None there.

        Where only some atoms are stored, the structure holds only these, and `rest_centre` says where the others were.
        """
        system, stored = self.system(name), self.columns(name, "frames")
        if not stored:
            raise InputError(f"no frame of {name} is stored yet in {self.folder}.")

        def read(column: str) -> Floats | None:
            return self.column(name, "frames", column)[::every].astype(np.float64) if column in stored else None

        steps = self.column(name, "frames", "step")[::every]
        return Trajectory(
            structure=system.structure if system.whole else system.structure.take(system.atoms),
            time_fs=steps * self.timestep_fs,
            positions=read("positions"),
            cells=read("cells"),
            velocities_A_per_fs=read("velocities"),
            energy=read("energy"),
            forces=read("forces"),
            stress=read("stress"),
            energy_spread=read("energy_spread"),
            rest_centre=read("rest_centre"),
            freedoms=system.freedoms,
            status=status,
            steps=int(steps[-1]),
            evaluations=int(steps[-1]) + 1,
        )

    def _files(self) -> Iterator[h5py.File]:
        for path, _ in parts(self.folder):
            try:
                file = h5py.File(path, "r")
            except OSError as error:
                raise CorruptFileError(f"{path} is no readable HDF5 file: {error}") from error
            with file:
                yield file


def open_trajectories(folder: str | Path) -> StoredRun:
    """A stored run. Raises InputError where there is none, CorruptFileError where the head is damaged or newer."""
    folder = Path(folder)
    head = folder / HEAD
    if not head.exists():
        raise InputError(
            f"{folder} holds no trajectories ({HEAD} is missing); give the folder `trajectories` of a run."
        )
    try:
        with h5py.File(head, "r") as file:
            if file.attrs.get("schema") != SCHEMA:
                raise CorruptFileError(
                    f"{head} has schema {file.attrs.get('schema')!r}; this version reads {SCHEMA!r}."
                )
            systems = {name: _system(file[name]) for name in file.attrs["systems"]}
            return StoredRun(folder, float(file.attrs["timestep_fs"]), systems)
    except (OSError, KeyError) as error:
        raise CorruptFileError(f"{head} is damaged: {error}") from error


def write_extxyz(run: StoredRun, name: str, path: str | Path, every: int = 1) -> int:
    """Write every so many frames of a system as extended XYZ, with time and energy; returns how many.

    The file grows frame by frame, so a long run needs little memory; velocities and forces are written if stored.
    """
    trajectory = run.trajectory(name, every)
    columns = {"velo": trajectory.velocities_A_per_fs, "forces": trajectory.forces}
    path = Path(path)
    growing = path.with_name(f".{path.name}.tmp")
    with growing.open("w", encoding="utf-8") as stream:
        for k in range(len(trajectory)):
            facts = {"time_fs": float(trajectory.time_fs[k]), "energy_eV": float(trajectory.energy[k])}
            wide = {key: values[k] for key, values in columns.items() if values is not None}
            stream.write(frame_text(Frame(trajectory[k], facts, wide)))
    os.replace(growing, path)
    return len(trajectory)


def log_csv(run: StoredRun, name: str) -> str:
    """The thermodynamic log of a system as comma-separated text, one line per row."""
    columns = [c for c in run.columns(name, "log") if c != "step"]
    steps = run.column(name, "log", "step")
    table = [run.column(name, "log", column) for column in columns]
    lines = [",".join(["step", *columns])]
    lines += [",".join([str(int(s)), *(repr(float(v)) for v in row)]) for s, *row in zip(steps, *table, strict=True)]
    return "\n".join(lines) + "\n"


def _system(group: h5py.Group) -> StoredSystem:
    columns = {name: group[name][()] for name in ("numbers", "positions", "cell", "periodic", "layers")}
    tags = {}
    for name, data in group["tags"].items():
        tags[name] = data.asstr()[()].astype(str) if h5py.check_string_dtype(data.dtype) else data[()]
    facts = {key: value for key, value in group.attrs.items() if key != "freedoms"}
    return StoredSystem(Structure(**columns, tags=tags), group["atoms"][()], int(group.attrs["freedoms"]), facts)


def _values(data: h5py.Dataset, file: h5py.File) -> np.ndarray:
    try:
        return data[()]
    except OSError as error:
        raise CorruptFileError(f"{file.filename} fails its checksum in {data.name}: {error}") from error
