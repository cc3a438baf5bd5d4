"""CIF: read through pymatgen's parser, closed against what it would pass over; written as P1."""

from __future__ import annotations

import os
import re
import warnings
from io import StringIO

import numpy as np
from pymatgen.io.cif import CifParser

from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.io.checks import element, regular_file, vacuum_remark
from simkit.io.pymatgen import from_pymatgen
from simkit.structure import Structure

MAXIMUM_CIF_BYTES = 5_000_000
"""Largest CIF that is read: beyond this the parser takes minutes; use extxyz."""

_SYMMETRY = (
    "_symmetry_equiv_pos_as_xyz",
    "_space_group_symop_operation_xyz",
    "_symmetry_space_group_name_H-M",
    "_space_group_name_H-M_alt",
    "_symmetry_Int_Tables_number",
    "_space_group_IT_number",
    "_space_group_symop.operation_xyz",
    "_space_group_name_Hall",
    "_symmetry_space_group_name_Hall",
)


def cell_of_parameters(lengths_A: Floats, angles_deg: Floats) -> Floats:
    """(3, 3) A: a along x, b in the xy plane, c with positive z, from (3,) lengths and (3,) angles."""
    a, b, c = lengths_A
    cosines = np.cos(np.radians(angles_deg))
    cosines[np.asarray(angles_deg) == 90.0] = 0.0
    sine = np.sqrt(1 - cosines[2] ** 2)
    cx = cosines[1]
    cy = (cosines[0] - cosines[1] * cosines[2]) / sine
    cz = np.sqrt(1 - cx**2 - cy**2)
    return np.array([[a, 0, 0], [b * cosines[2], b * sine, 0], [c * cx, c * cy, c * cz]])


def read_cif(path: str | os.PathLike) -> Structure:
    """The one ordered structure of a CIF, a along x and b in the xy plane.

    Raises InputError: not a CIF, no or several structures, no symmetry stated, partial occupancy, unknown
    symbols, a composition that contradicts the file's own formula, overlapping atoms.
    """
    name = os.fspath(path)
    text = regular_file(path, MAXIMUM_CIF_BYTES).decode("utf-8", errors="replace")
    if not re.search(r"^\s*data_", text, re.MULTILINE | re.IGNORECASE) or "\x00" in text:
        raise InputError(f"{name!r} is not a CIF: it has no data_ block; give a CIF or use the right file ending.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            parser = CifParser(StringIO(text))
            blocks = parser.as_dict()
            _check_symbols(blocks)
            found = parser.parse_structures(primitive=False, on_error="raise")
            contradiction = parser.check(found[0])
        except InputError as failure:
            raise InputError(f"{name!r}: {failure}") from failure
        except Exception as failure:  # the parser raises a dozen types for broken files
            reason = " ".join(str(failure).split())[:200] or type(failure).__name__
            raise InputError(f"{name!r} cannot be read as a CIF: {reason}. Mend or export it again.") from failure
    if len(found) != 1:
        raise InputError(f"{name!r} holds {len(found)} structures; keep one data_ block.")
    if contradiction and "Cannot determine" not in contradiction:
        raise InputError(
            f"{name!r} contradicts its own formula ({' '.join(contradiction.split())[:200]}); mend the file."
        )
    if not any(
        any(key.lower() == wanted.lower() for wanted in _SYMMETRY) for block in blocks.values() for key in block
    ):
        raise InputError(
            f"{name!r} states no symmetry; add _symmetry_space_group_name_H-M (for a full list of atoms, 'P 1')."
        )
    try:
        return _standard(from_pymatgen(found[0]), found[0].lattice.parameters)
    except InputError as failure:
        raise InputError(f"{name!r}: {failure}") from failure


def cif_text(structure: Structure, title: str = "simkit") -> str:
    """A P1 CIF; fractional coordinates to 12 digits, unwrapped atoms stay where they are.

    title  its first word names the data block; the whole of it is a comment above
    Cell orientation, layers and tags are not kept: a CIF has no place for them. A comment says so where a direction
    is not periodic: a CIF repeats along all three.
    """
    lengths = np.linalg.norm(structure.cell, axis=1)
    unit = structure.cell / lengths[:, None]
    angles = [np.degrees(np.arccos(np.clip(unit[i] @ unit[j], -1, 1))) for i, j in ((1, 2), (0, 2), (0, 1))]
    words = " ".join(title.split())
    safe = re.sub(r"[^A-Za-z0-9_.+-]", "_", words.split(";")[0]) or "simkit"
    remark = [f"# {text}" for text in (vacuum_remark(structure),) if text]
    lines = [f"# {words}", *remark, f"data_{safe}"]
    lines += ["_symmetry_space_group_name_H-M 'P 1'", "_symmetry_Int_Tables_number 1"]
    lines += [f"_cell_length_{n} {length:.12f}" for n, length in zip("abc", lengths, strict=True)]
    lines += [f"_cell_angle_{n} {angle:.12f}" for n, angle in zip(("alpha", "beta", "gamma"), angles, strict=True)]
    lines += [
        f"_chemical_formula_sum '{re.sub(r'([A-Za-z])(?=[A-Z])|(?<=[0-9])(?=[A-Z])', _spaced, structure.formula)}'"
    ]
    lines += ["loop_", "_symmetry_equiv_pos_as_xyz", "'x, y, z'", "loop_"]
    lines += [f"_atom_site_{key}" for key in ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy")]
    rows = zip(structure.symbols, structure.fractional, strict=True)
    lines += [f"{s}{i} {s} {x:.12f} {y:.12f} {z:.12f} 1" for i, (s, (x, y, z)) in enumerate(rows)]
    return "\n".join(lines) + "\n"


def _spaced(match: re.Match) -> str:
    return f"{match.group(0)} "


def _standard(structure: Structure, parameters: tuple[float, ...]) -> Structure:
    """The same fractional coordinates in the cell with a along x and b in the xy plane."""
    return structure.strained_to(cell_of_parameters(np.array(parameters[:3]), np.array(parameters[3:])))


def _check_symbols(blocks: dict) -> None:
    """Refuse site symbols that the parser would drop or take for something else."""
    for block in blocks.values():
        symbols = block.get("_atom_site_type_symbol", block.get("_atom_site_label", []))
        for row, text in enumerate(symbols):
            word = re.match(r"[A-Za-z]{1,2}", str(text))
            if not word:
                raise InputError(f"atom {row} has the symbol {text!r}; a chemical symbol is wanted.")
            letters = word.group(0).capitalize()
            first = re.match(r"[A-Z][a-z]?", str(text))
            element(first.group(0) if first else letters, f"atom {row} ({text})")
