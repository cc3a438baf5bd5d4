"""Work of many items in one batch, each kept as soon as it is done, so that a run can be taken up item by item."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
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
        label = f"{stage}-{places[mine[0]].name}"
        todo, state = _taken_up(hooks, label, {places[key].name: key for key in mine}, todo)
        descent = prepare(todo)
        done = {k for k, key in enumerate(todo) if key in known}
        saver = _Saver(hooks, label, [places[key] for key in todo], types, descent, read, done)
        watched = solve.also_saving(hooks.watch(f"{stage}: {len(todo)}"), saver)
        state = solve.run(descent, watched if state is None else replace(watched, resume=state))
        known = dict(zip(todo, read(descent, state), strict=True)) | known
        if hooks.under_way is not None:
            hooks.under_way.forget(label)
    hooks.leave(stage)
    return {key: known[key] for key in places}


def _taken_up(
    hooks: Hooks, label: str, keys: Mapping[str, Key], todo: list[Key]
) -> tuple[list[Key], solve.State | None]:
    """What is still to be done and no state; or where a state of all of it was saved, the items of that and the state.

    Items that have ended since the state was saved are in it as they were then, and cost a few steps more.
    """
    found = None if hooks.under_way is None else hooks.under_way.load(label)
    if found is None:
        return todo, None
    names, state = found
    saved = [keys[name] for name in names if name in keys]
    whole = len(saved) == len(names) == len(state.code) and set(todo) <= set(saved)
    return (saved, state) if whole else (todo, None)


@dataclass
class _Saver:
    """Keeps each group that has ended since it was last called, and now and then where all of them are."""

    hooks: Hooks
    label: str
    places: list[Place]
    types: Sequence[type]
    descent: solve.Descent
    read: Callable[[solve.Descent, solve.State], Sequence[Any]]
    done: set[int]

    def __call__(self, state: solve.State) -> None:
        if self.hooks.under_way is not None:
            self.hooks.under_way.save(self.label, [place.name for place in self.places], state)
        fresh = [int(k) for k in np.flatnonzero(state.code != RUNNING) if int(k) not in self.done]
        if not fresh:
            return
        values = self.read(self.descent, state)
        for k in fresh:
            place, value = self.places[k], values[k]
            self.hooks.keep(place.name, lambda value=value: value, self.types, place.content)
        self.done.update(fresh)
