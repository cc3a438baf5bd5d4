"""simkit potentials check and compare, as a user types them."""

import gzip
import json
import pickle
import shutil
import sys
from importlib import resources
from pathlib import Path

import pytest
from ionic import rattled_labels

from simkit import cli, potential
from simkit.cli.potentials import taught_by
from simkit.potential import Card
from simkit.workflows.distill.dataset import checksum, labelled, write_extxyz, write_labels
from simkit.workflows.scorecard import Scorecard


@pytest.fixture(scope="module")
def labels():
    return rattled_labels()


def call(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["simkit", *(str(word) for word in words)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    out, err = capsys.readouterr()
    return stopped.value.code, out, err


def test_check_prints_and_saves_the_table(monkeypatch, capsys, tmp_path, labels):
    own = potential.load("morse")
    said = [labelled(label.structure, own.evaluate([label.structure])[0], "O3", "md300") for label in labels]
    write_extxyz(tmp_path / "held.extxyz", said)
    words = ("check", "morse", "--labels", tmp_path / "held.extxyz", "--row", "errors", "--quick", "--out", tmp_path)
    code, out, err = call(monkeypatch, capsys, "potentials", *words, "--strict")
    assert code == 0, err
    assert "5 of 5 met." in out, "its own labels, and forces that are the slope of its energy"
    card = Scorecard.from_dict(json.loads((tmp_path / "scorecard.json").read_text()))
    assert card.met
    assert card.teacher is None
    assert [row.name for row in card.rows] == ["forces", "errors"]
    assert (tmp_path / "scorecard.md").read_text() in out


def test_compare_misses_goals_and_only_strict_makes_that_an_error(monkeypatch, capsys, tmp_path, labels):
    write_labels(tmp_path / "held.npz", labels)
    words = ("compare", "morse", "lj", "--labels", tmp_path / "held.npz", "--row", "errors", "--out", tmp_path / "new")
    code, out, err = call(monkeypatch, capsys, "potentials", *words)
    assert code == 0, err
    assert "missed" in out
    heads = next(line for line in out.splitlines() if "quantity" in line)
    assert [cell.strip() for cell in heads.strip("|").split("|")] == ["case", "quantity", "morse", "lj", "difference"]
    code, _, _ = call(monkeypatch, capsys, "potentials", *words, "--strict")
    assert code == 1


def test_what_check_cannot_do_is_one_line(monkeypatch, capsys, tmp_path):
    code, _, err = call(monkeypatch, capsys, "potentials", "compare", "lj", "morse", "--row", "speeed")
    assert code == 2
    assert "rows" in err
    assert "speed" in err
    missing = tmp_path / "nothing.extxyz"
    words = ("compare", "lj", "morse", "--labels", missing, "--out", tmp_path / "out")
    code, _, err = call(monkeypatch, capsys, "potentials", *words)
    assert code == 2
    assert "--labels" in err
    assert not (tmp_path / "out").exists()


def student(folder, teacher):
    """The embedded model in a folder, as one that another teacher is said to have made; its spec."""
    embedded = resources.files("simkit.potentials")
    record = json.loads(embedded.joinpath("nalox.json").read_text())
    record["card"] |= {"name": "mine", "teacher": teacher}
    (folder / "mine.json").write_text(json.dumps(record))
    shutil.copy(str(embedded.joinpath("nalox.safetensors")), folder / "mine.safetensors")
    return f"simkit:{folder / 'mine.json'}"


def saved(folder):
    return Scorecard.from_dict(json.loads((folder / "scorecard.json").read_text()))


class Payload:
    """What an attacker pickles: it leaves a file when it is loaded."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def test_check_never_unpickles_on_the_word_of_a_card(monkeypatch, capsys, tmp_path):
    mark, evil = tmp_path / "ran", tmp_path / "evil.model"
    evil.write_bytes(pickle.dumps(Payload(mark)))
    spec = student(tmp_path, f"mace:{evil}?trust=evil.model")
    words = ("check", spec, "--row", "errors", "--quick", "--out", tmp_path / "out")
    code, _, err = call(monkeypatch, capsys, "potentials", *words)
    assert not mark.exists()
    assert code == 0, err
    assert "stand alone" in err and f"mace:{evil}" in err and "word of a card" in err and "--teacher" in err
    assert saved(tmp_path / "out").teacher is None
    for hidden in (f"committee:lj,mace:{evil}?trust=evil.model", f"mace:{evil}?%74rust=evil.model", f"mace:{evil}"):
        assert taught_by(Card("mine", "mace", "", teacher=hidden), "cpu") is None
        assert "stand alone" in capsys.readouterr().err
        assert not mark.exists(), hidden
    code, _, err = call(monkeypatch, capsys, "potentials", *words, "--teacher", f"mace:{evil}?trust=evil.model")
    assert mark.exists(), "the user's own word counts: without it the file would prove nothing"
    assert code != 0


def test_check_of_a_model_whose_teacher_cannot_be_loaded_stands_alone(monkeypatch, capsys, tmp_path):
    spec = student(tmp_path, "EMT")
    words = ("check", spec, "--row", "errors", "--quick", "--out", tmp_path / "out")
    code, out, err = call(monkeypatch, capsys, "potentials", *words)
    assert code == 0, err
    assert "stand alone" in err and "unknown potential 'EMT'" in err
    assert "no labels: give --labels FILE" in out
    assert saved(tmp_path / "out").teacher is None
    code, _, err = call(monkeypatch, capsys, "potentials", *words, "--teacher", "EMT")
    assert code == 2 and "unknown potential 'EMT'" in err, "what the user names is not passed over"
    gone = Card("mine", "mace", "", teacher="simkit:gone/teacher.json")
    assert taught_by(gone, "cpu") is None
    assert "no such model file: gone/teacher.json" in capsys.readouterr().err
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "bad.safetensors").touch()
    assert taught_by(Card("mine", "mace", "", teacher=f"simkit:{tmp_path / 'bad.json'}"), "cpu") is None
    assert "is no JSON" in capsys.readouterr().err
    assert taught_by(Card("mine", "mace", "", teacher="morse"), "cpu").card.name == potential.load("morse").card.name
    assert not capsys.readouterr().err


def test_alone_asks_no_teacher_and_takes_the_labels_beside_the_model(monkeypatch, capsys, tmp_path, labels):
    spec = student(tmp_path, "morse")
    write_extxyz(tmp_path / "held-out.extxyz", labels)
    (tmp_path / "mine.record.json").write_text(json.dumps({"held_out_sha256": checksum(labels)}))
    words = ("check", spec, "--row", "errors", "--quick", "--out", tmp_path / "out")
    code, _, err = call(monkeypatch, capsys, "potentials", *words, "--alone")
    assert code == 0, err
    assert f"labels: {tmp_path / 'held-out.extxyz'}" in err and "mine.record.json" in err
    card = saved(tmp_path / "out")
    assert card.teacher is None
    assert next(line.own for line in card.row("errors").lines if line.quantity == "structures") == len(labels)
    code, _, err = call(monkeypatch, capsys, "potentials", *words, "--alone", "--teacher", "morse")
    assert code == 2 and "--alone" in err


def test_labels_of_others_are_left_out_and_the_table_says_why(monkeypatch, capsys, tmp_path, labels):
    spec = student(tmp_path, "morse")
    write_extxyz(tmp_path / "held-out.extxyz", labels[:2])
    (tmp_path / "mine.record.json").write_text(json.dumps({"held_out_sha256": checksum(labels)}))
    words = ("compare", spec, "morse", "--row", "errors", "--quick", "--out", tmp_path / "out", "--strict")
    code, _, err = call(monkeypatch, capsys, "potentials", *words)
    assert code == 0, "no goal is missed where there is nothing to hold against one"
    (problem,) = saved(tmp_path / "out").row("errors").problems
    assert problem in err
    assert "held-out.extxyz is not what mine.record.json names" in problem and "--labels" in problem
    own = tmp_path / "own.extxyz.gz"
    own.write_bytes(gzip.compress((tmp_path / "held-out.extxyz").read_bytes()))
    call(monkeypatch, capsys, "potentials", *words, "--labels", own)
    row = saved(tmp_path / "out").row("errors")
    assert row.problems == () and row.verdicts, "what the user names is taken as it is"


def test_compare_asks_the_other_only_about_labels_of_both(monkeypatch, capsys, tmp_path, labels):
    """A student of another teacher is not wrong where it differs from the labels of this one."""
    spec = student(tmp_path, "morse")
    write_extxyz(tmp_path / "held-out.extxyz", labels)
    (tmp_path / "mine.record.json").write_text(json.dumps({"held_out_sha256": checksum(labels)}))
    fellow = spec.replace("mine.json", "mine-2.json")
    for ending in ("json", "safetensors"):
        shutil.copy(tmp_path / f"mine.{ending}", tmp_path / f"mine-2.{ending}")
    for other, asked in (("morse", False), (fellow, True)):
        words = ("compare", spec, other, "--row", "errors", "--quick", "--out", tmp_path / "out")
        code, _, err = call(monkeypatch, capsys, "potentials", *words)
        assert code == 0, err
        row = saved(tmp_path / "out").row("errors")
        assert all(line.own is not None for line in row.lines)
        assert all((line.other is not None) == asked for line in row.lines)
        assert any(words.startswith(f"{other} is not asked") for words in row.problems) == (not asked)
