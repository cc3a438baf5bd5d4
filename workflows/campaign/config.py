"""campaign.toml: one study, and lists or ranges of any of its keys, filtered and repeated."""

from __future__ import annotations

import itertools
import json
import operator
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from simkit.config import Section, checked, read_toml, with_overrides
from simkit.errors import InputError, nearest
from simkit.io.keys import digest
from simkit.workflows import building, study
from simkit.workflows.campaign.plan import REPORT, Member
from simkit.workflows.kept import RULES

MAXIMUM_STUDIES = 100_000
STEPS = (*(name for name, rule in RULES.items() if rule.stored), REPORT)
"""What may be asked for; steps that these need are added."""
COMPARISONS = {
    "<=": operator.le, ">=": operator.ge, "==": operator.eq, "!=": operator.ne, "<": operator.lt, ">": operator.gt,
}  # fmt: skip


class Range(Section):
    """Evenly spaced values, both ends included."""

    start: float
    stop: float
    count: int = Field(ge=2)


class Config(Section):
    """A campaign.

    study     a study's tables; or the path of a study file, beside the campaign file; or the name of a recipe
    over      key of a study -> its values, a list or { start, stop, count }; every combination is a study
    together  tables of keys whose lists go side by side, as phases and their metals
    where     comparisons that every study must meet, as "structure.blocks.0.content < structure.blocks.1.content"
    replicas  each combination so many times, with seeds counted up from its own
    steps     which steps; what they need is added
    batch_GB  memory of one batch, as the planner expects it: small work of several studies is put together, and work
              of one cell is shared, so that no task is beyond it; by default 2 on the CPU, 16 on other devices
    spread    so many workers may share the hops, slides, strains or runs of one cell, and a step over the studies
    """

    name: str = "campaign"
    study: str | dict[str, Any]
    over: dict[str, list[Any] | Range] = Field(default_factory=dict)
    together: list[dict[str, list[Any]]] = Field(default_factory=list)
    where: list[str] = Field(default_factory=list)
    replicas: int = Field(default=1, ge=1)
    steps: list[str] = Field(default_factory=lambda: list(STEPS))
    batch_GB: float | None = Field(default=None, gt=0)
    spread: int = Field(default=1, ge=1, le=10_000)

    @property
    def every_step(self) -> bool:
        """Whether no step is asked for by name."""
        return "steps" not in self.model_fields_set


def read(path: Path) -> tuple[Config, list[Member]]:
    """A campaign file and its studies; a plain study file is a campaign of one. Raises InputError per mistake."""
    data = read_toml(path)
    alone = {"name": str(data.get("name", path.stem)), "study": data}
    config = checked(Config, alone if "structure" in data else data)
    for step in config.steps:
        if step not in STEPS:
            raise InputError(f"steps: {step!r} is no step of a study; {nearest(step, STEPS)}")
    return config, members(config, _base(config, path.parent))


def members(config: Config, base: Mapping[str, Any]) -> list[Member]:
    """Every combination that meets the filters, as a checked study. Raises InputError naming the combination."""
    found: dict[str, Member] = {}
    for changes in _combinations(config):
        for replica in range(config.replicas):
            member = _member(base, changes, replica if config.replicas > 1 else None)
            if all(holds(condition, member.data) for condition in config.where):
                found[member.name] = member
        if len(found) > MAXIMUM_STUDIES:
            raise InputError(f"over: more than {MAXIMUM_STUDIES} studies; split the campaign.")
    if not found:
        raise InputError("where: no combination meets every condition, so there is nothing to do.")
    return list(found.values())


def holds(condition: str, data: Mapping[str, Any]) -> bool:
    """Whether a comparison of keys, numbers and words holds; keys may be summed with +. Raises InputError."""
    sign = next((s for s in COMPARISONS if s in condition), None)
    if sign is None:
        raise InputError(f"where: {condition!r} is no comparison; write KEY < VALUE, with one of {list(COMPARISONS)}.")
    left, _, right = condition.partition(sign)
    try:
        return bool(COMPARISONS[sign](_side(left, data, condition), _side(right, data, condition)))
    except TypeError as error:
        raise InputError(f"where: {condition!r} compares what cannot be compared: {error}") from error


def _side(text: str, data: Mapping[str, Any], condition: str) -> Any:
    terms = [_term(term.strip(), data, condition) for term in text.split("+")]
    return sum(terms) if len(terms) > 1 else terms[0]


def _term(text: str, data: Mapping[str, Any], condition: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        pass
    value: Any = data
    for name in text.split("."):
        try:
            value = value[int(name)] if isinstance(value, list) else value[name]
        except (KeyError, IndexError, ValueError, TypeError):
            raise InputError(f"where: {condition!r}: {text!r} is neither a number nor a key of the study.") from None
    return value


def _base(config: Config, folder: Path) -> dict[str, Any]:
    if not isinstance(config.study, str):
        return config.study
    beside = folder / config.study
    return read_toml(beside if beside.suffix == ".toml" else building.locate(config.study))


def _combinations(config: Config) -> Iterator[dict[str, Any]]:
    axes = [[{key: value} for value in _values(key, given)] for key, given in config.over.items()]
    axes += [_side_by_side(table) for table in config.together]
    for chosen in itertools.product(*axes):
        yield {key: value for part in chosen for key, value in part.items()}


def _values(key: str, given: list[Any] | Range) -> list[Any]:
    if isinstance(given, list):
        if not given:
            raise InputError(f"over.{key}: the list is empty; give at least one value.")
        return given
    step = (given.stop - given.start) / (given.count - 1)
    values = [round(given.start + k * step, 12) for k in range(given.count)]
    whole = all(value == int(value) for value in (*values, given.start, given.stop))
    return [int(value) for value in values] if whole else values


def _side_by_side(table: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    lengths = {key: len(values) for key, values in table.items()}
    if len(set(lengths.values())) != 1 or 0 in lengths.values():
        raise InputError(f"together: lists of one table must be equally long, found {lengths}.")
    return [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]


def _member(base: Mapping[str, Any], changes: Mapping[str, Any], replica: int | None) -> Member:
    data = with_overrides(base, [f"{key}={_toml(value)}" for key, value in changes.items()])
    if replica is not None:
        data["seed"] = int(data.get("seed", 0)) + replica
        changes = {**changes, "seed": data["seed"]}
    try:
        resolved = study.settings(data).model_dump(exclude_none=True)
    except InputError as error:
        where = ", ".join(f"{key} = {value!r}" for key, value in changes.items()) or "the study"
        raise InputError(f"{where}: {error}") from error
    return Member(digest({k: v for k, v in resolved.items() if k != "device"})[:10], dict(changes), resolved)


def _toml(value: Any) -> str:
    """A value as TOML writes it, for an assignment."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(k))} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value)
