"""A committee in the workflows: spreads in every result, doubtful structures on disk, and the words about them."""

import json
import sys
import tomllib

import numpy as np
import pytest
from study_runs import TINY

from simkit import cli, config, io, potential
from simkit.errors import InputError, Stopped
from simkit.structure import Structure
from simkit.workflows import committee, study
from simkit.workflows.ledger import Ledger

SPEC = "committee:lj,morse"


def copper(seed=0, rattle=0.1):
    """Rattled fcc of 4 atoms, between the distances that the two pair laws like best."""
    a = 3.7
    places = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]) * a
    return Structure([29] * 4, places + rattle * np.random.default_rng(seed).normal(size=(4, 3)), np.eye(3) * a)


def call(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["simkit", *(str(word) for word in words)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    out, err = capsys.readouterr()
    return stopped.value.code, out, err


@pytest.fixture
def relaxed(tmp_path, monkeypatch, capsys):
    """A relaxation by a committee from the command line: folder and what it printed."""
    io.write(tmp_path / "a.extxyz", copper())
    words = ("--potential", SPEC, "--device", "cpu", "--set", "cell=fixed", "--set", "committee.keep=3")
    code, out, err = call(monkeypatch, capsys, "relax", tmp_path / "a.extxyz", "--out", tmp_path / "out", *words)
    assert code == 0, err
    return tmp_path / "out", out


def test_a_relaxation_saves_what_to_label_next_and_says_so(relaxed):
    folder, out = relaxed
    told = json.loads((folder / "committee.json").read_text())
    frames = io.read_frames(folder / committee.FILE)
    assert told["members"] == ["lj", "morse"]
    assert told["doubtful_structures_saved"] == len(frames) <= 3
    assert told["doubtful_evaluations"] > 0
    warnings = [line for line in out.splitlines() if line.startswith("warning")]
    assert len(warnings) == 1
    assert f"({len(frames)} distinct)" in warnings[0]
    assert "simkit potentials distill RECIPE.toml --add FILE" in warnings[0]
    assert "simkit potentials distill RECIPE.toml --data EARLIER --data LABELLED" in warnings[0]


def test_saved_structures_carry_the_spread_that_put_them_there(relaxed):
    folder, _ = relaxed
    told = json.loads((folder / "committee.json").read_text())
    frames = io.read_frames(folder / committee.FILE)
    largest = [frame.metadata[committee.LARGEST] for frame in frames]
    assert largest == sorted(largest, reverse=True)
    assert largest[0] * 1e3 == pytest.approx(told["largest_force_spread_meV_per_A"], rel=1e-12)
    lj, morse = potential.load("lj"), potential.load("morse")
    for frame, spread in zip(frames, largest, strict=True):
        a, b = (p.evaluate([frame.structure])[0].forces for p in (lj, morse))
        np.testing.assert_allclose(frame.structure.tags[committee.COLUMN], np.linalg.norm(a - b, axis=1) / 2, rtol=1e-9)
        assert spread == frame.structure.tags[committee.COLUMN].max()


def test_the_relaxed_structure_carries_its_own_spread(relaxed):
    folder, _ = relaxed
    frame = io.read_frames(folder / "a.extxyz")[0]
    e = potential.load(SPEC).evaluate([frame.structure])[0]
    assert frame.metadata["force_spread_meV_per_A"] == pytest.approx(1e3 * e.spread.largest, rel=1e-9)
    assert frame.metadata["energy_spread_meV_per_atom"] == pytest.approx(1e3 * e.spread.energy, rel=1e-9)


def test_a_wide_limit_saves_nothing_and_warns_of_nothing(tmp_path, monkeypatch, capsys):
    io.write(tmp_path / "a.extxyz", copper())
    words = ("--potential", SPEC, "--set", "cell=fixed", "--set", "committee.spread_limit_eV_per_A=1e3")
    code, out, err = call(monkeypatch, capsys, "relax", tmp_path / "a.extxyz", "--out", tmp_path / "out", *words)
    assert code == 0, err
    assert "warning" not in out
    assert "at most" in out
    assert not (tmp_path / "out" / committee.FILE).exists()


def test_a_single_potential_leaves_no_trace_of_committees(tmp_path, monkeypatch, capsys):
    io.write(tmp_path / "a.extxyz", copper())
    words = ("--potential", "morse", "--set", "cell=fixed")
    code, out, err = call(monkeypatch, capsys, "relax", tmp_path / "a.extxyz", "--out", tmp_path / "out", *words)
    assert code == 0, err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.cif", "a.extxyz"]
    assert "committee" not in out
    assert "force_spread_meV_per_A" not in io.read_frames(tmp_path / "out" / "a.extxyz")[0].metadata


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("committee.spread_limit=0.1", "did you mean 'spread_limit_eV_per_A'"),
        ("committee.spread_limit_eV_per_A=0", "committee.spread_limit_eV_per_A = 0"),
        ("committee.keep=0", "committee.keep = 0"),
        ("committee=3", "committee = 3"),
    ],
)
def test_mistakes_in_the_limits_are_named(assignment, words, tmp_path, monkeypatch, capsys):
    io.write(tmp_path / "a.extxyz", copper())
    asked = ("relax", tmp_path / "a.extxyz", "--out", tmp_path / "out", "--potential", SPEC, "--set", assignment)
    code, _, err = call(monkeypatch, capsys, *asked)
    assert code == 2
    assert words in err
    assert not (tmp_path / "out").exists()


def ledger(folder, settings, resume=False):
    """The ledger of a study that asks the two pair laws."""
    directory = io.open_run(folder, "x = 1\n", {}, resume)
    model = committee.watched(settings, potential.load(SPEC), directory.path)
    made = Ledger(directory, potential.Counted(model), model)
    made.open("s", 0, "", "cpu")
    return made


def test_spreads_go_into_the_record_per_step_and_survive_resuming(tmp_path):
    settings = committee.Config(keep=5)
    first = ledger(tmp_path / "run", settings)
    calm, wild, other = copper(1, 0.02), copper(2, 0.2), copper(3, 0.2)
    with pytest.raises(Stopped):
        first.step("a", lambda: (first.model.evaluate([wild]), (_ for _ in ()).throw(Stopped("enough"))))
    again = ledger(tmp_path / "run", settings, resume=True)
    assert len(again.watched.kept) == 1
    np.testing.assert_array_equal(again.watched.kept[0].structure.positions, wild.positions)
    again.step("a", lambda: again.model.evaluate([calm]))
    again.step("b", lambda: again.model.evaluate([other]))
    again.step("nothing asked", lambda: None)
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    told = {step["name"]: step for step in record["steps"]}
    e = {name: potential.load(SPEC).evaluate([s])[0] for name, s in (("calm", calm), ("wild", wild), ("other", other))}
    assert told["a"]["committee_evaluations"] == 2
    assert told["a"]["largest_force_spread_meV_per_A"] == pytest.approx(1e3 * e["wild"].spread.largest, rel=1e-12)
    energies = [1e3 * e[name].spread.energy for name in ("calm", "wild")]
    assert told["a"]["largest_energy_spread_meV_per_atom"] == pytest.approx(max(energies), rel=1e-12)
    assert told["b"]["largest_force_spread_meV_per_A"] == pytest.approx(1e3 * e["other"].spread.largest, rel=1e-12)
    assert "largest_force_spread_meV_per_A" not in told["nothing asked"]
    found = committee.summary(record, again.watched)
    assert found.seen.evaluations == 3
    assert [name for name, _ in found.steps] == ["a", "b"]
    assert len(io.read_frames(tmp_path / "run" / committee.FILE)) == found.saved == len(again.watched.kept)


def test_energy_differences_are_known_without_the_offsets_of_members():
    model = potential.load(SPEC)
    cells = [copper(1, 0.02), copper(2, 0.2), copper(3, 0.2)]
    (calm, wild), alone = committee.difference_spreads(model, [cells[:2], cells[2:]])
    rises = [np.diff([e.energy for e in potential.load(name).evaluate(cells[:2])]) for name in ("lj", "morse")]
    assert calm == alone[0] == 0.0
    assert wild == pytest.approx(np.std(rises, ddof=1), rel=1e-9)
    assert committee.difference_spreads(potential.load("lj"), [cells]) == [None]
    assert committee.difference_spreads(model, []) == []


def test_a_page_is_told_only_what_a_committee_said(tmp_path):
    page = {"warnings": ["w"], "sections": [{"title": "s"}], "n": 1}
    assert committee.told(page, None) == page
    made = ledger(tmp_path / "run", committee.Config(spread_limit_eV_per_A=1e-3))
    made.step("a", lambda: made.model.evaluate([copper()]))
    found = committee.summary(made.record, made.watched)
    told = committee.told(page, found)
    assert told["n"] == 1 and told["warnings"] == ["w", *found.warnings] and len(found.warnings) == 1
    assert [section["title"] for section in told["sections"]] == ["s", "Agreement of the committee"]
    assert told["committee"]["doubtful_evaluations"] == 1


def test_a_file_that_is_not_this_runs_is_named(tmp_path):
    (tmp_path / "structures").mkdir()
    io.write(tmp_path / committee.FILE, [copper()])
    with pytest.raises(InputError, match="move it away"):
        committee.watched(committee.Config(), potential.load(SPEC), tmp_path)


def test_a_study_file_sets_the_limits():
    settings = config.checked(study.Config, config.with_overrides({}, ["committee.keep=4", *minimal()]))
    assert settings.committee.keep == 4
    assert settings.committee.spread_limit_eV_per_A == potential.Limits().spread_eV_per_A
    assert "[committee]" in study.template()


def minimal():
    return ["structure.blocks=[{phase='O3', gaps=3, metals={Co=1.0}}]"]


@pytest.mark.slow
def test_a_study_by_a_committee_reports_its_spread(tmp_path):
    """The embedded potential, and the same with a weak repulsion on top: forces differ by half of that repulsion."""
    settings = config.checked(
        study.Config, config.with_overrides(tomllib.loads(TINY), ["committee.spread_limit_eV_per_A=0.02"])
    )
    teacher = potential.load("chgnet+d3", device="cpu", dtype="float64")
    push = potential.lennard_jones(0.002, 2.4, 6.0)
    model = potential.Committee([teacher, potential.SumPotential([teacher, push], teacher.card)])
    result = study.run(settings, tmp_path / "run", model=model)
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    told = results["committee"]
    asked = ["phases", "relaxation", "strained phases", "migration", "gliding", "stress"]
    assert list(told["steps"]) == asked
    assert all(step["largest_force_spread_meV_per_A"] > 0 for step in told["steps"].values())
    whole = result.findings.whole
    alone = np.linalg.norm(push.evaluate([whole.structure])[0].forces, axis=1).max() / 2
    assert results["relaxations"]["P2/O3"]["force_spread_meV_per_A"] == pytest.approx(1e3 * alone, abs=1e-6)
    assert results["migration"][0]["force_spread_meV_per_A"] > 0
    assert results["stress"]["P2"]["force_spread_meV_per_A"] > 0
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Agreement of the committee" in page
    assert "committee of 2 models" in page
    assert any("distill RECIPE.toml --add FILE" in line for line in result.lines)
    assert len(io.read_frames(tmp_path / "run" / committee.FILE)) == told["doubtful_structures_saved"] > 0
    again = study.run(settings, tmp_path / "run", resume=True, model=model)
    assert again.summary["committee"] == told
