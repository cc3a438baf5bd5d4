"""The commands of molecular dynamics: mistakes are told before a model is read, stored runs are written out."""

import numpy as np
import pytest
from typer.testing import CliRunner

from simkit import io, potential
from simkit.cli.commands import app
from simkit.errors import InputError
from simkit.structure import Structure
from simkit.workflows import committee, diffusion, md


def crystal():
    """Sixteen atoms of aluminium."""
    base = np.array([[0, 0, 0], [0.5, 0.5, 0], [0, 0.5, 0.5], [0.5, 0, 0.5]]) * 3.95
    return Structure(np.full(4, 13), base, np.eye(3) * 3.95).repeated(2, 2, 1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["md"], "name at least one structure file"),
        (["md", "--resume", "--temperature", "300"], "give --out and the potential, nothing else"),
        (["md", "--resume", "--out", "nowhere"], "nowhere holds no molecular dynamics"),
        (["md", "x.cif", "--ensemble", "nvx"], "dynamics.ensemble = 'nvx'"),
        (["md", "x.cif", "--set", "dynamics.lenght_ps=3"], "did you mean 'length_ps'"),
        (["md", "x.cif", "--set", "committee.spread_limit=3"], "did you mean 'spread_limit_eV_per_A'"),
        (["md", "x.cif", "--set", "committee.keep=0"], "committee.keep = 0"),
        (["md", "x.cif", "--set", "dynamics.heating=[[1,300],[0,400]]"], "must rise"),
        (["md", "x.cif"], "no such file"),
        (["md-extend", "nowhere", "--length-ps", "5"], "nowhere holds no molecular dynamics"),
        (["md-export", "nowhere"], "holds no trajectories"),
    ],
)
def test_mistakes_are_told(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, words)
    assert isinstance(result.exception, InputError) and message in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_trajectories_are_listed_and_written(tmp_path):
    config = md.Config(temperatures_K=(300.0,), length_ps=0.04, timestep_fs=2.0, frame_fs=10.0)
    md.simulate(config, potential.morse(cutoff_A=4.5), {"al": crystal()}, tmp_path)
    runner = CliRunner()
    assert runner.invoke(app, ["md-export", str(tmp_path)]).stdout == "al-300K: 5 frames\n"
    file = tmp_path / "x.extxyz"
    told = runner.invoke(app, ["md-export", str(tmp_path), "al-300K", "--to", str(file), "--every", "2"])
    assert told.exit_code == 0 and "3 frames of al-300K" in told.stdout
    assert [f.metadata["time_fs"] for f in io.read_frames(file)] == [0.0, 20.0, 40.0]


def test_the_limits_of_a_committee_are_taken_from_the_command(tmp_path):
    file, out = tmp_path / "al.extxyz", tmp_path / "run"
    io.write(file, crystal())
    limits = ["--set", "committee.spread_limit_eV_per_A=1e-4", "--set", "committee.keep=1"]
    words = ["md", str(file), "--out", str(out), "--potential", "committee:lj,morse", "--length-ps", "0.02", *limits]
    told = CliRunner().invoke(app, words, catch_exceptions=False)
    assert "warning: The members of the committee are more than 0 meV" in told.stdout
    assert len(io.read_frames(out / committee.FILE)) == 1
    assert diffusion.stored(out)[0].committee == committee.Config(spread_limit_eV_per_A=1e-4, keep=1)
