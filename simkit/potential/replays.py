"""Programs recorded once for a shape and replayed: which shapes are recorded, when, and what happens if it fails."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from simkit.errors import SimkitError
from simkit.potential.mace_frame import Data

REPEATS = 2
"""Times a shape is computed plainly before it is recorded: most shapes of a one-off workload never come again."""
MOST_RECORDED = 8
"""Recordings kept; each holds the memory of one evaluation."""
SQUEEZE = 0.98
"""Second input a recording is tried on: the same edges, this much shorter. One that reads no input cannot pass."""
ALLOWED = {torch.float32: 1e-4, torch.float64: 1e-9}
"""Largest difference of a gradient in eV/A, and of a system's energy in eV per atom, from the plain run, times the
largest gradient where that is above 1."""

Run = Callable[[Data], tuple[Tensor, Tensor]]
Record = Callable[[Run, Data], Run]


class Replays:
    """Runs a program plainly until a shape has repeated, then records it and replays the recording.

    A recording is tried on two inputs against the plain run; SimkitError with the numbers when it disagrees. Where
    recording itself fails, `strict` raises; else the program goes on plainly and `reason` says why. Outputs belong to
    the recording and are overwritten by the next call.
    """

    def __init__(self, run: Run, record: Record, strict: bool) -> None:
        self._run, self._record, self._strict = run, record, strict
        self._seen: dict[tuple[int, ...], int] = {}
        self._recorded: dict[tuple[int, ...], Run] = {}
        self.reason: str | None = None
        self.recordings = self.replayed = 0

    def __call__(self, data: Data) -> tuple[Tensor, Tensor]:
        shape = shape_of(data)
        if shape not in self._recorded and self._due(shape):
            self._try(shape, data)
        recorded = self._recorded.pop(shape, None)
        if recorded is None:
            return self._run(data)
        self._recorded[shape] = recorded  # used last, dropped last
        self.replayed += 1
        return recorded(data)

    def forget(self) -> None:
        """Drop every recording with its memory."""
        self._recorded.clear()
        self._seen.clear()

    def _due(self, shape: tuple[int, ...]) -> bool:
        """Whether a shape has been seen often enough."""
        if self.reason is not None:
            return False
        self._seen[shape] = self._seen.get(shape, 0) + 1
        return self._seen[shape] > REPEATS

    def _try(self, shape: tuple[int, ...], data: Data) -> None:
        """Record a shape, hold it to the plain run, keep it."""
        while len(self._recorded) >= MOST_RECORDED:
            del self._recorded[next(iter(self._recorded))]
        try:
            recorded = self._record(self._run, data)
        except torch.OutOfMemoryError:
            self.forget()
            raise
        except RuntimeError as error:
            words = f"a step of {describe(shape)} could not be recorded: {str(error).splitlines()[0]}"
            if self._strict:
                raise SimkitError(f"{words}; use graphs=off.") from error
            self.reason = words
            return
        self.recordings += 1
        for given in (squeezed(data), data):
            theirs = [part.clone() for part in self._run(given)]
            refuse_unlike(recorded(given), theirs, data)
        self._recorded[shape] = recorded


def shape_of(data: Data) -> tuple[int, ...]:
    """Atoms, systems and edges with their padding."""
    return len(data["node_attrs"]), len(data["ptr"]) - 1, len(data["shifts"])


def describe(shape: tuple[int, ...]) -> str:
    """A shape in words."""
    return f"{shape[0]} atoms, {shape[1]} systems and {shape[2]} edges, padding included"


def squeezed(data: Data) -> Data:
    """The same graph with shorter edges; padding stays beyond the cutoff."""
    vectors = (SQUEEZE * data["shifts"].detach()).requires_grad_(True)
    return {**data, "shifts": vectors, "unit_shifts": vectors.detach()}


def refuse_unlike(ours: tuple[Tensor, Tensor], theirs: list[Tensor], data: Data) -> None:
    """Raise SimkitError where a replayed step differs from the plain one."""
    (energy, gradient), (plain_energy, plain_gradient) = ours, theirs
    allowed = ALLOWED[gradient.dtype] * max(1.0, float(plain_gradient.abs().max()))
    force = float((gradient - plain_gradient).abs().max())
    atoms = torch.diff(data["ptr"]).clamp(min=1)  # a system of padding may have none
    largest = float(((energy - plain_energy).abs() / atoms).max())
    # written so that numbers that are not numbers fail
    if not (force <= allowed and largest <= allowed):
        raise SimkitError(
            f"a recorded step of {describe(shape_of(data))} differs from the plain one by {force:.1e} eV/A in the "
            f"gradient and {largest:.1e} eV/atom, {allowed:.1e} is allowed; use graphs=off and report it."
        )
