"""Spinel and rock-salt read from coordinates: which galleries of a stack hold metals, and in what order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simkit.build.identify import Classification
from simkit.build.layering import ALKALI_NUMBERS, ANIONS
from simkit.kernels.pair_search import find_pairs
from simkit.structure import Structure

METALLIC = 0.2
"""A gallery with more non-alkali cations per site than this belongs to a spinel or rock-salt, not to a layered phase;
a mixed sheet holds 1/4 and more, exchanged metals of layered oxides rarely reach 1/10."""
APEX_A, ASIDE_A = 2.7, 0.8
"""An anion within 2.7 A of a tetrahedral cation lies straight above or below it, less than 0.8 A aside; the anions of
an octahedron lie a / sqrt(3), 1.6 A and more, aside."""
FULL, KAGOME = 0.875, 0.5
"""Filled octahedra per site above which a sheet is full, and above which it is a kagome sheet (3/4)."""


@dataclass(frozen=True, eq=False)
class Order:
    """Order of the metals of a stack.

    galleries  (N,) "spinel", "rock-salt" or "" for a layered gallery
    kind       (n,) "TM", "K", "M", "RS", "tet" for cations of slabs and of galleries with metals, "" for the rest
    """

    galleries: tuple[str, ...]
    kind: np.ndarray


def metal_order(structure: Structure, found: Classification) -> Order:
    """Spinel and rock-salt parts of a classified stack, relaxed or not.

    A gallery with metals is rock-salt where its octahedra are full, and spinel else, whether it is the kagome or
    the mixed sheet. Says nothing about whether the vacancies of kagome sheets are ordered.
    """
    layering, count = found.layering, len(found.stack)
    cation = ~np.isin(structure.numbers, ANIONS)
    octahedral = cation & _octahedral(structure, found)
    between = layering.gallery_of >= 0
    metal = between & ~np.isin(structure.numbers, ALKALI_NUMBERS)
    metals = np.bincount(layering.gallery_of[metal], minlength=count) / layering.sites
    inside = np.bincount(layering.gallery_of[between & octahedral], minlength=count) / layering.sites
    galleries = tuple(
        "" if m <= METALLIC else "rock-salt" if filled > FULL else "spinel"
        for m, filled in zip(metals, inside, strict=True)
    )
    in_slab = np.bincount(layering.slab_of[(layering.slab_of >= 0) & octahedral], minlength=count) / layering.sites
    kind = np.full(len(structure), "", dtype="<U8")
    for j, name in enumerate(galleries):
        if name:
            kind[octahedral & (layering.gallery_of == j)] = _sheet(inside[j], "RS")
            kind[cation & ~octahedral & (layering.gallery_of == j)] = "tet"
    for j in range(count):
        here, around = cation & (layering.slab_of == j), {galleries[j], galleries[j - 1]}
        if around == {""}:
            kind[here] = "TM"
            continue
        kind[here] = _sheet(in_slab[j], "RS" if "rock-salt" in around else "TM")
        kind[here & ~octahedral] = "tet"
    return Order(galleries, kind)


def _sheet(filled: float, full: str) -> str:
    return full if filled > FULL else "K" if filled > KAGOME else "M"


def _octahedral(structure: Structure, found: Classification) -> np.ndarray:
    """(n,) bool: atoms with no anion straight above or below; a tetrahedral cation has its apex there."""
    anions = np.flatnonzero(np.isin(structure.numbers, ANIONS))
    pairs = find_pairs(structure.positions, structure.positions[anions], structure.cell, APEX_A)
    vectors = structure.positions[anions[pairs.atom]] + pairs.shift @ structure.cell - structure.positions[pairs.point]
    normal = np.cross(*found.primitive)
    normal = normal / np.linalg.norm(normal)
    across = np.linalg.norm(vectors - np.outer(vectors @ normal, normal), axis=1)
    nearest = np.full(len(structure), np.inf)
    np.minimum.at(nearest, pairs.point, across)
    return nearest > ASIDE_A
