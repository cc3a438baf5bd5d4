"""A model Hessian made of springs between neighbours, inverted once: stiff and soft motions made alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu

from simkit.arrays import Floats
from simkit.kernels.solve_pairs import close_pairs
from simkit.structure import Structure


@dataclass(frozen=True)
class Springs:
    """The "Exp" preconditioner (Packwood et al., J. Chem. Phys. 144, 164109, 2016).

    Springs c_ij = exp(-decay (r_ij / r_nn - 1)) between atoms within `reach` r_nn, the same in all
    directions; r_nn is the largest distance to a nearest neighbour. `anchor` ties every atom weakly to
    its place, so that a rigid motion has a finite stiffness. Only ratios matter: the steppers learn the
    overall scale. The matrix belongs to the first structure and stays as it is.
    """

    decay: float = 3.0
    reach: float = 2.0
    anchor: float = 0.1


@dataclass(frozen=True, eq=False)
class Model:
    """Spring constants of one structure: pairs (first, second), vectors (pairs, 3) A, constants."""

    atoms: int
    first: np.ndarray
    second: np.ndarray
    vectors: Floats
    constants: Floats
    anchor: float


def spring_model(structure: Structure, springs: Springs) -> Model:
    """Springs of one structure, scaled so that the mean diagonal entry of the matrix is 1."""
    n = len(structure)
    first, second, vectors, nearest = _neighbours(structure)
    lengths = np.linalg.norm(vectors, axis=1)
    near = lengths <= springs.reach * nearest
    first, second, vectors, lengths = first[near], second[near], vectors[near], lengths[near]
    c = np.exp(-springs.decay * (lengths / nearest - 1.0))
    total = np.bincount(first, c, n) + np.bincount(second, c, n)
    mean = float(total.mean()) if total.mean() > 0 else 1.0
    return Model(n, first, second, vectors, c / mean, springs.anchor / max(mean, springs.anchor))


def _neighbours(structure: Structure) -> tuple[np.ndarray, np.ndarray, Floats, float]:
    """All pairs within twice the largest nearest-neighbour distance, and that distance (A)."""
    cutoff = 6.0
    while True:
        first, second, shift = close_pairs(structure.positions, structure.cell, structure.periodic, cutoff)
        vectors = structure.positions[second] + shift - structure.positions[first]
        lengths = np.linalg.norm(vectors, axis=1)
        closest = np.full(len(structure), np.inf)
        np.minimum.at(closest, first, lengths)
        np.minimum.at(closest, second, lengths)
        known = closest[np.isfinite(closest)]
        nearest = float(known.max()) if len(known) else cutoff
        if 2.0 * nearest <= cutoff or cutoff > 20.0:
            return first, second, vectors, nearest
        cutoff = 2.0 * nearest


def solver(model: Model, free: np.ndarray) -> Callable[[Floats], Floats]:
    """The inverse of the model Hessian on (n, 3, ...) arrays, restricted to the free directions (n, 3)."""
    n = model.atoms
    c = model.constants
    total = np.bincount(model.first, c, n) + np.bincount(model.second, c, n) + model.anchor
    rows = np.concatenate([model.first, model.second, np.arange(n)])
    columns = np.concatenate([model.second, model.first, np.arange(n)])
    matrix = csc_matrix((np.concatenate([-c, -c, total]), (rows, columns)), shape=(n, n))
    parts: list[tuple[list[int], np.ndarray, object]] = []
    for mask in np.unique(free, axis=1).T:
        which = np.flatnonzero(mask)
        axes = [a for a in range(3) if np.array_equal(free[:, a], mask)]
        if len(which):
            parts.append((axes, which, splu(matrix[which][:, which].tocsc())))

    def apply(vectors: Floats) -> Floats:
        out = np.zeros_like(vectors)
        for axes, which, factor in parts:
            block = np.ix_(which, axes)
            right = vectors[block]
            out[block] = factor.solve(np.ascontiguousarray(right.reshape(len(which), -1))).reshape(right.shape)
        return out

    return apply


def strain_stiffness(model: Model, frame: Floats, entries: tuple[tuple[int, int], ...]) -> Floats:
    """(entries,) second derivative of the springs' energy by each entry of the deformation gradient, A^2."""
    inside = model.vectors @ frame.T
    return np.array([np.sum(model.constants * inside[:, i] ** 2) for i, _ in entries])
