"""Work of many items in one batch, each kept as soon as it is done, so that a run can be taken up item by item."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from simkit import solve
from simkit.solve.descent import RUNNING
from simkit.workflows.common import Hooks

Value = TypeVar("Value")


class _Absent(Exception):
    """Nothing is kept under a name."""


def kept(hooks: Hooks, name: str, types: Sequence[type]) -> Any | None:
    """What is kept under a name, or None."""

    def nothing() -> Any:
        raise _Absent

    try:
        return hooks.keep(name, nothing, types)
    except _Absent:
        return None


def batched(
    hooks: Hooks,
    names: Mapping[str, str],
    types: Sequence[type],
    prepare: Callable[[list[str]], solve.Descent],
    read: Callable[[solve.Descent, solve.State], Sequence[Value]],
    label: str,
) -> dict[str, Value]:
    """Values by key, those kept before read back, all others from one descent whose finished groups are kept at once.

    names    key -> name to keep it under
    prepare  the descent of the keys given, one group each, in order
    read     what became of every group
    """
    before = {key: kept(hooks, name, types) for key, name in names.items()}
    known = {key: value for key, value in before.items() if value is not None}
    todo = [key for key in names if key not in known]
    if todo:
        descent = prepare(todo)
        saver = _Saver(hooks, [names[key] for key in todo], types, descent, read)
        state = solve.run(descent, solve.also_saving(hooks.watch(label), saver))
        known |= dict(zip(todo, read(descent, state), strict=True))
    return {key: known[key] for key in names}


@dataclass
class _Saver:
    """Keeps each group that has ended since it was last called."""

    hooks: Hooks
    names: list[str]
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
            value = values[k]
            self.hooks.keep(self.names[k], lambda value=value: value, self.types)
        self.done.update(fresh)
