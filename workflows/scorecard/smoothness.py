"""Smoothness of forces: what is left of them along straight lines when a polynomial is taken off."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

import numpy as np
from numpy.polynomial import legendre

from simkit.arrays import Floats
from simkit.potential.base import Potential
from simkit.structure import Structure
from simkit.workflows.scorecard import lattice
from simkit.workflows.scorecard.answers import Answers
from simkit.workflows.scorecard.cells import Cell, built
from simkit.workflows.scorecard.config import Config

SHAKEN_A, REACH_A = 0.1, 0.1
"""Root mean square displacement of each coordinate: of where a line begins, and of its ends from there. An
ion of oxygen that moves as fast as on the mean at 600 K goes from one end to the other in some 40 fs."""
POINTS, DEGREE = 41, 7
"""Points of a line, 5 mA apart, and the degree of the polynomial. A pair potential leaves 0.1 meV/A."""
LINES = 3
QUICK: Mapping[str, Cell] = lattice.QUICK
FULL: Mapping[str, Cell] = {
    name: lattice.FULL[name]
    for name in (
        *lattice.QUICK, "O3 NaFeO2", "O3 NaNi1/3Mn1/3Ti1/3O2", "P2 Na2/3Cu1/3Mn2/3O2", "O2 Na1/3MnO2", "O1 CoO2",
    )
}  # fmt: skip
BATCH = 12


def measure(potential: Potential, config: Config) -> Answers:
    """Root mean square and largest remainder of force components off the polynomial, and forces at the beginnings.

    All atoms move along one direction in space, drawn with the seed. What is smooth leaves next to nothing; steps of
    cutoffs and waves much shorter than a vibration stay. A smooth model does not follow them, and they can make
    shallow minima.
    """
    structures, problems = built(QUICK if config.quick else FULL, config, potential)
    numbers = {}
    for name, structure in structures.items():
        every = [
            forces_along(potential, structure, np.random.default_rng([config.seed, line]))
            for line in range(1 if config.quick else LINES)
        ]
        rest = np.concatenate([remainder(forces) for forces in every], axis=1)
        starts = np.concatenate([forces[POINTS // 2] for forces in every])
        numbers[name] = {
            "off a polynomial rms_meV_per_A": 1e3 * sqrt(float(np.mean(rest**2)) * POINTS / (POINTS - DEGREE - 1)),
            "off a polynomial largest_meV_per_A": 1e3 * float(np.abs(rest).max()),
            "forces rms_meV_per_A": 1e3 * sqrt(float(np.mean(starts**2))),
        }
    return Answers(numbers, problems)


def forces_along(potential: Potential, structure: Structure, random: np.random.Generator) -> Floats:
    """(POINTS, 3 n) forces, eV/A, on a line of displaced copies of a structure."""
    start, direction = (random.normal(size=structure.positions.shape) for _ in range(2))
    places = [
        structure.moved_to(structure.positions + SHAKEN_A * start + way * direction)
        for way in np.linspace(-REACH_A, REACH_A, POINTS)
    ]
    said = [answer for k in range(0, POINTS, BATCH) for answer in potential.evaluate(places[k : k + BATCH])]
    return np.array([answer.forces.ravel() for answer in said])


def remainder(forces: Floats) -> Floats:
    """(POINTS, components) forces without their polynomial of degree `DEGREE` along the line, by least squares."""
    basis = legendre.legvander(np.linspace(-1, 1, len(forces)), DEGREE)
    return forces - basis @ np.linalg.lstsq(basis, forces, rcond=None)[0]
