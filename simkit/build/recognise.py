"""Spinel and rock-salt read from coordinates: which galleries of a stack hold metals, and in what order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.layering import ALKALI_NUMBERS, ANIONS, Layering
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
TOUCHING = 1.3
"""Metals of one gallery nearer than this times the in-plane lattice parameter are neighbours."""
CLUSTERED = 2.0
"""Mean number of metal neighbours in the gallery from which its metals form a sheet of their own: 6 in rock-salt, 4 in
kagome sheets, fewer at the rim of a domain; 0 in mixed sheets and 6 x for a few metals x exchanged at random."""
TRACE = 0.02
"""Metals, or tetrahedral cations, per site of a gallery below which none is spoken of."""
MIXED_ALKALI, MIXED_METALS = 0.25, 0.6
"""Octahedral alkali ions per octahedral cation of the slabs, and metals of the galleries over those of the slabs, from
which the layers are no slabs and galleries: 0 and 0 in layered phases, 1/2 and 1 where the layers cut through slabs."""


class Stacked(Protocol):
    """What is needed of a `Classification`: its layers and (2, 3) A, its primitive in-plane vectors."""

    @property
    def layering(self) -> Layering: ...

    @property
    def primitive(self) -> Floats: ...


@dataclass(frozen=True, eq=False)
class Order:
    """Order of the metals of a stack.

    galleries  (N,) "spinel", "rock-salt" or "" for a layered gallery
    kind       (n,) "TM", "K", "M", "RS", "tet" for cations of slabs and of galleries with metals, "" for the rest
    """

    galleries: tuple[str, ...]
    kind: np.ndarray


def decorations(structure: Structure, found: Stacked) -> tuple[tuple[str, float], ...]:
    """("spinel" or "rock-salt", share of the gallery) for every gallery, ("", 0.0) where it is layered throughout.

    A domain counts by its metals: 1 per site in rock-salt, 3/4 or 1/4 in the kagome and the mixed sheets of spinel.
    A gallery poor in metals is spinel where tetrahedral cations are in it or next to it, rock-salt where its metals
    are neighbours, and else layered with exchanged metals. One gallery shared by both kinds reads as one of them.
    """
    layering, count = found.layering, len(found.layering)
    metal = (layering.gallery_of >= 0) & ~np.isin(structure.numbers, (*ALKALI_NUMBERS, *ANIONS))
    if not metal.any():
        return (("", 0.0),) * count
    octahedral = _octahedral(structure, found)
    names = metal_order(structure, found).galleries
    lone = ~np.isin(structure.numbers, ANIONS) & ~octahedral
    inside = np.bincount(layering.gallery_of[lone & (layering.gallery_of >= 0)], minlength=count)
    slabs = np.bincount(layering.slab_of[lone & (layering.slab_of >= 0)], minlength=count)
    tetrahedra = (inside + slabs + np.roll(slabs, -1)) / layering.sites
    metals = np.bincount(layering.gallery_of[metal & octahedral], minlength=count)
    near = _neighbours(structure, found, np.flatnonzero(metal & octahedral)) / np.maximum(metals, 1)
    rows = zip(names, metals / layering.sites, near, tetrahedra, strict=True)
    return tuple(_decoration(*row) for row in rows)


def _decoration(name: str, metals: float, near: float, tetrahedra: float) -> tuple[str, float]:
    if not name and metals > TRACE:
        name = "spinel" if tetrahedra > TRACE else "rock-salt" if near >= CLUSTERED else ""
    if not name:
        return "", 0.0
    whole = 1.0 if name == "rock-salt" else 0.75 if near >= CLUSTERED else 0.25
    return name, min(1.0, float(metals) / whole)


def _neighbours(structure: Structure, found: Stacked, metals: Integers) -> Integers:
    """(N,) how many pairs of neighbouring metals each gallery holds, both directions counted."""
    points, home = structure.positions[metals], found.layering.gallery_of[metals]
    reach = TOUCHING * float(np.sqrt(np.linalg.norm(np.cross(*found.primitive)) / np.sqrt(0.75)))
    pairs = find_pairs(points, points, structure.cell, reach)
    same = (home[pairs.point] == home[pairs.atom]) & (pairs.distance > 0.1)
    return np.bincount(home[pairs.point[same]], minlength=len(found.layering))


def is_mixed(structure: Structure, found: Stacked) -> bool:
    """Whether metals and alkali ions share slabs and galleries alike, so that the third vector stacks no MO2 slabs.

    So it is where that vector crosses slabs (twins on other planes than the basal one) and in disordered rock-salt.
    """
    layering = found.layering
    alkali = np.isin(structure.numbers, ALKALI_NUMBERS)
    if not (alkali & (layering.slab_of >= 0)).any():
        return False
    cation = ~np.isin(structure.numbers, ANIONS) & _octahedral(structure, found)
    slab = cation & (layering.slab_of >= 0)
    metals = int((slab & ~alkali).sum())
    between = int((cation & ~alkali & (layering.gallery_of >= 0)).sum())
    return bool((slab & alkali).sum() > MIXED_ALKALI * slab.sum() and between > MIXED_METALS * metals)


def metal_order(structure: Structure, found: Stacked) -> Order:
    """Spinel and rock-salt parts of a classified stack, relaxed or not.

    A gallery with metals is rock-salt where its octahedra are full, and spinel else, whether it is the kagome or
    the mixed sheet. Says nothing about whether the vacancies of kagome sheets are ordered.
    """
    layering, count = found.layering, len(found.layering)
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


def _octahedral(structure: Structure, found: Stacked) -> np.ndarray:
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
