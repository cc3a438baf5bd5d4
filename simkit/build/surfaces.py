"""Free surfaces: empty space across a cell, where nothing can glide and stress has no volume."""

from __future__ import annotations

import numpy as np

from simkit.errors import InputError
from simkit.structure import Structure

EMPTY_A = 6.0
"""Widest empty layer of a crystal, A: galleries without ions, anion to anion, stay below it."""


def free_surface(structure: Structure) -> tuple[int, float] | None:
    """The cell vector across which there is an empty layer of more than `EMPTY_A`, and its width, A; None: filled.

    Layers between planes of atoms across one cell vector: it finds slabs and blocks in vacuum, not voids inside.
    """
    heights = 1.0 / np.linalg.norm(np.linalg.inv(structure.cell), axis=0)
    for axis in (2, 0, 1):
        places = np.sort(structure.fractional[:, axis] % 1.0)
        width = float(np.diff(np.append(places, places[0] + 1.0)).max() * heights[axis])
        if width > EMPTY_A:
            return axis, width
    return None


def require_filled(structure: Structure, what: str) -> None:
    """Raise InputError where a structure has free surfaces or is not periodic in all three directions."""
    if not structure.periodic.all():
        raise InputError(
            f"{what}: the structure is periodic along {int(structure.periodic.sum())} of its 3 cell vectors; a crystal "
            "without free surfaces is needed: set periodic to true for all, with a cell that it fills."
        )
    found = free_surface(structure)
    if found is not None:
        axis, width = found
        raise InputError(
            f"{what}: there is an empty layer of {width:.1f} A across cell vector {axis + 1}, so the structure has "
            f"free surfaces (at most {EMPTY_A:g} A is a crystal); take the vacuum out of the cell."
        )
