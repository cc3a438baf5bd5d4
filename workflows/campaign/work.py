"""What a worker does: one batch of tasks, each from its description to its result in the store."""

from __future__ import annotations

import functools
import importlib
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from simkit import io, potential
from simkit.errors import InputError, SimkitError, Stopped
from simkit.workflows import committee, relax, study
from simkit.workflows.campaign import facts
from simkit.workflows.campaign.attempt import DONE, KEPT, Item, Outcome, attempt, item_of, pin_device
from simkit.workflows.campaign.plan import PHASE, REPORT
from simkit.workflows.campaign.saving import Saver
from simkit.workflows.campaign.sharing import WORK
from simkit.workflows.campaign.stopping import FILE, Stopping, listen
from simkit.workflows.common import Hooks, Share, Shared
from simkit.workflows.kept import RULES, Keeper
from simkit.workflows.ledger import Ledger
from simkit.workflows.together import together

COSTS = {
    "seconds": "wall_time_s",
    "model_evaluations": "model_evaluations",
    "model_batches": "model_batches",
    "model_seconds": "model_time_s",
}
"""Words of attempts.jsonl -> words of record.json."""


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


def _attempted(job: _Job, item: Item, company: int, model: potential.Potential | None) -> Outcome:
    compute = functools.partial(_compute, job, item, model)
    return attempt(job.store, item, compute, job.stopping, company)


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
    read = Keeper(job.store, settings, model.card)
    note = functools.partial(_noted, job.store, item.key)
    keeper = Keeper(job.store, settings, model.card, own=item.key, told=note)
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


def _noted(store: io.Store, key: str, path: Path) -> None:
    """A share that kills its worker each time, but gets further, is no poison."""
    store.note(key, KEPT, item=str(path.relative_to(store.root)))


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
    importlib.import_module(study.OUTPUTS).page(run)
