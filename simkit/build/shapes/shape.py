"""Shapes of domains: pure membership on a periodic cell, written as plain tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.arguments import is_number, require_kind, require_list, require_number, require_whole
from simkit.errors import InputError, nearest

LINES = {"zigzag": 0.0, "armchair": 30.0}
"""Angle to the nearest close-packed row <11-20>, degrees: zigzag runs along it, armchair across it."""
EDGE_A = 1e-6
"""A point this far outside still counts as inside, A."""


@dataclass(frozen=True, eq=False)
class Where:
    """Points of a cell as a shape sees them.

    positions (n, 3) A; sheet (n,) height in cation sheets: 2 j the metals of slab j, 2 j + 1 the middle of
    gallery j; cell (3, 3) A; slabs number of slabs; primitive (2, 2) A of the hexagonal lattice
    """

    positions: Floats
    sheet: Floats
    cell: Floats
    slabs: int
    primitive: Floats

    @property
    def fractional(self) -> Floats:
        """(n, 3) fractional coordinates."""
        return self.positions @ np.linalg.inv(self.cell)


@dataclass(frozen=True, eq=False)
class Membership:
    """depth_A (n,) A from the surface of a shape, positive inside; shift (n, 3) cells that bring each point to it."""

    depth_A: Floats
    shift: Integers

    @property
    def inside(self) -> np.ndarray:
        """(n,) bool."""
        return self.depth_A >= -EDGE_A


@dataclass(frozen=True)
class Everywhere:
    """The whole cell."""

    def extended(self, cell: Floats, primitive: Floats) -> tuple[bool, bool, bool]:
        """Whether the shape meets its own image along each cell vector."""
        return True, True, True

    def member(self, where: Where) -> Membership:
        """Depth (infinite) and no shift."""
        return Membership(np.full(len(where.positions), np.inf), _no_shift(where))


@dataclass(frozen=True)
class Layers:
    """A basal sandwich: slabs first to last with everything between them; unbounded in the plane.

    The galleries outside belong to the neighbours, so both faces are metal sheets of the sandwich.
    """

    first: int
    last: int

    def __post_init__(self) -> None:
        for name in ("first", "last"):
            object.__setattr__(self, name, require_whole(f"layers: {name}", getattr(self, name)))
        if not 0 <= self.first <= self.last:
            raise InputError(f"layers {self.first} to {self.last} do not exist; need 0 <= first <= last.")

    def extended(self, cell: Floats, primitive: Floats) -> tuple[bool, bool, bool]:
        """Unbounded in the plane only."""
        return True, True, False

    def member(self, where: Where) -> Membership:
        """Depth from the faces, one and a half quarter sheets outside the outer anions."""
        if self.last >= where.slabs:
            raise InputError(f"layers end at slab {self.last}; this stack has slabs 0 to {where.slabs - 1}.")
        pitch = np.linalg.norm(where.cell[2, 2]) / (2 * where.slabs)
        offset, turns = _wrapped(where.sheet - (self.first + self.last), 2 * where.slabs)
        shift = _no_shift(where)
        shift[:, 2] = turns
        return Membership((self.last - self.first + 0.75 - np.abs(offset)) * pitch, shift)


@dataclass(frozen=True)
class Ribbon:
    """A slab of the plane between two lines from_A and to_A (A along their common normal), through all layers.

    line  "zigzag" (boundaries along <11-20>) or "armchair" (along <10-10>): a cell vector must run that way
    """

    from_A: float
    to_A: float
    line: str = "armchair"

    def __post_init__(self) -> None:
        for name in ("from_A", "to_A"):
            object.__setattr__(self, name, require_number(f"ribbon: {name}", getattr(self, name)))
        if not isinstance(self.line, str) or self.line not in LINES:
            raise InputError(f"line {self.line!r} is unknown; {nearest(str(self.line), LINES)}")
        if not self.from_A < self.to_A:
            raise InputError(f"a ribbon from {self.from_A} to {self.to_A} A is empty; to_A must exceed from_A.")

    def axis(self, cell: Floats, primitive: Floats) -> int:
        """The cell vector that crosses the ribbon. Raises InputError where no other one runs along its line."""
        return crossing_axis(cell, primitive, self.line)

    def extended(self, cell: Floats, primitive: Floats) -> tuple[bool, bool, bool]:
        """Unbounded along its line and the layer normal."""
        axis = self.axis(cell, primitive)
        return axis != 0, axis != 1, True

    def member(self, where: Where) -> Membership:
        """Depth from the nearer line."""
        axis = self.axis(where.cell, where.primitive)
        period = 1.0 / float(np.linalg.norm(np.linalg.inv(where.cell)[:, axis]))
        if self.to_A - self.from_A > period:
            raise InputError(
                f"a ribbon of {self.to_A - self.from_A:.2f} A does not fit across a cell of {period:.2f} A; "
                "take more repeats or a narrower ribbon."
            )
        half, centre = 0.5 * (self.to_A - self.from_A), 0.5 * (self.from_A + self.to_A)
        offset, turns = _wrapped(where.fractional[:, axis] * period - centre, period)
        shift = _no_shift(where)
        shift[:, axis] = turns
        return Membership(half - np.abs(offset), shift)


@dataclass(frozen=True)
class Prism:
    """A column along the layer normal: a cylinder (sides = 0) or a hexagonal prism (sides = 6).

    radius_A  of the circle, or of the circle inside the hexagon, A
    centre    fractional coordinates along the two in-plane cell vectors
    """

    radius_A: float
    centre: tuple[float, float] = (0.5, 0.5)
    sides: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "centre", _numbers("centre", self.centre, 2))
        object.__setattr__(self, "radius_A", _radius("radius_A", self.radius_A))
        if not is_number(self.sides) or self.sides not in (0, 6):
            raise InputError(f"a prism of {self.sides!r} sides is not offered; use 0 (cylinder) or 6 (hexagonal).")

    def extended(self, cell: Floats, primitive: Floats) -> tuple[bool, bool, bool]:
        """Unbounded along the layer normal only."""
        return False, False, True

    def member(self, where: Where) -> Membership:
        """Depth from the side."""
        _require_room(2 * self.radius_A, where.cell[:2, :2])
        delta = where.fractional[:, :2] - np.array(self.centre)
        vectors, turns = _shortest(delta, where.cell[:2, :2])
        shift = _no_shift(where)
        shift[:, :2] = turns
        return Membership(self.radius_A - self._reach(vectors, where.primitive), shift)

    def _reach(self, vectors: Floats, primitive: Floats) -> Floats:
        if not self.sides:
            return np.linalg.norm(vectors, axis=1)
        rows = np.array([primitive[0], primitive[1], primitive[0] + primitive[1]])
        normals = rows[:, ::-1] * [1.0, -1.0] / np.linalg.norm(rows, axis=1)[:, None]
        return np.abs(vectors @ normals.T).max(axis=1)


@dataclass(frozen=True)
class Ellipsoid:
    """A particle inside the crystal: half axes along x, y and the layer normal, A; centre in fractions of the cell.

    Depths are exact for a sphere; elsewhere (1 - s) times the shortest half axis, s the scaled radius.
    """

    radii_A: tuple[float, float, float]
    centre: tuple[float, float, float] = (0.5, 0.5, 0.5)

    def __post_init__(self) -> None:
        object.__setattr__(self, "centre", _numbers("centre", self.centre, 3))
        radii = _numbers("radii_A", self.radii_A, 3)
        object.__setattr__(self, "radii_A", tuple(_radius("radii_A", radius) for radius in radii))

    def extended(self, cell: Floats, primitive: Floats) -> tuple[bool, bool, bool]:
        """Bounded everywhere."""
        return False, False, False

    def member(self, where: Where) -> Membership:
        """Depth from the surface."""
        radii = np.array(self.radii_A)
        scaled = where.cell / radii
        _require_room(2.0, scaled, float(radii.min()))
        vectors, turns = _shortest(where.fractional - np.array(self.centre), scaled)
        return Membership((1.0 - np.linalg.norm(vectors, axis=1)) * radii.min(), turns)


@dataclass(frozen=True)
class Offset:
    """A shape grown by by_A on all sides (shrunk where negative): nested shells share one core."""

    of: Layers | Ribbon | Prism | Ellipsoid | Offset
    by_A: float

    def __post_init__(self) -> None:
        kinds = (Layers, Ribbon, Prism, Ellipsoid, Offset)
        require_kind("offset: of", self.of, kinds, "a prism, {shape = 'prism', radius_A = 6.0}")
        object.__setattr__(self, "by_A", require_number("offset: by_A", self.by_A))

    def extended(self, cell: Floats, primitive: Floats) -> tuple[bool, bool, bool]:
        """As the shape it grew from."""
        return self.of.extended(cell, primitive)

    def member(self, where: Where) -> Membership:
        """Depth of the shape it grew from, plus by_A."""
        found = self.of.member(where)
        return Membership(found.depth_A + self.by_A, found.shift)


Shape = Everywhere | Layers | Ribbon | Prism | Ellipsoid | Offset
SHAPE_EXAMPLE = "Prism(9.0), sphere(8.0), Ribbon(0.0, 12.0) or Layers(0, 2)"


def crossing_axis(cell: Floats, primitive: Floats, line: str) -> int:
    """The in-plane cell vector (0 or 1) that crosses boundaries along `line`; the other one runs along them.

    Raises InputError where neither cell vector runs along the line.
    """
    first = math.degrees(math.atan2(primitive[0, 1], primitive[0, 0]))
    for axis, along in ((0, cell[1]), (1, cell[0])):
        angle = math.degrees(math.atan2(along[1], along[0])) - first - LINES[line]
        if abs((angle + 30.0) % 60.0 - 30.0) < 0.01:
            return axis
    raise InputError(
        f"no in-plane cell vector runs along the {line} line; use repeats = orthogonal(n1, n2), whose first vector "
        "is zigzag and whose second is armchair."
    )


def _no_shift(where: Where) -> Integers:
    return np.zeros((len(where.positions), 3), dtype=np.int64)


def _wrapped(values: Floats, period: float) -> tuple[Floats, Integers]:
    """Values folded to -period/2 ... period/2, and the periods that were added."""
    turns = -np.floor(values / period + 0.5 + 1e-9).astype(np.int64)
    return values + turns * period, turns


def _shortest(delta: Floats, cell: Floats) -> tuple[Floats, Integers]:
    """(n, d) shortest images of fractional vectors in any norm the cell carries, and the cells added."""
    dimension = delta.shape[1]
    base = -np.rint(delta).astype(np.int64)
    best = (delta + base) @ cell
    turns, reach = base.copy(), np.linalg.norm(best, axis=1)
    for step in np.ndindex(*(3,) * dimension):
        trial = base + np.array(step) - 1
        vectors = (delta + trial) @ cell
        length = np.linalg.norm(vectors, axis=1)
        nearer = length < reach - 1e-9
        best[nearer], turns[nearer], reach[nearer] = vectors[nearer], trial[nearer], length[nearer]
    return best, turns


def _require_room(diameter: float, cell: Floats, unit_A: float = 1.0) -> None:
    steps = np.stack(np.meshgrid(*(range(-2, 3),) * len(cell), indexing="ij"), -1).reshape(-1, len(cell))
    shortest = np.linalg.norm(steps[np.any(steps != 0, axis=1)] @ cell, axis=1).min()
    if diameter > shortest:
        raise InputError(
            f"a domain {diameter * unit_A:.2f} A wide meets its own image {shortest * unit_A:.2f} A away; "
            "take more repeats or a smaller radius."
        )


def _radius(name: str, value: object) -> float:
    radius = require_number(name, value)
    if radius <= 0:
        raise InputError(f"{name} = {radius!r} A is impossible; it must be a positive number.")
    return radius


def _numbers(name: str, values: Sequence[float], count: int) -> tuple[float, ...]:
    numbers = require_list(name, values, object, f"{count} numbers, as {[0.5] * count}")
    if len(numbers) != count:
        raise InputError(f"{name} = {values!r}; give {count} numbers.")
    return tuple(require_number(f"{name}[{k}]", value) for k, value in enumerate(numbers))
