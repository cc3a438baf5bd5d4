"""The oracle every solver asks: structures in, energies, forces, stresses and atomic virials out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats
from simkit.elements import SYMBOLS
from simkit.errors import InputError, SimkitError
from simkit.potential.card import Card
from simkit.structure import Batch, Structure


@dataclass(frozen=True, eq=False)
class Spread:
    """How far the members of a committee are apart on one structure; see `committee.Committee` for the formulas.

    energy   eV per atom
    forces   (n,) eV/A, one number an atom
    members  (M,) eV, the energy that each member gives, for spreads of differences; None where it was not carried on
    """

    energy: float
    forces: Floats
    members: Floats | None = None

    @property
    def largest(self) -> float:
        """Spread of the force on the atom the members agree least about, eV/A."""
        return float(self.forces.max())


@dataclass(frozen=True, eq=False)
class Spreads:
    """`Spread` of a whole batch: energy (m,) eV per atom, forces (n,) eV/A, members (m, M) eV or None."""

    energy: Floats
    forces: Floats
    members: Floats | None = None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a potential says of one structure.

    energy  eV
    forces  (n, 3) eV/A
    stress  (3, 3) eV/A^3, (1/V) dE/dstrain, tensile positive
    virials (n, 3, 3) eV per atom, summing to V x stress; None when not asked for
    spread  of the members of a committee; None for a single potential
    """

    energy: float
    forces: Floats
    stress: Floats
    virials: Floats | None = None
    spread: Spread | None = None

    @property
    def finite(self) -> bool:
        """Whether energy, forces and stress are all finite numbers."""
        return bool(np.isfinite(self.energy) and np.isfinite(self.forces).all() and np.isfinite(self.stress).all())


@dataclass(frozen=True, eq=False)
class Evaluations:
    """`Evaluation` of a whole batch as flat arrays.

    energy (m,) eV, forces (n, 3) eV/A, stress (m, 3, 3) eV/A^3, virials (n, 3, 3) eV or None,
    system_of (n,): [0, atoms) -> [0, systems); spread of a committee's members, None for a single potential.
    """

    energy: Floats
    forces: Floats
    stress: Floats
    virials: Floats | None
    system_of: np.ndarray
    spread: Spreads | None = None

    def __len__(self) -> int:
        return len(self.energy)

    def __getitem__(self, system: int) -> Evaluation:
        first, last = np.searchsorted(self.system_of, [system, system + 1])
        virials = None if self.virials is None else self.virials[first:last]
        spread, found = None, self.spread
        if found is not None:
            members = None if found.members is None else found.members[system]
            spread = Spread(float(found.energy[system]), found.forces[first:last], members)
        return Evaluation(float(self.energy[system]), self.forces[first:last], self.stress[system], virials, spread)

    def split(self) -> list[Evaluation]:
        """One `Evaluation` per system."""
        return [self[system] for system in range(len(self))]


class Potential(ABC):
    """An interatomic potential asked in batches; `card` says what it is, knows and is not good for."""

    card: Card

    @abstractmethod
    def _compute(self, batch: Batch, virials: bool) -> Evaluations:
        """Evaluate a checked batch."""

    def evaluate_batch(self, batch: Batch, virials: bool = False) -> Evaluations:
        """Energies, forces, stresses and, when asked, atomic virials of a batch as flat arrays.

        Raises InputError when the batch holds an element the potential does not know. Non-finite
        results are returned as they are: the solvers turn them into a status.
        """
        check_elements(batch.numbers, self.card)
        if virials and not self.card.virials:
            raise SimkitError(
                f"{self.card.name} gives no atomic virials, so no stress map can be made from it; "
                "use a MACE, CHGNet or analytic potential."
            )
        return self._compute(batch, virials)

    def evaluate(self, structures: Sequence[Structure], virials: bool = False) -> list[Evaluation]:
        """One `Evaluation` per structure; see `evaluate_batch`."""
        if isinstance(structures, Structure):
            raise InputError("evaluate takes a list of structures; write evaluate([structure])[0].")
        return self.evaluate_batch(Batch.of(list(structures)), virials).split()


def check_elements(numbers: np.ndarray, card: Card) -> None:
    """Raise InputError when an element is not on the card."""
    if card.elements is None:
        return
    unknown = sorted({SYMBOLS[z] for z in np.unique(numbers)} - set(card.elements))
    if unknown:
        raise InputError(
            f"potential {card.name!r} does not know {', '.join(unknown)}; it knows {', '.join(card.elements)}. "
            "Choose another potential ('chgnet+d3' knows most elements) or another composition."
        )
