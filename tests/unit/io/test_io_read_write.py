"""Structures survive every format they are written in, and foreign programs agree with what we write."""

from __future__ import annotations

import gzip
import json
import os
import stat
from pathlib import Path

import ase.build
import ase.io
import numpy as np
import pytest
import spglib
from ase import Atoms
from ase.constraints import FixAtoms
from ase.spacegroup import crystal
from pymatgen.core import Lattice
from pymatgen.core import Structure as PymatgenStructure

from simkit import io
from simkit.errors import InputError
from simkit.io.atomic import write_atomic
from simkit.io.frames import Frame, frame_text, read_frames
from simkit.structure import Structure

SHARED = Path(__file__).resolve().parents[4] / "shared" / "structures"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"the sibling folder {SHARED} is absent")


@pytest.fixture
def structure() -> Structure:
    rng = np.random.default_rng(3)
    cell = np.array([[5.1, 0, 0], [-2.4, 4.9, 0], [1.1, 0.7, 11.3]])
    fractional = np.stack(np.meshgrid([0, 0.5], [0, 0.5], [0, 0.25, 0.5, 0.75], indexing="ij"), -1).reshape(-1, 3)
    positions = fractional @ cell + rng.normal(0, 0.1, (16, 3))
    positions[3] += cell[0] - 2 * cell[2]
    return Structure(
        np.tile([11, 25, 8, 8], 4),
        positions,
        cell,
        layers=np.tile([-1, 0, 0, 1], 4),
        tags={
            "gallery": np.tile([0, -1, -1, -1], 4),
            "phase": np.tile(["P2", "", "O3", "O'3"], 4),
            "charge": rng.normal(size=16),
            "frozen": np.tile([True, False], 8),
        },
    )


def same(a: Structure, b: Structure) -> None:
    """Bit for bit."""
    for name in ("numbers", "positions", "cell", "periodic", "layers"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert set(a.tags) == set(b.tags)
    for name in a.tags:
        np.testing.assert_array_equal(a.tags[name], b.tags[name])


def test_extxyz_round_trip_is_exact(structure, tmp_path):
    forces = np.random.default_rng(0).normal(size=(16, 3))
    metadata = {"energy_eV": -1 / 3, "steps": 7, "status": 'it "said"\n\\stop', "converged": True, "model": "12"}
    io.write(tmp_path / "a.extxyz", structure, metadata, {"forces": forces})
    frame = read_frames(tmp_path / "a.extxyz")[0]
    same(frame.structure, structure)
    same(io.read(tmp_path / "a.extxyz"), structure)
    assert dict(frame.metadata) == metadata
    np.testing.assert_array_equal(frame.columns["forces"], forces)


def test_several_frames(structure, tmp_path):
    frames = [structure, structure.moved_to(structure.positions + 0.1), structure.take([0, 1])]
    io.write(tmp_path / "a.xyz", frames, [{"k": k} for k in range(3)])
    back = read_frames(tmp_path / "a.xyz")
    assert [frame.metadata["k"] for frame in back] == [0, 1, 2]
    for one, other in zip(back, frames, strict=True):
        same(one.structure, other)
    with pytest.raises(InputError, match="holds 3 frames"):
        io.read(tmp_path / "a.xyz")


@pytest.mark.parametrize("name", ["a.extxyz.gz", "a.XYZ.GZ"])
def test_packed_frames_are_those_of_the_file(structure, tmp_path, name, monkeypatch):
    text = frame_text(Frame(structure, {"k": 0})) + frame_text(Frame(structure.take([0, 1]), {"k": 1}))
    (tmp_path / name).write_bytes(gzip.compress(text.encode()))
    back = read_frames(tmp_path / name)
    assert [frame.metadata["k"] for frame in back] == [0, 1]
    same(back[0].structure, structure)
    same(back[1].structure, structure.take([0, 1]))
    monkeypatch.setattr("simkit.io.frames.MAXIMUM_BYTES", len(text) - 1)
    with pytest.raises(InputError, match="unpacks to more"):
        read_frames(tmp_path / name)


@pytest.mark.parametrize("damage", [lambda packed: packed[:-9], lambda packed: b"1\n" + packed, lambda _: b"plain"])
def test_damaged_packed_frames_are_refused(structure, tmp_path, damage):
    (tmp_path / "a.xyz.gz").write_bytes(damage(gzip.compress(frame_text(Frame(structure)).encode())))
    with pytest.raises(InputError, match="no whole gzip file"):
        read_frames(tmp_path / "a.xyz.gz")


def test_ase_reads_what_we_write_and_the_other_way(structure, tmp_path):
    plain = Structure(structure.numbers, structure.positions, structure.cell, layers=structure.layers)
    io.write(tmp_path / "ours.extxyz", plain, {"energy_eV": 1.5})
    theirs = ase.io.read(tmp_path / "ours.extxyz")
    np.testing.assert_array_equal(theirs.positions, plain.positions)
    np.testing.assert_array_equal(theirs.arrays["layers"], plain.layers)
    assert theirs.info["energy_eV"] == 1.5
    ase.io.write(tmp_path / "theirs.extxyz", io.to_ase(plain))
    back = io.read(tmp_path / "theirs.extxyz")
    np.testing.assert_allclose(back.positions, plain.positions, atol=1e-8)  # ASE writes eight decimals
    np.testing.assert_array_equal(back.layers, plain.layers)


@pytest.mark.parametrize("name", ["a.cif", "POSCAR", "b.vasp"])
def test_crystal_formats_keep_the_crystal_and_the_order(structure, tmp_path, name):
    io.write(tmp_path / name, structure)
    back = io.read(tmp_path / name)
    reference = ase.io.read(tmp_path / name)
    # twelve digits are written; pymatgen wraps and ASE does not, so distances are compared, modulo the lattice
    for other in (back, io.from_ase(Atoms(reference.numbers, reference.positions, cell=reference.cell, pbc=True))):
        np.testing.assert_array_equal(np.sort(other.numbers), np.sort(structure.numbers))
        ours, theirs = (io.to_ase(s).get_all_distances(mic=True) for s in (structure, other))
        np.testing.assert_allclose(np.sort(theirs.ravel()), np.sort(ours.ravel()), atol=1e-9)
    if name != "a.cif":
        np.testing.assert_array_equal(back.numbers, structure.numbers)
        np.testing.assert_allclose(back.positions, structure.positions, atol=1e-12)


def test_poscar_scales(tmp_path):
    head, body = "x\n{}\n3 0 0\n0 3 0\n0 0 3\nNa Cl\n1 1\n", "Cartesian\n0 0 0\n1.5 1.5 1.5\n"
    for scale, edge in (("2", 6), ("-216", 6), ("2 2 2", 6)):
        (tmp_path / "POSCAR").write_text(head.format(scale) + body)
        structure = io.read(tmp_path / "POSCAR")
        np.testing.assert_allclose(structure.cell, edge * np.eye(3), atol=1e-12)
        np.testing.assert_allclose(structure.fractional[1], 0.5, atol=1e-12)


def test_ase_and_pymatgen_round_trips(structure):
    same(io.from_ase(io.to_ase(structure)), structure)
    back = io.from_pymatgen(io.to_pymatgen(structure))
    np.testing.assert_allclose(back.positions, structure.positions, atol=1e-12)  # through fractional coordinates
    assert set(back.tags) == set(structure.tags)
    np.testing.assert_array_equal(back.layers, structure.layers)


def test_left_handed_cells_are_relabelled_not_mirrored():
    """Same positions, same lattice, two vectors exchanged: the crystal keeps its sense."""
    left = Atoms(
        "NaClO",
        positions=[[0, 0, 0], [1.9, 0.1, 0.2], [0.3, 2.0, 0.4]],
        cell=np.array([[5.0, 0, 0], [1.0, 6, 0], [0.7, 1.3, -7]]),
        pbc=True,
    )
    structure = io.from_ase(left)
    assert structure.volume > 0
    np.testing.assert_array_equal(structure.positions, left.positions)
    np.testing.assert_allclose(io.to_ase(structure).get_all_distances(mic=True), left.get_all_distances(mic=True))
    steps = np.linalg.solve(structure.cell.T, left.cell.array.T)  # both cells span one lattice: integer change of basis
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-12)


def test_as_structure_takes_everything(structure, tmp_path):
    io.write(tmp_path / "a.extxyz", structure)
    assert io.as_structure(structure) is structure
    for source in (
        io.to_ase(structure),
        io.to_pymatgen(structure),
        tmp_path / "a.extxyz",
        str(tmp_path / "a.extxyz"),
    ):
        assert len(io.as_structure(source)) == 16
    with pytest.raises(InputError, match="int is no structure"):
        io.as_structure(3)


def test_ase_refusals():
    crystal = ase.build.bulk("Cu", cubic=True)
    crystal.set_constraint(FixAtoms([0]))
    with pytest.raises(InputError, match="constraint"):
        io.from_ase(crystal)
    with pytest.raises(InputError, match="cell is singular: 0 of 3"):
        io.from_ase(Atoms("Cu"))
    with pytest.raises(InputError, match="holds no atoms"):
        io.from_ase(Atoms())


def test_pymatgen_refusals():
    lattice = Lattice.cubic(4)
    mixed = PymatgenStructure(lattice, [{"Na": 0.5}, "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    with pytest.raises(InputError, match=r"site 0 .* partially occupied"):
        io.from_pymatgen(mixed)
    with pytest.raises(InputError, match="isotope"):
        io.from_pymatgen(PymatgenStructure(lattice, ["D"], [[0, 0, 0]]))


@needs_shared
def test_every_shared_cif_reads_right(monkeypatch):
    """Composition, volume and space group as the table beside the files says; partial ones are refused by site."""
    table = {entry["name"]: entry for entry in json.loads((SHARED / "structures.json").read_text())}
    monkeypatch.setenv("SPGLIB_OLD_ERROR_HANDLING", "false")  # its default is a deprecation warning
    read, refused = 0, 0
    for path in sorted(SHARED.glob("*.cif")):
        if "partial" in path.name:
            with pytest.raises(InputError, match="partially occupied"):
                io.read(path)
            refused += 1
            continue
        structure, entry = io.read(path), table[path.stem]
        assert len(structure) == entry["natoms_conv"]
        assert structure.volume == pytest.approx(entry["volume"], rel=1e-5)  # the table gives three decimals
        found = spglib.get_symmetry_dataset((structure.cell, structure.fractional, structure.numbers), symprec=1e-3)
        assert found.number == entry["spacegroup"][1], path.name
        assert structure.cell[0, 1] == structure.cell[0, 2] == structure.cell[1, 2] == 0
        read += 1
    assert (read, refused) == (43, 4)


def test_a_failed_write_leaves_the_old_file_alone(structure, tmp_path, monkeypatch):
    path = io.write(tmp_path / "a.extxyz", structure)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        io.write(path, structure.take([0]))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.extxyz"]


def test_write_refusals(structure, tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        write_atomic(tmp_path / "no" / "a", b"x")
    with pytest.raises(InputError, match="is a folder"):
        write_atomic(tmp_path, b"x")
    with pytest.raises(InputError, match="names no structure format"):
        io.write(tmp_path / "a.pdb", structure)
    with pytest.raises(InputError, match="holds one structure"):
        io.write(tmp_path / "a.cif", [structure, structure])
    with pytest.raises(InputError, match="blank"):
        io.write(tmp_path / "a.xyz", structure.with_tags(phase=np.full(16, "P 2")))
    with pytest.raises(InputError, match="cannot be named"):
        frame_text(Frame(structure.with_tags(pos=np.zeros(16))))
    assert list(tmp_path.iterdir()) == []


def test_written_files_are_ordinary_files(structure, tmp_path):
    assert stat.S_ISREG(io.write(tmp_path / "a.cif", structure).stat().st_mode)


def test_partly_occupied_sites_that_ase_filled_whole_are_refused():
    atoms = crystal(["Na", "Cl"], [(0, 0, 0), (0.5, 0.5, 0.5)], spacegroup=225, cellpar=[5.64] * 3 + [90] * 3)
    atoms.info["occupancy"] = {"0": {"Na": 0.5}, "1": {"Cl": 1.0}}
    with pytest.raises(InputError, match="partly occupied"):
        io.from_ase(atoms)
    atoms.info["occupancy"] = {"0": {"Na": 1.0}, "1": {"Cl": 1.0}}
    assert len(io.from_ase(atoms)) == 8
