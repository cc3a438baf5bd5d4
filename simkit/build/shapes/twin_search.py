"""TwinSearch for the best mirror boundary: height of the plane, rigid shift, atoms kept or dropped in the plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.arguments import require_whole
from simkit.build.check.contacts import TETRAHEDRON_A
from simkit.build.check.limits import Limits
from simkit.build.fill.charges import BOND_A
from simkit.build.shapes.mirror import Plane
from simkit.errors import InputError
from simkit.kernels.pair_search import Pairs, find_pairs

IN_PLANE_A = 0.05
"""An atom this near the mirror lies in it, A."""
DEPTH_A = 6.0
"""How much crystal on either side of the mirror is looked at, A."""
FACE_A = 2.75
"""Metals nearer than this across the mirror share a face, A."""
FRAMEWORK = ("anion", "metal")
PLANE_ATOMS = ("keep", "drop")
MIRRORS = ("auto", "any", "anions")
CROWDED = 0.9
RUMPLED_A = 0.3
"""Anions of one plane may differ in height by this, A."""


@dataclass(frozen=True)
class Boundary:
    """One way to join a crystal below a mirror to its image above.

    offset_A   height of the mirror, A from the origin of the crystal, 0 to the spacing
    shift_A    in-plane displacement of the image, A; shift (2,) the same in cell fractions
    plane_atoms  "keep" or "drop": what happens to framework atoms in the mirror
    six        fraction of metals near the boundary with six anions; least the smallest number
    faces      pairs of metals sharing a face across the mirror, per plane cell
    lost       ions and tetrahedral cations that must be left out, per plane cell
    crowded    whether anions meet across the mirror nearer than `CROWDED` times the shortest distance of the crystal
    shortest_A O-O, M-O and M-M across the mirror (infinite where beyond 3 A)
    """

    offset_A: float
    shift: tuple[float, float]
    shift_A: tuple[float, float]
    plane_atoms: str
    six: float
    least: int
    faces: int
    lost: int
    crowded: bool
    shortest_A: tuple[float, float, float]

    @property
    def key(self) -> tuple:
        """Sorts the better boundary first."""
        return (
            -round(self.six, 6),
            -self.least,
            self.faces,
            self.crowded,
            self.lost,
            -round(min(self.shortest_A[:2]), 3),
        )


@dataclass(frozen=True)
class TwinSearch:
    """What is tried at a boundary.

    offsets  heights of the mirror per plane spacing on an even grid; atomic planes and middles are added
    shifts   rigid shifts along each side of the plane cell
    mirror   "any" height; "anions": only planes of anions, which stay; "auto": "anions" in spinel, else "any"
    """

    offsets: int = 12
    shifts: int = 6
    mirror: str = "auto"

    def __post_init__(self) -> None:
        for name in ("offsets", "shifts"):
            object.__setattr__(self, name, require_whole(name, getattr(self, name), 1))
        if self.mirror not in MIRRORS:
            raise InputError(f"mirror = {self.mirror!r}; it must be one of {', '.join(MIRRORS)}.")


def boundaries(plane: Plane, search: TwinSearch, limits: Limits, closer_A: float) -> list[Boundary]:
    """Every admissible boundary with the crystal below the mirror, best first.

    closer_A how much nearer (negative) or farther than Na the ions may be
    Admissible: no pair across the mirror nearer than the limits for O-O, M-O and M-M.
    """
    tried = [(offset, "keep") for offset in _anion_heights(plane)]
    if search.mirror == "any" or (search.mirror == "auto" and "K" not in plane.kind):
        heights = _heights(plane, search.offsets)
        tried = [(h, kept) for h in heights for kept in PLANE_ATOMS[: 1 + _has_plane_atoms(plane, h)]]
    rules = search.shifts, limits, closer_A, CROWDED * _anions_apart(plane)
    found = [b for offset, kept in tried for b in _at(plane, offset, kept, rules)]
    return sorted(found, key=lambda b: (*b.key, round(b.offset_A, 6), b.plane_atoms, b.shift))


def below(plane: Plane, offset_A: float, kept: str, depth_A: float) -> tuple[Floats, Integers, Integers]:
    """Sites of the crystal under the mirror: positions, sites, and which of them have an image (not in the plane).

    Framework atoms in the mirror stay or go by `kept`; ions and tetrahedral cations in it stay.
    """
    points, site = plane.window(offset_A - depth_A, offset_A + IN_PLANE_A)
    inside = points[:, 2] > offset_A - IN_PLANE_A
    framework = np.isin(plane.role[site], FRAMEWORK)
    stay = ~(inside & framework) if kept == "drop" else np.ones(len(site), dtype=bool)
    points, site, inside = points[stay], site[stay], inside[stay]
    points[inside, 2] = offset_A
    return points, site, np.flatnonzero(~inside)


def reflected(points: Floats, offset_A: float, shift_A: Sequence[float]) -> Floats:
    """Points mirrored at z = offset and displaced in the plane, A."""
    image = points.copy()
    image[:, 2] = 2.0 * offset_A - image[:, 2]
    image[:, :2] += np.asarray(shift_A)
    return image


def _anions_apart(plane: Plane) -> float:
    """Shortest distance between two anions of the crystal, A."""
    points, site = plane.window(0.0, plane.spacing_A * np.ceil(8.0 / plane.spacing_A))
    anions = points[plane.role[site] == "anion"]
    cell = np.eye(3) * (np.ptp(anions[:, 2]) + 8.0)
    cell[:2, :2] = plane.sides
    return float(find_pairs(anions, anions, cell, 4.0).distance.min())


def _heights(plane: Plane, offsets: int) -> Floats:
    framework = np.isin(plane.role, FRAMEWORK)
    spacing = plane.spacing_A
    levels = np.unique(np.round(plane.positions[framework, 2] % spacing, 4) % spacing)
    middles = 0.5 * (levels + np.append(levels[1:], levels[0] + spacing))
    grid = np.arange(offsets) * spacing / offsets
    return np.unique(np.round(np.concatenate([grid, levels, middles]) % spacing, 4) % spacing)


def _anion_heights(plane: Plane) -> Floats:
    """Planes of anions, at their mean height where they are rumpled by less than `RUMPLED_A`."""
    heights = np.sort(plane.positions[plane.role == "anion", 2] % plane.spacing_A)
    groups = np.split(heights, np.flatnonzero(np.diff(heights) > RUMPLED_A) + 1)
    return np.array([group.mean() for group in groups])


def _has_plane_atoms(plane: Plane, offset: float) -> bool:
    height = (plane.positions[np.isin(plane.role, FRAMEWORK), 2] - offset) / plane.spacing_A
    return bool((np.abs(height - np.round(height)) * plane.spacing_A < IN_PLANE_A).any())


def _at(plane: Plane, offset: float, kept: str, rules: tuple[int, Limits, float, float]) -> list[Boundary]:
    shifts, limits, closer_A, apart_A = rules
    points, site, mirrored = below(plane, offset, kept, DEPTH_A)
    role = plane.role[site]
    own = np.arange(len(points))
    cell = np.eye(3)
    cell[:2, :2], cell[2, 2] = plane.sides, 2.0 * DEPTH_A + 12.0
    numbers = _bonds(points, role, own, cell), _bonds(points, role, mirrored, cell)
    shallow = offset - points[:, 2] < DEPTH_A - BOND_A
    least = least_distances(limits, closer_A)
    wanted = limits.oxygen_oxygen_A, limits.metal_oxygen_A, limits.metal_metal_A
    found = []
    for i, j in np.ndindex(shifts, shifts):
        shift = np.array([i, j]) / shifts
        image = reflected(points[mirrored], offset, shift @ plane.sides)
        pairs = find_pairs(points, image, cell, 3.0)
        pairs = Pairs(pairs.point, mirrored[pairs.atom], pairs.shift, pairs.distance)
        shortest = _shortest(pairs, role)
        if any(short < limit for short, limit in zip(shortest, wanted, strict=True)):
            continue
        lower, upper = _counted(pairs, role, numbers)
        metals = [n[w[(role[w] == "metal") & shallow[w]]] for n, w in ((lower, own), (upper, mirrored))]
        six = np.concatenate([*metals, [6]])
        tets = [
            (n[w[(role[w] == "tetrahedral") & shallow[w]]] != 4).sum() for n, w in ((lower, own), (upper, mirrored))
        ]
        near = (role[pairs.point] == "metal") & (role[pairs.atom] == "metal") & (pairs.distance < FACE_A)
        lost = int(sum(tets)) + sum(len(s) for s in clashing(pairs, role, least))
        moved = tuple((shift @ plane.sides).tolist())
        quality = float((six == 6).mean()), int(six.min()), int(near.sum()), lost, shortest[0] < apart_A
        found.append(Boundary(float(offset), tuple(shift.tolist()), moved, kept, *quality, shortest))
    return found


def least_distances(limits: Limits, closer_A: float) -> dict[tuple[str, str], float]:
    """Least distance of pairs of roles of which the first may be left out, A; ions may come closer_A nearer."""
    return {
        ("alkali", "anion"): limits.alkali_oxygen_A + closer_A,
        ("alkali", "metal"): limits.alkali_metal_A + closer_A,
        ("alkali", "alkali"): limits.alkali_alkali_A,
        ("tetrahedral", "metal"): limits.tetrahedral_metal_A,
        ("tetrahedral", "alkali"): limits.tetrahedral_alkali_A,
        ("tetrahedral", "tetrahedral"): limits.tetrahedral_tetrahedral_A,
    }


def clashing(pairs: Pairs, role: np.ndarray, least: dict[tuple[str, str], float]) -> tuple[set[int], set[int]]:
    """Sites of the first and of the second half that are left out; of two alike the one of the second half.

    pairs  across the boundary, point in the first half and atom in the second
    """
    first, second = role[pairs.point].tolist(), role[pairs.atom].tolist()
    lower: set[int] = set()
    upper: set[int] = set()
    alike = []
    for i, j, a, b, distance in zip(
        pairs.point.tolist(), pairs.atom.tolist(), first, second, pairs.distance.tolist(), strict=True
    ):
        if a == b and distance < least.get((a, b), 0.0) - 1e-6:
            alike.append((i, j))
        elif distance < least.get((a, b), 0.0) - 1e-6:
            lower.add(i)
        elif distance < least.get((b, a), 0.0) - 1e-6:
            upper.add(j)
    upper |= {j for i, j in alike if i not in lower}
    return lower, upper


def _bonds(points: Floats, role: np.ndarray, which: Integers, cell: Floats) -> Integers:
    """(points,) anions of the half `which` bonded to each metal and tetrahedral cation of it."""
    anions = which[role[which] == "anion"]
    pairs = find_pairs(points[which], points[anions], cell, BOND_A)
    cation, near = which[pairs.point], pairs.distance < _reach(role[which[pairs.point]])
    return np.bincount(cation[near], minlength=len(points))


def _counted(pairs: Pairs, role: np.ndarray, numbers: tuple[Integers, Integers]) -> tuple[Integers, Integers]:
    """Anions around the cations of the lower and of the upper half, bonds across the mirror included."""
    up = (role[pairs.atom] == "anion") & (pairs.distance < _reach(role[pairs.point]))
    down = (role[pairs.point] == "anion") & (pairs.distance < _reach(role[pairs.atom]))
    size = len(role)
    return (
        numbers[0] + np.bincount(pairs.point[up], minlength=size),
        numbers[1] + np.bincount(pairs.atom[down], minlength=size),
    )


def _reach(role: np.ndarray) -> Floats:
    return np.where(role == "metal", BOND_A, np.where(role == "tetrahedral", TETRAHEDRON_A, 0.0))


def _shortest(pairs: Pairs, role: np.ndarray) -> tuple[float, float, float]:
    one, two = role[pairs.point], role[pairs.atom]
    anions, metals = ((one == r).astype(int) + (two == r) for r in FRAMEWORK)
    groups = anions == 2, (anions == 1) & (metals == 1), metals == 2
    return tuple(float(pairs.distance[g].min()) if g.any() else float("inf") for g in groups)
