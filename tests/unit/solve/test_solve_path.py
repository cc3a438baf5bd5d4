"""Paths on landscapes whose barrier is known: spacing, saddle order, periodic faces, batches, refusals."""

import io

import numpy as np
import pytest
from solve_toys import Broken, EggBox, Morse, Well, fcc, one

from simkit import solve
from simkit.errors import InputError
from simkit.solve.idpp import interpolated, shortest_way
from simkit.solve.tangents import fitted_maximum, tangents

TIGHT = solve.NebSettings(fmax_eV_per_A=0.005, others_eV_per_A=0.01, barrier_change_eV=1e-5)


def chords(path):
    """Distances between neighbouring images, A."""
    return np.diff(path.distances_A)


def hessian_eigenvalues(potential, structure, h=1e-3):
    """Eigenvalues of the finite-difference Hessian, eV/A^2, ascending."""
    n = 3 * len(structure)
    moved = [
        structure.moved_to(structure.positions + sign * h * np.eye(n)[k].reshape(-1, 3))
        for k in range(n)
        for sign in (1, -1)
    ]
    f = np.array([e.forces.ravel() for e in potential.evaluate(moved)])
    matrix = -(f[0::2] - f[1::2]) / (2 * h)
    return np.linalg.eigvalsh(0.5 * (matrix + matrix.T))


@pytest.mark.parametrize("tilt", [0.0, 0.15, -0.15])
@pytest.mark.parametrize("optimiser", ["lbfgs", "fire"])
def test_double_well_barrier_saddle_and_spacing(tilt, optimiser):
    well = Well(tilt=tilt)
    u, e = well.stationary()
    settings = solve.NebSettings(optimiser=optimiser, fmax_eV_per_A=0.005, others_eV_per_A=0.01, barrier_change_eV=1e-5)
    path = solve.find_path(well.place(u[0]), well.place(u[2]), well, images=7, settings=settings)
    assert path.converged and path.status == solve.CONVERGED
    # 0.005 eV/A over a curvature of 0.7 eV/A^2 leaves 2e-5 eV
    assert path.barrier_eV == pytest.approx(e[1] - e[0], abs=1e-4)
    assert path.reverse_barrier_eV == pytest.approx(e[1] - e[2], abs=1e-4)
    assert path.fitted_barrier_eV == pytest.approx(path.barrier_eV, abs=1e-4)
    assert path.residual_force_eV_per_A <= 0.005
    top = path.images[path.climbing_image]
    assert np.sum(hessian_eigenvalues(well, top) < 0) == 1
    np.testing.assert_allclose(top.positions, well.place(u[1]).positions, atol=0.01)
    # equal on each side of the climbing image, which the springs do not hold: to the springs' share of 0.01 eV/A
    for side in np.split(chords(path), [path.climbing_image]):
        assert np.ptp(side) < 0.01
    # the level well is its own mirror image: four of the seven images are evaluated
    assert path.evaluations == (7 if tilt else 4) * (path.steps + 1)


def test_without_climbing_all_spacings_are_equal_and_the_fit_finds_the_top():
    well = Well(tilt=0.15)
    u, e = well.stationary()
    path = solve.find_path(well.place(u[0]), well.place(u[2]), well, images=4, climb=False, settings=TIGHT)
    assert path.converged and path.climbing_image is None
    assert np.ptp(chords(path)) < 0.01
    # no image stands on the saddle; the cubic through energies and slopes is right to its fourth-order error
    assert path.barrier_eV < e[1] - e[0] - 0.002
    assert path.fitted_barrier_eV == pytest.approx(e[1] - e[0], abs=0.003)


def test_tangential_forces_are_the_slope_of_the_profile():
    well = Well()
    path = solve.find_path(well.place(-1), well.place(1), well, images=31, climb=False, settings=TIGHT)
    slope = np.gradient(path.energies_eV, path.distances_A)
    # second-order differences on a grid of 0.1 A
    np.testing.assert_allclose(path.tangential_forces_eV_per_A[1:-1], -slope[1:-1], atol=0.02)


def test_downhill_all_the_way_has_no_barrier():
    """Beyond |tilt| = 8 h / 3 sqrt 3 the double well has one minimum; a fixed start on its slope only falls."""
    well = Well(h=0.2, tilt=0.5)
    path = solve.find_path(well.place(0.8), well.place(-0.8), well, images=4)
    assert path.converged and path.climbing_image is None
    assert path.barrier_eV == 0.0
    assert path.fitted_barrier_eV == pytest.approx(0.0, abs=1e-6)
    assert path.reverse_barrier_eV == pytest.approx(path.energies_eV[0] - path.energies_eV[-1])


@pytest.mark.parametrize("start", [2.5, 7.5], ids=["inside", "across the face"])
def test_hop_over_a_face_is_the_hop_inside(start):
    """Final positions are wrapped, so the second hop seems to be 7.5 A long."""
    box = EggBox()
    path = solve.find_path(one([start, 0, 0]), one([(start + 2.5) % 10.0, 0, 0]), box, settings=TIGHT)
    assert path.converged
    assert path.barrier_eV == pytest.approx(0.6, abs=1e-4)
    assert path.distances_A[-1] == pytest.approx(2.5, abs=1e-6)


def vacancy_hop(n=2, across=False):
    """Relaxed ends of a vacancy hop in a Morse crystal, the vacancy inside the cell or at its corner."""
    s = fcc(n)
    target = np.array([0.0, 0, 0]) if across else s.cell.sum(axis=0) / 2
    away = np.linalg.norm(s.positions - target, axis=1)
    hole = int(np.argmin(away))
    d = np.linalg.norm(shortest_way(s, s.moved_to(s.positions[[hole] * len(s)])), axis=1)
    d[hole] = np.inf
    jumper = int(np.argmax(np.isclose(d, d.min()) * (s.positions[:, 0] + 0.1 * s.positions[:, 1])))
    ends = [s.positions.copy(), s.positions.copy()]
    ends[1][jumper] = s.positions[hole]
    keep = np.arange(len(s)) != hole
    return [s.moved_to(x).take(keep) for x in ends]


def relaxed_hop(across):
    return [o.structure for o in solve.relax(vacancy_hop(across=across), Morse(), fmax_eV_per_A=0.002)]


def test_vacancy_hop_is_a_first_order_saddle_wherever_the_cell_is_cut():
    morse = Morse()
    hops = [relaxed_hop(False), relaxed_hop(True)]
    together = solve.find_paths([tuple(h) for h in hops], morse, settings=TIGHT)
    for hop, path in zip(hops, together, strict=True):
        alone = solve.find_path(*hop, morse, settings=TIGHT)
        assert path.converged and (path.steps, path.evaluations) == (alone.steps, alone.evaluations)
        np.testing.assert_allclose(path.energies_eV, alone.energies_eV, atol=1e-9)
    # 0.005 eV/A over curvatures of 1 eV/A^2
    assert together[0].barrier_eV == pytest.approx(together[1].barrier_eV, abs=1e-4)
    assert together[0].barrier_eV == pytest.approx(together[0].reverse_barrier_eV, abs=1e-4)
    top = together[0].images[together[0].climbing_image]
    eigenvalues = hessian_eigenvalues(morse, top)
    # three rigid motions are zero to the differences' error
    assert np.sum(eigenvalues < -0.05) == 1 and np.sum(np.abs(eigenvalues) < 1e-3) == 3


def test_a_hop_that_is_done_leaves_the_batch():
    watcher = Morse()
    a = relaxed_hop(False)
    b = [s.moved_to(s.positions + 0.06 * np.sin(np.arange(len(s)))[:, None]) for s in a]
    settings = solve.NebSettings(mirror=False)
    paths = solve.find_paths([tuple(a), tuple(b)], watcher, images=3, settings=settings)
    assert paths[0].steps != paths[1].steps
    assert set(watcher.calls[1:]) == {6, 3} and watcher.calls[0] == 4
    assert sum(watcher.calls[1:]) == sum(p.evaluations for p in paths)


def test_a_bad_hop_does_not_disturb_the_other():
    well = Well()
    good = (well.place(-1), well.place(1))
    copper = [type(s)(np.array([29]), s.positions, s.cell) for s in good]
    alone = solve.find_path(*good, well)
    bad, fine = solve.find_paths([tuple(copper), good], Broken(well, 29, 4))
    assert not bad.converged and "not a finite number" in bad.status and bad.steps == 1
    assert np.isfinite(bad.energies_eV).all()
    assert fine.converged
    np.testing.assert_array_equal(fine.energies_eV, alone.energies_eV)


def test_endpoints_that_are_nan_are_a_status():
    well = Well()
    path = solve.find_path(well.place(-1), well.place(1), Broken(well, 1, 0))
    assert not path.converged and "at the start" in path.status


def test_steps_used_up_is_not_converged():
    well = Well()
    path = solve.find_path(well.place(-1), well.place(1), well, settings=solve.NebSettings(max_steps=1))
    assert not path.converged and "1 steps" in path.status


def test_resuming_a_band_is_bit_for_bit():
    well = Well(tilt=0.1)
    u, _ = well.stationary()
    pairs = [(well.place(u[0]), well.place(u[2])), (well.place(u[2]), well.place(u[0]))]
    descent = solve.prepare_paths(pairs, well, settings=TIGHT)
    files = []

    def save(state):
        file = io.BytesIO()
        np.savez(file, **solve.to_arrays(state))
        files.append(file)

    whole = solve.paths(descent, solve.run(descent, solve.Hooks(save=save, save_every=2)))
    assert whole[0].steps > 5
    files[1].seek(0)
    with np.load(files[1], allow_pickle=False) as arrays:
        anew = solve.prepare_paths(pairs, Well(tilt=0.1), settings=TIGHT)
        rest = solve.paths(anew, solve.run(anew, solve.Hooks(resume=solve.from_arrays(arrays))))
    for a, b in zip(whole, rest, strict=True):
        assert (a.status, a.steps, a.evaluations) == (b.status, b.steps, b.evaluations)
        np.testing.assert_array_equal(a.energies_eV, b.energies_eV)
        np.testing.assert_array_equal(a.distances_A, b.distances_A)


def test_interpolation_goes_round_an_atom_in_the_way():
    """Straight, the mover would pass through the atom at the centre."""
    a = one([2, 5, 5], [5, 5, 5], [11, 5, 5], side=20.0)
    b = one([8, 5, 5], [5, 5, 5], [11, 5, 5], side=20.0)
    path = interpolated(a, b, 5)
    closest = np.linalg.norm(path[:, 0] - path[:, 1], axis=1)
    assert closest.min() > 1.8
    np.testing.assert_array_equal(path[0], a.positions)
    np.testing.assert_array_equal(path[-1], b.positions)


def test_interpolation_is_the_same_when_atoms_are_wrapped():
    a, b = vacancy_hop()
    shift = np.array([3.1, 0.4, 5.3])
    there = [s.moved_to(((s.positions + shift) @ np.linalg.inv(s.cell) % 1.0) @ s.cell) for s in (a, b)]
    steps = np.diff(interpolated(a, b, 4), axis=0)
    moved = np.diff(interpolated(*there, 4), axis=0)
    np.testing.assert_allclose(moved, steps, atol=1e-6)


def test_through_leads_the_first_guess():
    well = Well(bend=0.0)
    way = one([0.0, 0.8, 0.0])
    descent = solve.prepare_paths([solve.Hop(well.place(-1), well.place(1), way)], well, images=5)
    guess = descent.landscape.hops[0].guess
    np.testing.assert_allclose(guess[3], way.positions, atol=1e-12)
    path = solve.find_paths([solve.Hop(well.place(-1), well.place(1), way)], well, settings=TIGHT)[0]
    assert path.barrier_eV == pytest.approx(0.4, abs=1e-4)


def test_improved_tangents_at_slopes_and_extrema():
    x = np.array([[[0.0, 0, 0]], [[1.0, 0, 0]], [[1.0, 1.0, 0]]])
    rising = tangents(x, np.array([0.0, 1.0, 2.0]))[1, 0]
    falling = tangents(x, np.array([2.0, 1.0, 0.0]))[1, 0]
    top = tangents(x, np.array([0.0, 2.0, 1.0]))[1, 0]
    np.testing.assert_allclose(rising, [0, 1, 0])
    np.testing.assert_allclose(falling, [1, 0, 0])
    # at a maximum the higher neighbour (ahead, |dE| = 1) gets the larger difference 2
    np.testing.assert_allclose(top, np.array([1, 2, 0]) / np.sqrt(5))


def test_hermite_maximum_of_a_known_cubic():
    """x^3 - x between -1 and 1 from its ends alone: maximum 2 / (3 sqrt 3)."""
    s = np.array([0.0, 2.0])
    assert fitted_maximum(s, np.array([0.0, 0.0]), np.array([-2.0, -2.0])) == pytest.approx(2 / (3 * np.sqrt(3)))


@pytest.mark.parametrize(
    "final, words",
    [
        (one([2.0, 0, 0], [5, 5, 5]), "different atoms"),
        (one([2.0, 0, 0], side=11.0), "cells of initial and final differ by 1"),
        (one([10.02, 0, 0]), "spontaneous"),
    ],
)
def test_endpoints_that_do_not_belong_together_are_refused(final, words):
    with pytest.raises(InputError, match=words):
        solve.find_path(one([0.0, 0, 0]), final, EggBox())


def test_no_images_is_refused():
    with pytest.raises(InputError, match="0 images"):
        solve.find_path(one([0.0, 0, 0]), one([2.5, 0, 0]), EggBox(), images=0)
