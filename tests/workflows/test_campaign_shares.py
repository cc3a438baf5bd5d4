"""The work of one study shared by many workers: the same numbers, nothing done twice, damage found."""

import json

import pytest
from campaigns import STUDY, events, fingerprint, written
from typer.testing import CliRunner

from simkit import io
from simkit.cli.commands import app
from simkit.workflows.campaign import plan, run, saving, status
from simkit.workflows.campaign.engine import Inline

MORE = """
[elastic]
fmax_eV_per_A = 0.05
stress_max_GPa = 0.5
max_steps = 150

[surfaces]
grid = 3

[dynamics]
segment_ps = 0.004
cells = "all"

[dynamics.run]
temperatures_K = [300, 600]
length_ps = 0.01
frame_fs = 1

[dynamics.transport]
skip_ps = 0
"""
SHARED = 'name = "shared"\nstudy = "study.toml"\nspread = 2\n'
EVALUATED_BY_SHARES = ("migration", "gliding", "surfaces", "dynamics")


def simkit(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(autouse=True)
def handlers(monkeypatch):
    """A driver's signal handlers are for its own process."""
    monkeypatch.setattr(run, "listen", lambda: None)
    monkeypatch.setattr("simkit.workflows.campaign.work.listen", lambda: None)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A campaign of one study, shared by two."""
    folder = tmp_path_factory.mktemp("shared")
    file, root = written(folder, SHARED, STUDY + MORE), folder / "run"
    run.write(file, root, run.resolve(file))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "listen", lambda: None)
        patch.setattr("simkit.workflows.campaign.work.listen", lambda: None)
        tally = run.drive(root, Inline)
    assert tally.exit_code == 0, tally
    return root


def spent(root):
    """Model evaluations by the title of the task."""
    store, found = io.Store(root / "tasks"), {}
    for key, task in plan.read(root).tasks.items():
        done = [line for line in store.attempts(key) if line["event"] == "done"]
        found[task.title] = found.get(task.title, 0) + sum(line["model_evaluations"] for line in done)
    return found


def test_shares_do_the_work_and_the_step_collects(finished):
    cost = spent(finished)
    for step in EVALUATED_BY_SHARES:
        assert cost[step] == 0, step
    stages = {"migration: states", "gliding: points", "surfaces: points", "elastic: relaxed", "elastic: strained"}
    assert all(cost[stage] > 0 for stage in {*stages, "dynamics: segment"})
    assert cost["dynamics: segment"] == 3 * 2 * (10 + 1), "three cells, two temperatures, ten steps and the start"
    rows = [io.Store(finished / "tasks").result(key)["rows"] for key, t in plan.read(finished).tasks.items() if t.stage]
    assert not [row for of in rows for row in of.values() if "trouble" in row]


def test_a_plain_run_finds_all_work_done(finished, tmp_path):
    shared = simkit("run", finished.parent / "study.toml", "--out", tmp_path / "shared", "--store", finished / "tasks")
    assert shared.exit_code == 1, "three steps of relaxation converge nothing"
    assert (tmp_path / "shared" / "results.json").read_bytes() == (finished / "results.json").read_bytes()
    record = json.loads((tmp_path / "shared" / "record.json").read_text())
    cost = {step["name"]: step["model_evaluations"] for step in record["steps"]}
    assert [cost[step] for step in EVALUATED_BY_SHARES] == [0, 0, 0, 0]
    for name in ("gamma-surfaces", "dynamics"):
        assert (finished / "figures" / f"{name}.png").exists()


@pytest.mark.slow
def test_a_run_that_shares_with_nobody_gives_the_same_numbers(finished, tmp_path):
    assert simkit("run", finished.parent / "study.toml", "--out", tmp_path / "alone").exit_code == 1
    wanted = json.loads((finished / "results.json").read_text())
    assert set(wanted["elastic"]) == set(wanted["stress"]) == {"P2/O3", "P2", "O3"}
    assert wanted["surfaces"]
    assert wanted["dynamics"]["P2/O3 at 300 K"]["length_ps"] == pytest.approx(0.01)
    assert json.loads((tmp_path / "alone" / "results.json").read_text()) == wanted


def test_every_number_of_the_new_steps_is_in_the_table(finished):
    text = (finished / "results.csv").read_text()
    for word in ("C11_GPa", "points_computed", "mean_temperature_K", "elastic,done", "surfaces,done", "dynamics,done"):
        assert word in text, word
    assert "migration: states" not in text, "a share has no numbers of its own"


def test_damage_to_what_was_shared_is_found_and_mended(finished):
    before = fingerprint(finished)
    store, resolved = io.Store(finished / "tasks"), plan.read(finished)
    (share, *_) = [key for key, task in resolved.tasks.items() if task.title == "gliding: points"]
    item = next(name for name in store.result(share)["files"] if "/" in name)
    path = store.root / item
    path.write_bytes(path.read_bytes()[:-7])
    assert len(status.verify(finished, resolved)) >= 1
    assert run.drive(finished, Inline).exit_code == 0
    assert fingerprint(finished) == before


def test_dynamics_stopped_within_a_segment_is_the_same_byte_for_byte(finished, tmp_path, monkeypatch):
    """The worker is told to stop now and then; each time the next one takes up the segment where it was."""
    file, root = written(tmp_path, SHARED + 'steps = ["dynamics"]\n', STUDY + MORE), tmp_path / "run"
    run.write(file, root, run.resolve(file))
    looks = [0]

    def reason(self):
        looks[0] += 1
        return "the test says so" if looks[0] % 25 == 0 else ""

    monkeypatch.setattr(saving, "EVERY_STEPS", 1)
    stops = 0
    while run.drive(root, lambda: _Stubborn(reason, monkeypatch)).exit_code:
        stops += 1
        assert stops < 40
    assert stops >= 2
    assert any(line["event"] == "interrupted" for line in events(root))
    wanted = fingerprint(finished)
    for path, digest in fingerprint(root).items():
        if path.endswith("segment.npz"):
            assert wanted[path] == digest


class _Stubborn(Inline):
    """An engine whose work is told to stop now and then."""

    def __init__(self, reason, monkeypatch):
        super().__init__()
        self._reason, self._patch = reason, monkeypatch

    def submit(self, work, root, items):
        with self._patch.context() as patch:
            patch.setattr("simkit.workflows.campaign.stopping.Stopping.reason", self._reason)
            return super().submit(work, root, items)
