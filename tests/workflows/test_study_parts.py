"""Parts of a study that need no model: names, compositions, refusals before anything is written."""

import tomllib

import numpy as np
import pytest
from study_runs import TINY

from simkit import build, config, io
from simkit.errors import InputError
from simkit.potential import Evaluation
from simkit.solve import CONVERGED, Outcome
from simkit.workflows import cells, energies, study


def settings(text=TINY, *assignments):
    return config.checked(study.Config, config.with_overrides(tomllib.loads(text), assignments))


def outcome(structure, energy_eV=0.0):
    zeros = np.zeros((len(structure), 3))
    return Outcome(structure, Evaluation(energy_eV, zeros, np.zeros((3, 3))), True, CONVERGED, 0, 0, 0.0)


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("migration.ion='K'", "the galleries hold Na"),
        ("gliding.galleries=[7]", "galleries 0 to 2"),
        ("gliding.letters=[1, 1]", "name each letter once"),
        ("potential='mace:x.model?%74rust=x.model'", "--trust"),
        ("relax.fmax_eV_per_A=inf", "finite"),
        ("structure.blocks=[]", "at least 1"),
        ("structure.blocks.0=3", "structure.blocks.0 = 3: should be a table"),
        ("structure.blocks.0.content=abc", "structure.blocks.0.content = 'abc'"),
        ("gliding.galleries=all", "gliding.galleries = 'all'"),
    ],
)
def test_what_could_only_fail_later_fails_at_once(assignment, words, tmp_path):
    with pytest.raises(InputError) as caught:
        study.run(settings(TINY, assignment), tmp_path / "run")
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_blocks_of_one_phase_and_another_composition_keep_apart():
    two = settings(TINY.replace('phase = "O3"\ngaps = 1', 'phase = "P2"\ngaps = 2').replace("Co = 1.0", "Co = 1.0", 1))
    assert cells.phase_names(two.structure) == ["P2", "P2"]
    other = two.structure.blocks[1].model_copy(update={"content": 0.5})
    structure = two.structure.model_copy(update={"blocks": [two.structure.blocks[0], other]})
    assert cells.phase_names(structure) == ["P2", "P2(2)"]
    model = cells.named(cells.intergrowth(structure, 0), structure)
    assert set(model.structure.tags["phase"]) == {"P2", "P2(2)"}
    assert "P2(2)" in io.text("cell.extxyz", model.structure)  # words of a column have no blank


def test_interface_energies_of_a_sum_of_phases_are_zero():
    """A cell whose energy is that of its phases has no interface energy: counts and signs."""
    chosen = settings().structure
    whole = cells.intergrowth(chosen, 0).structure
    phases = {name: model.structure for name, model in cells.phase_cells(chosen, 0).items()}
    per_metal = {"P2": -24.0, "O3": -25.0}
    metals = {name: int((s.tags["site"] == "TM").sum()) for name, s in phases.items()}
    alone = {name: outcome(s, per_metal[name] * metals[name]) for name, s in phases.items()}
    assert energies.obstacle(chosen, "free", whole, alone) == ""
    total = 4 * per_metal["P2"] + 2 * per_metal["O3"]  # two metals a slab: two P2 slabs, one O3 slab
    found = energies.against_phases(chosen, outcome(whole, total), alone, alone)
    assert found.interface_J_per_m2 == pytest.approx(0, abs=1e-12)
    assert found.coherency_J_per_m2 == pytest.approx(0, abs=1e-12)


def test_compositions_that_differ_give_no_interface_energy():
    chosen = settings(TINY, "structure.blocks.0.metals={Ni=0.34, Mn=0.66}", "structure.repeats=[3, 1]").structure
    whole = cells.intergrowth(chosen, 0).structure
    phases = {name: outcome(model.structure) for name, model in cells.phase_cells(chosen, 0).items()}
    fair = energies.obstacle(chosen, "free", whole, phases)
    spoiled = {**phases, "O3": outcome(phases["O3"].structure.without(0))}
    assert fair == ""
    assert "cannot be subtracted" in energies.obstacle(chosen, "free", whole, spoiled)
    assert "relax.cell" in energies.obstacle(chosen, "fixed", whole, phases)


def test_strained_phases_take_the_layers_and_keep_their_height():
    bulk = build.bulk(build.Block("O3", 3), repeats=(2, 1)).structure
    target = bulk.cell @ np.diag([1.01, 1.01, 1.0])
    strained = cells.strained_to(bulk, target)
    assert np.allclose(strained.cell[:2], target[:2], atol=1e-12)
    assert strained.cell[2, 2] == pytest.approx(bulk.cell[2, 2], abs=1e-12)
    assert build.classify(strained).stack.gaps() == ["O3"] * 3
    with pytest.raises(InputError, match="repeats"):
        cells.strained_to(bulk, bulk.cell * np.array([2, 1, 1])[:, None])
