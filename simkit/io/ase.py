"""Structure from and to ase.Atoms."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from simkit.errors import InputError
from simkit.io.checks import check_distances, right_handed
from simkit.structure import Structure


def from_ase(atoms: Atoms) -> Structure:
    """Structure of an `ase.Atoms` with three cell vectors.

    Per-atom columns of one number or word become tags, the column "layers" the slab map. A left-handed cell
    has its first two vectors exchanged, positions untouched. The calculator is not looked at.

    Raises InputError: no atoms, no cell, constraints (they would be lost), non-finite numbers, overlapping atoms.
    """
    if not isinstance(atoms, Atoms):
        raise InputError(f"from_ase was given a {type(atoms).__name__}; an ase.Atoms is wanted.")
    if atoms.constraints:
        raise InputError(
            f"the atoms carry {len(atoms.constraints)} ASE constraint(s), which simkit does not take over; "
            "remove them with atoms.set_constraint()."
        )
    sites = atoms.info.get("occupancy", {}).values()
    partial = [shares for shares in sites if len(shares) > 1 or min(shares.values()) < 1]
    if partial:
        raise InputError(
            f"the atoms come from a file with partly occupied sites ({partial[0]} on one), which ASE has filled "
            "whole; make an ordered cell first (simkit.build decorates layered phases by composition)."
        )
    if len(atoms) and atoms.cell.rank < 3:
        raise InputError(
            f"the cell is singular: {atoms.cell.rank} of 3 vectors; set all three (vacuum included) "
            "with atoms.set_cell()."
        )
    cell, periodic = right_handed(atoms.cell.array, atoms.pbc)
    columns = {name: c for name, c in atoms.arrays.items() if c.ndim == 1 and name != "numbers"}
    layers = columns.pop("layers", None)
    structure = Structure(atoms.numbers, atoms.positions, cell, periodic, layers, columns)
    check_distances(structure)
    return structure


def to_ase(structure: Structure) -> Atoms:
    """`ase.Atoms` of the same atoms in the same order; the slab map is the array "layers", each tag an array."""
    atoms = Atoms(numbers=structure.numbers, positions=structure.positions, cell=structure.cell, pbc=structure.periodic)
    for name, column in structure.tags.items():
        atoms.set_array(name, np.array(column))
    atoms.set_array("layers", np.array(structure.layers))
    return atoms
