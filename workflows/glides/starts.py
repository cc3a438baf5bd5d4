"""Where the ions of galleries begin when slabs glide: they may stay, go along, go half way, or go the other way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simkit import build
from simkit.arrays import Floats
from simkit.structure import Structure

NUDGE_A = 0.15
"""Standard deviation of the in-plane nudge of free ions before a held slide relaxes, A."""
ACROSS = -1.0
"""Share of ions that go the other way: to the next octahedra of a gallery of octahedra that stays one."""


def ion_starts(before: Sequence[str], after: Sequence[str], lone: bool = False) -> list[Floats]:
    """(galleries,) shares of the ions of every gallery, one array for each start: 0 with one slab, 1 with the other.

    before, after  names of the galleries before and after the glide
    lone           one gallery slides between two alike halves of a crystal: to go along with one is to stay with the
                   other, upside down

    Prisms and octahedra that turn into one another: half the way, stay, go along. Where octahedra stay octahedra
    their ions go the other way while all others do each of these, and besides all go half way or stay, which is lower
    for short slides.
    """
    plain = [0.5, 0.0] if lone else [0.5, 0.0, 1.0]
    across = np.array([b.startswith("O") and a.startswith("O") for b, a in zip(before, after, strict=True)])
    alike = [np.full(len(across), share) for share in plain]
    if not across.any():
        return alike
    other_way = [np.where(across, ACROSS, one) for one in alike]
    return (other_way[:1] if across.all() else other_way) + alike[:2]


def slide_starts(
    structure: Structure, gallery: int, mode: str, seed: int, after: str
) -> list[tuple[Structure, Floats]]:
    """Structures and weights from which one gallery slides to become `after`: one; for free ions (held) one for each
    start of theirs, nudged."""
    weights = build.slide_weights(structure, gallery)
    if mode != "held":
        return [(structure, weights)]
    ions = structure.tags["gallery"] == gallery
    nudged = with_nudged_ions(structure, ions, seed)
    now = build.classify(structure).stack.gap(gallery)
    return [(nudged, np.where(ions, shares[0], weights)) for shares in ion_starts([now], [after], lone=True)]


def with_nudged_ions(structure: Structure, ions: np.ndarray, seed: int) -> Structure:
    """The structure with those ions moved a little in the plane (`NUDGE_A`): none stays on a symmetry element."""
    nudge = np.zeros_like(structure.positions)
    nudge[ions, :2] = np.random.default_rng(seed).normal(0.0, NUDGE_A, (int(ions.sum()), 2))
    return structure.moved_to(structure.positions + nudge)
