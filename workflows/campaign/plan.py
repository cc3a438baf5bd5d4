"""A campaign resolved: a graph of tasks, equal work once, small work in batches, everything named by content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from simkit.errors import CorruptFileError, InputError
from simkit.io.atomic import write_atomic
from simkit.io.record import versions
from simkit.io.sealed import sealed, unsealed

LOCK = "campaign.lock.json"
SCHEMA = "simkit-campaign-2"
PHASE, REPORT = "phase", "report"


@dataclass(frozen=True)
class Member:
    """One study of a campaign: a short name from its content, what sets it apart, its resolved tables."""

    name: str
    changes: dict[str, Any]
    data: dict[str, Any]


@dataclass(frozen=True)
class Task:
    """One piece of work: `key` names its content, `needs` the tasks before it.

    step    "phase", a step of a study, or "report"
    member  the study it is done for; equal work of other studies is this task too
    phase   of a "phase", and of a share that is done for one: its name in that study
    batch   tasks with the same batch are done in one go, side by side
    memory_MB  that the planner expects of one evaluation, for the size of a batch
    stage, part, parts  of a share: part `part` of `parts` of the items of one stage of the step
    """

    key: str
    step: str
    member: str
    needs: tuple[str, ...]
    phase: str = ""
    batch: str = ""
    memory_MB: float = 0.0
    stage: str = ""
    part: int = 0
    parts: int = 1

    @property
    def title(self) -> str:
        """What it does, in words: the step, and of a share its stage."""
        return f"{self.step}: {self.stage.split()[0]}" if self.stage else self.step


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


def write(root: Path, resolved: Plan) -> None:
    """Write campaign.lock.json: everything a driver or a worker on another machine needs to know."""
    facts = {
        "schema": SCHEMA,
        "simkit": versions()["simkit"],
        "name": resolved.name,
        "members": {m.name: {"changes": m.changes, "study": m.data} for m in resolved.members.values()},
        "tasks": [
            [list(one) if isinstance(one, tuple) else one for one in astuple(t)] for t in resolved.tasks.values()
        ],
    }
    write_atomic(root / LOCK, sealed(facts))


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
    return Plan(facts["name"], members, {task.key: task for task in _tasks(facts["tasks"])})


def _tasks(rows: list[list[Any]]) -> Iterator[Task]:
    for key, step, member, needs, *rest in rows:
        yield Task(key, step, member, tuple(needs), *rest)
