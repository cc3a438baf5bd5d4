"""The driver: order, failures, poison, the disk, stopping, ten thousand tasks."""

import os
import resource
import signal
import threading
import time
from pathlib import Path

import pytest
import toy_work

from simkit.io import Store
from simkit.io.keys import digest
from simkit.slurm.parsl_engine import ParslEngine, Setup
from simkit.workflows.campaign import status
from simkit.workflows.campaign.attempt import KEPT
from simkit.workflows.campaign.config import Member
from simkit.workflows.campaign.drive import Driver, progress, same_progress
from simkit.workflows.campaign.engine import Inline
from simkit.workflows.campaign.order import Unit
from simkit.workflows.campaign.plan import Plan, Task
from simkit.workflows.campaign.stopping import FILE, Stopping, forget


@pytest.fixture(autouse=True)
def workers_find_toy_work(monkeypatch):
    """Workers are processes of their own and look it up by name."""
    monkeypatch.setenv("PYTHONPATH", str(Path(toy_work.__file__).resolve().parent))


@pytest.fixture(autouse=True)
def signals():
    """The test's own handlers come back."""
    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT)}
    yield
    for one, handler in before.items():
        signal.signal(one, handler)
    forget()


def driver(root, what, engine=None, needs=None):
    """A driver of toy tasks; what: key -> what it does."""
    (root / "tasks").mkdir(exist_ok=True)

    def describe(key):
        study = {"what": what[key]}
        return {"key": key, "step": "toy", "phase": "", "study": study, "folder": str(root), "needs": ()}

    made = Driver(root, engine or Inline(), toy_work.perform, describe, stopping=Stopping(root / FILE))
    return made, [Unit((key,), {key: (needs or {}).get(key, ())}) for key in what]


def keyed(**what):
    return {digest(name): does for name, does in what.items()}


def test_needs_come_before_and_a_failure_holds_up_what_is_behind_it_only(tmp_path):
    what = keyed(a="nothing", b="raise", c="nothing", d="nothing")
    a, b, c, d = what
    drive, units = driver(tmp_path, what, needs={c: (a,), d: (b,)})
    tally = drive.drive(units[::-1])
    assert (tally.done, tally.failed, tally.waiting, tally.exit_code) == (2, 1, 1, 1)
    store = Store(tmp_path / "tasks")
    assert store.result(c)
    assert not store.result(d)
    assert "a number that is no number (tried 3 times)" in store.read_sealed(b, "failed.json")["reason"]


def test_a_failure_does_not_hold_up_the_company_of_what_is_behind_it(tmp_path):
    what = keyed(a="nothing", bad="raise", c="nothing", d="nothing", e="nothing", f="nothing")
    a, bad, c, d, e, f = what
    drive, _ = driver(tmp_path, what)
    needs = {c: (a,), d: (bad,), e: (c,), f: (d,)}
    units = [Unit((e, f), needs), Unit((c, d), needs), Unit((a,)), Unit((bad,))]
    tally = drive.drive(units)
    store = Store(tmp_path / "tasks")
    assert all(store.result(key) for key in (a, c, e))
    assert not any(store.result(key) for key in (bad, d, f))
    assert (tally.done, tally.failed, tally.waiting) == (3, 1, 2)
    again, _ = driver(tmp_path, what)
    tally = again.drive(units)
    assert (tally.done, tally.failed, tally.waiting) == (3, 1, 2), "and so it stays"


def test_what_is_done_is_not_done_again_and_what_failed_stays_failed(tmp_path):
    what = keyed(a="nothing", b="raise")
    for _ in range(2):
        drive, units = driver(tmp_path, what)
        assert drive.drive(units).exit_code == 1
    store = Store(tmp_path / "tasks")
    assert [sum(line["event"] == "start" for line in store.attempts(key)) for key in what] == [1, 3]


def test_a_full_disk_ends_the_drive_by_name(tmp_path):
    what = keyed(a="full", b="nothing")
    drive, units = driver(tmp_path, what)
    tally = drive.drive(units)
    assert tally.exit_code == 74
    assert "No space left" in tally.disk
    assert tally.failed == 0, "the task is not to blame"


def test_a_stop_file_and_a_signal_end_the_drive_resumably(tmp_path):
    what = keyed(**{f"t{k}": "slow" for k in range(6)})
    drive, units = driver(tmp_path, what)
    threading.Timer(1.5, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
    tally = drive.drive(units)
    assert tally.exit_code == 75
    assert "SIGUSR1" in tally.stopped
    assert 0 < tally.done < 6
    assert tally.done + tally.waiting == 6
    forget()
    drive, units = driver(tmp_path, what)
    assert drive.drive(units).exit_code == 75, "STOP is still there"
    (tmp_path / FILE).unlink()
    drive, units = driver(tmp_path, what)
    assert drive.drive(units).exit_code == 0


def test_losses_are_counted_only_while_nothing_new_is_kept():
    lost = [{"event": "lost", "what": "worker", "kept": kept} for kept in (["a"], ["b"], ["b"], ["b"])]
    assert same_progress(lost) == 3
    assert same_progress([*lost, {"event": "lost", "what": "worker", "kept": ["c"]}]) == 1
    assert same_progress([*lost[:2], {"event": "lost", "what": "node"}, lost[2]]) == 2
    assert same_progress([]) == 0


def test_a_share_that_keeps_another_item_got_further(tmp_path):
    store, key = Store(tmp_path / "tasks"), digest("share")
    store.note(key, "start")
    before = progress(store, key)
    assert progress(store, key) == before
    store.note(key, KEPT, item="ab/cd/band.npz")
    assert progress(store, key) != before


@pytest.mark.slow
def test_poison_is_quarantined_after_three_and_the_rest_finishes(tmp_path):
    what = keyed(poison="segfault", creep="creep", **{f"t{k}": "nothing" for k in range(12)})
    engine = ParslEngine(Setup("local", tmp_path, workers=2))
    try:
        drive, units = driver(tmp_path, what, engine)
        tally = drive.drive(units)
    finally:
        engine.close()
    store = Store(tmp_path / "tasks")
    poison, creep = list(what)[:2]
    assert (tally.done, tally.failed) == (13, 1), "what gets further each time is no poison"
    assert "quarantined" in store.read_sealed(poison, "failed.json")["reason"]
    assert sum(line["event"] == "start" for line in store.attempts(poison)) == 3
    assert sum(line["event"] == "start" for line in store.attempts(creep)) == 4


def plan_of(what):
    """The plan of toy tasks."""
    return Plan("toy", {"m": Member("m", {}, {})}, {key: Task(key, "toy", "m", ()) for key in what})


def resident_MB():
    """Memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


@pytest.mark.slow
def test_ten_thousand_tasks_a_thousand_of_which_fail(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda *_: None)  # 10,000 syncs measure the disk, not the driver
    what = {digest(k): "raise" if k % 10 == 0 else "nothing" for k in range(10_000)}
    keys, memory = list(what), []
    for part in (keys[:2000], keys):
        drive, units = driver(tmp_path, {key: what[key] for key in part})
        tally = drive.drive(units)
        memory.append(resident_MB())
    assert (tally.done, tally.failed, tally.exit_code) == (9000, 1000, 1)
    assert memory[1] - memory[0] < 40, "4 kB for each further task: a key, its item, its place in the queue"
    found = status.status(tmp_path, plan_of(what))
    assert (found.total("done"), found.total("failed"), found.finished) == (9000, 1000, True)
    assert len(found.failures) == 20


@pytest.mark.slow
def test_a_thousand_tasks_through_the_engine(tmp_path):
    """No time is asserted here; `python -m benchmarks campaign_overhead` measures the overhead."""
    what = {digest(k): "nothing" for k in range(1000)}
    engine = ParslEngine(Setup("local", tmp_path, workers=2))
    try:
        drive, units = driver(tmp_path, what, engine)
        start = time.perf_counter()
        tally = drive.drive(units)
        print(f"{1e3 * (time.perf_counter() - start) / 1000:.1f} ms per task")  # noqa: T201
    finally:
        engine.close()
    assert tally.done == 1000
