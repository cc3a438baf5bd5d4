"""Run directories: killed writes, other versions, torn logs."""

import json

import pytest

from simkit.errors import InputError
from simkit.io.rundir import open_run

STUDY = "seed = 0\n"


def test_a_run_killed_before_its_study_was_written_is_new_again(tmp_path):
    (tmp_path / ".study.toml.abc123.tmp").write_bytes(b"half")
    open_run(tmp_path, STUDY, {"model": "a"}, resume=True)
    assert (tmp_path / "study.toml").read_text() == STUDY
    assert not list(tmp_path.glob(".*.tmp"))


def test_a_run_killed_between_its_first_two_files_is_new_again(tmp_path):
    (tmp_path / "identity.json").write_text('{"model": "old"}')
    open_run(tmp_path, STUDY, {"model": "a"}, resume=False)
    assert json.loads((tmp_path / "identity.json").read_text()) == {"model": "a"}


def test_another_model_or_version_is_refused_by_name_and_nothing_is_touched(tmp_path):
    run = open_run(tmp_path, STUDY, {"model": "a", "simkit": "1"}, resume=False)
    run.step("one", lambda: 1)
    with pytest.raises(InputError, match="model was 'a', is 'b'"):
        open_run(tmp_path, STUDY, {"model": "b", "simkit": "1"}, resume=True)
    assert (tmp_path / "steps" / "one.npz").exists()


def test_a_torn_log_line_does_not_swallow_the_next(tmp_path):
    run = open_run(tmp_path, STUDY, {}, resume=False)
    run.log("one")
    with (tmp_path / "log.jsonl").open("a") as stream:
        stream.write('{"event": "to')
    run.log("two")
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in (lines[0], lines[2])] == ["one", "two"]


def test_labels_become_plain_file_names(tmp_path):
    run = open_run(tmp_path, STUDY, {}, resume=False)
    run.step("gliding P2/O3 (2)", lambda: 1)
    assert (tmp_path / "steps" / "gliding-P2-O3-2.npz").exists()
    kept = {f"strain {x:+.2f} {sign:+d}": 10 * x + sign for x in (-0.5, 0.5) for sign in (-1, 1)}
    for name, value in kept.items():
        assert run.step(name, lambda value=value: value) == value
    assert {name: run.step(name, lambda: None) for name in kept} == kept
    for name in ("P2/O3", "P2 O3", "P2-O3", "P2/O3"):
        assert run.step(name, lambda name=name: name) == name


def test_two_processes_never_share_a_run(tmp_path):
    first = open_run(tmp_path, STUDY, {}, resume=False)
    with pytest.raises(InputError, match="in use"):
        open_run(tmp_path, STUDY, {}, resume=True)
    first.lock.close()
    open_run(tmp_path, STUDY, {}, resume=True)


def test_studies_that_differ_are_told_apart_by_key(tmp_path):
    open_run(tmp_path, "[migration]\nimages = 3\n", {}, resume=False)
    with pytest.raises(InputError, match=r"migration\.images: 3 there, 5 here"):
        open_run(tmp_path, "[migration]\nimages = 5\n", {}, resume=True)
