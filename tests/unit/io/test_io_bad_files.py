"""Every malformed file is one InputError that names what was found; nothing hangs, nothing is guessed."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest

from simkit import io
from simkit.errors import InputError
from simkit.io.checks import regular_file
from simkit.structure import Structure

CELL = 'Lattice="4 0 0 0 4 0 0 0 4" Properties=species:S:1:pos:R:3 pbc="T T T"'
GOOD = f"2\n{CELL}\nNa 0 0 0\nCl 2 2 2\n"

XYZ = {
    "huge count": ("1000000000000\n" + CELL + "\nNa 0 0 0\n", "promises 1000000000000 atoms"),
    "count longer than an integer": ("9" * 400 + "\nx\nNa 0 0 0\n", "number of atoms is wanted"),
    "negative count": ("-1\nx\n", "number of atoms is wanted"),
    "zero atoms": (f"0\n{CELL}\n", "0 atoms"),
    "no count": ("Na 0 0 0\n", "number of atoms is wanted"),
    "cut off": (GOOD[:-12], "promises 2 atoms|columns|number"),
    "no lattice": ("1\nhello\nNa 0 0 0\n", "no Lattice"),
    "eight lattice numbers": ('1\nLattice="1 2 3 4 5 6 7 8"\nNa 0 0 0\n', "holds 8 numbers"),
    "lattice word": ('1\nLattice="a 0 0 0 4 0 0 0 4"\nNa 0 0 0\n', "no number"),
    "nan lattice": ('1\nLattice="nan 0 0 0 4 0 0 0 4"\nNa 0 0 0\n', "not finite"),
    "singular cell": ('1\nLattice="4 0 0 4 0 0 0 0 4"\nNa 0 0 0\n', "singular"),
    "zero cell": ('1\nLattice="0 0 0 0 0 0 0 0 0"\nNa 0 0 0\n', "singular"),
    "flat cell": ('1\nLattice="4 0 0 0 4 0 0 0 0.1"\nNa 0 0 0\n', "thick"),
    "nan position": (GOOD.replace("2 2 2", "nan 2 2"), "nan"),
    "infinite position": (GOOD.replace("2 2 2", "inf 2 2"), "inf"),
    "word position": (GOOD.replace("2 2 2", "2 x 2"), "line 4"),
    "short line": (GOOD.replace("2 2 2", "2 2"), "line 4 has 3 columns"),
    "long line": (GOOD.replace("2 2 2", "2 2 2 2"), "line 4 has 5 columns"),
    "unknown element": (GOOD.replace("Cl", "Qq"), "unknown element 'Qq'"),
    "deuterium": (GOOD.replace("Cl", "D"), "isotope"),
    "atoms on top of each other": (
        GOOD.replace("2 2 2", "0 0 0.2"),
        r"atoms 0 \(Na\) and 1 \(Cl\) are 0.200 A apart",
    ),
    "on top across the face": (GOOD.replace("2 2 2", "3.9 3.9 3.9"), "0.173 A apart"),
    "on top, unwrapped": (GOOD.replace("2 2 2", "-8 12 0.1"), "0.100 A apart"),
    "bad properties": (GOOD.replace("pos:R:3", "pos:Q:3"), "Properties"),
    "bad width": (GOOD.replace("pos:R:3", "pos:R:99999999"), "Properties"),
    "no species": (GOOD.replace("species", "kind"), "no species"),
    "bad pbc": (GOOD.replace("T T T", "T T"), "pbc"),
    "trailing text": (GOOD + "\nmore\n", "blank but text follows"),
    "blank first": ("\n" + GOOD, "blank"),
    "binary": ("\x00\x01\x02", "number of atoms is wanted"),
}

POSCAR_HEAD = "x\n1.0\n4 0 0\n0 4 0\n0 0 4\n"
POSCAR = {
    "short": ("x\n", "not a POSCAR"),
    "no species": (POSCAR_HEAD + "1 1\nDirect\n0 0 0\n.5 .5 .5\n", "names no elements"),
    "too many": (POSCAR_HEAD + "Na\n999999999999\nDirect\n0 0 0\n", "promises 999999999999 atoms"),
    "count word": (POSCAR_HEAD + "Na\nx\nDirect\n0 0 0\n", "one count"),
    "scale zero": (POSCAR_HEAD.replace("1.0", "0.0") + "Na\n1\nDirect\n0 0 0\n", "scale"),
    "scale word": (POSCAR_HEAD.replace("1.0", "a") + "Na\n1\nDirect\n0 0 0\n", "line 2"),
    "cut": (POSCAR_HEAD + "Na\n3\nDirect\n0 0 0\n", "only 1 lines follow"),
    "mode": (POSCAR_HEAD + "Na\n1\nWhat\n0 0 0\n", "Direct or Cartesian"),
    "frozen": (POSCAR_HEAD + "Na\n1\nSelective\nDirect\n0 0 0 F F F\n", "selective dynamics"),
    "nan": (POSCAR_HEAD + "Na\n1\nDirect\nnan 0 0\n", "nan"),
    "singular": (POSCAR_HEAD.replace("0 0 4", "0 4 0") + "Na\n1\nDirect\n0 0 0\n", "singular"),
    "overlap": (POSCAR_HEAD + "Na\n2\nDirect\n0 0 0\n0.99 0 0\n", "0.040 A apart"),
    "unknown": (POSCAR_HEAD + "Qq\n1\nDirect\n0 0 0\n", "unknown element"),
}

CIF_HEAD = """data_x
_symmetry_space_group_name_H-M 'P 1'
_cell_length_a 4
_cell_length_b 4
_cell_length_c 4
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
"""
ROW = "Cl1 Cl .5 .5 .5 1\n"
CIF = {
    "text": ("hello\n", "not a CIF"),
    "binary": ("data_\x00", "not a CIF"),
    "no structure": ("data_x\n_cell_length_a 3\n", "cannot be read as a CIF"),
    "half occupied": (CIF_HEAD + "Na1 Na 0 0 0 0.5\n" + ROW, r"site 0 .* partially occupied"),
    "mixed": (CIF_HEAD + "Ni1 Ni 0 0 0 0.5\nMn1 Mn 0 0 0 0.5\n" + ROW, "partially occupied or mixed"),
    "twice": (CIF_HEAD + "Na1 Na 0 0 0 1\nNa2 Na 0 0 0 1\n" + ROW, "Occupancy 2.0|occup"),
    "empty site": (CIF_HEAD + "Na1 Na 0 0 0 0\n" + ROW, "partially occupied|contradicts"),
    "deuterium": (CIF_HEAD + "D1 D 0 0 0 1\n" + ROW, "isotope"),
    "unknown": (CIF_HEAD + "Qq1 Qq 0 0 0 1\n" + ROW, "unknown element"),
    "no symbol": (CIF_HEAD + "?1 ? 0 0 0 1\n" + ROW, "symbol"),
    "nan": (CIF_HEAD + "Na1 Na nan 0 0 1\n" + ROW, "nan|cannot be read"),
    "question mark": (CIF_HEAD + "Na1 Na ? 0 0 1\n" + ROW, "cannot be read"),
    "overlap": (CIF_HEAD + "Na1 Na 0 0 0 1\nNa2 Na 0 0 .01 1\n" + ROW, "0.040 A apart"),
    "zero cell": (CIF_HEAD.replace("_cell_length_c 4", "_cell_length_c 0") + ROW, "cannot be read|singular|thick"),
    "angles": (CIF_HEAD.replace("alpha 90", "alpha 180") + ROW, "cannot be read|singular|finite"),
    "no angle": (CIF_HEAD.replace("_cell_angle_gamma 90\n", "") + ROW, "cannot be read"),
    "two blocks": (CIF_HEAD + ROW + CIF_HEAD.replace("data_x", "data_y") + ROW, "2 structures"),
    "other formula": (CIF_HEAD.replace("loop_", "_chemical_formula_sum 'Na1 Cl1'\nloop_") + ROW, "contradicts"),
    "no symmetry": (CIF_HEAD.replace("_symmetry_space_group_name_H-M 'P 1'\n", "") + ROW, "states no symmetry"),
}

CASES = [
    pytest.param(ending, text, match, id=f"{ending} {name}")
    for ending, group in (("a.extxyz", XYZ), ("POSCAR", POSCAR), ("a.cif", CIF))
    for name, (text, match) in group.items()
]


@pytest.mark.parametrize(("ending", "text", "match"), CASES)
def test_malformed_text_is_refused_by_name(tmp_path, ending, text, match):
    path = tmp_path / ending
    path.write_text(text)
    start = time.perf_counter()
    with pytest.raises(InputError, match=match) as caught:
        io.read(path)
    assert ending in str(caught.value)
    assert "\n" not in str(caught.value)
    assert time.perf_counter() - start < 5  # none of these may allocate or loop over what the file promises


def test_the_good_versions_are_read(tmp_path):
    """The cases above fail for their fault, not for the frame around it."""
    for ending, text in (("a.xyz", GOOD), ("a.cif", CIF_HEAD + "Na1 Na 0 0 0 1\n" + ROW)):
        (tmp_path / ending).write_text(text)
        np.testing.assert_allclose(io.read(tmp_path / ending).positions, [[0, 0, 0], [2, 2, 2]], atol=1e-12)
    (tmp_path / "POSCAR").write_text(POSCAR_HEAD + "Na Cl\n1 1\nDirect\n0 0 0\n.5 .5 .5\n")
    np.testing.assert_allclose(io.read(tmp_path / "POSCAR").positions, [[0, 0, 0], [2, 2, 2]], atol=1e-12)


def test_paths_that_are_no_files(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        io.read(tmp_path / "none.cif")
    (tmp_path / "folder.cif").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        io.read(tmp_path / "folder.cif")
    os.mkfifo(tmp_path / "pipe.cif")
    with pytest.raises(InputError, match="pipe"):
        io.read(tmp_path / "pipe.cif")
    (tmp_path / "empty.cif").touch()
    with pytest.raises(InputError, match="empty"):
        io.read(tmp_path / "empty.cif")
    with pytest.raises(InputError, match="names no structure format"):
        io.read(tmp_path / "a.txt")
    with pytest.raises(InputError, match="no such file"):
        io.read("a\x00.cif")


def test_size_limit_is_held_before_reading(tmp_path):
    with open(tmp_path / "big.xyz", "wb") as stream:
        stream.truncate(201_000_000)
    with pytest.raises(InputError, match="201 MB; at most 200 MB"):
        io.read(tmp_path / "big.xyz")
    with pytest.raises(InputError, match="at most 0 MB"):
        regular_file(tmp_path / "big.xyz", maximum_bytes=10)


def test_close_pairs_match_brute_force():
    """Periodic neighbour search against all 27 images, in a tilted cell with atoms outside it."""
    rng = np.random.default_rng(1)
    cell = np.array([[3.0, 0, 0], [1.4, 2.6, 0], [0.9, -1.1, 4.0]])
    grid = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), -1).reshape(-1, 3)
    refused = 0
    for _ in range(60):
        fractional = rng.random((6, 3))
        delta = fractional[:, None] - fractional[None]
        delta -= np.round(delta)
        lengths = np.linalg.norm((delta[:, :, None] + grid) @ cell, axis=-1).min(axis=2)
        nearest = lengths[np.triu_indices(6, 1)].min()
        structure = Structure(np.full(6, 8), (fractional + rng.integers(-3, 4, (6, 3))) @ cell, cell)
        if nearest < 0.5:
            refused += 1
            with pytest.raises(InputError, match=f"are {nearest:.3f} A apart"):
                io.check_distances(structure)
        else:
            io.check_distances(structure)
    assert 5 < refused < 55
