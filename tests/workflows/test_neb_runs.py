"""`simkit neb` in one process: run directories of files and of studies, taken up again, and what they hold."""

import json

import ase.io
import numpy as np
import pytest
from ionic import ionic

from simkit import build, io, potential
from simkit.errors import InputError
from simkit.workflows import committee, migration, paths, relax, study, under_way
from simkit.workflows.common import Hooks

SETTINGS = {
    "images": 1, "hops": "distinct", "mechanisms": ["vacancy"],
    "kinetics": {"temperatures_K": [500.0, 700.0], "replicas": 4, "jumps_per_ion": 20.0},
}  # fmt: skip
STUDY = {
    "name": "toy",
    "structure": {
        "repeats": [3, 3],
        "blocks": [
            {"phase": "P2", "gaps": 2, "metals": {"Co": 1.0}, "content": 0.6667},
            {"phase": "O3", "gaps": 1, "metals": {"Co": 1.0}, "content": 1.0},
        ],
    },
    "relax": {"fmax_eV_per_A": 0.05},
    "migration": {**SETTINGS, "number": 2, "end_fmax_eV_per_A": 0.05, "fmax_eV_per_A": 0.2},
    "paths": {"seeds": [0, 1]},
}


@pytest.fixture(scope="module")
def o3():
    model = build.bulk(build.Block("O3", 3, metals={"Co": 1.0}), repeats=(3, 3))
    return relax.run(relax.Config(), ionic(), model.structure).outcomes["structure"].structure


@pytest.fixture(scope="module")
def made(o3, tmp_path_factory):
    """A run directory of one structure."""
    out = tmp_path_factory.mktemp("files") / "run"
    settings = migration.Config(**SETTINGS)
    return out, paths.run_files(settings, {"O3": o3}, ionic(), paths.Job(out), paths.About("O3"))


def test_a_file_leaves_numbers_bands_pictures_and_a_page(made):
    out, result = made
    assert result.converged, result.lines
    found = json.loads((out / "results.json").read_text())
    (hop,) = found["migration"]
    assert hop["multiplicity"] == 81
    assert hop["sites_found_by"] == "layers"
    assert hop["alike_by"] == "space group"
    assert hop["reaction_energy_eV"] == pytest.approx(hop["barrier_eV"] - hop["reverse_barrier_eV"], abs=1e-9)
    along = {(way["region"], way["axis"]): way["barrier_eV"] for way in found["networks"][0]["percolation"]}
    assert along["O3", "a"] == pytest.approx(hop["barrier_eV"], abs=5e-3)
    assert along["O3", "c"] is None
    graph = json.loads((out / "networks.json").read_text())[0]
    assert len(graph["ends"]) == len(graph["barriers_eV"]) == 81
    pictures = {path.name for path in (out / "figures").iterdir()}
    for stem in ("barriers", "heights-O3", "histogram", "network-O3-vacancy", "diffusion"):
        assert {f"{stem}.png", f"{stem}.svg"} <= pictures
    page = (out / "report.html").read_text()
    for words in ("The network they make", "bottleneck", "What it cost", "The potential"):
        assert words in page


def test_a_committee_is_asked_and_says_how_far_it_is_apart(o3, tmp_path):
    model = potential.Committee([ionic("weak", 0.5), ionic("strong", 1.5)])
    settings = migration.Config(**{**SETTINGS, "number": 1})
    about = paths.About("O3", committee=committee.Config(spread_limit_eV_per_A=1e-3))
    result = paths.run_files(settings, {"O3": o3}, model, paths.Job(tmp_path / "run"), about)
    found = json.loads((tmp_path / "run" / "results.json").read_text())
    (hop,) = found["migration"]
    assert hop["barrier_spread_eV"] == pytest.approx(np.std([0.5, 1.5], ddof=1) * hop["barrier_eV"], rel=1e-6)
    (warning,) = [line for line in found["warnings"] if "distill" in line]
    assert f"warning: {warning}" in result.lines
    assert result.converged, "doubt of a committee is no failure to converge"
    assert found["committee"]["steps"]["migration"]["doubtful_evaluations"] > 0
    assert "Agreement of the committee" in (tmp_path / "run" / "report.html").read_text()


def test_ase_opens_the_band(made):
    out, result = made
    (file,) = (out / "trajectories").glob("*.extxyz")
    frames = ase.io.read(file, ":")
    path = result.found.hops[0].path
    assert [frame.info["energy_eV"] for frame in frames] == pytest.approx(path.energies_eV.tolist(), abs=1e-6)
    np.testing.assert_allclose(frames[1].positions, path.images[1].positions, atol=1e-6)
    assert result.to_ase().keys() == {result.found.hops[0].name}


def test_taking_up_a_finished_run_asks_the_model_nothing(made, o3):
    out, result = made
    counted = potential.Counted(ionic())
    settings, about = migration.Config(**SETTINGS), paths.About("O3")
    with pytest.raises(InputError, match="--resume"):
        paths.run_files(settings, {"O3": o3}, counted, paths.Job(out), about)
    again = paths.run_files(settings, {"O3": o3}, counted, paths.Job(out, resume=True), about)
    assert counted.cost.evaluations == 0
    assert again.found.hops[0].path.barrier_eV == result.found.hops[0].path.barrier_eV
    moved = o3.moved_to(o3.positions + 0.01)
    with pytest.raises(InputError, match="another study"):
        paths.run_files(settings, {"O3": moved}, counted, paths.Job(out, resume=True), about)


class Killed(Exception):
    """The run was stopped from outside."""


def hooks_in(folder, killed_at=None, seen=None):
    """Hooks that keep all in a run directory; the run ends so many steps into its bands. seen: steps of bands."""
    directory = io.RunDirectory(folder, "key")

    def watch(label):
        def observer(step, summary):
            if label.startswith("bands"):
                seen.append(step)
                if step == killed_at:
                    raise Killed

        return observer

    return Hooks(directory.step, watch, under_way=under_way.UnderWay(directory))


def test_an_unfinished_band_goes_on_where_it_was(o3, tmp_path, monkeypatch):
    """Bit for bit as if nothing had happened, though some of the bands had ended and were kept before the kill."""
    monkeypatch.setattr(under_way, "LEAST_S", 0.0)
    settings = migration.Config(**{**SETTINGS, "mechanisms": ["vacancy", "divacancy"], "number": 3})
    whole = migration.run(settings, ionic(), {"O3": o3}).hops
    last = max(hop.path.steps for hop in whole)
    assert min(hop.path.steps for hop in whole) < last
    with pytest.raises(Killed):
        migration.run(settings, ionic(), {"O3": o3}, hooks_in(tmp_path, last - 1, []))
    assert 0 < len(list((tmp_path / "steps").glob("*-hop-*.npz"))) < len(whole)
    resumed = potential.Counted(ionic())
    again = migration.run(settings, resumed, {"O3": o3}, hooks_in(tmp_path, None, seen := [])).hops
    assert seen == [last - 1, last]  # a step is told before it is saved
    assert not list((tmp_path / "steps" / "under-way").iterdir())
    for ours, theirs in zip(again, whole, strict=True):
        assert (ours.path.steps, ours.path.evaluations) == (theirs.path.steps, theirs.path.evaluations)
        np.testing.assert_array_equal(ours.path.energies_eV, theirs.path.energies_eV)
    # what is asked again: both ends and the first guesses of each band, two images up to five ways, and the last steps
    assert resumed.cost.evaluations <= len(whole) * (2 + 2 * 5 + 2)


@pytest.mark.slow
def test_a_study_compares_every_seed_with_its_phases(tmp_path):
    result = paths.run(study.settings(STUDY), paths.Job(tmp_path / "run"), model=ionic())
    found = json.loads((tmp_path / "run" / "results.json").read_text())
    labels = {hop["structure"] for hop in found["migration"]}
    assert labels == {f"{name}, seed {s}" for s in (0, 1) for name in ("P2/O3", "P2 alone", "O3 alone")}
    places = {(p["variant"], p["place"]) for p in found["comparison"]}
    for seed in (0, 1):
        assert {(f"P2/O3, seed {seed}", p) for p in ("P2", "O3", "P2 alone", "O3 alone")} <= places
    cells = {label: io.read(tmp_path / "run" / "structures" / f"{io.file_name(label)}.extxyz") for label in labels}
    for seed in (0, 1):
        whole = cells[f"P2/O3, seed {seed}"]
        for phase in ("P2", "O3"):
            # the same in-plane lattice; files hold 8 digits or more
            np.testing.assert_allclose(cells[f"{phase} alone, seed {seed}"].cell[:2], whole.cell[:2], atol=1e-6)
    assert result.summary["headline"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"paths": {"contents": [1.5]}}, "contents lie above 0"),
        ({"paths": {"sedes": [1]}}, "did you mean|nearest|seeds"),
        ({"migration": {"hops": "each"}}, "migration.hops"),
        ({"migration": {"mechanisms": []}}, "migration.mechanisms"),
    ],
)
def test_a_study_that_cannot_be_is_refused_before_anything_is_made(change, words, tmp_path):
    with pytest.raises(InputError, match=words):
        paths.run(study.settings({**STUDY, **change}), paths.Job(tmp_path / "run"), model=ionic())
    assert not (tmp_path / "run").exists()


def test_a_file_without_a_hop_leaves_nothing_behind(o3, tmp_path):
    with pytest.raises(InputError, match="no mobile ion"):
        settings = migration.Config(**SETTINGS, ion="K")
        paths.run_files(settings, {"O3": o3}, ionic(), paths.Job(tmp_path / "run"), paths.About("O3"))
    assert not (tmp_path / "run").exists()
