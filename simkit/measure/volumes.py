"""Periodic Voronoi volumes."""

from __future__ import annotations

import numpy as np
from scipy.spatial import QhullError, Voronoi

from simkit.arrays import Floats
from simkit.errors import InputError, SimkitError
from simkit.structure import Structure

_MARGIN_FACTOR = 2.6
_VOLUME_TOLERANCE = 1e-10


def voronoi_volumes(structure: Structure) -> Floats:
    """(n,) A^3, volume nearer to each atom than to any other, images included; they sum to the cell's volume.

    V_i = (1/3) sum over faces of (half the distance to the neighbour) x (area of the face). As many images are
    built as the largest cell needs: none further than twice its outer radius can touch it.

    Raises InputError for a structure that is not periodic in all three directions and for coinciding atoms,
    SimkitError where the volumes miss the cell's by more than 1e-10 of it. Atoms have no radii: all count alike.
    """
    if not structure.periodic.all():
        raise InputError("Voronoi volumes need a cell that is periodic in all three directions.")
    margin = _MARGIN_FACTOR * (structure.volume / len(structure)) ** (1 / 3)
    while True:
        points, count = _padded(structure, margin)
        diagram = _diagram(points)
        needed = 2.0 * _outer_radius(diagram, count)
        if needed <= margin:
            break
        margin = min(1.02 * needed, 2.0 * margin)
    volumes = _volumes(diagram, count)
    if volumes.min() <= 0:
        raise InputError(f"atom {int(np.argmin(volumes))} has no volume of its own: two atoms coincide.")
    error = abs(volumes.sum() / structure.volume - 1)
    if error > _VOLUME_TOLERANCE:
        raise SimkitError(f"the Voronoi volumes miss the cell's volume by {error:.1e} of it; please report the cell.")
    return volumes


def _diagram(points: Floats) -> Voronoi:
    try:
        return Voronoi(points)
    except QhullError as failure:
        raise SimkitError(f"no Voronoi diagram: {' '.join(str(failure).split())[:200]}") from failure


def _padded(structure: Structure, margin: float) -> tuple[Floats, int]:
    """The n atoms of the cell (wrapped), then all images within `margin` A of it; and n."""
    cell = structure.cell
    width = margin * np.linalg.norm(np.linalg.inv(cell), axis=0)
    fractional = structure.fractional - np.floor(structure.fractional)
    reach = np.ceil(width).astype(int)
    shifts = np.stack(np.meshgrid(*[np.arange(-r, r + 1) for r in reach], indexing="ij"), axis=-1).reshape(-1, 3)
    shifts = shifts[np.argsort(np.abs(shifts).sum(axis=1), kind="stable")]
    images = fractional[None, :, :] + shifts[:, None, :]
    inside = np.all((images >= -width) & (images <= 1 + width), axis=2)
    return images[inside] @ cell, len(structure)


def _outer_radius(diagram: Voronoi, count: int) -> float:
    """Largest distance from one of the first `count` points to a vertex of its cell; infinite for an open cell."""
    largest = 0.0
    for i in range(count):
        region = diagram.regions[diagram.point_region[i]]
        if not region or -1 in region:
            return np.inf
        spans = diagram.vertices[region] - diagram.points[i]
        largest = max(largest, float(np.einsum("ij,ij->i", spans, spans).max()))
    return np.sqrt(largest)


def _volumes(diagram: Voronoi, count: int) -> Floats:
    """(count,) A^3 from the faces that border the first `count` points."""
    pairs = diagram.ridge_points
    wanted = np.flatnonzero((pairs < count).any(axis=1))
    faces = [diagram.ridge_vertices[k] for k in wanted]
    sizes = np.array([len(face) for face in faces])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    here = np.concatenate(faces)
    there = np.concatenate([face[1:] + face[:1] for face in faces])
    first = np.repeat(diagram.vertices[here[starts]], sizes, axis=0)
    cross = np.cross(diagram.vertices[here] - first, diagram.vertices[there] - first)
    areas = 0.5 * np.linalg.norm(np.add.reduceat(cross, starts, axis=0), axis=1)
    ends = pairs[wanted]
    heights = 0.5 * np.linalg.norm(diagram.points[ends[:, 0]] - diagram.points[ends[:, 1]], axis=1)
    volumes = np.zeros(len(diagram.points))
    for side in (0, 1):
        np.add.at(volumes, ends[:, side], areas * heights / 3.0)
    return volumes[:count]
