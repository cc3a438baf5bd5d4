"""Work without physics for the driver's tests: what a task does is in its study."""

import os
import signal
import time
from pathlib import Path

from simkit.io import Store
from simkit.workflows.campaign.facts import Facts
from simkit.workflows.campaign.stopping import FILE, Stopping, listen
from simkit.workflows.campaign.work import Item, attempt


def perform(root, items, deadline_s):
    """Like the real one, with `does` instead of a step."""
    listen()
    store, stopping = Store(Path(root) / "tasks"), Stopping(Path(root) / FILE, deadline_s)
    asked = [Item(**{**item, "needs": tuple(item["needs"])}) for item in items if not item["skip"]]
    return [attempt(store, item, lambda item=item: does(store, item), stopping) for item in asked]


def does(store, item):
    """A no-op, or one of the ways in which a task goes wrong."""
    what = item.study.get("what", "nothing")
    if what == "raise":
        raise ValueError("a number that is no number")
    if what == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "creep" and len(store.kept(item.key)) < 3:  # dies each time, but gets further each time
        store.keep(item.key, f"part{len(store.kept(item.key))}", lambda: 1)
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "full":
        raise OSError(28, "No space left on device")
    if what == "slow":
        time.sleep(1.0)
    return Facts(True, {"all": {"value": 1}}), {}
