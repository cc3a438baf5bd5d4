"""Checkpoints of solvers inside a task: written now and then, and at once when the task is asked to stop."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from simkit import io, solve
from simkit.errors import CorruptFileError, InputError, Interrupted
from simkit.io.keys import digest
from simkit.solve.descent import State, from_arrays, to_arrays
from simkit.solve.motion import Motion
from simkit.solve.motion_arrays import motion_from_arrays, motion_to_arrays
from simkit.workflows.campaign.stopping import Stopping
from simkit.workflows.common import Hooks

EVERY_STEPS = 10
"""A checkpoint is written at multiples of this only, unless the task must stop."""
LEAST_S = 20.0
"""Seconds between two checkpoints: writing one costs a sync of the disk, redoing so much costs as little."""


@dataclass
class Saver:
    """Makes the `watch` of a workflow's hooks, so that whatever solver it attaches to is saved and restored."""

    store: io.Store
    key: str
    stopping: Stopping
    least_s: float = LEAST_S
    _written: float = field(default_factory=time.monotonic, init=False)

    def watch(self, label: str) -> solve.Hooks:
        """Hooks of one solver, or of several one after the other."""
        name = ""

        def restore(first: Any) -> Any:
            nonlocal name
            name = f"{label} {_start(first)}"
            saved = self.store.load_checkpoint(self.key, name)
            return first if saved is None else _state(saved)

        def save(state: Any) -> None:
            reason = self.stopping.reason()
            due = state.step % EVERY_STEPS == 0 and time.monotonic() - self._written > self.least_s
            if reason or due:
                self.store.save_checkpoint(self.key, name, _arrays(state))
                self._written = time.monotonic()
            if reason:
                raise Interrupted(f"{label}, saved at step {state.step}: {reason}.")

        return solve.Hooks(save=save, save_every=1, restore=restore)

    def hooks(self, keep: Any) -> Hooks:
        """Hooks of a workflow whose results are kept by `keep`."""
        return Hooks(keep, self.watch)


def _start(state: Any) -> str:
    """What a solver starts from: another start is other work, whatever its label."""
    arrays = _arrays(state)
    places = {name: arrays[name] for name in ("point.x", "positions", "velocities") if name in arrays}
    return digest(places)[:16]


def _arrays(state: Any) -> dict[str, Any]:
    if isinstance(state, State):
        return to_arrays(state)
    if isinstance(state, Motion):
        return motion_to_arrays(state)
    raise TypeError(f"a {type(state).__name__} cannot be saved; only descents and dynamics have a plain state.")


def _state(arrays: dict[str, Any]) -> Any:
    try:
        return from_arrays(arrays) if "point.x" in arrays else motion_from_arrays(arrays)
    except InputError as error:
        raise CorruptFileError(f"a checkpoint of another version of simkit: {error}") from error
