"""Solvers against published aluminium numbers: Mishin, Farkas, Mehl & Papaconstantopoulos, PRB 59, 3393 (1999).

Reference values computed with LAMMPS: vacancy formation 0.6764 eV and migration 0.6345 eV in a 500-site
cell, 0.682 eV formation in the 108-site one; faults of 24 layers 145.5 (rigid 156.6) mJ/m2 stable,
167.4 (rigid 189.7) unstable.
"""

import numpy as np
import pytest
from ase.calculators.eam import EAM
from solve_metals import EAM_FILE, close_packed, needs_eam, structure, vacancy_hop

from simkit import measure, potential, solve
from simkit.units import EV_PER_A2_IN_J_PER_M2

A0_A, ECOH_EV = 4.05, -3.36
pytestmark = needs_eam


@pytest.fixture(scope="module")
def aluminium():
    return potential.from_ase(EAM(potential=str(EAM_FILE)))


def formation_and_hop(aluminium, n):
    perfect, initial, final = vacancy_hop("Al", n, A0_A)
    ends = solve.relax([structure(initial), structure(final)], aluminium, fmax_eV_per_A=0.005)
    assert all(o.converged for o in ends)
    # cohesive energy of the file: -3.3600 eV per atom at 4.05 A, to 1e-7
    formation = ends[0].evaluation.energy - (len(perfect) - 1) * ECOH_EV
    path = solve.find_path(ends[0].structure, ends[1].structure, aluminium, images=3)
    assert path.converged, path.status
    return formation, path


def test_vacancy_formation_in_the_108_site_cell(aluminium):
    perfect, initial, _ = vacancy_hop("Al", 3, A0_A)
    out = solve.relax([structure(initial)], aluminium, fmax_eV_per_A=0.005)[0]
    assert out.converged
    assert out.evaluation.energy - (len(perfect) - 1) * ECOH_EV == pytest.approx(0.682, abs=0.005)


@pytest.mark.slow
def test_vacancy_migration_in_the_256_site_cell(aluminium):
    """At fixed volume the barrier falls with the cell: 0.647 (108 sites), 0.638 (256), 0.635 (500)."""
    _, path = formation_and_hop(aluminium, 4)
    assert path.barrier_eV == pytest.approx(0.6345, abs=0.010)
    assert path.barrier_eV == pytest.approx(path.reverse_barrier_eV, abs=1e-3)


@pytest.mark.slow
def test_vacancy_in_the_500_site_cell_of_the_reference(aluminium):
    formation, path = formation_and_hop(aluminium, 5)
    # same cell, same potential: what is left are the two force criteria and the tables' interpolation
    assert formation == pytest.approx(0.6764, abs=0.001)
    assert path.barrier_eV == pytest.approx(0.6345, abs=0.002)


def fault(aluminium, fractions, mode):
    """Fault energies (mJ/m2) at fractions of the partial vector, 24 layers, one fault per cell."""
    crystal, partial = close_packed(A0_A, 24)
    weights = (np.arange(24) >= 12).astype(float)
    settings = solve.SlideSettings(0.002, solve.RelaxSettings(stress_max_GPa=0.01))
    points = solve.slide(crystal, weights, np.outer([0.0, *fractions], partial), aluminium, mode, settings)
    assert all(p.converged for p in points)
    e = np.array([p.energy_eV for p in points])
    return 1e3 * EV_PER_A2_IN_J_PER_M2 * (e[1:] - e[0]) / points[0].area_A2


def test_intrinsic_stacking_fault(aluminium):
    # the reference is printed to 0.1 mJ/m2
    assert fault(aluminium, [1.0], "rigid")[0] == pytest.approx(156.6, abs=0.1)
    assert fault(aluminium, [1.0], "normal")[0] == pytest.approx(145.5, abs=0.1)


def test_unstable_stacking_fault(aluminium):
    # maxima of parabolas through three places beside them
    for mode, places, wanted in (("rigid", [0.67, 0.70, 0.73], 189.7), ("normal", [0.70, 0.73, 0.76], 167.4)):
        c = np.polyfit(places, fault(aluminium, places, mode), 2)
        assert np.polyval(c, -c[1] / (2 * c[0])) == pytest.approx(wanted, rel=1e-3)
        assert mode == "rigid" or -c[1] / (2 * c[0]) == pytest.approx(0.73, abs=0.005)


@pytest.mark.slow
def test_held_slabs_of_one_atom_are_the_normal_relaxation(aluminium):
    """With one atom per slab, holding its centroid leaves only the normal free."""
    np.testing.assert_allclose(fault(aluminium, [0.5], "held"), fault(aluminium, [0.5], "normal"), atol=1e-6)


@pytest.mark.slow
def test_gamma_surface_of_aluminium(aluminium):
    """Rigid, 12 x 12 translations: published faults on the surface and on the low path, gamma(0) = 0 and periodic."""
    crystal, partial = close_packed(A0_A, 24)
    weights = (np.arange(24) >= 12).astype(float)
    n = 12
    grid = np.stack(np.meshgrid(range(n), range(n), indexing="ij"), -1).reshape(-1, 2) / n
    points = solve.slide(crystal, weights, grid @ crystal.cell[:2], aluminium)
    energies = np.array([p.energy_eV for p in points]).reshape(n, n)
    plane = measure.GlidePlane(points[0].area_A2, 1.0, float(np.linalg.norm(partial)))
    surface = measure.gamma_surface(crystal.cell[:2], energies, plane)
    end = partial @ np.linalg.pinv(crystal.cell[:2])
    path = surface.low_path([0, 0], end)
    assert surface.at([0, 0]) == pytest.approx(0, abs=1e-12)
    assert 1e3 * surface.at(end) == pytest.approx(156.6, abs=0.2)
    assert 1e3 * path.unstable_J_per_m2 == pytest.approx(189.7, rel=0.01)
    once = solve.slide(crystal, weights, [0.3 * partial, 0.3 * partial + crystal.cell[0]], aluminium)
    assert abs(once[0].energy_eV - once[1].energy_eV) / points[0].area_A2 < 1e-8
