"""What the two ends of a path must have in common, and one clear sentence where they have not."""

from __future__ import annotations

from collections import Counter

import numpy as np

from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.kernels.solve_pairs import close_pairs
from simkit.solve.idpp import shortest_way
from simkit.structure import Structure

SAME_A = 0.1
"""Endpoints whose atoms all lie within this distance of each other are one and the same state."""
ONE_PLACE_A = 0.5
"""Two atoms nearer than this sit on one place: the shortest bond there is, H2, has 0.74 A."""
ON_END_A = 1e-6
"""A first guess ends where its path ends, to within rounding."""
EXCHANGED_A = 1.0
"""Two alike atoms that move farther than this, each to within half of it of the other's place, are exchanged."""


def check_ends(initial: Structure, final: Structure, through: Structure | None = None) -> None:
    """Raise InputError where the ends of a path, and a structure on its way, do not belong together."""
    for name, other in (("final", final), ("through", through)):
        if other is None:
            continue
        if not np.array_equal(initial.numbers, other.numbers):
            raise InputError(_unlike(initial, other, name))
        change = float(np.abs(initial.cell - other.cell).max())
        if change > 1e-6 or not np.array_equal(initial.periodic, other.periodic):
            raise InputError(
                f"the cells of initial and {name} differ by {change:.3g} A; "
                "a path keeps one cell: relax both ends in the same one."
            )
    for name, structure in (("initial", initial), ("final", final)):
        _require_apart(name, structure)
    way = shortest_way(initial, final)
    if through is None:
        _require_order(initial, way)
    apart = float(np.linalg.norm(way, axis=1).max())
    if apart < SAME_A:
        raise InputError(
            f"initial and final are the same state (no atom differs by more than {apart:.3g} A; "
            f"{SAME_A} A is needed): the hop is spontaneous, one end relaxed into the other."
        )


def check_guess(initial: Structure, final: Structure, guess: Floats, images: int) -> None:
    """Raise InputError where a first guess has other images, other atoms or other ends than its path."""
    wanted = (images + 2, len(initial), 3)
    if guess.shape != wanted:
        raise InputError(f"the first guess has shape {guess.shape}; {images} images between these ends need {wanted}.")
    for name, end, found in (("initial", initial, guess[0]), ("final", final, guess[-1])):
        away = float(np.linalg.norm(shortest_way(end, end.moved_to(found)), axis=1).max())
        if away > ON_END_A:
            raise InputError(f"the first guess lies {away:.3g} A from the {name} structure; it must end there.")


def _unlike(initial: Structure, other: Structure, name: str) -> str:
    """How the atoms of two structures differ: lost ions, other elements, or the order alone."""
    wanted = "a path needs the same atoms in the same order."
    if initial.formula == other.formula:
        return f"initial and {name} ({other.formula}) hold the same atoms in another order; {wanted}"
    counts = [Counter(s.symbols) for s in (initial, other)]
    fewer = [f"{n} {symbol}" for symbol, n in (counts[0] - counts[1]).items()]
    more = [f"{n} {symbol}" for symbol, n in (counts[1] - counts[0]).items()]
    change = " and ".join(
        f"{', '.join(found)} {word}" for found, word in ((fewer, "lost on the way"), (more, "more")) if found
    )
    return f"initial ({initial.formula}) and {name} ({other.formula}) hold different atoms: {change}; {wanted}"


def _require_apart(name: str, structure: Structure) -> None:
    """Raise InputError where two atoms of a structure are on one place."""
    first, second, shift = close_pairs(structure.positions, structure.cell, structure.periodic, ONE_PLACE_A)
    if len(first):
        i, j = int(first[0]), int(second[0])
        apart = float(np.linalg.norm(structure.positions[j] + shift[0] - structure.positions[i]))
        raise InputError(
            f"{name}: a place is occupied twice, atoms {i} ({structure.symbols[i]}) and {j} ({structure.symbols[j]}) "
            f"are {apart:.2f} A apart; take one of them out, or send the ion elsewhere."
        )


def _require_order(initial: Structure, way: Floats) -> None:
    """Raise InputError where two alike atoms have taken one another's place: a list that was sorted, not a hop."""
    far = np.flatnonzero(np.linalg.norm(way, axis=1) > EXCHANGED_A)
    becomes = {}
    for i in far:
        there = initial.positions[i] + way[i] - initial.positions[far]
        fractional = there @ np.linalg.inv(initial.cell)
        gaps = np.linalg.norm((fractional - np.round(fractional)) @ initial.cell, axis=1)
        k = int(np.argmin(gaps))
        if gaps[k] < 0.5 * EXCHANGED_A and initial.numbers[far[k]] == initial.numbers[i] and far[k] != i:
            becomes[int(i)] = int(far[k])
    for i, j in becomes.items():
        if becomes.get(j) == i:
            raise InputError(
                f"atoms {i} and {j} ({initial.symbols[i]}) have exchanged their places: the order of the atoms differs "
                "between initial and final. Keep one order in both ends, or name a structure on the way (`through`)."
            )
