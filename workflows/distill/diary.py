"""What is known of an unfinished training, written after each epoch."""

from __future__ import annotations

import dataclasses
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simkit import io
from simkit.io.rundir import json_bytes
from simkit.workflows.distill.history import Epoch, Observer, from_plain, merged, plain


@dataclass
class Diary:
    """What is known of an unfinished training, written after each epoch."""

    path: Path
    observer: Observer | None
    history: tuple[Epoch, ...] = ()
    resumed_at: tuple[int, ...] = ()
    wall_s: float = 0.0
    since: float = 0.0

    def read(self, checkpoint: int | None) -> None:
        """Take up what an earlier run wrote."""
        self.since = time.monotonic()
        if checkpoint is not None and self.path.exists():
            record = json.loads(self.path.read_text())
            self.history = from_plain(record["history"])
            self.resumed_at, self.wall_s = (*record["resumed_at"], checkpoint), record["wall_s"]

    def keep(self, epoch: Epoch) -> None:
        """Add an epoch; one that is run again replaces what was there."""
        self.history = merged(self.history, (epoch,))
        self.tick()
        io.write_atomic(self.path, json_bytes(self.record()))
        if self.observer is not None:
            self.observer(epoch.epoch, dataclasses.asdict(epoch))

    def tick(self) -> None:
        """Add the time since the last tick."""
        now = time.monotonic()
        self.wall_s, self.since = self.wall_s + now - self.since, now

    def record(self) -> dict[str, Any]:
        """As plain data."""
        return {"history": plain(self.history), "resumed_at": list(self.resumed_at), "wall_s": self.wall_s}
