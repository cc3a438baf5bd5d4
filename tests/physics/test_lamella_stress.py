"""Stress maps against linear elasticity: uniform strains, and a coherent lamella of two phases.

The crystal is face-centred cubic with harmonic springs between nearest neighbours, all of one stiffness k. With
lattice constant a: C11 = 2 k / a, C12 = C44 = k / a. Layers stack along [001], one atom each; a coherent film
under equal in-plane strain has sigma_xx = sigma_yy = M strain, sigma_zz = 0, with
M = C11 + C12 - 2 C12^2 / C11 = 2 k / a.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from simkit import measure
from simkit.potential.analytic import fcc_spring_stiffness, springs
from simkit.potential.base import Evaluation, Potential
from simkit.structure import Structure
from simkit.units import EV_PER_A3_IN_GPA

K = 3.0
REST = 2.6
CUTOFF = 3.1
"""Between the first (2.6 A) and the second (3.7 A) neighbours of fcc."""
A, B, C, D = 28, 29, 46, 47
"""Atomic numbers that name the species; nothing of the elements is meant."""


def stack(numbers: list[int], edge: float = REST) -> Structure:
    """One atom per (001) layer of fcc: square layers, each shifted by half a diagonal, edge / sqrt(2) apart."""
    n = len(numbers)
    height = edge / np.sqrt(2)
    positions = np.array([[edge / 2 * (j % 2), edge / 2 * (j % 2), j * height] for j in range(n)])
    return Structure(numbers, positions, np.diag([edge, edge, n * height]))


def supercell(structure: Structure) -> Structure:
    """Two by two in the plane, so that every bond lies within the first images."""
    return structure.repeated(2, 2, 1)


def relaxed(structure: Structure, potential: Potential, in_plane: bool = True) -> Structure:
    """Heights of all layers, the cell along the normal and, if asked, the square edge, to 1e-9 eV/A."""
    start = structure.cell

    def shaped(x: np.ndarray) -> Structure:
        cell = np.diag([x[0], x[0], x[1]]) @ start
        fractional = structure.fractional.copy()
        fractional[:, 2] += x[2:]
        return structure.moved_to(fractional @ cell, cell)

    def energy(x: np.ndarray) -> tuple[float, np.ndarray]:
        now = shaped(x)
        e = potential.evaluate([now])[0]
        # dE = V stress : strain; strain of the plane counts twice (xx and yy)
        virial = e.stress * now.volume
        plane = (virial[0, 0] + virial[1, 1]) / x[0] if in_plane else 0.0
        return e.energy, np.concatenate([[plane, virial[2, 2] / x[1]], -e.forces[:, 2] * now.cell[2, 2]])

    x0 = np.concatenate([[1.0, 1.0], np.zeros(len(structure))])
    # the first step of L-BFGS is long enough to break bonds: hold it near the start
    near = [(0.95, 1.05)] * 2 + [(-0.5 / start[2, 2], 0.5 / start[2, 2])] * len(structure)
    options = {"gtol": 1e-9, "ftol": 0, "maxiter": 5000}
    best = minimize(energy, x0, jac=True, method="L-BFGS-B", bounds=near, options=options)
    final = shaped(best.x)
    assert np.abs(potential.evaluate([final])[0].forces).max() < 1e-6  # far below any stress looked at here
    return final


def evaluated(structure: Structure, potential: Potential) -> Evaluation:
    return potential.evaluate([structure], virials=True)[0]


PURE = springs(K, {"Ni": REST}, CUTOFF)
BULK = supercell(stack([A] * 4))
LATTICE = REST * np.sqrt(2)
C11, C12, C44 = 2 * K / LATTICE, K / LATTICE, K / LATTICE


def strained(strain: np.ndarray) -> Structure:
    return BULK.strained_to(BULK.cell @ (np.eye(3) + strain))


def test_forces_and_stress_of_the_springs_are_derivatives():
    """The measuring stick itself: central differences of the energy, and its closed-form elastic constants."""
    np.testing.assert_allclose(fcc_spring_stiffness(K, REST), (C11, C12, C44), rtol=1e-12)
    rng = np.random.default_rng(0)
    base = strained(0.02 * rng.normal(size=(3, 3)))
    structure = base.moved_to(base.positions + 0.03 * rng.normal(size=(len(base), 3)))
    e, h = evaluated(structure, PURE), 1e-5

    def energy_at(s: Structure) -> float:
        return PURE.evaluate([s])[0].energy

    bump = np.zeros((len(base), 3))
    bump[3, 1] = h
    slope = energy_at(structure.moved_to(structure.positions + bump)) - energy_at(
        structure.moved_to(structure.positions - bump)
    )
    assert e.forces[3, 1] == pytest.approx(-slope / (2 * h), abs=1e-8)
    strain = np.zeros((3, 3))
    strain[0, 2] = strain[2, 0] = h / 2
    ends = [energy_at(structure.strained_to(structure.cell @ (np.eye(3) + sign * strain))) for sign in (1, -1)]
    assert e.stress[0, 2] == pytest.approx((ends[0] - ends[1]) / (2 * h) / structure.volume, abs=1e-8)


def test_uniform_hydrostatic_strain_has_no_von_mises_stress():
    structure = strained(0.01 * np.eye(3))
    field = measure.stress_field(structure, evaluated(structure, PURE))
    np.testing.assert_allclose(field.von_mises_GPa, 0.0, atol=1e-9)  # rounding
    # tension of 1 %: 3 K strain = (C11 + 2 C12) strain, within the second order of strain
    expected = (C11 + 2 * C12) * 0.01 * EV_PER_A3_IN_GPA
    np.testing.assert_allclose(field.hydrostatic_GPa, expected, rtol=0.03)


@pytest.mark.parametrize("size", [1e-4, -1e-4])
def test_uniform_strains_give_the_textbook_stress(size):
    """Uniaxial along a cubic axis: von Mises = |C11 - C12| strain; shear: sqrt(3) 2 C44 eps_xy, cubic axes."""
    # the layers' square edges lie along [110]: turn cubic tensors by 45 degrees about z
    c = np.sqrt(0.5)
    turn = np.array([[c, c, 0], [-c, c, 0], [0, 0, 1]])
    uniaxial, shear = np.zeros((2, 3, 3))
    uniaxial[0, 0] = size
    shear[0, 1] = shear[1, 0] = size
    for strain, expected in ((uniaxial, abs((C11 - C12) * size)), (shear, abs(np.sqrt(3) * 2 * C44 * size))):
        structure = strained(turn @ strain @ turn.T)
        field = measure.stress_field(structure, evaluated(structure, PURE))
        # 1e-4 of strain leaves a second-order error of a few 1e-4
        np.testing.assert_allclose(field.von_mises_GPa, expected * EV_PER_A3_IN_GPA, rtol=2e-3)


LAYERS = {A: 10, B: 16}
MISMATCH = 0.004
RESTS = {A: REST, B: REST * (1 + MISMATCH)}
TWO = springs(K, {"Ni": RESTS[A], "Cu": RESTS[B]}, CUTOFF)


@pytest.fixture(scope="module")
def lamella() -> Structure:
    numbers = [z for z, count in LAYERS.items() for _ in range(count)]
    return relaxed(supercell(stack(numbers)), TWO)


def middles(structure: Structure) -> dict[int, float]:
    """Height of the middle of each lamella, A."""
    z = structure.positions[:, 2]
    return {kind: float(z[structure.numbers == kind].mean()) for kind in LAYERS}


def expected_biaxial(structure: Structure) -> dict[int, float]:
    """Closed form, eV/A^3: M_P times the strain of each phase from its own rest length to the common edge."""
    edge = structure.cell[0, 0] / 2
    modulus = {kind: 2 * K / (RESTS[kind] * np.sqrt(2)) for kind in LAYERS}
    return {kind: modulus[kind] * (edge / RESTS[kind] - 1) for kind in LAYERS}


def test_lamella_is_in_the_biaxial_stress_of_linear_elasticity(lamella):
    """In the middle of each lamella within 2 % of the closed form (second order in 0.3 % strain: 1 %)."""
    evaluation = evaluated(lamella, TWO)
    profile = measure.profile_along_normal(lamella, evaluation.virials, 400, measure.default_width_A(lamella))
    expected = expected_biaxial(lamella)
    values = {}
    for kind, height in middles(lamella).items():
        stress = profile.stress[np.argmin(np.abs(profile.z_A - height))]
        assert stress[0, 0] == pytest.approx(expected[kind], rel=0.02)
        assert stress[1, 1] == pytest.approx(expected[kind], rel=0.02)
        von_mises = measure.von_mises(stress)
        assert von_mises == pytest.approx(abs(expected[kind]), rel=0.02)
        # equilibrium along the normal holds to the accuracy of the relaxation and the smoothing
        assert abs(stress[2, 2]) < 0.01 * abs(expected[kind])
        values[kind] = stress[0, 0]
    balance = sum(values[kind] * count for kind, count in LAYERS.items())
    assert abs(balance) < 0.02 * abs(values[A] * LAYERS[A])
    assert expected[A] > 0 > expected[B]


def test_lamella_map_at_atoms_and_on_a_grid_agree_with_the_closed_form(lamella):
    evaluation = evaluated(lamella, TWO)
    expected, width = expected_biaxial(lamella), measure.default_width_A(lamella)
    field = measure.stress_field(lamella, evaluation)
    at_atoms = measure.coarse_grain(lamella, evaluation.virials, width)
    grid = measure.stress_grid(lamella, evaluation.virials, width)
    z = lamella.positions[:, 2]
    for kind, height in middles(lamella).items():
        core = (lamella.numbers == kind) & (np.abs(z - height) < 4.0)
        target = abs(expected[kind])
        np.testing.assert_allclose(measure.von_mises(at_atoms[core]), target, rtol=0.02)
        np.testing.assert_allclose(field.von_mises_GPa[core], target * EV_PER_A3_IN_GPA, rtol=0.02)
        plane = round(height / lamella.cell[2, 2] * grid.stress.shape[2]) % grid.stress.shape[2]
        np.testing.assert_allclose(grid.von_mises_GPa[:, :, plane], target * EV_PER_A3_IN_GPA, rtol=0.02)


def test_supercells_give_the_same_map(lamella):
    width = measure.default_width_A(lamella)
    small = evaluated(lamella, TWO)
    doubled = lamella.repeated(2, 1, 2)
    large = evaluated(doubled, TWO)
    one = measure.stress_field(lamella, small).von_mises_GPa
    other = measure.stress_field(doubled, large).von_mises_GPa
    np.testing.assert_allclose(other, np.tile(one, 4), atol=1e-9)  # rounding of stresses near 1 GPa
    coarse = measure.coarse_grain(lamella, small.virials, width)
    again = measure.coarse_grain(doubled, large.virials, width)
    np.testing.assert_allclose(again, np.tile(coarse, (4, 1, 1)), atol=1e-12)


COMPOUNDS = springs(K, {"Ni": 2.70, "Cu": 2.50, "Pd": 1.004 * 2.70, "Ag": 1.004 * 2.50}, CUTOFF)


def test_excess_shows_mechanics_where_the_raw_map_shows_the_sites():
    """Layers alternate between a large and a small species: in the bulk one is pressed, the other stretched.

    The raw field of the lamella shows that; the excess over the same sites of the relaxed bulks shows the
    coherency stress, equal on both sites and, weighted by thickness, summing to zero.
    """
    bulks = {kind: relaxed(supercell(stack([kind, kind + 1] * 2)), COMPOUNDS) for kind in (A, C)}
    sites: dict[str, measure.Site] = {}
    for bulk in bulks.values():
        sites |= measure.site_reference(bulk, evaluated(bulk, COMPOUNDS), bulk.symbols)
    film = relaxed(supercell(stack([A, B] * 6 + [C, D] * 6)), COMPOUNDS)
    reference = measure.reference_of(sites, film.symbols)
    evaluation = evaluated(film, COMPOUNDS)
    field = measure.stress_field(film, evaluation, reference)
    pattern = measure.von_mises(field.raw_GPa)
    assert pattern.min() > 5 * field.von_mises_GPa.max()
    z = film.positions[:, 2]
    smooth = measure.coarse_grain(film, evaluation.virials - reference.virials, measure.default_width_A(film))
    means = {}
    for kind, bulk in bulks.items():
        mine = (film.numbers == kind) | (film.numbers == kind + 1)
        core = mine & (np.abs(z - z[mine].mean()) < 4.0)
        held = bulk.strained_to(bulk.cell * np.array([[film.cell[0, 0] / bulk.cell[0, 0]] * 2 + [1.0]]))
        film_of_bulk = evaluated(relaxed(held, COMPOUNDS, in_plane=False), COMPOUNDS)
        means[kind] = film_of_bulk.stress[0, 0]
        # coarse-grained over a formula unit: the bulk at the film's in-plane edge, free along the normal
        np.testing.assert_allclose(smooth[core, 0, 0], means[kind], rtol=0.02)
        assert np.abs(smooth[core, 2, 2]).max() < 0.02 * abs(means[kind])
    assert means[A] > 0 > means[C]
    assert abs(means[A] + means[C]) < 0.02 * means[A]
