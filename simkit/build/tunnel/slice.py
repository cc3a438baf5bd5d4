"""Oriented blocks: whole polyhedra of any crystal between two parallel planes, and the cheapest plane to cut."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.plane import lattice_points
from simkit.build.scaffold import Region, Scaffold, Stratum
from simkit.errors import InputError
from simkit.kernels.pair_search import Pairs, find_pairs

BOND_A = 2.6
"""A metal and an anion nearer than this are bonded, A."""
ION_BOND_A = 3.0
"""An alkali ion and an anion nearer than this are neighbours, A."""
CENTRES = ("metal", "tetrahedral")
"""Roles whose polyhedra stay whole."""
KEPT_ANIONS = 5
"""An ion stays with a block that keeps at least this many of its anions."""


@dataclass(frozen=True, eq=False)
class Slice:
    """A block, periodic in x and y only.

    plane      (2, 2) in-plane vectors, A, the first along x
    positions  (m, 3) A, z along the normal
    stratum, kind, layers, gallery, strata, regions as in `Scaffold`
    """

    plane: Floats
    positions: Floats
    stratum: Integers
    kind: np.ndarray
    layers: Integers
    gallery: Integers
    strata: tuple[Stratum, ...]
    regions: tuple[Region, ...]

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def role(self) -> np.ndarray:
        """(m,) role of each site."""
        return np.array([s.role for s in self.strata])[self.stratum]

    @property
    def area(self) -> float:
        """In-plane area, A^2."""
        return float(np.linalg.det(self.plane))

    @property
    def ends_A(self) -> tuple[float, float]:
        """Height of the lowest and of the highest anion, A."""
        z = self.positions[self.role == "anion", 2]
        return float(z.min()), float(z.max())

    def take(self, which: np.ndarray) -> Slice:
        """The sites `which`; strata keep their records."""
        columns = {n: getattr(self, n)[which] for n in ("positions", "stratum", "kind", "layers", "gallery")}
        return replace(self, **columns)

    def strained_to(self, plane: Floats, normal: float = 0.0) -> Slice:
        """The same in-plane fractional coordinates on another plane; heights change by the strain `normal`."""
        flat = self.positions[:, :2] @ np.linalg.inv(self.plane) @ plane
        return replace(self, plane=plane, positions=np.column_stack([flat, self.positions[:, 2] * (1.0 + normal)]))


def supercell_of(piece: Slice, matrix: Sequence[Sequence[int]]) -> Slice:
    """The block on the in-plane cell `matrix` (2, 2) times its own, turned so that the first vector lies along x."""
    m = np.array(matrix, dtype=np.int64)
    points = lattice_points(m) @ piece.plane
    rows = m @ piece.plane
    x = rows[0] / np.linalg.norm(rows[0])
    turn = np.array([[x[0], -x[1]], [x[1], x[0]]])
    flat = (points[:, None] + piece.positions[None, :, :2]).reshape(-1, 2) @ turn
    plane = rows @ turn
    plane[0, 1] = 0.0
    n = len(points)
    strata = tuple(replace(s, capacity=s.capacity * n) for s in piece.strata)
    columns = {name: np.tile(getattr(piece, name), n) for name in ("stratum", "kind", "layers", "gallery")}
    positions = np.column_stack([flat, np.tile(piece.positions[:, 2], n)])
    return replace(piece, plane=plane, positions=positions, strata=strata, **columns)


def plane_basis(hkl: Sequence[int], cell: Floats) -> Integers:
    """(3, 3) integer rows u1, u2, w: the shortest two lattice vectors in plane (hkl), and one step across it.

    u1 is the shortest, (u1, u2, w) is right-handed with determinant 1 and w hkl = 1. Raises InputError for (000)
    or indices with a common factor.
    """
    miller = np.array(hkl, dtype=np.int64)
    if miller.shape != (3,) or np.gcd.reduce(miller) != 1:
        raise InputError(
            f"plane {tuple(hkl)} is not three whole numbers without a common factor; give for example (1, 4, 0)."
        )
    reach = range(-int(np.abs(miller).max()) - 1, int(np.abs(miller).max()) + 2)
    grid = np.array(list(itertools.product(reach, repeat=3)))
    lengths = np.linalg.norm(grid @ cell, axis=1)
    grid = grid[np.lexsort((*-grid.T, np.round(lengths, 6)))]
    inside = [v for v in grid[1:] if v @ miller == 0]
    u1 = inside[0]
    u2 = next(v for v in inside if abs(np.cross(u1, v)).sum() and np.array_equal(abs(np.cross(u1, v)), abs(miller)))
    w = next(v for v in grid if v @ miller == 1)
    u2 = u2 if np.cross(u1, u2) @ w > 0 else -u2
    return np.array([u1, u2, w])


@dataclass(frozen=True, eq=False)
class Oriented:
    """A crystal turned so that a plane (hkl) is horizontal: its scaffold in the new basis, and metal-anion pairs.

    centres  indices of the cations whose polyhedra stay whole; pairs from centres to `anions` (indices)
    whole    False where the crystal has no metals: its ions are then cut apart between planes
    needed   (m,) anions that an ion keeps in a block it belongs to: `KEPT_ANIONS`, or all but one of fewer
    """

    crystal: Scaffold
    centres: Integers
    anions: Integers
    pairs: Pairs
    whole: bool
    needed: Integers

    @property
    def spacing_A(self) -> float:
        """Distance between neighbouring lattice planes, A."""
        return float(self.crystal.cell[2, 2])

    @property
    def plane(self) -> Floats:
        """(2, 2) in-plane vectors, A."""
        return self.crystal.cell[:2, :2]


def oriented(crystal: Scaffold, hkl: Sequence[int]) -> Oriented:
    """The crystal with plane (hkl) horizontal, u1 of `plane_basis` along x and the normal along z.

    Polyhedra around metals are kept whole; a crystal without metals is cut between its alkali ions instead.
    """
    basis = plane_basis(hkl, crystal.cell)
    rows = basis @ crystal.cell
    x = rows[0] / np.linalg.norm(rows[0])
    z = np.cross(rows[0], rows[1])
    z = z / np.linalg.norm(z)
    turn = np.array([x, np.cross(z, x), z]).T
    cell = rows @ turn
    cell[np.abs(cell) < 1e-9] = 0.0
    fractional = crystal.positions @ np.linalg.inv(rows) % 1.0
    fractional[np.isclose(fractional, 1.0, atol=1e-9)] = 0.0
    turned = replace(crystal, cell=cell, positions=fractional @ cell)
    role = crystal.role
    whole = bool(np.isin(role, CENTRES).any())
    centres = np.flatnonzero(np.isin(role, CENTRES if whole else "alkali"))
    anions = np.flatnonzero(role == "anion")
    reach = BOND_A if whole else ION_BOND_A
    pairs = find_pairs(turned.positions[centres], turned.positions[anions], cell, reach)
    near = find_pairs(turned.positions, turned.positions[anions], cell, ION_BOND_A)
    own = np.bincount(near.point[near.distance > 0.1], minlength=len(role))
    needed = np.minimum(KEPT_ANIONS, np.maximum(1, own - 1))
    return Oriented(turned, centres, anions, pairs, whole, needed)


def cut_costs(crystal: Oriented) -> tuple[Floats, Floats]:
    """Heights of all different planar cuts, A (0 to the spacing), and the bonds each one cuts per nm^2."""
    z, d = crystal.crystal.positions[:, 2], crystal.spacing_A
    used = np.concatenate([z[crystal.centres], z[crystal.anions]]) % d
    levels = np.unique(np.round(used, 4))
    levels = levels[np.append(True, np.diff(levels) > 1e-3)]
    heights = 0.5 * (levels + np.append(levels[1:], levels[0] + d))
    pairs = crystal.pairs
    start = z[crystal.centres][pairs.point]
    end = z[crystal.anions][pairs.atom] + pairs.shift[:, 2] * d
    low, high = np.minimum(start, end), np.maximum(start, end)
    cut = np.floor((high - heights[:, None]) / d) - np.floor((low - heights[:, None]) / d)
    area = float(np.linalg.det(crystal.plane))
    order = np.argsort(heights % d, kind="stable")
    return (heights % d)[order], 100.0 * cut.sum(axis=1)[order] / area


def best_cut(crystal: Oriented) -> tuple[float, float]:
    """Height of the planar cut with the fewest bonds, A, and that number per nm^2; the lowest height among equals."""
    heights, costs = cut_costs(crystal)
    k = int(np.flatnonzero(costs <= costs.min() + 1e-9)[0])
    return float(heights[k]), float(costs[k])


def carved(crystal: Oriented, low_A: float, high_A: float) -> Slice:
    """The centres between two heights, all their anions, and the ions that keep at least `KEPT_ANIONS` of them.

    Ion strata keep their capacity per site. Raises InputError where no centre lies between the heights.
    """
    d, base = crystal.spacing_A, crystal.crystal
    images = np.arange(np.floor(low_A / d) - 2, np.ceil(high_A / d) + 3)
    count = len(base)
    positions = (images[:, None, None] * base.cell[2] + base.positions[None]).reshape(-1, 3)
    role = np.tile(base.role, len(images))
    inside = (positions[:, 2] > low_A) & (positions[:, 2] <= high_A)
    if not (inside & (role != "anion")).any():
        raise InputError(f"no cation lies between {low_A:.2f} and {high_A:.2f} A; take more lattice planes.")
    tall = base.cell * np.array([[1], [1], [len(images) + 2]])
    needed = np.tile(crystal.needed, len(images))
    keep = _whole((positions, tall), role, inside, needed) if crystal.whole else inside
    index = np.tile(np.arange(count), len(images))[keep]
    sites = np.bincount(base.stratum, minlength=len(base.strata))
    kept = np.bincount(base.stratum[index], minlength=len(base.strata))
    strata = tuple(
        replace(s, capacity=int(np.floor(s.capacity * n / max(m, 1) + 1e-9)))
        for s, n, m in zip(base.strata, kept, sites, strict=True)
    )
    columns = (base.stratum[index], base.kind[index], base.layers[index], base.gallery[index])
    return Slice(crystal.plane, positions[keep], *columns, strata, base.regions)


def block(crystal: Oriented, layers: int) -> Slice:
    """About `layers` lattice planes between two cuts of the fewest bonds, with as little oxygen to spare as can be.

    Where the cheapest cuts come in pairs z and -z, as under inversion, the two faces are such a pair and alike; else
    both cuts lie at the same height modulo the spacing and the block holds exactly `layers` times the plane. Of the
    thicknesses nearest to `layers` the one with the fewest anions per centre is taken, then the lowest. Raises
    InputError for fewer than one layer.
    """
    if isinstance(layers, bool) or not isinstance(layers, int | np.integer) or layers < 1:
        raise InputError(f"layers = {layers!r}; a block needs a whole number of lattice planes, at least 1.")
    d = crystal.spacing_A
    heights, costs = cut_costs(crystal)
    best = heights[costs <= costs.min() + 1e-9]
    mirrored = np.abs((best[:, None] + best[None, :] + 0.5 * d) % d - 0.5 * d).min(axis=1) < 1e-3
    if not mirrored.all():
        return min((carved(crystal, z, z + layers * d) for z in best), key=_spare)
    ends = [(z, max(1, round(layers + 2.0 * z / d)) * d - z) for z in best]
    misses = [round(abs(high - low - layers * d), 3) for low, high in ends]
    nearest = [carved(crystal, *pair) for pair, miss in zip(ends, misses, strict=True) if miss <= min(misses)]
    return min(nearest, key=_spare)


def _spare(piece: Slice) -> float:
    role = piece.role
    return float((role == "anion").sum() / max(1, np.isin(role, (*CENTRES, "alkali")).sum()))


def _whole(place: tuple[Floats, Floats], role: np.ndarray, inside: np.ndarray, needed: Integers) -> np.ndarray:
    """Sites kept: the centres inside, their anions, and the ions with enough of those; place is positions and cell."""
    positions, tall = place
    centres = np.flatnonzero(inside & np.isin(role, CENTRES))
    anions, ions = np.flatnonzero(role == "anion"), np.flatnonzero(role == "alkali")
    keep = np.zeros(len(role), dtype=bool)
    keep[centres] = True
    keep[anions[find_pairs(positions[centres], positions[anions], tall, BOND_A).atom]] = True
    if len(ions):
        kept = anions[keep[anions]]
        pairs = find_pairs(positions[ions], positions[kept], tall, ION_BOND_A)
        keep[ions[np.bincount(pairs.point, minlength=len(ions)) >= needed[ions]]] = True
    return keep
