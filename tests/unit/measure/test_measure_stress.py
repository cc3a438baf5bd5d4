"""Stress scalars, Voronoi volumes and the per-atom field, against closed forms and independent counting."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from simkit import measure
from simkit.arrays import symmetric
from simkit.errors import InputError, SimkitError
from simkit.potential.base import Evaluation
from simkit.structure import Structure
from simkit.units import EV_PER_A3_IN_GPA


def random_structure(seed: int, atoms: int = 9, cell: np.ndarray | None = None) -> Structure:
    rng = np.random.default_rng(seed)
    cell = np.array([[4.0, 0, 0], [-1.7, 4.4, 0], [1.2, 0.8, 7.0]]) if cell is None else cell
    return Structure(np.full(atoms, 8), rng.uniform(-1, 2, (atoms, 3)) @ cell, cell)


def an_evaluation(structure: Structure, seed: int = 0) -> Evaluation:
    virials = symmetric(np.random.default_rng(seed).normal(size=(len(structure), 3, 3)))
    return Evaluation(0.0, np.zeros((len(structure), 3)), virials.sum(axis=0) / structure.volume, virials)


def test_textbook_tensors():
    uniaxial, shear, biaxial = np.zeros((3, 3, 3))
    uniaxial[2, 2] = -3.0
    shear[0, 1] = shear[1, 0] = 2.0
    biaxial[0, 0] = biaxial[1, 1] = 4.0
    stresses = np.array([uniaxial, shear, biaxial, -7 * np.eye(3)])
    expected = [3.0, 2 * np.sqrt(3), 4.0, 0.0]
    np.testing.assert_allclose(measure.von_mises(stresses), expected, atol=1e-14)  # rounding
    np.testing.assert_allclose(measure.hydrostatic(stresses), [-1, 0, 8 / 3, -7], atol=1e-14)
    np.testing.assert_allclose(measure.principal(shear), [-2, 0, 2], atol=1e-14)


def test_scalars_are_invariant_and_agree_with_the_principal_formula():
    rng = np.random.default_rng(1)
    stress = symmetric(rng.normal(size=(20, 3, 3)))
    rotation = Rotation.random(20, rng=rng).as_matrix()
    turned = rotation @ stress @ rotation.transpose(0, 2, 1)
    a, b, c = measure.principal(stress).T
    principal_form = np.sqrt(0.5 * ((a - b) ** 2 + (b - c) ** 2 + (c - a) ** 2))
    np.testing.assert_allclose(measure.von_mises(stress), principal_form, rtol=1e-12)
    np.testing.assert_allclose(measure.von_mises(turned), measure.von_mises(stress), rtol=1e-12)
    pressed = stress + 50 * np.eye(3)
    np.testing.assert_allclose(measure.von_mises(pressed), measure.von_mises(stress), rtol=1e-12)
    with pytest.raises(InputError, match="wanted"):
        measure.von_mises(np.zeros((3, 2)))


CELLS = {
    "tilted": None,
    "needle": np.array([[2.1, 0, 0], [0.4, 1.9, 0], [3.0, 2.0, 40.0]]),
    "plate": np.array([[14.0, 0, 0], [-6.0, 13.0, 0], [5.0, 6.0, 1.2]]),
    "sheared": np.array([[3.0, 0, 0], [7.0, 3.0, 0], [-5.0, 8.0, 6.0]]),
}


@pytest.mark.parametrize("name", CELLS)
def test_voronoi_volumes_match_counting_points(name):
    """Shares of 40,000 random points by nearest atom; the counting error is sqrt(p / N) of the cell."""
    structure = random_structure(2, atoms=6, cell=CELLS[name])
    volumes = measure.voronoi_volumes(structure)
    assert volumes.sum() == pytest.approx(structure.volume, rel=1e-12)
    points = np.random.default_rng(0).random((40_000, 3)) @ structure.cell
    reach = np.ceil(8.0 * np.linalg.norm(np.linalg.inv(structure.cell), axis=0)).astype(int) + 1
    shifts = np.stack(np.meshgrid(*[np.arange(-r, r + 1) for r in reach], indexing="ij"), -1).reshape(-1, 3)
    fractional = structure.fractional - np.floor(structure.fractional)
    images = (fractional[None] + shifts[:, None]).reshape(-1, 3) @ structure.cell
    nearest = cKDTree(images).query(points)[1] % len(structure)
    share = np.bincount(nearest, minlength=len(structure)) / len(points)
    expected = volumes / structure.volume
    np.testing.assert_allclose(share, expected, atol=5 * np.sqrt(expected.max() / len(points)))


def test_voronoi_of_crystals():
    """Symmetry-equal sites share the cell; bcc and simple cubic; one atom alone; supercells repeat."""
    cubic = Structure([26, 26], [[0, 0, 0], [1.4, 1.4, 1.4]], 2.8 * np.eye(3))
    np.testing.assert_allclose(measure.voronoi_volumes(cubic), 2.8**3 / 2, rtol=1e-12)
    single = Structure([84], [[9.0, -3.0, 1.0]], 3.3 * np.eye(3))
    np.testing.assert_allclose(measure.voronoi_volumes(single), 3.3**3, rtol=1e-12)
    small = random_structure(5)
    large = measure.voronoi_volumes(small.repeated(2, 1, 2))
    np.testing.assert_allclose(large, np.tile(measure.voronoi_volumes(small), 4), rtol=1e-10)


def test_voronoi_cells_reach_across_a_void():
    """A dense layer and 30 A of nothing: the outer cells are halved by planes 15 A away, where no near image lies."""
    cell = np.diag([4.0, 4.0, 40.0])
    z = np.repeat(np.arange(5) * 2.0, 4)
    corners = np.tile([[0.0, 0], [2, 0], [0, 2], [2, 2]], (5, 1))
    structure = Structure(np.full(20, 8), np.column_stack([corners, z]), cell)
    expected = np.where((z == 0) | (z == 8), 4 * (1 + 16), 4 * 2.0)
    np.testing.assert_allclose(measure.voronoi_volumes(structure), expected, rtol=1e-10)


def test_voronoi_refusals():
    structure = random_structure(1, 3)
    twice = structure.moved_to(structure.positions[[0, 1, 1]] + structure.cell[0] * np.array([[0], [0], [1]]))
    with pytest.raises(InputError, match="coincide"):
        measure.voronoi_volumes(twice)
    slab = Structure([8], [[0, 0, 0]], 5 * np.eye(3), periodic=[True, True, False])
    with pytest.raises(InputError, match="periodic in all three"):
        measure.voronoi_volumes(slab)


def test_field_averages_to_the_stress_of_the_cell_and_scales_with_the_supercell():
    structure = random_structure(3)
    evaluation = an_evaluation(structure)
    field = measure.stress_field(structure, evaluation)
    average = np.einsum("n,nij->ij", field.volumes, field.raw) / structure.volume
    np.testing.assert_allclose(average, evaluation.stress, atol=1e-14)
    assert field.excess is None
    assert field.shown_name == "raw"
    np.testing.assert_allclose(field.raw_GPa, field.raw * EV_PER_A3_IN_GPA)
    large = structure.repeated(1, 3, 1)
    virials = np.tile(evaluation.virials, (3, 1, 1))
    again = measure.stress_field(large, Evaluation(0.0, np.zeros((27, 3)), evaluation.stress, virials))
    np.testing.assert_allclose(again.raw, np.tile(field.raw, (3, 1, 1)), rtol=1e-9)


def test_a_potential_whose_virials_miss_its_stress_is_caught():
    structure = random_structure(3)
    good = an_evaluation(structure)
    bad = Evaluation(0.0, good.forces, good.stress + 2e-6 * np.eye(3), good.virials)
    with pytest.raises(SimkitError, match="average to another stress"):
        measure.stress_field(structure, bad)
    with pytest.raises(InputError, match="virials=True"):
        measure.stress_field(structure, Evaluation(0.0, good.forces, good.stress))


def test_excess_over_itself_is_zero_and_means_are_taken_by_site():
    structure = random_structure(4, 6)
    evaluation = an_evaluation(structure)
    labels = [f"site {k}" for k in range(6)]
    sites = measure.site_reference(structure, evaluation, labels)
    field = measure.stress_field(structure, evaluation, measure.reference_of(sites, labels))
    np.testing.assert_allclose(field.excess, 0.0, atol=1e-15)
    np.testing.assert_allclose(field.dilation, 0.0, atol=1e-15)
    assert field.shown_name == "excess"
    kinds = ["a", "b", "a", "b", "a", "b"]
    mean = measure.site_reference(structure, evaluation, kinds)
    np.testing.assert_allclose(mean["a"].virial, evaluation.virials[::2].mean(axis=0))
    reference = measure.reference_of(mean, kinds)
    field = measure.stress_field(structure, evaluation, reference)
    total = np.einsum("n,nij->ij", field.volumes, field.excess)
    np.testing.assert_allclose(total, 0.0, atol=1e-13)  # the references carry the whole virial of the cell
    with pytest.raises(InputError, match="no bulk site is called 'c'"):
        measure.reference_of(mean, ["c"] * 6)


def test_statistics_weigh_by_volume():
    values, volumes = [1.0, 4.0, 2.0], [6.0, 1.0, 3.0]
    np.testing.assert_array_equal(
        measure.volume_percentiles(values, volumes, [0, 60, 60.1, 90, 99, 100]), [1, 1, 2, 2, 4, 4]
    )
    assert measure.share_above(values, volumes, 1.5) == pytest.approx(0.4)
    assert measure.share_above(values, volumes, 4.0) == 0
    assert measure.volume_mean(values, volumes) == pytest.approx(1.6)
    with pytest.raises(InputError, match="from 0 to 100"):
        measure.volume_percentiles(values, volumes, [101])
    with pytest.raises(InputError, match="above zero"):
        measure.share_above(values, [1, 0, 1], 1)


def test_columns_and_vtk_carry_the_numbers():
    structure = random_structure(6)
    evaluation = an_evaluation(structure)
    field = measure.stress_field(structure, evaluation)
    tagged = measure.with_stress(structure, field)
    np.testing.assert_array_equal(tagged.tags["von_mises_GPa"], field.von_mises_GPa)
    np.testing.assert_array_equal(tagged.tags["raw_xz_GPa"], field.raw_GPa[:, 0, 2])
    grid = measure.stress_grid(structure, evaluation.virials, 1.5)
    lines = measure.vtk_text(grid).splitlines()
    n1, n2, n3 = (n + 1 for n in grid.stress.shape[:3])
    assert f"DIMENSIONS {n1} {n2} {n3}" in lines
    start = lines.index("SCALARS von_mises_GPa double 1") + 2
    values = np.array([float(x) for x in lines[start : start + n1 * n2 * n3]]).reshape(n3, n2, n1)
    np.testing.assert_allclose(values[:-1, :-1, :-1].transpose(2, 1, 0), grid.von_mises_GPa, rtol=1e-6)
    np.testing.assert_array_equal(values[-1], values[0])
    first = lines.index(f"POINTS {n1 * n2 * n3} double") + 1
    np.testing.assert_allclose([float(x) for x in lines[first + 1].split()], structure.cell[0] / (n1 - 1), atol=1e-6)
