"""Transport against closed forms: lattice walks, damped oscillators, and paths whose jumps are prescribed."""

import numpy as np
import pytest

from simkit.errors import InputError
from simkit.measure import (
    Carrier,
    Estimate,
    FitWindow,
    IonTracks,
    arrhenius,
    conductivity,
    diffusivity,
    ion_tracks,
    jump_rate,
    jumps,
    mean_of_blocks,
    mean_squares,
    residence_ps,
    site_rates_per_ps,
    site_table,
    stays_ps,
    van_hove,
)
from simkit.structure import Structure
from simkit.trajectory import FINISHED, Trajectory

STEP_A = 3.0
INTERVAL_PS = 0.1
CHANCE = 0.05
"""Of one axis of one ion to hop, either way, between two frames."""
TRUTH = CHANCE * STEP_A**2 / (2 * INTERVAL_PS) * 1e-4
"""Diffusivity of the walk, cm^2/s: <x^2> = chance a^2 per interval = 2 D t."""


def walk(seed, frames=2400, ions=20, chance=CHANCE):
    """Independent hops by STEP_A along each axis."""
    draw = np.random.default_rng(seed).random((frames, ions, 3), dtype=np.float32)
    hops = (draw < chance / 2).astype(np.float64) - (draw > 1 - chance / 2)
    return IonTracks(np.cumsum(STEP_A * hops, axis=0), INTERVAL_PS)


def crystal(seed, frames=2400, ions=20, width_A=0.3, memory=0.6):
    """Overdamped harmonic oscillators in equilibrium: <x(0) x(m)> = width^2 memory^m.

    At the start of the default window, 25 frames, memory^25 = 3e-6 of the MSD is still to come: its slope is zero."""
    rng = np.random.default_rng(seed)
    out = np.empty((frames, ions, 3))
    out[0] = rng.normal(scale=width_A, size=(ions, 3))
    kicks = rng.normal(scale=width_A * np.sqrt(1 - memory**2), size=(frames, ions, 3))
    for t in range(1, frames):
        out[t] = memory * out[t - 1] + kicks[t]
    return IonTracks(out, INTERVAL_PS)


def share_covered(make, truth, runs, axes):
    found = [diffusivity(make(seed), axes, jump_length_A=STEP_A).fitted_cm2_per_s for seed in range(runs)]
    return np.mean([e.lower <= truth <= e.upper for e in found])


def test_a_lattice_walk_has_its_diffusivity():
    found = diffusivity(walk(0, frames=20_000, ions=40), jump_length_A=STEP_A)
    assert found.status == "diffusive"
    value = found.value_cm2_per_s
    assert value.error < 0.033 * TRUTH
    assert value.value == pytest.approx(TRUTH, rel=0.1)  # three times the widest error allowed above


def test_error_bars_cover_the_truth_as_often_as_they_say():
    """40 runs: 95 % +- 3.5 %, so that less than 85 % is three standard deviations away."""
    assert 0.85 < share_covered(walk, TRUTH, 40, "x")
    assert 0.85 < share_covered(crystal, 0.0, 40, "x")


@pytest.mark.slow
@pytest.mark.parametrize("axes", ["x", "xyz"])
@pytest.mark.parametrize(("make", "truth"), [(walk, TRUTH), (crystal, 0.0)])
def test_error_bars_cover_the_truth_in_200_runs(make, truth, axes):
    assert 0.90 <= share_covered(make, truth, 200, axes) <= 0.98


def test_ions_that_move_together_are_not_counted_twice():
    """Twenty copies of one walk know no more than the one: the same error bar, to the noise of few blocks."""
    alone = walk(3, ions=1)
    copies = IonTracks(np.repeat(alone.positions, 20, axis=1), INTERVAL_PS)
    one, many = (diffusivity(t, jump_length_A=STEP_A).fitted_cm2_per_s for t in (alone, copies))
    assert many.value == pytest.approx(one.value, rel=1e-12)
    assert many.error == pytest.approx(one.error, rel=0.03)  # (n B - 1) against n (B - 1) in the variances
    assert many.freedom < 10


def test_ions_that_differ_for_good_widen_the_bar():
    """Entries that depend on the ion alone: the error is that of the ions, however many blocks there are."""
    ions = np.random.default_rng(5).normal(size=12)
    found = mean_of_blocks(np.tile(ions, (50, 1)))
    assert found.error == pytest.approx(ions.std(ddof=1) / np.sqrt(12), rel=0.01)
    assert found.freedom < 13


def test_a_crystal_is_not_diffusive():
    tracks = crystal(1)
    times, squares = mean_squares(tracks, "xy")
    expected = 2 * 2 * 0.3**2 * (1 - 0.6 ** np.arange(10))
    np.testing.assert_allclose(squares[:10], expected, rtol=0.02)  # 20 ions x 2400 frames, memory of 2 frames
    assert times[3] == pytest.approx(0.3)
    found = diffusivity(tracks, jump_length_A=STEP_A)
    assert found.value_cm2_per_s is None
    assert found.status.startswith("not diffusive yet") and found.needed_ps > 20 * tracks.length_ps


def test_flight_is_not_diffusion():
    """Constant speeds: MSD ~ t^2, however far the ions went."""
    speeds = np.random.default_rng(2).normal(size=(1, 30, 3))
    found = diffusivity(IonTracks(np.arange(2000)[:, None, None] * speeds, 0.1), jump_length_A=1.0)
    assert found.log_slope.value == pytest.approx(2.0, abs=1e-6)
    assert found.value_cm2_per_s is None and "slope is 2.00" in found.status


def test_ions_that_stand_still_name_no_time():
    found = diffusivity(IonTracks(np.zeros((400, 3, 3)), 0.1), jump_length_A=1.0)
    assert found.value_cm2_per_s is None and np.isinf(found.needed_ps)


def test_the_named_length_is_enough():
    """A run that is too short by far names a length; runs of that length are diffusive and right."""
    short = diffusivity(walk(11, frames=400, chance=0.002), "x", jump_length_A=STEP_A)
    assert "run longer: about" in short.status and "less than a jump" in short.status
    frames = round(1.3 * short.needed_ps / INTERVAL_PS)  # the guess has an error bar of its own
    for seed in range(3):
        found = diffusivity(walk(seed, frames=frames, chance=0.002), "x", jump_length_A=STEP_A)
        assert found.value_cm2_per_s is not None, found.status


def test_windows_that_do_not_fit_are_refused():
    for window in (FitWindow(blocks=1), FitWindow(blocks=200), FitWindow(first_ps=5.0, last_ps=4.0)):
        with pytest.raises(InputError, match=r"blocks|window"):
            diffusivity(walk(0, frames=2000), jump_length_A=3.0, window=window)
    with pytest.raises(InputError, match="xyz"):
        diffusivity(walk(0), "xx", jump_length_A=3.0)
    with pytest.raises(InputError, match="jump_length_A"):
        diffusivity(walk(0), jump_length_A=0.0)


def test_tracks_are_those_of_the_host():
    """Three sodium and two oxygen atoms that drift together: only the sodium's own motion is left."""
    own = np.zeros((40, 5, 3))
    own[:, :3] = np.random.default_rng(0).normal(size=(40, 3, 3))
    drift = np.cumsum(np.full((40, 1, 3), 0.7), axis=0)
    structure = Structure([11, 11, 11, 8, 8], own[0] + np.arange(5)[:, None], 20 * np.eye(3))
    time = np.append(10.0 * np.arange(39), 383.0)  # a last frame out of step, as a run that was cut has
    zeros = np.zeros((40, 5, 3))
    cells = np.broadcast_to(20 * np.eye(3), (40, 3, 3))
    trajectory = Trajectory(
        structure, time, own + drift, cells, zeros, np.zeros(40), zeros, np.zeros((40, 3, 3)), 15, FINISHED, 400, 401
    )
    tracks = ion_tracks(trajectory, "Na", from_ps=0.1)
    assert tracks.interval_ps == pytest.approx(0.01) and len(tracks) == 29
    np.testing.assert_allclose(tracks.positions, own[10:39, :3], rtol=0, atol=1e-12)
    assert tracks.only([2]).positions.shape == (29, 1, 3)
    with pytest.raises(InputError, match="0 ions"):
        ion_tracks(trajectory, "Li")


def test_van_hove_of_a_walk_of_normal_steps():
    """After m steps of width s the distance follows the Maxwell law of variance m s^2 per axis."""
    steps = np.random.default_rng(4).normal(scale=0.2, size=(4000, 40, 3))
    tracks = IonTracks(np.cumsum(steps, axis=0), 0.5)
    edges = np.linspace(0, 2.5, 26)
    found, r, variance = van_hove(tracks, 2.0, edges), (edges[1:] + edges[:-1]) / 2, 4 * 0.04
    law = np.sqrt(2 / np.pi) * r**2 / variance**1.5 * np.exp(-(r**2) / (2 * variance))
    np.testing.assert_allclose(found, law, rtol=0, atol=0.02)  # bins of 0.1 A: curvature / 24 of 0.01 and noise
    assert found.sum() * 0.1 == pytest.approx(1.0, abs=1e-4)


def test_independent_ions_have_a_haven_ratio_of_one():
    ratios, carrier = [], Carrier(charge_e=1.0, volume_A3=1000.0, temperature_K=600.0)
    for seed in range(6):
        found = conductivity(walk(seed, frames=12_000), carrier, jump_length_A=STEP_A)
        ratios.append(found.haven_ratio)
    assert sum(r.lower <= 1.0 <= r.upper for r in ratios) >= 5
    # n e^2 D / kT in SI: 2e28 / m^3 of one charge
    si = 2e28 * 1.602176634e-19**2 * found.tracer.fitted_cm2_per_s.value * 1e-4 / (1.380649e-23 * 600.0)
    assert found.nernst_einstein_S_per_cm.value == pytest.approx(si / 100.0, rel=1e-9)
    product = found.value_S_per_cm.value * found.haven_ratio.value
    assert product == pytest.approx(found.nernst_einstein_S_per_cm.value, rel=1e-12)


def test_ions_that_march_in_step_have_a_haven_ratio_of_one_over_their_number():
    tracks = IonTracks(np.repeat(walk(7, frames=12_000, ions=1).positions, 5, axis=1), INTERVAL_PS)
    found = conductivity(tracks, Carrier(1.0, 1000.0, 300.0), jump_length_A=STEP_A)
    assert found.haven_ratio.value == pytest.approx(0.2, rel=1e-9)
    assert found.haven_ratio.error == pytest.approx(0.0, abs=1e-9)


def ladder(rng, temperatures, relative):
    exact = 1e-3 * np.exp(-0.3 / (8.617333262e-5 * temperatures))
    return [Estimate(v * np.exp(relative * rng.normal()), v * relative) for v in exact]


def test_arrhenius_finds_activation_and_honest_bars():
    """500 ladders of five temperatures, 5 % errors: 95 % +- 1 % of intervals hold the truth, more with widening."""
    rng, temperatures = np.random.default_rng(6), np.array([500.0, 600, 700, 800, 900])
    exact = arrhenius(temperatures, [Estimate(e.value, 1e-9) for e in ladder(rng, temperatures, 0.0)])
    assert exact.activation_eV.value == pytest.approx(0.3, abs=1e-9)
    assert exact.log_prefactor.value == pytest.approx(np.log(1e-3), abs=1e-7)
    fits = [arrhenius(temperatures, ladder(rng, temperatures, 0.05)) for _ in range(500)]
    held = np.mean([f.activation_eV.lower <= 0.3 <= f.activation_eV.upper for f in fits])
    room = 1e-3 * np.exp(-0.3 / (8.617333262e-5 * 300.0))
    ahead = np.mean([low <= room <= high for _, low, high in (f.at(300.0) for f in fits)])
    assert 0.93 < held < 0.995 and 0.93 < ahead < 0.995
    with pytest.raises(InputError, match="not diffusive"):
        arrhenius(temperatures, [None] * 5)


CELL = np.array([[6.0, 0, 0], [-3.0, 5.196, 0], [1.0, 0.5, 9.0]])
SITES = np.array([[0.0, 0, 0], [1 / 3, 2 / 3, 0.0], [2 / 3, 1 / 3, 0.5]]) @ CELL


def prescribed(sequence, frames_each, seed=0):
    """One ion that rattles by up to 0.5 A about (site, image) places, some frames at each."""
    places = np.array([SITES[s] + np.array(image) @ CELL for s, image in sequence])
    positions = np.repeat(places, frames_each, axis=0)
    rattle = np.random.default_rng(seed).uniform(-0.3, 0.3, size=positions.shape)
    return IonTracks((positions + rattle)[:, None], 0.2)


def test_jumps_of_a_prescribed_path_are_counted_exactly():
    """0 to 1, a visit to 2 that is too short, back to 0, then to the image of 0 next door and on to 2 there."""
    home, next_door = (0, 0, 0), (1, 0, -2)
    path = [(0, home), (1, home), (2, home), (1, home), (0, home), (0, next_door), (2, next_door)]
    found = jumps(prescribed(path, [10, 10, 2, 10, 10, 10, 5]), site_table(SITES, CELL), dwell_ps=0.6)
    assert found.frames.tolist() == [10, 32, 42, 52]
    assert found.origins.tolist() == [0, 1, 0, 0] and found.targets.tolist() == [1, 0, 0, 2]
    np.testing.assert_allclose(found.vectors_A[2], np.array(next_door) @ CELL, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.vectors_A[3], SITES[2] - SITES[0], rtol=0, atol=1e-12)
    assert found.counts.tolist() == [[1, 1, 1], [1, 0, 0], [0, 0, 0]]
    np.testing.assert_allclose(found.occupancy, np.array([30, 22, 5]) / 57)
    np.testing.assert_allclose(found.occupied_ps, [6.0, 4.4, 0.8])  # the last frame begins no interval
    np.testing.assert_allclose(residence_ps(found), [2.0, 4.4, np.inf])
    sites, lengths = stays_ps(found)
    assert sites.tolist() == [1, 0, 0]
    np.testing.assert_allclose(lengths, [4.4, 2.0, 2.0])
    short = jumps(prescribed(path, [10, 10, 2, 10, 10, 10, 5]), site_table(SITES, CELL), dwell_ps=0.4)
    assert len(short) == 6


def test_rates_of_a_hopping_process_are_those_put_in():
    """Hops 0 -> 1 at 0.2/ps and back at 0.5/ps: rates, occupancies 5:2 and residence times of 5 and 2 ps."""
    rng, interval, ions, frames = np.random.default_rng(8), 0.02, 30, 20_000
    leave = 1 - np.exp(-np.array([0.2, 0.5]) * interval)
    state = np.empty((frames, ions), dtype=np.int64)
    state[0] = rng.random(ions) < 2 / 7
    for t in range(1, frames):
        state[t] = state[t - 1] ^ (rng.random(ions) < leave[state[t - 1]])
    tracks = IonTracks(SITES[state], interval)
    found = jumps(tracks, site_table(SITES, CELL), dwell_ps=0.0)
    rates, errors = site_rates_per_ps(found)
    assert abs(rates[0, 1] - 0.2) < 4 * errors[0, 1] and abs(rates[1, 0] - 0.5) < 4 * errors[1, 0]
    assert errors[0, 1] / rates[0, 1] == pytest.approx(1 / np.sqrt(ions * 400 / 7), rel=0.1)
    np.testing.assert_allclose(found.occupancy[:2] / ions, [5 / 7, 2 / 7], atol=0.02)
    np.testing.assert_allclose(residence_ps(found)[:2], [5.0, 2.0], rtol=0.1)
    total = jump_rate(found)
    assert total.lower < 2 / 7 < total.upper  # one jump each way per 5 + 2 ps


def breathing(ions_move):
    """A trajectory in a cell that breathes and shears: two ions, one of which may walk, and two host atoms."""
    rng = np.random.default_rng(3)
    frames = 50
    fractional = np.repeat([[[0.1, 0.2, 0.3], [2.6, -1.5, 0.4], [0.0, 0, 0], [0.5, 0.5, 0.5]]], frames, axis=0)
    fractional[:, 1, 0] += ions_move * 0.1 * np.arange(frames)
    cells = np.eye(3) * 8.0 + 0.1 * np.tril(rng.normal(size=(frames, 3, 3)))
    positions = fractional @ cells
    s = Structure([11, 11, 27, 8], positions[0], cells[0])
    none = np.zeros((frames, 4, 3))
    words = {"time_fs": np.arange(frames) * 100.0, "energy": np.zeros(frames), "stress": np.zeros((frames, 3, 3))}
    return Trajectory(
        s, positions=positions, cells=cells, velocities_A_per_fs=none, forces=none, freedoms=9, status=FINISHED,
        steps=49, evaluations=50, **words,
    )  # fmt: skip


def test_ions_at_rest_in_a_breathing_cell_do_not_move():
    tracks = ion_tracks(breathing(False), "Na")
    np.testing.assert_allclose(tracks.positions, tracks.positions[:1].repeat(50, axis=0), atol=1e-12)
    t = breathing(True)
    moved = ion_tracks(t, "Na").positions
    steps = np.diff(moved, axis=0)
    np.testing.assert_allclose(steps[:, 1], np.tile(0.1 * t.cells.mean(axis=0)[0], (49, 1)), atol=1e-12)


def test_tracks_of_stored_ions_alone_are_those_of_the_whole():
    t = breathing(True)
    host = t.positions[:, 2:].mean(axis=1)
    alone = Trajectory(
        t.structure.take([0, 1]), t.time_fs, t.positions[:, :2], t.cells, None, t.energy, None, t.stress, 9, FINISHED,
        49, 50, rest_centre=host,
    )  # fmt: skip
    np.testing.assert_allclose(ion_tracks(alone, "Na").positions, ion_tracks(t, "Na").positions, atol=1e-12)
    with pytest.raises(InputError, match="velocities of this trajectory were not stored"):
        _ = alone.temperature_K
