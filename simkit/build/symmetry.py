"""Space groups by spglib."""

from __future__ import annotations

import warnings

import spglib

from simkit.errors import InputError
from simkit.structure import Structure


def space_group(structure: Structure, symprec_A: float = 1e-3) -> tuple[str, int]:
    """International symbol and number of the space group, by spglib, at a tolerance in A.

    Raises InputError where spglib finds none (atoms on top of each other).
    """
    cell = (structure.cell, structure.fractional, structure.numbers)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Set OLD_ERROR_HANDLING", category=DeprecationWarning)
        data = spglib.get_symmetry_dataset(cell, symprec=symprec_A)
    if data is None:
        raise InputError(f"spglib finds no symmetry at {symprec_A} A; are there atoms on top of each other?")
    return data.international, int(data.number)
