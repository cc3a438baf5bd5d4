"""What every potential must satisfy, whatever it is made of."""

from dataclasses import dataclass

import numpy as np

from simkit.structure import Structure


@dataclass(frozen=True)
class Tolerance:
    """energy eV/atom, force eV/A, stress eV/A^3: rounding of the potential's own arithmetic."""

    energy: float = 1e-10
    force: float = 1e-9
    stress: float = 1e-10


@dataclass(frozen=True)
class Difference:
    """Step of the five-point differences and the error left: truncation of order step^4 and cancellation."""

    step: float = 5e-4
    force: float = 1e-6
    stress: float = 1e-7


POINTS = (1, -1, 2, -2)


def five_point(potential, structures):
    """Derivative per step from the energies at +1, -1, +2 and -2 steps."""
    near_up, near_down, far_up, far_down = (e.energy for e in potential.evaluate(structures))
    return (8 * (near_up - near_down) - (far_up - far_down)) / 12


def forces_are_the_slope_of_the_energy(potential, structure, difference=Difference()):
    """Central differences of three random atoms and directions."""
    rng = np.random.default_rng(0)
    forces = potential.evaluate([structure])[0].forces
    for atom in rng.choice(len(structure), size=min(3, len(structure)), replace=False):
        direction = rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        step = np.zeros((len(structure), 3))
        step[atom] = difference.step * direction
        slope = five_point(potential, [structure.moved_to(structure.positions + k * step) for k in POINTS])
        slope /= difference.step
        assert abs(slope + forces[atom] @ direction) < difference.force


def stress_is_the_slope_of_the_energy(potential, structure, difference=Difference()):
    """Central differences of the six strains about the origin, which move atoms with the cell."""
    stress = potential.evaluate([structure])[0].stress
    np.testing.assert_allclose(stress, stress.T, atol=1e-15)
    for a, b in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)):
        strain = np.zeros((3, 3))
        strain[a, b] += 0.5
        strain[b, a] += 0.5
        cells = [structure.cell @ (np.eye(3) + k * difference.step * strain) for k in POINTS]
        slope = five_point(potential, [structure.strained_to(cell) for cell in cells])
        slope /= difference.step * structure.volume
        assert abs(slope - stress[a, b]) < difference.stress


def virials_sum_to_volume_times_stress(potential, structure, tolerance=Tolerance()):
    e = potential.evaluate([structure], virials=True)[0]
    plain = potential.evaluate([structure])[0]
    assert e.virials.shape == (len(structure), 3, 3)
    assert plain.virials is None
    np.testing.assert_allclose(e.virials.sum(0) / structure.volume, e.stress, atol=tolerance.stress)
    np.testing.assert_allclose(plain.stress, e.stress, atol=tolerance.stress)
    np.testing.assert_allclose(plain.forces, e.forces, atol=tolerance.force)


def a_batch_is_its_structures_one_by_one(potential, structures, tolerance=Tolerance()):
    for s, e in zip(structures, potential.evaluate(structures), strict=True):
        alone = potential.evaluate([s])[0]
        assert abs(e.energy - alone.energy) < tolerance.energy * len(s)
        np.testing.assert_allclose(e.forces, alone.forces, atol=tolerance.force)
        np.testing.assert_allclose(e.stress, alone.stress, atol=tolerance.stress)


def energy_ignores_translation_images_and_order(potential, structure, tolerance=Tolerance()):
    """Translation, atoms moved by whole cell vectors, and another order of the atoms."""
    rng = np.random.default_rng(1)
    e = potential.evaluate([structure])[0]
    images = rng.integers(-2, 3, size=(len(structure), 3)) * structure.periodic
    order = rng.permutation(len(structure))
    shifted = structure.moved_to(structure.positions + np.array([0.3, -1.7, 2.9]))
    imaged = structure.moved_to(structure.positions + images @ structure.cell)
    for other, index in ((shifted, slice(None)), (imaged, slice(None)), (structure.take(order), order)):
        f = potential.evaluate([other])[0]
        assert abs(f.energy - e.energy) < tolerance.energy * len(structure)
        np.testing.assert_allclose(f.forces, e.forces[index], atol=tolerance.force)
        np.testing.assert_allclose(f.stress, e.stress, atol=tolerance.stress)


def forces_turn_with_the_structure(potential, structure, tolerance=Tolerance()):
    rng = np.random.default_rng(2)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    rotation *= np.sign(np.linalg.det(rotation))
    turned = structure.moved_to(structure.positions @ rotation, structure.cell @ rotation)
    e, f = potential.evaluate([structure, turned])
    assert abs(e.energy - f.energy) < tolerance.energy * len(structure)
    np.testing.assert_allclose(f.forces, e.forces @ rotation, atol=tolerance.force)
    np.testing.assert_allclose(f.stress, rotation.T @ e.stress @ rotation, atol=tolerance.stress)


def a_supercell_repeats_the_cell(potential, structure, tolerance=Tolerance()):
    e = potential.evaluate([structure])[0]
    big = potential.evaluate([structure.repeated(2, 1, 2)])[0]
    assert abs(big.energy - 4 * e.energy) < 4 * tolerance.energy * len(structure)
    np.testing.assert_allclose(big.forces, np.tile(e.forces, (4, 1)), atol=tolerance.force)
    np.testing.assert_allclose(big.stress, e.stress, atol=tolerance.stress)


def invariances(potential, structure, tolerance=Tolerance()):
    """All of the above that need one structure."""
    energy_ignores_translation_images_and_order(potential, structure, tolerance)
    forces_turn_with_the_structure(potential, structure, tolerance)
    a_supercell_repeats_the_cell(potential, structure, tolerance)
    if potential.card.virials:
        virials_sum_to_volume_times_stress(potential, structure, tolerance)
    small = structure.take(np.arange(len(structure) // 2))
    a_batch_is_its_structures_one_by_one(potential, [structure, small, structure], tolerance)


def derivatives(potential, structure, difference=Difference()):
    """Forces and stress against finite differences."""
    forces_are_the_slope_of_the_energy(potential, structure, difference)
    stress_is_the_slope_of_the_energy(potential, structure, difference)


def layered(symbols="NaCoO", rattle=0.05, seed=0):
    """A rattled P2 cell of 8 atoms, a = 2.84 A, c = 10.81 A: smaller than any cutoff, with atoms outside it."""
    a, c = 2.84, 10.81
    cell = np.array([[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0.05, 0.02, c]])
    third, twothird = 1 / 3, 2 / 3
    numbers = {"Na": 11, "Co": 27, "O": 8}
    fractional = [(0, 0, 0.25), (0, 0, 0.75), (0, 0, 0.0), (0, 0, 0.5)]
    fractional += [(third, twothird, 0.09), (twothird, third, 0.91), (third, twothird, 0.41), (twothird, third, 0.59)]
    fractional = np.array(fractional)
    fractional[:2, :2] = (twothird, third)
    kinds = [numbers[k] for k in ("Na", "Na", "Co", "Co", "O", "O", "O", "O")]
    positions = fractional @ cell + rattle * np.random.default_rng(seed).normal(size=(8, 3))
    return Structure(np.array(kinds), positions, cell)
