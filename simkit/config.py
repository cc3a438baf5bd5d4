"""Study files: TOML in, checked frozen records out, and one clear line for each mistake."""

from __future__ import annotations

import tomllib
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from simkit.errors import InputError, nearest

MAXIMUM_STUDY_BYTES = 1_000_000


class Section(BaseModel):
    """A table of a study file: frozen, strict in types, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=())


Record = TypeVar("Record", bound=Section)


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read a TOML file. Raises InputError: no such file, not a regular file, too large, not TOML."""
    path = Path(path)
    if not path.exists():
        raise InputError(f"no such study file: {path}. Write one with: simkit init {path}")
    if not path.is_file():
        raise InputError(f"{path} is not a regular file; a study is a TOML file.")
    if path.stat().st_size > MAXIMUM_STUDY_BYTES:
        raise InputError(f"{path} holds {path.stat().st_size} bytes; a study file has at most {MAXIMUM_STUDY_BYTES}.")
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML: {error}") from error


def with_overrides(data: Mapping[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """Apply `key.path=value` assignments; values are TOML, a bare word is taken as a string.

    A list entry is addressed by its index: `structure.blocks.0.content=0.5`.
    """
    result = _copied(data)
    for assignment in assignments:
        key, found, text = assignment.partition("=")
        if not found or not key.strip():
            raise InputError(f"--set {assignment!r} has no value; write --set key=value, as relax.max_steps=50.")
        _assign(result, key.strip().split("."), _parsed(text.strip()), assignment)
    return result


def checked(model: type[Record], data: Mapping[str, Any]) -> Record:
    """Build a `Section` from plain data. Raises InputError with one line per mistake."""
    try:
        return model.model_validate(dict(data))
    except ValidationError as error:
        lines: dict[str, str] = {}
        for item in error.errors(include_url=False):
            location = _location(model, item["loc"])
            lines.setdefault(".".join(str(part) for part in location), _sentence(model, {**item, "loc": location}))
        raise InputError("\n".join(lines.values())) from error


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _parsed(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _assign(data: Any, path: list[str], value: Any, assignment: str) -> None:
    for name in path[:-1]:
        data = _entered(data, name, assignment)
    if isinstance(data, list):
        data[_index(data, path[-1], assignment)] = value
    else:
        data[path[-1]] = value


def _entered(data: Any, name: str, assignment: str) -> Any:
    if isinstance(data, list):
        return data[_index(data, name, assignment)]
    if not isinstance(data.setdefault(name, {}), dict | list):
        raise InputError(f"--set {assignment!r}: {name!r} is a value, not a table.")
    return data[name]


def _index(data: list, name: str, assignment: str) -> int:
    if not name.isdigit() or int(name) >= len(data):
        raise InputError(
            f"--set {assignment!r}: {name!r} is no entry of a list of {len(data)}; use 0 to {len(data) - 1}."
        )
    return int(name)


def _sentence(model: type[Section], item: Mapping[str, Any]) -> str:
    location = item["loc"]
    key = ".".join(str(part) for part in location) or "study"
    kind, given = item["type"], item["input"]
    if kind == "extra_forbidden":
        return f"{key}: unknown key; {nearest(str(location[-1]), _known_keys(model, location[:-1]))}"
    if kind in ("model_type", "model_attributes_type"):
        return f"{key} = {given!r}: should be a table of keys."
    if kind == "too_short":
        return f"{key}: should hold at least {item['ctx']['min_length']} entries, found {item['ctx']['actual_length']}."
    if kind == "missing":
        return f"{key}: missing; it must be given."
    if kind == "dict_type":
        return f"{key} = {given!r}: should be a table, as {{ Co = 1.0 }}."
    message = item["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    wanted = message if message != item["msg"] else message[:1].lower() + message[1:]
    return f"{key} = {given!r}: {'' if kind == 'value_error' else 'should be '}{wanted}".rstrip(".") + "."


def _location(model: type[Section], location: Sequence[Any]) -> tuple:
    """The keys of the study file only: what the checker appends for the branches of a union is cut off."""
    kept: list[Any] = []
    inner: Any = model
    for part in location:
        if isinstance(part, int):
            kept.append(part)
        elif inner is not None and part in inner.model_fields:
            kept.append(part)
            inner = _section_of(inner.model_fields[part].annotation)
        elif inner is not None and part == location[-1]:
            kept.append(part)
    return tuple(kept)


def _known_keys(model: Any, location: Sequence[Any]) -> list[str]:
    for part in location:
        if isinstance(part, int):
            continue
        model = _section_of(model.model_fields[part].annotation)
    return list(model.model_fields)


def _section_of(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    for inner in typing.get_args(annotation):
        found = _section_of(inner)
        if found is not None:
            return found
    return None
