"""Space groups by spglib."""

from __future__ import annotations

import warnings

import numpy as np
import spglib

from simkit.arrays import Floats, Integers
from simkit.errors import InputError
from simkit.structure import Structure


def space_group(structure: Structure, symprec_A: float = 1e-3) -> tuple[str, int]:
    """International symbol and number of the space group, by spglib, at a tolerance in A.

    Raises InputError where spglib finds none (atoms on top of each other).
    """
    data = _dataset(structure, symprec_A)
    return data.international, int(data.number)


def operations(structure: Structure, symprec_A: float = 1e-3) -> tuple[Integers, Floats]:
    """(k, 3, 3) rotations and (k, 3) translations of the space group, x' = R x + t on fractional columns, by spglib.

    The translations of a supercell count one by one; a cell without any symmetry has the identity alone. symprec_A
    is the tolerance, A. Raises InputError where spglib finds none (atoms on top of each other).
    """
    data = _dataset(structure, symprec_A)
    return np.asarray(data.rotations, dtype=np.int64), np.asarray(data.translations, dtype=np.float64)


def _dataset(structure: Structure, symprec_A: float) -> spglib.SpglibDataset:
    cell = (structure.cell, structure.fractional, structure.numbers)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Set OLD_ERROR_HANDLING", category=DeprecationWarning)
        data = spglib.get_symmetry_dataset(cell, symprec=symprec_A)
    if data is None:
        raise InputError(f"spglib finds no symmetry at {symprec_A} A; are there atoms on top of each other?")
    return data
