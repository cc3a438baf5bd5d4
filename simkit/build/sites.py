"""Alkali sites of the galleries: of built cells, and read from the coordinates of any layered structure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.geometry import gallery_sites
from simkit.build.identify import Classification, classify
from simkit.build.layering import ANIONS
from simkit.build.plane import place
from simkit.build.recognise import metal_order
from simkit.elements import SYMBOLS
from simkit.kernels.pair_search import find_pairs
from simkit.structure import Structure

ON_SITE_A = 0.9
"""An ion occupies the nearest site when it is closer than this in the layer plane (half of e-f is 0.83), A."""


@dataclass(frozen=True, eq=False)
class Sites:
    """All candidate alkali sites.

    positions (m, 3) A; gallery (m,); kind (m,) "e", "f", "ef", "fe" or "oct"; atom (m,) index of the ion on
    it, or -1 where empty.
    """

    positions: Floats
    gallery: Integers
    kind: np.ndarray
    atom: Integers

    def __len__(self) -> int:
        return len(self.gallery)


def site_tag(kind: str, alkali: str) -> str:
    """The "site" tag of an ion: "oct", or "Na_e", "Na_f", "Na_ef", "Na_fe"."""
    return kind if kind == "oct" else f"{alkali}_{kind}"


def candidate_sites(structure: Structure, found: Classification | None = None) -> Sites:
    """Alkali sites of every gallery of a layered structure, relaxed or not, with what occupies them.

    Each site is put at the centre of its three nearest anions below and three above. Tetrahedral sites are
    not listed, nor those of galleries that hold metals; an ion far from every site occupies none. Raises
    InputError where the structure is not layered.
    """
    found = found or classify(structure)
    cells = _cells(structure, found)
    order = metal_order(structure, found)
    layered = [j for j, name in enumerate(order.galleries) if not name]
    if not layered:
        nothing = np.zeros(0, dtype=np.int64)
        return Sites(np.zeros((0, 3)), nothing, np.zeros(0, dtype="<U3"), nothing)
    parts = [_gallery(found, j, cells) for j in layered]
    positions = np.concatenate([p for p, _ in parts])
    gallery = np.concatenate([np.full(len(p), j) for j, (p, _) in zip(layered, parts, strict=True)])
    kind = np.concatenate([k for _, k in parts])
    positions = _centred(positions, gallery, structure, found)
    return Sites(positions, gallery, kind, _occupants(positions, gallery, structure, found))


def label(structure: Structure) -> Structure:
    """A foreign layered structure with layers and the tags gallery, phase, site and block.

    Phases are gallery names (O2u and O2l both "O2"), or "spinel" and "rock-salt" where a gallery holds metals
    (`metal_order`); a slab carries the name of the gallery above it, or that of a gallery with metals below it;
    blocks are runs of equal galleries. Raises InputError where the structure is not layered.
    """
    found = classify(structure)
    sites = candidate_sites(structure, found)
    order = metal_order(structure, found)
    names = [name or gap for name, gap in zip(order.galleries, phase_names(found.stack.gaps()), strict=True)]
    blocks = _runs(names)
    owner = [j if name or not order.galleries[j - 1] else j - 1 for j, name in enumerate(order.galleries)]
    home = np.where(found.slab_of >= 0, np.array(owner)[found.slab_of], found.gallery_of)
    kind = np.full(len(structure), "other", dtype="<U8")
    filled = sites.atom >= 0
    kind[sites.atom[filled]] = [
        site_tag(str(k), SYMBOLS[structure.numbers[i]])
        for k, i in zip(sites.kind[filled], sites.atom[filled], strict=True)
    ]
    kind[order.kind != ""] = order.kind[order.kind != ""]
    kind[(found.slab_of >= 0) & np.isin(structure.numbers, ANIONS)] = "O"
    tagged = structure.with_tags(
        gallery=found.gallery_of, phase=np.array(names)[home], site=kind, block=np.array(blocks)[home]
    )
    return tagged.with_layers(found.slab_of)


def phase_names(gaps: Sequence[str]) -> list[str]:
    """Gap names with both directions of O2 written "O2"."""
    return ["O2" if name.startswith("O2") else name for name in gaps]


def _runs(names: list[str]) -> list[int]:
    changes = [int(a != b) for a, b in zip(names[1:], names[:-1], strict=True)]
    runs = np.concatenate([[0], np.cumsum(changes)]).astype(int)
    if names[0] == names[-1]:
        runs[runs == runs[-1]] = 0
    return runs.tolist()


def _cells(structure: Structure, found: Classification) -> Floats:
    """(cells, 3) vectors to the primitive cells of one layer."""
    plane = structure.cell[:2]
    matrix = np.round(plane @ np.linalg.pinv(found.primitive)).astype(int)
    reach = np.abs(matrix).sum(axis=0) + 1
    grid = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), -1).reshape(-1, 2)
    scaled = grid @ np.array([[matrix[1, 1], -matrix[0, 1]], [-matrix[1, 0], matrix[0, 0]]])
    inside = np.all((scaled >= 0) & (scaled < found.layering.sites), axis=1)
    return grid[inside] @ (np.linalg.inv(matrix.astype(float)) @ plane)


def _gallery(found: Classification, j: int, cells: Floats) -> tuple[Floats, np.ndarray]:
    """Ideal positions and kinds of gallery j, from the origin that slab j sees."""
    normal = np.cross(*found.primitive)
    normal = normal / np.linalg.norm(normal)
    height = found.layering.heights_A[j, 2] + 0.5 * found.gallery_heights_A[j]
    letters = gallery_sites(found.stack, j)
    start = [found.origins_A[j] + place(n) @ found.primitive + height * normal for n, _ in letters]
    kinds = np.repeat([kind for _, kind in letters], len(cells))
    return np.concatenate([s + cells for s in start]), kinds


def _centred(positions: Floats, gallery: Integers, structure: Structure, found: Classification) -> Floats:
    """Each site moved to the centre of its three nearest anions of the slab below and of the slab above."""
    anions = np.flatnonzero(found.layering.level != 1)
    anions = anions[found.slab_of[anions] >= 0]
    pairs = find_pairs(positions, structure.positions[anions], structure.cell, 4.5)
    atom = anions[pairs.atom]
    level, slab, own = found.layering.level[atom], found.slab_of[atom], gallery[pairs.point]
    count = len(found.stack)
    result = np.zeros_like(positions)
    for side, wanted in ((2, own), (0, (own + 1) % count)):
        near = pairs.take((level == side) & (slab == wanted))
        order = np.lexsort((near.distance, near.point))
        rank = np.arange(len(order)) - np.searchsorted(near.point[order], near.point[order])
        near = near.take(order[rank < 3])
        vectors = structure.positions[anions[near.atom]] + near.shift @ structure.cell - positions[near.point]
        np.add.at(result, near.point, vectors / 6.0)
    return positions + result


def _occupants(positions: Floats, gallery: Integers, structure: Structure, found: Classification) -> Integers:
    ions = np.flatnonzero(found.gallery_of >= 0)
    atom = np.full(len(positions), -1)
    if len(ions) == 0:
        return atom
    pairs = find_pairs(structure.positions[ions], positions, structure.cell, 2.0)
    vectors = positions[pairs.atom] + pairs.shift @ structure.cell - structure.positions[ions[pairs.point]]
    normal = np.cross(*found.primitive)
    normal = normal / np.linalg.norm(normal)
    across = np.linalg.norm(vectors - np.outer(vectors @ normal, normal), axis=1)
    good = (across < ON_SITE_A) & (gallery[pairs.atom] == found.gallery_of[ions[pairs.point]])
    for k in np.argsort(across, kind="stable")[: len(across)]:
        site, ion = pairs.atom[k], ions[pairs.point[k]]
        if good[k] and atom[site] < 0 and ion not in atom[atom >= 0]:
            atom[site] = ion
    return atom
