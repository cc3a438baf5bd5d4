"""Symmetry of a crystal as it acts on atoms, and the displacements from which it gives all others."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import spglib

from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.structure import Structure

DIRECTIONS = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0.74, 0.53, 0.41]])
"""Cartesian directions tried, the last one in no symmetric place: where a site has enough symmetry, it does alone."""
APART = 0.2
"""Least singular value of directions that count as independent."""


@dataclass(frozen=True, eq=False)
class Symmetry:
    """Operations x -> R x + t of a crystal onto itself.

    rotations (k, 3, 3) cartesian, acting on columns; maps (k, n): atom i goes to the place of atom maps[k, i].
    """

    rotations: Floats
    maps: np.ndarray


@dataclass(frozen=True, eq=False)
class Shift:
    """One displacement: which atom and the cartesian unit vector."""

    atom: int
    direction: Floats


def symmetry_of(structure: Structure, symprec_A: float) -> Symmetry:
    """The space group of a periodic structure by spglib, supercell translations included."""
    lattice = (structure.cell, structure.fractional, structure.numbers)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Set OLD_ERROR_HANDLING", category=DeprecationWarning)
        found = spglib.get_symmetry(lattice, symprec=symprec_A)
    if found is None:
        raise InputError(f"spglib finds no symmetry at {symprec_A} A; are there atoms on top of each other?")
    turn = structure.cell.T @ found["rotations"] @ np.linalg.inv(structure.cell.T)
    maps = [_images(structure, w, t) for w, t in zip(found["rotations"], found["translations"], strict=True)]
    good = [k for k, images in enumerate(maps) if images is not None]
    return Symmetry(turn[good], np.array([maps[k] for k in good]))


def _images(structure: Structure, rotation: np.ndarray, translation: Floats) -> np.ndarray | None:
    """(n,) the atom on whose place each atom lands; None where two would land on one."""
    x = structure.fractional
    gaps = (x @ rotation.T + translation)[:, None, :] - x[None]
    apart = ((gaps - np.round(gaps)) @ structure.cell) ** 2
    far = apart.sum(axis=2) + np.where(structure.numbers[:, None] == structure.numbers, 0.0, np.inf)
    images = far.argmin(axis=1)
    return images if len(set(images.tolist())) == len(images) else None


def shifts_needed(symmetry: Symmetry, both_sides: bool) -> list[Shift]:
    """Displacements whose images under the symmetry span every displacement of every atom; both_sides: and opposite."""
    atoms = symmetry.maps.shape[1]
    covered, needed = np.zeros(atoms, dtype=bool), []
    for atom in range(atoms):
        if covered[atom]:
            continue
        covered[symmetry.maps[:, atom]] = True
        site = symmetry.rotations[symmetry.maps[:, atom] == atom]
        needed += [Shift(atom, u) for u in _directions(site, both_sides)]
    return needed


def _directions(site: Floats, both_sides: bool) -> list[Floats]:
    """Unit vectors whose images under the rotations of a site span space; both_sides: and those of their opposites."""
    chosen: list[Floats] = []
    spanned = np.zeros((0, 3))
    rank = 0
    while rank < 3:
        options = [np.vstack([spanned, site @ (u / np.linalg.norm(u))]) for u in DIRECTIONS]
        ranks = [int(np.sum(np.linalg.svd(rows, compute_uv=False) > APART)) for rows in options]
        best = int(np.argmax(ranks))
        if ranks[best] == rank:
            raise InputError("the displacements of an atom do not span space; report its structure.")
        u = DIRECTIONS[best] / np.linalg.norm(DIRECTIONS[best])
        mirrored = bool(np.any(np.linalg.norm(site @ u + u, axis=1) < 1e-3))
        chosen += [u, -u] if both_sides and not mirrored else [u]
        spanned, rank = options[best], ranks[best]
    return chosen
