"""Moving one slab alone: its two galleries change at once, and what its ions may do meanwhile."""

from __future__ import annotations

import numpy as np

from simkit.arrays import Floats
from simkit.build.identify import Classification, classify
from simkit.errors import InputError
from simkit.structure import Structure


def slab_weights(
    structure: Structure, slab: int, ions: float | tuple[float, float] = 0.5, found: Classification | None = None
) -> Floats:
    """(n,) share of a translation that each atom takes when one slab glides between its neighbours.

    1 for the slab's atoms, `ions` for those of the two galleries beside it (0: they stay, 1: they go along; a pair
    for the gallery below and the one above), 0 for the rest; the cell stays. Raises InputError for a slab that does
    not exist, and for a stack of one slab, whose glide would move its own image along.
    """
    found = found or classify(structure)
    count = len(found.stack)
    if isinstance(slab, bool) or slab not in range(count):
        raise InputError(f"slab {slab!r} does not exist; this structure has slabs 0 to {count - 1}.")
    if count < 2:
        raise InputError("a cell of one slab has no slab to glide alone: its images go along; repeat it along c.")
    weights = np.where(found.slab_of == slab, 1.0, 0.0)
    shares = ions if isinstance(ions, tuple) else (ions, ions)
    for gallery, share in zip(((slab - 1) % count, slab), shares, strict=True):
        weights[(found.slab_of < 0) & (found.gallery_of == gallery)] = share
    return weights


def distinct_slabs(found: Classification) -> list[int]:
    """One slab of each pair of galleries below and above, as far from any slab of another kind as there is."""
    gaps = found.stack.gaps()
    count = len(gaps)
    pairs = [(gaps[j - 1], gaps[j]) for j in range(count)]

    def distance(slab: int) -> int:
        others = [min((slab - j) % count, (j - slab) % count) for j in range(count) if pairs[j] != pairs[slab]]
        return min(others, default=count)

    return [max((j for j in range(count) if pairs[j] == pair), key=distance) for pair in dict.fromkeys(pairs)]
