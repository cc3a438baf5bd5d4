"""FIRE, ODE12r and L-BFGS on problems whose minimum is known, against scipy and against ASE."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.optimize.fire2 import FIRE2
from scipy.optimize import minimize, rosen, rosen_der

from simkit.solve.fire import Fire
from simkit.solve.groups import Groups
from simkit.solve.lbfgs import Lbfgs
from simkit.solve.ode import Ode12r
from simkit.solve.optimisers import STEPPERS
from simkit.solve.stepper import UNIT_STIFFNESS_EV_PER_A2, Push

EVERY = {name: make(0.2) for name, make in STEPPERS.items()}


def descend(stepper, x, gradient, groups, steps, **more):
    """Run a stepper by hand; groups whose force is small stop. Returns x and gradient calls of each group."""
    tolerance, metric = more.get("tolerance", 1e-6), more.get("metric")
    memory = stepper.init(groups)
    calls = np.ones(groups.count, int)
    quiet = np.zeros(groups.count, bool)
    for _ in range(steps):
        force = -gradient(x)
        active = groups.largest(force) > tolerance
        if not active.any():
            break
        push = Push(x, force, active, quiet)
        push = push if metric is None else replace(push, metric=metric)
        memory, x = stepper.step(memory, groups, push)
        calls += active
    return x, calls


@pytest.mark.parametrize("stepper", EVERY.values(), ids=EVERY)
def test_quadratic_forms_reach_their_minimum(stepper):
    rng = np.random.default_rng(3)
    basis = np.linalg.qr(rng.normal(size=(12, 12)))[0]
    matrix = basis @ np.diag(np.geomspace(1, 40, 12)) @ basis.T
    centre = rng.normal(size=12)
    x, _ = descend(stepper, np.zeros(12), lambda x: matrix @ (x - centre), Groups(np.zeros(12, int), 1), 1500)
    # the force is below 1e-6 and the softest curvature 1, so x is within sqrt(12) 1e-6
    np.testing.assert_allclose(x, centre, atol=4e-6)


def test_lbfgs_needs_about_as_many_gradients_as_scipy_on_a_quadratic_form():
    rng = np.random.default_rng(4)
    basis = np.linalg.qr(rng.normal(size=(30, 30)))[0]
    matrix = basis @ np.diag(np.geomspace(1, 100, 30)) @ basis.T
    centre = 0.3 * rng.normal(size=30)
    theirs = minimize(
        lambda x: 0.5 * (x - centre) @ matrix @ (x - centre),
        np.zeros(30),
        jac=lambda x: matrix @ (x - centre),
        method="L-BFGS-B",
        options={"gtol": 1e-5, "maxcor": 20, "ftol": 0},
    )
    x, calls = descend(
        Lbfgs(), np.zeros(30), lambda x: matrix @ (x - centre), Groups(np.zeros(30, int), 1), 200, tolerance=1e-5
    )
    np.testing.assert_allclose(x, centre, atol=1e-4)
    # no line search: allowed half as many again
    assert calls[0] <= 1.5 * theirs.njev


def test_the_exact_inverse_hessian_as_metric_makes_lbfgs_newton():
    rng = np.random.default_rng(5)
    basis = np.linalg.qr(rng.normal(size=(10, 10)))[0]
    matrix = basis @ np.diag(np.geomspace(1, 1000, 10)) @ basis.T
    centre = 0.1 * rng.normal(size=10)
    solve = np.linalg.inv(matrix)
    stepper = Lbfgs(curvature=1.0, max_step=10.0)
    _, calls = descend(
        stepper, np.zeros(10), lambda x: matrix @ (x - centre), Groups(np.zeros(10, int), 1), 50, metric=solve.dot
    )
    assert calls[0] == 2


@pytest.mark.parametrize("stepper", [Lbfgs(), Ode12r(), Fire(dt=0.02, dt_max=0.05)], ids=["lbfgs", "ode12r", "fire"])
def test_rosenbrock_valley_ends_where_scipy_ends(stepper):
    start = np.array([-1.2, 1.0, 0.4, 0.3])
    theirs = minimize(rosen, start, jac=rosen_der, method="BFGS", options={"gtol": 1e-7})
    x, calls = descend(stepper, start, rosen_der, Groups(np.zeros(4, int), 1), 20000)
    # force 1e-6 over the valley's curvature of about 0.4
    np.testing.assert_allclose(x, theirs.x, atol=1e-4)
    assert calls[0] < (150 if isinstance(stepper, Lbfgs) else 20000)


@pytest.mark.parametrize("stepper", EVERY.values(), ids=EVERY)
def test_groups_do_not_feel_one_another(stepper):
    rng = np.random.default_rng(6)
    sizes = [3, 5, 4]
    stiff = [np.geomspace(1, 5 * (k + 1), n) for k, n in enumerate(sizes)]
    starts = [rng.normal(size=n) for n in sizes]
    alone = [
        descend(stepper, x, lambda x, c=c: c * x + x**3, Groups(np.zeros(n, int), 1), 400)
        for x, c, n in zip(starts, stiff, sizes, strict=True)
    ]
    # interleaved on purpose: entries of a group need not be neighbours
    order = rng.permutation(sum(sizes))
    of = np.repeat(np.arange(3), sizes)[order]
    c = np.concatenate(stiff)[order]
    x, calls = descend(stepper, np.concatenate(starts)[order], lambda x: c * x + x**3, Groups(of, 3), 400)
    back = np.empty_like(x)
    back[order] = x
    np.testing.assert_array_equal(calls, [a[1][0] for a in alone])
    # the same sums in another order: rounding only
    np.testing.assert_allclose(back, np.concatenate([a[0] for a in alone]), atol=1e-12)


@pytest.mark.parametrize(
    "stepper", [Lbfgs(max_step=0.05), Ode12r(max_step=0.05), Fire(max_step=0.05)], ids=["lbfgs", "ode12r", "fire"]
)
def test_no_step_is_longer_than_the_cap_and_still_groups_do_not_move(stepper):
    groups = Groups(np.array([0, 0, 1]), 2)
    memory = stepper.init(groups)
    x = np.array([5.0, -3.0, 2.0])
    for _ in range(30):
        push = Push(x, -1e4 * x, np.array([True, False]), np.zeros(2, bool))
        memory, new = stepper.step(memory, groups, push)
        # FIRE steps back half a step when it turns: never more than one and a half caps
        assert np.abs(new - x).max() <= 1.5 * 0.05 + 1e-12
        assert new[2] == 2.0
        x = new


def test_lbfgs_takes_an_overshoot_back():
    """On a wall far steeper than the first guess the second point is beyond the minimum, and higher."""
    groups, on = Groups(np.zeros(1, int), 1), np.ones(1, bool)
    stepper = Lbfgs(curvature=1.0, max_step=1.0)

    def gradient(x):
        return 400.0 * x**3 + 1000 * x

    memory = stepper.init(groups)
    memory, over = stepper.step(memory, groups, Push(np.array([0.3]), -gradient(np.array([0.3])), on, ~on))
    assert over[0] == pytest.approx(-0.7)
    memory, x = stepper.step(memory, groups, Push(over, -gradient(over), on, ~on))
    assert memory["x"][0] == 0.3 and memory["cap"][0] == pytest.approx(0.5) and memory["overshoots"][0] == 1
    assert abs(x[0]) < 0.3
    x, calls = descend(stepper, np.array([0.3]), gradient, groups, 100)
    assert abs(x[0]) < 1e-8 and calls[0] < 12


def test_lbfgs_learns_nothing_from_a_force_that_changed_its_meaning():
    groups = Groups(np.array([0, 1]), 2)
    stepper = Lbfgs()
    on, none = np.ones(2, bool), np.zeros(2, bool)
    memory, x = stepper.step(stepper.init(groups), groups, Push(np.array([1.0, 1.0]), np.array([-3.0, -3.0]), on, none))
    memory, _ = stepper.step(memory, groups, Push(x, -3.0 * x, on, np.array([True, False])))
    assert (memory["rho"][:, 0] == 0).all() and (memory["rho"][:, 1] > 0).any()


def test_lbfgs_leaves_a_concave_start():
    """From beside a maximum the curvature is negative: no pair may be stored, the descent goes on."""
    x, _ = descend(Lbfgs(), np.array([0.01]), lambda x: 4 * x**3 - 4 * x, Groups(np.zeros(1, int), 1), 200)
    np.testing.assert_allclose(x, 1.0, atol=1e-6)


def test_largest_marks_a_nan_as_infinite():
    groups = Groups(np.array([0, 0, 1]), 2)
    np.testing.assert_array_equal(groups.largest(np.array([1.0, np.nan, -2.0])), [np.inf, 2.0])


@pytest.mark.parametrize("unbiased", [False, True], ids=["fire2", "abcfire"])
def test_fire_takes_the_steps_of_ase_until_it_turns(unbiased):
    """The same velocities, time steps and steering as ASE's FIRE2, which asks for forces once more where it turns."""
    stiff, start = np.array([0.002, 0.005, 0.01]), np.array([[0.3, -0.2, 0.1]])
    atoms = Atoms("H", positions=start)
    atoms.calc = Bowl(stiff)
    theirs = []
    # caps far beyond any step taken here: ASE cuts steps by another rule
    run = FIRE2(atoms, logfile=None, use_abc=unbiased, maxstep=50.0)
    run.attach(lambda: theirs.append(atoms.positions[0].copy()))
    run.run(fmax=1e-12, steps=40)
    stepper, groups = Fire(max_step=50.0, unbiased=unbiased), Groups(np.zeros(3, int), 1)
    memory, x, ours = stepper.init(groups), start[0], [start[0]]
    for _ in range(40):
        memory, x = stepper.step(memory, groups, Push(x, -stiff * x, np.ones(1, bool), np.zeros(1, bool)))
        ours.append(x)
    assert memory["dt"][0] > 0.4 and memory["downhill"][0] == 39, "the time step has grown, nothing has turned"
    np.testing.assert_allclose(ours, theirs, atol=1e-12)  # the same sums in another order


def test_fire_turns_by_half_a_step_back_and_starts_from_rest():
    """x - dt v / 2 + dt^2 f with the time step halved; the velocity is dt f: steering keeps what is along the force."""
    stepper, groups = Fire(), Groups(np.zeros(1, int), 1)
    memory = stepper.init(groups) | {"velocity": np.array([0.4]), "downhill": np.array([7])}
    memory, x = stepper.step(memory, groups, Push(np.ones(1), np.array([-2.0]), np.ones(1, bool), np.zeros(1, bool)))
    assert memory["dt"][0] == 0.05 and memory["downhill"][0] == 0
    assert memory["velocity"][0] == pytest.approx(0.05 * -2.0)
    assert x[0] == pytest.approx(1.0 - 0.5 * 0.05 * 0.4 + 0.05**2 * -2.0)


class Bowl(Calculator):
    """Each coordinate of one atom on a spring of its own."""

    implemented_properties = ("energy", "forces")

    def __init__(self, stiff):
        super().__init__()
        self.stiff = stiff

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        x = atoms.positions
        self.results = {"energy": 0.5 * float((self.stiff * x**2).sum()), "forces": -self.stiff * x}


def test_ode12r_finds_the_minimum_of_one_spring_in_three_gradients():
    """The length that leaves no force along the line is 1 / k after one step; x falls to zero with the next."""
    stiff = 0.9 * UNIT_STIFFNESS_EV_PER_A2
    x, calls = descend(Ode12r(), np.array([0.01]), lambda x: stiff * x, Groups(np.zeros(1, int), 1), 50)
    assert calls[0] == 3 and abs(x[0]) < 1e-12


def test_ode12r_with_the_exact_hessian_is_newton():
    rng = np.random.default_rng(5)
    basis = np.linalg.qr(rng.normal(size=(10, 10)))[0]
    matrix = basis @ np.diag(np.geomspace(1, 1000, 10)) @ basis.T
    centre = 0.1 * rng.normal(size=10)
    inverse = UNIT_STIFFNESS_EV_PER_A2 * np.linalg.inv(matrix)
    stepper = Ode12r(first=1.0, max_step=10.0)
    _, calls = descend(
        stepper, np.zeros(10), lambda x: matrix @ (x - centre), Groups(np.zeros(10, int), 1), 50, metric=inverse.dot
    )
    assert calls[0] == 2


@pytest.mark.parametrize("name", ["lbfgs", "ode12r"])
def test_a_model_hessian_whose_steps_are_rejected_twice_is_left(name):
    """A wall behind every step of the second group: it leaves the model after two rejections, alone, and arrives."""
    groups, on, none = Groups(np.repeat([0, 1], 3), 2), np.ones(2, bool), np.zeros(2, bool)
    stiff, wrong = np.tile([20.0, 40.0, 60.0], 2), np.tile([0.1, 3.0, 1.0], 2)
    stepper = STEPPERS[name](0.5)
    memory, x = stepper.init(groups), np.full(6, 0.2)
    for k in range(3):
        force = -stiff * x
        if k:
            force[3:] = 10.0 * stiff[3:]
        memory, x = stepper.step(memory, groups, Push(x, force, on, none, lambda v: wrong * v))
        np.testing.assert_array_equal(memory["plain"], [False, k == 2])
    way = (x - memory["x"])[3:]
    np.testing.assert_allclose(way / way[0], [1.0, 2.0, 3.0], rtol=1e-12)  # along the force itself
    for _ in range(20):
        memory, x = stepper.step(memory, groups, Push(x, -stiff * x, on, none, lambda v: wrong * v))
    assert np.abs(x[3:]).max() < 1e-5
    assert np.abs(x[:3]).max() < 0.2 * 0.2  # on a model that is wrong by a factor of 30
