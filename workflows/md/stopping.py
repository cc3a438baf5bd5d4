"""Signals that end a long run at its next step instead of in the midst of one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGHUP", "SIGXCPU")
    if hasattr(signal, name)
)


@contextmanager
def stop_on_signals() -> Iterator[Callable[[], str]]:
    """Gives a function that names the first signal that came, or says "".

    A second signal goes to the handler that was there before, for those who cannot wait. In another thread than the
    main one signals stay as they are.
    """
    came: list[str] = []
    before: dict[int, object] = {}

    def note(number: int, frame: object) -> None:
        came.append(signal.Signals(number).name)
        signal.signal(number, before[number])

    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield lambda: came[0] if came else ""
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
