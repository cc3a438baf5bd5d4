"""From a campaign file to a graph of tasks: what each study needs, what studies share, what goes in one batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from simkit import build
from simkit.errors import InputError
from simkit.io.keys import digest
from simkit.potential.base import Potential, check_elements
from simkit.structure import Structure
from simkit.workflows import study
from simkit.workflows.campaign import sharing, sizing
from simkit.workflows.campaign.config import Config
from simkit.workflows.campaign.plan import PHASE, REPORT, Member, Plan, Task
from simkit.workflows.cell_steps import Cells
from simkit.workflows.cells import intergrowth, phase_cells
from simkit.workflows.dynamics import SEGMENT
from simkit.workflows.kept import RULES, content_key, phase_content, step_key


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
    uses: Counter[str] = Counter()
    light: set[str] = set()
    for member in members:
        settings = study.settings(member.data)
        try:
            found = _Study(config, member, settings, models(settings))
            mine, alone = found.tasks()
        except InputError as error:
            raise InputError(f"study {member.name} ({_told(member)}): {error}") from error
        wanted = _wanted(config.steps, mine)
        uses.update(wanted)
        light |= alone
        for task in mine:
            if task.key in wanted:
                tasks.setdefault(task.key, task)
    _check_steps(config, members)
    kept = _without(tasks, {key for key in light if uses[key] < 2})
    return Plan(config.name, {m.name: m for m in members}, _batched(kept, config, members))


@dataclass(frozen=True)
class _Study:
    """The tasks of one study."""

    config: Config
    member: Member
    settings: study.Config
    model: Potential

    def tasks(self) -> tuple[list[Task], set[str]]:
        """All tasks in order, and the keys of shares that are no use to a single study."""
        whole, cells = study.checked_cells(self.settings)
        for cell in (whole, *cells.values()):
            check_elements(cell.numbers, self.model.card)
        tasks = [
            Task(self._key(phase_content(self.settings, cell)), PHASE, self.member.name, (), name, "", self._MB(cell))
            for name, cell in cells.items()
        ]
        keys = {"phases": tuple(task.key for task in tasks)}
        light: set[str] = set()
        for step, rule in RULES.items():
            if not rule.asked(self.member.data):
                continue
            needs = tuple(dict.fromkeys(key for need in rule.needs for key in keys[need]))
            if not rule.stored:
                keys.setdefault(step, needs)
                continue
            shares = list(self._shares(step, whole, dict(zip(cells, keys["phases"], strict=True)), needs))
            light |= {task.key for chain in shares if _alone(chain) for task in chain}
            tasks += [task for chain in shares for task in chain]
            last = tuple(task.key for chain in shares for task in chain if task.stage == chain[-1].stage)
            task = Task(
                step_key(self.settings, step, self.model.card), step, self.member.name, needs + last,
                memory_MB=self._MB(whole),
            )  # fmt: skip
            tasks.append(task)
            keys[step] = (task.key,)
        everything = tuple(task.key for task in tasks)
        steps = tuple(task.key for task in tasks if not task.stage)
        tasks.append(Task(digest([REPORT, self.member.data, steps]), REPORT, self.member.name, everything))
        return tasks, light

    def _shares(
        self, step: str, whole: Structure, phases: Mapping[str, str], needs: tuple[str, ...]
    ) -> Iterator[list[Task]]:
        """For each phase and the cell under study the shares of a step, stage by stage."""
        if step not in sharing.STAGES:
            return
        label = study.label(self.settings)
        built = phase_cells(self.settings.structure, self.settings.seed)
        for name, key in phases.items():
            cells = Cells(label, {name: built[name].structure}, {name: built[name]})
            given = phase_content(self.settings, built[name].structure)
            yield from self._chain(step, cells, (name, given), (key,))
        model: build.Model = intergrowth(self.settings.structure, self.settings.seed)
        cells = Cells(label, {label: whole}, {label: model})
        yield from self._chain(step, cells, ("", list(needs)), needs)

    def _chain(self, step: str, cells: Cells, of: tuple[str, Any], needs: tuple[str, ...]) -> Iterator[list[Task]]:
        """The shares of one cell: those of a stage need those of the stage before."""
        phase, given = of
        (cell,) = cells.relaxed.values()
        each = self._MB(cell)
        limit = sizing.limit_MB(self.config.batch_GB, self.settings.device)
        chain: list[Task] = []
        before = needs
        for stage in sharing.stages(step, self.settings, cells):
            if not stage.count:
                continue
            parts = sizing.parts(stage.count, each * stage.systems, limit, self.config.spread)
            made = [
                Task(
                    self._key({"share": step, "of": given, "settings": self._table(step, phase), "stage": stage.name,
                               "part": part, "parts": parts}),
                    step, self.member.name, _needs(stage.name, before, part, parts), phase, "",
                    each * stage.systems * -(-stage.count // parts), stage.name, part, parts,
                )
                for part in range(parts)
            ]  # fmt: skip
            chain += made
            before = tuple(task.key for task in made)
        if chain:
            yield chain

    def _table(self, step: str, phase: str) -> Any:
        """What of the study fixes a step, for a phase without what concerns the cell under study only."""
        (table,) = RULES[step].reads
        said = self.settings.model_dump(exclude_none=True)[table]
        return {**said, "galleries": "kinds"} if phase and step in ("gliding", "surfaces") else said

    def _key(self, given: Any) -> str:
        return content_key(given, self.model.card)

    def _MB(self, cell: Structure) -> float:
        return sizing.memory_MB(cell, self.settings.dtype)


def _needs(stage: str, before: tuple[str, ...], part: int, parts: int) -> tuple[str, ...]:
    """A segment of dynamics goes on from the one before of the same runs; any other stage needs all before it."""
    follows = stage.startswith(SEGMENT) and stage != f"{SEGMENT} 0" and len(before) == parts
    return (before[part],) if follows else before


def _alone(chain: Sequence[Task]) -> bool:
    """Whether shares are of use only where several studies need them: nothing is cut, and nothing goes on."""
    return all(task.parts == 1 for task in chain) and sum(task.stage.startswith(SEGMENT) for task in chain) < 2


def _without(tasks: Mapping[str, Task], gone: set[str]) -> dict[str, Task]:
    """The tasks but for some; who needed one of these needs what that one needed."""
    found: dict[str, Task] = {}
    for key, task in tasks.items():
        if key in gone:
            continue
        needs = dict.fromkeys(need for one in task.needs for need in _through(one, tasks, gone))
        found[key] = replace(task, needs=tuple(needs))
    return found


def _through(key: str, tasks: Mapping[str, Task], gone: set[str]) -> Iterable[str]:
    if key not in gone:
        return (key,)
    return [need for one in tasks[key].needs for need in _through(one, tasks, gone)]


def _check_steps(config: Config, members: Sequence[Member]) -> None:
    """Raise InputError for a step that is asked for by name and that no study has."""
    if config.every_step:
        return
    for step in config.steps:
        rule = RULES.get(step)
        if rule is not None and not any(rule.asked(member.data) for member in members):
            raise InputError(f"steps: {step!r} is done where the study has a table [{rule.table}]; add it.")


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


def _batched(tasks: Mapping[str, Task], config: Config, members: Sequence[Member]) -> dict[str, Task]:
    """The same tasks; those that do the same for cells of several studies in batches that fit the limit.

    Within a batch nobody needs anybody: all are of one stage of one step. Reports go alone.
    """
    data = {member.name: member.data for member in members}
    alike: dict[tuple[str, ...], list[str]] = {}
    for key, task in tasks.items():
        if task.step != REPORT:
            how = digest([data[task.member][name] for name in ("potential", "dtype", "device", "committee")])[:10]
            alike.setdefault((task.step, task.stage, how), []).append(key)
    sizes = {key: task.memory_MB for key, task in tasks.items()}
    batch: dict[str, str] = {}
    for (_, _, how), keys in alike.items():
        limit = sizing.limit_MB(config.batch_GB, data[tasks[keys[0]].member]["device"])
        for together in sizing.batches(keys, sizes, limit, config.spread):
            if len(together) > 1:
                batch |= dict.fromkeys(together, f"{how}-{digest(list(together))[:10]}")
    return {key: replace(task, batch=batch.get(key, "")) for key, task in tasks.items()}


def _told(member: Member) -> str:
    return ", ".join(f"{key} = {value!r}" for key, value in member.changes.items()) or "as written"
