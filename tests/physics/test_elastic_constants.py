"""Elastic constants against a closed form and published aluminium: PRB 59, 3393 (1999), 113.8, 61.6, 31.6 GPa."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.eam import EAM
from solve_metals import EAM_FILE, needs_eam, structure

from simkit import build, measure, potential
from simkit.potential.analytic import fcc_spring_stiffness, springs
from simkit.structure import Structure
from simkit.units import EV_PER_A3_IN_GPA
from simkit.workflows import elastic

K, REST = 3.0, 2.6


def cubic(answer):
    c = answer.elastic.stiffness_GPa
    return c[0, 0], c[0, 1], c[3, 3]


@needs_eam
def test_aluminium():
    found = elastic.run(
        elastic.Config(strain=0.002), potential.from_ase(EAM(potential=str(EAM_FILE))), bulk("Al", "fcc", a=4.05)
    )
    answer = found.answers["structure"]
    assert answer.elastic.strains == 2
    assert cubic(answer) == pytest.approx((113.8, 61.55, 31.59), rel=0.01)
    assert answer.elastic.stable


def test_springs_in_two_cells_one_batch_and_a_turned_one():
    """Cubic axes give the closed form; layers along [111] the same tensor, turned."""
    law = springs(K, {"Ni": REST}, 3.1)
    cube = structure(bulk("Ni", "fcc", a=REST * np.sqrt(2), cubic=True)).repeated(2, 2, 2)
    a1, a2 = np.array([REST, 0, 0]), np.array([-REST / 2, REST * np.sqrt(0.75), 0])
    step = np.array([0, REST / np.sqrt(3), REST * np.sqrt(2 / 3)])
    layers = Structure([28] * 3, [k * step for k in range(3)], np.array([a1, a2, 3 * (step * [0, 0, 1])]))
    layers = layers.repeated(3, 3, 1)
    found = elastic.run(elastic.Config(strain=1e-3, fmax_eV_per_A=1e-4), law, {"cube": cube, "layers": layers})
    wanted = np.array(fcc_spring_stiffness(K, REST)) * EV_PER_A3_IN_GPA
    assert cubic(found.answers["cube"]) == pytest.approx(tuple(wanted), rel=1e-3)  # second order in the strain
    turned = [a.elastic.eigenvalues_GPa for a in found.answers.values()]
    np.testing.assert_allclose(turned[0], turned[1], rtol=2e-3)
    # along [111]: C33 = (C11 + 2 C12 + 4 C44) / 3
    c11, c12, c44 = wanted
    c = found.answers["layers"].elastic.constants_GPa
    assert c["C33"] == pytest.approx((c11 + 2 * c12 + 4 * c44) / 3, rel=2e-3)
    assert build.stiffness(c).shape == (6, 6)
    assert measure.moduli(found.answers["layers"].elastic).young_across > 0
