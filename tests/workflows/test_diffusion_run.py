"""The diffusion workflow: prescribed motion gives the numbers put in, and a run leaves every file it promises."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from ionic import ionic

from simkit import build, io, potential
from simkit.errors import InputError
from simkit.structure import Structure
from simkit.trajectory import FINISHED, Trajectory
from simkit.units import BOLTZMANN_EV_PER_K
from simkit.workflows import committee, diffusion, md
from simkit.workflows.diffusion.evolution import Glide, glides, history, left_layers
from simkit.workflows.diffusion.ladder import ladders
from simkit.workflows.diffusion.transport import groups, motions

SHORT = {
    "dynamics": {"temperatures_K": [600.0, 900.0], "length_ps": 0.8, "timestep_fs": 2.0, "frame_fs": 4.0},
    "transport": {"skip_ps": 0.1},
    "evolution": {"frames": 4, "patterns": 2},
}


def cell():
    """Two P2 galleries of NaxCoO2 on one of O3, 34 atoms."""
    blocks = [build.Block("P2", 2, metals={"Co": 1.0}, content=2 / 3), build.Block("O3", 1, metals={"Co": 1.0})]
    return build.intergrowth(blocks, build.ROOT3, seed=0).structure


def played(structure, positions, interval_fs=100.0, cells=None):
    """A trajectory of given positions (f, n, 3)."""
    frames, n, _ = positions.shape
    cells = np.repeat(structure.cell[None], frames, axis=0) if cells is None else cells
    zeros = np.zeros((frames, n, 3))
    return Trajectory(
        structure, np.arange(frames) * interval_fs, positions, cells, zeros, np.zeros(frames), zeros,
        np.zeros((frames, 3, 3)), 3 * n - 3, FINISHED, frames - 1, frames,
    )  # fmt: skip


def hopping(structure, rate_per_ps, seed, frames=1600, interval_fs=100.0):
    """Ions of the P2 galleries that hop at random by lattice vectors of the primitive cell, the host at rest."""
    rng = np.random.default_rng(seed)
    found = build.classify(structure)
    steps = np.concatenate([found.primitive, [-found.primitive.sum(axis=0)]])
    steps = np.concatenate([steps, -steps])
    ions = np.flatnonzero((structure.numbers == 11) & (structure.tags["phase"] == "P2"))
    hops = rng.random((frames, len(ions))) < rate_per_ps * interval_fs * 1e-3
    ways = steps[rng.integers(0, 6, hops.shape)] * hops[..., None]
    ways[0] = 0.0
    positions = np.repeat(structure.positions[None], frames, axis=0)
    positions[:, ions] += np.cumsum(ways, axis=0)
    return played(structure, positions, interval_fs), ions


def test_prescribed_hops_come_out_as_numbers():
    """D = rate a^2 / 4 in the plane; residence 1 / rate; activation as put in; nothing across the layers."""
    s, activation = cell(), 0.25
    a = build.classify(s).a_A
    config = diffusion.Transport(skip_ps=0.0, dwell_ps=0.0)
    temperatures, found, rates = (500.0, 700.0, 1000.0), [], []
    for k, temperature in enumerate(temperatures):
        rates.append(4.0 * np.exp(-activation / BOLTZMANN_EV_PER_K * (1 / temperature - 1 / 1000.0)))
        runs = [hopping(s, rates[-1], 10 * k + r)[0] for r in range(2)]
        found.append(motions(config, ("cell", temperature), runs, s))
    for one, rate in zip(found, rates, strict=True):
        assert one.replicas == 2 and not one.reason
        d = one.entry("P2", "xy").found.value_cm2_per_s
        assert d.lower * 0.8 < rate * a**2 / 4 * 1e-4 < d.upper * 1.2 and d.reach < 0.5 * d.value
        assert one.entry("P2", "z").found.value_cm2_per_s is None
        assert "not diffusive yet" in one.entry("O3", "xy").found.status
        # ions that hop back and forth within one interval of 0.1 ps are not seen: here every hop is one frame
        moving = one.hopping.jumps / (2 * 4 * 159.9)
        assert moving == pytest.approx(rate, rel=0.1)
        assert set(one.hopping.occupancy) >= {"P2 e", "P2 f", "O3 oct"}
        assert np.isinf(one.hopping.residence_ps["O3 oct"])
    (fit,) = [x for x in ladders(found) if (x.quantity, x.group, x.axes) == ("D", "P2", "xy")]
    # with three temperatures and their scatter the interval is that of one freedom, 12.7 standard errors
    assert fit.fit.activation_eV.lower < activation < fit.fit.activation_eV.upper
    assert fit.fit.activation_eV.value == pytest.approx(activation, abs=0.05)
    (charge,) = [x for x in ladders(found) if (x.quantity, x.axes) == ("sigma T", "xy")]
    (all_,) = [x for x in ladders(found) if (x.quantity, x.group, x.axes) == ("D", "all", "xy")]
    # a line through D and one through D over T times T are one
    if charge.fit and all_.fit:
        assert charge.fit.activation_eV.value == pytest.approx(all_.fit.activation_eV.value, abs=0.02)
    (jumps,) = [x for x in ladders(found) if x.quantity == "jumps"]
    assert jumps.fit.activation_eV.value == pytest.approx(activation, abs=0.03)
    (silent,) = [x for x in ladders(found) if (x.quantity, x.group, x.axes) == ("D", "O3", "xy")]
    assert silent.fit is None and "0 of 3 temperatures are known" in silent.reason


def test_ions_are_told_apart_by_gallery_and_phase():
    found = groups(cell(), "Na")
    assert {"all", "P2", "O3", "gallery 0", "gallery 1", "gallery 2"} <= set(found)
    assert sum(found[f"gallery {k}"].sum() for k in range(3)) == found["all"].sum() == 7
    foreign = Structure([11, 11, 27, 8], np.array([[0, 0, 0], [2, 2, 2], [4, 4, 4], [0, 2, 4.0]]), np.eye(3) * 6)
    assert set(groups(foreign, "Na")) == {"all"}


def test_a_glide_that_is_put_in_is_an_event():
    s = cell()
    found = build.classify(s)
    # the slab above gallery 0, with the ions above it, goes to the next letter: galleries 0 and 1 change, 2 does not
    vector = (2 * found.primitive[0] + found.primitive[1]) / 3
    moved = s.positions + np.where(found.slab_of == 1, 1.0, 0.0)[:, None] * vector
    positions = np.array([s.positions] * 3 + [moved] * 3)
    seen = history(diffusion.Evolution(frames=6, patterns=0), "x", played(s, positions))
    assert [(g.time_ps, g.gallery) for g in seen.glides] == [(pytest.approx(0.3), 0), (pytest.approx(0.3), 1)]
    names = found.stack.gaps()
    assert [g.before for g in seen.glides] == names[:2] and all(g.after != g.before for g in seen.glides)


def test_names_that_flicker_are_no_glides():
    names = [["P2", "O3"]] * 3 + [["P2", "P3"]] + [["P2", "O3"]] * 2 + [None] + [["O2", "O3"]] * 3
    times = np.arange(10.0)
    assert glides(times, names, 2) == [Glide(7.0, 0, "P2", "O2")]
    assert [g.gallery for g in glides(times, names, 1)] == [1, 1, 0]
    assert glides(times, [None] * 10, 1) == []


def test_metals_that_leave_are_counted_and_a_slab_that_moves_is_not():
    s = cell()
    metal = np.flatnonzero(s.numbers == 27)
    whole = s.positions.copy()
    whole[s.layers == s.layers[metal[0]], 2] += 2.0
    one = s.positions.copy()
    one[metal[0], 2] += 1.5
    frames = [s, s.moved_to(whole), s.moved_to(one)]
    np.testing.assert_array_equal(left_layers(frames, 1.2), [0, 0, 1])
    assert left_layers([s.with_layers(np.full(len(s), -1))], 1.2) is None


def test_a_history_reads_what_is_there():
    s = cell()
    positions = np.repeat(s.positions[None], 6, axis=0)
    oxygens = np.flatnonzero(s.numbers == 8)
    positions[4, oxygens[0]] = positions[4, oxygens[1]] + [0.0, 0.0, 1.2]
    seen = history(diffusion.Evolution(frames=6, patterns=2), "x", played(s, positions))
    assert seen.fractions["P2"][0] == pytest.approx(2 / 3) and seen.fractions["O3"][-1] == pytest.approx(1 / 3)
    assert seen.peroxides.tolist() == [0, 0, 0, 0, 1, 0] and seen.shortest_OO_A == pytest.approx(1.2)
    assert seen.patterns.shape == (2, len(seen.angles_deg)) and seen.average.shape == seen.angles_deg.shape
    assert {r.elements for r in seen.radial} == {("Co", "O"), ("Na", "O"), ("O", "O"), ("Na", "Na")}
    first = next(r for r in seen.radial if r.elements == ("Co", "O"))
    assert first.coordination(2.5) == pytest.approx(6.0, abs=0.2)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A short run of the workflow and its directory."""
    out = tmp_path_factory.mktemp("diffusion") / "run"
    config = diffusion.Config.model_validate(SHORT)
    return diffusion.run(config, ionic(), {"p2-o3": cell()}, out), out


def test_a_run_leaves_what_it_promises(finished):
    result, out = finished
    assert result.converged and any("trajectories finished: 2 of 2" in line for line in result.lines)
    for name in ("study.toml", "record.json", "results.json", "report.html", "log.jsonl", "thermo/p2-o3-600K.csv",
                 "structures/last-p2-o3-900K.extxyz", "structures/density-p2-o3-900K.cube",
                 "figures/msd.png", "figures/log.svg", "figures/stacking.png", "figures/radial.png",
                 "figures/xrd-time.png", "figures/xrd-temperature.png", "figures/van-hove.png",
                 "figures/density.png"):  # fmt: skip
        assert (out / name).stat().st_size > 200, name
    found = json.loads((out / "results.json").read_text())
    assert [s["status"] for s in found["systems"]] == ["finished"] * 2
    hot = found["transport"][1]
    assert hot["temperature_K"] == 900.0 and hot["jumps"]["rate_per_ps"] >= 0
    # 0.7 ps is no diffusion, and no number is given for one
    assert all(d["D_cm2_per_s"] is None or d["status"] == "diffusive" for d in hot["diffusivities"])
    assert found["structure"][0]["galleries_first"]["P2"] == pytest.approx(2 / 3)
    assert abs(found["systems"][0]["drift_meV_per_atom_ns"]) < 1e4
    page = (out / "report.html").read_text()
    assert "n; o; n; e" not in page and "of 2" in page and "msd" not in found["missing"]
    for one in found["structure"]:
        for glide in one["glides"]:
            assert f"gallery {glide['gallery']} {glide['before']} &gt; {glide['after']}" in page
    assert [s["name"] for s in json.loads((out / "record.json").read_text())["steps"]] == [
        "dynamics",
        "analysis",
        "report",
    ]


def test_a_run_is_made_longer_by_a_command(finished):
    _, out = finished
    result = diffusion.extend(out, 0.9, ionic())
    assert result.findings.run.steps == {"p2-o3-600K": 450, "p2-o3-900K": 450}
    with pytest.raises(InputError, match="ps long already; give a length beyond"):
        diffusion.lengthen(out, 0.5)
    study = (out / "study.toml").read_bytes()
    with pytest.raises(InputError, match="was made with something else"):
        diffusion.extend(out, 2.0, ionic(name="others"))
    assert (out / "study.toml").read_bytes() == study
    with pytest.raises(InputError, match="holds no molecular dynamics"):
        diffusion.stored(out / "figures")
    frames = io.write_extxyz(io.open_trajectories(out / "trajectories"), "p2-o3-600K", out / "x.extxyz", 50)
    assert frames == 5


def test_ions_alone_give_transport_and_no_structure(tmp_path):
    words = {**SHORT["dynamics"], "storage": {"atoms": "ions"}, "length_ps": 0.5, "temperatures_K": [600.0]}
    config = diffusion.Config.model_validate({**SHORT, "dynamics": words})
    result = diffusion.run(config, ionic(), {"x": cell()}, tmp_path / "run")
    assert not result.findings.histories and "only the ions were stored" in result.findings.missing[0]
    assert len(result.findings.motions) == 1 and result.findings.motions[0].density.ions == pytest.approx(7.0)


def test_a_committee_keeps_to_the_limits_of_the_settings_and_says_how_far_it_is_apart(tmp_path):
    model = potential.Committee([ionic("weak", 0.5), ionic("strong", 1.5)])
    words = {**SHORT["dynamics"], "length_ps": 0.1, "temperatures_K": [600.0]}
    config = diffusion.Config.model_validate(
        {**SHORT, "dynamics": words, "committee": {"spread_limit_eV_per_A": 0.01, "keep": 2}}
    )
    out = tmp_path / "run"
    result = diffusion.run(config, model, {"x": cell()}, out)
    found = json.loads((out / "results.json").read_text())
    told = found["committee"]
    assert told["spread_limit_meV_per_A"] == pytest.approx(10.0)
    assert told["doubtful_structures_saved"] == len(io.read_frames(out / committee.FILE)) <= 2
    assert told["doubtful_evaluations"] == told["committee_evaluations"] == 51
    spread = 1e3 * io.open_trajectories(out / "trajectories").column("x-600K", "frames", "energy_spread")
    (system,) = found["systems"]
    assert system["largest_energy_spread_meV_per_atom"] == pytest.approx(spread.max())
    assert system["mean_energy_spread_meV_per_atom"] == pytest.approx(spread.mean())
    (warning,) = [line for line in found["warnings"] if "distill" in line]
    assert result.lines[-1] == f"warning: {warning}"
    assert "Agreement of the committee" in (out / "report.html").read_text()
    assert diffusion.stored(out)[0].committee == config.committee
    wide = config.model_copy(update={"committee": committee.Config(spread_limit_eV_per_A=1e3)})
    calm = diffusion.run(wide, model, {"x": cell()}, tmp_path / "wide")
    assert not [line for line in calm.lines if "distill" in line]
    assert not (tmp_path / "wide" / committee.FILE).exists()


def test_a_single_potential_says_nothing_of_committees(finished):
    result, out = finished
    assert "committee" not in json.loads((out / "results.json").read_text())
    assert not [line for line in result.lines if "committee" in line]


def test_bad_settings_are_refused_before_anything_is_written(tmp_path):
    config = diffusion.Config.model_validate({"dynamics": {"fixed_slabs": [9]}})
    with pytest.raises(InputError, match="fixed_slabs = \\[9\\]"):
        diffusion.run(config, ionic(), {"x": cell()}, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(ValueError, match="must rise"):
        md.Config(heating=((1.0, 300.0), (0.5, 400.0)))
    assert SimpleNamespace(**md.Config(heating=[[0, 300], [1, 400]]).model_dump()).heating == ((0, 300), (1, 400))
