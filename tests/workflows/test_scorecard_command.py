"""simkit potentials check and compare, as a user types them."""

import json
import sys

import pytest
from ionic import rattled_labels

from simkit import cli, potential
from simkit.workflows.distill.dataset import labelled, write_extxyz, write_labels
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
