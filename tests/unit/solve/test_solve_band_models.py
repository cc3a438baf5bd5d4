"""Bands with every optimiser and model Hessian: one barrier, fewer evaluations, and the algebra of the model."""

import numpy as np
import pytest
from solve_toys import Morse, Well, fcc

from simkit import solve
from simkit.errors import InputError
from simkit.solve.band_model import BandModel, band_model
from simkit.solve.band_rules import SOFT_EV_PER_A2, BandRules, felt
from simkit.solve.idpp import shortest_way
from simkit.solve.optimisers import STEPPERS
from simkit.solve.stepper import UNIT_STIFFNESS_EV_PER_A2

TIGHT = solve.NebSettings(
    optimiser="fire2", fmax_eV_per_A=1e-3, others_eV_per_A=5e-3, barrier_error_eV=1e-5, barrier_change_eV=1e-6
)
MORSE = Morse()


@pytest.fixture(scope="module")
def crystal():
    return solve.relax([fcc(2)], MORSE, cell="free", fmax_eV_per_A=1e-4)[0].structure


@pytest.fixture(scope="module")
def host(crystal):
    return solve.host_hessian(crystal, MORSE)


def hop_beside_a_vacancy(crystal):
    """Relaxed ends of a hop beside a second vacancy: no symmetry left, two atoms fewer than the crystal."""
    x = crystal.positions.copy()
    near = np.linalg.norm(shortest_way(crystal, crystal.moved_to(x[[0] * len(x)])), axis=1).argsort()
    away = np.linalg.norm(shortest_way(crystal, crystal.moved_to(x[[near[1]] * len(x)])), axis=1)
    second = next(int(k) for k in near[2:] if away[k] > 3.5)
    keep = np.setdiff1d(np.arange(len(x)), [0, second])
    x[near[1]] = x[0] + np.round((x[near[1]] - x[0]) @ np.linalg.inv(crystal.cell)) @ crystal.cell
    ends = [crystal.take(keep), crystal.moved_to(x).take(keep)]
    return tuple(out.structure for out in solve.relax(ends, MORSE, fmax_eV_per_A=0.005))


@pytest.fixture(scope="module")
def hop(crystal):
    return hop_beside_a_vacancy(crystal)


@pytest.fixture(scope="module")
def reference(hop):
    path = solve.find_path(*hop, MORSE, settings=TIGHT)
    assert path.converged
    return path.barrier_eV


CASES = [(name, None) for name in STEPPERS] + [
    (name, model) for name in ("lbfgs", "ode12r") for model in ("exp", "host")
]


@pytest.mark.parametrize(("optimiser", "model"), CASES)
def test_a_converged_barrier_is_right_to_two_millielectronvolts(hop, reference, host, optimiser, model):
    """With the default criteria, whatever went downhill."""
    made = {None: None, "exp": solve.BAND_SPRINGS, "host": solve.HostModel(host)}[model]
    path = solve.find_path(*hop, MORSE, settings=solve.NebSettings(optimiser=optimiser, model=made))
    assert path.converged
    assert path.barrier_eV == pytest.approx(reference, abs=0.002)


def test_the_host_saves_steps_where_a_cell_is_large_enough_to_have_soft_motions():
    """106 atoms; with 30 atoms the optimiser learns them as fast."""
    crystal = solve.relax([fcc(3)], MORSE, cell="free", fmax_eV_per_A=1e-3)[0].structure
    model, ends = solve.HostModel(solve.host_hessian(crystal, MORSE)), hop_beside_a_vacancy(crystal)
    plain, preconditioned = (
        solve.find_path(*ends, MORSE, settings=solve.NebSettings(optimiser=optimiser, model=made))
        for optimiser, made in (("lbfgs", None), ("ode12r", model))
    )
    assert plain.converged and preconditioned.converged
    assert preconditioned.barrier_eV == pytest.approx(plain.barrier_eV, abs=0.002)
    assert preconditioned.steps < plain.steps


@pytest.mark.parametrize("error", [0.1, 0.03, 0.01, 0.003])
def test_a_host_tells_how_far_a_saddle_still_has_to_fall(hop, reference, host, error):
    """Stopped by that criterion alone, a band lies too high by about what was allowed."""
    loose = {"fmax_eV_per_A": 2.0, "others_eV_per_A": 2.0, "barrier_change_eV": 2.0, "climb_below_eV_per_A": 3.0}
    settings = solve.NebSettings(
        optimiser="ode12r", max_step_A=0.02, model=solve.HostModel(host), barrier_error_eV=error, **loose
    )
    path = solve.find_path(*hop, MORSE, settings=settings)
    assert path.converged and 0.1 * error < path.barrier_eV - reference < 1.5 * error, path.barrier_eV - reference


def test_force_alone_would_stop_too_early():
    """The criterion holds the energy that the forces of all atoms stand for: |f|^2 / 2k."""
    n = 50
    positions = np.zeros((3, n, 3))
    positions[1:, 0, 0] = 1.0, 2.0
    forces = np.zeros((3, n, 3))
    forces[1, :, 1] = 0.02
    rules = BandRules(0.05, 0.15, 0.002, 5.0, True, 0.5)
    told = felt(rules, (positions, np.array([0.0, 1.0, 0.0]), forces), -1)
    energy = n * 0.02**2 / (2 * SOFT_EV_PER_A2)
    assert told.mode == 0 and 0.02 / 0.05 < 1
    assert told.residual == pytest.approx(np.sqrt(energy / 0.002))


def test_the_model_is_the_inverse_of_stiffness_across_and_springs_along():
    """Applied to H d across the tangents plus the chain's force along them, it gives d back."""
    rng = np.random.default_rng(1)
    k, n, spring = 5, 4, 5.0
    root = rng.normal(size=(3 * n, 3 * n))
    matrix = root @ root.T + np.eye(3 * n)
    t = rng.normal(size=(k, n, 3))
    t /= np.linalg.norm(t, axis=(1, 2), keepdims=True)
    climbing = np.arange(k) == 2
    made = BandModel(lambda rows: rows @ np.linalg.inv(matrix) * UNIT_STIFFNESS_EV_PER_A2)
    d = rng.normal(size=(k, n, 3))
    flat, ways = d.reshape(k, -1), t.reshape(k, -1)
    s = np.einsum("kd,kd->k", flat, ways)
    across = flat - s[:, None] * ways
    pushed = across @ matrix
    pushed -= np.einsum("kd,kd->k", pushed, ways)[:, None] * ways
    chain = spring * (2 * np.eye(k) - np.eye(k, k=1) - np.eye(k, k=-1))
    chain[2], chain[:, 2] = 0.0, 0.0
    chain[2, 2] = 1.0 / (ways[2] @ np.linalg.inv(matrix) @ ways[2])
    pushed += (chain @ s)[:, None] * ways
    back = made.applied(pushed.reshape(k, n, 3), t, spring, climbing) / UNIT_STIFFNESS_EV_PER_A2
    np.testing.assert_allclose(back, d, atol=1e-10)


@pytest.mark.parametrize("kind", ["exp", "host"])
def test_no_model_carries_a_whole_image_along(hop, host, kind):
    """Rigid translations count as stiff as the steppers' unit, and other forces make none of them."""
    model = {"exp": solve.BAND_SPRINGS, "host": solve.HostModel(host)}[kind]
    made = band_model(model, *hop, 0.5 * (hop[0].positions + hop[1].positions))
    n = len(hop[0])
    rigid = np.tile([0.3, -0.2, 0.1], (1, n))
    np.testing.assert_allclose(made.divided(rigid), rigid, atol=1e-12)
    inner = np.random.default_rng(2).normal(size=(1, n, 3))
    inner -= inner.mean(axis=1, keepdims=True)
    moved = made.divided(inner.reshape(1, -1)).reshape(n, 3)
    np.testing.assert_allclose(moved.mean(axis=0), 0.0, atol=1e-12)
    assert np.abs(moved).max() > 0.1
    if kind == "host":
        drifting = inner + rigid.reshape(1, n, 3)
        np.testing.assert_allclose(made.left(drifting), made.left(inner), rtol=1e-12)


def test_springs_do_not_slow_a_band_down(hop, reference):
    """This hop takes 12 steps without and 14 with springs; 58 where these may carry images along."""
    steps = {}
    for name, model in (("exp", solve.BAND_SPRINGS), ("none", None)):
        path = solve.find_path(*hop, MORSE, settings=solve.NebSettings(model=model))
        assert path.converged and path.barrier_eV == pytest.approx(reference, abs=0.002)
        steps[name] = path.steps
    assert steps["exp"] < 2 * steps["none"], steps


def test_bands_of_a_batch_have_models_of_their_own(hop, host):
    settings = solve.NebSettings(model=solve.HostModel(host))
    both = solve.find_paths([hop, hop[::-1]], MORSE, settings=settings)
    alone = solve.find_path(*hop, MORSE, settings=settings)
    np.testing.assert_allclose(both[0].energies_eV, alone.energies_eV, atol=1e-9)
    assert both[1].barrier_eV == pytest.approx(alone.reverse_barrier_eV, abs=1e-3)


def test_a_band_that_is_not_of_the_host_is_refused_at_once(host):
    well = Well()
    with pytest.raises(InputError, match="host"):
        solve.find_path(well.place(-1), well.place(1), well, settings=solve.NebSettings(model=solve.HostModel(host)))
