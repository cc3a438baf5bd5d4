"""What a training did, epoch by epoch, read from the lines that mace-torch writes while it runs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from simkit.errors import SimkitError

Observer = Callable[[int, dict[str, float]], None]
"""Called with an epoch (from 0) and its facts: those of `Epoch`, by name."""


class DivergedError(SimkitError):
    """The loss of a training is no longer a number."""


@dataclass(frozen=True)
class Epoch:
    """One pass over the training labels, and the averaged weights measured on the validation labels after it.

    training_loss is the mean over the steps, with the weights of each. Losses are mace-torch's: validation_loss is
    comparable between epochs of one training, not between batch sizes or numbers of processes. An error is NaN
    where no label has that quantity (stress).
    """

    epoch: int
    learning_rate: float
    training_loss: float
    validation_loss: float
    energy_rmse_meV_per_atom: float
    force_rmse_meV_per_A: float
    stress_rmse_meV_per_A3: float


@dataclass
class Reader:
    """Reads what has been added to a file of lines of JSON since the last time.

    path is mace's `results/*_train.txt`; lines before `offset` belong to an earlier run. rate_of gives the learning
    rate of an epoch.
    """

    path: Path
    rate_of: Callable[[int], float]
    offset: int = 0
    losses: dict[int, list[float]] = field(default_factory=dict)

    def new(self) -> list[Epoch]:
        """Epochs that ended since the last call. Raises DivergedError when a loss is not finite."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as stream:
            stream.seek(self.offset)
            whole = stream.read().rpartition(b"\n")[0]
        self.offset += len(whole) + 1 if whole else 0
        records = [json.loads(line) for line in whole.splitlines() if line.strip()]
        return [epoch for record in records if (epoch := self._take(record)) is not None]

    def _take(self, record: dict[str, Any]) -> Epoch | None:
        number, loss = record.get("epoch"), float(record["loss"])
        if not math.isfinite(loss):
            raise DivergedError(f"the loss was {loss} in epoch {number}")
        if record["mode"] == "opt":
            self.losses.setdefault(number, []).append(loss)
            return None
        if number is None:
            return None
        steps = self.losses.pop(number, [math.nan])
        errors = (1e3 * record.get(name, math.nan) for name in ("rmse_e_per_atom", "rmse_f", "rmse_stress"))
        return Epoch(number, self.rate_of(number), sum(steps) / len(steps), loss, *errors)


def merged(old: tuple[Epoch, ...], new: tuple[Epoch, ...]) -> tuple[Epoch, ...]:
    """A history with epochs that were run again replaced, and what came after the first of them dropped."""
    first = min((item.epoch for item in new), default=math.inf)
    latest = {item.epoch: item for item in new}
    return tuple(item for item in old if item.epoch < first) + tuple(latest[number] for number in sorted(latest))


def plain(history: tuple[Epoch, ...]) -> list[dict[str, float | None]]:
    """A history as plain data, with null for what no label has."""
    return [{name: x if math.isfinite(x) else None for name, x in asdict(item).items()} for item in history]


def from_plain(records: list[dict[str, float | None]]) -> tuple[Epoch, ...]:
    """What `plain` made, back."""
    return tuple(Epoch(**{name: math.nan if x is None else x for name, x in record.items()}) for record in records)
