"""Solvers against ASE's own optimisers and NEB on the same cells, with ASE's built-in EMT."""

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from ase.constraints import FixedLine
from ase.filters import FrechetCellFilter
from ase.mep import NEB
from ase.optimize import BFGS
from solve_metals import close_packed, structure, vacancy_hop

from simkit import potential, solve
from simkit.units import EV_PER_A3_IN_GPA


@pytest.fixture(scope="module")
def emt():
    return potential.from_ase(EMT())


def ase_relaxed(atoms, fmax):
    atoms = atoms.copy()
    atoms.calc = EMT()
    BFGS(atoms, logfile=None).run(fmax=fmax, steps=300)
    return atoms


@pytest.mark.parametrize("symbol, n", [("Al", 2), ("Cu", 3)])
def test_vacancy_formation_as_ases_bfgs(emt, symbol, n):
    perfect, initial, _ = vacancy_hop(symbol, n)
    ours = solve.relax([structure(initial)], emt, fmax_eV_per_A=0.005)[0]
    theirs = ase_relaxed(initial, 0.005)
    assert ours.converged
    # forces of 0.005 eV/A over curvatures of 1 eV/A^2 and some ten atoms
    assert ours.evaluation.energy == pytest.approx(theirs.get_potential_energy(), abs=1e-3)
    assert ours.evaluations <= len(perfect) // 4


@pytest.mark.parametrize("symbol, n", [("Al", 2), ("Cu", 2)])
def test_vacancy_migration_as_ases_neb(emt, symbol, n):
    _, initial, final = vacancy_hop(symbol, n)
    ends = [ase_relaxed(a, 0.005) for a in (initial, final)]
    band = [ends[0]] + [ends[0].copy() for _ in range(3)] + [ends[1]]
    for image in band[1:-1]:
        image.calc = EMT()
    neb = NEB(band, climb=True, method="improvedtangent", k=1.0)
    neb.interpolate("idpp", mic=True)
    BFGS(neb, logfile=None).run(fmax=0.01, steps=200)
    theirs = max(a.get_potential_energy() for a in band) - ends[0].get_potential_energy()
    path = solve.find_path(structure(ends[0]), structure(ends[1]), emt, images=3)
    assert path.converged and path.climbing_image == 2
    assert path.barrier_eV == pytest.approx(theirs, abs=1e-3)
    assert path.fitted_barrier_eV == pytest.approx(theirs, abs=1e-3)
    assert path.reverse_barrier_eV == pytest.approx(path.barrier_eV, abs=1e-3)


def test_both_vacancy_hops_in_one_batch_with_an_image_count_of_one(emt):
    """One image that climbs is enough for a symmetric hop."""
    _, initial, final = vacancy_hop("Al", 2)
    a, b = (o.structure for o in solve.relax([structure(initial), structure(final)], emt, fmax_eV_per_A=0.005))
    there, back = solve.find_paths([(a, b), (b, a)], emt, images=1)
    many = solve.find_path(a, b, emt, images=5)
    assert there.converged and back.converged
    assert there.barrier_eV == pytest.approx(many.barrier_eV, abs=1e-3)
    assert back.barrier_eV == pytest.approx(many.barrier_eV, abs=1e-3)


def test_free_cell_as_ases_frechet_filter(emt):
    _, initial, _ = vacancy_hop("Cu", 2)
    initial.set_cell(initial.cell.array * np.array([[1.02], [0.99], [1.01]]), scale_atoms=True)
    theirs = initial.copy()
    theirs.calc = EMT()
    # ASE compares stress x volume / atoms with fmax: tight, so that its cell is the better known
    BFGS(FrechetCellFilter(theirs), logfile=None).run(fmax=5e-4, steps=300)
    ours = solve.relax([structure(initial)], emt, "free", 0.005, solve.RelaxSettings(stress_max_GPa=0.01))[0]
    assert ours.converged
    assert np.abs(ours.evaluation.stress).max() * EV_PER_A3_IN_GPA <= 0.01 * 1.01
    assert ours.evaluation.energy == pytest.approx(theirs.get_potential_energy(), abs=1e-3)
    np.testing.assert_allclose(
        np.linalg.norm(ours.structure.cell, axis=1), np.linalg.norm(theirs.cell.array, axis=1), rtol=1e-3
    )


def test_stacking_fault_as_ases_bfgs_along_the_normal(emt):
    """The same tilted cell, atoms and cell length free along the normal only, by ASE's filter and masks."""
    from_layers, partial = close_packed(3.99, 9)
    weights = (np.arange(9) >= 4).astype(float)
    perfect, fault = solve.slide(
        from_layers,
        weights,
        [0 * partial, partial],
        emt,
        "normal",
        solve.SlideSettings(0.002, solve.RelaxSettings(stress_max_GPa=0.005)),
    )
    assert perfect.converged and fault.converged
    theirs = [ase_normal(from_layers, weights, t) for t in (0 * partial, partial)]
    ours = fault.energy_eV - perfect.energy_eV
    # EMT's fault energy per atom of the plane is some 10 meV; both sides converge to about 0.01 meV
    assert ours == pytest.approx(theirs[1] - theirs[0], abs=1e-4)
    assert fault.energy_eV == pytest.approx(theirs[1], abs=1e-3)


def ase_normal(crystal, weights, vector):
    s = solve.slid_by(crystal, weights, vector)
    atoms = Atoms(s.numbers, s.positions, cell=s.cell, pbc=True)
    atoms.set_constraint([FixedLine(i, (0, 0, 1)) for i in range(len(atoms))])
    atoms.calc = EMT()
    BFGS(FrechetCellFilter(atoms, mask=[0, 0, 1, 0, 0, 0]), logfile=None).run(fmax=0.001, steps=300)
    return atoms.get_potential_energy()
