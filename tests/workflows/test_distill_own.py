"""What users bring: files of labels with their faults, what is held out of them, structures to add, another zero."""

from dataclasses import replace

import numpy as np
import pytest

from simkit import build, io, potential
from simkit.build import Block
from simkit.errors import InputError
from simkit.potential.base import Evaluation
from simkit.structure import Structure
from simkit.workflows.distill import dataset, labelling, own
from simkit.workflows.distill.export import Origin, card
from simkit.workflows.distill.own import Given, own_labels
from simkit.workflows.distill.recipe import read_recipe
from simkit.workflows.distill.run import distill
from simkit.workflows.distill.sampling import Sampling
from simkit.workflows.scorecard import Answers

HEAD = 'Lattice="6 0 0 0 6 0 0 0 6" Properties=species:S:1:pos:R:3:forces:R:3'
NA, OX, CO, TI, MN = 11, 8, 27, 22, 25
FINE = read_recipe("fine-tune")


def label(numbers, energy=-1.0, seed=0, periodic=(True, True, True)):
    generator = np.random.default_rng(seed)
    apart = 1.5 * np.arange(len(numbers))[:, None] * np.array([1.0, 0.5, 0.3])
    positions = apart + 0.1 * generator.normal(size=(len(numbers), 3))
    structure = Structure(numbers, positions, np.eye(3) * 20, np.array(periodic))
    answer = Evaluation(energy, generator.normal(size=(len(numbers), 3)), np.eye(3))
    return dataset.labelled(structure, answer, "data", "data")


def written(folder, labels, name="a.extxyz"):
    dataset.write_extxyz(folder / name, labels)
    return folder / name


@pytest.mark.parametrize(
    ("comment", "words"),
    [
        ("energy=nan", "no energy.*finite"),
        ('energy="minus one"', "no energy"),
        ("energy=T", "no energy"),
        ('energy=-1 stress="nan 0 0 0 0 0"', r"stress of nan"),
        ('energy=-1 stress="-35 0 0 0 0 0"', r"stress of 35 eV/A\^3 \(stress\).*at most 3 .*1602 kbar"),
        ('energy=-1 virial="7000 0 0 0 0 0 0 0 0"', r"\(virial\)"),
    ],
)
def test_what_is_no_number_or_in_other_units_is_refused_by_frame(tmp_path, comment, words):
    good = f"1\n{HEAD} energy=-1\nNa 0 0 0 0 0 0\n"
    (tmp_path / "a.extxyz").write_text(f"{good}1\n{HEAD} {comment}\nNa 0 0 0 0 0 0\n")
    with pytest.raises(InputError, match=f"a.extxyz, frame 1 .*{words}"):
        dataset.read_extxyz(tmp_path / "a.extxyz")


def test_energies_in_quotes_and_free_energies_are_read(tmp_path):
    frames = [
        f"1\n{HEAD} {words}\nNa 0 0 0 0 0 0\n"
        for words in ('energy="-2.5"', "free_energy=-3", "energy=-4 free_energy=-5")
    ]
    (tmp_path / "a.extxyz").write_text("".join(frames))
    assert [item.energy_eV for item in dataset.read_extxyz(tmp_path / "a.extxyz")] == [-2.5, -3.0, -4.0]


def test_own_labels_keep_open_sides_and_read_virials(tmp_path):
    given = label([11, 8], periodic=(True, True, False))
    dataset.write_extxyz(tmp_path / "a.extxyz", [given])
    text = (tmp_path / "a.extxyz").read_text()
    (back,) = dataset.read_extxyz(tmp_path / "a.extxyz")
    assert back.structure.periodic.tolist() == [True, True, False]
    (tmp_path / "v.extxyz").write_text(text.replace("REF_stress", "virial"))
    (turned,) = dataset.read_extxyz(tmp_path / "v.extxyz")
    assert np.allclose(turned.stress, -back.stress / back.structure.volume, rtol=1e-12)


@pytest.mark.parametrize("alike", [False, True])
def test_whole_compositions_or_one_block_are_held_out(tmp_path, alike):
    many = [label([NA, OX, OX][: 2 + k % 2] + [MN] * (0 if alike else k // 4), seed=k) for k in range(20)]
    if alike:
        many = [label([NA, OX], seed=k) for k in range(20)]
    said = []
    found = own_labels([written(tmp_path, many)], 3, 1, said.append)
    assert 1 <= len(found.held_out) <= 3 and len(found.learnt) + len(found.held_out) == 20
    formulas = {item.structure.formula for item in found.learnt} & {item.structure.formula for item in found.held_out}
    assert ("last structures" in found.how) == bool(formulas) == alike
    assert f"held out are {len(found.held_out)} of 20" in said[-1]


@pytest.mark.parametrize("seed", range(5))
def test_every_element_is_learnt_and_no_single_atom_held_out(tmp_path, seed):
    """Compositions of few structures are drawn to be held out: dopants, and atoms that only set a constant."""
    many = [label([NA] * (1 + k % 2) + [OX] * (1 + k // 6), seed=k) for k in range(18)]
    many += [label([NA, CO, OX], seed=30), label([NA, CO, OX], seed=31), label([TI], seed=40)]
    found = own_labels([written(tmp_path, many)], 60, seed, lambda words: None)
    learnt = {int(z) for item in found.learnt for z in item.structure.numbers}
    assert learnt == {NA, OX, CO, TI} and all(len(item.structure) > 1 for item in found.held_out)
    assert found.held_out


def test_siblings_in_larger_cells_are_not_learnt_and_one_odd_cell_is_not_all_that_judges(tmp_path):
    small = [label([NA, MN, OX, OX], seed=k) for k in range(4)]
    large = [label([NA, MN, OX, OX] * 2, seed=k) for k in range(4, 8)]
    other = [label([NA, NA, MN, OX, OX], seed=k) for k in range(8, 60)]
    found = own_labels([written(tmp_path, small + large + other)], 60, 1, lambda words: None)
    assert sorted(len(item.structure) for item in found.held_out) == [4] * 4 + [8] * 4
    odd = [label([NA, OX], seed=k) for k in range(50)] + [label([NA, OX, OX], seed=60)]
    found = own_labels([written(tmp_path, odd)], 60, 1, lambda words: None)
    assert len(found.held_out) == 10 and "last structures" in found.how


def test_files_of_which_nothing_can_be_held_out_are_refused(tmp_path):
    with pytest.raises(InputError, match="4 different structures; at least 5"):
        own_labels([written(tmp_path, [label([NA, OX], seed=k) for k in range(4)])], 3, 1, print)
    alone = [label([NA, z], seed=z) for z in (3, 8, 9, 12, 17)]
    with pytest.raises(InputError, match=r"nothing in .* can be held out"):
        own_labels([written(tmp_path, alone)], 3, 1, print)


def test_small_displacements_are_structures_and_copies_are_not(tmp_path):
    """Finite displacements of 0.0005 A in 20 A: 2.5e-5 of the cell."""
    first = label([NA, OX, OX])
    moved = [
        dataset.labelled(first.structure.moved_to(first.structure.positions + 5e-4 * k), answer(first), "a", "b")
        for k in range(6)
    ]
    said = []
    assert len(own.different([written(tmp_path, moved), written(tmp_path, moved[:2], "b.extxyz")], said.append)) == 6
    assert said == ["2 structures that are there twice are left out"]
    other = dataset.labelled(first.structure, answer(first, -5.0), "a", "b")
    with pytest.raises(InputError, match=r"b.extxyz, frame 0 is the structure of .*a.extxyz, frame 0 .* 1.33 eV/atom"):
        own.different([written(tmp_path, moved), written(tmp_path, [other], "b.extxyz")], print)


def answer(given, energy=None):
    return Evaluation(given.energy_eV if energy is None else energy, given.forces, given.stress)


@pytest.mark.parametrize("change", ["numbers", "positions", "cell", "periodic", "forces", "stress", "energy"])
def test_the_checksum_sees_every_field(change):
    plain = label([NA, OX])
    s, said = plain.structure, [plain.energy_eV, plain.forces, plain.stress]
    parts = {"numbers": s.numbers, "positions": s.positions, "cell": s.cell, "periodic": s.periodic}
    if change in parts:
        parts[change] = (
            np.array([NA, 9]) if change == "numbers" else ~s.periodic if change == "periodic" else parts[change] + 1e-9
        )
    else:
        said = [x + 1e-9 * (name == change) for name, x in zip(("energy", "forces", "stress"), said, strict=True)]
    other = dataset.labelled(Structure(*parts.values()), Evaluation(*said), "data", "data")
    assert dataset.checksum([other]) != dataset.checksum([plain])
    same_place = dataset.fingerprint(other.structure) == dataset.fingerprint(plain.structure)
    assert same_place == (change not in ("numbers", "periodic"))


def test_data_and_added_structures_exclude_each_other(tmp_path):
    with pytest.raises(InputError, match="give all files to --data"):
        distill(FINE, tmp_path / "run", Given(tmp_path / "a", None, (tmp_path / "b",)), print)
    assert not (tmp_path / "run").exists()


class Teacher(potential.Potential):
    """A Morse crystal without a hash, whose energies are a factor too large, and which counts what it is asked."""

    def __init__(self, factor=1.0):
        self._inner = potential.load("morse")
        self.card = replace(self._inner.card, sha256="")
        self.asked, self._factor = 0, factor

    def _compute(self, batch, virials):
        self.asked += len(batch)
        answer = self._inner.evaluate_batch(batch, virials)
        return replace(answer, energy=answer.energy * self._factor)


def test_added_structures_are_labelled_once_by_the_teacher(tmp_path):
    """Energies in the files do not count; wild structures and elements that are not in the recipe do not come in."""
    sampling = Sampling(metals={"Mn": 1.0}, families={"bulk": 1.0}, force_limit_eV_per_A=400.0)
    bare = build.bulk(Block("O3", 3, metals={"Mn": 1.0})).structure
    shaken = bare.moved_to(bare.positions + np.random.default_rng(0).normal(0, 0.05, bare.positions.shape))
    io.write(tmp_path / "bare.extxyz", [bare, shaken, bare])
    near = Structure([NA, MN], np.array([[0.0, 0, 0], [0.6, 0, 0]]), np.eye(3) * 20)
    wild = dataset.labelled(near, Evaluation(0.0, np.zeros((2, 3)), np.eye(3)), "a", "b")
    files = [tmp_path / "bare.extxyz", written(tmp_path, [label([NA, MN, OX, OX], -7.0), wild], "known.extxyz")]
    right = [a.energy for a in potential.load("morse").evaluate([bare, shaken, label([NA, MN, OX, OX]).structure])]
    said = []
    for teacher in (Teacher(), Teacher(), Teacher(2.0)):
        found = own.added_labels(files, labelling.Source(sampling, teacher, 1), tmp_path, said.append)
        assert [x.energy_eV for x in found] == pytest.approx([e * teacher._factor for e in right], rel=1e-6)
    source = labelling.Source(sampling, Teacher(), 1)
    assert "added: 3 labels of 5 structures; 1 are there twice, 1 have a force above 400" in said[-1]
    again = Teacher(2.0)
    own.added_labels(files, labelling.Source(sampling, again, 1), tmp_path, said.append)
    assert again.asked == 1  # the cell by which it is known
    with pytest.raises(InputError, match=r"other.extxyz, frame 0 holds Co, which \[sampling\] of the recipe lacks"):
        own.added_labels([written(tmp_path, [label([NA, CO])], "other.extxyz")], source, tmp_path, print)


def test_a_start_is_moved_to_the_zero_of_the_labels(tmp_path):
    """Labels of the model itself with other constants: found again, and elements in no label take the mean."""
    model = potential.load("simkit:nalox", device="cpu")
    metals = ({"Mn": 1.0}, {"Ni": 0.5, "Mn": 0.5}, {"Mn": 1.0}, {"Ni": 1.0})
    cells = [
        build.bulk(Block(p, n, metals=m)).structure
        for p, n, m in zip(("O3", "P2", "P2", "O3"), (3, 2, 2, 3), metals, strict=True)
    ]
    cells += [c.take([k for k, z in enumerate(c.numbers) if z != NA]) for c in cells[:2]]
    cells.append(cells[1].take(range(1, len(cells[1]))))  # with two O to each metal their constants are one
    zero = {NA: 1.5, OX: -432.25, MN: -3000.0, 28: 20.0}
    said = model.evaluate(cells)
    labels = [
        dataset.labelled(c, Evaluation(a.energy + sum(zero[int(z)] for z in c.numbers), a.forces, a.stress), "a", "b")
        for c, a in zip(cells, said, strict=True)
    ]
    told = []
    path = own.on_the_zero_of(labels, "nalox", tmp_path, told.append)
    moved = potential.load(f"simkit:{path}", device="cpu")
    for item, answer_ in zip(labels, moved.evaluate(cells), strict=True):
        # constants of 3000 eV in single precision: 2e-4 eV
        assert answer_.energy == pytest.approx(item.energy_eV, abs=5e-4 * len(item.structure))
        np.testing.assert_allclose(answer_.forces, item.forces, atol=1e-5)
    before, after = own.stored_baseline(own.starting_model("nalox")), own.stored_baseline(path)
    moves = {z: after.energies_eV[z] - e for z, e in before.energies_eV.items()}
    assert {z: moves[z] for z in zero} == pytest.approx(zero, abs=1e-3)
    assert moves[CO] == pytest.approx(np.mean(list(zero.values())), abs=1e-3)
    assert "Mn -3000.000" in told[-1]
    assert own.on_the_zero_of(labels, "nalox", tmp_path, told.append) == path
    with pytest.raises(InputError, match="Cl"):
        own.on_the_zero_of([label([NA, 17])], "nalox", tmp_path / "b", print)


def test_elements_that_a_card_leaves_out_are_refused(tmp_path):
    model = potential.load("simkit:nalox", device="cpu")
    path = potential.save_safe(model, tmp_path / "few", replace(model.card, elements=("Na", "Mn", "O")))
    few = potential.load(f"simkit:{path}", device="cpu")
    assert set(few.card.elements) == {"Na", "Mn", "O"}
    with pytest.raises(InputError, match="does not know Co"):
        few.evaluate([build.bulk(Block("O3", 3, metals={"Co": 1.0})).structure])


def test_a_model_knows_the_elements_of_its_labels_and_of_its_start():
    labels, begun = [label([NA, OX])], potential.load("simkit:nalox", device="cpu").card
    assert Origin("t", None).knows(labels) == {"Na", "O"}
    origin = Origin("t", None, begun=begun, added={"a.xyz": "0"})
    assert origin.knows(labels) == set(begun.elements) and origin.seen(labels) == {"Na", "O"}
    limits = card(FINE, "x", begun, Answers({}, {"all": "none"}), origin, labels).limits
    assert any("Energies of cells with Co, Cu, Fe, Li, Mg, Mn, Ni, Ti, Zn are on no common zero" in x for x in limits)
    assert any("structures of a.xyz" in words for words in limits)
    assert limits[1].startswith("Tuned on")
    anew = card(FINE, "x", begun, Answers({}, {"all": "none"}), Origin("t", None), labels)
    assert anew.limits[1].startswith("Learnt on the structures of")


@pytest.mark.slow
def test_tuning_on_another_method_makes_the_model_better_there(tmp_path):
    """Labels of CHGNet without dispersion, on another zero: energies become better, forces stay as they are.

    What nalox has wrong in forces is what CHGNet does within a tenth of an Angstrom, of which 187 labels teach nothing.
    """
    teacher = potential.load("chgnet", device="cpu")
    sampling = Sampling(
        metals={"Mn": 3.0, "Ni": 1.0}, families={"bulk": 1.0}, bases=60, largest=16, relax_steps=4, variants=2
    )
    origin = labelling.Source(sampling, teacher, 5)
    labels = labelling.base_labels(origin, labelling.drawn(origin, 0, 0, 60), lambda words: None)
    file = written(tmp_path, labels)
    recipe = FINE.model_copy(update={"training": FINE.training.model_copy(update={"epochs": 10})})
    said = []
    made = distill(recipe, tmp_path / "run", Given(file, "nalox"), said.append)
    start = potential.load(f"simkit:{tmp_path / 'run' / 'begun' / 'start.json'}", device="cpu")
    tuned = potential.load(f"simkit:{made.models[0]}", device="cpu")
    (force, energy), (tuned_force, tuned_energy) = (errors(model, made.held_out) for model in (start, tuned))
    assert tuned_energy < 0.8 * energy and tuned_force < 1.05 * force


def errors(model, labels):
    """Root mean squares over held-out labels of forces (eV/A) and energies (eV/atom)."""
    said = model.evaluate([item.structure for item in labels])
    force = np.concatenate([(a.forces - x.forces).ravel() for a, x in zip(said, labels, strict=True)])
    energy = [(a.energy - x.energy_eV) / len(x.structure) for a, x in zip(said, labels, strict=True)]
    return np.sqrt(np.mean(force**2)), np.sqrt(np.mean(np.square(energy)))
