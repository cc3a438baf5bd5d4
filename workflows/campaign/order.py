"""What may be done now, what waits for what, and what will never be done because something before it failed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Unit:
    """What is done in one go: `keys`, and what each of them needs (keys of other units).

    skip: keys that need no attempt here: they are done, failed, or behind a failure.
    """

    keys: tuple[str, ...]
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    skip: frozenset[str] = frozenset()

    @property
    def left(self) -> tuple[str, ...]:
        """Keys that are to be attempted."""
        return tuple(key for key in self.keys if key not in self.skip)

    def without(self, keys: Iterable[str]) -> Unit:
        """The same with more keys to skip."""
        return Unit(self.keys, self.needs, self.skip | set(keys))


@dataclass
class _Waiting:
    """A unit, and what it still waits for."""

    unit: Unit
    open: set[str]


@dataclass
class Order:
    """Units that are ready, and those that wait. Nothing is kept about work that ended."""

    ready: deque[Unit] = field(default_factory=deque)
    _behind: dict[str, list[_Waiting]] = field(default_factory=dict)
    _held: set[str] = field(default_factory=set)

    def place(self, unit: Unit, finished: set[str]) -> None:
        """A unit is ready, or stands behind what it needs and is not finished."""
        waiting = _Waiting(unit, {key for mine in unit.left for key in unit.needs.get(mine, ())} - finished)
        for key in waiting.open:
            self._behind.setdefault(key, []).append(waiting)
        if not waiting.open:
            self.ready.append(unit)

    def done(self, key: str) -> None:
        """Who waited for a key has one thing less to wait for."""
        for waiting in self._behind.pop(key, ()):
            self._settle(waiting, key)

    def never(self, key: str) -> None:
        """What needs a key that will not be done is held, and what needs that; the rest of its batch goes on."""
        for waiting in self._behind.pop(key, ()):
            stuck = [mine for mine in waiting.unit.left if key in waiting.unit.needs.get(mine, ())]
            waiting.unit = waiting.unit.without(stuck)
            still = {need for mine in waiting.unit.left for need in waiting.unit.needs.get(mine, ())}
            waiting.open &= still | {key}
            self._held |= set(stuck)
            self._settle(waiting, key)
            for mine in stuck:
                self.never(mine)

    def waiting(self) -> set[str]:
        """Keys that are not ready, held ones among them."""
        return {key for behind in self._behind.values() for one in behind for key in one.unit.left} | self._held

    def _settle(self, waiting: _Waiting, key: str) -> None:
        if key not in waiting.open:
            return
        waiting.open.discard(key)
        if not waiting.open and waiting.unit.left:
            self.ready.append(waiting.unit)
