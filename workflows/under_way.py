"""Work of many items while it is under way: the newest state of each stage in the run directory, to go on from."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from simkit import solve
from simkit.errors import CorruptFileError, InputError
from simkit.io.rundir import RunDirectory, file_name
from simkit.io.states import load_state, save_state
from simkit.solve.descent import from_arrays, to_arrays

LEAST_S = 20.0
"""Seconds between two saves: writing one costs a sync of the disk, redoing so much costs as little."""


@dataclass
class UnderWay:
    """The states of descents of a run that have not ended; each is saved when `LEAST_S` have passed since the last."""

    directory: RunDirectory
    _written: float = field(default_factory=time.monotonic, init=False)

    def load(self, stage: str) -> tuple[list[str], solve.State] | None:
        """Names of the items of a stage and its newest whole state, or None; damaged files are set aside."""
        try:
            found, notes = load_state(self._folder(stage), self.directory.key)
            for note in notes:
                self.directory.log("state set aside", stage=stage, reason=note)
            return None if found is None else (list(found["names"]), from_arrays(found["state"]))
        except (CorruptFileError, InputError) as error:
            self.directory.log("state not used", stage=stage, reason=str(error))
            return None

    def save(self, stage: str, names: Sequence[str], state: solve.State) -> None:
        """Save where a stage is, if it is time."""
        if time.monotonic() - self._written < LEAST_S:
            return
        folder = self._folder(stage)
        folder.mkdir(parents=True, exist_ok=True)
        save_state(folder, {"names": list(names), "state": to_arrays(state)}, self.directory.key)
        self._written = time.monotonic()

    def forget(self, stage: str) -> None:
        """Remove the state of a stage that has ended."""
        shutil.rmtree(self._folder(stage), ignore_errors=True)

    def _folder(self, stage: str) -> Path:
        return self.directory.path / "steps" / "under-way" / file_name(stage)
