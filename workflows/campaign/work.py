"""What a worker does: one batch of tasks, each from its description to its result in the store."""

from __future__ import annotations

import errno
import functools
import os
import platform
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from simkit import io, potential
from simkit.errors import InputError, Interrupted, SimkitError, Stopped
from simkit.io.leases import holder, lease
from simkit.workflows import committee, outputs, relax, study
from simkit.workflows.campaign import facts
from simkit.workflows.campaign.plan import PHASE, REPORT
from simkit.workflows.campaign.saving import Saver
from simkit.workflows.campaign.sharing import WORK
from simkit.workflows.campaign.stopping import FILE, Stopping, listen
from simkit.workflows.common import Hooks, Share, Shared
from simkit.workflows.kept import RULES, Keeper
from simkit.workflows.ledger import Ledger
from simkit.workflows.together import together

DONE, FAILED, INTERRUPTED, DISK, AGAIN, BUSY = "done", "failed", "interrupted", "disk", "again", "busy"
"""How a task ends: done; failed for good; to be taken up again; the disk refused; an error that may pass; another
process is at it."""
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE)

COSTS = {
    "seconds": "wall_time_s",
    "model_evaluations": "model_evaluations",
    "model_batches": "model_batches",
    "model_seconds": "model_time_s",
}
"""Words of attempts.jsonl -> words of record.json."""

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


def perform(root: str, items: Sequence[Mapping[str, Any]], deadline_s: float = 0.0) -> list[Outcome]:
    """Do tasks of a campaign in the folder `root`; those of one batch side by side, in joint evaluations.

    Never raises what belongs to one task: each gets an outcome. What was done before is not done again.
    """
    listen()
    pin_device()
    deadline_s = deadline_s or float(os.environ.get("SIMKIT_DEADLINE_S", 0))
    job = _Job(Path(root), Stopping(Path(root) / FILE, deadline_s))
    asked = [item_of(given) for given in items if not given.get("skip")]
    try:
        model = _model_of(study.settings(asked[0].study)) if len(asked) > 1 else None
    except Exception:  # each task says so itself, and is tried again or not
        model = None
    if model is None:
        return [_attempted(job, item, 1, None) for item in asked]
    done = together(model, [functools.partial(_attempted, job, item, len(asked)) for item in asked])
    for one in done:
        if isinstance(one, BaseException):
            raise one
    return done


def item_of(given: Mapping[str, Any]) -> Item:
    """An item that travelled as plain data."""
    return Item(**{**given, "needs": tuple(given["needs"]), "share": tuple(given.get("share", ("", 0, 1)))})


def _attempted(job: _Job, item: Item, company: int, model: potential.Potential | None) -> Outcome:
    compute = functools.partial(_compute, job, item, model)
    return attempt(job.store, item, compute, job.stopping, company)


def attempt(store: io.Store, item: Item, compute: Callable[[], Any], stopping: Stopping, company: int = 1) -> Outcome:
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


def _tried(store: io.Store, item: Item, compute: Callable[[], Any]) -> tuple[str, str, dict[str, Any]]:
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


@functools.lru_cache(maxsize=4)
def _model(spec: str, device: str, dtype: str) -> potential.Potential:
    """The potential, loaded once per worker. Only those that a study may name: `study.load` refuses pickles."""
    return potential.load(spec, device=device, dtype=dtype)


@dataclass(frozen=True)
class _Job:
    root: Path
    stopping: Stopping

    @property
    def store(self) -> io.Store:
        return io.Store(self.root / "tasks")


class _Reached(Exception):
    """The step that was asked for is done."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


def _model_of(settings: study.Config) -> potential.Potential:
    return _model(settings.potential, settings.device, settings.dtype)


def _compute(job: _Job, item: Item, model: potential.Potential | None) -> tuple[facts.Facts, dict[str, Any]]:
    settings = study.settings(item.study)
    loaded = _model_of(settings) if model is None else model
    counted = potential.Counted(committee.watched(settings.committee, loaded))
    found = _found(job, item, settings, counted)
    return found, {f"model_{name}": value for name, value in asdict(counted.cost).items()}


def _found(job: _Job, item: Item, settings: study.Config, model: potential.Counted) -> facts.Facts:
    if item.share[0]:
        return _shared(job, item, settings, model)
    if item.step == PHASE:
        return facts.of(item.step, _phase(job, item, settings, model))
    if item.step == REPORT:
        return facts.of(item.step, _reported(job, item, settings))
    return facts.of(item.step, _step(job, item, settings, model))


def _phase(job: _Job, item: Item, settings: study.Config, model: potential.Counted) -> dict[str, Any]:
    cell = study.checked_cells(settings)[1][item.phase]
    saver = Saver(job.store, item.key, job.stopping)

    def compute() -> dict[str, Any]:
        name = f"phase-{item.phase}"
        outcome = relax.run(settings.relax, model, {item.phase: cell}, Hooks(watch=saver.watch), name).outcomes[
            item.phase
        ]
        trouble = study.broken(outcome)
        if trouble:
            io.write(job.store.made(item.key) / "stopped.extxyz", outcome.structure)
            raise Stopped(f"{item.phase}: {trouble}; the last good structure is stopped.extxyz in the task's folder")
        return {item.phase: outcome}

    return job.store.keep(item.key, f"phase-{item.phase}", compute, study.OUTCOMES)


def _shared(job: _Job, item: Item, settings: study.Config, model: potential.Counted) -> facts.Facts:
    """A share of a step for one cell: its items are kept by content, where the step itself then finds them.

    What stands in its way is for the step to say, with the whole picture; a share is done when it has done its best.
    """
    saver = Saver(job.store, item.key, job.stopping)
    read, keeper = Keeper(job.store, settings, model.card), Keeper(job.store, settings, model.card, own=item.key)
    hooks = Hooks(keeper.keep, saver.watch, Share(*item.share))
    trouble = ""
    try:
        ledger = _ledger(job, item, settings, model)
        cells = study.one_cell(settings, model, ledger, saver.hooks(read.keep), read.entering(_plainly), item.phase)
        WORK[item.step](settings, model, cells, hooks)
    except Shared:
        pass
    except (InputError, Stopped) as error:
        trouble = str(error)
    row = {"items": len(keeper.items), **({"trouble": trouble} if trouble else {})}
    return facts.Facts(True, {f"share {item.share[1] + 1} of {item.share[2]}": row}, frozenset(keeper.items))


def _plainly(name: str, compute: Callable[[], Any]) -> Any:
    return compute()


def _ledger(job: _Job, item: Item, settings: study.Config, model: potential.Counted) -> Ledger:
    """One that only says where a broken structure goes."""
    directory = io.RunDirectory(job.store.made(item.key), item.key)
    return Ledger(directory, model, committee.watched(settings.committee, model))


def _step(job: _Job, item: Item, settings: study.Config, model: potential.Counted) -> Any:
    """The step reached by going through the study: what it needs is read back, the rest is skipped."""
    keeper = Keeper(job.store, settings, model.card)
    saver = Saver(job.store, item.key, job.stopping)
    rule = RULES[item.step]

    def step(name: str, compute: Callable[[], Any]) -> Any:
        if name == item.step:
            raise _Reached(compute())
        return compute() if name in rule.needs else None

    try:
        ledger = _ledger(job, item, settings, model)
        study.replay(settings, model, ledger, saver.hooks(keeper.keep), keeper.entering(step))
    except _Reached as reached:
        return reached.value
    raise SimkitError(f"the study has no step {item.step!r}; the campaign was made by another version of simkit.")


def _reported(job: _Job, item: Item, settings: study.Config) -> Any:
    """The study run as `simkit run` runs it, with everything read back from the store.

    A folder under studies/ holds nothing else: what an earlier or killed report left there is made anew.
    """
    folder = Path(item.folder)
    if folder != job.root:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    loaded = _model_of(settings)
    saver = Saver(job.store, item.key, job.stopping)
    found = study.run(settings, folder, True, Hooks(watch=saver.watch), "simkit submit", loaded, job.store)
    _add_costs(io.RunDirectory(folder, ""), costs(job.store, item.needs))
    return found


def costs(store: io.Store, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What finished tasks cost, by step, in the words of a run's record."""
    steps: dict[str, dict[str, Any]] = {}
    for line in (line for key in keys for line in store.attempts(key) if line["event"] == DONE):
        entry = steps.setdefault("phases" if line["step"] == PHASE else line["step"], dict.fromkeys(COSTS.values(), 0))
        for theirs, ours in COSTS.items():
            entry[ours] = round(entry[ours] + line.get(theirs, 0), 3)
    return steps


def _add_costs(run: io.RunDirectory, spent: Mapping[str, Mapping[str, Any]]) -> None:
    """Put the costs of tasks done elsewhere into the record of a run, and write its page again."""
    record = run.read_json("record.json")
    for step in record["steps"]:
        step.update(spent.get(step["name"], {}))
    run.write_json("record.json", record)
    outputs.page(run)
