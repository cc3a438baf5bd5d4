"""simkit glide, stress and elastic as a user types them, with the ionic potential of paper in place of a model."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk as ase_bulk
from ase.calculators.emt import EMT
from ase.io import read as ase_read
from ionic import ionic

from simkit import build, cli, io, potential, solve
from simkit.cli import mechanics
from simkit.config import checked, read_toml
from simkit.errors import InputError
from simkit.workflows import committee, gliding_lock, rundirs, stress_study, study

STRESS = """
name = "two cells"
[[cells]]
name = "P2"
[cells.structure]
repeats = [2, 1]
blocks = [{ phase = "P2", gaps = 2, metals = { Co = 1.0 }, content = 1.0 }]
[[cells]]
name = "P2/O3"
[cells.structure]
repeats = [2, 1]
blocks = [
  { phase = "P2", gaps = 2, metals = { Co = 1.0 }, content = 1.0 },
  { phase = "O3", gaps = 3, metals = { Co = 1.0 }, content = 1.0 },
]
[[states]]
name = "as built"
cell = "free"
[[states]]
name = "stretched"
strain = { xx = 0.01 }
[[states]]
name = "charged"
removed = 0.5
how = "phase"
phase = "P2"
[[states]]
name = "lowest"
removed = 0.25
how = "lowest"
tries = 2
"""
LOCK = """
name = "lock"
[structure]
repeats = [1, 1]
blocks = [
  { phase = "P2", gaps = 2, metals = { Co = 1.0 }, content = 1.0 },
  { phase = "P3", gaps = 3, metals = { Co = 1.0 }, content = 1.0 },
]
[slabs]
points = 3
letters = [1]
"""


@pytest.fixture
def simkit(monkeypatch, capsys):
    monkeypatch.setattr(mechanics.potential, "load", lambda *words, **more: ionic())

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["simkit", *(str(word) for word in words)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        out, err = capsys.readouterr()
        return stopped.value.code, out, err

    return call


@pytest.fixture(scope="module")
def p2(tmp_path_factory):
    cell = build.bulk(build.Block("P2", 2, metals={"Co": 1.0}, content=1.0)).structure
    (outcome,) = solve.relax([cell], ionic(), "free", 1e-3, solve.RelaxSettings(stress_max_GPa=1e-3))
    path = tmp_path_factory.mktemp("cells") / "P2.cif"
    io.write(path, outcome.structure)
    return path


def results(folder):
    return json.loads((folder / "results.json").read_text())


@pytest.mark.parametrize(
    ("words", "made"),
    [
        (["--set", "points=3", "--set", 'modes=["rigid"]'], ("gliding", "gliding.png", "P2 to O2u")),
        (["--surface", "--set", "grid=3"], ("surfaces", "gamma-surfaces.png", "ideal shear")),
        (["--slabs", "--set", "points=3", "--set", "letters=[1]"], ("moves", "moves.png", "P2|P2 to")),
        (["--to", "O2", "--set", "images=1"], ("collective", "collective.png", "P2 to O2")),
    ],
)
def test_glide_on_a_cif_whose_layers_are_found(simkit, p2, tmp_path, words, made):
    out, (key, figure, told) = tmp_path / "out", made
    code, said, err = simkit("glide", p2, "--out", out, *words)
    assert code == 0, err
    assert told in said
    assert results(out)[key] and results(out)["converged"]
    assert figure is None or (out / "figures" / figure).exists()
    assert list((out / "trajectories").glob("*.extxyz"))
    assert "model evaluations" in (out / "report.html").read_text()
    code, _, err = simkit("glide", p2, "--out", out, *words)
    assert code == 2 and "--resume" in err
    code, _, err = simkit("glide", p2, "--out", out, "--resume", *words)
    assert code == 0, err
    assert json.loads((out / "record.json").read_text())["steps"][0]["model_evaluations"] > 0


def test_two_questions_at_once_and_bad_indices(simkit, p2, tmp_path):
    code, _, err = simkit("glide", p2, "--surface", "--slabs", "--out", tmp_path / "out")
    assert code == 2 and "one at a time" in err
    code, _, err = simkit("glide", p2, "--set", "galleries=[9]", "--out", tmp_path / "out")
    assert code == 2 and "galleries 0 to 1" in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("glide", "--slabs", "--set", "slabs=[9]"), "slabs 0 to 1"),
        (("glide", "--surface", "--set", "galleries=[9]"), "galleries 0 to 1"),
        (("glide", "--to", "O3"), "no gliding turns"),
        (("stress", "--reference", "nobody"), "nobody"),
        (("stress", "--set", "width_A=-1"), "width_A"),
    ],
)
def test_what_a_cell_does_not_have_is_one_line(simkit, p2, tmp_path, words, told):
    code, _, err = simkit(words[0], p2, *words[1:], "--out", tmp_path / "out")
    assert code == 2 and told in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_no_layers_is_one_line(simkit, tmp_path):
    path = tmp_path / "rock-salt.cif"
    ase_bulk("CoO", "rocksalt", a=4.26, cubic=True).write(path)
    code, _, err = simkit("glide", path, "--out", tmp_path / "out")
    assert code == 2 and "not layered" in err
    assert not (tmp_path / "out").exists()


def test_the_lock_from_a_study_file(simkit, tmp_path):
    study, out = tmp_path / "lock.toml", tmp_path / "out"
    study.write_text(LOCK)
    code, said, err = simkit("glide", study, "--out", out)
    assert code == 0, err
    assert "the easiest glide of a shared slab is" in said
    found = results(out)
    assert {row["phase"] for row in found["lock"]} == {"P2", "P3", "softest phase"}
    shared = [row for row in found["interlock"] if row["structure"] == "P2/P3" and set(row["before"]) == {"P2", "P3"}]
    assert {tuple(sorted(name[:2] for name in row["after"])) for row in shared} == {("O2", "O3"), ("O1", "O2")}
    assert (out / "figures" / "resistance.png").exists()
    study.write_text(LOCK.replace("points", "poins"))
    code, _, err = simkit("glide", study, "--out", tmp_path / "other")
    assert code == 2 and "points" in err


@pytest.mark.slow
def test_stress_of_cells_and_states(simkit, tmp_path):
    study, out = tmp_path / "stress.toml", tmp_path / "out"
    study.write_text(STRESS)
    code, said, err = simkit("stress", study, "--out", out, "--set", "relax.fmax_eV_per_A=0.02")
    assert code == 0, err
    found = {(row["state"], row["cell"]): row for row in results(out)["stress"]}
    assert set(found) == {(s, c) for s in ("as built", "stretched", "charged", "lowest") for c in ("P2", "P2/O3")}
    assert {r["name"] for r in found["as built", "P2/O3"]["regions"]["phase"]} == {"P2", "O3"}
    assert found["as built", "P2/O3"]["regions"]["distance"]
    # a phase relaxed free is its own zero; stretched by 1 % along x it is not
    assert found["as built", "P2"]["von_mises_mean_GPa"] < 0.05
    mean = np.array(found["stretched", "P2"]["regions"]["phase"][0]["mean_stress_GPa"])
    assert mean[0, 0] > 5 * abs(mean[0, 1]) and mean[0, 0] > 0.3
    frame = ase_read(out / "structures" / "charged-P2-O3.extxyz")
    # two cells, 2 and 10 ions: half of each leaves, from P2 first
    assert frame.symbols.count("Na") == 5
    assert {"smooth_von_mises_GPa", "principal_3_GPa", "axis_3_z"} <= set(frame.arrays)
    assert (out / "structures" / "charged-P2-O3.vti").read_text().startswith("<?xml")
    page = (out / "report.html").read_text()
    assert 'class="turning"' in page and "as built: mean" not in said
    assert "says nothing about its elastic constants" in page
    assert len(list((out / "figures").glob("map-*.png"))) == 4


def test_warm_stress_holds_the_pressure_of_motion(simkit, tmp_path):
    study, out = tmp_path / "warm.toml", tmp_path / "out"
    head = STRESS[: STRESS.index('[[cells]]\nname = "P2/O3"')]
    warm = "warm = { temperature_K = 300.0, settle_steps = 40, steps = 80, every = 10 }"
    study.write_text(f'{head}[[states]]\nname = "warm"\ncell = "free"\n{warm}\n')
    code, _, err = simkit("stress", study, "--out", out)
    assert code == 0, err
    (row,) = results(out)["stress"]
    assert row["status"] == "mean of 9 frames"
    assert np.isfinite(row["von_mises_mean_GPa"])


def test_stress_of_files_with_a_reference(simkit, p2, tmp_path):
    code, said, err = simkit("stress", p2, "--reference", "P2", "--out", tmp_path / "out")
    assert code == 0, err
    assert "coarse excess field" in said
    code, _, err = simkit("stress", p2, "--reference", "P3", "--out", tmp_path / "no")
    assert code == 2 and "P3" in err


@pytest.mark.parametrize(
    "words",
    [
        ["stress"],
        ["glide", "--set", "points=3", "--set", 'modes=["rigid"]', "--set", "galleries=[0]"],
        ["elastic", "--set", "relax=false"],
    ],
)
def test_a_committee_says_how_far_it_is_apart(simkit, p2, tmp_path, monkeypatch, words):
    model = potential.Committee([ionic("weak", 0.5), ionic("strong", 1.5)])
    monkeypatch.setattr(mechanics.potential, "load", lambda *given, **more: model)
    command, *more = words
    out, limit = tmp_path / "out", ("--set", "committee.spread_limit_eV_per_A=1e-9")
    code, said, err = simkit(command, p2, "--out", out, *more, *limit)
    assert code == 0, err
    found = results(out)
    assert found["committee"]["doubtful_structures_saved"] == len(io.read_frames(out / committee.FILE)) > 0
    (warning,) = [line for line in found["warnings"] if "distill" in line]
    assert f"warning: {warning}" in said and "committee of 2 models" in said
    assert "Agreement of the committee" in (out / "report.html").read_text()


def test_elastic_constants_of_a_file(simkit, p2, tmp_path):
    code, said, err = simkit("elastic", p2, "--out", tmp_path / "out")
    assert code == 0, err
    assert "P6_3/mmc" in said and "stable" in said
    found = results(tmp_path / "out")["elastic"]["P2"]
    assert found["strained_pairs"] == 3
    assert found["moduli_GPa"]["young_along"] > found["moduli_GPa"]["shear_between"] > 0


def test_bad_structures_give_one_clear_line(simkit, p2, tmp_path):
    film = io.read(p2)
    cell = film.cell.copy()
    cell[2, 2] += 15.0
    path = tmp_path / "film.cif"
    io.write(path, film.moved_to(film.positions, cell))
    for command in ("glide", "stress"):
        code, _, err = simkit(command, path, "--out", tmp_path / "out")
        assert code == 2 and "free surfaces" in err
        assert len(err.strip().splitlines()) == 1
        assert not (tmp_path / "out").exists()


def test_ready_studies_are_found_by_name_and_accepted():
    found = rundirs.shipped("neb", "glide", "stress")
    assert set(rundirs.shipped("neb")) == {"neb-p2-o3", "neb-p2-p3"}
    assert set(found) == {"glide-lock-p2-o3", "neb-p2-o3", "neb-p2-p3", "stress-layered-spinel"}
    for name in ("neb-p2-o3", "neb-p2-p3"):
        paths = study.settings(read_toml(found[name]))
        assert paths.paths.pure and len(paths.paths.seeds) > 1 and paths.migration.hops == "kinds"
    lock = checked(gliding_lock.Config, read_toml(found["glide-lock-p2-o3"]))
    assert lock.over.contents and len(lock.over.seeds) > 1
    maps = checked(stress_study.Config, read_toml(found["stress-layered-spinel"]))
    assert [cell.name for cell in maps.cells] == ["layered", "layered/spinel"]
    cell = maps.cells[0].structure.built(maps.seed).structure
    counts = {s: cell.symbols.count(s) / 80 for s in ("Na", "Mn", "Mg")}
    assert counts == pytest.approx({"Na": 0.44, "Mn": 0.8, "Mg": 0.2}, abs=0.005)
    assert mechanics.Asked([Path("stress-layered-spinel")], Path("out"), False, None, None, None, []).study.exists()


def test_a_study_of_stress_needs_virials():
    study = checked(stress_study.Config, read_toml(rundirs.shipped("stress")["stress-layered-spinel"]))
    with pytest.raises(InputError, match="use a MACE, CHGNet or analytic potential"):
        stress_study.run(study, potential.from_ase(EMT()))
