"""Molecular dynamics against closed forms, conservation laws and the integrator of ASE."""

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from ase.md.verlet import VelocityVerlet

from simkit import potential, solve
from simkit.elements import MASSES_AMU
from simkit.potential.analytic import FieldPotential
from simkit.potential.card import Card
from simkit.structure import Structure
from simkit.units import BOLTZMANN_EV_PER_K, FEMTOSECOND

A0 = 4.05
SIGMAS = 4.5  # of the mean: seeds are fixed, so a test that passes once passes always; 1 in 1e5 by chance
FREE = solve.MdLimits(force_eV_per_A=np.inf, hotter=np.inf, closest_A=0.0)


def fcc(n=2, a=A0, rattle=0.0, seed=0, number=13):
    """n x n x n cubic cells of an fcc crystal, displaced by normal noise (A)."""
    base = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]) * a
    s = Structure(np.full(4, number), base, np.eye(3) * a).repeated(n, n, n)
    return s.moved_to(s.positions + np.random.default_rng(seed).normal(0, 1, (len(s), 3)) * rattle)


def mean_and_error(per_replica):
    """Mean over independent replicas, and its standard error."""
    values = np.asarray(per_replica)
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


def field(k):
    """Every atom bound by k to the nearest site of a cubic lattice of 3 A: 3 n independent oscillators."""

    def law(positions, _numbers):
        away = positions - 3.0 * np.round(positions / 3.0)
        return 0.5 * k * (away**2).sum(axis=1), k * away

    return FieldPotential(law, Card("einstein", "analytic", "Einstein crystal", virials=False))


def lattice(n, number=13):
    """n^3 atoms on the sites of `field`."""
    return Structure([number], np.zeros((1, 3)), np.eye(3) * 3.0).repeated(n, n, n)


def test_steps_are_those_of_ase():
    s = fcc(2, rattle=0.05, seed=3)
    settings = solve.MdSettings(every=1)
    got = solve.run_md(
        [s], potential.from_ase(EMT()), "nve", temperature_K=500, timestep_fs=2.0, steps=20, seed=4, settings=settings
    )[0]
    atoms = Atoms(s.numbers, s.positions, cell=s.cell, pbc=True, calculator=EMT())
    atoms.set_masses(np.take(MASSES_AMU, s.numbers))
    atoms.set_velocities(got.velocities_A_per_fs[0] / FEMTOSECOND)
    driver = VelocityVerlet(atoms, timestep=2.0 * FEMTOSECOND)
    for frame in range(1, 21):
        driver.run(1)
        # the same formulas in another order: rounding of 1e-15 a step, grown by at most tens
        np.testing.assert_allclose(got.positions[frame], atoms.positions, rtol=0, atol=1e-12)
        assert got.energy[frame] == pytest.approx(atoms.get_potential_energy(), abs=1e-10)
        assert got.kinetic_eV[frame] == pytest.approx(atoms.get_kinetic_energy(), abs=1e-10)


def test_energy_error_falls_with_the_square_of_the_step_and_does_not_drift():
    s, p = fcc(2, rattle=0.05, seed=1), potential.morse(cutoff_A=5.0)
    away, drift = [], []
    for dt in (5.0, 2.5, 1.25):
        t = solve.run_md(
            [s], p, "nve", temperature_K=300, timestep_fs=dt, steps=round(1200 / dt), seed=2,
            settings=solve.MdSettings(every=1),
        )[0]  # fmt: skip
        assert t.finished
        away.append(t.total_eV.std())
        half = len(t) // 2
        drift.append(t.total_eV[half:].mean() - t.total_eV[:half].mean())
    # second order: a factor 4 for each halving, but for terms of the fourth order, some (w dt)^2/10 = 0.006 at 5 fs
    assert away[0] / away[1] == pytest.approx(4.0, rel=0.1)
    assert away[1] / away[2] == pytest.approx(4.0, rel=0.1)
    # no drift: means of both halves agree to the error of a mean over some ten periods of vibration
    assert np.all(np.abs(drift) < 0.3 * np.array(away))
    assert away[2] < 1e-4 * len(s)


def test_momentum_is_conserved_and_centres_rest():
    p, masses = potential.morse(cutoff_A=5.0), np.take(MASSES_AMU, [13, 29] * 16)
    s = fcc(2, rattle=0.1, seed=5)
    s = Structure([13, 29] * 16, s.positions, s.cell)
    for ensemble, thermostat in (("nve", "langevin"), ("nvt", "langevin"), ("nvt", "rescale")):
        t = solve.run_md(
            [s], p, ensemble, temperature_K=600, timestep_fs=2.0, steps=200, seed=6,
            settings=solve.MdSettings(thermostat=thermostat, every=20),
        )[0]  # fmt: skip
        momentum = np.einsum("n,fnk->fk", masses, t.velocities_A_per_fs)
        thermal = np.sqrt(masses.sum() * BOLTZMANN_EV_PER_K * 600) * FEMTOSECOND
        # forces sum to zero to rounding, 1e-14 of their size, at each of 200 steps
        assert np.abs(momentum).max() < 1e-11 * thermal
        centre = np.einsum("n,fnk->fk", masses, t.positions) / masses.sum()
        np.testing.assert_allclose(centre, centre[:1].repeat(len(t), axis=0), atol=1e-10)


def test_turning_back_leads_back():
    s, p, steps = fcc(2, rattle=0.05, seed=7), potential.morse(cutoff_A=5.0), 200
    there = solve.run_md([s], p, "nve", temperature_K=600, timestep_fs=2.0, steps=steps, seed=8)[0]
    assert np.abs(there.positions[-1] - s.positions).max() > 0.2
    settings = solve.MdSettings(velocities_A_per_fs=[-there.velocities_A_per_fs[-1]])
    back = solve.run_md(
        [there[-1]], p, "nve", temperature_K=600, timestep_fs=2.0, steps=steps, seed=9, settings=settings
    )[0]
    # the map is reversible; rounding of 1e-15 A grows by some 1e3 in 0.8 ps of a crystal at 600 K
    np.testing.assert_allclose(back.positions[-1], s.positions, atol=1e-10)
    np.testing.assert_allclose(back.velocities_A_per_fs[-1], -there.velocities_A_per_fs[0], atol=1e-11)


def test_drawn_velocities_are_those_of_maxwell_and_boltzmann():
    s = Structure([11, 8, 8, 25], lattice(2).positions[:4], np.eye(3) * 6.0)
    replicas, kT = 4000, 500 * BOLTZMANN_EV_PER_K
    conditions = solve.MdConditions("nve", 500, 1.0, 0, 10)
    dynamics = solve.prepare_md([s] * replicas, field(1.0), conditions)
    v = dynamics.velocities.reshape(replicas, 4, 3)
    masses = np.take(MASSES_AMU, s.numbers)
    assert np.abs(np.einsum("n,rnk->rk", masses, v)).max() < 1e-12
    # with the centre at rest <v_i v_j> = kT (delta_ij / m_i - 1 / M)
    wanted = kT * (np.diag(1 / masses) - 1 / masses.sum())
    mean, error = mean_and_error(np.einsum("rik,rjk->rij", v, v) / 3)
    assert np.all(np.abs(mean - wanted) < SIGMAS * error)
    kinetic = dynamics.bodies.kinetic(dynamics.velocities)
    mean, error = mean_and_error(kinetic)
    assert mean == pytest.approx(4.5 * kT, abs=SIGMAS * error)
    # chi square with 9 degrees of freedom: variance f/2 (kT)^2; the variance of a sample variance by its kurtosis
    assert kinetic.var() == pytest.approx(4.5 * kT**2, rel=SIGMAS * np.sqrt((2 + 12 / 9) / replicas))


@pytest.mark.parametrize("part", [0.5, 1.0])
def test_baoab_in_harmonic_wells_is_exact_in_position_at_any_step(part):
    """<U> = 3/2 n kT however long the step, <K> = 3/2 n kT (1 - (w dt)^2/4); Leimkuhler and Matthews, section V."""
    k, temperature = 4.0, 400.0
    omega = np.sqrt(k / MASSES_AMU[13])
    timestep_fs = part / omega / FEMTOSECOND
    # friction w: nearly critical, so that energies forget within some steps of w dt = 1
    settings = solve.MdSettings(friction_per_ps=omega * FEMTOSECOND * 1e3, every=2, hold_centre=False, limits=FREE)
    s, kT = lattice(5), temperature * BOLTZMANN_EV_PER_K
    steps = round(800 / part)
    out = solve.run_md(
        [s] * 12, field(k), "nvt", temperature_K=temperature, timestep_fs=timestep_fs, steps=steps, seed=11,
        settings=settings,
    )  # fmt: skip
    skip = round(20 / part / 2)
    potential_energy, error = mean_and_error([t.energy[skip:].mean() for t in out])
    exact = 1.5 * len(s) * kT
    assert error < 0.004 * exact
    assert potential_energy == pytest.approx(exact, abs=SIGMAS * error)
    kinetic, error = mean_and_error([t.kinetic_eV[skip:].mean() for t in out])
    assert error < 0.004 * exact
    assert kinetic == pytest.approx(exact * (1 - part**2 / 4), abs=SIGMAS * error)


def test_spring_crystal_shares_energy_among_all_freedoms_but_the_centre():
    """Equipartition: <U> = <K> = (3n - 3)/2 kT for springs at 20 K."""
    stiffness, rest = 2.0, A0 / np.sqrt(2)
    p = potential.springs(stiffness, {"Al": rest}, 1.2 * rest)
    kT, half = 20 * BOLTZMANN_EV_PER_K, 0.5 * (3 * 32 - 3)
    settings = solve.MdSettings(friction_per_ps=40.0, every=2)
    out = solve.run_md(
        [fcc(2)] * 10, p, "nvt", temperature_K=20, timestep_fs=3.0, steps=1500, seed=12, settings=settings
    )
    assert all(t.freedoms == 93 for t in out)
    for name in ("energy", "kinetic_eV"):
        mean, error = mean_and_error([getattr(t, name)[50:].mean() for t in out])
        # 3 freedoms more would be 3.2 %; (w dt)^2/4 of the hardest mode, sqrt(8 k / m), is 0.3 %
        assert error < 0.005 * half * kT
        assert mean == pytest.approx(half * kT, abs=SIGMAS * error + 0.003 * half * kT)


@pytest.mark.slow
@pytest.mark.parametrize("thermostat", ["langevin", "rescale"])
def test_hot_crystal_is_canonical(thermostat):
    """<K> = f kT/2, Var K = f/2 (kT)^2 and <|F|^2> = kT <tr Hessian>, the configurational temperature (Rugh, 1997).

    The trace is z H z averaged over random signs z (Hutchinson), H z by central differences of the forces.
    """
    p, kT, freedoms = potential.morse(cutoff_A=5.0), 700 * BOLTZMANN_EV_PER_K, 3 * 32 - 3
    settings = solve.MdSettings(thermostat=thermostat, friction_per_ps=25.0, relaxation_fs=50.0, every=10)
    out = solve.run_md(
        [fcc(2, rattle=0.1, seed=r) for r in range(8)], p, "nvt", temperature_K=700, timestep_fs=2.0, steps=5000,
        seed=16, settings=settings,
    )  # fmt: skip
    assert all(t.finished for t in out)
    kinetic, error = mean_and_error([t.kinetic_eV[50:].mean() for t in out])
    # (w dt)^2/4 of a mode of 8 THz is 0.25 %
    assert error < 0.005 * kinetic
    assert kinetic == pytest.approx(0.5 * freedoms * kT, rel=SIGMAS * error / kinetic + 0.0025)
    variance, error = mean_and_error([t.kinetic_eV[50:].var() for t in out])
    assert error < 0.05 * variance
    assert variance == pytest.approx(0.5 * freedoms * kT**2, abs=SIGMAS * error)
    rng, h = np.random.default_rng(17), 1e-4
    ratios = []
    for t in out:
        frames = [t[k] for k in range(50, len(t), 2)]
        signs = [rng.choice([-1.0, 1.0], size=(32, 3)) for _ in frames]
        up, down = (
            p.evaluate([f.moved_to(f.positions + way * h * z) for f, z in zip(frames, signs, strict=True)])
            for way in (1, -1)
        )
        traces = [-np.sum(z * (a.forces - b.forces)) / (2 * h) for z, a, b in zip(signs, up, down, strict=True)]
        ratios.append((t.forces[50:] ** 2).sum(axis=(1, 2)).mean() / np.mean(traces))
    mean, error = mean_and_error(ratios)
    assert error < 0.02 * kT
    assert mean == pytest.approx(kT, abs=SIGMAS * error)


def test_free_atoms_diffuse_as_langevin_says():
    """<dx^2> = 2 kT/(m g^2) (g t - 1 + exp(-g t)) per direction: friction and time have the units they claim."""
    n, gamma_per_ps, temperature = 12, 20.0, 300.0
    nothing = FieldPotential(
        lambda x, _: (np.zeros(len(x)), np.zeros_like(x)), Card("nothing", "analytic", "no force", virials=False)
    )
    settings = solve.MdSettings(friction_per_ps=gamma_per_ps, every=50, hold_centre=False, limits=FREE)
    t = solve.run_md(
        [lattice(n)], nothing, "nvt", temperature_K=temperature, timestep_fs=1.0, steps=200, seed=13, settings=settings
    )[0]
    gamma = gamma_per_ps / (1e3 * FEMTOSECOND)
    for frame in range(1, len(t)):
        time = t.time_fs[frame] * FEMTOSECOND
        exact = 2 * temperature * BOLTZMANN_EV_PER_K / MASSES_AMU[13] / gamma**2
        exact *= gamma * time - 1 + np.exp(-gamma * time)
        squares = (t.positions[frame] - t.positions[0]).ravel() ** 2
        mean, error = mean_and_error(squares)
        # (g dt)^2/12 = 3e-5 of discretisation is far below the error
        assert error < 0.025 * exact
        assert mean == pytest.approx(exact, abs=SIGMAS * error)


def test_rescaling_relaxes_the_kinetic_energy_in_its_time():
    """Of free atoms <K(t)> = K0 + (K(0) - K0) exp(-t/tau), exactly at every step (Bussi et al., equation 4)."""
    nothing = FieldPotential(
        lambda x, _: (np.zeros(len(x)), np.zeros_like(x)), Card("nothing", "analytic", "no force", virials=False)
    )
    s, replicas, tau = lattice(2).take([0, 1]), 600, 60.0  # three freedoms: each of them is a third of the energy
    hot = solve.run_md([s], nothing, "nve", temperature_K=1500, timestep_fs=1.0, steps=0, seed=14)[0]
    settings = solve.MdSettings(
        thermostat="rescale", relaxation_fs=tau, every=15, limits=FREE,
        velocities_A_per_fs=[hot.velocities_A_per_fs[0]] * replicas,
    )  # fmt: skip
    out = solve.run_md(
        [s] * replicas, nothing, "nvt", temperature_K=300, timestep_fs=5.0, steps=30, seed=15, settings=settings
    )
    final = 0.5 * 3 * BOLTZMANN_EV_PER_K * 300
    for frame in range(len(out[0])):
        exact = final + (hot.kinetic_eV[0] - final) * np.exp(-out[0].time_fs[frame] / tau)
        mean, error = mean_and_error([t.kinetic_eV[frame] for t in out])
        assert mean == pytest.approx(exact, abs=SIGMAS * error + 1e-12)
        assert error < 0.05 * exact
