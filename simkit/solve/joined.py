"""Long paths in pieces: where a path is at a length, first guesses that follow part of it, pieces joined again."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.solve.outcome import CONVERGED
from simkit.solve.path import Hop, Path
from simkit.structure import Structure


def positions_at(path: Path, at_A: Floats) -> Floats:
    """(m, n, 3) A positions on the straight pieces between the images of a path, at lengths at_A (m,) along it."""
    images = np.array([image.positions for image in path.images])
    k = np.clip(np.searchsorted(path.distances_A, at_A, side="right") - 1, 0, len(images) - 2)
    share = (at_A - path.distances_A[k]) / (path.distances_A[k + 1] - path.distances_A[k])
    return images[k] + share[:, None, None] * (images[k + 1] - images[k])


def piece_of(path: Path, between_A: tuple[float, float], ends: tuple[Structure, Structure], images: int) -> Hop:
    """The part of a path between two lengths along it as a hop of its own, between relaxed states near its ends.

    The first guess is that part of the path, shifted linearly from what one end was moved by to what the other was.
    The ends are unwrapped along the path.
    """
    share = np.linspace(0.0, 1.0, images + 2)
    along = positions_at(path, between_A[0] + share * (between_A[1] - between_A[0]))
    moved = [end.positions - found for end, found in zip(ends, along[[0, -1]], strict=True)]
    guess = along + (1.0 - share)[:, None, None] * moved[0] + share[:, None, None] * moved[1]
    return Hop(*ends, guess=guess)


def joined_path(pieces: Sequence[Path]) -> Path:
    """One path of several that follow one another; the states between them become its `stops`.

    Steps and evaluations are those of all pieces; the climbing image is that of the highest piece, the residual force
    the largest of any. Converged where every piece is; else the status is the first that says why not.
    Raises InputError where a piece does not begin where the one before it ends.
    """
    for k, (one, after) in enumerate(itertools.pairwise(pieces)):
        apart = float(np.abs(one.images[-1].positions - after.images[0].positions).max())
        if apart > 1e-6:
            raise InputError(f"piece {k + 1} begins {apart:.3g} A from where piece {k} ends; give neighbours in order.")
    sizes = np.array([len(piece.images) - 1 for piece in pieces])
    first = np.concatenate([[0], np.cumsum(sizes)])
    start = np.concatenate([[0.0], np.cumsum([piece.distances_A[-1] for piece in pieces])])
    top = int(np.argmax([piece.energies_eV.max() for piece in pieces]))
    climbing = pieces[top].climbing_image
    bad = [piece.status for piece in pieces if not piece.converged]
    spreads = [piece.force_spreads_eV_per_A for piece in pieces]
    return Path(
        images=[image for k, piece in enumerate(pieces) for image in piece.images[min(k, 1) :]],
        energies_eV=_chained([piece.energies_eV for piece in pieces]),
        distances_A=_chained([piece.distances_A + s for piece, s in zip(pieces, start[:-1], strict=True)]),
        tangential_forces_eV_per_A=_chained([piece.tangential_forces_eV_per_A for piece in pieces]),
        converged=not bad,
        status=bad[0] if bad else CONVERGED,
        steps=sum(piece.steps for piece in pieces),
        evaluations=sum(piece.evaluations for piece in pieces),
        climbing_image=None if climbing is None else int(first[top]) + climbing,
        residual_force_eV_per_A=max(piece.residual_force_eV_per_A for piece in pieces),
        force_spreads_eV_per_A=None if any(s is None for s in spreads) else _chained(spreads),
        stops=tuple(int(k) for k in first[1:-1]),
    )


def _chained(parts: Sequence[Floats]) -> Floats:
    """Values at the images of all pieces, those of the states between them from the piece that ends there."""
    return np.concatenate([parts[0], *(part[1:] for part in parts[1:])])
