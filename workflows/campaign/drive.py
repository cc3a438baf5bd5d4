"""The driver: hands what is ready to an engine, takes what comes back, gives up where trying again is no use."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simkit import io
from simkit.io.leases import holder
from simkit.io.store import FAILED as FAILED_FILE
from simkit.workflows.campaign.attempt import AGAIN, BUSY, DISK, DONE, FAILED, INTERRUPTED, KEPT
from simkit.workflows.campaign.engine import NODE, WORKER, Engine, Work
from simkit.workflows.campaign.order import Order, Unit
from simkit.workflows.campaign.stopping import FILE, Stopping

MOST_TRIES = 3
"""Of a task that raises what may pass, and of one that takes its worker with it."""
MOST_NODES_LOST = 50
"""Under one task, before it is held to be the reason."""
POLL_S = 0.5
BUSY_S = 5.0
"""Before a task that another process works on is looked at again."""
SETTLE_S = 3.0
"""For a task that is just being begun to say so, before nobody is thought to be at work."""
STOP_WAIT_S = 300.0
"""For workers to save what they do once the driver must stop; SLURM ends the job before that where its time is up."""


@dataclass
class Tally:
    """How a drive ended: counts, and why it stopped early (empty: it did not). disk: the disk refused."""

    done: int = 0
    failed: int = 0
    waiting: int = 0
    stopped: str = ""
    disk: str = ""

    @property
    def exit_code(self) -> int:
        """0 all done, 1 some failed, 74 disk, 75 stopped and can be taken up again."""
        if self.disk:
            return 74
        if self.stopped:
            return 75
        return 1 if self.failed or self.waiting else 0


@dataclass
class Driver:
    """Drives units to their end. describe(key) gives the item a worker needs; tell gets one line per event.

    Nothing is kept about work that ended but a flag and a count, so that a campaign may be large.
    """

    root: Path
    engine: Engine
    work: Work
    describe: Callable[[str], Mapping[str, Any]]
    tell: Callable[[str], None] = lambda line: None
    stopping: Stopping = field(default_factory=Stopping)

    def __post_init__(self) -> None:
        self._store = io.Store(self.root / "tasks")
        self._order = Order()
        self._later: list[tuple[float, Unit]] = []
        self._flying: dict[Future, Unit] = {}
        self._tries: dict[str, int] = {}
        self._nodes: dict[str, int] = {}
        self.tally = Tally()

    def drive(self, units: Sequence[Unit]) -> Tally:
        """Until nothing more can be done, or a stop is asked for."""
        self._begin(units)
        while not self._over():
            self._feed()
            self._collect(POLL_S)
            if not self.tally.stopped and self.stopping.reason():
                self._stop(self.stopping.reason())
        if self.tally.stopped or self.tally.disk:
            self._wind_up()
        self.tally.waiting = len(self._waiting())
        return self.tally

    def _begin(self, units: Sequence[Unit]) -> None:
        """Sort out what is done, what failed before, and what waits for what."""
        finished = {key for unit in units for key in unit.keys if self._store.result(key) is not None}
        failed = {key for unit in units for key in unit.keys if key not in finished and self._has_failed(key)}
        self.tally.done, self.tally.failed = len(finished), len(failed)
        for unit in units:
            unit = unit.without(key for key in unit.keys if key in finished or key in failed)
            if unit.left:
                self._order.place(unit, finished)
        for key in failed:
            self._order.never(key)

    def _has_failed(self, key: str) -> bool:
        return (self._store.folder(key) / FAILED_FILE).exists()

    def _over(self) -> bool:
        return bool(self.tally.stopped or self.tally.disk) or not (self._order.ready or self._later or self._flying)

    def _feed(self) -> None:
        now = time.monotonic()
        due = [unit for at, unit in self._later if at <= now]
        self._later = [(at, unit) for at, unit in self._later if at > now]
        self._order.ready.extend(due)
        while self._order.ready and len(self._flying) < self.engine.capacity:
            unit = self._order.ready.popleft()
            items = [{**self.describe(key), "skip": key in unit.skip} for key in unit.keys]
            self._flying[self.engine.submit(self.work, str(self.root), items)] = unit

    def _collect(self, timeout_s: float) -> None:
        if not self._flying:
            time.sleep(min(timeout_s, POLL_S) if self._later else 0)
            return
        landed, _ = wait(self._flying, timeout_s, FIRST_COMPLETED)
        for future in landed:
            self._land(future, self._flying.pop(future))

    def _land(self, future: Future, unit: Unit) -> None:
        error = future.exception()
        if error is None:
            again = [outcome["key"] for outcome in future.result() if self._took(outcome)]
            busy = any(outcome["state"] == BUSY for outcome in future.result())
            stopped = all(outcome["state"] in (DONE, INTERRUPTED) for outcome in future.result())
            self._retry(again, BUSY_S if busy else 0.0, unit if stopped else None)
        else:
            self._lost(error, unit)

    def _took(self, outcome: Mapping[str, Any]) -> bool:
        """Take note of one outcome; whether the task is to be tried again."""
        key, state, reason = outcome["key"], outcome["state"], outcome["reason"]
        if state == DONE:
            self._finished(key)
        elif state == FAILED:
            self._give_up(key, reason)
        elif state == DISK:
            self.tally.disk = reason
        elif state == INTERRUPTED:
            return self._interrupted(reason)
        elif state == AGAIN:
            return self._try_again(key, reason, MOST_TRIES)
        return state == BUSY

    def _interrupted(self, reason: str) -> bool:
        """Workers in a job of their own lose only that; in the driver's own job, the job is about to go."""
        if not (self.engine.outlives_workers and not self.stopping.reason()):
            self._stop(self.stopping.reason() or f"a task was told to stop ({reason})")
        return True

    def _try_again(self, key: str, reason: str, most: int) -> bool:
        self._tries[key] = self._tries.get(key, 0) + 1
        if self._tries[key] < most:
            self.tell(f"{key[:10]} is tried again: {reason}")
            return True
        self._give_up(key, f"{reason} (tried {self._tries[key]} times)")
        return False

    def _lost(self, error: BaseException, unit: Unit) -> None:
        """A unit's worker or node died: its tasks go on one by one, and the one that was under way is held to account.

        A task that gets further each time is no poison: the count begins again.
        """
        kind = self.engine.loss(error)
        left = [key for key in unit.left if self._store.result(key) is None]
        for key in set(unit.left) - set(left):
            self._finished(key)
        blamed = next((key for key in left if self._under_way(key)), left[0] if left else "")
        again = []
        for key in left:
            if key != blamed or self._after_loss(key, kind, error):
                again.append(key)
        self._retry(again, 0.0, unit if kind == NODE else None)

    def _after_loss(self, key: str, kind: str, error: BaseException) -> bool:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        if kind == NODE:
            self._store.note(key, "lost", what=kind)
            self._nodes[key] = self._nodes.get(key, 0) + 1
            return self._nodes[key] < MOST_NODES_LOST or self._try_again(key, reason, 1)
        if kind == WORKER:
            return self._after_crash(key)
        return self._try_again(key, reason, MOST_TRIES)

    def _after_crash(self, key: str) -> bool:
        kept = progress(self._store, key)
        self._store.note(key, "lost", what=WORKER, kept=kept)
        crashes = same_progress(self._store.attempts(key))
        if crashes < MOST_TRIES:
            self.tell(f"{key[:10]} lost its worker ({crashes} of {MOST_TRIES})")
            return True
        self._give_up(key, f"quarantined: it took its worker with it {crashes} times without getting further")
        return False

    def _under_way(self, key: str) -> bool:
        events = [line["event"] for line in self._store.attempts(key) if line["event"] != KEPT]
        return bool(events) and events[-1] == "start"

    def _retry(self, keys: Sequence[str], delay_s: float, together: Unit | None) -> None:
        """One by one, since what spoiled a batch is then known by its name; together where nothing in it did."""
        at = time.monotonic() + delay_s
        if together is not None and keys:
            self._later.append((at, together.without(set(together.keys) - set(keys))))
            return
        self._later += [(at, Unit((key,))) for key in keys]

    def _finished(self, key: str) -> None:
        self.tally.done += 1
        self._tries.pop(key, None)
        self._nodes.pop(key, None)
        self._order.done(key)

    def _give_up(self, key: str, reason: str) -> None:
        self.tally.failed += 1
        self._tries.pop(key, None)
        self._store.write_sealed(key, FAILED_FILE, {"key": key, "reason": reason, "time_s": round(time.time(), 3)})
        self.tell(f"{key[:10]} failed: {reason}")
        self._order.never(key)

    def _stop(self, reason: str) -> None:
        """Ask everybody to save and stop; nothing new is begun."""
        if not self.tally.stopped:
            self.tally.stopped = reason
            self.tell(f"stopping: {reason}")
            (self.root / FILE).touch()

    def _wind_up(self) -> None:
        """Let what flies land, so that it is saved.

        A worker that was told to stop by its own signal may take Parsl's manager with it, and nothing comes back: then
        the leases on disk say that nobody is at work any more.
        """
        begun = time.monotonic()
        if self.tally.disk:
            (self.root / FILE).touch()
        while self._flying and time.monotonic() < begun + STOP_WAIT_S:
            self._collect(POLL_S)
            if time.monotonic() > begun + SETTLE_S and not self._leased():
                break

    def _leased(self) -> bool:
        return any(holder(self._store.folder(key)) for unit in self._flying.values() for key in unit.left)

    def _waiting(self) -> set[str]:
        left = [*self._order.ready, *(unit for _, unit in self._later), *self._flying.values()]
        return {key for unit in left for key in unit.left} | self._order.waiting()


def progress(store: io.Store, key: str) -> list[str]:
    """What a task has kept so far: names of its values and checkpoints with their times, and how many shared items."""
    found = sorted([*store.kept(key), *store.folder(key).glob("*.ckpt")])
    items = sum(line["event"] == KEPT for line in store.attempts(key))
    return [*(f"{path.name} {path.stat().st_mtime_ns}" for path in found), f"{items} items"]


def same_progress(lines: Sequence[Mapping[str, Any]]) -> int:
    """How often in a row, up to now, a task lost its worker with the same things kept."""
    lost = [line for line in lines if line["event"] == "lost" and line["what"] == WORKER]
    count = 0
    for line in reversed(lost):
        if line["kept"] != lost[-1]["kept"]:
            break
        count += 1
    return count
