"""Labels: files that lose nothing, duplicates, the extended XYZ that users bring, shards that are kept."""

import numpy as np
import pytest

from simkit import potential
from simkit.errors import CorruptFileError, InputError
from simkit.potential.base import Evaluation
from simkit.structure import Structure
from simkit.workflows.distill import dataset, labelling


def labels(count=3):
    generator = np.random.default_rng(1)
    found = []
    for index in range(count):
        structure = Structure([11, 25, 8, 8], generator.normal(size=(4, 3)) * 0.1 + np.eye(4, 3) * 2.5, np.eye(3) * 6)
        stress = generator.normal(size=(3, 3))
        answer = Evaluation(-20.0 - index, generator.normal(size=(4, 3)), (stress + stress.T) / 200)
        found.append(dataset.labelled(structure, answer, "P2", "rattled"))
    return found


def test_files_of_labels_are_exact(tmp_path):
    given = labels()
    dataset.write_labels(tmp_path / "a.npz", given, "key")
    back = dataset.read_labels(tmp_path / "a.npz", "key")
    assert dataset.checksum(back) == dataset.checksum(given)
    assert [item.group for item in back] == ["P2"] * 3 and back[0].sodium == 1.0
    with pytest.raises(CorruptFileError):
        dataset.read_labels(tmp_path / "a.npz", "another key")


def test_the_checksum_sees_every_number():
    given = labels()
    one = given[1]
    changed = dataset.Labelled(one.structure, one.energy_eV + 1e-9, one.forces, one.stress, "P2", "rattled", 1.0)
    assert dataset.checksum([given[0], changed, given[2]]) != dataset.checksum(given)


def test_duplicates_are_found_under_lattice_translations_and_renumbering():
    first, second, _ = labels()
    order = [2, 0, 3, 1]
    twin = first.structure.take(order)
    twin = twin.moved_to(twin.positions + twin.cell[0] - 2 * twin.cell[2])
    copy = dataset.Labelled(twin, first.energy_eV, first.forces[order], first.stress, "P2", "rattled", 1.0)
    assert dataset.deduplicated([first, copy, second]) == [first, second]


def test_extended_xyz_comes_back(tmp_path):
    given = labels()
    dataset.write_extxyz(tmp_path / "a.extxyz", given)
    back = dataset.read_extxyz(tmp_path / "a.extxyz")
    assert dataset.checksum(back) == dataset.checksum(given) and back[2].origin == "rattled"


def test_ase_files_of_a_user_are_read(tmp_path):
    io, calculator = pytest.importorskip("ase.io"), pytest.importorskip("ase.calculators.singlepoint")
    ase = pytest.importorskip("ase")
    given = labels(1)[0]
    s = given.structure
    atoms = ase.Atoms(numbers=s.numbers, positions=s.positions, cell=s.cell, pbc=True)
    voigt = given.stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    atoms.calc = calculator.SinglePointCalculator(atoms, energy=given.energy_eV, forces=given.forces, stress=voigt)
    io.write(tmp_path / "dft.extxyz", atoms)
    (back,) = dataset.read_extxyz(tmp_path / "dft.extxyz")
    assert back.energy_eV == pytest.approx(given.energy_eV, abs=1e-7)
    # ASE writes eight decimals
    assert np.allclose(back.forces, given.forces, atol=1e-8) and np.allclose(back.stress, given.stress, atol=1e-8)


def test_files_without_energies_or_forces_are_refused(tmp_path):
    path = tmp_path / "bare.extxyz"
    head = 'Lattice="6 0 0 0 6 0 0 0 6" Properties=species:S:1:pos:R:3'
    path.write_text(f"1\n{head}\nNa 0 0 0\n")
    with pytest.raises(InputError, match=r"frame 0 has no energy"):
        dataset.read_extxyz(path)
    path.write_text(f"1\n{head} energy=-1.0\nNa 0 0 0\n")
    with pytest.raises(InputError, match=r"frame 0 has no forces"):
        dataset.read_extxyz(path)
    path.write_text(f'1\n{head}:forces:R:3 energy=-1.0 stress="1 2"\nNa 0 0 0 0 0 0\n')
    with pytest.raises(InputError, match="2 numbers"):
        dataset.read_extxyz(path)


def test_a_missing_stress_stays_missing(tmp_path):
    path = tmp_path / "no_stress.extxyz"
    path.write_text(
        '1\nLattice="6 0 0 0 6 0 0 0 6" Properties=species:S:1:pos:R:3:forces:R:3 energy=-1\nNa 0 0 0 0 0 0\n'
    )
    assert dataset.read_extxyz(path)[0].stress is None


def test_finished_shards_are_read_and_stale_ones_made_anew(tmp_path):
    made = []

    def make():
        made.append(1)
        return labels()

    path = tmp_path / "round" / "shard.npz"
    told = []
    keep = labelling.Keep(path, "a", (dataset.Labelled,))
    first, anew = labelling.kept(keep, make, told.append)
    again, twice = labelling.kept(keep, make, told.append)
    assert (anew, twice, len(made)) == (True, False, 1) and dataset.checksum(first) == dataset.checksum(again)
    assert not told
    for key in ("b", "c"):
        labelling.kept(labelling.Keep(path, key, (dataset.Labelled,)), make, told.append)
    assert len(made) == 3 and "belongs to other work" in told[0]
    for number, key in ((1, "a"), (2, "b")):  # neither overwrites the other
        dataset.read_labels(path.with_name(f"shard.npz.stale-{number}"), key)


def test_structures_with_wild_forces_are_left_out():
    given = labels()
    wild = dataset.Labelled(given[0].structure, 0.0, given[0].forces * 100, None, "P2", "rattled", 1.0)
    assert labelling.within_limit([*given, wild], 15.0) == given


def test_groups_hold_all_structures_once_and_few_atoms():
    structures = [item.structure for item in labels(9)]
    groups = labelling.by_atoms(structures, 12)
    assert [i for group in groups for i in group] == list(range(9)) and max(map(len, groups)) == 3
    assert labelling.by_atoms(structures, 2) == [[i] for i in range(9)]


@pytest.mark.slow
def test_cells_are_relaxed_and_labelled_alike_each_time():
    from_teacher = labelling.Source(
        labelling.Sampling(metals={"Mn": 1.0}, families={"bulk": 1.0}, relax_steps=3, variants=2, largest=20),
        potential.load("chgnet+d3", device="cpu"),
        4,
    )
    bases = labelling.drawn(from_teacher, 0, 0, 2)
    first, again = (labelling.base_labels(from_teacher, bases, print) for _ in range(2))
    assert dataset.checksum(first) == dataset.checksum(again)
    assert {"built", "relaxed"} < {item.origin for item in first}
    built = [item.energy_eV for item in first if item.origin == "built"]
    relaxed = [item.energy_eV for item in first if item.origin == "relaxed"]
    assert len(built) == len(relaxed) == 2 and all(np.array(relaxed) <= np.array(built))
