"""From a stack and heights to layers of points: the ideal geometry every builder shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.heights import Heights
from simkit.build.plane import LETTER, area, lattice_points, place, repeat_matrix, supercell
from simkit.build.stacking import PRISMATIC, RULES, Stack
from simkit.elements import atomic_number
from simkit.errors import InputError
from simkit.structure import Structure


@dataclass(frozen=True, eq=False)
class Frame:
    """The ideal cell of a stack.

    stack, matrix (2, 2) integer repeats, a_A in-plane parameter, slabs_A (N,) thicknesses,
    galleries_A (N,) heights. The cell boundary lies in the middle of gallery N - 1.
    ratio  of the centred rectangular in-plane cell, leans (N,) in-plane displacement per height, along its long
           side, of each slab and the gallery above it (`Heights`); 1 and None: hexagonal and upright
    """

    stack: Stack
    matrix: Integers
    a_A: float
    slabs_A: Floats
    galleries_A: Floats
    ratio: float = 1.0
    leans: Floats | None = None

    @property
    def cells(self) -> int:
        """Primitive cells per layer."""
        return area(self.matrix)

    @property
    def height_A(self) -> float:
        """Cell height, A."""
        return float(self.slabs_A.sum() + self.galleries_A.sum())

    @property
    def bottoms_A(self) -> Floats:
        """(N,) height of each slab's lower oxygen layer."""
        below = np.cumsum(self.slabs_A + self.galleries_A) - (self.slabs_A + self.galleries_A)
        return below + 0.5 * self.galleries_A[-1]

    @property
    def cell(self) -> Floats:
        """(3, 3) cell vectors, A; the third carries the shear, folded to -1, 0 or 1 letters."""
        plane, primitive = supercell(self.matrix, self.a_A, self.ratio)
        shear = self.stack.shear - 3 * (self.stack.shear > 1.5)
        cell = np.zeros((3, 3))
        cell[:2, :2] = plane
        cell[2, :2] = shear * LETTER @ primitive + self._lean(primitive, self.height_A)
        cell[2, 2] = self.height_A
        return cell

    @cached_property
    def _lattice(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Supercell and primitive rows, inverse repeats and fractional lattice points of a layer."""
        inverse = np.linalg.inv(self.matrix)
        return *supercell(self.matrix, self.a_A, self.ratio), inverse, lattice_points(self.matrix) @ inverse

    def layer(self, letter: float | Sequence[float], height_A: float) -> Floats:
        """(cells, 3) points of one layer of this letter, or primitive fractional position, at this height, A."""
        plane, primitive, inverse, fractional = self._lattice
        start = place(letter % 3 if np.ndim(letter) == 0 else letter)
        points = (fractional + start @ inverse) % 1.0
        points[np.abs(points - 1.0) < 1e-9] = 0.0
        flat = points @ plane + self._lean(primitive, height_A)
        return np.column_stack([flat, np.full(len(points), height_A)])

    def _lean(self, primitive: Floats, height_A: float) -> Floats:
        """(2,) in-plane displacement of everything at a height, A."""
        if self.leans is None or not np.any(self.leans):
            return np.zeros(2)
        long = primitive[0] + 2.0 * primitive[1]
        edges = np.concatenate([[0.0], self.bottoms_A, [self.height_A]])
        slopes = np.concatenate([self.leans[-1:], self.leans])
        rise = np.concatenate([[0.0], np.cumsum(np.diff(edges) * slopes)])
        return np.interp(height_A, edges, rise) * long / np.linalg.norm(long)

    def slab(self, j: int) -> tuple[Floats, Floats, Floats]:
        """Points of the lower oxygen, metal and upper oxygen layer of slab j."""
        slab, bottom, thickness = self.stack.slabs[j], self.bottoms_A[j], self.slabs_A[j]
        return (
            self.layer(slab.lower, bottom),
            self.layer(slab.z, bottom + 0.5 * thickness),
            self.layer(slab.upper, bottom + thickness),
        )

    def gallery_height_A(self, j: int) -> float:
        """Height of the middle of gallery j, A."""
        return float(self.bottoms_A[j] + self.slabs_A[j] + 0.5 * self.galleries_A[j])


def frame_of(stack: Stack, heights: Heights, repeats: Sequence = (1, 1)) -> Frame:
    """Frame of a stack all of whose layers take their heights from one record."""
    galleries = np.array([heights.gallery_A(kind) for kind in stack.gaps()])
    slabs, leans = np.full(len(stack), heights.slab_A), heights.lean * np.array([slab.s for slab in stack.slabs])
    return Frame(stack, repeat_matrix(repeats), heights.a_A, slabs, galleries, heights.ratio, leans)


def gallery_sites(stack: Stack, j: int) -> tuple[tuple[float | tuple[float, float], str], ...]:
    """Letters (or primitive fractional positions) and kinds of the alkali sites of gallery j.

    Prismatic galleries: the two letters that differ from the shared oxygen letter, kinds "e" and "f" in P2
    (edges or faces shared with both slabs), "ef" and "fe" in P3 (below, above). Octahedral galleries: the
    third letter, kind "oct"; their tetrahedral sites are not listed. T2 galleries: the two distorted
    tetrahedra, between an edge of two oxygens below and one above, kinds "tl" and "tr" (mirror images a / 2
    apart), as positions. Raises InputError for a gallery half-way between two letters that is not T2.
    """
    below, above = stack.slabs[j % len(stack)], stack.above(j)
    gap, offset = stack.gap(j), below.upper % 1
    if gap == "T2":
        u, v = place(below.upper)
        return (((u, v + 0.5), "tl"), ((u + 0.5, v + 0.5), "tr"))
    if gap not in RULES:
        raise InputError(f"gallery {j} stands half-way between {gap.replace('/', ' and ')}: it has no known sites.")
    if gap not in PRISMATIC:
        return (((3 * offset - below.upper - above.lower) % 3, "oct"),)
    letters = [n + offset for n in range(3)]
    kinds = {n: _shared(n, below.z) + _shared(n, above.z) for n in letters if n != below.upper}
    short = {"ee": "e", "ff": "f"}
    return tuple(sorted(((n, short.get(k, k)) for n, k in kinds.items()), key=lambda site: site[1]))


def _shared(letter: float, metal: float) -> str:
    return "f" if letter == metal else "e"


def prototype(
    stack: Stack,
    heights: Heights,
    kinds: Sequence[str] = ("e", "ef", "oct", "tl"),
    metal: str = "Mn",
    alkali: str = "Na",
) -> Structure:
    """Ideal primitive cell of a stack with every site of the named kinds filled.

    kinds  of `gallery_sites`: "e", "f", "ef", "fe", "oct", "tl", "tr"; () leaves the galleries empty
    Meant for symmetry and geometry: filling "e" and "f" together puts ions 1.67 A apart, and nothing is
    checked here. Raises InputError for an unknown kind.
    """
    unknown = set(kinds) - {"e", "f", "ef", "fe", "oct", "tl", "tr"}
    if unknown:
        raise InputError(f"site kind {sorted(unknown)[0]!r} is unknown; use e, f, ef, fe, oct, tl or tr.")
    frame = frame_of(stack, heights)
    points, numbers, layers = [], [], []
    for j in range(len(stack)):
        points += list(frame.slab(j))
        numbers += [8, atomic_number(metal), 8]
        layers += [j, j, j]
        sites = [letter for letter, kind in gallery_sites(stack, j) if kind in kinds]
        points += [frame.layer(letter, frame.gallery_height_A(j)) for letter in sites]
        numbers += [atomic_number(alkali)] * len(sites)
        layers += [-1] * len(sites)
    return Structure(numbers, np.concatenate(points), frame.cell, layers=layers)
