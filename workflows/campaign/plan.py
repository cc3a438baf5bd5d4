"""From a campaign file to a graph of tasks: equal work once, small work in batches, everything named by content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from simkit import io
from simkit.errors import CorruptFileError, InputError
from simkit.io.keys import digest
from simkit.io.record import versions
from simkit.io.store import sealed, unsealed
from simkit.potential.base import Potential, check_elements
from simkit.workflows import study
from simkit.workflows.campaign.config import REPORT, Config, Member
from simkit.workflows.kept import RULES, content_key, phase_content, step_key

LOCK = "campaign.lock.json"
SCHEMA = "simkit-campaign-1"
PHASE = "phase"


@dataclass(frozen=True)
class Task:
    """One piece of work: `key` names its content, `needs` the tasks before it.

    step    "phase", a step of a study, or "report"
    member  the study it is done for; equal work of other studies is this task too
    phase   of a "phase": its name in that study
    batch   tasks with the same batch are done in one go, in the order of their keys
    atoms   of the cell, for the size of a batch
    """

    key: str
    step: str
    member: str
    needs: tuple[str, ...]
    phase: str = ""
    batch: str = ""
    atoms: int = 0


@dataclass(frozen=True)
class Plan:
    """A campaign resolved: studies by name, tasks by key in an order in which they can be done."""

    name: str
    members: Mapping[str, Member]
    tasks: Mapping[str, Task]

    @property
    def single(self) -> bool:
        """Whether it is one study, submitted as such."""
        return len(self.members) == 1 and not next(iter(self.members.values())).changes

    def folder(self, root: Path, member: str) -> Path:
        """The run directory of a study: the campaign's own folder where it is the only one."""
        return root if self.single else root / "studies" / member

    def units(self) -> list[tuple[str, ...]]:
        """Keys of what is done in one go."""
        groups: dict[str, list[str]] = {}
        for task in self.tasks.values():
            groups.setdefault(task.batch or task.key, []).append(task.key)
        return [tuple(sorted(keys)) for keys in groups.values()]


class _Models:
    """Potentials by what a study says of them, each loaded once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Potential] = {}

    def __call__(self, settings: study.Config) -> Potential:
        asked = settings.potential, settings.dtype
        if asked not in self._known:
            self._known[asked] = study.load(settings.model_copy(update={"device": "cpu"}))
        return self._known[asked]


def plan(config: Config, members: Sequence[Member]) -> Plan:
    """Every task of a campaign. Builds every cell and loads every potential: InputError for what could fail later."""
    models, tasks = _Models(), {}
    for member in members:
        settings = study.settings(member.data)
        try:
            found = _tasks_of(settings, member, models(settings))
        except InputError as error:
            raise InputError(f"study {member.name} ({_told(member)}): {error}") from error
        wanted = _wanted(config.steps, found)
        for task in found:
            if task.key in wanted:
                tasks.setdefault(task.key, task)
    return Plan(config.name, {m.name: m for m in members}, _batched(tasks, config.batch_atoms, members))


def _tasks_of(settings: study.Config, member: Member, model: Potential) -> list[Task]:
    whole, cells = study.checked_cells(settings)
    for cell in (whole, *cells.values()):
        check_elements(cell.numbers, model.card)
    tasks = [
        Task(content_key(phase_content(settings, cell), model.card), PHASE, member.name, (), name, atoms=len(cell))
        for name, cell in cells.items()
    ]
    keys = {"phases": tuple(task.key for task in tasks)}
    for step, rule in RULES.items():
        needs = tuple(dict.fromkeys(key for need in rule.needs for key in keys[need]))
        if rule.stored:
            task = Task(step_key(settings, step, model.card), step, member.name, needs, atoms=len(whole))
            tasks.append(task)
            keys[step] = (task.key,)
        else:
            keys.setdefault(step, needs)
    everything = tuple(task.key for task in tasks)
    tasks.append(Task(digest([REPORT, member.data, everything]), REPORT, member.name, everything))
    return tasks


def _wanted(steps: Sequence[str], tasks: Sequence[Task]) -> set[str]:
    """Keys of the steps asked for and of all that they need."""
    needs = {task.key: task.needs for task in tasks}
    wanted: set[str] = set()
    open_keys = [task.key for task in tasks if task.step in steps]
    while open_keys:
        key = open_keys.pop()
        if key not in wanted:
            wanted.add(key)
            open_keys += needs[key]
    return wanted


def _batched(tasks: Mapping[str, Task], most_atoms: int, members: Sequence[Member]) -> dict[str, Task]:
    """The same tasks, phases with the same settings put into batches of at most so many atoms."""
    data = {member.name: member.data for member in members}
    size: dict[str, int] = {}
    number: dict[str, int] = {}
    found = {}
    for key, task in tasks.items():
        batch = ""
        if task.step == PHASE:
            how = digest([data[task.member][name] for name in ("relax", "potential", "dtype", "device")])[:10]
            if size.get(how, 0) + task.atoms > most_atoms:
                size[how], number[how] = 0, number.get(how, 0) + 1
            size[how] = size.get(how, 0) + task.atoms
            batch = f"{how}-{number.get(how, 0)}"
        found[key] = Task(task.key, task.step, task.member, task.needs, task.phase, batch, task.atoms)
    return found


def _told(member: Member) -> str:
    return ", ".join(f"{key} = {value!r}" for key, value in member.changes.items()) or "as written"


def write(root: Path, resolved: Plan) -> None:
    """Write campaign.lock.json: everything a driver or a worker on another machine needs to know."""
    facts = {
        "schema": SCHEMA,
        "simkit": versions()["simkit"],
        "name": resolved.name,
        "members": {m.name: {"changes": m.changes, "study": m.data} for m in resolved.members.values()},
        "tasks": [[t.key, t.step, t.member, list(t.needs), t.phase, t.batch, t.atoms] for t in resolved.tasks.values()],
    }
    io.write_atomic(root / LOCK, sealed(facts))


def read(root: Path) -> Plan:
    """Read campaign.lock.json. Raises InputError where there is no campaign, or one of another version."""
    try:
        facts = unsealed(root / LOCK)
    except FileNotFoundError:
        raise InputError(f"{root} holds no campaign; make one with: simkit submit CAMPAIGN.toml --out {root}") from None
    except CorruptFileError as error:
        raise CorruptFileError(f"{error} Submit the campaign file again; what was finished is kept.") from error
    if facts["schema"] != SCHEMA or facts["simkit"] != versions()["simkit"]:
        raise InputError(
            f"{root / LOCK} was written by simkit {facts['simkit']} as {facts['schema']}; this is simkit "
            f"{versions()['simkit']} and {SCHEMA}. Submit the campaign file again: its results would differ."
        )
    members = {name: Member(name, m["changes"], m["study"]) for name, m in facts["members"].items()}
    tasks = [Task(key, step, member, tuple(needs), *rest) for key, step, member, needs, *rest in facts["tasks"]]
    return Plan(facts["name"], members, {task.key: task for task in tasks})
