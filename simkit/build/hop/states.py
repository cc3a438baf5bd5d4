"""States that hops join: which ions are gone and what sits elsewhere, shared by every hop that begins or ends there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.hop.ends import arrival, endpoints, nearest_image
from simkit.build.hop.record import Hop
from simkit.structure import Structure

DIGITS = 3
"""Places that agree to so many decimals of the cell vectors are one."""


@dataclass(frozen=True)
class State:
    """A structure with some atoms gone and at most one elsewhere.

    gone    atoms taken out of the structure, ascending
    number  atomic number of the atom that was put on an empty place, 0 where there is none
    place   fractional coordinates of that place, rounded; () where there is none
    """

    gone: tuple[int, ...] = ()
    number: int = 0
    place: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Ends:
    """The two states of a hop, and `order`: which atom of the final state each atom of the initial one becomes."""

    initial: State
    final: State
    order: Integers


def ends_of(structure: Structure, hop: Hop) -> Ends:
    """The states a hop joins. Raises InputError where the hop does not belong to the structure.

    An ion that hops into an emptied site leaves the same state as that site's own ion would have kept: the vacancy
    has moved, so one relaxation of each vacancy serves all hops from and to it.
    """
    endpoints(structure, hop)
    gone = {atom for atom in (hop.vacancy, hop.second) if atom >= 0}
    initial = State(tuple(sorted(gone)))
    swaps = hop.vacancy >= 0 and structure.numbers[hop.vacancy] == structure.numbers[hop.ion]
    if swaps:
        final = State(tuple(sorted(gone - {hop.vacancy} | {hop.ion})))
    else:
        where = (np.array(hop.target_A) @ np.linalg.inv(structure.cell)).round(DIGITS) % 1.0
        final = State(
            tuple(sorted(gone | {hop.ion})), int(structure.numbers[hop.ion]), tuple(map(float, where.round(DIGITS)))
        )
    kept = _kept(structure, final)
    number_of = {int(atom): k for k, atom in enumerate(kept)}
    number_of[hop.ion] = number_of[hop.vacancy] if swaps else len(kept)
    return Ends(initial, final, np.array([number_of[int(atom)] for atom in _kept(structure, initial)]))


def arranged(structure: Structure, hop: Hop, state: State) -> Structure:
    """The unrelaxed atoms of one of the states of a hop, in the order of that state: the atom put elsewhere is last."""
    kept = _kept(structure, state)
    if not state.number:
        return structure.take(kept)
    atoms = structure.take(np.append(kept, hop.ion))
    return atoms.moved_to(np.vstack([atoms.positions[:-1], arrival(structure, hop)]))


def joined(structure: Structure, hop: Hop, initial: Structure, final: Floats) -> tuple[Structure, Structure | None]:
    """Final structure of a hop and a structure on its way, from relaxed states.

    initial  the relaxed initial state; final (n, 3) A, places of its atoms in the relaxed final state (`Ends.order`)

    Every atom is taken in the image nearest to where it was, the moving ion in the one the hop leads to. On the way
    is a structure with that ion at the place the hop passes, or half way where the hop does not lead to the nearest
    image; None where the way is plain.
    """
    ion = hop.moving
    fractional = (final - initial.positions) @ np.linalg.inv(initial.cell)
    there = initial.positions + (fractional - np.round(fractional)) @ initial.cell
    there[ion] = nearest_image(arrival(structure, hop), final[ion], initial.cell)
    plain = nearest_image(initial.positions[ion], final[ion], initial.cell)
    end = initial.moved_to(there)
    if hop.through_A is None and np.abs(plain - there[ion]).max() < 0.1:
        return end, None
    middle = 0.5 * (initial.positions + there)
    if hop.through_A is not None:
        middle[ion] = hop.through_A
    return end, initial.moved_to(middle)


def _kept(structure: Structure, state: State) -> Integers:
    return np.delete(np.arange(len(structure)), state.gone)
