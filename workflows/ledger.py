"""What a run says of itself while it runs: record.json, log.jsonl, and one saved file per finished step."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from simkit import io, potential
from simkit.errors import SimkitError
from simkit.io.record import git_commit, machine_name, versions
from simkit.workflows import committee

Value = TypeVar("Value")


@dataclass
class Ledger:
    """Times each step of a study and counts its model evaluations; `record` is what record.json holds.

    watched is inside `model`: a committee's spreads go into the record, and its doubtful structures beside it.
    """

    directory: io.RunDirectory
    model: potential.Counted
    watched: potential.Watched
    record: dict[str, Any] = field(default_factory=dict)

    def open(self, study: str, seed: int, command: str, device: str) -> None:
        """Begin, or take up, the record of a run. Steps finished before keep their times."""
        past = self.directory.read_json("record.json") if (self.directory.path / "record.json").exists() else {}
        self.record = {
            "schema": "simkit-record-1",
            "study": study,
            "status": "running",
            "pid": os.getpid(),
            "host": platform.node(),
            "command": command,
            "seed": seed,
            "device": device,
            "machine": machine_name(),
            "versions": versions(),
            "git": git_commit(),
            "potential": asdict(self.model.card),
            "started_unix_s": past.get("started_unix_s", round(time.time(), 3)),
            "steps": past.get("steps", []),
        }
        self._write()
        self.directory.log("run opened", command=command)

    def step(self, name: str, compute: Callable[[], Value]) -> Value:
        """Run one step, with its wall time, model evaluations and status in the record whatever happens."""
        start, before = time.perf_counter(), self.model.cost
        self.directory.log("step started", step=name)
        try:
            value = compute()
        except BaseException as error:
            reason = str(error) if isinstance(error, SimkitError) else type(error).__name__
            self._note(name, f"stopped: {reason}", start, before)
            self.mark(f"stopped in step {name}: {reason}")
            self.close()
            raise
        self._note(name, "finished", start, before)
        return value

    def mark(self, status: str) -> None:
        """Write how the run ends."""
        self.record["status"] = status
        self._write()

    def close(self) -> None:
        """Log that nothing more will be written, and free the directory for whoever takes it up next."""
        self.directory.log("run closed", status=self.record["status"])
        if self.directory.lock is not None:
            self.directory.lock.close()

    def _note(self, name: str, status: str, start: float, before: potential.Cost) -> None:
        spent = self.model.cost.minus(before)
        past = next((s for s in self.record["steps"] if s["name"] == name), {})
        entry = {
            "name": name,
            "status": status,
            "wall_time_s": _sum(past, "wall_time_s", time.perf_counter() - start),
            "model_evaluations": _sum(past, "model_evaluations", spent.evaluations),
            "model_batches": _sum(past, "model_batches", spent.batches),
            "model_time_s": _sum(past, "model_time_s", spent.seconds),
            **committee.facts(committee.of_facts(past).plus(self.watched.take_seen())),
        }
        committee.save(self.directory.path, self.watched.kept)
        self.record["steps"] = [s for s in self.record["steps"] if s["name"] != name] + [entry]
        self._write()
        self.directory.log("step ended", step=name, status=status, wall_time_s=entry["wall_time_s"])

    def _write(self) -> None:
        self.directory.write_json("record.json", self.record)


def _sum(past: Mapping[str, Any], key: str, now: float) -> float:
    return round(past.get(key, 0) + now, 3)
