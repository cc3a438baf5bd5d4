"""Constant pressure against closed forms: the ideal gas, and the elastic fluctuations of a crystal of springs."""

import numpy as np
import pytest

from simkit import potential, solve
from simkit.potential.analytic import FieldPotential, fcc_spring_stiffness
from simkit.potential.card import Card
from simkit.structure import Structure
from simkit.units import BOLTZMANN_EV_PER_K, EV_PER_A3_IN_GPA

A0 = 4.05
SIGMAS = 4.5  # of the mean: seeds are fixed, so a test that passes once passes always; 1 in 1e5 by chance
FREE = solve.MdLimits(np.inf, np.inf, 0.0, np.inf, 100.0)
NOTHING = FieldPotential(
    lambda x, _: (np.zeros(len(x)), np.zeros_like(x)), Card("nothing", "analytic", "no force", virials=False)
)


def fcc(n, a=A0):
    """n x n x n cubic cells of aluminium."""
    base = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]) * a
    return Structure(np.full(4, 13), base, np.eye(3) * a).repeated(n, n, n)


def mean_and_error(per_replica):
    """Mean over independent replicas, and its standard error."""
    values = np.asarray(per_replica)
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


@pytest.mark.parametrize(("thermostat", "hold"), [("langevin", False), ("langevin", True), ("rescale", True)])
def test_ideal_gas_has_the_volumes_of_the_gamma_law(thermostat, hold):
    """p(V) ~ V^N exp(-pV/kT) whether or not the centre rests: <V> = (N + 1) kT/p, Var V = (N + 1) (kT/p)^2."""
    atoms, kT = 8, 300 * BOLTZMANN_EV_PER_K
    unit = 100.0  # kT/p, A^3
    gas = Structure([13] * atoms, np.random.default_rng(1).uniform(0, 9, (atoms, 3)), np.eye(3) * 900 ** (1 / 3))
    settings = solve.MdSettings(
        thermostat=thermostat, friction_per_ps=100.0, relaxation_fs=20.0, hold_centre=hold, limits=FREE, every=20,
        pressure_GPa=kT / unit * EV_PER_A3_IN_GPA, cell="isotropic", barostat_fs=60.0,
        compressibility_per_GPa=unit / kT / EV_PER_A3_IN_GPA,
    )  # fmt: skip
    out = solve.run_md(
        [gas] * 30, NOTHING, "npt", temperature_K=300, timestep_fs=2.0, steps=1800, seed=21, settings=settings
    )
    volumes = [np.linalg.det(t.cells[30:]) for t in out]
    mean, error = mean_and_error([v.mean() for v in volumes])
    assert error < 0.03 * mean
    assert mean == pytest.approx((atoms + 1) * unit, abs=SIGMAS * error)
    variance, error = mean_and_error([np.mean((v - (atoms + 1) * unit) ** 2) for v in volumes])
    assert error < 0.12 * variance
    assert variance == pytest.approx((atoms + 1) * unit**2, abs=SIGMAS * error)


@pytest.mark.slow
@pytest.mark.parametrize("thermostat", ["langevin", "rescale"])
def test_strain_fluctuates_as_the_elastic_constants_say(thermostat):
    """<e_i e_j> = kT/V S_ij (Parrinello and Rahman, J. Chem. Phys. 76, 2662, 1982), all six strains, fcc of springs."""
    stiffness, rest, kT = 2.0, A0 / np.sqrt(2), 40 * BOLTZMANN_EV_PER_K
    p = potential.springs(stiffness, {"Al": rest}, 1.2 * rest)
    c11, c12, c44 = fcc_spring_stiffness(stiffness, rest)
    s = fcc(2)
    settings = solve.MdSettings(
        thermostat=thermostat, friction_per_ps=20.0, relaxation_fs=50.0, every=5, cell="free", barostat_fs=60.0,
        compressibility_per_GPa=3 / (c11 + 2 * c12) / EV_PER_A3_IN_GPA,
    )  # fmt: skip
    out = solve.run_md([s] * 16, p, "npt", temperature_K=40, timestep_fs=3.0, steps=6000, seed=22, settings=settings)
    assert all(t.finished for t in out)
    strains = []
    for t in out:
        cells = t.cells[100:]
        # the frame is turned so that the cell stays lower triangular; the metric knows no turn
        np.testing.assert_allclose(cells[:, [0, 0, 1], [1, 2, 2]], 0.0, atol=1e-12)
        scaled = np.linalg.inv(cells.mean(axis=0)) @ cells
        green = 0.5 * (scaled @ np.swapaxes(scaled, 1, 2) - np.eye(3))
        strains.append(green[:, [0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]])
    volume = np.mean([np.linalg.det(t.cells[100:]).mean() for t in out])
    compliance = np.linalg.inv(np.array([[c11, c12, c12], [c12, c11, c12], [c12, c12, c11]]))
    products = np.array([np.einsum("fi,fj->ij", e, e) / len(e) for e in strains])
    unit = kT / volume
    # the mean of each run is taken off, which loses 1 / (independent samples), some 1 %; anharmonic softening at
    # 40 K is (rms strain of a bond)^2, some 1e-4
    normal = np.array([np.trace(q[:3, :3]) / 3 for q in products])
    mean, error = mean_and_error(normal)
    assert error < 0.03 * mean
    assert mean == pytest.approx(unit * compliance[0, 0], abs=SIGMAS * error + 0.01 * mean)
    mean, error = mean_and_error([np.trace(q[3:, 3:]) / 3 for q in products])
    assert error < 0.03 * mean
    assert mean == pytest.approx(unit / (4 * c44), abs=SIGMAS * error + 0.01 * mean)
    mean, error = mean_and_error([(q[0, 1] + q[0, 2] + q[1, 2]) / 3 for q in products])
    assert mean == pytest.approx(unit * compliance[0, 1], abs=SIGMAS * error + 0.01 * abs(mean))


@pytest.mark.parametrize("cell", ["layered", "free"])
def test_mean_stress_is_the_pressure(cell):
    p = potential.morse(cutoff_A=4.5)
    runs = [fcc(2), fcc(2)] * 6
    settings = solve.MdSettings(
        every=5, pressure_GPa=[0.0, 4.0] * 6, cell=cell, barostat_fs=150.0, friction_per_ps=20.0
    )
    out = solve.run_md(runs, p, "npt", temperature_K=200, timestep_fs=3.0, steps=1200, seed=23, settings=settings)
    for first, pressure in ((0, 0.0), (1, 4.0)):
        per_run = []
        for t in out[first::2]:
            assert t.finished
            kinetic = 2 * t.kinetic_eV / 3 / np.linalg.det(t.cells)
            inside = kinetic - np.trace(t.stress, axis1=1, axis2=2) / 3
            # scaled by its volume the mean is exact: <V (P - p)> = -(1 + centres held) kT, here 0.1 GPa of one atom
            volumes = np.linalg.det(t.cells)
            part = (inside * volumes)[60:].mean() + 2 * 200 * BOLTZMANN_EV_PER_K
            per_run.append(part / volumes[60:].mean() * EV_PER_A3_IN_GPA)
        mean, error = mean_and_error(per_run)
        assert error < 0.2
        assert mean == pytest.approx(pressure, abs=SIGMAS * error)
    assert np.linalg.det(out[1].cells[60:]).mean() < 0.98 * np.linalg.det(out[0].cells[60:]).mean()


def test_cells_change_only_as_asked():
    start = fcc(2)
    sheared = start.strained_to(start.cell @ np.array([[1.0, 0, 0], [0.1, 1, 0], [0.05, 0.02, 1]]))
    p = potential.morse(cutoff_A=4.5)

    def moved(cell, s):
        settings = solve.MdSettings(cell=cell, barostat_fs=50.0)
        t = solve.run_md([s], p, "npt", temperature_K=300, timestep_fs=2.0, steps=60, seed=3, settings=settings)[0]
        scaled = np.linalg.inv(t.cells[0]) @ t.cells[-1]
        assert np.abs(scaled - np.eye(3)).max() > 1e-4
        return scaled, t

    scaled, _ = moved("isotropic", sheared)
    np.testing.assert_allclose(scaled, np.eye(3) * scaled[0, 0], atol=1e-12)
    scaled, _ = moved("layered", sheared)
    np.testing.assert_allclose(scaled, np.diag([scaled[0, 0], scaled[0, 0], scaled[2, 2]]), atol=1e-12)
    scaled, _ = moved("anisotropic", sheared)
    np.testing.assert_allclose(scaled, np.diag(np.diag(scaled)), atol=1e-12)
    scaled, t = moved("inplane", sheared)
    np.testing.assert_allclose(t.cells[-1][2, 2], t.cells[0][2, 2], atol=1e-12)
    np.testing.assert_allclose(scaled[2], [0, 0, 1], atol=1e-12)
    scaled, _ = moved("c", sheared)
    np.testing.assert_allclose(scaled[:2, :2], np.eye(2), atol=1e-12)
    _, t = moved("free", sheared)
    # the first vector stays along x and the second in the plane: directions keep their meaning
    np.testing.assert_allclose(t.cells[-1][[0, 0, 1], [1, 2, 2]], 0.0, atol=1e-12)
    # fractional coordinates of the centre of mass do not wander
    centres = [np.linalg.solve(c.T, x.mean(axis=0)) for c, x in zip(t.cells, t.positions, strict=True)]
    np.testing.assert_allclose(centres, centres[:1] * len(t), atol=1e-10)


def test_turned_cells_move_alike():
    """At no temperature a turned crystal takes the same steps, turned: the strains belong to the cell, not to space."""
    s = fcc(2)
    s = s.moved_to(s.positions + np.random.default_rng(4).normal(0, 0.05, s.positions.shape))
    angle = 0.7
    about = np.array([[np.cos(angle), 0.0, np.sin(angle)], [0.0, 1.0, 0.0], [-np.sin(angle), 0.0, np.cos(angle)]])
    turned = s.moved_to(s.positions @ about, s.cell @ about)
    p = potential.morse(cutoff_A=4.5)
    settings = solve.MdSettings(cell="layered", barostat_fs=50.0, pressure_GPa=1.0)
    a, b = solve.run_md([s, turned], p, "npt", temperature_K=0, timestep_fs=2.0, steps=80, seed=3, settings=settings)
    assert np.abs(a.cells[-1] - a.cells[0]).max() > 0.01
    np.testing.assert_allclose(b.cells[-1], a.cells[-1] @ about, atol=1e-10)
    np.testing.assert_allclose(b.positions[-1], a.positions[-1] @ about, atol=1e-9)
