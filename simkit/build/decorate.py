"""Who sits where: exact metal counts per slab and alkali ions on the sites of each gallery, by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.phases import Block
from simkit.build.stacking import PRISMATIC
from simkit.errors import InputError
from simkit.kernels.lattice_gas import anneal

COULOMB_EV_A = 14.399645
PERMITTIVITY = 3.0
SCREENING_A = 2.5
"""Repulsion between two ions of a gallery: 14.4 exp(-r / 2.5) / (3 r) eV, a screened start, not an energy."""
REPULSION_CUTOFF_A = 14.0
FACE_EV_PER_VALENCE = 0.005
"""Penalty of a site for each slab octahedron it shares a face with, per unit of that metal's valence, eV: chosen
so that P2 at 2/3 comes out near the observed e : f of 0.40 : 0.26."""
TRIALS_PER_SITE = 300
HOT_EV, COLD_EV = 0.4, 0.01


def whole_counts(fractions: Mapping[str, float], total: int, what: str) -> dict[str, int]:
    """Whole numbers summing to total, nearest to the fractions (largest remainder).

    Raises InputError where a requested species would vanish, naming the nearest fraction that exists.
    """
    names = list(fractions)
    ideal = np.array([fractions[name] for name in names]) * total
    counts = np.floor(ideal + 1e-9).astype(np.int64)
    for k in np.argsort(counts - ideal, kind="stable")[: total - int(counts.sum())]:
        counts[k] += 1
    for name, count in zip(names, counts, strict=True):
        if count == 0 and fractions[name] > 0:
            raise InputError(
                f"{what}: {name} {fractions[name]:.4g} of {total} sites is less than one atom; the "
                f"nearest that can be reached are 0 and {1 / total:.4g}: take more repeats or galleries."
            )
    return dict(zip(names, (int(c) for c in counts), strict=True))


def spread(counts: Sequence[int], bins: int) -> Integers:
    """(bins, species) whole numbers: each species over equal bins, its mean rounded up or down in each.

    counts sum to a multiple of bins. The extra atom of a species goes to the bins where it is most overdue.
    """
    total = np.asarray(counts, dtype=np.int64)
    table = np.tile(total // bins, (bins, 1))
    extra = total % bins
    left = extra.copy()
    for row in range(bins):
        overdue = (row + 1) * extra / bins - (extra - left)
        overdue[left == 0] = -np.inf
        overdue[left == bins - row] = np.inf
        chosen = np.argsort(-overdue, kind="stable")[: int(extra.sum()) // bins]
        table[row, chosen] += 1
        left[chosen] -= 1
    return table


def metal_counts(block: Block, cells: int) -> list[dict[str, int]]:
    """Metal counts of each slab of a block, from below; the block total is the nearest to the request."""
    totals = whole_counts(block.metals, cells * block.gaps, f"metals of block {block.phase}")
    table = spread(list(totals.values()), block.gaps)
    return [{name: int(n) for name, n in zip(totals, row, strict=True) if n} for row in table]


def ion_counts(block: Block, cells: int) -> list[int]:
    """Ions in each gallery of a block, from below: nearest to the request and shared out evenly."""
    if not isinstance(block.content, float):
        return [_ions(x, cells, block) for x in block.contents]
    total = _ions(block.content, cells * block.gaps, block)
    return spread([total, cells * block.gaps - total], block.gaps)[:, 0].tolist()


def _ions(content: float, sites: int, block: Block) -> int:
    count = int(np.floor(content * sites + 0.5))
    if content > 0 and count == 0:
        raise InputError(
            f"content {content:.4g} of block {block.phase} is less than one {block.alkali} on {sites} sites; "
            f"the nearest that can be reached are 0 and {1 / sites:.4g}: take more repeats or galleries."
        )
    return count


def allowed_kinds(block: Block, gap: str, full: bool) -> tuple[str, ...]:
    """Kinds of site that a gallery of the block may fill, following `Block.sites`."""
    if gap not in PRISMATIC:
        return ("oct",)
    first, second = ("e", "f") if gap == "P2" else ("ef", "fe")
    choice = {"e": ("P2", first), "f": ("P2", second), "lower": ("P3", first), "upper": ("P3", second)}
    if block.sites in choice and choice[block.sites][0] == gap:
        return (choice[block.sites][1],)
    return (first,) if full else (first, second)


def drawn_metals(counts: Mapping[str, int], rng: np.random.Generator) -> list[str]:
    """The metals of one slab in random order."""
    return rng.permutation([name for name, n in counts.items() for _ in range(n)]).tolist()


def placed_ions(points: Floats, plane: Floats, count: int, site_energy: Floats, rng: np.random.Generator) -> np.ndarray:
    """(m,) bool: `count` of m sites of one gallery filled with little repulsion, no two within hard contact.

    points (m, 2) A; plane (2, 2) A; site_energy (m,) eV; the first m / kinds sites are of one kind and never
    exclude each other. A seeded anneal: low in repulsion, not promised to be the lowest.
    """
    occupied = np.zeros(len(points), dtype=bool)
    repulsion = pair_repulsion(points, plane)
    free = len(points) // 2 if np.isinf(repulsion).any() else len(points)
    if count == free == len(points) or count == 0:
        occupied[:count] = True
        return occupied
    occupied[rng.permutation(free)[:count]] = True
    trials = TRIALS_PER_SITE * len(points)
    heat = HOT_EV * (COLD_EV / HOT_EV) ** np.linspace(0.0, 1.0, trials)
    return anneal(occupied, repulsion, site_energy, rng.random((trials, 3)), heat)


def pair_repulsion(points: Floats, plane: Floats) -> Floats:
    """(m, m) eV screened repulsion between sites of one gallery, all images; infinite in hard contact.

    Hard contact: nearer than 2.2 A (the two prismatic sites that share a prism edge are 1.67 A apart).
    """
    fractional = points @ np.linalg.inv(plane)
    steps = fractional[None] - fractional[:, None]
    steps -= np.round(steps)
    thickness = abs(np.linalg.det(plane)) / np.linalg.norm(plane[::-1], axis=1)
    n1, n2 = np.ceil(REPULSION_CUTOFF_A / thickness + 0.5).astype(int)
    total = np.zeros(steps.shape[:2])
    for shift in np.ndindex(2 * n1 + 1, 2 * n2 + 1):
        distance = np.linalg.norm((steps + np.array(shift) - (n1, n2)) @ plane, axis=-1)
        distance[distance < 1e-6] = np.inf
        energy = COULOMB_EV_A / PERMITTIVITY * np.exp(-distance / SCREENING_A) / distance
        total += np.where(distance < REPULSION_CUTOFF_A, energy, 0.0)
        total[distance < 2.2] = np.inf
    return total
