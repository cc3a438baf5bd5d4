"""What a distillation refuses, records and keeps apart: recipes, words of the card, held-out cells."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from ase.calculators.lj import LennardJones

from simkit import potential
from simkit.config import checked
from simkit.errors import CorruptFileError, InputError
from simkit.potential import cards
from simkit.potential.base import Evaluation
from simkit.structure import Structure
from simkit.workflows.distill import baseline, dataset, heldout, labelling, stages
from simkit.workflows.distill.active import Active
from simkit.workflows.distill.export import error_sentence
from simkit.workflows.distill.own import Given
from simkit.workflows.distill.perturb import variants
from simkit.workflows.distill.recipe import Recipe, own_words, read_recipe
from simkit.workflows.distill.run import begun, distill, opened
from simkit.workflows.distill.sampling import Sampling, Stratum, draw
from simkit.workflows.distill.starting import check_widths
from simkit.workflows.distill.train import REQUEST, differences, request_of
from simkit.workflows.distill.training import Training
from simkit.workflows.scorecard import Answers

BULK = Sampling(metals={"Mn": 1.0}, families={"bulk": 1.0}, largest=16)


def label(numbers, energy=-1.0, seed=0, periodic=(True, True, True), stress=None):
    generator = np.random.default_rng(seed)
    apart = 1.5 * np.arange(len(numbers))[:, None] * np.array([1.0, 0.5, 0.3])
    positions = apart + 0.1 * generator.normal(size=(len(numbers), 3))
    structure = Structure(numbers, positions, np.eye(3) * 20, np.array(periodic))
    answer = Evaluation(energy, generator.normal(size=(len(numbers), 3)), np.eye(3) if stress is None else stress)
    return dataset.labelled(structure, answer, "data", "data")


def test_draws_belong_to_their_edition():
    digest = hashlib.sha256()
    for index in range(6):
        base = draw(Sampling(metals={"Mn": 2.0, "Ni": 1.0}, dopants={"Mg": 1.0}), (4, 0, index))
        copies = variants(base.structure, 3, base.stacked, np.random.default_rng([4, index]))
        for item in (base.structure, *(copy.structure for copy in copies)):
            digest.update(item.numbers.tobytes() + np.round(item.positions * 1e4).astype(np.int64).tobytes())
    assert {labelling.EDITION: digest.hexdigest()[:12]} == {4: "cb9ad341ba72"}, (
        "raise EDITION with every change of draws"
    )


def test_the_order_of_tables_and_zero_weights_draw_the_same_cells():
    one = Sampling(metals={"Mn": 2.0, "Ni": 1.0, "Fe": 0.0}, families={"bulk": 1.0, "tunnel": 1.0, "lateral": 0.0})
    other = Sampling(metals={"Ni": 1.0, "Mn": 2.0}, families={"tunnel": 1.0, "bulk": 1.0})
    for index in range(4):
        cells = [draw(sampling, (2, 0, index)).structure for sampling in (one, other)]
        assert dataset.fingerprint(cells[0]) == dataset.fingerprint(cells[1])
    assert one.elements == ("Mn", "Na", "Ni", "O")


def test_held_out_cells_differ_from_all_training_cells_of_a_recipe_of_one_metal():
    source = labelling.Source(BULK, potential.load("morse"), 3)
    taken = stages.training_cells(source, [(0, 16), (1, 2)], 0)
    plain = [draw(BULK, (3, heldout.HELD_OUT, 0, index)) for index in range(12)]
    assert taken & {dataset.fingerprint(base.structure) for base in plain}  # so small a recipe does repeat itself
    found = [dataset.fingerprint(base.structure) for base in heldout.held_out_cells(source, 6, taken)]
    assert len(set(found)) == len(found) >= 4 and not taken & set(found)


def test_calculators_without_a_hash_are_told_apart():
    facts = [
        stages.facts_of(labelling.Source(BULK, potential.from_ase(LennardJones(epsilon=depth)), 1)) for depth in (1, 2)
    ]
    assert facts[0] != facts[1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("active.judge=committee", "committee = 2"),
        ("polish.0.active.judge=committee", "committee = 2"),
        ("training.processes=3", "multiple"),
        ("active.temperatures_K=[0.0]", "greater than 0"),
        ("sampling.smallest=100", "above largest"),
        ("sampling.bases=0", "greater than or equal to 1"),
        ("sampling.metals={ Xe = 1.0 }", "Xe unknown"),
        ("sampling.families={ cake = 1.0 }", "cake unknown"),
        ("polish.7.more.metals={ Cr = 1.0 }", r"stage 7 has more cells with Cr, which \[sampling\] lacks"),
    ],
)
def test_recipes_that_contradict_themselves_are_refused(change, words):
    with pytest.raises(InputError, match=words):
        read_recipe("nalox", [change])


def test_one_polish_or_several(tmp_path):
    path = tmp_path / "recipe.toml"
    plain = 'name = "x"\nseed = 1\n'
    for text, epochs in (
        (plain, []),
        (plain + "[polish]\nepochs = 3\n", [3]),
        (plain + "[[polish]]\nepochs = 3\n[[polish]]\nepochs = 5\n", [3, 5]),
    ):
        path.write_text(text)
        recipe = read_recipe(path)
        assert [stage.epochs for stage in recipe.polish] == epochs
        assert Recipe(**recipe.model_dump(mode="json")) == recipe


def test_a_missing_recipe_names_the_shipped_ones():
    with pytest.raises(InputError, match="nalox") as refused:
        read_recipe("nowhere", ["name=x"])
    assert "simkit init" not in str(refused.value)


def test_words_of_a_shipped_recipe_stay_with_its_teacher():
    recipe, told = read_recipe("nalox"), []
    assert own_words(recipe, recipe.teacher, told.append) == recipe and not told
    bare = own_words(recipe, "", told.append)
    assert (bare.about, bare.licence) == ("", "") and len(told) == 2
    mine = recipe.model_copy(update={"about": "mine", "licence": "mine"})
    assert own_words(mine, "", told.append) == mine


def test_what_could_not_be_measured_and_what_was_lost_is_said():
    numbers = {"energy rmse_meV_per_atom": 1.0, "force rmse_meV_per_A": 2.0}
    answers = Answers({"all": numbers}, {"all": "3 of 9 structures left out"})
    words = error_sentence(answers, "t", heldout.Dropped(4, 1, 8, 2))
    assert "3 of 9 structures" in words and "1 of 4 runs broke down, 2 of 8 frames were lost" in words


def test_elements_without_labels_get_the_mean_constant():
    found = baseline.fit([label([11, 8]), label([11, 8, 8], -4.0, 1)], 5.0, ("Ti", "O")).energies_eV
    assert set(found) == {8, 11, 22} and found[22] == pytest.approx((found[8] + found[11]) / 2, rel=1e-12)


def test_a_restart_begins_at_its_own_rate_and_other_settings_are_named(tmp_path):
    training = Training()
    restarted = begun(training, Path("nalox"))
    assert begun(training, None) == training and restarted.learning_rate == 2e-3
    assert restarted.lmax == 2 and restarted.channels >= 96  # of the model that it goes on from
    asked = request_of([label([11, 8])], training, 1, None)
    (tmp_path / REQUEST).write_bytes(labelling.json.dumps(asked).encode())
    assert differences(tmp_path, asked) == []
    assert "epochs" in differences(tmp_path, request_of([label([11, 8])], Training(epochs=3), 1, None))[0]
    soft = request_of([label([11, 8])], Training(huber_eV_per_A=0.3, force_scale_eV_per_A=2.0), 1, None)
    assert len(differences(tmp_path, soft)) == 2
    for name in ("huber_eV_per_A", "force_scale_eV_per_A"):
        del asked["settings"][name]  # what a record does not name was as it is by default
    (tmp_path / REQUEST).write_bytes(labelling.json.dumps(asked).encode())
    assert differences(tmp_path, request_of([label([11, 8])], training, 1, None)) == []
    assert differences(tmp_path, soft)[0] == "huber_eV_per_A (0.01 there, 0.3 here)"
    assert labelling.set_aside(tmp_path / REQUEST).name == f"{REQUEST}.stale-1"


@pytest.mark.parametrize(
    ("widths", "words"),
    [
        ([{"channels": 65}], "polish 0 asks for 65 channels .* 32 to 64"),
        ([{"channels": 40}, {"channels": 33, "bessel": None}], "polish 1 asks for 33 channels .* 40 to 80"),
        ([{"bessel": 12}, {"bessel": 11}], "polish 1 asks for 32 channels and 11 radial functions"),
    ],
)
def test_widths_that_cannot_be_made_are_refused_before_anything_is_labelled(tmp_path, widths, words):
    with pytest.raises(InputError, match=words):
        check_widths(Training(), widths)
    recipe = Recipe(name="x", seed=1, sampling=BULK, polish=widths)
    with pytest.raises(InputError, match=words):
        distill(recipe, tmp_path / "run", Given(), lambda _: None, potential.load("morse"))
    assert not (tmp_path / "run" / "labels").exists()
    check_widths(Training(), [{"channels": 64}, {"channels": 128, "bessel": 8}, {}])


def test_folders_that_names_of_potentials_cannot_hold_are_refused_and_locks_seen(tmp_path):
    with pytest.raises(InputError, match="comma"):
        opened(tmp_path / "a,b")
    held = opened(tmp_path / "a")
    with pytest.raises(InputError, match="another process"):
        opened(tmp_path / "a")
    held.lock.close()


def test_cards_that_are_no_cards_are_corrupt():
    for text in ("{", "[1]"):
        with pytest.raises(CorruptFileError):
            cards._record(text, "x.json")
    with pytest.raises(CorruptFileError):
        cards.from_record(None, "x.json")
    with pytest.raises(CorruptFileError, match="teacher that are no text"):
        cards.from_record({"name": "a", "kind": "mace", "summary": "b", "teacher": 3}, "x.json")


def test_held_out_dynamics_is_keyed_on_what_it_uses():
    assert set(heldout.USED) < set(Active().model_dump()) and "keep" not in heldout.USED


@pytest.mark.parametrize("count", [11, 12])
def test_every_kind_of_held_out_cell_meets_every_temperature(count):
    """The temperature of a cell goes by its place in the list, and kinds of cells come in turns."""
    kinds = [Stratum("bulk", str(k)) for k in range(count)]
    met = {}
    for place, kind in enumerate(heldout.turns(kinds)):
        met.setdefault(kind, set()).add(place % 3)
    assert list(met) == kinds and all(places == {0, 1, 2} for places in met.values())


def test_elements_of_a_model_are_elements():
    with pytest.raises(InputError, match=r"Xx is no element.*Na"):
        checked(Training, {"elements": ["Na", "Xx"]})
