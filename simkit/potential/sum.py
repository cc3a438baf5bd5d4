"""Potentials added to one another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simkit.errors import InputError
from simkit.potential.base import Evaluations, Potential, Spreads
from simkit.potential.card import Card
from simkit.structure import Batch


class SumPotential(Potential):
    """The sum of several potentials: energies, forces, stresses and virials are added.

    The spread is that of the part that has one; of several, as of independent errors, the root of the sum of squares.
    """

    def __init__(self, parts: Sequence[Potential], card: Card) -> None:
        if not parts:
            raise InputError("a sum of potentials needs at least one part.")
        self.card = card
        self._parts = tuple(parts)

    @property
    def parts(self) -> tuple[Potential, ...]:
        """The potentials added, in order."""
        return self._parts

    def _compute(self, batch: Batch, virials: bool) -> Evaluations:
        results = [part.evaluate_batch(batch, virials) for part in self._parts]
        return Evaluations(
            sum(r.energy for r in results),
            sum(r.forces for r in results),
            sum(r.stress for r in results),
            sum(r.virials for r in results) if virials else None,
            batch.system_of,
            _spread(results),
        )


def _spread(results: Sequence[Evaluations]) -> Spreads | None:
    """Spread of the sum; the other parts are added to each member, and members of several parts are not paired."""
    told = [r for r in results if r.spread is not None]
    found = [r.spread for r in told]
    if not found:
        return None
    members = None
    if len(found) == 1 and found[0].members is not None:
        members = found[0].members + (sum(r.energy for r in results) - told[0].energy)[:, None]
    return Spreads(np.sqrt(sum(s.energy**2 for s in found)), np.sqrt(sum(s.forces**2 for s in found)), members)


def common_elements(parts: Sequence[Potential]) -> tuple[str, ...] | None:
    """Elements that every part knows, in the order of the first that names them; None when all accept any."""
    named = [part.card.elements for part in parts if part.card.elements is not None]
    if not named:
        return None
    return tuple(symbol for symbol in named[0] if all(symbol in other for other in named))
