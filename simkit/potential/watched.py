"""A potential that keeps the structures its committee disagrees about, so that they can be labelled next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.kernels.neighbours import pairs_within
from simkit.potential.base import Evaluations, Potential, Spread
from simkit.structure import Batch, Structure

SPREAD_LIMIT_EV_PER_A = 0.15
"""Largest spread of the force on an atom that passes unremarked, eV/A: what the worst of some 200 atoms reaches in
99.5 % quantile when three or four members scatter by 60 meV/A in each component, as good models do where they were
trained (chi square with 3 (M - 1) degrees of freedom: 0.149 for M = 3, 0.146 for M = 4)."""
KEPT = 20
"""Doubtful structures kept: a round of labelling."""
NEAR_A = 0.2
"""Structures are one when no atom lies farther from its place in the other, A: the amplitude of thermal vibration, so
one label says what the other would."""
CLOSEST_A = 1.0
"""Atoms nearer than this are a failed trial step, not worth a label, A: the shortest bond of an oxide, O2, has 1.21."""


@dataclass(frozen=True)
class Limits:
    """spread_eV_per_A of the force on one atom above which a structure is doubtful; keep: at most so many of them."""

    spread_eV_per_A: float = SPREAD_LIMIT_EV_PER_A
    keep: int = KEPT


@dataclass(frozen=True)
class Seen:
    """Largest spreads of some evaluations (energy eV/atom, forces eV/A), how many they were, how many doubtful.

    Failed trial steps (see `labelable`) do not count.
    """

    evaluations: int = 0
    doubtful: int = 0
    energy: float = 0.0
    forces: float = 0.0

    def plus(self, other: Seen) -> Seen:
        """Both together."""
        return Seen(
            self.evaluations + other.evaluations,
            self.doubtful + other.doubtful,
            max(self.energy, other.energy),
            max(self.forces, other.forces),
        )


@dataclass(frozen=True, eq=False)
class Doubtful:
    """A structure the members disagree about, without layers and tags, and their spread on it."""

    structure: Structure
    spread: Spread


class Watched(Potential):
    """Wraps a potential; results are those of the wrapped one, and nothing is watched where they hold no spread.

    `kept` are the doubtful structures seen so far, worst first, no two of them nearer than `NEAR_A`, at most
    `limits.keep`; `kept` given to begin with are those of an earlier part of the same work. Raises InputError for
    limits that are not positive.
    """

    def __init__(self, potential: Potential, limits: Limits = Limits(), kept: Iterable[Doubtful] = ()) -> None:
        if not limits.spread_eV_per_A > 0 or limits.keep < 1:
            raise InputError(
                f"spread limit {limits.spread_eV_per_A} eV/A, keep {limits.keep}; the limit must be positive and at "
                "least one structure kept."
            )
        self._potential = potential
        self.card = potential.card
        self.limits = limits
        self.kept: tuple[Doubtful, ...] = ()
        self._seen = Seen()
        for one in kept:
            self.kept = with_doubtful(self.kept, one, limits.keep)

    def take_seen(self) -> Seen:
        """What was seen since this was last asked."""
        seen, self._seen = self._seen, Seen()
        return seen

    def _compute(self, batch: Batch, virials: bool) -> Evaluations:
        result = self._potential.evaluate_batch(batch, virials)
        if result.spread is not None:
            self._look(batch, result)
        return result

    def _look(self, batch: Batch, result: Evaluations) -> None:
        energy, forces = result.spread.energy, np.maximum.reduceat(result.spread.forces, batch.starts[:-1])
        counted = np.isfinite(energy) & np.isfinite(forces)  # broken numbers are the solvers' to report
        doubtful = 0
        for system in np.flatnonzero(counted & (forces > self.limits.spread_eV_per_A)):
            structure = labelable(batch, int(system))
            if structure is None:
                counted[system] = False
                continue
            doubtful += 1
            self.kept = with_doubtful(self.kept, Doubtful(structure, result[int(system)].spread), self.limits.keep)
        largest = [float(x[counted].max(initial=0.0)) for x in (energy, forces)]
        self._seen = self._seen.plus(Seen(int(counted.sum()), doubtful, *largest))


def with_doubtful(kept: tuple[Doubtful, ...], new: Doubtful, most: int) -> tuple[Doubtful, ...]:
    """Kept structures and a new one, worst first, at most `most`; of those near it only the worst stays."""
    if len(kept) == most and new.spread.largest <= kept[-1].spread.largest:
        return kept
    near = [one for one in kept if same(one.structure, new.structure)]
    if any(one.spread.largest >= new.spread.largest for one in near):
        return kept
    rest = [one for one in kept if all(one is not other for other in near)]
    return tuple(sorted([*rest, new], key=lambda one: -one.spread.largest)[:most])


def same(a: Structure, b: Structure) -> bool:
    """Whether two structures hold the same atoms in the same order, none moved by `NEAR_A` or more.

    Places are compared in fractional coordinates up to whole cell vectors, and so are the ends of the cell vectors.
    """
    if len(a) != len(b) or not np.array_equal(a.numbers, b.numbers) or not np.array_equal(a.periodic, b.periodic):
        return False
    apart = a.fractional - b.fractional
    apart -= np.round(apart) * a.periodic
    return _longest(a.cell - b.cell) < NEAR_A and _longest(apart @ a.cell) < NEAR_A


def labelable(batch: Batch, system: int) -> Structure | None:
    """One system of a batch as a structure; None for a trial step that failed.

    That is two atoms nearer than `CLOSEST_A`, or a cell that is no cell any more (inside out, flat).
    """
    first, last = batch.starts[system : system + 2]
    cell, periodic = batch.cells[system], batch.periodic[system]
    try:
        structure = Structure(batch.numbers[first:last], batch.positions[first:last], cell, periodic)
    except InputError:
        return None
    starts = np.array([0, len(structure)])
    near = pairs_within(structure.positions, structure.cell[None], structure.periodic[None], starts, CLOSEST_A)
    return None if len(near) else structure


def _longest(vectors: Floats) -> float:
    return float(np.linalg.norm(vectors, axis=1).max())
