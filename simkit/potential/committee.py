"""Several models of one thing asked together: their mean, and how far they are apart.

Members differ by what training leaves to chance (seed, order of the data), so they agree where the data speak and
part where they do not. Their mean is a potential like any other: its forces are the mean of the members' forces, which
is minus the gradient of the mean energy, so it conserves energy, relaxes and has bands. What it costs is the sum of its
members. The spread says where the members disagree; what the training data or the teacher got wrong, they get wrong
together, and no spread shows it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.potential.base import Evaluations, Potential, Spreads
from simkit.potential.card import Card
from simkit.potential.sum import common_elements
from simkit.structure import Batch

KIND = "committee"
LIMIT = (
    "The spread shows where the members disagree, not what they all learned wrongly from the same data: it is no bound "
    "of the error."
)


class Committee(Potential):
    """The mean of several potentials, and their spread in every answer.

    Energies, forces, stresses and atomic virials are means over the members. `Evaluations.spread` holds

    energy  (m,) eV/atom: sqrt(sum_k (E_k - <E>)^2 / (M - 1)) / n, the standard deviation of one member. Every member
            has an offset of its own, nearly the same for structures of one composition, which is part of this number
            and cancels from differences: energies of two states of one cell are better known than their spreads say.
            `difference_spread` of the members' energies, which are there too, says how well.
    forces  (n,) eV/A: sqrt(<|F_k - <F>|^2>) of each atom, the model deviation of Zhang, Lin, Wang, Car and E,
            Phys. Rev. Materials 3, 023804 (2019). Offsets cancel, so this is what limits are set on.

    card defaults to `committee_card(members)`. Members must share their reference of energy: potentials fitted to
    different calculations give a spread of energies without meaning. Raises InputError for fewer than two members.
    """

    def __init__(self, members: Sequence[Potential], card: Card | None = None) -> None:
        if len(members) < 2:
            raise InputError(f"a committee of {len(members)} has no spread; give at least two members.")
        self._members = tuple(members)
        self.card = committee_card(self._members) if card is None else card

    @property
    def members(self) -> tuple[Potential, ...]:
        """The potentials asked, in order."""
        return self._members

    def _compute(self, batch: Batch, virials: bool) -> Evaluations:
        said = [member.evaluate_batch(batch, virials) for member in self._members]
        return combined(said)


def combined(said: Sequence[Evaluations]) -> Evaluations:
    """Mean and spread of what several members said of one batch; the formulas are those of `Committee`."""
    energies, forces = np.stack([one.energy for one in said]), np.stack([one.forces for one in said])
    system_of = said[0].system_of
    return Evaluations(
        energies.mean(axis=0),
        forces.mean(axis=0),
        np.mean([one.stress for one in said], axis=0),
        None if said[0].virials is None else np.mean([one.virials for one in said], axis=0),
        system_of,
        Spreads(energy_spread(energies, np.bincount(system_of)), force_spread(forces), energies.T),
    )


def energy_spread(energies: Floats, atoms: Floats) -> Floats:
    """(m,) eV/atom: standard deviation (M - 1 in the denominator) over members of energies (M, m) eV; atoms (m,)."""
    with np.errstate(invalid="ignore"):  # an infinite energy has no spread: nan, as the solvers see it too
        return energies.std(axis=0, ddof=1) / atoms


def difference_spread(energies: Floats, first: int = 0) -> Floats:
    """(k,) eV: standard deviation over members of the energies (k, M) eV of k states, each above state `first`."""
    with np.errstate(invalid="ignore"):
        return (energies - energies[first]).std(axis=1, ddof=1)


def force_spread(forces: Floats) -> Floats:
    """(n,) eV/A: root mean square distance of the members' forces (M, n, 3) eV/A from their mean."""
    with np.errstate(invalid="ignore"):
        away = forces - forces.mean(axis=0)
        return np.sqrt(np.mean(np.sum(away**2, axis=2), axis=0))


def committee_card(members: Sequence[Potential], specs: Sequence[str] = ()) -> Card:
    """The card of a committee: what its members have in common, and what each of them is not good for.

    specs: the words that load the members, one each; without them the names on their cards are listed. The hash is
    that of the members' hashes, empty where no member has weights.
    """
    cards = [member.card for member in members]
    names = tuple(specs) or tuple(card.name for card in cards)
    cutoffs = [card.cutoff_A for card in cards if card.cutoff_A is not None]
    hashes = [card.sha256 for card in cards]
    return Card(
        name=f"{KIND}:{','.join(names)}",
        kind=KIND,
        summary=f"Mean of {len(cards)} potentials: {'; '.join(dict.fromkeys(card.summary for card in cards))}",
        elements=common_elements(members),
        cutoff_A=max(cutoffs) if cutoffs else None,
        dtype=_shared(cards, lambda card: card.dtype),
        device=_shared(cards, lambda card: card.device),
        virials=all(card.virials for card in cards),
        licence=_shared(cards, lambda card: card.licence),
        source=_shared(cards, lambda card: card.source),
        sha256=hashlib.sha256(" ".join(hashes).encode()).hexdigest() if any(hashes) else "",
        limits=(*dict.fromkeys(limit for card in cards for limit in card.limits), LIMIT),
        committee=names,
    )


def _shared(cards: Sequence[Card], word: Callable[[Card], str]) -> str:
    """A fact of the members, each different one once."""
    return "; ".join(dict.fromkeys(found for card in cards if (found := word(card))))
