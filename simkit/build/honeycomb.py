"""Honeycomb order of slab metals: which third of the sites of each slab its centres take."""

from __future__ import annotations

import numpy as np

from simkit.arrays import Integers
from simkit.build.plane import lattice_points
from simkit.errors import InputError


def centre_sites(matrix: Integers, letter: int, centre: int) -> np.ndarray:
    """(area,) bool: the points of a layer of this letter on one of its three sqrt(3) x sqrt(3) sublattices.

    centre  0, 1 or 2: the point p1 a1 + p2 a2 + letter (1/3, 2/3) belongs to sublattice p1 + p2 + letter mod 3
    Of the three steps a / sqrt(3) from one letter to the next, one keeps the number and two change it by 1 and 2;
    a stack whose every step is the same (equal numbers in O3) is the C2/m stacking of Li2MnO3, and steps that
    turn by 120 degrees from slab to slab make P3_112.
    Raises InputError where the supercell holds no whole sqrt(3) x sqrt(3) cells, naming repeats that do.
    """
    rows = np.asarray(matrix)
    if np.any(rows.sum(axis=1) % 3):
        raise InputError(
            f"repeats = {rows.tolist()} hold no whole sqrt(3) x sqrt(3) cells, which a honeycomb needs: the entries of "
            f"each row must sum to a multiple of 3; three times these, {(3 * rows).tolist()}, or ROOT3 would do."
        )
    points = lattice_points(matrix)
    return (points.sum(axis=1) + letter) % 3 == centre
