"""The way of one ion along a path: its length and the narrowest place it passes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from simkit.arrays import Floats
from simkit.elements import atomic_number
from simkit.errors import InputError
from simkit.kernels.pair_search import find_pairs
from simkit.structure import Structure

REACH_A = 6.0


def displacements_A(first: Structure, second: Structure) -> Floats:
    """(n, 3) minimum-image displacement of each atom between two structures of one cell, A."""
    fractional = (second.positions - first.positions) @ np.linalg.inv(first.cell)
    return (fractional - np.round(fractional)) @ first.cell


def track_length_A(images: Sequence[Structure], ion: int) -> float:
    """Length of one ion's polyline through the images, A."""
    steps = [displacements_A(a, b)[ion] for a, b in pairwise(images)]
    return float(np.linalg.norm(steps, axis=1).sum())


def window_A(images: Sequence[Structure], ion: int, element: str | None = "O") -> float:
    """Shortest distance between one ion and any atom of `element` (None: any other atom) on the whole path, A.

    Raises InputError when no such atom comes within 6 A.
    """
    number = None if element is None else atomic_number(element)
    shortest = [_nearest_A(image, ion, number) for image in images]
    if not np.isfinite(shortest).any():
        raise InputError(f"no {element or 'atom'} comes within {REACH_A} A of atom {ion}; name an element it passes.")
    return float(np.min(shortest))


def _nearest_A(structure: Structure, ion: int, number: int | None) -> float:
    chosen = np.ones(len(structure), dtype=bool) if number is None else structure.numbers == number
    others = structure.positions[chosen & (np.arange(len(structure)) != ion)]
    if len(others) == 0:
        return np.inf
    pairs = find_pairs(structure.positions[ion : ion + 1], others, structure.cell, REACH_A)
    return float(pairs.distance.min(initial=np.inf))
