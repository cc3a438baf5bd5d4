"""Powder patterns over ion content and temperature: Bragg's law from the numbers beside them, files, requests."""

import json

import numpy as np
import pytest
from ionic import ionic
from typer.testing import CliRunner

from simkit import build, io, potential
from simkit.cli import mechanics
from simkit.cli.commands import app
from simkit.errors import InputError
from simkit.workflows import committee, xrd

CU_KA_A = 1.54184
"""Mean of the doublet, as pymatgen has it."""


@pytest.fixture(scope="module")
def cell():
    """O3-NaCoO2, three slabs, 12 formula units."""
    return build.bulk(build.Block("O3", 3, metals={"Co": 1.0}), (2, 2), seed=0).structure


@pytest.fixture(scope="module")
def charging(cell, tmp_path_factory):
    """Three contents, relaxed."""
    config = xrd.Config(contents=(1.0, 0.75, 0.5))
    return xrd.run(config, ionic(), {"o3": cell}, tmp_path_factory.mktemp("x"))


def test_contents_are_reached_and_patterns_obey_bragg(charging):
    """The first peak of a stack is that of its slabs: 2 d sin(theta) = lambda, to half a step of the angles."""
    assert [round(p.content, 9) for p in charging.points] == [0.5, 0.75, 1.0]
    assert charging.converged and all(p.galleries == {"O3": 1.0} for p in charging.points)
    for p in charging.points:
        expected = 2.0 * np.degrees(np.arcsin(CU_KA_A / (2.0 * p.spacing_A)))
        low = charging.angles_deg < expected + 2.0
        found = charging.angles_deg[low][np.argmax(p.intensity[low])]
        assert abs(found - expected) < 0.03
        assert p.volume_A3 == pytest.approx(np.sqrt(0.75) * p.a_A**2 * p.spacing_A, rel=5e-3)  # distorted a little
    assert np.ptp([p.spacing_A for p in charging.points]) > 0.02  # each is relaxed at its own content


def test_the_map_shows_what_the_points_hold(charging):
    figures = xrd.figures(charging)
    assert set(figures) == {"xrd-content"}
    _, spare_a, spare_c, field, a, spacing = figures["xrd-content"].axes
    np.testing.assert_allclose(spacing.get_lines()[0].get_xdata(), [p.spacing_A for p in charging.points])
    np.testing.assert_allclose(a.get_lines()[0].get_ydata(), [0.5, 0.75, 1.0])
    assert field.get_ylim() == (1.0, 0.5)  # charging goes upwards
    assert field.get_ylabel() == "Na per formula unit" and not spare_a.axison and not spare_c.axison


def test_warm_cells_diffract_as_their_mean(cell, tmp_path):
    config = xrd.Config(
        contents=(1.0, 0.5), temperatures_K=(100.0, 300.0), warm={"length_ps": 0.1, "timestep_fs": 2, "frame_fs": 10}
    )
    found = xrd.run(config, ionic(), {"o3": cell}, tmp_path)
    assert [(p.content, p.temperature_K) for p in found.points] == [(0.5, 100), (0.5, 300), (1.0, 100), (1.0, 300)]
    run = io.open_trajectories(tmp_path / "trajectories").trajectory("o3-x1.000-300K")
    late = slice(len(run) // 2, None)
    mean = (run.positions[late] @ np.linalg.inv(run.cells[late])).mean(axis=0)
    np.testing.assert_allclose(found.points[3].structure.fractional, mean, atol=1e-6)  # stored in single precision
    assert set(xrd.figures(found)) == {f"xrd-{over}-{k}" for over in ("content", "temperature") for k in (1, 2)}


def test_requests_that_make_no_course_are_told(cell, tmp_path):
    with pytest.raises(InputError, match=r"cannot be brought to 1\.2"):
        xrd.run(xrd.Config(contents=(1.2, 0.5)), ionic(), {"o3": cell}, tmp_path)
    with pytest.raises(InputError, match="same Na content"):
        xrd.run(xrd.Config(), ionic(), {"a": cell, "b": cell}, tmp_path)
    with pytest.raises(InputError, match="no anion"):
        xrd.run(xrd.Config(), ionic(), cell.take(cell.numbers != 8), tmp_path)


def test_the_command_draws_files_as_they_come(cell, tmp_path):
    names = []
    for share in (0.0, 0.5, 0.75):
        names.append(str(tmp_path / f"cell-{share}.extxyz"))
        io.write(names[-1], build.charged(cell, share))
    out = tmp_path / "run"
    words = ["xrd", *names, "--as-given", "--potential", "lj", "--out", str(out)]
    told = CliRunner().invoke(app, words, catch_exceptions=False)
    assert told.exit_code == 0 and "Na 0.250" in told.output
    results = json.loads((out / "results.json").read_text())
    assert [p["content_per_formula_unit"] for p in results["points"]] == pytest.approx([0.25, 0.5, 1.0])
    assert results["points"][2]["peaks"][0]["two_theta_deg"] == pytest.approx(16.7, abs=0.6)
    pattern = np.loadtxt(out / "patterns" / "cells-as-given-x1.000.csv", delimiter=",", skiprows=1)
    assert pattern.shape == (801, 2)
    page = (out / "report.html").read_text()
    assert "xrd-content" in page or "Powder patterns over the ion content" in page
    assert (out / "figures" / "xrd-content.png").exists()
    again = CliRunner().invoke(app, [*words, "--resume"], catch_exceptions=False)
    assert again.exit_code == 0


@pytest.fixture
def members(monkeypatch):
    """Two members whose energies and forces differ by a factor, in place of what the command would load."""
    model = potential.Committee([ionic("weak", 0.5), ionic("strong", 1.5)])
    monkeypatch.setattr(mechanics.potential, "load", lambda *words, **more: model)
    return model


def test_the_command_says_how_far_a_committee_is_apart(cell, members, tmp_path):
    given, out = tmp_path / "o3.extxyz", tmp_path / "run"
    io.write(given, cell)
    limits = ["--set", "committee.spread_limit_eV_per_A=0.001", "--set", "committee.keep=3"]
    words = ["xrd", str(given), "--content", "1.0", "--content", "0.5", "--out", str(out), *limits]
    told = CliRunner().invoke(app, words, catch_exceptions=False)
    assert told.exit_code == 0
    results, record = (json.loads((out / name).read_text()) for name in ("results.json", "record.json"))
    whole = results["committee"]
    assert whole["committee_evaluations"] == record["steps"][0]["model_evaluations"]
    assert whole["spread_limit_meV_per_A"] == pytest.approx(1.0)
    assert whole["doubtful_structures_saved"] == len(io.read_frames(out / committee.FILE)) <= 3
    (warning,) = [line for line in results["warnings"] if "distill" in line]
    assert f"warning: {warning}" in told.output and "committee of 2 models" in told.output
    assert "Agreement of the committee" in (out / "report.html").read_text()
    for point in results["points"]:
        e = members.evaluate([io.read(out / "structures" / f"{point['name']}.extxyz")])[0]
        assert point["energy_spread_meV_per_atom"] == pytest.approx(1e3 * e.spread.energy, rel=1e-6)
        assert point["force_spread_meV_per_A"] == pytest.approx(1e3 * e.spread.largest, rel=1e-3)  # file: 8 digits
    again = CliRunner().invoke(app, [*words, "--resume"], catch_exceptions=False)
    assert again.exit_code == 0 and warning[:60] in again.output


def test_the_command_says_nothing_of_committees_for_a_single_potential(cell, tmp_path):
    io.write(tmp_path / "o3.extxyz", cell)
    words = ["xrd", str(tmp_path / "o3.extxyz"), "--as-given", "--potential", "lj", "--out", str(tmp_path / "run")]
    told = CliRunner().invoke(app, words, catch_exceptions=False)
    assert "committee" not in told.output
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert "committee" not in results and not [key for key in results["points"][0] if "spread" in key]


def test_warm_cells_carry_the_spread_of_the_frames_they_are_means_of(cell, members, tmp_path):
    warm = {"length_ps": 0.1, "timestep_fs": 2, "frame_fs": 10}
    config = xrd.Config(contents=(0.5,), temperatures_K=(300.0,), relaxed=False, warm=warm)
    (point,) = xrd.run(config, members, {"o3": cell}, tmp_path).points
    run = io.open_trajectories(tmp_path / "trajectories").trajectory("o3-x0.500-300K")
    late = 1e3 * run.energy_spread[len(run) // 2 :]
    assert point.spreads["mean_energy_spread_meV_per_atom"] == pytest.approx(late.mean())
    assert point.spreads["largest_energy_spread_meV_per_atom"] == pytest.approx(late.max())
