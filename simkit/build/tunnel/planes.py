"""Common cells of planes of any two crystals, by comparing all their supercells up to an area."""

from __future__ import annotations

import importlib
import itertools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.arguments import require_kind, require_list, require_number, require_whole
from simkit.build.tunnel.slice import plane_basis
from simkit.errors import InputError, nearest
from simkit.structure import check_cell

Plane = tuple[int, int, int]
Matrix = tuple[tuple[int, int], tuple[int, int]]
METHODS = ("supercells", "zsl")
ZSL = "simkit.build.tunnel.zsl"
"""Module that wraps pymatgen's search, imported only where it is asked for."""
MOST_AREA_A2 = 5000.0
"""Largest common cell searched, A^2."""
MOST_INDEX = 12
"""Largest Miller index."""
TURNS = np.array(
    sorted(
        (m for m in itertools.product((-1, 0, 1), repeat=4) if m[0] * m[3] - m[1] * m[2] == 1),
        key=lambda m: m != (1, 0, 0, 1),
    )
)
"""Changes between reduced bases of nearly equal plane lattices, as rows (a, b, c, d) of determinant 1; none comes
first, so that of equally strained placements the unturned one is taken."""


@dataclass(frozen=True)
class PlaneMatch:
    """A common cell of two planes.

    plane_a, plane_b    Miller indices
    matrix_a, matrix_b  2 x 2 whole numbers in the primitive vectors of each plane (`plane_basis`), right-handed;
                        row k of one lies on row k of the other
    strain_percent      principal strains that take cell b onto cell a, larger size first
    area_A2             of cell a
    """

    plane_a: Plane
    plane_b: Plane
    matrix_a: Matrix
    matrix_b: Matrix
    strain_percent: tuple[float, float]
    area_A2: float

    def to_dict(self) -> dict:
        """JSON-able record."""
        return asdict(self)


@dataclass(frozen=True)
class MatchSearch:
    """Bounds: largest common cell, A^2, and largest principal strain, per cent. Raises InputError out of range."""

    max_area_A2: float = 150.0
    max_strain_percent: float = 4.0

    def __post_init__(self) -> None:
        for name, least, most in (("max_area_A2", 1.0, MOST_AREA_A2), ("max_strain_percent", 1e-6, 50.0)):
            object.__setattr__(self, name, require_number(name, getattr(self, name), least, most))


def match_table(
    a: Floats,
    b: Floats,
    planes_a: Sequence[Sequence[int]] = ((0, 0, 1),),
    planes_b: Sequence[Sequence[int]] = ((0, 0, 1),),
    search: MatchSearch | None = None,
    method: str = "supercells",
) -> list[PlaneMatch]:
    """Common cells of planes of two crystals, smallest area first, then smallest strain.

    a, b    (3, 3) A, cells in rows
    planes_a, planes_b  Miller indices, one triple or more each
    method  "supercells": the search described here; "zsl": pymatgen's ZSLGenerator, for comparison (it needs some
            ten seconds on the first call of a process, and finds no more)

    Every supercell of both planes up to the largest area (the idea of Zur and McGill, J. Appl. Phys. 55, 378, 1984)
    is reduced and compared. Of matches of the same planes with equal principal strains (0.01 per cent) the smallest
    is kept: the others are the same cell in other bases, or multiples. Mirrored placements are left out. A search,
    not a prediction: it says nothing about bonding across the interface. Raises InputError for cells that are
    singular, left-handed or no 3 x 3 numbers, planes that are no whole numbers, and unknown methods.
    """
    search = search or MatchSearch()
    require_kind("search", search, MatchSearch, "MatchSearch(max_area_A2=150)")
    if method not in METHODS:
        raise InputError(f"method = {method!r}; {nearest(str(method), METHODS)}")
    cells = _cell("a", a), _cell("b", b)
    pairs = list(itertools.product(require_planes("planes_a", planes_a), require_planes("planes_b", planes_b)))
    if method == "zsl":
        return importlib.import_module(ZSL).zsl_table(*cells, pairs, search)
    found = []
    for indices in pairs:
        flat = plane_vectors(indices[0], cells[0]), plane_vectors(indices[1], cells[1])
        found += _of_pair(indices, flat, search)
    return different(found)


def require_planes(name: str, planes: object) -> list[Plane]:
    """Miller indices as whole numbers. Raises InputError unless there is at least one triple."""
    rows = require_list(name, planes, Sequence | np.ndarray, "[(0, 0, 1)]")
    if not rows:
        raise InputError(f"{name} holds no plane; give at least one, as [(0, 0, 1)].")
    return [require_plane(f"{name}[{k}]", row) for k, row in enumerate(rows)]


def require_plane(name: str, plane: object) -> Plane:
    """Miller indices as whole numbers. Raises InputError unless they are three, not all 0, up to `MOST_INDEX`."""
    numbers = require_list(name, plane, object, "(0, 0, 1)")
    if len(numbers) != 3:
        raise InputError(f"{name} has {len(numbers)} indices; give three, as (0, 0, 1).")
    indices = tuple(require_whole(f"{name}[{k}]", n, -MOST_INDEX, MOST_INDEX) for k, n in enumerate(numbers))
    if math.gcd(*indices) != 1:
        raise InputError(f"{name} = {indices}; give three indices without a common factor, as (1, 4, 0).")
    return indices


def _cell(name: str, cell: object) -> Floats:
    try:
        rows = np.array(cell, dtype=np.float64)
    except (TypeError, ValueError):
        rows = np.zeros(0)
    if rows.shape != (3, 3) or not np.isfinite(rows).all():
        raise InputError(f"cell {name} is {cell!r:.60}; give 3 x 3 lengths in A, the cell vectors in rows.")
    check_cell(rows)
    return rows


def plane_vectors(hkl: Sequence[int], cell: Floats) -> Floats:
    """(2, 2) A, the primitive vectors of a plane, the first along x, right-handed."""
    rows = plane_basis(hkl, np.asarray(cell, dtype=np.float64))[:2] @ cell
    length = np.linalg.norm(rows[0])
    across = np.linalg.norm(np.cross(rows[0], rows[1])) / length
    return np.array([[length, 0.0], [rows[0] @ rows[1] / length, across]])


def placed(indices: tuple[Plane, Plane], flat: tuple[Floats, Floats], pair: tuple[Integers, Integers]) -> PlaneMatch:
    """The match of two supercell matrices, with cell b in the basis that lies best on cell a."""
    ma, mb = (reduced(m[None], rows)[0] for m, rows in zip(pair, flat, strict=True))
    turned = TURNS.reshape(-1, 2, 2) @ mb
    strains = strains_between(turned @ flat[1], ma @ flat[0])
    k = int(np.argmin(np.round(np.abs(strains).max(axis=-1), 9)))
    matrices = (tuple(map(tuple, m.tolist())) for m in (ma, turned[k]))
    area = float(np.linalg.det(ma @ flat[0]))
    return PlaneMatch(*indices, *matrices, tuple(map(float, strains[k])), area)


def different(found: Sequence[PlaneMatch]) -> list[PlaneMatch]:
    """Sorted by area and strain, without the same strain twice for one pair of planes."""
    kept: dict[tuple, PlaneMatch] = {}
    for item in sorted(found, key=lambda m: (round(m.area_A2, 3), round(max(map(abs, m.strain_percent)), 4))):
        kept.setdefault((item.plane_a, item.plane_b, *np.round(item.strain_percent, 2).tolist()), item)
    return list(kept.values())


def strains_between(b: Floats, a: Floats) -> Floats:
    """(..., 2) principal strains, per cent, larger size first, of cells b (..., 2, 2) laid on a cell a (2, 2)."""
    gradient = np.linalg.inv(b) @ a
    xx, xy, yx, yy = (gradient[..., i, j] for i in (0, 1) for j in (0, 1))
    mean, half = 0.5 * np.hypot(xx + yy, xy - yx), 0.5 * np.hypot(xx - yy, xy + yx)
    strains = 100.0 * (np.stack([mean + half, mean - half], axis=-1) - 1.0)
    order = np.argsort(-np.abs(strains), axis=-1, kind="stable")
    return np.take_along_axis(strains, order, axis=-1)


def reduced(matrices: Integers, rows: Floats) -> Integers:
    """(m, 2, 2) right-handed bases of the same supercells with their two shortest vectors (Lagrange)."""
    m = np.round(np.asarray(matrices)).astype(np.int64)
    left = np.round(np.linalg.det(m)) < 0
    m[left, 1] *= -1
    for _ in range(64):
        u, v = m[:, 0] @ rows, m[:, 1] @ rows
        longer = (v**2).sum(axis=1) < (u**2).sum(axis=1) - 1e-9
        m[longer] = np.stack([m[longer, 1], -m[longer, 0]], axis=1)
        u, v = m[:, 0] @ rows, m[:, 1] @ rows
        step = np.round((u * v).sum(axis=1) / (u**2).sum(axis=1) - 1e-9).astype(np.int64)
        m[:, 1] -= step[:, None] * m[:, 0]
        if not longer.any() and not step.any():
            break
    return m


def _of_pair(indices: tuple[Plane, Plane], flat: tuple[Floats, Floats], search: MatchSearch) -> list[PlaneMatch]:
    tolerance = search.max_strain_percent / 100.0
    ma, mb = (_supercells(rows, search.max_area_A2 * (1.0 + 3.0 * tolerance)) for rows in flat)
    cells_b = mb @ flat[1]
    areas_b = np.linalg.det(cells_b)
    lengths_b = np.linalg.norm(cells_b, axis=2)
    found: dict[tuple[float, float], PlaneMatch] = {}
    for m in ma:
        cell = m @ flat[0]
        area, lengths = float(np.linalg.det(cell)), np.linalg.norm(cell, axis=1)
        near = np.abs(areas_b / area - 1.0) < 2.5 * tolerance
        near &= (np.abs(lengths_b / lengths - 1.0) < 1.5 * tolerance).all(axis=1)
        if area > search.max_area_A2 + 1e-9 or not near.any():
            continue
        tries = strains_between(TURNS.reshape(-1, 1, 2, 2) @ cells_b[near], cell)
        best = np.argmin(np.round(np.abs(tries).max(axis=2), 9), axis=0)
        strains = tries[best, np.arange(len(best))]
        for k in np.flatnonzero(np.abs(strains).max(axis=1) <= search.max_strain_percent):
            key = tuple(np.round(strains[k], 2).tolist())
            if key not in found:
                found[key] = placed(indices, flat, (m, mb[near][k]))
    return list(found.values())


def _supercells(rows: Floats, area_A2: float) -> Integers:
    """(m, 2, 2) the supercells up to an area, reduced, smallest first: one of each shape."""
    most = int(area_A2 / float(np.linalg.det(rows)) + 1e-9)
    sizes = [(i, n // i) for n in range(1, most + 1) for i in range(1, n + 1) if n % i == 0]
    forms = [((i, j), (0, k)) for i, k in sizes for j in range(k)]
    if not forms:
        return np.zeros((0, 2, 2), dtype=np.int64)
    cells = reduced(np.array(forms), rows)
    vectors = cells @ rows
    metric = np.round(np.einsum("mik,mjk->mij", vectors, vectors).reshape(-1, 4), 5)
    _, first = np.unique(metric, axis=0, return_index=True)
    return cells[np.sort(first)]
