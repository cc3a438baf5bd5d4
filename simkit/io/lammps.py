"""LAMMPS data files (units metal, atom_style atomic) through ASE, with element names beside the masses."""

from __future__ import annotations

import os
import re
import textwrap
from io import StringIO

import numpy as np
from ase.io.lammpsdata import read_lammps_data, write_lammps_data

from simkit.errors import InputError
from simkit.io.ase import from_ase, to_ase
from simkit.io.checks import element, regular_file, vacuum_remark
from simkit.structure import Structure

_LONGEST_LINE = 240
"""LAMMPS reads lines of at most 255 characters, so a title goes on over several comment lines."""
_MASS_ROW = re.compile(r"^\s*(\d+)\s+[0-9.eE+-]+\s*#\s*([A-Za-z]{1,2})\s*$", re.MULTILINE)


def lammps_text(structure: Structure, title: str = "simkit") -> str:
    """A data file: atom types in alphabetical order of the elements, masses named, atoms in their own order.

    LAMMPS wants a along x and b in the xy plane, so the cell is turned there; layers and tags are not kept. A data
    file cannot say which directions repeat: where one does not, the comment names the LAMMPS command `boundary` for
    it, and the cell is the box, vacuum included.
    """
    stream = StringIO()
    species = sorted(set(structure.symbols))
    write_lammps_data(stream, to_ase(structure), specorder=species, masses=True, units="metal", atom_style="atomic")
    first, rest = stream.getvalue().split("\n", 1)
    if first != "(written by ASE)":
        raise InputError(f"ASE writes data files that begin with {first!r} now; this version cannot be used.")
    words = f"types {' '.join(species)}; {_boundary(structure)}{' '.join(title.split())}"
    lines = textwrap.wrap(words, _LONGEST_LINE - 2, break_on_hyphens=False)
    return "".join(f"# {line}\n" for line in lines) + rest


def _boundary(structure: Structure) -> str:
    """What LAMMPS must be told of a cell that is not periodic everywhere."""
    if structure.periodic.all():
        return ""
    kinds = " ".join("p" if periodic else "f" for periodic in structure.periodic)
    return f"use boundary {kinds}, {vacuum_remark(structure)}; "


def read_lammps(path: str | os.PathLike) -> Structure:
    """The structure of a LAMMPS data file in units metal; elements from the comments of Masses, else from the masses.

    Raises InputError: not a data file, no masses, unknown elements, overlapping atoms.
    """
    name = os.fspath(path)
    text = regular_file(path).decode("utf-8", errors="replace")
    if not re.search(r"^\s*Masses", text, re.MULTILINE) or not re.search(r"^\s*Atoms", text, re.MULTILINE):
        raise InputError(f"{name!r} is no LAMMPS data file with the sections Masses and Atoms.")
    masses = text.split("Masses", 1)[1].split("Atoms", 1)[0]
    named = {int(k): element(symbol, f"type {k}") for k, symbol in _MASS_ROW.findall(masses)}
    try:
        atoms = read_lammps_data(StringIO(text), units="metal")
        if named:
            atoms.numbers = np.array([named[int(k)] for k in atoms.arrays["type"]])
    except (ValueError, KeyError, IndexError, TypeError, UnboundLocalError, AttributeError, StopIteration) as failure:
        reason = " ".join(str(failure).split())[:200] or type(failure).__name__
        raise InputError(f"{name!r} cannot be read as a LAMMPS data file: {reason}.") from failure
    for column in ("id", "type", "mol-id", "masses", "initial_charges", "mmcharges"):
        if column in atoms.arrays:
            del atoms.arrays[column]
    return from_ase(atoms)
