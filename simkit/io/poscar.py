"""POSCAR (VASP 5): species line wanted, positions direct or cartesian, order of atoms kept."""

from __future__ import annotations

import os
from itertools import groupby

import numpy as np

from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.io.checks import check_distances, element, regular_file, right_handed, vacuum_remark
from simkit.structure import Structure

_SHORTEST_LINE = 6
_LONGEST_TITLE = 1000


def read_poscar(path: str | os.PathLike) -> Structure:
    """The structure of a POSCAR or CONTCAR; velocities after the positions are not read.

    Raises InputError, with the line, for missing species, counts the file cannot hold, scale 0, numbers that are
    none, selective dynamics with frozen coordinates, overlapping atoms.
    """
    name = os.fspath(path)
    data = regular_file(path)
    lines = data.decode("utf-8", errors="replace").splitlines()
    try:
        structure = _parse(lines, len(data))
        check_distances(structure)
    except InputError as failure:
        raise InputError(f"{name!r}: {failure}") from failure
    return structure


def poscar_text(structure: Structure, title: str = "simkit") -> str:
    """A VASP 5 POSCAR with direct coordinates; runs of one element keep the order of atoms. Tags are not kept.

    The title says so where a direction is not periodic: a POSCAR repeats along all three.
    """
    runs = [(symbol, len(list(group))) for symbol, group in groupby(structure.symbols)]
    words = " ".join(title.split())[:_LONGEST_TITLE]
    lines = ["; ".join(part for part in (words, vacuum_remark(structure)) if part) or "simkit", "1.0"]
    lines += [" ".join(f"{x:.16f}" for x in row) for row in structure.cell]
    lines += [" ".join(s for s, _ in runs), " ".join(str(k) for _, k in runs), "Direct"]
    lines += [" ".join(f"{x:.16f}" for x in row) for row in structure.fractional]
    return "\n".join(lines) + "\n"


def _parse(lines: list[str], size: int) -> Structure:
    if len(lines) < 8:
        raise InputError(f"not a POSCAR: {len(lines)} lines, at least 8 are needed.")
    scale = _numbers(lines, 1)
    cell = np.array([_numbers(lines, k)[:3] for k in (2, 3, 4)])
    symbols = lines[5].split()
    if not symbols or not all(word[0].isalpha() for word in symbols):
        raise InputError("line 6 names no elements (VASP 4 files do not); write the species there.")
    numbers = _species(symbols, lines[6].split(), size)
    at = 7
    selective = lines[at].strip()[:1].lower() == "s"
    at += selective
    if at >= len(lines) or not lines[at].strip():
        raise InputError(f"line {at + 1} is missing; write Direct or Cartesian there.")
    mode = lines[at].strip()[0].lower()
    if mode not in "dck":
        raise InputError(f"line {at + 1} says {lines[at].strip()[:20]!r}; write Direct or Cartesian.")
    rows = _rows(lines, at + 1, len(numbers), selective)
    factor = _factor(scale, cell)
    cell = cell * factor
    right, periodic = right_handed(cell, np.ones(3, dtype=bool))
    positions = rows @ cell if mode == "d" else rows * factor
    return Structure(numbers, positions, right, periodic)


def _species(symbols: list[str], counts: list[str], size: int) -> np.ndarray:
    """(n,) atomic numbers; the total is held against the file's size before anything is allocated."""
    if len(counts) != len(symbols) or not all(word.isdecimal() and len(word) < 16 for word in counts):
        raise InputError(f"line 7 ({' '.join(counts)[:60]!r}) must hold one count for each of {' '.join(symbols)!r}.")
    total = sum(int(word) for word in counts)
    if total * _SHORTEST_LINE > size:
        raise InputError(f"line 7 promises {total} atoms, more than a file of {size} bytes can hold.")
    elements = [element(word.split("_")[0].split("/")[0], "line 6") for word in symbols]
    return np.repeat(elements, [int(word) for word in counts])


def _rows(lines: list[str], first: int, count: int, selective: bool) -> Floats:
    """(count, 3) numbers; frozen coordinates are refused because simkit would move them."""
    if len(lines) < first + count:
        raise InputError(f"{count} atoms are promised but only {max(0, len(lines) - first)} lines follow.")
    rows = np.empty((count, 3))
    for k in range(count):
        rows[k] = _numbers(lines, first + k)[:3]
        if selective and "F" in [word.upper()[:1] for word in lines[first + k].split()[3:6]]:
            raise InputError(
                f"line {first + k + 1} freezes a coordinate (selective dynamics), which simkit does not "
                "take over; remove the flags."
            )
    return rows


def _numbers(lines: list[str], index: int) -> list[float]:
    """Leading numbers of one line: three, or one on the line of the scale."""
    words = lines[index].split()[:3]
    wanted = 3 if index > 1 else 1
    numbers: list[float] = []
    for word in words:
        try:
            numbers.append(float(word))
        except ValueError:
            break
    if len(numbers) < wanted:
        raise InputError(f"line {index + 1} ({lines[index].strip()[:60]!r}) must begin with {wanted} number(s).")
    return numbers


def _factor(scale: list[float], cell: Floats) -> Floats | float:
    """Scale of a POSCAR: one factor, three factors, or minus the wanted volume."""
    if len(scale) == 3:
        factors = np.array(scale)
        if np.any(factors <= 0):
            raise InputError(f"line 2 holds the scale factors {scale}; all must be above zero.")
        return factors
    if scale[0] == 0 or len(scale) == 2:
        raise InputError(f"line 2 holds the scale {scale}; one factor (not 0) or three are allowed.")
    volume = abs(np.linalg.det(cell))
    return scale[0] if scale[0] > 0 else (-scale[0] / volume) ** (1 / 3) if volume > 0 else 1.0
