"""A non-basal twin relaxed with the embedded potential: it stays octahedral and costs a positive boundary energy."""

from dataclasses import replace

import numpy as np
import pytest
from ase.neighborlist import neighbor_list

from simkit import potential, solve
from simkit.build import Block, TwinSettings, bulk, harvest, mirror_twin
from simkit.io import to_ase

EV_PER_A2_IN_J_PER_M2 = 16.021766


@pytest.mark.slow
def test_the_018_twin_of_o3_keeps_its_octahedra_and_costs_less_than_a_surface():
    """gamma = (E - n e_bulk) / 2 A; between zero and 1 J/m2, about what surfaces of layered oxides cost."""
    block = Block("O3", 3, {"Co": 1.0})
    model = potential.load("chgnet+d3")
    crystal = solve.relax([bulk(block, (1, 1)).structure], model, cell="free", fmax_eV_per_A=0.03)[0]
    per_unit = crystal.evaluation.energy / (crystal.structure.numbers == 27).sum()
    block = replace(block, heights=harvest(crystal.structure))
    twin = mirror_twin(block, (0, 1, 8), settings=TwinSettings(thickness_A=14.0)).structure
    outcome = solve.relax([twin], model, cell="free", fmax_eV_per_A=0.05)[0]
    assert outcome.converged
    s = outcome.structure
    metals = s.numbers == 27
    assert metals.sum() == (s.numbers == 11).sum(), "stoichiometric, so the energy needs no chemical potential"
    i, j = neighbor_list("ij", to_ase(s), 2.6)
    assert (np.bincount(i[s.numbers[j] == 8], minlength=len(s))[metals] == 6).all()
    area_A2 = np.linalg.norm(np.cross(s.cell[0], s.cell[1]))
    gamma = (outcome.evaluation.energy - metals.sum() * per_unit) / (2 * area_A2) * EV_PER_A2_IN_J_PER_M2
    assert 0.0 < gamma < 1.0
