"""First guesses of a path: straight in the minimum image, then by pair distances (IDPP)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.kernels.solve_idpp import idpp
from simkit.kernels.solve_pairs import close_pairs
from simkit.solve.descent import Descent, Limits, run
from simkit.solve.groups import Groups
from simkit.solve.landscape import Answers, Landscape, Point
from simkit.solve.lbfgs import Lbfgs
from simkit.solve.tangents import band_forces, tangents
from simkit.structure import Batch, Structure

CUTOFF_A = 6.0
"""Pairs farther apart than this along the whole straight path are left out: their weight is below 1/1296."""
CLASH = 0.6
"""An image may have no pair closer than this fraction of the endpoints' closest pair."""


def shortest_way(initial: Structure, final: Structure) -> Floats:
    """(n, 3) A displacement of each atom from `initial` to its nearest periodic image in `final`.

    Searches the 27 images around the rounded one, so skewed cells are right too.
    """
    fractional = (final.positions - initial.positions) @ np.linalg.inv(initial.cell)
    periodic = initial.periodic
    fractional = fractional - np.where(periodic, np.round(fractional), 0.0)
    near = [np.array([-1, 0, 1]) if p else np.array([0]) for p in periodic]
    grid = np.stack(np.meshgrid(*near, indexing="ij"), axis=-1).reshape(-1, 3)
    ways = (fractional[:, None, :] + grid[None]) @ initial.cell
    best = np.argmin(np.einsum("ngc,ngc->ng", ways, ways), axis=1)
    return ways[np.arange(len(ways)), best]


def interpolated(initial: Structure, final: Structure, images: int, seed: int = 0) -> Floats:
    """(images + 2, n, 3) A positions of a path, endpoints included, unwrapped along it.

    Image dependent pair potential of Smidstrup et al., J. Chem. Phys. 140, 214106 (2014), relaxed as a
    band. Pairs and their periodic images are chosen once, along the straight minimum-image line, so a hop
    across a cell face is the same as one inside. Where the straight line runs through an atom, a
    displacement of 0.1 A drawn from `seed` decides the side.
    Raises InputError when an image still has atoms far closer than the endpoints have.
    """
    way = shortest_way(initial, final)
    s = np.linspace(0.0, 1.0, images + 2)[:, None, None]
    straight = initial.positions + s * way
    if images == 0:
        return straight
    pairs = _pairs(initial, straight)
    if not len(pairs[0]):
        return straight
    ends = _distances(straight[[0, -1]], *pairs)
    closest = float(ends.min())
    if _distances(straight[1:-1], *pairs).min() < 0.5 * closest:
        straight = straight + _kink(way, images, seed)
    wanted = ends[0] + s[1:-1, 0] * (ends[1] - ends[0])
    band = _Distances(straight, pairs, wanted)
    state = run(
        Descent(
            band,
            Lbfgs(max_step=0.2, curvature=1.0),
            Limits(max_steps=300, force_limit_eV_per_A=np.inf, rise_eV_per_atom=np.inf),
        )
    )
    path = band.path(state.point.x)
    found = float(_distances(path, *pairs).min())
    if found < CLASH * closest:
        raise InputError(
            f"the interpolated path brings two atoms to {found:.2f} A (endpoints: {closest:.2f} A); "
            "give a structure on the way with `through`, or check that atoms have the same order in both ends."
        )
    return path


def interpolated_through(initial: Structure, final: Structure, through: Structure | None, images: int) -> Floats:
    """`interpolated`, led over a given structure, which becomes image images // 2 (counted from 0)."""
    if through is None:
        return interpolated(initial, final, images)
    first = images // 2
    head = interpolated(initial, through, first)
    on_path = through.moved_to(head[-1])
    tail = interpolated(on_path, final, images - 1 - first)
    return np.concatenate([head, tail[1:]])


def _kink(way: Floats, images: int, seed: int) -> Floats:
    """A bow of 0.1 A of the atoms that move most, zero at the endpoints."""
    s = np.linspace(0.0, 1.0, images + 2)[:, None, None]
    length = np.linalg.norm(way, axis=1, keepdims=True)
    aside = np.random.default_rng(seed).normal(size=way.shape)
    aside *= length / max(float(length.max()), 1e-12)
    return 0.1 * np.sin(np.pi * s) * aside


def _pairs(structure: Structure, straight: Floats) -> tuple[np.ndarray, np.ndarray, Floats]:
    """Pairs within the cut-off in any image of the straight path, each with one fixed lattice shift."""
    found = []
    inverse = np.linalg.inv(structure.cell)
    for positions in straight:
        first, second, shift = close_pairs(positions, structure.cell, structure.periodic, CUTOFF_A)
        found.append(np.column_stack([first, second, np.rint(shift @ inverse).astype(np.int64)]))
    rows = np.unique(_one_way(np.concatenate(found)), axis=0)
    rows = rows[rows[:, 0] != rows[:, 1]]
    return rows[:, 0].copy(), rows[:, 1].copy(), rows[:, 2:] @ structure.cell


def _one_way(rows: np.ndarray) -> np.ndarray:
    """Each pair with the lower atom first."""
    turned = np.column_stack([rows[:, 1], rows[:, 0], -rows[:, 2:]])
    return np.where((rows[:, 0] > rows[:, 1])[:, None], turned, rows)


def _distances(positions: Floats, first: np.ndarray, second: np.ndarray, shift: Floats) -> Floats:
    return np.linalg.norm(positions[:, second] + shift - positions[:, first], axis=2)


@dataclass(frozen=True, eq=False)
class _Distances(Landscape):
    """A band on the pair-distance potential: one group, no model evaluations."""

    first_guess: Floats
    pairs: tuple[np.ndarray, np.ndarray, Floats]
    wanted: Floats

    @cached_property
    def groups(self) -> Groups:
        return Groups(np.zeros(self.first_guess[1:-1].size, dtype=np.int64), 1)

    @cached_property
    def owner(self) -> np.ndarray:
        return np.zeros(1, dtype=np.int64)

    @cached_property
    def batch(self) -> Batch:
        """One dummy system holding all moving atoms; it is never shown to a potential."""
        n = self.first_guess[1:-1].size // 3
        return Batch(
            np.ones(n, np.int64), np.zeros((n, 3)), np.eye(3)[None], np.ones((1, 3), bool), np.zeros(n, np.int64)
        )

    def start(self) -> Floats:
        return self.first_guess[1:-1].ravel().copy()

    def path(self, x: Floats) -> Floats:
        """(images + 2, n, 3) positions with the endpoints."""
        inner = x.reshape(self.first_guess[1:-1].shape)
        return np.concatenate([self.first_guess[:1], inner, self.first_guess[-1:]])

    def at(self, x: Floats, active: np.ndarray, before: Point | None) -> Point:
        path = self.path(x)
        energies, forces = idpp(path[1:-1], *self.pairs, self.wanted)
        levels = np.concatenate([[0.0], energies, [0.0]])
        push, _ = band_forces(path, tangents(path, levels)[1:-1], forces, 0.3)
        largest = np.array([np.linalg.norm(push, axis=2).max()])
        answers = Answers(energies[:1] * 0, forces.reshape(-1, 3), np.zeros((1, 3, 3)))
        total = np.array([energies.sum()])
        return Point(x, push.ravel(), answers, total, largest, largest / 0.01, total, np.array([-1]))
