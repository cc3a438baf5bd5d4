"""The image dependent pair potential: how far pair distances are from those interpolated between endpoints."""

from __future__ import annotations

import numpy as np
from numba import njit

from simkit.arrays import Floats
from simkit.errors import InputError

NEAREST_A = 0.05
"""Distances are taken as at least this, so that the weight of a coincident pair stays finite."""


def idpp(
    positions: Floats, first: np.ndarray, second: np.ndarray, shift: Floats, wanted: Floats
) -> tuple[Floats, Floats]:
    """Energies (k,) and forces (k, n, 3) of S = sum_pairs (d - wanted)^2 / d^4 (Smidstrup et al., 2014).

    positions (k, n, 3) A of the images, pairs (p,) atom indices, shift (p, 3) A added to the second
    atom, wanted (k, p) A. Energies in A^-2, forces in A^-3. Raises InputError where the shapes disagree.
    """
    k, p = len(positions), len(first)
    if second.shape != (p,) or shift.shape != (p, 3) or wanted.shape != (k, p):
        raise InputError(
            f"idpp got {p} first atoms, {second.shape} second, shifts {shift.shape}, distances {wanted.shape}; "
            f"wanted ({p},), ({p}, 3) and ({k}, {p})."
        )
    energies, forces = np.zeros(k), np.zeros_like(positions)
    _idpp(positions, first, second, shift, wanted, (energies, forces))
    return energies, forces


@njit(cache=True)
def _idpp(positions, first, second, shift, wanted, out):
    energies, forces = out
    vector = np.empty(3)
    for image in range(len(positions)):
        for p in range(len(first)):
            i, j = first[p], second[p]
            d2 = 0.0
            for a in range(3):
                vector[a] = positions[image, j, a] + shift[p, a] - positions[image, i, a]
                d2 += vector[a] * vector[a]
            d = max(np.sqrt(d2), NEAREST_A)
            gap = d - wanted[image, p]
            weight = d**-4
            energies[image] += weight * gap * gap
            slope = 2.0 * weight * gap - 4.0 * weight * gap * gap / d
            for a in range(3):
                pull = slope * vector[a] / d
                forces[image, i, a] += pull
                forces[image, j, a] -= pull
