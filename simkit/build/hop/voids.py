"""Voids between anions: vertices of their Voronoi cells where an ion may sit or pass."""

from __future__ import annotations

import numpy as np
from scipy.spatial import Voronoi

from simkit.arrays import Floats
from simkit.build.layering import ANIONS
from simkit.kernels.pair_search import find_pairs
from simkit.structure import Structure

ROOM_A = (1.6, 3.2)
"""Distance of a void from its nearest anions: below it no ion fits, above it lies vacuum, A."""
SHELL_A = 0.5
"""Anions this much farther than the nearest one still surround the void, A."""
METAL_A = 1.9
"""A void nearer than this to a host cation is the cation's own site or shares a face with it (1.8 A), A."""
MERGE_A = 0.8
"""Voids nearer than this to one another are one (an octahedron and its tetrahedra are 1.7 A apart), A."""
PAD_A = 7.0
"""Periodic images this far outside the cell take part: two times the largest void and a margin, A."""
ACROSS = -0.94
"""Two anions on opposite sides of an octahedron: cosine of 160 degrees, with room for distortion."""

TETRAHEDRON = 4
"""A void needs this many anions around it; that of a tetrahedron is its Voronoi vertex, equally far from all four."""


def voids(structure: Structure, mobile: np.ndarray) -> tuple[Floats, np.ndarray]:
    """(k, 3) A places inside polyhedra of anions, and (k,) kind: "tet", "oct", "prism" or "cn5", "cn8" ...

    mobile (n,) marks atoms that count as absent: those of the moving element. Each place is a Voronoi vertex of the
    anions where four surround it, else the mean of those around it. Where there are no anions there are no voids.
    """
    anions = structure.positions[np.isin(structure.numbers, ANIONS)]
    nothing = np.zeros((0, 3)), np.zeros(0, dtype="<U5")
    if len(anions) == 0:
        return nothing
    points = _vertices(anions, structure.cell)
    points = _merged(points, _room(points, anions, structure.cell), structure.cell)
    if len(points) == 0:
        return nothing
    points, _ = _surrounded(points, anions, structure.cell)
    points = _merged(points, _room(points, anions, structure.cell), structure.cell)
    host = ~mobile & ~np.isin(structure.numbers, ANIONS)
    if host.any() and len(points):
        near = find_pairs(points, structure.positions[host], structure.cell, METAL_A).point
        points = np.delete(points, np.unique(near), axis=0)
    if len(points) == 0:
        return nothing
    _, kinds = _surrounded(points, anions, structure.cell)
    closed = ~np.isin(kinds, [f"cn{n}" for n in range(TETRAHEDRON)])
    return points[closed], kinds[closed]


def coordination_kinds(points: Floats, structure: Structure) -> np.ndarray:
    """(k,) kind of the polyhedron of anions around each point (k, 3) A, as for `voids`; "cn0" without anions."""
    anions = structure.positions[np.isin(structure.numbers, ANIONS)]
    if len(anions) == 0 or len(points) == 0:
        return np.full(len(points), "cn0")
    return _surrounded(points, anions, structure.cell)[1]


def _vertices(anions: Floats, cell: Floats) -> Floats:
    """Voronoi vertices of a periodic set of points, once each, A."""
    inverse = np.linalg.inv(cell)
    margin = PAD_A * np.linalg.norm(inverse, axis=0)
    home = anions @ inverse
    home -= np.floor(home)
    reach = np.ceil(margin).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), -1).reshape(-1, 3)
    padded = (home[None] + grid[:, None]).reshape(-1, 3)
    padded = padded[np.all((padded > -margin) & (padded < 1 + margin), axis=1)]
    corners = Voronoi(padded @ cell).vertices @ inverse
    slack = 1e-6
    return corners[np.all((corners > -slack) & (corners < 1 + slack), axis=1)] @ cell


def _room(points: Floats, anions: Floats, cell: Floats) -> Floats:
    """Distance of each point from its nearest anion, infinite beyond the largest void, A."""
    pairs = find_pairs(points, anions, cell, ROOM_A[1])
    room = np.full(len(points), np.inf)
    np.minimum.at(room, pairs.point, pairs.distance)
    return room


def _merged(points: Floats, room: Floats, cell: Floats) -> Floats:
    """Of points nearer than `MERGE_A` the roomiest, ties by place; those without the right room left out."""
    right = np.isfinite(room) & (room > ROOM_A[0])
    points, room = points[right], room[right]
    home = points @ np.linalg.inv(cell)
    home -= np.floor(home + 1e-6)
    order = np.lexsort((*np.round(home, 5).T[::-1], -np.round(room, 3)))
    points = home[order] @ cell
    pairs = find_pairs(points, points, cell, MERGE_A)
    starts = np.searchsorted(pairs.point, np.arange(len(points) + 1))
    free, kept = np.ones(len(points), dtype=bool), []
    for i in range(len(points)):
        if free[i]:
            kept.append(i)
            free[pairs.atom[starts[i] : starts[i + 1]]] = False
    return points[kept]


def _surrounded(points: Floats, anions: Floats, cell: Floats) -> tuple[Floats, np.ndarray]:
    """Mean place of the anions around each point, and the kind of their polyhedron."""
    pairs = find_pairs(points, anions, cell, ROOM_A[1] + SHELL_A)
    room = np.full(len(points), np.inf)
    np.minimum.at(room, pairs.point, pairs.distance)
    pairs = pairs.take(pairs.distance < room[pairs.point] + SHELL_A)
    vectors = anions[pairs.atom] + pairs.shift @ cell - points[pairs.point]
    starts = np.searchsorted(pairs.point, np.arange(len(points) + 1))
    centres, kinds = points.copy(), []
    for i in range(len(points)):
        mine = vectors[starts[i] : starts[i + 1]]
        if len(mine) > TETRAHEDRON:
            centres[i] += mine.mean(axis=0)
        kinds.append(_kind(mine))
    return centres, np.array(kinds, dtype="<U5")


def _kind(vectors: Floats) -> str:
    if len(vectors) == TETRAHEDRON:
        return "tet"
    if len(vectors) != 6:
        return f"cn{len(vectors)}"
    unit = vectors / np.linalg.norm(vectors, axis=1)[:, None]
    return "oct" if ((unit @ unit.T) < ACROSS).any() else "prism"
