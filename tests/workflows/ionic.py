"""A layered oxide on paper: screened ions with Born-Mayer repulsion, cheap enough to run every row of the scorecard."""

from dataclasses import dataclass

import numpy as np

from simkit import build
from simkit.potential import Card, Potential
from simkit.potential.analytic import PairPotential, switched
from simkit.workflows.distill.dataset import Labelled, labelled

CHARGE = {8: -2.0, 11: 1.0, 25: 4.0, 27: 3.0, 28: 2.0}
"""Ni and Mn as in Na2/3Ni1/3Mn2/3O2."""
RADIUS_A = {8: 1.40, 11: 1.02, 25: 0.53, 27: 0.56, 28: 0.69}
"""Shannon: two ions rest against one another near the sum of their radii."""
COULOMB_EV_A = 14.399645
IONICITY = 0.6
SCREENING_A = 2.0
POWER = 9
OXYGEN_C6_EV_A6 = 60.0
CUTOFF_A = 6.0
SOFTER = 0.2
"""C11 near 240 GPa, as a layered oxide has."""


@dataclass(frozen=True)
class Ions:
    """q q exp(-r / screening) / r + B (sum of radii / r)^9 - C6 / r^6 between oxygens, switched off from 4.5 to 6 A."""

    hardness_eV: float
    scale: float

    def __call__(self, lengths, first, second):
        charge, radius = (np.zeros(119) for _ in range(2))
        for z in CHARGE:
            charge[z], radius[z] = IONICITY * CHARGE[z], RADIUS_A[z]
        pull = COULOMB_EV_A * charge[first] * charge[second] * np.exp(-lengths / SCREENING_A) / lengths
        push = self.hardness_eV * ((radius[first] + radius[second]) / lengths) ** POWER
        bond = np.where((first == 8) & (second == 8), -OXYGEN_C6_EV_A6 / lengths**6, 0.0)
        slope = -pull * (1 / SCREENING_A + 1 / lengths) - (POWER * push + 6 * bond) / lengths
        energy, slope = switched(pull + push + bond, slope, lengths, (4.5, CUTOFF_A))
        return self.scale * energy, self.scale * slope


def ionic(name="ions", scale=1.0, hardness_eV=0.3, elements=("O", "Na", "Mn", "Co", "Ni")) -> Potential:
    """The potential; scale multiplies energies, forces and stresses alike, hardness_eV makes larger cells."""
    facts = f"{scale} {hardness_eV}"
    card = Card(name=name, kind="analytic", summary=facts, elements=elements, sha256=facts)
    return PairPotential(Ions(hardness_eV, SOFTER * scale), CUTOFF_A, card)


def rattled_labels() -> list[Labelled]:
    """Three rattled cells as `ionic()` labels them: two of O3 NaCoO2, an empty P2."""
    generator = np.random.default_rng(5)
    found = []
    for phase, origin, content in (("O3", "md300", 1.0), ("O3", "rattled", 1.0), ("P2", "md900", 0.0)):
        block = build.Block(phase, 3 if phase == "O3" else 2, metals={"Co": 1.0}, content=content)
        built = build.bulk(block, (1, 1)).structure
        moved = built.moved_to(built.positions + generator.normal(0.0, 0.1, built.positions.shape))
        answer = ionic().evaluate([moved])[0]
        found.append(labelled(moved, answer, phase, origin))
    return found
