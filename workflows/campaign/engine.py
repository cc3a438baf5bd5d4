"""What a driver asks of an engine, and the engine that needs none: this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

Work = Callable[[str, Sequence[Mapping[str, Any]], float], list[dict[str, Any]]]
"""work(root, items, deadline_s) -> one outcome per item; a function of an importable module, so that it can travel."""

WORKER, NODE = "worker", "node"
"""What can be lost under a task: the process that did it, or the machine or job with all its processes."""


class Engine(Protocol):
    """Runs work somewhere. `capacity` is how much it may be given beyond what is done: some more than it has workers.

    outlives_workers: workers run in jobs of their own; one of them being told to stop says nothing of the others.
    loss(error) is WORKER or NODE where an error of a future means that these died, "" otherwise.
    """

    capacity: int
    outlives_workers: bool

    def submit(self, work: Work, root: str, items: Sequence[Mapping[str, Any]]) -> Future: ...

    def loss(self, error: BaseException) -> str: ...

    def close(self) -> None: ...


class Inline:
    """Work is done at once, in this process."""

    capacity = 1
    outlives_workers = False

    def __init__(self, deadline_s: float = 0.0) -> None:
        self._deadline_s = deadline_s

    def submit(self, work: Work, root: str, items: Sequence[Mapping[str, Any]]) -> Future:
        """A future that is done."""
        future: Future = Future()
        try:
            future.set_result(work(root, items, self._deadline_s))
        except Exception as error:  # an engine hands over whatever went wrong
            future.set_exception(error)
        return future

    def loss(self, error: BaseException) -> str:
        """Nothing is lost here without this process."""
        return ""

    def close(self) -> None:
        """Nothing to close."""
