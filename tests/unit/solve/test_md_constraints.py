"""Molecular dynamics under constraints, ramps and limits; what the bath gives, and what is kept of a wreck."""

import numpy as np
import pytest
from solve_toys import Broken, fcc

from simkit import potential, solve
from simkit.errors import InputError
from simkit.solve.schedule import schedule
from simkit.units import BOLTZMANN_EV_PER_K, FEMTOSECOND

MORSE = potential.morse(cutoff_A=4.5)
SIGMAS = 4.5
WAYS = [("nve", "langevin"), ("nvt", "langevin"), ("nvt", "rescale")]


def run(structures, ensemble="nvt", p=MORSE, **changes):
    """A short run at 400 K with keywords replaced; settings may be given as a dictionary."""
    settings = solve.MdSettings(**{"every": 5, **changes.pop("settings", {})})
    words = {"temperature_K": 400, "timestep_fs": 2.0, "steps": 30, "seed": 1, **changes}
    return solve.run_md(structures, p, ensemble, settings=settings, **words)


def slabs(n=2):
    """An fcc crystal and the numbers of its layers along z."""
    s = fcc(n, rattle=0.05, seed=1)
    return s, np.round(s.positions[:, 2] / (3.95 / 2)).astype(int) % (2 * n)


@pytest.mark.parametrize(("ensemble", "thermostat"), WAYS)
def test_fixed_atoms_do_not_move_and_the_others_do(ensemble, thermostat):
    s, layer = slabs()
    free, still = run([s, s], ensemble, settings={"fixed": [None, layer == 0], "thermostat": thermostat})
    held = layer == 0
    assert still.freedoms == 3 * (~held).sum() and free.freedoms == 3 * len(s) - 3
    np.testing.assert_array_equal(still.positions[:, held], np.repeat(s.positions[None, held], len(still), axis=0))
    assert np.all(still.velocities_A_per_fs[:, held] == 0.0)
    assert np.abs(still.positions[-1, ~held] - s.positions[~held]).min(axis=0).max() > 1e-3
    # a neighbour in the batch changes nothing
    alone = run([s], ensemble, seed=[1], settings={"thermostat": thermostat})[0]
    again = run([s, s], ensemble, seed=[1, 1], settings={"fixed": [None, held], "thermostat": thermostat})[0]
    np.testing.assert_array_equal(alone.positions, again.positions)


@pytest.mark.parametrize(("ensemble", "thermostat"), WAYS)
def test_centres_of_slabs_rest(ensemble, thermostat):
    s, layer = slabs()
    mixed = np.where(layer < 2, layer, -1)
    t = run([s], ensemble, steps=60, settings={"resting": [mixed], "thermostat": thermostat})[0]
    assert t.freedoms == 3 * len(s) - 6
    for slab in range(4):
        centres = t.positions[:, layer == slab].mean(axis=1)
        moved = np.abs(centres - centres[0]).max()
        assert moved < 1e-11 if slab < 2 else moved > 1e-3


def test_constrained_energy_is_conserved_and_shared():
    """The constraint is exact dynamics: second order under "nve", and <K> is half kT for each freedom left."""
    s, layer = slabs()
    runs = [run([s], "nve", steps=round(800 / dt), timestep_fs=dt, settings={"resting": [layer]})[0] for dt in (4, 2)]
    assert runs[0].total_eV.std() / runs[1].total_eV.std() == pytest.approx(4.0, rel=0.15)
    assert np.ptp(runs[1].total_eV) < 2e-3 * runs[1].kinetic_eV.max()
    words = {"resting": [np.where(layer == 1, 0, -1)] * 12, "fixed": [layer == 0] * 12, "friction_per_ps": 30.0}
    out = run([s] * 12, steps=900, temperature_K=100, timestep_fs=3.0, settings=words)
    means = np.array([u.kinetic_eV[40:].mean() for u in out]) / (0.5 * BOLTZMANN_EV_PER_K * 100)
    assert out[0].freedoms == 3 * 24 - 3
    error = means.std(ddof=1) / np.sqrt(len(means))
    # (w dt)^2/4 of the hardest modes is 0.4 %; three freedoms are 4 %
    assert error < 0.01 * means.mean() and abs(means.mean() - out[0].freedoms) < SIGMAS * error + 0.3


@pytest.mark.parametrize("thermostat", ["langevin", "rescale"])
def test_energy_less_heat_is_conserved_in_a_bath(thermostat):
    s, states, kept = [fcc(2, rattle=0.02, seed=1)], [], {}
    for dt in (4.0, 2.0):
        states.clear()
        conditions = solve.MdConditions("nvt", 300, dt, round(600 / dt), 5)
        dynamics = solve.prepare_md(s, MORSE, conditions, solve.MdSettings(thermostat=thermostat))
        solve.integrate(dynamics, recorder=states.append)
        total = [st.answers.energy[0] + dynamics.bodies.kinetic(st.velocities)[0] - st.heat[0] for st in states]
        kept[dt] = np.std(total)
        assert np.ptp([st.heat[0] for st in states]) > 30 * kept[dt]
    # the error of a step is of third order, and errors add up as at random: between a factor 4 and 2^2.5
    assert 3.0 < kept[4.0] / kept[2.0] < 9.0


def test_momentum_that_a_sloppy_model_gives_is_taken_away():
    class Leaning(type(MORSE)):
        def __init__(self):
            self.__dict__.update(MORSE.__dict__)

        def _compute(self, batch, virials):
            e = MORSE.evaluate_batch(batch)
            return type(e)(e.energy, e.forces + 1e-3, e.stress, None, e.system_of)

    t = run([fcc(2)], "nve", p=Leaning(), steps=50)[0]
    assert np.abs(t.positions.mean(axis=1) - t.positions[0].mean(axis=0)).max() < 1e-12


def test_ramps_are_followed():
    ramp = solve.Ramp((0.0, 1000.0, 2000.0), (100.0, 600.0, 600.0))
    words = {"thermostat": "rescale", "relaxation_fs": 20.0, "every": 1}
    out = run([fcc(3)] * 2, steps=1000, temperature_K=[ramp, 300.0], settings=words)
    assert all(t.finished for t in out)
    for low, high, wanted in ((200, 300, 350.0), (400, 500, 550.0), (600, 1000, 600.0)):
        # sqrt(2/321) of 600 K is 47 K, over at least 5 forgotten times
        assert out[0].temperature_K[low:high].mean() == pytest.approx(wanted, rel=0.12)
    assert out[1].temperature_K[200:].mean() == pytest.approx(300, rel=0.08)
    press = {"pressure_GPa": solve.Ramp((0.0, 600.0), (0.0, 8.0)), "cell": "isotropic", "barostat_fs": 50.0}
    t = run([fcc(2)], "npt", steps=400, temperature_K=20, settings=press)[0]
    volume = np.linalg.det(t.cells)
    stress = -np.trace(t.stress, axis1=1, axis2=2) / 3 * 160.2176634
    assert volume[-1] < 0.95 * volume[0] and stress[-15:].mean() == pytest.approx(8.0, abs=0.8)


def test_schedules():
    found = schedule([solve.Ramp((10, 20), (1, 3)), 5.0], 2, 2.0, "x")
    np.testing.assert_allclose([found.at(k)[0] for k in (0, 5, 6, 10, 50)], [1, 1, 1.4, 3, 3])
    assert not found.constant and found.lowest == 1 and found.at(3)[1] == 5
    for times, values in (((0, 0), (1, 2)), ((0,), (1, 2)), ((), ()), ((0.0,), (np.nan,))):
        with pytest.raises(InputError, match="a ramp needs"):
            solve.Ramp(times, values)


def ended(structures, p=MORSE, **changes):
    """Dynamics and last state of a run."""
    settings = solve.MdSettings(**{"every": 5, **changes.pop("settings", {})})
    words = {"ensemble": "nve", "temperature_K": 300, "timestep_fs": 1.0, "steps": 40, "seed": 1, **changes}
    dynamics = solve.prepare_md(structures, p, solve.MdConditions(**words), settings)
    return dynamics, solve.integrate(dynamics)


def test_an_atom_too_fast_for_chance_ends_the_run_and_the_wreck_is_kept():
    s = fcc(2)
    v = np.zeros_like(s.positions)
    v[3] = [0.0, 0.0, np.sqrt(2 * 4.0 / 26.98) * FEMTOSECOND]  # 4 eV, 100 kT of 300 K is 2.6 eV
    dynamics, state = ended([s, s], settings={"velocities_A_per_fs": [v, 0.1 * v]})
    words = solve.status(dynamics, state, 0)
    assert "an atom reached a kinetic energy of" in words and "(limit 100 kT) at the start" in words
    assert solve.status(dynamics, state, 1) == "finished"
    assert solve.wreck(s, dynamics, state, 1) is None
    bad = fcc(2, rattle=0.05, seed=8, number=29)
    dynamics, state = ended([bad, s], Broken(MORSE, 29, 13, "force"))
    assert state.code[0] and state.steps[0] == 12
    lost = solve.wreck(bad, dynamics, state, 0)
    last = state.positions[: len(bad)]
    # the wreck is the state that was asked for and refused: one step on from the last good one
    half = last + FEMTOSECOND * state.velocities[: len(bad)]
    assert 1e-6 < np.abs(lost.positions - last).max() < 0.05 and np.abs(lost.positions - half).max() < 1e-3


def test_a_cell_that_swells_ends_the_run():
    words = {"pressure_GPa": -60.0, "cell": "isotropic", "barostat_fs": 30.0}
    dynamics, state = ended([fcc(2)], ensemble="npt", steps=3000, settings=words)
    assert "the volume changed by a factor of 2" in solve.status(dynamics, state, 0)
    assert np.linalg.det(state.cells[0]) < 2 * np.linalg.det(fcc(2).cell) <= np.linalg.det(state.wreck_cells[0])


def test_a_recorder_sees_every_state_and_takes_the_frames():
    conditions = solve.MdConditions("npt", 300, 2.0, 20, 1)
    s, seen = [fcc(2, rattle=0.02, seed=1)], []
    dynamics = solve.prepare_md(s, MORSE, conditions, solve.MdSettings(every=5))
    kept = solve.integrate(dynamics)
    end = solve.integrate(dynamics, recorder=seen.append)
    assert [st.step for st in seen] == list(range(21)) and end.frames == ()
    frames = [f for st in seen for f in st.frames]
    assert [f.step for f in frames] == [f.step for f in kept.frames] == [0, 5, 10, 15, 20]
    for a, b in zip(frames, kept.frames, strict=True):
        np.testing.assert_array_equal(a.positions, b.positions)
        np.testing.assert_array_equal(a.cells, b.cells)
    arrays = solve.motion_to_arrays(end)
    assert not any(name.startswith("frames.") for name in arrays)
    np.testing.assert_array_equal(solve.motion_from_arrays(arrays).cells, end.cells)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"settings": {"cell": "fre"}}, "cell='fre' is unknown; did you mean 'free'"),
        ({"settings": {"pressure_GPa": [1.0, 2.0]}}, "pressure_GPa: 2 for 1 structures"),
        ({"settings": {"barostat_fs": 0.0}}, "barostat_fs=0.0"),
        ({"settings": {"fixed": [np.ones(4, bool)]}}, "structure 0 has no degree of freedom left"),
        ({"settings": {"fixed": [np.ones(3, bool)]}}, "fixed\\[0\\] has shape"),
        ({"settings": {"fixed": [None, None]}}, "fixed for 2 of 1 structures"),
        ({"settings": {"fixed": [[True, False, False, False]], "resting": [[0, 0, 0, 0]]}}, "only one of the two"),
        ({"ensemble": "npt", "settings": {"fixed": [[True, False, False, False]]}}, "no place of their own"),
        ({"temperature_K": solve.Ramp((0, 10), (300, -1))}, "must be 0 or more"),
        ({"settings": {"limits": solve.MdLimits(swelling=0.9)}}, "hotter above 1"),
    ],
)
def test_bad_requests_are_refused(changes, words):
    with pytest.raises(InputError, match=words):
        run([fcc(1)], **changes)


def test_a_barostat_needs_vectors_that_repeat():
    s = fcc(2)
    open_ = type(s)(s.numbers, s.positions, s.cell, np.array([True, True, False]))
    with pytest.raises(InputError, match="does not repeat along"):
        run([open_], "npt")
    assert run([open_], "npt", settings={"cell": "inplane"})[0].finished


def test_given_velocities_lose_what_the_constraints_forbid():
    s, layer = slabs()
    v = np.random.default_rng(2).normal(0, 0.003, s.positions.shape) + 0.002
    words = {"velocities_A_per_fs": [v, v, v], "fixed": [None, layer == 0, None], "resting": [None, None, layer]}
    free, still, slabbed = run([s, s, s], "nve", steps=1, settings={**words, "every": 1})
    np.testing.assert_allclose(free.velocities_A_per_fs[0], v - v.mean(axis=0), atol=1e-15)
    np.testing.assert_allclose(still.velocities_A_per_fs[0], np.where((layer == 0)[:, None], 0.0, v), atol=1e-15)
    means = [v[layer == k].mean(axis=0) for k in layer]
    np.testing.assert_allclose(slabbed.velocities_A_per_fs[0], v - means, atol=1e-15)
    for t in (free, still, slabbed):
        assert t.total_eV[1] == pytest.approx(t.total_eV[0], abs=1e-3)
