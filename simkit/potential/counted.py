"""A potential that counts what is asked of it, so that every run can say what it cost."""

from __future__ import annotations

import time
from dataclasses import dataclass

from simkit.potential.base import Evaluations, Potential
from simkit.structure import Batch


@dataclass(frozen=True)
class Cost:
    """Structures evaluated, batched calls, atoms summed over them, and seconds spent in the model."""

    evaluations: int = 0
    batches: int = 0
    atoms: int = 0
    seconds: float = 0.0

    def minus(self, other: Cost) -> Cost:
        """The cost since `other`."""
        return Cost(
            self.evaluations - other.evaluations,
            self.batches - other.batches,
            self.atoms - other.atoms,
            self.seconds - other.seconds,
        )


class Counted(Potential):
    """Wraps a potential; `cost` is the `Cost` so far. Results are those of the wrapped potential."""

    def __init__(self, potential: Potential) -> None:
        self._potential = potential
        self.card = potential.card
        self.cost = Cost()

    def _compute(self, batch: Batch, virials: bool) -> Evaluations:
        start = time.perf_counter()
        result = self._potential.evaluate_batch(batch, virials)
        seconds = time.perf_counter() - start
        past = self.cost
        self.cost = Cost(
            past.evaluations + len(batch),
            past.batches + 1,
            past.atoms + len(batch.numbers),
            past.seconds + seconds,
        )
        return result
