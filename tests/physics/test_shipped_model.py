"""The shipped model: its files belong together, and it says of crystals what its teacher says."""

import hashlib
import json
from importlib import resources

import numpy as np
import pytest

from simkit import build, potential, solve
from simkit.build import Block
from simkit.errors import InputError
from simkit.workflows.distill.recipe import Recipe, read_recipe

FOLDER = resources.files("simkit.potentials")
NAME = "nalox"
MOST_BYTES = 5_000_000
NEEDED = {"Na", "O", "Mn", "Ni", "Fe", "Co", "Ti", "Mg", "Cu"}
PHASES = {"O3": 3, "P2": 2, "P3": 3, "O1": 1}


def record(ending):
    return json.loads(FOLDER.joinpath(f"{NAME}.{ending}").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def model():
    return potential.load("simkit:nalox", device="cpu")


@pytest.fixture(scope="module")
def teacher():
    return potential.load("chgnet+d3", device="cpu")


def test_it_is_small_and_knows_its_elements(model):
    weights = FOLDER.joinpath(f"{NAME}.safetensors").read_bytes()
    assert len(weights) <= MOST_BYTES
    assert model.card.name == NAME
    assert model.card.sha256 == hashlib.sha256(weights).hexdigest()
    assert set(model.card.elements) >= NEEDED
    assert model.card.licence and model.card.teacher == "chgnet+d3"


def test_recipe_record_and_scorecard_are_those_of_the_weights(model):
    made, judged = record("record.json"), record("scorecard.json")
    assert Recipe(**made["recipe"]) == read_recipe(NAME)  # what a record does not name was as it is by default
    assert made["labels_sha256"] != made["held_out_sha256"]
    assert len(made["labels_sha256"]) == 64
    assert judged["potential"]["sha256"] == model.card.sha256
    assert judged["teacher"]["sha256"] == potential.card_of("chgnet+d3").sha256
    assert {row["name"] for row in judged["rows"]} >= {"errors", "lattice", "stacking", "barriers", "dynamics", "speed"}


def test_its_card_says_the_errors_of_its_record(model):
    (member,) = record("record.json")["members"]
    energy, force = (
        member["held_out"][f"{name} rmse_{unit}"] for name, unit in (("energy", "meV_per_atom"), ("force", "meV_per_A"))
    )
    assert f"{energy:.1f} meV/atom, {force:.0f} meV/A" in model.card.limits[0]


def test_forces_on_shaken_phases_are_those_of_the_teacher(model, teacher):
    """Within half as much again as the held-out error of its record; a broken model is off by the forces themselves.

    These are small forces in cells as built: 7 % off, where held-out forces are 8 % off.
    """
    (member,) = record("record.json")["members"]
    random = np.random.default_rng(5)
    cells = [
        build.bulk(Block(phase, gaps, metals={"Ni": 0.5, "Mn": 0.5}), (2, 1)).structure
        for phase, gaps in PHASES.items()
    ]
    shaken = [cell.moved_to(cell.positions + random.normal(0, 0.05, cell.positions.shape)) for cell in cells]
    mine, right = model.evaluate(shaken), teacher.evaluate(shaken)
    difference = np.concatenate([a.forces - b.forces for a, b in zip(mine, right, strict=True)])
    forces = np.concatenate([b.forces for b in right])
    assert np.sqrt(np.mean(difference**2)) < 1.5e-3 * member["held_out"]["force rmse_meV_per_A"]
    assert np.sqrt(np.mean(difference**2)) < 0.1 * np.sqrt(np.mean(forces**2))


def test_relaxed_lattices_of_o3_and_p2_are_those_of_the_teacher(model, teacher):
    """Within 1 %: the scorecard has each phase; here the way there is walked again on two small cells."""
    cells = [build.bulk(Block(phase, PHASES[phase], metals={"Co": 1.0}), (1, 1)).structure for phase in ("O3", "P2")]
    mine, right = (solve.relax(cells, p, cell="free", fmax_eV_per_A=0.02) for p in (model, teacher))
    for a, b in zip(mine, right, strict=True):
        assert a.converged and b.converged
        lengths = [np.linalg.norm(o.structure.cell, axis=1) for o in (a, b)]
        np.testing.assert_allclose(lengths[0], lengths[1], rtol=0.01)


def test_an_element_it_does_not_know_is_refused_with_a_way_out(model):
    cell = build.bulk(Block("O3", 3, metals={"Cr": 1.0})).structure
    with pytest.raises(InputError, match=r"does not know Cr.*chgnet\+d3"):
        model.evaluate([cell])
