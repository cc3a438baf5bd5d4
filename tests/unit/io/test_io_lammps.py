"""LAMMPS data files: what is written comes back, through simkit and through ASE, with elements and masses right."""

import numpy as np
import pytest
from ase.data import atomic_masses
from ase.io import read as ase_read

from simkit import build, io
from simkit.errors import InputError
from simkit.structure import Structure

DIGITS = 1e-12
"""Coordinates are written with 17 digits; turning the cell costs a few rounding errors of a 100 A vector."""


@pytest.fixture(scope="module")
def cell():
    block = build.Block("P2", 2, metals={"Ni": 0.25, "Co": 0.25, "Mn": 0.5}, content=0.5)
    return build.bulk(block, repeats=[[2, 1], [1, 2]], seed=1).structure


def gram(structure):
    """Scalar products of the cell vectors and fractional coordinates: the same in any orientation."""
    return structure.cell @ structure.cell.T, structure.fractional


def test_a_turned_cell_comes_back_with_its_atoms_in_order(cell, tmp_path):
    back = io.read(io.write(tmp_path / "cell.lammps-data", cell, {"recipe": "x", "seed": 3}))
    assert back.symbols == cell.symbols
    for mine, theirs in zip(gram(cell), gram(back), strict=True):
        np.testing.assert_allclose(theirs, mine, atol=1000 * DIGITS)  # squared lengths of order 1000 A^2
    assert abs(back.cell[0, 1]) + abs(back.cell[0, 2]) + abs(back.cell[1, 2]) < DIGITS


def test_ase_reads_elements_and_masses(cell, tmp_path):
    atoms = ase_read(io.write(tmp_path / "cell.lammps-data", cell), format="lammps-data")
    assert list(atoms.symbols) == cell.symbols
    np.testing.assert_allclose(atoms.get_masses(), atomic_masses[cell.numbers], rtol=1e-9)  # units "metal": g/mol
    assert list(atoms.arrays["type"]) == [1 + sorted(set(cell.symbols)).index(s) for s in cell.symbols]


def test_comments_carry_types_and_all_provenance_within_the_line_length_of_lammps(cell, tmp_path):
    facts = {"recipe": "p2", "strains": ", ".join(f"region {k} +1.00 %" for k in range(40)), "simkit": "0.1.0"}
    path = io.write(tmp_path / "cell.lammps-data", cell, facts)
    lines = path.read_text().splitlines()
    comments = [line for line in lines if line.startswith("#")]
    assert comments == lines[: len(comments)]
    assert comments[0].startswith("# types Co Mn Na Ni O; cell; recipe p2;")
    assert max(map(len, lines)) < 256
    assert " ".join(line[2:] for line in comments).endswith(f"strains {facts['strains']}; simkit 0.1.0")
    assert io.read(path).symbols == cell.symbols
    assert list(ase_read(path, format="lammps-data").symbols) == cell.symbols


def test_names_in_masses_count_more_than_masses(cell, tmp_path):
    path = io.write(tmp_path / "cell.lammps-data", cell)
    path.write_text(path.read_text().replace("58.69", "99.99"))
    assert io.read(path).symbols == cell.symbols


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda text: "nothing\n", "no LAMMPS data file"),
        (lambda text: text.replace(" # Na", " # Qq"), "Qq"),
        (lambda text: "\n".join(text.splitlines()[:-2]), "cannot be read"),
    ],
)
def test_broken_files_are_refused(change, word, cell, tmp_path):
    path = io.write(tmp_path / "cell.lammps-data", cell)
    path.write_text(change(path.read_text()))
    with pytest.raises(InputError, match=word):
        io.read(path)


def test_a_slab_in_vacuum_says_which_boundaries_to_use(cell, tmp_path):
    open_cell = Structure(cell.numbers, cell.positions, cell.cell, [True, True, False])
    path = io.write(tmp_path / "cell.lammps-data", open_cell)
    assert "use boundary p p f, not periodic along c: the box holds vacuum there" in path.read_text()
    assert io.read(path).symbols == cell.symbols
    assert "boundary" not in io.write(tmp_path / "cell.lammps-data", cell).read_text()


@pytest.mark.parametrize("name", ["POSCAR", "cell.cif"])
def test_formats_that_repeat_in_all_directions_say_that_the_box_holds_vacuum(name, cell, tmp_path):
    particle = Structure(cell.numbers, cell.positions, cell.cell, [False, False, False])
    path = io.write(tmp_path / name, particle)
    assert "not periodic along a, b, c: the box holds vacuum there" in path.read_text()
    assert sorted(io.read(path).symbols) == sorted(cell.symbols)
    assert "periodic" not in io.write(tmp_path / name, cell).read_text()


@pytest.mark.parametrize("name", ["cell.cif", "POSCAR", "cell.lammps-data", "cell.extxyz"])
def test_metadata_does_not_disturb_reading(name, cell, tmp_path):
    facts = {"recipe": "p2-o3", "seed": 0, "strains": "P2 +1.82 %, O3 -1.49 %", "simkit": "0.1.0"}
    path = io.write(tmp_path / name, cell, facts)
    assert "P2 +1.82 %, O3 -1.49 %" in path.read_text()
    assert sorted(io.read(path).symbols) == sorted(cell.symbols)  # a CIF is sorted by element when read
    atoms = ase_read(path, format="lammps-data" if "lammps" in name else None)
    assert list(atoms.symbols) == cell.symbols
