"""Work of many items in one batch, each kept as soon as it is done, so that a run can be taken up item by item."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from simkit import solve
from simkit.solve.descent import RUNNING
from simkit.workflows.common import Content, Hooks

Key = TypeVar("Key")
Value = TypeVar("Value")


class _Absent(Exception):
    """Nothing is kept under a name."""


@dataclass(frozen=True, eq=False)
class Place:
    """Where an item is kept: its name among those of a run, and what fixes it by itself."""

    name: str
    content: Content | None = None


def kept(hooks: Hooks, place: Place, types: Sequence[type]) -> Any | None:
    """What is kept in a place, or None."""

    def nothing() -> Any:
        raise _Absent

    try:
        return hooks.keep(place.name, nothing, types, place.content)
    except _Absent:
        return None


def batched(
    hooks: Hooks,
    places: Mapping[Key, Place],
    types: Sequence[type],
    prepare: Callable[[list[Key]], solve.Descent],
    read: Callable[[solve.Descent, solve.State], Sequence[Value]],
    stage: str,
) -> dict[Key, Value]:
    """Values by key, those kept before read back, all others from one descent whose finished groups are kept at once.

    prepare  the descent of the keys given, one group each, in order
    read     what became of every group
    stage    a share of which may be asked for: then `Shared` is raised when it is done
    """
    mine = hooks.mine(stage, list(places))
    before = {key: kept(hooks, places[key], types) for key in mine}
    known = {key: value for key, value in before.items() if value is not None}
    todo = [key for key in mine if key not in known]
    if todo:
        descent = prepare(todo)
        saver = _Saver(hooks, [places[key] for key in todo], types, descent, read)
        state = solve.run(descent, solve.also_saving(hooks.watch(f"{stage}: {len(todo)}"), saver))
        known |= dict(zip(todo, read(descent, state), strict=True))
    hooks.leave(stage)
    return {key: known[key] for key in places}


@dataclass
class _Saver:
    """Keeps each group that has ended since it was last called."""

    hooks: Hooks
    places: list[Place]
    types: Sequence[type]
    descent: solve.Descent
    read: Callable[[solve.Descent, solve.State], Sequence[Any]]
    done: set[int] = field(default_factory=set)

    def __call__(self, state: solve.State) -> None:
        fresh = [int(k) for k in np.flatnonzero(state.code != RUNNING) if int(k) not in self.done]
        if not fresh:
            return
        values = self.read(self.descent, state)
        for k in fresh:
            place, value = self.places[k], values[k]
            self.hooks.keep(place.name, lambda value=value: value, self.types, place.content)
        self.done.update(fresh)
