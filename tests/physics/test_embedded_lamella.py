"""Stress of a coherent lamella with a model shipped in the package, against its own elastic constants.

Thick blocks of two phases share one plane. In the middle of each block the stress is that of the phase alone, strained
to the plane and free along the normal; for small strains sigma = (C11 + C12 - 2 C13^2 / C33) strain. Small means
tenths of a percent, and a smooth phase: between cobalt and nickel, at 1 %, the model's stress leaves that line by 11 to
28 %, and sodium of P2-NaCoO2 moves enough at 0.1 % to take it off by 13 %; strained cells agree within 2 % there too.
"""

from __future__ import annotations

import numpy as np
import pytest

from simkit import build, measure, potential, solve
from simkit.units import EV_PER_A3_IN_GPA
from simkit.workflows import elastic

pytestmark = pytest.mark.slow
TIGHT = solve.RelaxSettings(max_steps=1500, stress_max_GPa=1e-3)
FMAX_EV_PER_A = 2e-3
GALLERIES = 6


def edge_A(structure):
    """In-plane lattice parameter of a primitive hexagonal cell."""
    return np.sqrt(np.linalg.norm(np.cross(structure.cell[0], structure.cell[1])) * 2 / np.sqrt(3))


def in_plane_GPa(stress):
    return (stress[0, 0] + stress[1, 1]) / 2 * EV_PER_A3_IN_GPA


def block(phase, metal):
    return build.Block(phase, GALLERIES, metals={metal: 1.0}, content=1.0)


def middle_A(structure, galleries):
    """Height half way through consecutive galleries, by the ions of the first and the last."""
    found = build.classify(structure)
    ends = [
        structure.positions[(found.gallery_of == g) & (found.slab_of < 0), 2].mean()
        for g in (galleries[0], galleries[-1])
    ]
    return np.mean(ends)


def test_the_middle_of_each_block_is_strained_to_the_common_plane():
    model = potential.load("simkit:nalox", dtype="float64", device="cpu")
    blocks = [block("P2", "Fe"), block("O3", "Fe")]
    alone = {b.phase: build.bulk(b, (1, 1)).structure for b in blocks}
    constants = elastic.run(elastic.Config(strain=0.003), model, alone).answers
    joined = build.intergrowth(blocks, (1, 1), max_strain_percent=6).structure
    (lamella,) = solve.relax([joined], model, "free", FMAX_EV_PER_A, TIGHT)
    assert lamella.converged
    (answer,) = model.evaluate([lamella.structure], virials=True)
    period = lamella.structure.cell[2, 2]
    profile = measure.profile_along_normal(lamella.structure, answer.virials, 400, period / (2 * GALLERIES))
    for k, phase in enumerate(("P2", "O3")):
        free = constants[phase].structure
        strain = edge_A(lamella.structure) / edge_A(free) - 1
        assert 0.001 < abs(strain) < 0.003
        height = middle_A(lamella.structure, range(k * GALLERIES, (k + 1) * GALLERIES))
        interior = in_plane_GPa(profile.stress[round(height / period * 400) % 400])
        cell = free.cell.copy()
        cell[:2] *= 1 + strain
        (held,) = solve.relax([free.strained_to(cell)], model, "c", FMAX_EV_PER_A, TIGHT)
        assert interior == pytest.approx(in_plane_GPa(held.evaluation.stress), rel=0.02)
        c = constants[phase].elastic.stiffness_GPa
        assert interior == pytest.approx((c[0, 0] + c[0, 1] - 2 * c[0, 2] ** 2 / c[2, 2]) * strain, rel=0.10)
