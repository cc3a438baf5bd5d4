"""Gliding: which atoms move, by how much of the translation, and which translations join letters."""

from __future__ import annotations

import numpy as np

from simkit.arrays import Floats
from simkit.build.identify import Classification, classify
from simkit.build.plane import HEXAGONAL
from simkit.errors import InputError
from simkit.structure import Structure

STEPS = np.array([[[1, 2], [1, -1], [-2, -1]], [[-1, -2], [-1, 1], [2, 1]]]) / 3.0
"""Shockley vectors in the primitive basis: for g = +1 and for g = -1 three that differ by lattice vectors."""


def slide_weights(structure: Structure, gallery: int, found: Classification | None = None) -> Floats:
    """(n,) share of the translation each atom takes when everything above one gallery glides.

    1 for slabs gallery + 1 .. N - 1 and the ions of the galleries above, 0 for slabs 0 .. gallery and the ions
    below, 0.5 for the ions inside the gallery. Moving atoms by weights * t and the third cell vector by t
    makes exactly one fault per period: the blocks above and below stay rigid across the cell boundary because
    the image of slab 0 moves with the third vector. An atom stored k cells above its slab has k added, so that
    wrapped structures glide alike. Raises InputError for a gallery that does not exist or no layers.
    """
    found = found or classify(structure)
    _require_gallery(gallery, found)
    home = np.where(found.slab_of >= 0, found.slab_of, found.gallery_of)
    weights = (home > gallery).astype(np.float64)
    weights[(found.gallery_of == gallery) & (found.slab_of < 0)] = 0.5
    return weights - found.layering.images


def slid(structure: Structure, gallery: int, translation_A: Floats, found: Classification | None = None) -> Structure:
    """The structure with everything above a gallery moved by an in-plane translation (3,) A, cell tilted alike.

    Raises InputError where the translation leaves the layer plane by more than 1e-6 A.
    """
    translation = np.asarray(translation_A, dtype=np.float64)
    normal = np.cross(structure.cell[0], structure.cell[1])
    height = float(translation @ normal / np.linalg.norm(normal))
    if abs(height) > 1e-6:
        raise InputError(f"the translation rises {height:.3g} A out of the layer plane; it must lie in it.")
    weights = slide_weights(structure, gallery, found)
    cell = structure.cell.copy()
    cell[2] += translation
    return structure.moved_to(structure.positions + weights[:, None] * translation, cell)


def letter_vectors(structure_or_a: Structure | Classification | float, every: bool = False) -> Floats:
    """In-plane vectors from the present letter to the two neighbours, a/3 <10-10>, length a / sqrt(3), A.

    Row 0 belongs to g = +1 and row 1 to g = -1 of `Stack.glide` of the stack `classify` reads: sliding by
    it turns the stack into exactly that one. A lattice parameter a in A stands for the builder's own
    orientation (a1 along x). every: all three equivalent vectors of each, shape (2, 3, 3); else (2, 3).
    """
    if isinstance(structure_or_a, int | float | np.floating):
        if not structure_or_a > 0:
            raise InputError(f"a = {structure_or_a!r} A; a lattice parameter must be positive.")
        primitive = np.column_stack([structure_or_a * HEXAGONAL, np.zeros(2)])
    else:
        given = isinstance(structure_or_a, Classification)
        primitive = (structure_or_a if given else classify(structure_or_a)).primitive
    vectors = STEPS @ primitive
    return vectors if every else vectors[:, 0]


def _require_gallery(gallery: int, found: Classification) -> None:
    count = len(found.stack)
    if isinstance(gallery, bool) or not 0 <= gallery < count:
        raise InputError(f"gallery {gallery!r} does not exist; this structure has gallery 0 to {count - 1}.")
