"""One try at one task: its description, and how it ends; nothing here knows what tasks do."""

from __future__ import annotations

import errno
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from simkit.errors import InputError, Interrupted, Stopped
from simkit.io.leases import holder, lease
from simkit.io.store import Store
from simkit.workflows.campaign.stopping import Stopping

DONE, FAILED, INTERRUPTED, DISK, AGAIN, BUSY = "done", "failed", "interrupted", "disk", "again", "busy"
"""How a task ends: done; failed for good; to be taken up again; the disk refused; an error that may pass; another
process is at it."""
KEPT = "kept"
"""Event of attempts.jsonl: a share kept an item in another folder."""
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE)

Outcome = dict[str, Any]
"""{key, state, reason}: what a driver is told of a task."""


@dataclass(frozen=True)
class Item:
    """A task as a worker gets it. study: resolved tables; folder: run directory for its report; needs: keys before.

    share: stage, part and number of parts where only a share of a step is asked for; the stage is empty otherwise
    skip: it is here for the batch it belongs to, and not attempted.
    """

    key: str
    step: str
    phase: str
    study: Mapping[str, Any]
    folder: str
    needs: tuple[str, ...]
    share: tuple[str, int, int] = ("", 0, 1)
    skip: bool = False


def item_of(given: Mapping[str, Any]) -> Item:
    """An item that travelled as plain data."""
    return Item(**{**given, "needs": tuple(given["needs"]), "share": tuple(given.get("share", ("", 0, 1)))})


def attempt(store: Store, item: Item, compute: Callable[[], Any], stopping: Stopping, company: int = 1) -> Outcome:
    """One try at one task: noted in attempts.jsonl, its result sealed, its failure named.

    company: so many tasks go side by side, each of which is charged with its part of the time.
    """
    if store.result(item.key) is not None:
        return {"key": item.key, "state": DONE, "reason": "was done before"}
    if stopping.reason():
        return {"key": item.key, "state": INTERRUPTED, "reason": stopping.reason()}
    begun = time.time()
    folder = store.made(item.key)
    other = holder(folder)
    if other is not None:
        return {"key": item.key, "state": BUSY, "reason": f"process {other['pid']} on {other['host']} is at it"}
    store.note(item.key, "start", **where())
    with lease(folder):
        state, reason, spent = _tried(store, item, compute)
    seconds = round((time.time() - begun) / company, 3)
    if "model_seconds" in spent:
        spent["model_seconds"] = round(spent["model_seconds"] / company, 3)
    store.note(item.key, state, reason=reason, seconds=seconds, step=item.step, **spent)
    return {"key": item.key, "state": state, "reason": reason}


def where() -> dict[str, Any]:
    """Which process on which machine and device."""
    known = {"host": platform.node(), "pid": os.getpid()}
    names = {"job": "SLURM_JOB_ID", "node": "SLURMD_NODENAME", "device": "CUDA_VISIBLE_DEVICES"}
    return known | {name: os.environ[word] for name, word in names.items() if word in os.environ}


def _tried(store: Store, item: Item, compute: Callable[[], Any]) -> tuple[str, str, dict[str, Any]]:
    try:
        found, spent = compute()
        store.finish(item.key, {"step": item.step, "converged": found.converged, "rows": found.rows}, found.items)
    except Interrupted as error:
        return INTERRUPTED, str(error), {}
    except (InputError, Stopped) as error:
        return FAILED, str(error), {}
    except OSError as error:
        return (DISK if error.errno in DISK_ERRORS else AGAIN), f"{type(error).__name__}: {error}", {}
    except Exception as error:  # whatever a backend raises belongs to this task, not to the worker
        return AGAIN, f"{type(error).__name__}: {error}", {}
    return DONE, "", spent


def pin_device() -> None:
    """One worker, one GPU: of those that this node's job was given, the one of the worker's rank.

    SLURM's own list counts, since a job may have been given devices 2 and 3. A worker that has been pinned stays so.
    """
    rank = os.environ.get("PARSL_WORKER_RANK")
    given = os.environ.get("SIMKIT_NODE_DEVICES", "")
    if rank is None or not given or "SIMKIT_PINNED" in os.environ:
        return
    devices = given.split(",")
    os.environ["CUDA_VISIBLE_DEVICES"] = devices[int(rank) % len(devices)]
    os.environ["SIMKIT_PINNED"] = "1"
