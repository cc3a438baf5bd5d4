"""Which translations of one gallery are alike: the planar symmetry of gliding, and the fewest points of a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.identify import Classification, classify
from simkit.build.symmetry import operations
from simkit.errors import InputError
from simkit.structure import Structure

SAME = 1e-3
"""Fractions of the cell height, and entries of a matrix, closer than this are the same."""


@dataclass(frozen=True, eq=False)
class GlideGrid:
    """Translations of a gallery on a grid over one period, and which of them are alike.

    lattice    (2, 3) A, the period: gamma(t) repeats by its vectors
    size       n: grid points are (i, j) / n of the lattice vectors
    fractions  (m, 2) the points that are unlike, the first is (0, 0)
    index      (n, n): [0, n) x [0, n) -> [0, m)
    turns      (k, 2, 2) whole-number matrices on fractional columns that leave gamma as it is
    """

    lattice: Floats
    size: int
    fractions: Floats
    index: Integers
    turns: Integers

    @property
    def vectors_A(self) -> Floats:
        """(m, 3) translations of the unlike points, each the shortest of its images, A."""
        shifts = np.stack(np.meshgrid(range(-2, 2), range(-2, 2), indexing="ij"), -1).reshape(-1, 2)
        images = (self.fractions[:, None] + shifts) @ self.lattice
        nearest = np.argmin(np.round(np.linalg.norm(images, axis=2), 9), axis=1)
        return images[np.arange(len(images)), nearest]


def glide_grid(
    structure: Structure,
    gallery: int,
    size: int,
    period: str = "slabs",
    found: Classification | None = None,
    symprec_A: float = 1e-2,
) -> GlideGrid:
    """The grid of translations of one gallery, reduced by every symmetry that keeps the gallery where it is.

    An operation with rotation R that keeps the normal takes the slid crystal t to R t, one that turns it over to -R t:
    what was above lies below then, and only the translation of one against the other counts.

    size    points along each lattice vector; a multiple of 3 holds the letters
    period  "slabs": the primitive cell of the slabs, over which ions that follow the slabs repeat; "structure": the
            translations of the whole structure, ions and their vacancies included
    Raises InputError for a size below 3, an unknown period or gallery.
    """
    found = found or classify(structure)
    _require(gallery, size, period, len(found.stack))
    rotations, translations = operations(structure, symprec_A)
    lattice = found.primitive if period == "slabs" else _translations(structure, rotations, translations)
    turns = _turns(structure, found, gallery, (rotations, translations), lattice)
    i, j = np.meshgrid(range(size), range(size), indexing="ij")
    points = np.stack([i, j], -1).reshape(-1, 2)
    images = np.einsum("kab,pb->kpa", turns, points) % size
    numbers = (images[..., 0] * size + images[..., 1]).min(axis=0)
    unlike, index = np.unique(numbers, return_inverse=True)
    return GlideGrid(lattice, size, points[unlike] / size, index.reshape(size, size), turns)


def _require(gallery: int, size: int, period: str, count: int) -> None:
    if isinstance(gallery, bool) or gallery not in range(count):
        raise InputError(f"gallery {gallery!r} does not exist; this structure has galleries 0 to {count - 1}.")
    if isinstance(size, bool) or size < 3:
        raise InputError(f"a grid of {size!r} points a side is none; give 3 or more, a multiple of 3 for the letters.")
    if period not in ("slabs", "structure"):
        raise InputError(f"period = {period!r}; use 'slabs' or 'structure'.")


def _translations(structure: Structure, rotations: Integers, translations: Floats) -> Floats:
    """(2, 3) A shortest in-plane lattice vectors of the whole structure, 60 to 120 degrees apart."""
    still = np.all(rotations == np.eye(3, dtype=int), axis=(1, 2))
    steps = translations[still] - np.round(translations[still])
    steps = steps[np.abs(steps[:, 2]) < SAME]
    grid = np.stack(np.meshgrid(range(-2, 3), range(-2, 3), [0], indexing="ij"), -1).reshape(-1, 3)
    steps[:, 2] = 0.0
    vectors = (steps[:, None] + grid).reshape(-1, 3) @ structure.cell
    length = np.linalg.norm(vectors, axis=1)
    order = np.argsort(np.round(length, 6), kind="stable")
    vectors, length = vectors[order], length[order]
    first = vectors[np.argmax(length > 0.1)]
    normal = np.cross(structure.cell[0], structure.cell[1])
    areas = np.cross(first, vectors) @ normal / np.linalg.norm(normal)
    second = vectors[np.argmax(areas > 0.1)]
    return np.array([first, second])


def _turns(
    structure: Structure, found: Classification, gallery: int, group: tuple[Integers, Floats], lattice: Floats
) -> Integers:
    """Matrices of the operations that keep the gallery, in the basis of the lattice; whole-number ones only."""
    heights = found.layering.heights_A
    middle = (heights[gallery, 2] + 0.5 * found.gallery_heights_A[gallery]) / found.height_A
    columns = structure.cell.T
    kept = {((1, 0), (0, 1))}
    for rotation, translation in zip(*group, strict=True):
        if rotation[2, 0] or rotation[2, 1]:
            continue
        miss = rotation[2, 2] * middle + translation[2] - middle
        if abs(miss - round(miss)) > SAME * max(1.0, 10.0 / found.height_A):
            continue
        plane = columns @ rotation @ np.linalg.inv(columns) * rotation[2, 2]
        matrix = np.linalg.lstsq(lattice.T, plane @ lattice.T, rcond=None)[0]
        whole = np.round(matrix).astype(int)
        if np.abs(matrix - whole).max() < SAME * 10:
            kept.add(tuple(map(tuple, whole.tolist())))
    return np.array(sorted(kept, reverse=True))
