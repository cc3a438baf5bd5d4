"""Structure from and to pymatgen.core.Structure."""

from __future__ import annotations

import numpy as np
from pymatgen.core import Element, Lattice, Species
from pymatgen.core import Structure as PymatgenStructure
from pymatgen.core.sites import Site

from simkit.errors import InputError
from simkit.io.checks import check_distances, element, right_handed
from simkit.structure import Structure


def from_pymatgen(structure: PymatgenStructure) -> Structure:
    """Structure of an ordered `pymatgen.core.Structure`; oxidation states are dropped.

    Site properties of one number or word per site become tags, "layers" the slab map. A left-handed lattice
    has its first two vectors exchanged, positions untouched.

    Raises InputError: a partially occupied or mixed site, isotopes and dummies, overlapping atoms.
    """
    if not isinstance(structure, PymatgenStructure):
        raise InputError(f"from_pymatgen was given a {type(structure).__name__}; a pymatgen Structure is wanted.")
    if len(structure) == 0:
        raise InputError("the structure holds no atoms; at least one is needed.")
    numbers = [element(_symbol(site, i), f"site {i} ({site.label})") for i, site in enumerate(structure)]
    cell, periodic = right_handed(structure.lattice.matrix, np.array(structure.lattice.pbc))
    columns = {name: _column(values) for name, values in structure.site_properties.items()}
    tags = {name: column for name, column in columns.items() if column is not None}
    layers = tags.pop("layers", None)
    result = Structure(np.array(numbers), structure.cart_coords, cell, periodic, layers, tags)
    check_distances(result)
    return result


def to_pymatgen(structure: Structure) -> PymatgenStructure:
    """`pymatgen.core.Structure` with the same atoms in the same order; layers and tags become site properties."""
    lattice = Lattice(structure.cell, pbc=tuple(bool(p) for p in structure.periodic))
    properties = {name: column.tolist() for name, column in structure.tags.items()}
    properties["layers"] = structure.layers.tolist()
    return PymatgenStructure(
        lattice, structure.symbols, structure.positions, coords_are_cartesian=True, site_properties=properties
    )


def _symbol(site: Site, index: int) -> str:
    """Symbol of a fully occupied site."""
    if site.is_ordered:
        kind = site.specie.element if isinstance(site.specie, Species) else site.specie
        return kind.name if isinstance(kind, Element) else kind.symbol
    x, y, z = site.frac_coords
    raise InputError(
        f"site {index} ({site.label}) at ({x:.4f}, {y:.4f}, {z:.4f}) is partially occupied or mixed: "
        f"{site.species_string}. Only ordered structures are computed; give an ordered cell, or let "
        "simkit build one (blocks with alkali content and transition-metal mixture)."
    )


def _column(values: list) -> np.ndarray | None:
    """A per-site property as an array of numbers or words; None where it is neither."""
    if any(value is None for value in values):
        return None
    kinds = {type(value) for value in values}
    simple = (bool, int, float, str, np.bool_, np.integer, np.floating, np.str_)
    if not all(issubclass(kind, simple) for kind in kinds):
        return None
    return np.array(values)
