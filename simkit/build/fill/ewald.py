"""Ewald sums in NumPy: energies of periodic point charges, and the pair potentials a lattice gas needs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import erfc

from simkit.arrays import Floats
from simkit.kernels.pair_search import find_pairs

COULOMB_EV_A = 14.39964547842567
"""e^2 / (4 pi epsilon_0), eV A (CODATA 2018)."""
DECAY, COARSE = 4.9, 3.5
"""Both sums stop where their Gaussians have fallen to exp(-4.9^2) = 4e-11, or to 5e-6 at a tenth of the work."""
LEAST_REACH_A, MOST_REACH_A = 9.0, 18.0
"""Cutoff of the sum over pairs: the edge of a cube of the cell's volume, within these, which balances both sums, A."""
WAVES, POINTS = 1024, 512
"""Waves and points handled at once."""


def potentials(points: Floats, sources: Floats, cell: Floats, decay: float = DECAY) -> Floats:
    """(p, s) 1/A: potential at each point of a unit charge, all its images and a neutralising background.

    points (p, 3), sources (s, 3) A, cell (3, 3) A. A source on a point leaves out itself and keeps its images.
    decay sets where the sums stop, `DECAY` or `COARSE`. Multiply by `COULOMB_EV_A` for volts.
    P. P. Ewald, Ann. Phys. 369, 253 (1921).
    """
    alpha = _alpha(cell, decay)
    total = np.zeros((len(points), len(sources)))
    for at, flat, near in _near((points, sources), cell, alpha, decay):
        size = (at.stop - at.start) * len(sources)
        total[at] = np.bincount(flat, near, minlength=size).reshape(-1, len(sources))
    same = points is sources
    for k, weight in _waves(cell, alpha, decay):
        root = np.sqrt(weight)
        first = np.hstack([np.cos(points @ k.T) * root, np.sin(points @ k.T) * root])
        second = first if same else np.hstack([np.cos(sources @ k.T) * root, np.sin(sources @ k.T) * root])
        total += first @ second.T
    return total - _background(cell, alpha)


def potential_of(points: Floats, sources: Floats, charges: Floats, cell: Floats, decay: float = DECAY) -> Floats:
    """(p,) 1/A: potential at points of charges (s,) on sources, as `potentials` @ charges but without the table."""
    alpha = _alpha(cell, decay)
    total = np.zeros(len(points))
    for at, flat, near in _near((points, sources), cell, alpha, decay):
        row, source = np.divmod(flat, len(sources))
        total[at] = np.bincount(row, near * charges[source], minlength=at.stop - at.start)
    for k, weight in _waves(cell, alpha, decay):
        first, second = points @ k.T, sources @ k.T
        total += np.cos(first) @ (weight * (charges @ np.cos(second)))
        total += np.sin(first) @ (weight * (charges @ np.sin(second)))
    return total - _background(cell, alpha) * charges.sum()


def ewald_energy(positions: Floats, charges: Floats, cell: Floats) -> float:
    """Coulomb energy of a periodic cell of point charges (n,), eV, in a neutralising background if they do not cancel.

    positions (n, 3) A, cell (3, 3) A
    """
    return 0.5 * COULOMB_EV_A * float(charges @ potential_of(positions, positions, charges, cell))


def _alpha(cell: Floats, decay: float) -> float:
    """Inverse width of the Gaussians, 1/A."""
    edge = abs(float(np.linalg.det(cell))) ** (1 / 3)
    return decay / float(np.clip(edge, LEAST_REACH_A, MOST_REACH_A))


def _background(cell: Floats, alpha: float) -> float:
    return np.pi / (alpha**2 * abs(float(np.linalg.det(cell))))


def _near(
    where: tuple[Floats, Floats], cell: Floats, alpha: float, decay: float
) -> Iterator[tuple[slice, Floats, Floats]]:
    """Blocks of points, flat index (row in the block, source) of near pairs, and their screened potential, 1/A."""
    points, sources = where[0], np.array(where[1])
    for start in range(0, len(points), POINTS):
        at = slice(start, min(start + POINTS, len(points)))
        pairs = find_pairs(points[at], sources, cell, decay / alpha)
        itself = pairs.distance < 1e-6
        apart = np.where(itself, 1.0, pairs.distance)
        near = np.where(itself, -2.0 * alpha / np.sqrt(np.pi), erfc(alpha * apart) / apart)
        yield at, pairs.point * len(sources) + pairs.atom, near


def _waves(cell: Floats, alpha: float, decay: float) -> Iterator[tuple[Floats, Floats]]:
    """Half of the reciprocal vectors (k, 3) in chunks, with weight 8 pi / V exp(-k^2 / 4 alpha^2) / k^2."""
    volume = abs(float(np.linalg.det(cell)))
    reciprocal = 2.0 * np.pi * np.linalg.inv(cell).T
    longest = 2.0 * alpha * decay
    reach = np.floor(longest * np.linalg.norm(cell, axis=1) / (2.0 * np.pi)).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    waves = grid[len(grid) // 2 + 1 :] @ reciprocal
    square = np.einsum("ij,ij->i", waves, waves)
    inside = square <= longest**2
    waves, square = waves[inside], square[inside]
    weight = 8.0 * np.pi / volume * np.exp(-square / (4.0 * alpha**2)) / square
    for start in range(0, len(waves), WAVES):
        yield waves[start : start + WAVES], weight[start : start + WAVES]
