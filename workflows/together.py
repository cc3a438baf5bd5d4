"""Several pieces of work side by side, whatever they are: what they ask of the potential at one time is one batch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from simkit.errors import SimkitError
from simkit.potential.base import Evaluations, Potential, Spreads
from simkit.structure import Batch

Value = TypeVar("Value")
LOOK_S = 0.2
"""Between two looks of the main thread for signals."""


class Abandoned(SimkitError):
    """The process is told to end while others wait for an answer."""


def together(potential: Potential, jobs: Sequence[Callable[[Potential], Value]]) -> list[Value | BaseException]:
    """What each job returned or raised; jobs run in threads, and those that wait for the potential are asked jointly.

    A round is over when every job that still runs has asked, so that the batches do not depend on the speed of
    threads. An answer is that of a job alone where the potential's answer for a cell does not depend on its company
    (analytic models, MACE by simkit's kernels), and within rounding elsewhere.
    """
    if len(jobs) == 1:
        return [_result(jobs[0], potential)]
    table = _Table(potential, len(jobs))
    found: list[Any] = [None] * len(jobs)

    def run(place: int) -> None:
        found[place] = _result(jobs[place], _Door(table, place))
        table.leave()

    threads = [threading.Thread(target=run, args=(place,), daemon=True) for place in range(len(jobs))]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():
                thread.join(LOOK_S)
    except BaseException:
        table.abandon()
        raise
    return found


def _result(job: Callable[[Potential], Value], potential: Potential) -> Value | BaseException:
    try:
        return job(potential)
    except Exception as error:  # each belongs to its own job
        return error


class _Door(Potential):
    """The potential as one job sees it."""

    def __init__(self, table: _Table, place: int) -> None:
        self.card = table.potential.card
        self._table, self._place = table, place

    def _compute(self, batch: Batch, virials: bool) -> Evaluations:
        return self._table.ask(self._place, batch, virials)


@dataclass
class _Table:
    """Where questions lie until everybody has asked."""

    potential: Potential
    running: int
    asked: dict[int, tuple[Batch, bool]] = field(default_factory=dict)
    answers: dict[int, Evaluations | Exception] = field(default_factory=dict)
    abandoned: bool = False

    def __post_init__(self) -> None:
        self._changed = threading.Condition()

    def ask(self, place: int, batch: Batch, virials: bool) -> Evaluations:
        """Wait for the round, and take one's part of the answer. Raises whatever the potential raised."""
        with self._changed:
            self.asked[place] = (batch, virials)
            self._answer_if_complete()
            while place not in self.answers and not self.abandoned:
                self._changed.wait()
            if self.abandoned:
                raise Abandoned("told to end")
            answer = self.answers.pop(place)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def leave(self) -> None:
        """A job is over."""
        with self._changed:
            self.running -= 1
            self._answer_if_complete()

    def abandon(self) -> None:
        """Nobody shall wait any more."""
        with self._changed:
            self.abandoned = True
            self._changed.notify_all()

    def _answer_if_complete(self) -> None:
        if not self.asked or len(self.asked) < self.running:
            return
        for virials in (False, True):
            places = sorted(place for place, (_, wanted) in self.asked.items() if wanted == virials)
            if places:
                self.answers |= _answered(self.potential, {p: self.asked[p][0] for p in places}, virials)
        self.asked.clear()
        self._changed.notify_all()


def _answered(potential: Potential, batches: dict[int, Batch], virials: bool) -> dict[int, Evaluations | Exception]:
    """One answer each; where the whole batch is refused, everybody is asked alone, so that one pays for himself."""
    try:
        whole = potential.evaluate_batch(joined(list(batches.values())), virials)
    except Exception:  # whose fault it is shows when each is asked alone
        return {place: _alone(potential, batch, virials) for place, batch in batches.items()}
    return dict(zip(batches, parted(whole, list(batches.values())), strict=True))


def _alone(potential: Potential, batch: Batch, virials: bool) -> Evaluations | Exception:
    try:
        return potential.evaluate_batch(batch, virials)
    except Exception as error:  # handed to who asked
        return error


def joined(batches: Sequence[Batch]) -> Batch:
    """Batches laid end to end."""
    firsts = np.cumsum([0, *(len(batch) for batch in batches)])
    return Batch(
        np.concatenate([batch.numbers for batch in batches]),
        np.concatenate([batch.positions for batch in batches]),
        np.concatenate([batch.cells for batch in batches]),
        np.concatenate([batch.periodic for batch in batches]),
        np.concatenate([batch.system_of + first for batch, first in zip(batches, firsts, strict=False)]),
    )


def _some(spread: Spreads, systems: slice, atoms: slice) -> Spreads:
    """The spread of some systems of a batch."""
    members = None if spread.members is None else spread.members[systems]
    return Spreads(spread.energy[systems], spread.forces[atoms], members)


def parted(whole: Evaluations, batches: Sequence[Batch]) -> list[Evaluations]:
    """The evaluation of joined batches, batch by batch."""
    found, system, atom = [], 0, 0
    for batch in batches:
        systems, atoms = slice(system, system + len(batch)), slice(atom, atom + len(batch.numbers))
        spread = whole.spread
        found.append(
            Evaluations(
                whole.energy[systems],
                whole.forces[atoms],
                whole.stress[systems],
                None if whole.virials is None else whole.virials[atoms],
                batch.system_of,
                None if spread is None else _some(spread, systems, atoms),
            )
        )
        system, atom = systems.stop, atoms.stop
    return found
