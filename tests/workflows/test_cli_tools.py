"""doctor, potentials, report, status: what a user types first."""

import json
import subprocess
import sys

import pytest

from simkit import cli
from simkit.workflows.glides.files import way_line
from simkit.workflows.hops.outputs import hop_line


def call(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["simkit", *(str(word) for word in words)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    out, err = capsys.readouterr()
    return stopped.value.code, out, err


def test_commands_start_without_torch():
    """It takes seconds to import, and most commands need none of it."""
    words = [sys.executable, "-c", "import sys; import simkit.cli.commands; sys.exit('torch' in sys.modules)"]
    assert subprocess.run(words, check=False).returncode == 0


def test_doctor_checks_the_default_potential(monkeypatch, capsys):
    code, out, err = call(monkeypatch, capsys, "doctor", "--device", "cpu")
    assert code == 0, err
    assert "self-check" in out
    assert out.rstrip().endswith("ok")
    assert "cpu" in out


def test_potentials_are_listed_and_shown(monkeypatch, capsys):
    code, out, _ = call(monkeypatch, capsys, "potentials", "list")
    assert code == 0
    assert {"default", "chgnet", "mace-mp:SIZE"} <= {line.split()[0] for line in out.splitlines()}
    code, out, _ = call(monkeypatch, capsys, "potentials", "show", "default")
    assert code == 0
    assert "limit:" in out
    code, out, _ = call(monkeypatch, capsys, "potentials", "show", "mace-mp:medium")
    assert code == 0, "a card must not need the download"
    code, _, err = call(monkeypatch, capsys, "potentials", "show", "chgnett")
    assert code == 2
    assert "did you mean" in err


def test_status_sees_a_process_that_is_gone(tmp_path, monkeypatch, capsys, finished):
    record = json.loads((finished / "record.json").read_text())
    (tmp_path / "record.json").write_text(json.dumps({**record, "status": "running", "pid": 2**22 + 1}))
    code, out, _ = call(monkeypatch, capsys, "status", tmp_path)
    assert code == 0
    assert "--resume" in out
    code, out, _ = call(monkeypatch, capsys, "status", finished)
    assert "finished" in out


def test_report_is_written_again(finished, monkeypatch, capsys):
    (finished / "report.html").unlink()
    code, _, _ = call(monkeypatch, capsys, "report", finished)
    assert code == 0
    assert (finished / "report.html").exists()
    code, _, err = call(monkeypatch, capsys, "report", finished / "steps")
    assert code == 2
    assert "results.json" in err


def test_a_folder_that_may_not_be_made_is_one_line(monkeypatch, capsys, tmp_path, tiny):
    (tmp_path / "file").write_text("x")
    code, _, err = call(monkeypatch, capsys, "run", tiny, "--out", tmp_path / "file" / "sub")
    assert code in (2, 74)
    assert len(err.strip().splitlines()) == 1


def test_numbers_that_did_not_converge_are_not_quoted():
    hop = {"name": "O3 alone", "sites": "oct-oct", "status": "not converged", "barrier_eV": None}
    assert hop_line(hop) == "O3 alone (oct-oct): not converged"
    good = {**hop, "status": "converged", "barrier_eV": 0.5, "reverse_barrier_eV": 0.4}
    assert "barrier 0.500 eV, back 0.400" in hop_line(good)
    way = {"name": "P2 alone", "mode": "held", "kind": "P2", "becomes": "O2u", "converged": False}
    assert way_line({**way, "unstable_J_per_m2": 0.1, "next_letter_J_per_m2": 0.1}).endswith("not converged")
