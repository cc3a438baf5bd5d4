"""From which side a cell is drawn: phases beside one another on paper, atoms behind one another in columns."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.structure import Structure

STACKING = "height along the stacking direction (Å)"
ACROSS = "distance across the boundaries (Å)"
PLANE = "distance in the plane (Å)"
NORMAL = "height along the normal (Å)"
DEPTH = "distance (Å)"
PURE = 0.9
"""Share of atoms whose phase must follow from one coordinate for that axis to be the one the phases follow."""
BIN_A = 3.0
CUT_A = 5.0
"""Thickness of the cut through a cell whose phases follow no single axis, A."""
GRAIN_A = 0.5
"""Atoms nearer than this on paper count as one column, A."""
TILTS = (0.0, 3**-0.5, -(3**-0.5))
"""Ways across per depth of the directions to look along a boundary: straight, and 30 degrees to either side, where the
close-packed rows of cells lie whose boundaries run across the rows."""
CLEARER = 0.95
"""A further side is taken when it shows fewer columns than this times the first."""
SIDES = (
    ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    ((0, 1, 0), (1, 0, 0), (0, 0, 1)),
    ((1, 0, 0), (1, 2, 0), (0, 0, 1)),
    ((1, 0, 0), (-1, 2, 0), (0, 0, 1)),
)
"""Sides of a stack as (across, depth, along) in cell vectors; the last two look along close-packed rows of cells whose
own vectors do not run along them."""
ENDS = (((1, 0, 0), (0, 0, 1), (0, 1, 0)), ((0, 1, 0), (0, 0, 1), (1, 0, 0)))
"""Further sides of a cell without slabs: along its third vector."""


@dataclass(frozen=True, eq=False)
class Aspect:
    """A turned cell: third vector to the right, first up, seen along the second; what the axis and the panel say.

    index (m,) of its atoms in the structure; stacked: heights along the paper are heights along the stacking
    spans (start, end, phase) A along the paper where one phase fills all between; empty where it is not so
    tilt  how far one sees across per depth, to look along rows that are no cell vector
    """

    structure: Structure
    index: Integers
    label: str
    note: str = ""
    stacked: bool = False
    spans: tuple[tuple[float, float, str], ...] = ()
    tilt: float = 0.0


def aspects(structure: Structure, phases: Sequence[str]) -> list[Aspect]:
    """The sides to draw a cell from.

    One view across the stacking where phases follow the third vector (or there is one), one with the domains side by
    side where they follow an in-plane vector, and two cuts through the middle, from the side and from above, where
    they follow neither.
    """
    names = np.array(phases)
    pure = [_purity(structure, names, axis) for axis in range(3)]
    if len(set(phases)) == 1 or pure[2] >= PURE or _by_slab(structure, names):
        return [_stacked(structure, names)]
    best = int(np.argmax(pure[:2]))
    if pure[best] >= PURE:
        unit = np.eye(3, dtype=int)
        turned, index = seen(structure, unit[[2, 1 - best, best]])
        tilt = _tilt(turned)
        label = ACROSS if not tilt else f"{ACROSS}, seen along rows {np.degrees(np.arctan(abs(tilt))):.0f}° to them"
        return [Aspect(turned, index, label, "", False, spans(turned, names[index]), tilt)]
    side, top = _middle(structure, 1), _slab(structure)
    return [
        Aspect(structure.take(side), side, STACKING, "cut through the middle, seen from the side"),
        Aspect(seen(structure.take(top), [[0, 1, 0], [0, 0, 1], [1, 0, 0]])[0], top, PLANE, "one slab, from above"),
    ]


def _tilt(structure: Structure) -> float:
    """The direction of `TILTS` along which the fewest columns of atoms are seen."""
    depth, height, across = structure.positions[:, 1], structure.positions[:, 0], structure.positions[:, 2]
    places = [np.round(np.stack([height, across - tilt * depth], 1) / GRAIN_A) for tilt in TILTS]
    columns = [len(np.unique(place, axis=0)) for place in places]
    best = int(np.argmin(columns))
    return TILTS[best] if columns[best] < CLEARER * columns[0] else 0.0


def _stacked(structure: Structure, names: np.ndarray) -> Aspect:
    """The side of a stack, or of a cell without slabs, that shows the fewest columns of atoms."""
    slabs = bool((structure.layers >= 0).any())
    sides = SIDES if slabs or len(set(names)) > 1 else (*SIDES, *ENDS)
    views = [seen(structure, side) for side in sides]
    columns = [_columns(turned) for turned, _ in views]
    best = int(np.argmin(columns))
    best = best if columns[best] < CLEARER * columns[0] else 0
    turned, index = views[best]
    label = DEPTH if sides[best] in ENDS else STACKING if slabs else NORMAL
    return Aspect(turned, index, label, "", True, spans(turned, names[index]))


def seen(structure: Structure, sides: Sequence[Sequence[int]]) -> tuple[Structure, Integers]:
    """The crystal in the cell (across, depth, along), rows in its own cell vectors, and the atom each one is.

    The first vector lies along x, the normal of the first two along z.
    """
    rows = np.array(sides)
    shifts = _translations(rows)
    cell = rows @ structure.cell
    if np.linalg.det(cell) < 0:
        cell = cell * np.array([1.0, -1.0, 1.0])[:, None]
    x = cell[0] / np.linalg.norm(cell[0])
    z = np.cross(cell[0], cell[1])
    z = z / np.linalg.norm(z)
    turn = np.array([x, np.cross(z, x), z]).T
    positions = (structure.positions[None] + (shifts @ structure.cell)[:, None]).reshape(-1, 3)
    index = np.tile(np.arange(len(structure)), len(shifts))
    periodic = structure.periodic[np.argmax(np.abs(rows), axis=1)]
    return Structure(structure.numbers[index], positions @ turn, cell @ turn, periodic), index


def spans(structure: Structure, phases: Sequence[str]) -> tuple[tuple[float, float, str], ...]:
    """Stretches (start, end, phase) A along the normal of the first two vectors, one period; nothing for one phase.

    A stretch is of the phase that has the largest part of itself there, so that thin regions between large ones show.
    """
    names, phase = np.unique(phases, return_inverse=True)
    if len(names) < 2:
        return ()
    table = _table(structure, phase, 2)
    bins = len(table)
    filled = np.flatnonzero(table.any(axis=1))
    winners = (table / table.sum(axis=0)).argmax(axis=1)[
        filled[np.searchsorted(filled, np.arange(bins), side="right") - 1]
    ]
    step = _thickness(structure.cell, 2) / bins
    starts = [k for k in range(bins) if k == 0 or winners[k] != winners[k - 1]]
    ends = [*starts[1:], bins]
    return tuple((k * step, n * step, str(names[winners[k]])) for k, n in zip(starts, ends, strict=True))


def _translations(rows: Integers) -> Integers:
    """Shifts in cell vectors that fill the cell of these rows: as many as its determinant."""
    found: dict[tuple, tuple[int, ...]] = {}
    for shift in sorted(itertools.product(range(3), repeat=3)):
        place = np.round(np.array(shift) @ np.linalg.inv(rows), 6) % 1.0
        found.setdefault(tuple(np.round(place, 6) % 1.0), shift)
    return np.array(list(found.values()))


def _columns(structure: Structure) -> float:
    """Columns of atoms on paper per area of the face that is seen."""
    shear = structure.cell[1] / structure.cell[1, 1]
    flat = structure.positions - structure.positions[:, 1:2] * shear
    face = structure.cell[[0, 2]] - structure.cell[[0, 2], 1:2] * shear
    fractional = flat[:, [0, 2]] @ np.linalg.inv(face[:, [0, 2]])
    grid = np.maximum(np.round(np.linalg.norm(face, axis=1) / GRAIN_A), 1)
    place = np.round((fractional % 1.0) * grid) % grid
    return len(np.unique(place, axis=0)) / abs(np.linalg.det(face[:, [0, 2]]))


def _by_slab(structure: Structure, phases: np.ndarray) -> bool:
    """Whether there are slabs and every one has a single phase."""
    slabs = set(structure.layers.tolist()) - {-1}
    return bool(slabs) and all(len(set(phases[structure.layers == j])) == 1 for j in slabs)


def _purity(structure: Structure, phases: np.ndarray, axis: int) -> float:
    """Share of atoms that have the commonest phase of their bin along one cell vector."""
    _, phase = np.unique(phases, return_inverse=True)
    return float(_table(structure, phase, axis).max(axis=1).sum() / len(phase))


def _table(structure: Structure, phase: np.ndarray, axis: int) -> np.ndarray:
    """(bins, phases) atoms of each phase along one cell vector."""
    bins = max(2, round(_thickness(structure.cell, axis) / BIN_A))
    place = np.floor((structure.fractional[:, axis] % 1.0) * bins).astype(int) % bins
    table = np.zeros((bins, phase.max() + 1))
    np.add.at(table, (place, phase), 1)
    return table


def _middle(structure: Structure, axis: int) -> Integers:
    """Atoms near the plane halfway along one cell vector."""
    away = np.abs(structure.fractional[:, axis] % 1.0 - 0.5) * _thickness(structure.cell, axis)
    return np.flatnonzero(away <= 0.5 * CUT_A)


def _slab(structure: Structure) -> Integers:
    """Atoms of the slab nearest to half the height, or of as thick a cut where there are no slabs."""
    middle = structure.layers >= 0
    if not middle.any():
        return _middle(structure, 2)
    height = structure.fractional[:, 2] % 1.0
    nearest = structure.layers[middle][np.argmin(np.abs(height[middle] - 0.5))]
    return np.flatnonzero(structure.layers == nearest)


def _thickness(cell: Floats, axis: int) -> float:
    """Distance between the faces that one cell vector crosses, A."""
    return float(1.0 / np.linalg.norm(np.linalg.inv(cell)[:, axis]))
