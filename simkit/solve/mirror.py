"""Hops that are their own mirror image: an operation of the crystal that turns the path round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from simkit.arrays import Floats
from simkit.potential.base import Potential
from simkit.structure import Structure

PLACE_A = 0.05
"""Atoms count as mapped onto one another within this distance: what relaxation to 0.03 eV/A leaves open."""
FORCE_EV_PER_A = 5e-3
"""Largest difference of forces that are images of one another; float32 models are right to 1e-4."""
LEVEL_EV = 1e-3
"""Largest difference of the energies of two ends that count as images of one another."""


@dataclass(frozen=True, eq=False)
class Mirror:
    """x -> R x + offset carries the image at s to the image at 1 - s; it is its own inverse.

    rotation (3, 3) acts on columns, offset (n, 3) A for each atom (translation and cell vectors), to (n,): the atom on
    whose place each one lands.
    """

    rotation: Floats
    offset: Floats
    to: np.ndarray

    def places(self, positions: Floats) -> Floats:
        """Positions (..., n, 3) carried over."""
        out = np.empty_like(positions)
        out[..., self.to, :] = positions @ self.rotation.T + self.offset
        return out

    def vectors(self, forces: Floats) -> Floats:
        """Forces (..., n, 3) carried over."""
        out = np.empty_like(forces)
        out[..., self.to, :] = forces @ self.rotation.T
        return out


@dataclass(frozen=True, eq=False)
class Asked:
    """A path that may be its own mirror image: initial structure, energies (eV) of both ends, guess (k + 2, n, 3) A."""

    initial: Structure
    energies: tuple[float, float]
    guess: Floats


def mirrors_of(paths: Sequence[Asked | None], potential: Potential) -> list[Mirror | None]:
    """For each path the operation that carries it, reversed, onto itself; None where there is none, or for None.

    What the atoms look like is no proof of what the potential feels: the forces on a pair of images and on the middle
    one of the symmetric guess must be images of one another within `FORCE_EV_PER_A`. All are asked in one batch.
    """
    tried = [(k, mirror) for k, one in enumerate(paths) if one is not None for mirror in candidates(one)]
    shown = [symmetric(mirror, paths[k].guess) for k, mirror in tried]
    picked = [[guess[i] for i in (1, -2, len(guess) // 2)] for guess in shown]
    structures = [paths[k].initial.moved_to(x) for (k, _), three in zip(tried, picked, strict=True) for x in three]
    said = potential.evaluate(structures) if tried else []
    found: list[Mirror | None] = [None] * len(paths)
    for i, (k, mirror) in enumerate(tried):
        first, last, middle = (e.forces for e in said[3 * i : 3 * i + 3])
        gaps = [mirror.vectors(first) - last] + ([mirror.vectors(middle) - middle] if len(shown[i]) % 2 else [])
        if found[k] is None and max(float(np.abs(gap).max()) for gap in gaps) < FORCE_EV_PER_A:
            found[k] = mirror
    return found


def candidates(asked: Asked) -> list[Mirror]:
    """Twofold operations (inversion, planes, axes, half a cell vector) that keep the cell and turn the path round.

    Both ends must be images of one another within `PLACE_A` and `LEVEL_EV`, and so must all images.
    """
    guess, energies = asked.guess, asked.energies
    if not abs(energies[0] - energies[1]) <= LEVEL_EV:
        return []
    ion = int(np.argmax(np.linalg.norm(guess[-1] - guess[0], axis=1)))
    inverse = np.linalg.inv(asked.initial.cell)
    ends = guess[0] @ inverse, guess[-1] @ inverse
    found = [_mapped(asked.initial, w, ends[1][ion] - w @ ends[0][ion], ends) for w in _twofold(asked.initial.cell)]
    return [one for one in found if one is not None and np.abs(one.places(guess[::-1]) - guess).max() < PLACE_A]


def symmetric(mirror: Mirror, guess: Floats) -> Floats:
    """The guess with its moving images made the mirror images of one another; the ends stay as they were relaxed."""
    middle = 0.5 * (guess + mirror.places(guess[::-1]))
    return np.concatenate([guess[:1], middle[1:-1], guess[-1:]])


def _twofold(cell: Floats) -> list[np.ndarray]:
    """Integer matrices on fractional columns that keep all lengths of the lattice and are their own inverse."""
    gram = cell @ cell.T
    every = np.array(list(product((-1, 0, 1), repeat=9))).reshape(-1, 3, 3)
    own = every[(every @ every == np.eye(3, dtype=int)).all(axis=(1, 2))]
    kept = np.abs(np.swapaxes(own, 1, 2) @ gram @ own - gram).max(axis=(1, 2)) < 1e-4 * np.abs(gram).max()
    return list(own[kept])


def _mapped(structure: Structure, w: np.ndarray, shift: Floats, ends: tuple[Floats, Floats]) -> Mirror | None:
    """The operation as it acts on atoms, where it exchanges the two ends (fractions) and is its own inverse."""
    first, last = ends
    landed = last @ w.T + shift
    gaps = landed[:, None, :] - first[None]
    whole = np.round(gaps)
    apart = np.linalg.norm((gaps - whole) @ structure.cell, axis=2)
    apart[structure.numbers[:, None] != structure.numbers] = np.inf
    to = apart.argmin(axis=1)
    atoms = np.arange(len(to))
    if apart[atoms, to].max() > PLACE_A or not np.array_equal(to[to], atoms):
        return None
    back = first @ w.T + shift - whole[atoms, to] - last[to]
    if np.linalg.norm((back - np.round(back)) @ structure.cell, axis=1).max() > PLACE_A:
        return None
    turn = structure.cell.T @ w @ np.linalg.inv(structure.cell.T)
    return Mirror(turn, (shift - whole[atoms, to]) @ structure.cell, to)
