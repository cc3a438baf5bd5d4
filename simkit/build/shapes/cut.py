"""Cutting a finite cluster out of a periodic scaffold: metals by shape, anions by bonds, ions by anions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.fill.charges import BOND_A
from simkit.build.scaffold import Scaffold
from simkit.build.shapes.shape import Shape, Where
from simkit.errors import InputError
from simkit.kernels.pair_search import find_pairs

ION_REACH_A = 3.0
"""Anions nearer than this belong to an alkali site, A."""


@dataclass(frozen=True, eq=False)
class Cluster:
    """Unwrapped sites of a cluster: positions (m, 3) A, and site (m,) index into the scaffold they come from."""

    positions: Floats
    site: Integers
    role: np.ndarray


def cut(scaffold: Scaffold, shape: Shape, where: Where, ion_anions: int) -> Cluster:
    """Metals and tetrahedral cations inside a shape, all their anions, and the alkali sites these surround.

    ion_anions  how many of these anions an alkali site needs at least
    Raises InputError where no metal is inside.
    """
    found = shape.member(where)
    role = scaffold.role
    cations = np.flatnonzero(found.inside & np.isin(role, ("metal", "tetrahedral")))
    if not (role[cations] == "metal").any():
        raise InputError("no metal lies inside the shape; make it larger or move its centre onto a metal.")
    shift = found.shift[cations]
    anions = np.flatnonzero(role == "anion")
    shell, _ = _around(scaffold, (cations, shift), anions, BOND_A)
    near, numbers = _around(scaffold, shell, np.flatnonzero(role == "alkali"), ION_REACH_A)
    near = tuple(column[numbers >= ion_anions] for column in near)
    site = np.concatenate([cations, shell[0], near[0]])
    turns = np.concatenate([shift, shell[1], near[1]])
    order = np.lexsort((turns[:, 2], turns[:, 1], turns[:, 0], site))
    site, turns = site[order], turns[order]
    return Cluster(scaffold.positions[site] + turns @ scaffold.cell, site, role[site])


def trimmed(cluster: Cluster, ratio: float, ion_anions: int) -> Cluster:
    """The cluster with `ratio` anions per metal: the anions with fewest metals go first, outermost first.

    Alkali sites that lose too many anions go with them.
    """
    metals, anions = np.flatnonzero(cluster.role == "metal"), np.flatnonzero(cluster.role == "anion")
    surplus = len(anions) - round(ratio * len(metals))
    if surplus <= 0:
        return cluster
    box = _box(cluster.positions)
    bonds = neighbours(cluster.positions, box, anions, metals)
    distance = np.linalg.norm(cluster.positions[anions] - cluster.positions[metals].mean(axis=0), axis=1)
    gone = anions[np.lexsort((anions, -np.round(distance, 6), bonds))[:surplus]]
    left = np.setdiff1d(np.arange(len(cluster.site)), gone)
    kept = Cluster(cluster.positions[left], cluster.site[left], cluster.role[left])
    ions, anions = np.flatnonzero(kept.role == "alkali"), np.flatnonzero(kept.role == "anion")
    poor = ions[neighbours(kept.positions, box, ions, anions, ION_REACH_A) < ion_anions]
    left = np.setdiff1d(np.arange(len(kept.site)), poor)
    return Cluster(kept.positions[left], kept.site[left], kept.role[left])


def neighbours(positions: Floats, cell: Floats, atoms: Integers, others: Integers, reach_A: float = BOND_A) -> Integers:
    """(atoms,) how many of `others` lie within reach_A of each."""
    pairs = find_pairs(positions[atoms], positions[others], cell, reach_A)
    return np.bincount(pairs.point, minlength=len(atoms))


def _box(positions: Floats) -> Floats:
    return np.diag(np.ptp(positions, axis=0) + 4.0 * ION_REACH_A)


def _around(
    scaffold: Scaffold, centres: tuple[Integers, Integers], others: Integers, reach_A: float
) -> tuple[tuple[Integers, Integers], Integers]:
    """Unique (site, shift) of `others` within reach of unwrapped centres (site, shift), and how many reach it."""
    site, shift = centres
    pairs = find_pairs(scaffold.positions[site], scaffold.positions[others], scaffold.cell, reach_A)
    rows = np.column_stack([others[pairs.atom], pairs.shift + shift[pairs.point]])
    unique, number = np.unique(rows, axis=0, return_counts=True)
    return (unique[:, 0], unique[:, 1:]), number
