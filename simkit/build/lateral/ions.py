"""Alkali sites of both domains of a lateral join, those near the boundaries only where there is room."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.check.contacts import ION_SHIFT_A
from simkit.build.check.coordination import ALLOWED, COORDINATION_A
from simkit.build.checks import Limits
from simkit.build.geometry import gallery_sites
from simkit.build.lateral.domains import Domains
from simkit.build.plane import HEXAGONAL
from simkit.build.scaffold import HARD_CORE_A, Region
from simkit.elements import atomic_number
from simkit.kernels.pair_search import find_pairs

CHOSEN = {"e": "e", "f": "f", "lower": "ef", "upper": "fe"}
"""Choice of `Composition.sites` -> kind of site it takes."""
USUAL = ("oct", "e", "ef")
"""Kind of site that a full gallery takes without a choice."""
APART_A = 2.7
"""Least distance between sites that may be filled together, A."""

EASE_A, EASE_MARGIN_A, EASING_STEPS = 0.6, 0.05, 15
"""How far a crowded site may move, how much more than the least distance it looks for, and in how many steps."""


@dataclass(frozen=True, eq=False)
class Ions:
    """Candidate sites: positions (m, 3) A, gallery (m,), side (m,) 0 left or 1 right, kind (m,), depth (m,) A from
    the nearest boundary."""

    positions: Floats
    gallery: Integers
    side: Integers
    kind: np.ndarray
    depth: Floats

    def __len__(self) -> int:
        return len(self.gallery)

    def take(self, which: np.ndarray) -> Ions:
        """The sites `which` (mask or indices)."""
        return Ions(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


def candidates(domains: Domains) -> Ions:
    """Every alkali site of either phase inside its own domain, displaced by half of what its two slabs are.

    A site of the left phase moves by (u_j + u_(j+1)) / 2; one of the right phase sits where that mean, fully
    developed, would carry it, less what is still missing at its place.
    """
    columns = [_gallery(domains, j, side) for j in range(len(domains.frame.stack)) for side in (0, 1)]
    return Ions(*(np.concatenate(column) for column in zip(*columns, strict=True)))


def taken(ions: Ions, choices: tuple[str, str]) -> np.ndarray:
    """(m,) bool: sites of the kind that a full gallery takes, by the choice of `Composition.sites` on either side.

    The other kind of a prismatic gallery only offers alternatives to these.
    """
    result = np.zeros(len(ions), dtype=bool)
    for side, choice in enumerate(choices):
        for j in np.unique(ions.gallery):
            here = (ions.gallery == j) & (ions.side == side)
            preferred = (CHOSEN.get(choice, ""), *USUAL)
            kind = next((k for k in preferred if (ions.kind[here] == k).any()), None)
            result |= here & (ions.kind == kind)
    return result


def with_room(
    ions: Ions, framework: tuple[Floats, Floats, Floats], regions: tuple[Region, Region], limits: Limits
) -> Ions:
    """Sites that keep their distances; those of the kind a full gallery takes (`taken`) are chosen first, then the
    others, the innermost of each domain before those at its boundaries.

    framework  cell (3, 3), anions (n, 3) and slab metals (k, 3), A
    regions    left and right: their ions, and which kind they take
    A site that is too near to anions is first moved towards the middle of the space between them, by 0.6 A at most.
    It stays when it keeps the limits to anions and metals, has five anions around it and no chosen site lies
    within 2.7 A; the two kinds of a prismatic gallery, nearer than the hard core, remain alternatives of each
    other inside one domain.
    """
    cell, anions, metals = framework
    asked = [region.composition for region in regions]
    closer = np.array([ION_SHIFT_A.get(atomic_number(c.alkali), 0.0) for c in asked])[ions.side]
    least = limits.alkali_oxygen_A + closer
    ions = replace(ions, positions=_eased(ions.positions, anions, cell, least))
    good = _nearest(ions.positions, anions, cell) >= least - 1e-9
    good &= _nearest(ions.positions, metals, cell) >= limits.alkali_metal_A + closer - 1e-9
    around = find_pairs(ions.positions, anions, cell, COORDINATION_A["A"] - 1e-6).point
    good &= np.bincount(around, minlength=len(ions)) >= min(ALLOWED["A"])
    ions = ions.take(good)
    pairs = find_pairs(ions.positions, ions.positions, cell, APART_A - 1e-6)
    alternative = (pairs.distance < HARD_CORE_A) & (ions.side[pairs.point] == ions.side[pairs.atom])
    first = taken(ions, (asked[0].sites, asked[1].sites))
    return ions.take(_chosen(ions, first, (pairs.point[~alternative], pairs.atom[~alternative])))


def _eased(points: Floats, anions: Floats, cell: Floats, least: Floats) -> Floats:
    """Points pushed away from the anions that are nearer than least (m,), each at most `EASE_A` from where it was."""
    moving = np.flatnonzero(_nearest(points, anions, cell) < least)
    home, result = points[moving], points.copy()
    for _ in range(EASING_STEPS if len(moving) else 0):
        here = result[moving]
        pairs = find_pairs(here, anions, cell, float(least.max()) + EASE_MARGIN_A)
        away = here[pairs.point] - anions[pairs.atom] - pairs.shift @ cell
        short = np.maximum(least[moving][pairs.point] + EASE_MARGIN_A - pairs.distance, 0.0)
        push = np.zeros_like(here)
        np.add.at(push, pairs.point, away * (short / pairs.distance)[:, None])
        step = here + 0.5 * push - home
        length = np.linalg.norm(step, axis=1, keepdims=True)
        result[moving] = home + step * np.minimum(1.0, EASE_A / np.maximum(length, 1e-9))
    return result


def _chosen(ions: Ions, before: np.ndarray, clashes: tuple[Integers, Integers]) -> np.ndarray:
    """(m,) bool: the sites `before` and then the others, each from the inside out, none with a clash among those
    chosen earlier."""
    first, second = clashes
    chosen = np.ones(len(ions), dtype=bool)
    rank = np.empty(len(ions), dtype=np.int64)
    order = np.lexsort((np.arange(len(ions)), -np.round(ions.depth, 6), ~before))
    rank[order] = np.arange(len(ions))
    inner = rank[second] < rank[first]
    first, second = first[inner], second[inner]
    by_rank = np.argsort(rank[first], kind="stable")
    for i, j in zip(first[by_rank], second[by_rank], strict=True):
        chosen[i] &= not chosen[j]
    return chosen


def _gallery(domains: Domains, j: int, side: int) -> tuple:
    frame, profile, axis = domains.frame, domains.profile, domains.axis
    slips = domains.alignment.slips
    n, a_A = len(frame.stack), frame.a_A
    middle = 0.5 * a_A * (slips.centred[j] + slips.centred[(j + 1) % n])
    stack = domains.stacks[side]
    origin = np.zeros(2) if side == 0 else middle + a_A * slips.slabs.mean(axis=0) + a_A * _first_letter(domains)
    points, kinds = [], []
    for letter, kind in gallery_sites(stack, j):
        layer = frame.layer(letter, frame.gallery_height_A(j))
        layer[:, :2] -= origin
        layer[:, axis] = profile.wrapped(layer[:, axis])
        layer = layer[profile.in_left(layer[:, axis]) == (side == 0)]
        points.append(layer)
        kinds.append(np.full(len(layer), kind))
    points, kinds = np.concatenate(points), np.concatenate(kinds)
    depth = profile.distance_A(points[:, axis])
    return domains.carried(points, middle), np.full(len(points), j), np.full(len(points), side), kinds, depth


def _first_letter(domains: Domains) -> Floats:
    """(2,) in-plane vector by which the right stack's letters run ahead of the left's at slab 0, units of a."""
    left, right = domains.stacks
    step = (right.slabs[0].z - left.slabs[0].z) % 3
    return step * np.array([1.0, 2.0]) / 3.0 @ HEXAGONAL


def _nearest(points: Floats, others: Floats, cell: Floats) -> Floats:
    """(m,) distance of each point to the nearest of the others, 3.5 A where none is nearer."""
    pairs = find_pairs(points, others, cell, 3.5)
    result = np.full(len(points), 3.5)
    np.minimum.at(result, pairs.point, pairs.distance)
    return result
