"""Molecular dynamics in a folder: what is stored, runs taken up bit for bit, damage survived."""

import os
import signal
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from simkit import io, potential, solve
from simkit.errors import CorruptFileError, InputError, Interrupted
from simkit.io.segments import parts
from simkit.structure import Structure
from simkit.workflows import md
from simkit.workflows.common import Hooks
from simkit.workflows.md.stopping import stop_on_signals

MORSE = potential.morse(cutoff_A=4.5)
SHORT = {"temperatures_K": (300.0, 500.0), "length_ps": 0.2, "timestep_fs": 2.0, "frame_fs": 10.0, "save_ps": 0.05}


def crystal(n=1, number=13, rattle=0.03):
    """An fcc crystal with a slab for each layer along z."""
    base = np.array([[0, 0, 0], [0.5, 0.5, 0], [0, 0.5, 0.5], [0.5, 0, 0.5]]) * 3.95
    layers = np.array([0, 0, 1, 1])
    one = Structure(np.full(4, number), base, np.eye(3) * 3.95, layers=layers).repeated(2, 2, n)
    noise = np.random.default_rng(1).normal(0, rattle, one.positions.shape)
    return one.moved_to(one.positions + noise).with_tags(site=np.array(["TM", "O"])[one.layers])


CELLS = {"small": crystal(), "large": crystal(2, 29)}


def contents(run):
    """Every stored number of a run."""
    return {
        (name, kind, column): run.column(name, kind, column)
        for name in run.names
        for kind in ("frames", "log")
        for column in run.columns(name, kind)
    }


def same(a, b):
    """Two runs are one, bit for bit."""
    a, b = contents(a), contents(b)
    assert a.keys() == b.keys() and len(a) > 0
    for key in a:
        np.testing.assert_array_equal(a[key], b[key], err_msg=str(key))


def stopping_at(step):
    """Hooks that send this process a signal after some step."""

    def told(now, facts):
        if now == step:
            os.kill(os.getpid(), signal.SIGTERM)

    return Hooks(watch=lambda label: told)


def test_what_is_stored_is_what_the_solver_did(tmp_path):
    storage = {"velocities": True, "forces": True, "single": False}
    config = md.Config(**SHORT, ensemble="npt", storage=storage)
    result = md.simulate(config, MORSE, CELLS, tmp_path)
    assert result.finished and result.steps["small-300K"] == 100
    assert result.run.names == ("small-300K", "small-500K", "large-300K", "large-500K")
    settings = solve.MdSettings("rescale", every=5)
    direct = solve.run_md(
        [CELLS[k] for k in ("small", "small", "large", "large")], MORSE, "npt", temperature_K=[300, 500] * 2,
        timestep_fs=2.0, steps=100, seed=0, settings=settings,
    )  # fmt: skip
    for name, wanted in zip(result.run.names, direct, strict=True):
        t = result.run.trajectory(name)
        for column in ("positions", "cells", "velocities_A_per_fs", "energy", "forces", "stress"):
            np.testing.assert_allclose(getattr(t, column), getattr(wanted, column), rtol=0, atol=1e-15)
        np.testing.assert_allclose(t.time_fs, wanted.time_fs, rtol=1e-12)
        np.testing.assert_array_equal(t.structure.tags["site"], wanted.structure.tags["site"])
        log = {c: result.run.column(name, "log", c) for c in result.run.columns(name, "log")}
        np.testing.assert_allclose(log["temperature_K"], wanted.temperature_K, rtol=1e-12)
        np.testing.assert_allclose(log["volume_A3"], np.linalg.det(wanted.cells), rtol=1e-12)
        assert "conserved_eV" not in log
    assert result.run.systems["large-500K"].facts["temperature_K"] == 500.0
    assert result.run.trajectory("small-300K", every=4).time_fs[1] == pytest.approx(40.0)


def test_only_what_is_asked_for_is_stored(tmp_path):
    mixed = crystal(2)
    mixed = Structure(np.where(mixed.layers == 1, 11, 29), mixed.positions, mixed.cell, layers=mixed.layers)
    config = md.Config(**SHORT, storage={"atoms": "ions", "virials": True})
    result = md.simulate(config, MORSE, {"x": mixed}, tmp_path)
    t = result.run.trajectory("x-300K")
    assert set(t.structure.symbols) == {"Na"} and t.velocities_A_per_fs is None and t.forces is None
    assert (
        t.positions.dtype == np.float64 and np.abs(t.positions[0] - mixed.positions[mixed.numbers == 11]).max() < 1e-6
    )
    virials = result.run.column("x-300K", "frames", "virials")
    assert virials.shape == (21, 16, 3, 3) and virials.dtype == np.float32
    exact = MORSE.evaluate([mixed], virials=True)[0].virials[mixed.numbers == 11]
    np.testing.assert_allclose(virials[0], exact, atol=1e-5)
    np.testing.assert_allclose(t.rest_centre[0], mixed.positions[mixed.numbers == 29].mean(axis=0), atol=1e-12)
    with pytest.raises(InputError, match="velocities of this trajectory were not stored"):
        _ = t.kinetic_eV
    with pytest.raises(InputError, match="'velocities' is not stored in frames"):
        result.run.column("x-300K", "frames", "velocities")
    with pytest.raises(InputError, match="did you mean 'x-300K'"):
        result.run.trajectory("x-30K")


@pytest.mark.parametrize("ensemble", ["nve", "nvt", "npt"])
@pytest.mark.parametrize("step", [5, 40])
def test_a_stopped_run_taken_up_equals_an_uninterrupted_one(tmp_path, ensemble, step):
    config = md.Config(**SHORT, ensemble=ensemble, thermostat="langevin" if step == 5 else "rescale")
    whole = md.simulate(config, MORSE, CELLS, tmp_path / "whole")
    with pytest.raises(Interrupted, match=f"stopped by SIGTERM after {step} of 100 steps; everything is saved"):
        md.simulate(config, MORSE, CELLS, tmp_path / "parts", stopping_at(step))
    assert io.open_trajectories(tmp_path / "parts" / "trajectories").column("small-300K", "log", "step")[-1] == step
    rest = md.simulate(config, MORSE, CELLS, tmp_path / "parts")
    same(whole.run, rest.run)
    assert rest.steps["small-300K"] == 100
    # once more: nothing is left to do
    same(whole.run, md.simulate(config, potential.Counted(MORSE), CELLS, tmp_path / "parts").run)


def test_a_finished_run_is_extended_to_the_longer_one(tmp_path):
    longer = md.Config(**{**SHORT, "length_ps": 0.3})
    md.simulate(md.Config(**SHORT), MORSE, CELLS, tmp_path / "a")
    counted = potential.Counted(MORSE)
    result = md.simulate(longer, counted, CELLS, tmp_path / "a")
    assert counted.cost.evaluations == 4 * 50 and result.steps["small-300K"] == 150
    same(result.run, md.simulate(longer, MORSE, CELLS, tmp_path / "b").run)


def test_a_damaged_state_falls_back_on_the_one_before(tmp_path):
    config = md.Config(**SHORT)
    whole = md.simulate(config, MORSE, CELLS, tmp_path / "whole")
    with pytest.raises(Interrupted):
        md.simulate(config, MORSE, CELLS, tmp_path / "x", stopping_at(60))
    newest = tmp_path / "x" / "state" / "state.npz"
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(bytes(data))
    # frames that a kill left beyond the state are cut off, half-written files are no parts
    extra = tmp_path / "x" / "trajectories" / "part-000000000099.h5"
    extra.write_bytes(parts(tmp_path / "x" / "trajectories")[-1][0].read_bytes())
    (tmp_path / "x" / "trajectories" / ".part-000000000099.h5.abc.tmp").write_bytes(b"half")
    rest = md.simulate(config, MORSE, CELLS, tmp_path / "x")
    assert "state.npz was set aside" in rest.notes[0] and "checksum" in rest.notes[0]
    same(whole.run, rest.run)


def test_both_states_damaged_means_the_start(tmp_path):
    config = md.Config(**SHORT)
    whole = md.simulate(config, MORSE, CELLS, tmp_path / "x")
    before = contents(whole.run)
    for name in ("state.npz", "state.prev.npz"):
        (tmp_path / "x" / "state" / name).write_bytes(b"simkit-1\nnothing\n")
    again = md.simulate(config, MORSE, CELLS, tmp_path / "x")
    assert len(again.notes) == 2
    for key, values in contents(again.run).items():
        np.testing.assert_array_equal(values, before[key])


def test_another_run_in_the_same_folder_is_refused(tmp_path):
    md.simulate(md.Config(**SHORT), MORSE, CELLS, tmp_path)
    for config, cells in ((md.Config(**SHORT, seed=1), CELLS), (md.Config(**SHORT), {"small": crystal(rattle=0.02)})):
        with pytest.raises(CorruptFileError, match="belongs to other work"):
            md.simulate(config, MORSE, cells, tmp_path)


def test_flipped_bits_in_a_part_are_found(tmp_path):
    run = md.simulate(md.Config(**SHORT), MORSE, CELLS, tmp_path).run
    path = parts(run.folder)[1][0]
    with h5py.File(path, "r") as file:
        data = file["small-300K/frames/positions"]
        offset = data.id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[offset + 100] ^= 16
    path.write_bytes(bytes(content))
    with pytest.raises(CorruptFileError, match="positions"):
        run.trajectory("small-300K")
    (run.folder / "head.h5").write_bytes(b"no")
    with pytest.raises(CorruptFileError, match="head"):
        io.open_trajectories(run.folder)
    with pytest.raises(InputError, match="holds no trajectories"):
        io.open_trajectories(tmp_path)


def test_reading_while_it_runs(tmp_path):
    seen = []

    def look(step, facts):
        if step in (30, 60):
            run = io.open_trajectories(tmp_path / "trajectories")
            seen.append(len(run.trajectory("large-300K")))

    md.simulate(md.Config(**SHORT), MORSE, CELLS, tmp_path, Hooks(watch=lambda label: look))
    # parts of 25 steps, frames every 5: those up to step 25 and 50, and the start
    assert seen == [6, 11]


def test_broken_replicas_are_told_and_kept(tmp_path):
    hot = crystal(rattle=0.5)
    result = md.simulate(md.Config(**SHORT, ensemble="nve"), MORSE, {"bad": hot, "good": crystal()}, tmp_path)
    assert not result.finished and result.statuses["good-300K"] == "finished"
    assert "step" in result.statuses["bad-300K"] or "start" in result.statuses["bad-300K"]
    lost = io.read_frames(tmp_path / "structures" / "broken-bad-300K.extxyz")[0]
    last = io.read_frames(tmp_path / "structures" / "last-bad-300K.extxyz")[0]
    assert lost.metadata["status"] == last.metadata["status"] == result.statuses["bad-300K"]
    assert not (tmp_path / "structures" / "broken-good-300K.extxyz").exists()


def test_export(tmp_path):
    config = md.Config(**SHORT, storage={"velocities": True})
    run = md.simulate(config, MORSE, CELLS, tmp_path).run
    assert io.write_extxyz(run, "small-300K", tmp_path / "x.extxyz", every=5) == 5
    frames = io.read_frames(tmp_path / "x.extxyz")
    t = run.trajectory("small-300K", every=5)
    assert [f.metadata["time_fs"] for f in frames] == pytest.approx([0, 50, 100, 150, 200])
    np.testing.assert_array_equal(frames[3].structure.positions, t.positions[3])
    np.testing.assert_array_equal(frames[3].columns["velo"], t.velocities_A_per_fs[3])
    lines = io.log_csv(run, "small-300K").splitlines()
    assert lines[0].startswith("step,") and len(lines) == 22
    words = dict(zip(lines[0].split(","), lines[-1].split(","), strict=True))
    assert int(words["step"]) == 100 and float(words["time_ps"]) == pytest.approx(0.2)


def test_slabs_that_rest_or_never_move(tmp_path):
    config = md.Config(**SHORT, resting="slabs", fixed_slabs=(0,), storage={"single": False})
    t = md.simulate(config, MORSE, {"x": crystal(2)}, tmp_path).run.trajectory("x-500K")
    layers = t.structure.layers
    assert np.ptp(t.positions[:, layers == 0], axis=0).max() == 0.0
    upper = t.positions[:, layers == 1]
    assert np.ptp(upper, axis=0).max() > 0.05 and np.ptp(upper.mean(axis=1), axis=0).max() < 1e-11
    with pytest.raises(InputError, match="x has slabs nowhere"):
        md.systems(config, {"x": crystal().with_layers(np.full(16, -1))})
    with pytest.raises(InputError, match="fixed_slabs = \\[7\\]"):
        md.systems(md.Config(fixed_slabs=(7,)), {"x": crystal()})


def test_a_second_signal_is_for_the_handler_before():
    seen = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
    try:
        with stop_on_signals() as stopped:
            assert stopped() == ""
            os.kill(os.getpid(), signal.SIGUSR1)
            assert stopped() == "SIGUSR1" and not seen
            os.kill(os.getpid(), signal.SIGUSR1)
            assert seen == [signal.SIGUSR1]
        os.kill(os.getpid(), signal.SIGUSR1)
        assert len(seen) == 2
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_progress_says_speed_drift_and_time_left(tmp_path):
    told = []
    hooks = Hooks(watch=lambda label: lambda step, facts: told.append(facts))
    md.simulate(md.Config(**SHORT), MORSE, CELLS, tmp_path, hooks)
    last = told[-1]
    assert (last.step, last.steps, last.active, last.groups) == (100, 100, 4, 4) and last.left_s == 0.0
    assert last.ns_per_day > 0 and 0 < abs(last.change_meV_per_atom) < 10 and np.isinf(told[0].left_s)
    assert "ns/day" in last.text and "meV/atom" in last.text and "0 s left" in last.text
    assert SimpleNamespace(text=told[0].text).text.endswith("? left")
