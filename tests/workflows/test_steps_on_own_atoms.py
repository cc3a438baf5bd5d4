"""Each step alone, on structures of one's own, as a script would use it."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.mep import NEB
from ase.optimize import BFGS

from simkit import build, io, potential
from simkit.errors import InputError
from simkit.workflows import gliding, migration, relax, stress


def copper():
    """32 sites of fcc copper at EMT's lattice constant."""
    return bulk("Cu", "fcc", a=3.5899, cubic=True).repeat((2, 2, 2))


def test_migration_in_any_crystal_against_ases_neb():
    config = migration.Config(
        ion="Cu", sites="ions", images=3, cutoff_A=2.7, end_fmax_eV_per_A=0.01, fmax_eV_per_A=0.01
    )
    hop = migration.run(config, potential.from_ase(EMT()), copper()).hops[0]
    assert hop.converged
    images = [io.to_ase(s) for s in hop.path.images]
    for image in images:
        image.calc = EMT()
    band = NEB(images, climb=True, method="improvedtangent")
    BFGS(band, logfile=None).run(fmax=0.01)
    theirs = images[2].get_potential_energy() - images[0].get_potential_energy()
    assert hop.path.barrier_eV == pytest.approx(theirs, abs=2e-3)  # both stop at 0.01 eV/A on the saddle
    assert hop.track_A == pytest.approx(3.5899 / np.sqrt(2), rel=0.1)


def test_a_crystal_that_is_not_layered_is_told_how():
    with pytest.raises(InputError, match="sites='ions'"):
        migration.run(migration.Config(ion="Cu"), potential.from_ase(EMT()), copper())


def test_relax_takes_a_mapping_of_ase_atoms():
    atoms = copper()
    atoms.rattle(0.02, seed=1)
    result = relax.run(relax.Config(cell="fixed"), potential.from_ase(EMT()), {"one": atoms, "two": copper()})
    assert result.converged
    energies = [a.get_potential_energy() for a in map(with_emt, result.to_ase().values())]
    assert energies[0] == pytest.approx(energies[1], abs=1e-3)  # forces below 0.03 eV/A leave under 1 meV in 32 atoms


def with_emt(atoms):
    atoms.calc = EMT()
    return atoms


def test_stress_maps_need_virials():
    with pytest.raises(Exception, match="virials"):
        stress.run(stress.Config(), potential.from_ase(EMT()), copper())


def test_held_gliding_lets_sodium_find_the_sites_of_the_next_phase():
    """O3 slid by one letter is a fault of the O1 kind: its energy is that of O1 over O3, not of a trapped ion."""
    model = potential.load("chgnet+d3", device="cpu")
    cell = relax.run(relax.Config(), model, build.bulk(build.Block("O3", 3), repeats=(2, 1)).structure)
    config = gliding.Config(points=3, letters=[1], modes=["held", "normal"], fmax_eV_per_A=0.05)
    held, normal = gliding.run(config, model, cell.outcomes["structure"].structure).profiles
    assert held.becomes[1] == "O1"
    assert held.converged
    top, trapped = (p.energy_eV[-1] - p.energy_eV[0] for p in (held, normal))
    assert 0.03 < top / held.formula_units < 0.15  # 0.08 eV between the bulk phases; one fault among three galleries
    assert trapped > 3 * top
