"""A host's Hessian as the model Hessian of any structure made from that host: vacancies, hops, strained copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.solve.host import Host
from simkit.solve.precondition import Springs
from simkit.solve.stepper import UNIT_STIFFNESS_EV_PER_A2
from simkit.structure import Structure

REACH_A = 1.2
"""An atom farther than this from every free place of its element in the host is on none of them."""
LEAST_SHARE = 0.8
"""Least share of the atoms that must be on places of the host."""
CELL_CHANGE = 0.15
"""Largest relative change of a cell vector from the host's."""


@dataclass(frozen=True)
class HostModel:
    """A host's Hessian with what keeps its inverse small.

    floor_eV_per_A2    least absolute eigenvalue; softer and unstable motions count as this stiff. Steps along them are
                       bounded by it and by the step cap of the optimiser
    softest_eV_per_A2  the same where the energy that forces stand for is asked; slabs of a cell of 200 atoms glide with
                       0.04 eV/A^2
    """

    host: Host
    floor_eV_per_A2: float = 0.3
    softest_eV_per_A2: float = 0.03


@dataclass(frozen=True, eq=False)
class Stiffness:
    """Generalised model Hessian of one structure: (3 n + 6, 3 n + 6) eV/A^2, positions and scaled strain entries."""

    matrix: Floats
    model: HostModel

    def modes(self, free: np.ndarray) -> Modes:
        """Those of the free coordinates (mask)."""
        which = np.flatnonzero(free)
        return modes_of(self.matrix[np.ix_(which, which)], which, self.model)


@dataclass(frozen=True, eq=False)
class Modes:
    """Eigenvectors (f, f), in columns, of a model Hessian on the coordinates `which` (f,) of a structure.

    weights (f,) what divides by it in steppers' units; softness (f,) A^2/eV, half of one over each eigenvalue.
    """

    which: np.ndarray
    vectors: Floats
    weights: Floats
    softness: Floats

    def divided(self, rows: Floats) -> Floats:
        """Rows (k, d) divided by the model Hessian; zero where coordinates are not free."""
        out = np.zeros_like(rows)
        out[:, self.which] = ((rows[:, self.which] @ self.vectors) * self.weights) @ self.vectors.T
        return out

    def left(self, rows: Floats) -> Floats:
        """(k,) eV that forces, rows (k, d), stand for: 1/2 f.H^-1.f."""
        return ((rows[:, self.which] @ self.vectors) ** 2) @ self.softness


def modes_of(matrix: Floats, which: np.ndarray, model: HostModel) -> Modes:
    """Modes of a symmetric matrix (f, f) eV/A^2, as stiff as the model allows at least; unstable ones by their size."""
    values, vectors = np.linalg.eigh(matrix)
    sizes = np.abs(values)
    weights = UNIT_STIFFNESS_EV_PER_A2 / np.maximum(sizes, model.floor_eV_per_A2)
    return Modes(which, vectors, weights, 0.5 / np.maximum(sizes, model.softest_eV_per_A2))


def stiffness(model: HostModel, structure: Structure, unit_A: float) -> Stiffness:
    """The model Hessian of a structure; unit_A is the length by which its strain entries count.

    Atoms take the rows of the host's places they are on, and lose what ties them to places that nobody is on. Atoms
    on none (an interstitial, an ion half way) keep the mean stiffness of their element in the host, tied to nothing.
    Raises InputError for a structure that is not of this host.
    """
    host, n = model.host, len(structure)
    place = places_of(host.structure, structure)
    on = np.flatnonzero(place >= 0)
    rows = (3 * place[on][:, None] + np.arange(3)).ravel()
    mine = (3 * on[:, None] + np.arange(3)).ravel()
    matrix = np.zeros((3 * n + 6, 3 * n + 6))
    matrix[np.ix_(mine, mine)] = _without_bonds(host, place[on])[np.ix_(rows, rows)]
    matrix[np.ix_(3 * n + np.arange(6), mine)] = host.mixed[:, rows] / unit_A
    matrix[np.ix_(mine, 3 * n + np.arange(6))] = host.mixed[:, rows].T / unit_A
    matrix[3 * n :, 3 * n :] = host.strain / unit_A**2
    for atom in np.flatnonzero(place < 0):
        own = slice(3 * atom, 3 * atom + 3)
        matrix[own, own] = np.eye(3) * _mean_stiffness(host, int(structure.numbers[atom]))
    return Stiffness(matrix, model)


def _without_bonds(host: Host, taken: np.ndarray) -> Floats:
    """The host's Hessian without what ties each atom to the places that nobody has taken.

    Each diagonal block loses the symmetric part of the coupling to them, which is all of it where bonds are pairs, and
    rigid translations stay soft.
    """
    m = len(host.structure)
    gone = np.setdiff1d(np.arange(m), taken)
    blocks = host.atoms.reshape(m, 3, m, 3).copy()
    each = np.arange(m)
    lost = blocks[:, :, gone, :].sum(axis=2)
    blocks[each, :, each, :] += 0.5 * (lost + lost.transpose(0, 2, 1))
    return blocks.reshape(3 * m, 3 * m)


Model = Springs | HostModel | None
"""A model Hessian, or none."""


def models_of(model: Model | Sequence[Model], structures: Sequence[Sequence[Structure]]) -> tuple[Model, ...]:
    """One model for each group of structures, from one for all of them or one each.

    Raises InputError for another number of models, and where a model is a host's and a structure is not of that host.
    """
    each = tuple(model) if isinstance(model, list | tuple) else (model,) * len(structures)
    if len(each) != len(structures):
        raise InputError(f"{len(each)} model Hessians for {len(structures)} groups; give one for all, or one each.")
    for one, group in zip(each, structures, strict=True):
        if isinstance(one, HostModel):
            for structure in group:
                places_of(one.host.structure, structure)
    return each


def places_of(host: Structure, structure: Structure) -> np.ndarray:
    """(n,) place of the host each atom is on, in fractions of both cells, -1 where none is near; each place once."""
    _require_same_cell(host, structure)
    gaps = structure.fractional[:, None, :] - host.fractional[None]
    apart = np.linalg.norm((gaps - np.round(gaps)) @ host.cell, axis=2)
    apart[structure.numbers[:, None] != host.numbers] = np.inf
    place, taken = np.full(len(structure), -1), np.zeros(len(host), dtype=bool)
    for flat in np.argsort(apart, axis=None, kind="stable"):
        atom, site = divmod(int(flat), len(host))
        if apart[atom, site] > REACH_A:
            break
        if place[atom] < 0 and not taken[site]:
            place[atom], taken[site] = site, True
    share = float(np.mean(place >= 0))
    if share < LEAST_SHARE:
        raise InputError(
            f"only {100 * share:.0f} % of the atoms of {structure.formula} are on places of the host {host.formula}; "
            f"{100 * LEAST_SHARE:.0f} % are needed. Take the crystal from which it was made as its host."
        )
    return place


def _require_same_cell(host: Structure, structure: Structure) -> None:
    change = float(np.abs(np.linalg.solve(host.cell, structure.cell) - np.eye(3)).max())
    if change > CELL_CHANGE:
        raise InputError(
            f"the cell of {structure.formula} is not that of the host {host.formula} (changed by {100 * change:.0f} %, "
            f"{100 * CELL_CHANGE:.0f} % is allowed); use the same supercell."
        )


def _mean_stiffness(host: Host, number: int) -> float:
    diagonal = np.diag(host.atoms).reshape(-1, 3)
    alike = host.structure.numbers == number
    return float(diagonal[alike].mean() if alike.any() else diagonal.mean())
