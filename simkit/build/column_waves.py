"""Waves of the layers seen through windows: which letters, senses and displacements each column shows."""

from __future__ import annotations

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.identify import stars, superlattices
from simkit.errors import InputError

TRIED = 4
"""Columns by which a primitive cell is chosen among the possible ones."""


def weights(fractional: Floats, count: int, width: float) -> Floats:
    """(C, n) Gaussian weights of the atoms in each column, periodic; width in fractions of the period."""
    offset = (np.arange(count)[:, None] + 0.5) / count - fractional[None]
    offset -= np.round(offset)
    return np.exp(-4.0 * np.log(2.0) * (offset / width) ** 2)


def best_lattice(plane: Floats, flat: Floats, columns: tuple) -> tuple[Floats, np.ndarray]:
    """The primitive cell that a few of the columns follow best, and the waves (3, C, N, 3) of all columns."""
    layer, shares, layering = columns
    candidates = superlattices(plane, layering.sites)
    if not candidates:
        raise InputError(f"no close-packed lattice with {layering.sites} cells per layer fits the in-plane cell.")
    order = np.argsort(layer, kind="stable")
    starts = np.searchsorted(layer[order], np.arange(3 * len(layering)))
    flat, shares = flat[order], shares[:, order]
    few = shares[:: max(1, len(shares) // TRIED)]
    scores = [float(np.abs(_waves(primitive, flat, few, starts)).mean()) for primitive in candidates]
    best = candidates[int(np.argmax(np.round(scores, 6)))]
    return best, _waves(best, flat, shares, starts).reshape(3, len(shares), len(layering), 3)


def _waves(primitive: Floats, flat: Floats, shares: Floats, starts: Integers) -> np.ndarray:
    """(3, C, layers) mean wave of every layer in every column; atoms sorted by layer, each starting at `starts`."""
    phases = np.exp(2j * np.pi * stars(primitive) @ flat.T)
    parts = [slice(a, b) for a, b in zip(starts, [*starts[1:], len(flat)], strict=True)]
    return np.stack([phases[:, p] @ shares[:, p].T / shares[:, p].sum(axis=1) for p in parts], axis=-1)


def column_senses(waves: np.ndarray) -> tuple[Integers, Floats, np.ndarray]:
    """Sense and order parameter (C, N) of every slab in every column, and its wave (3, C, N)."""
    turn = np.exp(-2j * np.pi / 3 * np.array([[1, 0, -1], [-1, 0, 1]]))
    sums = np.einsum("gcnl,sl->sgcn", waves, turn) / 3
    order = np.sqrt((np.abs(sums) ** 2).mean(axis=1))
    best = np.argmax(order, axis=0)
    slabs = np.take_along_axis(sums, best[None, None], axis=0)[0]
    return np.where(best == 0, 1, -1), np.take_along_axis(order, best[None], axis=0)[0], slabs


def relative(slabs: np.ndarray, image: np.ndarray) -> np.ndarray:
    """(3, C, N) wave of each slab above relative to the slab below, the image of slab 0 above the last."""
    above = np.concatenate([slabs[..., 1:], slabs[..., :1] * image], axis=2)
    return above * slabs.conj()


def continuous(steps: np.ndarray, primitive: Floats) -> Floats:
    """(C, N, 2) A displacement vectors of the relative waves, followed along the columns without jumps."""
    b, c, d = np.angle(steps)
    closing = b + c + d
    closing -= 2 * np.pi * np.round(closing / (2 * np.pi))
    u, v = (b - closing / 3) / (2 * np.pi), -(c - closing / 3) / (2 * np.pi)
    vectors = shortest(np.stack([u, v], axis=-1) @ primitive, primitive)
    moves = shortest(np.diff(vectors, axis=0), primitive)
    return vectors[:1] + np.concatenate([np.zeros_like(moves[:1]), np.cumsum(moves, axis=0)])


def shortest(vectors: Floats, primitive: Floats) -> Floats:
    """Shortest of the lattice-equivalent vectors."""
    fractional = vectors @ np.linalg.inv(primitive)
    fractional = fractional - np.round(fractional)
    steps = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1], indexing="ij"), -1).reshape(-1, 2)
    images = (fractional[..., None, :] + steps) @ primitive
    nearest = np.argmin(np.round(np.linalg.norm(images, axis=-1), 9), axis=-1)
    return np.take_along_axis(images, nearest[..., None, None], axis=-2)[..., 0, :]
