"""Being asked to stop: by a signal, by a file, or by a deadline; all lead to a checkpoint."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT)
FILE = "STOP"
LOOK_S = 0.5
"""Between two looks for the file: a shared file system is asked no more often."""

_received: list[str] = []


def listen() -> None:
    """From now on the signals that end jobs are noted instead of killing; only the main thread can do this."""
    if threading.current_thread() is threading.main_thread():
        for one in SIGNALS:
            signal.signal(one, _note)


def _note(number: int, frame: FrameType | None) -> None:
    _received.append(signal.Signals(number).name)


def forget() -> None:
    """Signals noted so far are dealt with."""
    _received.clear()


def by_signal() -> str:
    """The first signal noted; empty when there was none."""
    return _received[0] if _received else ""


@dataclass
class Stopping:
    """Whether to stop: reason() is empty as long as not. deadline_s is a time of `time.time()`, 0 for none."""

    file: Path | None = None
    deadline_s: float = 0.0
    _looked: float = field(default=0.0, init=False)

    def reason(self) -> str:
        """Why to stop, or nothing."""
        if _received:
            return _received[0]
        now = time.time()
        if self.deadline_s and now > self.deadline_s:
            return "the time is up"
        if self.file is not None and now - self._looked > LOOK_S:
            self._looked = now
            if os.path.exists(self.file):
                return f"{self.file.name} was written"
        return ""
