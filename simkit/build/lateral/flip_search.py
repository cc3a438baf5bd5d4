"""Search for the boundary of one slab with its mirror sense: cuts, shift and opening that keep every distance."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.arguments import require_kind, require_list, require_number, require_whole
from simkit.build.lateral.burgers import LINES, edge_axis
from simkit.errors import InputError

DEPTH_A = 8.0
"""Rows within this distance of the cut are set up on either side, A."""
SHELL_A = 4.0
"""Metals within this distance of the cut are counted, A."""
BOND_A = 2.4
"""Anions nearer than this count as bonded to a metal at an unrelaxed boundary, A."""
MOST_POINTS = 200_000
"""Largest number of boundaries on one grid, shifts x cuts x cuts x openings: a few seconds for each line."""
ANION, METAL = 0, 1


@dataclass(frozen=True)
class FlipSettings:
    """The grid of the search and what a candidate must keep (unrelaxed distances, A).

    lines     boundary lines to try
    shifts    rigid shifts of the right domain along the line, over one period
    cuts      places within a row at which each phase is cut
    largest_opening_A, opening_step_A   width added to both boundaries
    oxygen_oxygen_A, metal_metal_A, metal_oxygen_A   least distances
    rank      which candidate of the ranked list `lateral_flip` builds
    twin      join phases of equal sense class with all senses of the right one inverted

    Raises InputError for a number out of range, or a grid of more than `MOST_POINTS` boundaries.
    """

    lines: tuple[str, ...] = LINES
    shifts: int = 6
    cuts: int = 6
    largest_opening_A: float = 1.2
    opening_step_A: float = 0.1
    oxygen_oxygen_A: float = 2.2
    metal_metal_A: float = 2.4
    metal_oxygen_A: float = 1.7
    rank: int = 0
    twin: bool = False

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "lines", require_list("lines", self.lines, str, "('zigzag',)"))
        if not self.lines or set(self.lines) - set(LINES):
            raise InputError(f"lines = {self.lines!r}; give one or both of {', '.join(LINES)}.")
        for name, low, high in (("shifts", 1, 48), ("cuts", 1, 48), ("rank", 0, MOST_POINTS)):
            put(self, name, require_whole(name, getattr(self, name), low, high))
        for name, low, high in (("largest_opening_A", 0.0, 5.0), ("opening_step_A", 1e-3, 5.0)):
            put(self, name, require_number(name, getattr(self, name), low, high))
        for name in ("oxygen_oxygen_A", "metal_metal_A", "metal_oxygen_A"):
            put(self, name, require_number(name, getattr(self, name), 0.5, 5.0))
        require_kind("twin", self.twin, bool, "True")
        points = self.shifts * self.cuts**2 * len(self.openings_A)
        if points > MOST_POINTS:
            raise InputError(
                f"shifts = {self.shifts}, cuts = {self.cuts} and {len(self.openings_A)} openings make {points} "
                f"boundaries for each line; at most {MOST_POINTS} are searched: take fewer, or a larger opening_step_A."
            )

    @property
    def openings_A(self) -> Floats:
        """Openings of the grid, A."""
        return np.arange(0.0, self.largest_opening_A + 1e-9, self.opening_step_A)


@dataclass(frozen=True)
class FlipCandidate:
    """One admissible boundary of a flipped slab, its two boundaries per period taken together.

    shift_A     right domain against the left along the line
    cuts_A      where the left and the right phase are cut, from a metal row along the normal
    opening_A   width added to each boundary
    lowest      fewest anions around a metal; not_six metals without exactly six, per period along the line
    oxygen_oxygen_A, metal_metal_A, metal_oxygen_A   shortest distances across the boundaries, infinite above 5 A
    """

    line: str
    shift_A: float
    cuts_A: tuple[float, float]
    opening_A: float
    lowest: int
    not_six: int
    oxygen_oxygen_A: float
    metal_metal_A: float
    metal_oxygen_A: float

    def to_dict(self) -> dict:
        """JSON-able record."""
        return {**asdict(self), "cuts_A": list(self.cuts_A)}


@dataclass(frozen=True, eq=False)
class _Side:
    """Half of a slab beyond a cut: points (n, 3) A as normal, line, height; roles (n,); metals near the cut, their
    own anions."""

    points: Floats
    roles: Integers
    metals: Integers
    own: Integers


def search(a_A: float, slab_A: float, line: str, settings: FlipSettings) -> tuple[FlipCandidate, ...]:
    """Admissible boundaries between a slab (sense +, left) and its mirror image (sense -, right), best first.

    The metals of both sides lie on one lattice before cut, shift and opening; whole rows are kept, so the cell is
    stoichiometric. A slab of sense - joined to one of sense + is the mirror image of this and has the same numbers.
    Ranked by the lowest number of anions around a metal, then by how many metals lack six, then by the opening
    and the shortest oxygen distance; of those with the same numbers the first. Empty where nothing on the grid
    keeps the distances.
    """
    distinct = {}
    for candidate in sorted(_line(a_A, slab_A, line, settings), key=rank_key):
        distinct.setdefault((*rank_key(candidate)[:4], round(candidate.metal_metal_A, 4)), candidate)
    return tuple(distinct.values())


def rank_key(c: FlipCandidate) -> tuple:
    """What candidates are sorted by: the smaller comes first."""
    numbers = -c.lowest, c.not_six, round(c.opening_A, 6), -round(c.oxygen_oxygen_A, 4)
    return (*numbers, LINES.index(c.line), c.shift_A, c.cuts_A)


def _line(a_A: float, slab_A: float, line: str, settings: FlipSettings) -> list[FlipCandidate]:
    row, period = _rows(a_A, line)
    shifts = np.arange(settings.shifts) * period / settings.shifts
    cuts = np.arange(settings.cuts) * row / settings.cuts
    sides = {
        (sense, side): [_side((a_A, slab_A), line, sense, side, cut) for cut in cuts]
        for sense in (1, -1)
        for side in (-1, 1)
    }
    found = []
    for i, j in np.ndindex(len(cuts), len(cuts)):
        first = _meet(sides[1, -1][i], sides[-1, 1][j], period, (shifts, settings.openings_A))
        second = _meet(sides[-1, -1][j], sides[1, 1][i], period, (-shifts, settings.openings_A))
        found += _admitted(first, second, (line, shifts, (float(cuts[i]), float(cuts[j]))), settings)
    return found


def _admitted(first: tuple, second: tuple, where: tuple, settings: FlipSettings) -> list[FlipCandidate]:
    line, shifts, cuts = where
    oo, mm, mo = (np.minimum(a, b) for a, b in zip(first[:3], second[:3], strict=True))
    lowest, not_six = np.minimum(first[3], second[3]), first[4] + second[4]
    good = (oo > settings.oxygen_oxygen_A) & (mm > settings.metal_metal_A) & (mo > settings.metal_oxygen_A)
    return [
        FlipCandidate(
            line,
            float(shifts[s]),
            cuts,
            float(settings.openings_A[g]),
            int(lowest[s, g]),
            int(not_six[s, g]),
            float(oo[s, g]),
            float(mm[s, g]),
            float(mo[s, g]),
        )
        for s, g in zip(*np.nonzero(good), strict=True)
    ]


def _rows(a_A: float, line: str) -> tuple[float, float]:
    """Distance between rows along the normal and period along the line, A."""
    root = math.sqrt(3.0)
    return (0.5 * a_A, root * a_A) if edge_axis(line) == 0 else (0.5 * root * a_A, a_A)


def _side(size: tuple[float, float], line: str, sense: int, side: int, cut: float) -> _Side:
    """The slab before (side -1) or beyond (+1) a cut, which becomes the origin of the normal."""
    a_A, slab_A = size
    row, period = _rows(a_A, line)
    index = np.arange(-math.ceil(DEPTH_A / row) - 3, math.ceil(DEPTH_A / row) + 4)
    metals = np.column_stack([index * row, index % 2 * 0.5 * period, np.zeros(len(index))])
    letter = a_A / math.sqrt(3.0) * (np.array([0.0, 1.0, 0.0]) if edge_axis(line) == 0 else np.array([1.0, 0.0, 0.0]))
    rise = np.array([0.0, 0.0, 0.5 * slab_A])
    points = np.concatenate([metals, metals + sense * letter - rise, metals - sense * letter + rise])
    roles = np.repeat([METAL, ANION, ANION], len(index))
    beyond = points[:, 0] - cut
    keep = (beyond >= -1e-6) == (side > 0)
    keep &= np.abs(beyond) < DEPTH_A
    points, roles = points[keep] - [cut, 0.0, 0.0], roles[keep]
    near = np.flatnonzero((roles == METAL) & (np.abs(points[:, 0]) < SHELL_A))
    apart = _apart(points[near], points[roles == ANION], period)
    return _Side(points, roles, near, (apart < BOND_A).sum(axis=(1, 2)))


def _apart(first: Floats, second: Floats, period: float) -> Floats:
    """(n, m, 7) distances between points and the images of others along the line, A."""
    images = np.arange(-3, 4)[:, None] * [0.0, period, 0.0]
    return np.linalg.norm(second[None, :, None] + images - first[:, None, None], axis=-1)


def _meet(left: _Side, right: _Side, period: float, grid: tuple[Floats, Floats]) -> tuple:
    """(shifts, openings) shortest O-O, M-M, M-O across a boundary, lowest count of anions and metals without six."""
    shifts, openings = grid
    images = np.arange(-3, 4) * period
    close = [np.abs(side.points[:, 0]) < 5.0 for side in (left, right)]
    a, b = left.points[close[0]], right.points[close[1]]
    along = b[None, :, 1] - a[:, None, 1]
    line = (along[None, ..., None] + shifts[:, None, None, None] % period + images) ** 2
    across = (b[None, :, 0] - a[:, None, 0] + openings[:, None, None]) ** 2
    height = (b[None, :, 2] - a[:, None, 2]) ** 2
    apart = np.sqrt(line[:, None] + (across + height)[None, ..., None])
    nearest = apart.min(axis=-1)
    roles = left.roles[close[0]][:, None] * 2 + right.roles[close[1]][None]
    shortest = [_least(nearest, roles, kinds) for kinds in ((0,), (3,), (1, 2))]
    bonded = (apart < BOND_A).sum(axis=-1)
    counts = [_counts(left, close[0], (bonded * (roles == 2)).sum(axis=-1))]
    counts.append(_counts(right, close[1], (bonded * (roles == 1)).sum(axis=-2)))
    counts = np.concatenate(counts, axis=-1)
    return (*shortest, counts.min(axis=-1), (counts != 6).sum(axis=-1))


def _least(nearest: Floats, roles: Integers, kinds: tuple[int, ...]) -> Floats:
    chosen = np.where(np.isin(roles, kinds), nearest, np.inf)
    least = chosen.min(axis=(-2, -1))
    return np.where(least < 5.0, least, np.inf)


def _counts(side: _Side, close: np.ndarray, across: Integers) -> Integers:
    """(shifts, openings, metals) anions around each metal near the cut, own ones and those across it."""
    place = np.cumsum(close) - 1
    return side.own + across[..., place[side.metals]]
