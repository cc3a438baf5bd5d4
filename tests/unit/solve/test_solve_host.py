"""The host's Hessian: symmetry against none, closed forms, and what it saves."""

import numpy as np
import pytest
from solve_toys import Morse, fcc

from simkit import build, potential, solve
from simkit.errors import InputError
from simkit.solve.cells import ENTRIES, frames, gradients
from simkit.solve.host_model import places_of, stiffness
from simkit.solve.host_symmetry import shifts_needed, symmetry_of
from simkit.solve.stepper import UNIT_STIFFNESS_EV_PER_A2
from simkit.structure import Structure

MORSE = Morse()
EVERY_ATOM = solve.HostSettings(symprec_A=0.0, both_sides=True)
REST, K = 2.55, 4.0
LAW = potential.springs(K, {"Ni": REST}, 1.2 * REST)


def nickel(n=2):
    """An fcc crystal of harmonic springs at rest."""
    return fcc(n, a=np.sqrt(2) * REST, number=28)


@pytest.fixture(scope="module")
def relaxed():
    """An fcc Morse crystal at its own lattice constant."""
    return solve.relax([fcc(2)], MORSE, cell="free", fmax_eV_per_A=1e-4)[0].structure


@pytest.fixture(scope="module")
def host(relaxed):
    return solve.host_hessian(relaxed, MORSE)


def test_symmetry_gives_the_matrix_that_every_displacement_gives(relaxed):
    """32 atoms of one kind: one displacement to three, against 192 of every atom both ways."""
    few = solve.host_hessian(relaxed, MORSE, solve.HostSettings(both_sides=True))
    every = solve.host_hessian(relaxed, MORSE, EVERY_ATOM)
    assert every.evaluations == 6 * 32 + 13 and few.evaluations <= 3 + 13
    # the relaxed crystal is symmetric to 1e-4 eV/A over 5 eV/A^2; the differences are of the same formula
    np.testing.assert_allclose(few.atoms, every.atoms, atol=2e-3)
    np.testing.assert_allclose(few.mixed, every.mixed, atol=1e-12)
    np.testing.assert_allclose(few.atoms.reshape(32, 3, 32, 3).sum(axis=2), 0.0, atol=2e-3)


def test_low_symmetry_is_used_as_far_as_it_goes():
    """Two kinds of atoms in a monoclinic cell with a twofold axis: the same matrix from fewer displacements."""
    cell = np.array([[4.2, 0, 0], [0, 3.9, 0], [-1.1, 0, 4.4]])
    at = np.array([[0.0, 0.0, 0.0], [0.27, 0.5, 0.31], [0.73, 0.5, 0.69]])
    s = Structure(np.array([28, 29, 29]), at @ cell, cell)
    assert len(shifts_needed(symmetry_of(s, 1e-3), False)) < 9
    both = solve.HostSettings(step_A=1e-3, both_sides=True)
    few = solve.host_hessian(s, MORSE, both)
    every = solve.host_hessian(s, MORSE, solve.HostSettings(step_A=1e-3, symprec_A=0.0, both_sides=True))
    assert few.evaluations < every.evaluations
    # both have the error of differences, third derivatives of 1e3 eV/A^3 over 1e-3 squared
    np.testing.assert_allclose(few.atoms, every.atoms, atol=2e-3)


def test_strain_gives_the_elastic_constants_of_springs():
    """C11 = sqrt(2) k / r0, C12 = C44 = half of it (Born and Huang), read off the entries of the gradient."""
    s = nickel()
    host = solve.host_hessian(s, LAW, solve.HostSettings(strain_step=1e-4))
    c11, c12, c44 = potential.fcc_spring_stiffness(K, REST)
    wanted = np.zeros((6, 6))
    for i, (a, b) in enumerate(ENTRIES):
        for j, (c, d) in enumerate(ENTRIES):
            if a == b and c == d:
                wanted[i, j] = c11 if a == c else c12
        if a != b:
            wanted[i, i] = c44
    # of order C11 times the step
    np.testing.assert_allclose(host.strain / s.volume, wanted, atol=2e-3 * c11)
    np.testing.assert_allclose(host.mixed, 0.0, atol=1e-3)  # every atom is an inversion centre


def test_mixed_derivatives_are_the_forces_that_strain_makes():
    rng = np.random.default_rng(0)
    s = fcc(1, rattle=0.05)
    host = solve.host_hessian(s, MORSE, EVERY_ATOM)
    entries, h = rng.normal(size=6), 1e-4
    pulls = []
    for sign in (1, -1):
        f = gradients(sign * h * entries[None], frames(s.cell[None]))[0]
        said = MORSE.evaluate([s.moved_to(s.positions @ f, s.cell @ f)])[0]
        pulls.append((said.forces @ f.T).ravel())
    slope = -(pulls[0] - pulls[1]) / (2 * h)
    np.testing.assert_allclose(entries @ host.mixed, slope, atol=1e-2 * np.abs(slope).max())


@pytest.mark.parametrize("optimiser", ["lbfgs", "ode12r"])
def test_a_crystal_near_rest_needs_its_own_hessian_and_hardly_more(relaxed, host, optimiser):
    rattled = relaxed.moved_to(relaxed.positions + np.random.default_rng(1).normal(0, 0.02, (32, 3)))
    runs = {}
    for name, model in (("host", solve.HostModel(host, 0.1)), ("exp", solve.Springs()), ("none", None)):
        settings = solve.RelaxSettings(optimiser=optimiser, model=model)
        runs[name] = solve.relax([rattled], MORSE, fmax_eV_per_A=0.005, settings=settings)[0]
    assert all(run.converged for run in runs.values())
    assert runs["host"].evaluations <= 6
    assert runs["host"].evaluations < min(runs["exp"].evaluations, runs["none"].evaluations)
    # 0.005 eV/A on 32 atoms over the softest stiffness of 1 eV/A^2
    assert np.ptp([run.evaluation.energy for run in runs.values()]) < 4e-4


@pytest.mark.parametrize("optimiser", ["lbfgs", "ode12r"])
@pytest.mark.parametrize("cell", ["free", "c", "inplane"])
def test_cells_relax_with_their_host(relaxed, host, cell, optimiser):
    strained = relaxed.strained_to(relaxed.cell @ (np.eye(3) + np.diag([0.02, -0.01, 0.03])))
    strained = strained.moved_to(strained.positions + np.random.default_rng(2).normal(0, 0.02, (32, 3)))
    out = {}
    for name, model in (("host", solve.HostModel(host)), ("none", None)):
        settings = solve.RelaxSettings(optimiser=optimiser, model=model, stress_max_GPa=0.02)
        out[name] = solve.relax([strained], MORSE, cell, 0.005, settings)[0]
    assert out["host"].converged and out["none"].converged
    assert out["host"].evaluations <= min(12, out["none"].evaluations)
    np.testing.assert_allclose(out["host"].structure.cell, out["none"].structure.cell, atol=0.01)


def test_a_vacancy_takes_its_rows_from_the_host_and_loses_its_bonds():
    """With springs at rest nothing else changes: the model is the Hessian of the crystal with its holes."""
    crystal = nickel()
    hole = crystal.without(5).without(0)
    host = solve.host_hessian(crystal, LAW, EVERY_ATOM)
    matrix = stiffness(solve.HostModel(host), hole, 1.0).matrix[:-6, :-6]
    kept = np.delete(np.arange(96), [0, 1, 2, 15, 16, 17])
    off = ~np.kron(np.eye(30, dtype=bool), np.ones((3, 3), dtype=bool))
    np.testing.assert_array_equal(matrix[off], host.atoms[np.ix_(kept, kept)][off])
    own = solve.host_hessian(hole, LAW, EVERY_ATOM)
    np.testing.assert_allclose(matrix, own.atoms, atol=1e-3 * K)


def test_the_model_of_a_hole_is_symmetric_where_bonds_are_no_pairs():
    crystal = build.bulk(build.Block("O3", 1, metals={"Co": 1.0}), repeats=(2, 2)).structure
    model = potential.load("simkit:nalox", device="cpu", dtype="float64")
    hole = crystal.without(int(np.flatnonzero(crystal.numbers == 11)[0]))
    matrix = stiffness(solve.HostModel(solve.host_hessian(crystal, model)), hole, 1.0).matrix
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-9)
    rigid = matrix[:-6, :-6].reshape(len(hole), 3, len(hole), 3).sum(axis=2).sum(axis=0)
    np.testing.assert_allclose(rigid, 0.0, atol=0.1)  # the atom taken out holds 2.1 to 2.5 eV/A^2


def test_a_vacancy_relaxes_sooner_with_its_host(relaxed, host):
    hole = relaxed.without(5)
    np.testing.assert_array_equal(places_of(relaxed, hole), np.delete(np.arange(32), 5))
    bare = solve.relax([hole], MORSE, fmax_eV_per_A=0.01, settings=solve.RelaxSettings(model=solve.HostModel(host)))[0]
    assert bare.converged and bare.evaluations == 2
    start = hole.moved_to(hole.positions + np.random.default_rng(3).normal(0, 0.03, (31, 3)))
    calls = {}
    for name, model in (("host", solve.HostModel(host)), ("none", None)):
        out = solve.relax([start], MORSE, fmax_eV_per_A=0.01, settings=solve.RelaxSettings(model=model))[0]
        calls[name] = out.evaluations
    assert calls["host"] <= 0.6 * calls["none"]


def test_an_ion_half_way_is_on_no_place_and_atoms_may_be_in_any_order_and_image(relaxed):
    order = np.random.default_rng(4).permutation(32)
    images = np.random.default_rng(5).integers(-2, 3, (32, 3)) @ relaxed.cell
    other = relaxed.take(order)
    np.testing.assert_array_equal(places_of(relaxed, other.moved_to(other.positions + images + 0.1)), order)
    hole = relaxed.without(1)
    x = hole.positions.copy()
    x[0] = 0.5 * (relaxed.positions[0] + relaxed.positions[1])
    assert places_of(relaxed, hole.moved_to(x))[0] == -1


def test_modes_divide_by_the_floored_matrix_on_what_may_move_and_tell_energies(relaxed, host):
    made = stiffness(solve.HostModel(host, 7.0, 3.0), relaxed, 2.0)
    rng = np.random.default_rng(6)
    free, rows = rng.random(102) < 0.8, rng.normal(size=(3, 102))
    modes = made.modes(free)
    values, vectors = np.linalg.eigh(made.matrix[np.ix_(free, free)])
    assert np.abs(values).min() < 3.0  # the floors count
    wanted = np.zeros_like(rows)
    floored = vectors @ np.diag(UNIT_STIFFNESS_EV_PER_A2 / np.maximum(np.abs(values), 7.0)) @ vectors.T
    wanted[:, free] = rows[:, free] @ floored
    np.testing.assert_allclose(modes.divided(rows), wanted, rtol=1e-10, atol=1e-10)
    inverse = vectors @ np.diag(1 / np.maximum(np.abs(values), 3.0)) @ vectors.T
    np.testing.assert_allclose(modes.left(rows), 0.5 * np.sum((rows[:, free] @ inverse) * rows[:, free], axis=1))


def test_relaxed_to_an_energy_a_structure_lies_within_it_of_its_minimum(relaxed, host):
    rng = np.random.default_rng(7)
    shaken = [relaxed.moved_to(relaxed.positions + size * rng.normal(size=(32, 3))) for size in (0.02, 0.05, 0.02)]
    errors = (1e-3, 1e-4, np.inf)
    settings = solve.RelaxSettings(model=solve.HostModel(host), energy_error_eV=errors)
    loose = solve.relax(shaken, MORSE, fmax_eV_per_A=0.5, settings=settings)
    tight = solve.relax([o.structure for o in loose], MORSE, fmax_eV_per_A=1e-5)
    above = [a.evaluation.energy - b.evaluation.energy for a, b in zip(loose, tight, strict=True)]
    assert 0 <= above[0] < 1.5e-3 and 0 <= above[1] < 1.5e-4
    assert above[2] > 3e-3  # the force alone was met far from the minimum
    with pytest.raises(InputError, match="give one each"):
        solve.relax(shaken, MORSE, settings=solve.RelaxSettings(energy_error_eV=(0.1, 0.2)))


def test_what_is_not_of_the_host_is_refused(relaxed, host):
    model = solve.RelaxSettings(model=solve.HostModel(host))
    wide = relaxed.strained_to(relaxed.cell * 1.3)
    with pytest.raises(InputError, match="changed by 30 %"):
        solve.relax([wide], MORSE, settings=model)
    other = Structure(np.full(32, 29), relaxed.positions, relaxed.cell)
    with pytest.raises(InputError, match="only 0 % of the atoms"):
        solve.relax([other], MORSE, settings=model)
    slab = Structure(relaxed.numbers, relaxed.positions, relaxed.cell, np.array([True, True, False]))
    with pytest.raises(InputError, match="three directions"):
        solve.host_hessian(slab, MORSE)
    with pytest.raises(InputError, match="steps must be positive"):
        solve.host_hessian(relaxed, MORSE, solve.HostSettings(step_A=0.0))
