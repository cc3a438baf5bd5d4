"""Shockley vectors of a lateral boundary: how far each slab of the right domain is displaced, and the partials."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.plane import HEXAGONAL, LETTER
from simkit.errors import InputError, nearest

LINES = ("armchair", "zigzag")
"""Boundary line along <10-10> (a Shockley vector lies in it) or along the close-packed <11-20>."""
NORMAL_AXIS = {"armchair": 0, "zigzag": 1}
"""Cell vector along the boundary normal; the other in-plane one runs along the line."""
MODES = ("minedge", "minburgers")
PARTIAL = 1.0 / math.sqrt(3.0)
"""Length of a Shockley vector a/3 <10-10> in units of a."""
EDGE_WEIGHT = 100.0
"""Cost of an edge part against a screw part in mode "minedge": edge parts decide, screw parts break ties."""
TOLERANCE = 1e-3

_CELLS = np.stack(np.meshgrid(range(-2, 3), range(-2, 3), indexing="ij"), -1).reshape(-1, 2)
_POINTS = np.array([(_CELLS + k * LETTER) @ HEXAGONAL for k in range(3)])
"""(3, 25, 2) translations of each letter class, in units of a, x along <11-20>."""


@dataclass(frozen=True, eq=False)
class Slips:
    """Displacements of the right domain against the left.

    slabs  (n, 2) of each slab, mean not yet taken out, units of a
    cost   sum of squared deviations from the mean, edge parts weighted by the mode
    """

    slabs: Floats
    cost: float

    @property
    def centred(self) -> Floats:
        """(n, 2) displacements without the rigid shift of the whole domain, units of a."""
        return self.slabs - self.slabs.mean(axis=0)

    @property
    def partials(self) -> Floats:
        """(n, 2) Burgers vector of the boundary in each gallery: slab above less slab below, units of a."""
        return np.roll(self.slabs, -1, axis=0) - self.slabs


def edge_axis(line: str) -> int:
    """Cartesian axis of the edge part of a Burgers vector. Raises InputError for an unknown line."""
    if line not in LINES:
        raise InputError(f"line {line!r} is unknown; {nearest(str(line), LINES)}")
    return NORMAL_AXIS[line]


def slips(steps: Sequence[int], line: str, mode: str) -> Slips:
    """Cheapest displacements that turn slab j by steps[j] letters, slab 0 staying.

    mode  "minedge": least edge part, then least displacement; a gallery may then hold a partial and a perfect
          dislocation. "minburgers": every gallery a single Shockley partial or none, the least displacement then.
    The sum over galleries of the Burgers vectors is zero in both: slab 0 and its image above move alike.
    Raises InputError for an unknown line or mode.
    """
    if mode not in MODES:
        raise InputError(f"mode {mode!r} is unknown; {nearest(str(mode), MODES)}")
    weight = np.ones(2)
    weight[edge_axis(line)] = EDGE_WEIGHT if mode == "minedge" else 1.0 + TOLERANCE
    classes = (np.asarray(steps, dtype=np.int64) - steps[0]) % 3
    starts = np.concatenate([0.5 * _POINTS[k][np.linalg.norm(_POINTS[k], axis=1) < 1.2] for k in range(3)])
    found = [_settled(classes, start, weight, PARTIAL if mode == "minburgers" else math.inf) for start in starts]
    return min(found, key=lambda slip: round(slip.cost, 9))


def burgers_problems(partials: Floats, a_A: float = 1.0) -> list[str]:
    """What is wrong with the Burgers vectors of one boundary: a sum that is not zero, a vector that joins no letters.

    partials  (n, 2) Burgers vector in each gallery, in the units of a_A, x along <11-20>
    """
    vectors = np.asarray(partials, dtype=np.float64) / a_A
    problems = []
    total = vectors.sum(axis=0)
    if np.linalg.norm(total) > TOLERANCE * max(len(vectors), 1):
        problems.append(
            f"the Burgers vectors of the {len(vectors)} galleries sum to ({total[0] * a_A:+.3f}, "
            f"{total[1] * a_A:+.3f}) A; they must sum to zero, or the two sides of the boundary do not fit in a "
            "periodic cell."
        )
    for j in np.flatnonzero(_off_letter(vectors) > TOLERANCE):
        problems.append(
            f"gallery {j} holds a Burgers vector of {np.linalg.norm(vectors[j]) * a_A:.3f} A that joins no letters; "
            f"a Shockley partial has {PARTIAL * a_A:.3f} A and a perfect dislocation {a_A:.3f} A."
        )
    return problems


def _off_letter(vectors: Floats) -> Floats:
    """Distance of each vector from the nearest translation that joins letters, units of a."""
    thirds = 3.0 * vectors @ np.linalg.inv(HEXAGONAL)
    whole = np.round(thirds)
    sheared = (whole[:, 1] - 2 * whole[:, 0]) % 3
    return np.linalg.norm((thirds - whole) @ HEXAGONAL / 3.0, axis=1) + np.where(sheared == 0, 0.0, 1.0)


def _settled(classes: Integers, centre: Floats, weight: Floats, longest: float) -> Slips:
    """Alternate the path nearest to a centre and the centre of the path until neither moves."""
    best = None
    for _ in range(8):
        path = _path(classes, centre, weight, longest)
        spread = path - path.mean(axis=0)
        cost = float((weight * spread**2).sum())
        if best is not None and cost >= best.cost - 1e-12:
            break
        best = Slips(path, cost)
        centre = path.mean(axis=0)
    return best


def _path(classes: Integers, centre: Floats, weight: Floats, longest: float) -> Floats:
    """(n, 2) points of the given classes, the first at the origin, least weighted distance from the centre.

    longest  greatest step between neighbouring slabs, the image of slab 0 included. A shortest path.
    """
    costs = [(weight * (_POINTS[k] - centre) ** 2).sum(axis=1) for k in classes]
    origin = int(np.argmin(np.linalg.norm(_POINTS[0], axis=1)))
    total = np.where(np.arange(len(_CELLS)) == origin, costs[0], np.inf)
    came = []
    for before, now, cost in zip(classes[:-1], classes[1:], costs[1:], strict=True):
        reach = total[:, None] + _barred(before, now, longest)
        came.append(np.argmin(np.round(reach, 9), axis=0))
        total = reach.min(axis=0) + cost
    total = total + _barred(classes[-1], 0, longest)[:, origin]
    state = int(np.argmin(np.round(total, 9)))
    path = [state]
    for table in reversed(came):
        path.append(int(table[path[-1]]))
    return np.array([_POINTS[k][i] for k, i in zip(classes, reversed(path), strict=True)])


def _barred(before: int, now: int, longest: float) -> Floats:
    """(25, 25) 0 where a step is allowed and infinity where it is too long."""
    steps = np.linalg.norm(_POINTS[now][None] - _POINTS[before][:, None], axis=2)
    return np.where(steps <= longest + TOLERANCE, 0.0, np.inf)
