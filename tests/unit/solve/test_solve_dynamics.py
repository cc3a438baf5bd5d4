"""Molecular dynamics as a solver: replicas apart, breakdowns as values, runs taken up again bit for bit."""

import io

import numpy as np
import pytest
from solve_toys import Broken, fcc

from simkit import potential, solve
from simkit.errors import InputError
from simkit.potential.committee import Committee
from simkit.solve.breakdown import MOVING, closest
from simkit.structure import Batch, Structure

MORSE = potential.morse(cutoff_A=4.5)
WAYS = [("nve", "langevin"), ("nvt", "langevin"), ("nvt", "rescale"), ("npt", "langevin"), ("npt", "rescale")]
FIELDS = ("time_fs", "positions", "cells", "velocities_A_per_fs", "energy", "forces", "stress")


def run(structures, p=MORSE, ensemble="nvt", **changes):
    """A short run at 400 K with keywords replaced; settings may be given as a dictionary."""
    settings = solve.MdSettings(**{"every": 5, **changes.pop("settings", {})})
    words = {"temperature_K": 400, "timestep_fs": 2.0, "steps": 30, "seed": 1, **changes}
    return solve.run_md(structures, p, ensemble, settings=settings, **words)


def same(a, b):
    """Whether two trajectories are one, bit for bit."""
    assert (a.status, a.steps) == (b.status, b.steps)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


@pytest.mark.parametrize(("ensemble", "thermostat"), WAYS)
def test_frames_hold_what_the_potential_says_of_them(ensemble, thermostat):
    s = [fcc(2, rattle=0.05, seed=1).with_layers(np.arange(32)), fcc(1, number=29)]
    out = run(s, ensemble=ensemble, steps=33, settings={"thermostat": thermostat})
    for start, t in zip(s, out, strict=True):
        # every fifth step, and the last one
        np.testing.assert_allclose(t.time_fs, [0, 10, 20, 30, 40, 50, 60, 66], rtol=1e-12)
        assert t.finished and t.steps == 33 and t.evaluations == 34 and t.freedoms == 3 * len(start) - 3
        np.testing.assert_array_equal(t.positions[0], start.positions)
        np.testing.assert_array_equal(t[3].layers, start.layers)
        for k, e in enumerate(MORSE.evaluate([t[k] for k in range(len(t))])):
            assert e.energy == pytest.approx(t.energy[k], abs=1e-10)
            np.testing.assert_allclose(e.forces, t.forces[k], atol=1e-10)
            np.testing.assert_allclose(e.stress, t.stress[k], atol=1e-12)
        assert np.abs(t.positions[-1] - start.positions).max() > 0.01


def test_the_same_seed_gives_the_same_run_and_another_one_another():
    s = [fcc(2)]
    first, again, other = (run(s, seed=seed)[0] for seed in (1, 1, 2))
    same(first, again)
    assert np.abs(first.positions[-1] - other.positions[-1]).max() > 0.01


@pytest.mark.parametrize(("ensemble", "thermostat"), WAYS)
def test_appending_a_replica_changes_no_other(ensemble, thermostat):
    s = [fcc(2, rattle=0.05, seed=k) for k in range(2)]
    two = run(s, ensemble=ensemble, temperature_K=[300, 600], settings={"thermostat": thermostat})
    three = run([*s, fcc(1)], ensemble=ensemble, temperature_K=[300, 600, 900], settings={"thermostat": thermostat})
    for a, b in zip(two, three[:2], strict=True):
        same(a, b)
    assert np.abs(two[0].positions[-1] - two[1].positions[-1]).max() > 0.01


def test_a_seed_for_each_replica_runs_it_as_if_alone():
    s = [fcc(2, rattle=0.05, seed=k) for k in range(3)]
    together = run(s, seed=[7, 8, 7], temperature_K=[300, 400, 500])
    for k, t in enumerate(together):
        alone = run([s[k]], seed=[7, 8, 7][k], temperature_K=[300, 400, 500][k])[0]
        same(t, alone)


@pytest.mark.parametrize(("ensemble", "thermostat"), WAYS)
def test_resuming_from_saved_arrays_is_bit_for_bit(ensemble, thermostat):
    s = [fcc(2, rattle=0.05, seed=1), fcc(1, rattle=0.05, seed=2)]
    files = []

    def save(state):
        file = io.BytesIO()
        np.savez(file, **solve.motion_to_arrays(state))
        files.append(file)

    words = {"ensemble": ensemble, "settings": {"thermostat": thermostat}}
    whole = run(s, hooks=solve.Hooks(save=save, save_every=7), **words)
    files[1].seek(0)
    with np.load(files[1], allow_pickle=False) as arrays:
        state = solve.motion_from_arrays(arrays)
    assert state.step == 14 and len(state.frames) == 3
    rest = run(s, hooks=solve.Hooks(resume=state), **words)
    for a, b in zip(whole, rest, strict=True):
        same(a, b)
        assert a.evaluations == b.evaluations


def test_a_finished_run_can_be_made_longer():
    s, states = [fcc(2, rattle=0.05, seed=1)], []
    run(s, steps=10, hooks=solve.Hooks(save=states.append))
    same(run(s, steps=30)[0], run(s, steps=30, hooks=solve.Hooks(resume=states[-1]))[0])


@pytest.mark.parametrize(
    ("how", "words"), [("nan", "not a finite number at step 13; the state of step 12"), ("force", "a force reached")]
)
def test_one_bad_replica_does_not_disturb_the_others(how, words):
    bad = fcc(2, rattle=0.05, seed=8, number=29)
    good = [fcc(2, rattle=0.05, seed=s) for s in (6, 7)]
    out = run([good[0], good[1], bad], Broken(MORSE, 29, 13, how))
    for a, b in zip(out[:2], run(good), strict=True):
        same(a, b)
    assert not out[2].finished and words in out[2].status
    # it was asked 14 times, counted from the start, and the last good step is kept though no frame was due
    assert out[2].steps == 12 and out[2].evaluations == 14
    np.testing.assert_allclose(out[2].time_fs, [0, 10, 20, 24])
    again = MORSE.evaluate([out[2][-1]])[0]
    np.testing.assert_allclose(again.forces, out[2].forces[-1], atol=1e-10)


def test_nan_at_the_start_gives_no_frames():
    out = run([fcc(1), fcc(1, number=29)], Broken(MORSE, 29, 0))
    assert out[0].finished and len(out[0]) == 7
    assert "not a finite number at the start" in out[1].status and len(out[1]) == 0 and out[1].evaluations == 1


def head_on(speed):
    """Two light atoms flying at each other in a wide cell, and their velocities, A/fs."""
    s = Structure([1, 1], np.array([[4.0, 5, 5], [6.0, 5, 5]]), np.eye(3) * 10)
    return s, [np.array([[speed, 0, 0], [-speed, 0, 0]])]


def test_atoms_that_meet_are_not_shown_to_the_potential():
    s, v = head_on(0.095)
    weak = potential.Counted(potential.lennard_jones(1e-6, 0.5, 3.0))
    hot = solve.MdLimits(hotter=np.inf, closest_A=0.6)
    t = run([s], weak, "nve", timestep_fs=1.0, settings={"velocities_A_per_fs": v, "limits": hot})[0]
    # 2 A apart, 0.19 A/fs: 0.6 A is passed after 7 steps; the eighth is not evaluated
    assert "within" in t.status and "(limit 0.6) at step 8" in t.status
    assert t.steps == 7 and t.evaluations == weak.cost.evaluations == 8


def test_close_atoms_are_found_as_by_a_search_of_all_pairs():
    """Random walks, two systems, through cell faces: the margin never hides a pair, and searches are few."""
    rng, limit = np.random.default_rng(5), 1.1
    s = [fcc(2, rattle=0.05, seed=1), fcc(1, rattle=0.05, seed=2)]
    batch, everyone = Batch.of(s), np.ones(2, dtype=bool)
    x, clear, searches, seen = batch.positions, np.full_like(batch.positions, np.nan), 0, []
    for _ in range(300):
        x = x + rng.normal(0, 0.03, x.shape)
        nearest, new = closest(limit, batch, x, everyone, clear)
        searches, clear = searches + (new is not clear), new
        for system, part in enumerate(batch.split(x)):
            away = part[:, None] - part[None]
            cell = s[system].cell[0, 0]
            distance = np.linalg.norm(away - cell * np.round(away / cell), axis=-1) + 9.0 * np.eye(len(part))
            true = distance.min() if distance.min() < limit else np.inf
            assert nearest[system] == pytest.approx(true, abs=1e-12)
            seen.append(np.isfinite(true))
    assert 0.01 < np.mean(seen) < 0.99 and searches < 280


def test_overlap_at_the_start_is_a_status():
    s, _ = head_on(0.1)
    s = s.moved_to([[4.0, 5, 5], [4.2, 5, 5]])
    t = run([s, fcc(1)], MORSE)
    assert "within 0.2 A" in t[0].status and "at the start" in t[0].status and len(t[0]) == 0
    assert t[1].finished


def test_a_replica_that_gets_too_hot_is_stopped():
    s = fcc(2, rattle=0.4, seed=1)
    t = run([fcc(2, rattle=0.02), s], MORSE, ensemble="nve", timestep_fs=1.0, steps=60, temperature_K=300)
    assert t[0].finished
    assert "the temperature reached" in t[1].status and 0 < t[1].steps < 60
    # five times 300 K, and six standard deviations, sqrt(2/93), of that
    assert t[1].temperature_K.max() < 1500 * (1 + 6 * np.sqrt(2 / 93)) < float(t[1].status.split()[3])


def test_stop_and_observer():
    seen = []
    hooks = solve.Hooks(observer=lambda step, told: seen.append((step, told)), stop=lambda: len(seen) == 7)
    t = run([fcc(2), fcc(1)], hooks=hooks)
    assert [step for step, _ in seen] == list(range(1, 8)) and seen[-1][1].evaluations == 16
    assert seen[-1][1].active == 2 and np.isnan(seen[-1][1].worst)
    assert t[0].status == "stopped on request after 7 of 30 steps" and t[0].steps == 7
    np.testing.assert_allclose(t[0].time_fs, [0, 10, 14])


def test_no_steps_means_one_frame():
    t = run([fcc(2)], steps=0)[0]
    assert t.finished and len(t) == 1 and t.evaluations == 1


def test_velocities_carry_a_run_on():
    s = fcc(2, rattle=0.05, seed=1)
    whole = run([s], ensemble="nve", steps=20)[0]
    first = run([s], ensemble="nve", steps=10)[0]
    second = run(
        [first[-1]], ensemble="nve", steps=10, settings={"velocities_A_per_fs": [first.velocities_A_per_fs[-1]]}
    )[0]
    # the velocity went through A/fs and back: rounding, grown over ten steps
    np.testing.assert_allclose(second.positions[-1], whole.positions[-1], rtol=0, atol=1e-12)


def test_at_zero_kelvin_the_bath_only_brakes():
    t = run([fcc(2, rattle=0.1, seed=3)], temperature_K=0, steps=300, settings={"friction_per_ps": 50.0})[0]
    assert t.kinetic_eV[0] == 0.0
    perfect = MORSE.evaluate([fcc(2)])[0].energy
    # overdamped by 600 fs of a friction of the frequency of the crystal: all but the softest modes are at rest
    assert t.total_eV[-1] - perfect < 1e-3 * (t.energy[0] - perfect)


def test_what_a_committee_disagrees_about_is_kept():
    members = [potential.morse(depth, cutoff_A=4.5) for depth in (0.34, 0.36)]
    s = [fcc(2, rattle=0.05, seed=1), fcc(1, rattle=0.05, seed=2)]
    for t in run(s, Committee(members)):
        a, b = ([e for e in m.evaluate([t[k] for k in range(len(t))])] for m in members)
        # two members: the distance of each force from the mean is half their difference
        halves = [0.5 * np.linalg.norm(x.forces - y.forces, axis=1) for x, y in zip(a, b, strict=True)]
        np.testing.assert_allclose(t.force_spread, halves, atol=1e-10)
        assert t.energy_spread.shape == (len(t),) and np.all(t.energy_spread > 0)
    assert run(s)[0].force_spread is None


def test_a_committees_spread_survives_saving():
    p = Committee([potential.morse(depth, cutoff_A=4.5) for depth in (0.34, 0.36)])
    states = []
    whole = run([fcc(2), fcc(1)], p, hooks=solve.Hooks(save=states.append, save_every=12))
    state = solve.motion_from_arrays(solve.motion_to_arrays(states[0]))
    rest = run([fcc(2), fcc(1)], p, hooks=solve.Hooks(resume=state))
    for a, b in zip(whole, rest, strict=True):
        np.testing.assert_array_equal(a.force_spread, b.force_spread)
        np.testing.assert_array_equal(a.energy_spread, b.energy_spread)


def test_states_of_other_atoms_and_other_files_are_refused():
    states = []
    run([fcc(2)], hooks=solve.Hooks(save=states.append))
    with pytest.raises(InputError, match="the state to resume from holds 32 atoms in 1 systems"):
        run([fcc(1)], hooks=solve.Hooks(resume=states[0]))
    arrays = solve.motion_to_arrays(states[0])
    assert np.all(states[0].code == MOVING)
    for name in ("positions", "answers.energy", "frames.good", "frames.answers.forces"):
        with pytest.raises(InputError, match=f"lacks '{name}'"):
            solve.motion_from_arrays({k: v for k, v in arrays.items() if k != name})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ensemble": "nvd"}, "ensemble='nvd' is unknown; did you mean 'nvt'"),
        ({"settings": {"thermostat": "langevan"}}, "did you mean 'langevin'"),
        ({"temperature_K": -1}, "temperature_K=-1"),
        ({"temperature_K": [300, 400]}, "temperature_K: 2 for 1 structures"),
        ({"temperature_K": np.nan}, "temperature_K=nan"),
        ({"timestep_fs": 0}, "timestep_fs=0"),
        ({"steps": -1}, "steps=-1"),
        ({"steps": 1.5}, "steps=1.5"),
        ({"seed": -3}, "seed -3"),
        ({"seed": 0.5}, "seed 0.5"),
        ({"seed": [1, 2]}, "2 seeds for 1 structures"),
        ({"settings": {"every": 0}}, "every=0"),
        ({"settings": {"friction_per_ps": 0.0}}, "friction_per_ps=0.0"),
        ({"settings": {"relaxation_fs": -1.0}}, "relaxation_fs=-1.0"),
        ({"settings": {"velocities_A_per_fs": []}}, "velocities for 0 of 1 structures"),
        ({"settings": {"velocities_A_per_fs": [np.zeros((3, 3))]}}, "velocities_A_per_fs\\[0\\] has shape"),
        ({"settings": {"limits": solve.MdLimits(hotter=0.5)}}, "hotter above 1"),
        ({"structures": fcc(1)}, "a list of at least one structure"),
        ({"structures": [fcc(1).take([0])]}, "set hold_centre=False"),
        ({"structures": []}, "a list of at least one structure"),
    ],
)
def test_bad_requests_are_refused(changes, words):
    with pytest.raises(InputError, match=words):
        run(**{"structures": [fcc(1)], **changes})
