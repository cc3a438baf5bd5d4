"""A campaign in one process: results, tables, page, moving between a run and a campaign, damage, retrying."""

import csv
import json

import pytest
from ase.db import connect
from campaigns import events, fingerprint, written
from typer.testing import CliRunner

from simkit import io
from simkit.cli.commands import app
from simkit.errors import InputError
from simkit.io.rundir import Lock
from simkit.workflows.campaign import plan, run, status
from simkit.workflows.campaign.engine import Inline

TWO = """
name = "two"
study = "study.toml"
[over]
"structure.blocks.0.content" = [0.75, 1.0]
"""


def io_text(path):
    """The lines of a file that is closed again."""
    return path.read_text().splitlines()


def simkit(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(autouse=True)
def handlers(monkeypatch):
    """A driver's signal handlers are for its own process."""
    monkeypatch.setattr(run, "listen", lambda: None)
    monkeypatch.setattr("simkit.workflows.campaign.work.listen", lambda: None)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a campaign of two studies, done once."""
    folder = tmp_path_factory.mktemp("two")
    file, root = written(folder, TWO), folder / "run"
    run.write(file, root, run.resolve(file))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "listen", lambda: None)
        patch.setattr("simkit.workflows.campaign.work.listen", lambda: None)
        tally = run.drive(root, Inline)
    assert tally.exit_code == 0, tally
    return root


def test_every_task_has_a_row_that_ase_reads(finished):
    tasks = plan.read(finished).tasks
    with connect(finished / "results.db") as database:
        rows = list(database.select())
        relaxed = list(database.select(step="relaxation"))
        (row,) = database.select("step=relaxation,structure_blocks_0_content>0.9")
    assert {row.key_value_pairs["key"] for row in rows} == set(tasks)
    assert len(relaxed) == 2
    assert row.natoms > 0
    assert row.energy == pytest.approx(row.energy_eV, abs=1e-12)


def test_the_table_has_every_number_and_the_page_leads_to_every_study(finished):
    table = list(csv.DictReader(io_text(finished / "results.csv")))
    assert {row["step"] for row in table} == {
        "phase", "relaxation", "strained phases", "migration", "gliding", "stress", "report",
    }  # fmt: skip
    for name in plan.read(finished).members:
        results = json.loads((finished / "studies" / name / "results.json").read_text())
        (row,) = [row for row in table if row["study"] == name and row["step"] == "relaxation"]
        assert float(row["energy_eV"]) == results["relaxations"]["P2/O3"]["energy_eV"], "the shortest exact decimal"
        assert f'href="studies/{name}/report.html"' in (finished / "report.html").read_text()
    assert "data:image/png" in (finished / "report.html").read_text()


def test_the_page_tells_of_the_cell_and_not_of_the_first_name_in_the_alphabet(finished):
    table = list(csv.DictReader(io_text(finished / "results.csv")))
    page = (finished / "report.html").read_text()
    stresses = {row["of"]: float(row["von_mises_mean_GPa"]) for row in table if row["step"] == "stress"}
    assert f">{stresses['P2/O3']:.2f}<" in page
    assert stresses["O3"] < 0.01 < stresses["P2/O3"]


def test_a_plain_run_gives_the_same_numbers_and_may_use_what_is_there(finished, tmp_path):
    resolved = plan.read(finished)
    name = next(name for name, member in resolved.members.items() if 1.0 in member.changes.values())
    alone = simkit("run", finished.parent / "study.toml", "--out", tmp_path / "alone")
    shared = simkit("run", finished.parent / "study.toml", "--out", tmp_path / "shared", "--store", finished / "tasks")
    assert alone.exit_code == shared.exit_code == 1, "three steps of relaxation converge nothing"
    wanted = json.loads((finished / "studies" / name / "results.json").read_text())
    for folder in ("alone", "shared"):
        assert json.loads((tmp_path / folder / "results.json").read_text()) == wanted
    record = json.loads((tmp_path / "shared" / "record.json").read_text())
    assert sum(step["model_evaluations"] for step in record["steps"]) == 0
    assert not (tmp_path / "shared" / "tasks").exists()
    cost = json.loads((finished / "studies" / name / "record.json").read_text())["steps"]
    spent = {step["name"]: step["model_evaluations"] for step in cost}
    assert spent["migration"] > 0, "the record says what the tasks cost, not what reading them back did"


def test_a_run_moves_to_the_cluster_and_back(tmp_path):
    written(tmp_path)
    study, root = tmp_path / "study.toml", tmp_path / "run"
    assert simkit("run", study, "--out", root).exit_code == 1
    before = {path: path.stat().st_mtime_ns for path in (root / "tasks").rglob("*.npz")}
    submitted = simkit("submit", study, "--out", root, "--engine", "inline", "--gpus", 0)
    assert submitted.exit_code == 0, submitted.output
    assert {path: path.stat().st_mtime_ns for path in (root / "tasks").rglob("*.npz")} == before
    assert simkit("run", study, "--out", root, "--resume").exit_code == 1
    elsewhere = tmp_path / "first"
    assert simkit("submit", study, "--out", elsewhere, "--engine", "inline", "--gpus", 0).exit_code == 0
    assert simkit("run", study, "--out", elsewhere, "--resume").exit_code == 1
    assert (elsewhere / "results.json").read_bytes() == (root / "results.json").read_bytes()


def test_damage_is_found_set_aside_and_made_again(finished):
    before = fingerprint(finished)
    store, tasks = io.Store(finished / "tasks"), plan.read(finished).tasks
    (stress,) = [key for key, task in tasks.items() if task.step == "stress"][:1]
    path = store.path(stress, "stress")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 4]))
    assert len(status.verify(finished, plan.read(finished))) == 1
    assert simkit("verify", finished).exit_code == 0, "what was damaged is no result any more"
    assert simkit("status", finished).exit_code == 75
    assert run.drive(finished, Inline).exit_code == 0
    assert fingerprint(finished) == before


def test_a_driver_at_work_is_left_alone(finished):
    held = Lock(finished / run.DRIVER_LOCK)
    try:
        with pytest.raises(InputError, match="driven by another process"):
            run.drive(finished, Inline)
    finally:
        held.close()


def test_failures_are_named_and_retried(tmp_path, monkeypatch):
    text = TWO.replace('study = "study.toml"', 'study = "study.toml"\nsteps = ["relaxation"]')
    file, root = written(tmp_path, text), tmp_path / "run"
    run.write(file, root, run.resolve(file))

    def lost(outcome):
        return "the relaxation lost the layers: the test says so"

    with monkeypatch.context() as patch:
        patch.setattr("simkit.workflows.study.broken", lost)
        assert run.drive(root, Inline).exit_code == 1
    shown = simkit("status", root)
    assert shown.exit_code == 75 or "the test says so" in shown.output
    assert "the test says so" in (root / "report.html").read_text()
    assert simkit("retry", root, "phase").exit_code == 0
    assert run.drive(root, Inline).exit_code == 0
    assert "retry" in [line["event"] for line in events(root)]


def test_dry_run_prints_script_and_graph_and_writes_nothing(tmp_path):
    file = written(tmp_path, TWO)
    shown = simkit("submit", file, "--out", tmp_path / "run", "--site", "gpu-cluster", "--dry-run")
    assert shown.exit_code == 0, shown.output
    assert "#SBATCH --gres=gpu:1" in shown.output
    assert "2 relaxation, after phase" in shown.output
    assert not (tmp_path / "run").exists()
