"""A whole distillation in small: labels of a teacher, rounds, a model that loads; and one from a user's own labels."""

import json
from dataclasses import replace

import numpy as np
import pytest

from simkit import io, potential
from simkit.errors import InputError
from simkit.workflows.distill import active, dataset, labelling
from simkit.workflows.distill.active import Active
from simkit.workflows.distill.recipe import Polish, Recipe, read_recipe
from simkit.workflows.distill.run import Given, distill
from simkit.workflows.distill.sampling import Sampling, draw
from simkit.workflows.distill.training import Training

SAMPLING = Sampling(metals={"Mn": 1.0}, families={"bulk": 1.0}, bases=2, largest=16, relax_steps=2, variants=2)
EMPTY = SAMPLING.model_copy(update={"bases": 1, "phases": {"O2": 1.0}, "contents": (0.0,)})
ACTIVE = Active(cells=1, relax_steps=2, temperatures_K=(300.0,), steps=4, frames=2, hops=1, band_steps=1, variants=1)
TRAINING = Training(channels=4, lmax=1, correlation=1, radial_mlp=(8,), bessel=4, epochs=2, threads=1)
RECIPE = Recipe(name="tiny", seed=3, rounds=1, round_epochs=1, held_out=1, sampling=SAMPLING, active=ACTIVE,
                training=TRAINING, about="a model that knows next to nothing")  # fmt: skip


class Slip(potential.Potential):
    """A Morse crystal whose forces are wrong by a known factor for structures of an odd number of atoms."""

    def __init__(self, factor):
        self._inner = potential.load("morse")
        self.card = self._inner.card
        self._factor = factor

    def _compute(self, batch, virials):
        answer = self._inner.evaluate_batch(batch, virials)
        odd = np.bincount(batch.system_of)[batch.system_of] % 2
        forces = answer.forces * np.where(odd, self._factor, 1.0)[:, None]
        return potential.Evaluations(answer.energy, forces, answer.stress, answer.virials, answer.system_of)


def source(seed=1):
    return labelling.Source(SAMPLING.model_copy(update={"force_limit_eV_per_A": 1e6}), potential.load("morse"), seed)


def found(sizes, origin="md300"):
    generator = np.random.default_rng(0)
    base = draw(SAMPLING, (1, 0, 0)).structure
    return [
        active.Candidate(
            base.take(range(-n, 0)).moved_to(base.positions[-n:] + 0.05 * generator.normal(size=(n, 3))), "P2", origin
        )
        for n in sizes
    ]


def test_the_teacher_keeps_what_the_student_has_most_wrong():
    items = found([6, 7, 8, 5])
    labels, errors = active.judged(items, Slip(1.5), source(), ACTIVE.model_copy(update={"keep": 0.5}))
    assert sorted(len(label.structure) for label in labels) == [5, 7]
    assert errors == sorted(errors, reverse=True)
    for label, error in zip(labels, errors, strict=True):
        rms = np.sqrt(np.mean(np.sum(label.forces**2, axis=1)))
        assert error == pytest.approx(0.5 * rms, rel=1e-6)  # a factor of 1.5 is wrong by half


def test_hops_and_minima_are_kept_however_right_the_student_is():
    for origin in active.ALWAYS:
        labels, _ = active.judged(
            found([6, 7, 8], origin), Slip(1.5), source(), ACTIVE.model_copy(update={"keep": 0.1})
        )
        assert sorted(len(label.structure) for label in labels) == [6, 7, 8]


class Torn(Slip):
    """A committee that says how far apart it is: the number of atoms, and no number at all for five of them."""

    def _compute(self, batch, virials):
        answer = super()._compute(batch, virials)
        sizes = np.bincount(batch.system_of).astype(float)
        sizes[sizes == 5] = np.nan
        spread = potential.Spreads(np.zeros(len(sizes)), sizes[batch.system_of])
        return replace(answer, spread=spread)


def test_a_committee_applies_the_share_once_and_keeps_what_is_always_kept():
    items = [*found([6, 7, 8, 5]), *found([6], "hop")]
    labels, errors = active.judged(
        items, Torn(1.0), source(), ACTIVE.model_copy(update={"judge": "committee", "keep": 0.5})
    )
    assert sorted(len(label.structure) for label in labels) == [5, 6, 8]
    assert errors == [float("inf"), 8.0, 6.0] and labels[-1].origin == "hop"


def test_one_model_cannot_judge_as_a_committee():
    with pytest.raises(InputError, match="committee = 2 or more"):
        active.judged(found([6]), potential.load("morse"), source(), ACTIVE.model_copy(update={"judge": "committee"}))


def test_the_shipped_recipe_reads_and_unknown_keys_are_refused(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text('name = "x"\nseed = 1\n[sampling]\nmetals = { Mn = 1.0 }\n[training]\nepoch = 3\n')
    with pytest.raises(InputError, match="epochs"):
        read_recipe(path)
    path.write_text('name = "x"\nseed = 1\n[sampling]\nmetals = { Mn = 1.0 }\n')
    assert read_recipe(path, ["training.epochs=7"]).training.epochs == 7


@pytest.mark.slow
def test_a_distillation_runs_through_and_is_not_done_twice(tmp_path):
    said = []
    went = ACTIVE.model_copy(update={"hops": 0, "variants": 0, "temperatures_K": (450.0,), "keep": 1.0})
    wide = Polish(epochs=1, channels=6, bessel=5, huber_eV_per_A=0.3, force_scale_eV_per_A=1.0, active=went)
    recipe = Recipe(**{**dict(RECIPE), "polish": [Polish(epochs=1), Polish(epochs=1, more=EMPTY), wide]})
    extra = draw(SAMPLING.model_copy(update={"metals": {"Mn": 1.0}, "phases": {"OP4": 1.0}}), (9, 0, 0)).structure
    io.write(tmp_path / "doubtful.extxyz", extra)
    given = Given(added=(tmp_path / "doubtful.extxyz",))
    made = distill(recipe, tmp_path / "run", given, said.append)
    (path,) = made.models
    assert sum(label.origin == "added" for label in made.labels) == 1
    model = potential.load(f"simkit:{path}")
    assert model.card.teacher == "chgnet+d3" and set(model.card.elements) <= {"Na", "Mn", "O"}
    assert {"relaxed", "minimum", "md300"} <= {label.origin for label in made.labels}
    assert {label.origin for label in made.held_out} >= {"relaxed", "md300"}
    learnt = {dataset.fingerprint(label.structure) for label in made.labels}
    assert not learnt & {dataset.fingerprint(label.structure) for label in made.held_out}
    record = json.loads((tmp_path / "run" / "tiny.record.json").read_text())
    assert list(record["added"]) == [str(tmp_path / "doubtful.extxyz")] and record["origins"]["added"] == 1
    assert record["labels_sha256"] == dataset.checksum(made.labels) and record["members"][0]["seed"] == 3

    # the empty hosts of the second polish are learnt in it, not before it
    asked = [json.loads((tmp_path / "run" / "models" / name / "request.json").read_text())["labels"]
             for name in ("final-0", "polish-0", "polish-1-0", "polish-2-0")]  # fmt: skip
    assert asked[0] == asked[1] != asked[2] != asked[3] == record["labels_sha256"]
    assert any(label.group == "O2" and label.sodium == 0.0 for label in made.labels)
    assert sum(label.origin == "md450" for label in made.labels) == 2  # where the model of the second polish went
    arguments = json.loads(path.read_text())["arguments"]
    assert (arguments["hidden_irreps"], arguments["num_bessel"]) == ("6x0e", 5)

    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("*.npz")}
    again = distill(recipe, tmp_path / "run", given, said.append)
    assert dataset.checksum(again.labels) == dataset.checksum(made.labels)
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("*.npz")}
    assert potential.load(f"simkit:{again.models[0]}").card.sha256 == model.card.sha256


@pytest.mark.slow
def test_own_labels_train_a_model_and_tune_it(tmp_path):
    teacher = potential.load("chgnet+d3")
    origin = labelling.Source(SAMPLING.model_copy(update={"variants": 6}), teacher, 5)
    dataset.write_extxyz(
        tmp_path / "dft.extxyz", labelling.base_labels(origin, labelling.drawn(origin, 0, 0, 1), print)
    )
    said = []
    recipe = RECIPE.model_copy(update={"polish": (Polish(epochs=1, more=EMPTY, active=ACTIVE),)})
    first = distill(recipe, tmp_path / "run", Given(data=tmp_path / "dft.extxyz"), said.append)
    assert any("polish.more and polish.active are left out" in words for words in said)
    assert read_recipe(tmp_path / "run" / "recipe.toml").polish == (Polish(epochs=1),)
    assert len(first.held_out) == 1 and len(first.labels) >= 5
    tuned = distill(
        RECIPE.model_copy(update={"name": "tuned"}), tmp_path / "tuned",
        Given(data=tmp_path / "dft.extxyz", start=first.models[0]), lambda _: None,
    )  # fmt: skip
    energies = [potential.load(f"simkit:{m.models[0]}").evaluate([first.held_out[0].structure])[0].energy
                for m in (first, tuned)]  # fmt: skip
    assert energies[0] != energies[1] and np.isfinite(energies).all()
