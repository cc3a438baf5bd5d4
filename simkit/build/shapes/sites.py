"""The table of all sites of a stack: anions, octahedra sheet by sheet, tetrahedra, before anyone decorates them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.geometry import Frame, gallery_sites
from simkit.build.plane import supercell
from simkit.build.shapes.oxygen_lattice import octahedron_integers
from simkit.build.shapes.shape import Where

ANION, METAL, ION, TETRAHEDRON = range(4)
"""Sorts of site: anion, octahedron of a slab, cation site of a gallery, tetrahedron."""


@dataclass(frozen=True, eq=False)
class SiteTable:
    """Sites of a stack.

    positions (m, 3) A; sort (m,) of the constants above; sheet (m,) height in cation sheets (`Where.sheet`), for a
    tetrahedron that of the octahedron it stands on or hangs from, plus or minus 3/4; kind (m,) "O", "TM", "tet" or
    the kind of `gallery_sites`; octahedron (m, 3) integers (sheet, i, j), of the octahedron itself or of the one a
    tetrahedron stands on or hangs from (zero where no tetrahedra were asked for)
    """

    positions: Floats
    sort: Integers
    sheet: Floats
    kind: np.ndarray
    octahedron: Integers

    def __len__(self) -> int:
        return len(self.sort)

    def take(self, which: np.ndarray) -> SiteTable:
        """The sites `which`, in that order."""
        return SiteTable(*(getattr(self, name)[which] for name in self.__dataclass_fields__))

    def moved_to(self, positions: Floats) -> SiteTable:
        """The same sites elsewhere."""
        return replace(self, positions=positions)

    def where(self, frame: Frame) -> Where:
        """The sites as shapes see them."""
        _, primitive = supercell(frame.matrix, frame.a_A)
        return Where(self.positions, self.sheet, frame.cell, len(frame.stack), primitive)


def site_table(frame: Frame, tetrahedra: bool = False) -> SiteTable:
    """All sites of a frame, slab by slab: lower anions, metals, upper anions, sites of the gallery above.

    tetrahedra  whether to add the two tetrahedra of every octahedron (needs O3 throughout); they come last
    """
    parts = []
    for j in range(len(frame.stack)):
        lower, metal, upper = frame.slab(j)
        parts += [(lower, ANION, 2 * j - 0.5, "O"), (metal, METAL, 2 * j, "TM"), (upper, ANION, 2 * j + 0.5, "O")]
        height = frame.gallery_height_A(j)
        parts += [(frame.layer(n, height), ION, 2 * j + 1, kind) for n, kind in gallery_sites(frame.stack, j)]
    sizes = [len(points) for points, *_ in parts]
    table = SiteTable(
        np.concatenate([points for points, *_ in parts]),
        np.repeat([sort for _, sort, _, _ in parts], sizes),
        np.repeat([float(sheet) for *_, sheet, _ in parts], sizes),
        np.repeat([kind for *_, kind in parts], sizes),
        np.zeros((sum(sizes), 3), dtype=np.int64),
    )
    return _with_tetrahedra(table, frame) if tetrahedra else table


def at_heights(table: SiteTable, frame: Frame, slab_A: Floats) -> Floats:
    """(m, 3) A positions with the slab locally slab_A (m,) thick; metals and gallery sites keep their height.

    What a slab gains its two galleries lose. Tetrahedra stand equally far from their four anions.
    """
    positions = table.positions.copy()
    anion, tet = table.sort == ANION, table.sort == TETRAHEDRON
    slab = np.rint(table.sheet / 2).astype(np.int64)
    side = np.sign(table.sheet - 2 * slab)
    centre = (frame.bottoms_A + 0.5 * frame.slabs_A)[slab % len(frame.stack)]
    positions[anion, 2] = (centre + 0.5 * side * slab_A)[anion]
    base = table.octahedron[:, 0]
    pitch = frame.height_A / len(frame.stack)
    own = np.where(base % 2 == 0, slab_A, pitch - slab_A)
    rise = 0.5 * own + circumcentre_A(pitch - own, frame.a_A)
    level = frame.bottoms_A[0] + 0.5 * (frame.slabs_A[0] + pitch * base)
    positions[tet, 2] = (level + np.sign(table.sheet - base) * rise)[tet]
    return positions


def circumcentre_A(height_A: Floats, a_A: float) -> Floats:
    """Height above its base of the point equally far from the four anions of a tetrahedron of height h, A.

    (h^2 - a^2 / 3) / (2 h), a quarter of h in ideal close packing.
    """
    return (height_A**2 - a_A**2 / 3.0) / (2.0 * height_A)


def _with_tetrahedra(table: SiteTable, frame: Frame) -> SiteTable:
    base = np.flatnonzero(np.isin(table.sort, (METAL, ION)))
    _, primitive = supercell(frame.matrix, frame.a_A)
    sheet = table.sheet[base].astype(np.int64)
    identity = table.octahedron.copy()
    identity[base] = octahedron_integers(frame.stack, sheet, table.positions[base, :2], primitive)
    table = replace(table, octahedron=identity)
    sort, kind = np.full(len(base), TETRAHEDRON), np.full(len(base), "tet")
    grown = replace(table.take(base), sort=sort, kind=kind)
    parts = [table, replace(grown, sheet=sheet + 0.75), replace(grown, sheet=sheet - 0.75)]
    names = SiteTable.__dataclass_fields__
    whole = SiteTable(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
    return replace(whole, positions=at_heights(whole, frame, np.full(len(whole), frame.slabs_A[0])))
