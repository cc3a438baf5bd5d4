"""What every structure coming from outside must pass before simkit computes with it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from simkit.arrays import Floats
from simkit.elements import NUMBERS, atomic_number
from simkit.errors import InputError
from simkit.structure import MINIMUM_THICKNESS_A, Structure

MINIMUM_DISTANCE_A = 0.5
"""Two atoms nearer than this are one atom written twice, A; shorter than any bond, so nothing real is refused."""
MAXIMUM_BYTES = 200_000_000
"""Largest structure file that is read."""

_ISOTOPES = {"D": "H", "T": "H"}


def regular_file(path: str | os.PathLike, maximum_bytes: int = MAXIMUM_BYTES) -> bytes:
    """Bytes of a regular file.

    Raises InputError: absent, a folder, a pipe or device, empty, too big, unreadable.
    """
    name = os.fspath(path)
    try:
        status = os.stat(name)
    except (OSError, ValueError) as failure:
        raise InputError(f"no such file: {name!r} ({_reason(failure)}); check the path.") from failure
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"{name!r} is a folder; give the structure file in it.")
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{name!r} is a pipe, socket or device; only regular files are read.")
    if status.st_size == 0:
        raise InputError(f"{name!r} is empty (0 bytes); a structure file was wanted.")
    if status.st_size > maximum_bytes:
        raise InputError(
            f"{name!r} holds {status.st_size / 1e6:.0f} MB; at most {maximum_bytes / 1e6:.0f} MB are read. "
            "Cut it to the frames needed."
        )
    try:
        return Path(name).read_bytes()
    except OSError as failure:
        raise InputError(f"cannot read {name!r} ({_reason(failure)}); check its permissions.") from failure


def element(symbol: str, where: str) -> int:
    """Atomic number of a symbol. Raises InputError, naming `where`, for isotopes, dummies and unknown symbols."""
    if symbol in _ISOTOPES:
        raise InputError(f"{where} is {symbol!r}, an isotope; simkit takes elements, write {_ISOTOPES[symbol]!r}.")
    if symbol not in NUMBERS:
        try:
            return atomic_number(symbol)
        except InputError as failure:
            raise InputError(f"{where}: {failure}") from failure
    return NUMBERS[symbol]


def right_handed(cell: Floats, periodic: np.ndarray) -> tuple[Floats, np.ndarray]:
    """The same lattice with its first two vectors exchanged where they are left-handed.

    Cartesian positions stay as they are, so the crystal is not mirrored: only the names a and b change.
    """
    cell, periodic = np.asarray(cell, dtype=np.float64), np.asarray(periodic, dtype=bool)
    if cell.shape == (3, 3) and np.linalg.det(cell) < 0:
        return cell[[1, 0, 2]], periodic[[1, 0, 2]]
    return cell, periodic


def vacuum_remark(structure: Structure) -> str:
    """What a format without a place for it says of directions that do not repeat; empty where all three do."""
    names = ", ".join(name for name, periodic in zip("abc", structure.periodic, strict=True) if not periodic)
    return f"not periodic along {names}: the box holds vacuum there" if names else ""


def check_distances(structure: Structure, minimum_A: float = MINIMUM_DISTANCE_A) -> None:
    """Raise InputError, naming the two atoms, where a periodic distance is below `minimum_A` (at most 0.5 A).

    Atoms need not lie inside the cell.
    """
    if not 0 < minimum_A <= MINIMUM_THICKNESS_A:
        raise InputError(f"minimum_A = {minimum_A}; allowed is above 0 and at most {MINIMUM_THICKNESS_A} A.")
    points, owner = _with_near_images(structure, minimum_A)
    pairs = cKDTree(points).query_pairs(minimum_A, output_type="ndarray")
    pairs = pairs[owner[pairs[:, 0]] != owner[pairs[:, 1]]]
    if len(pairs) == 0:
        return
    lengths = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    nearest = int(np.argmin(lengths))
    i, j = sorted(int(k) for k in owner[pairs[nearest]])
    symbols = structure.symbols
    raise InputError(
        f"atoms {i} ({symbols[i]}) and {j} ({symbols[j]}) are {lengths[nearest]:.3f} A apart; "
        f"at least {minimum_A} A is needed. Remove one of them or mend the coordinates."
    )


def _with_near_images(structure: Structure, margin_A: float) -> tuple[Floats, np.ndarray]:
    """Atoms wrapped into the cell, and their images within `margin_A` of it, with the atom each belongs to."""
    periodic = structure.periodic
    fractional = structure.fractional - np.where(periodic, np.floor(structure.fractional), 0.0)
    owner = np.arange(len(structure))
    width = margin_A * np.linalg.norm(np.linalg.inv(structure.cell), axis=0)
    for axis in np.flatnonzero(periodic):
        copies = []
        for shift in (-1.0, 1.0):
            moved = fractional[:, axis] + shift
            near = (moved >= -width[axis]) & (moved <= 1 + width[axis])
            copies.append((fractional[near] + shift * np.eye(3)[axis], owner[near]))
        fractional = np.concatenate([fractional, *(c[0] for c in copies)])
        owner = np.concatenate([owner, *(c[1] for c in copies)])
    return fractional @ structure.cell, owner


def _reason(failure: BaseException) -> str:
    """The exception in one short line."""
    text = " ".join(str(getattr(failure, "strerror", None) or failure).split())
    return text[:200] or type(failure).__name__
