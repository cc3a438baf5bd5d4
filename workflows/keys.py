"""Every key of a [structure] table with its type, default and meaning, read off the tables that check the file."""

from __future__ import annotations

import dataclasses
import inspect
import re
import textwrap
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic_core import PydanticUndefined

from simkit import build
from simkit.config import Section
from simkit.errors import InputError, nearest
from simkit.workflows.records import RECORDS
from simkit.workflows.structures import KINDS, Request

WIDTH = 120
WORDS = {int: "whole number", float: "number", str: "text", bool: "true or false", Any: "value"}
ENTRY = re.compile(r"([A-Za-z]\w*(?:, [A-Za-z]\w*)*)(?: {2,}|: )(.*)")
"""A line of a docstring that explains one or several names."""
SEE = ("see ", "see:")


@dataclasses.dataclass(frozen=True)
class Key:
    """One key of a table: its name, what may be written, what holds where it is left out, what it means."""

    name: str
    kind: str
    default: str
    meaning: str


def text(kind: str = "") -> str:
    """The keys of one kind of cell, or of all of them. Raises InputError for an unknown kind."""
    if kind and kind not in KINDS:
        raise InputError(f"{kind!r} is no kind of cell; {nearest(kind, KINDS)}")
    roots: list[tuple[str, type[Section]]] = [("", Request)]
    roots += [("structure", KINDS[name]) for name in ([kind] if kind else KINDS)]
    tables: dict[type[Section], list[str]] = {}
    for path, model in roots:
        _collect(model, path, tables)
    parts = [_table(model, paths) for model, paths in tables.items()]
    shaped = any("shape" in model.model_fields for model in tables)
    return "\n\n".join([*parts, *(_shapes() if shaped else [])])


def keys(model: type[Section]) -> list[Key]:
    """The keys of a table in their order."""
    meanings, defaults = _meanings(model), _record_defaults(model)
    found = []
    for name, field in model.model_fields.items():
        given = field.get_default(call_default_factory=True)
        stated = getattr(model, "stated", {}).get(name)
        default = _default(defaults.get(name) if given is None else given, field.is_required())
        found.append(Key(name, _kind(field.annotation), stated or default, meanings.get(name, "")))
    return found


def _collect(model: type[Section], path: str, tables: dict[type[Section], list[str]]) -> None:
    """Every table below a table, each with the places where it may stand."""
    paths = tables.setdefault(model, [])
    if path in paths:
        return
    paths.append(path)
    for name, field in model.model_fields.items():
        for inner, many in _sections(field.annotation):
            where = f"{path}.{name}" if path else name
            _collect(inner, where + ("[]" if many else ""), tables)


def _sections(hint: Any, many: bool = False) -> Iterator[tuple[type[Section], bool]]:
    if isinstance(hint, type) and issubclass(hint, Section):
        yield hint, many
    for inner in typing.get_args(hint):
        yield from _sections(inner, many or typing.get_origin(hint) is list)


def _table(model: type[Section], paths: list[str]) -> str:
    where = ", ".join(f"[[{p[:-2]}]]" if p.endswith("[]") else f"[{p}]" for p in paths if p) or "at the top of the file"
    about = next((d.split("\n\n")[0] for d in _docs(model) if d), "")
    head = textwrap.wrap(f"{where}: {' '.join(about.split())}", WIDTH)
    return "\n".join([*head, *(line for key in keys(model) for line in _lines(key))])


def _lines(key: Key) -> list[str]:
    words = f"  {key.name}  ({key.kind}; {key.default})" + (f"  {key.meaning}" if key.meaning else "")
    words = words.replace("None:", "left out:")
    return textwrap.wrap(words, WIDTH, subsequent_indent="      ", break_long_words=False, break_on_hyphens=False)


def _shapes() -> list[str]:
    """The tables of shapes, from the records they become."""
    parts = []
    for name, record in build.SHAPE_TABLES.items():
        hints = typing.get_type_hints(record)
        meanings = _entries(inspect.getdoc(record) or "", list(hints))
        lines = textwrap.wrap(f'shape = {{ shape = "{name}" }}: {_first(inspect.getdoc(record))}', WIDTH)
        for field in dataclasses.fields(record):
            needed = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
            shown = _default(None if needed else field.default, needed)
            lines += _lines(Key(field.name, _kind(hints[field.name]), shown, meanings.get(field.name, "")))
        parts.append("\n".join(lines))
    sphere = inspect.getdoc(build.sphere) or ""
    return [*parts, f'shape = {{ shape = "sphere", radius_A = 9.0 }}: {_first(sphere)}']


def _first(doc: str | None) -> str:
    return " ".join((doc or "").split("\n\n")[0].split())


def _docs(model: type[Section]) -> list[str]:
    """Docstrings that explain a table: its own, those of its builders, those of the records it becomes."""
    own = [c for c in model.__mro__ if issubclass(c, Section) and c is not Section]
    records = [RECORDS[c] for c in own if c in RECORDS]
    sources = [*(c for c in own if c not in RECORDS), *getattr(model, "explained_by", ()), *records]
    return [inspect.cleandoc(source.__doc__ or "") for source in sources]


def _meanings(model: type[Section]) -> dict[str, str]:
    found: dict[str, str] = {}
    for doc in _docs(model):
        for name, meaning in _entries(doc, list(model.model_fields)).items():
            if name not in found or found[name].startswith(SEE):
                found[name] = meaning
    return found


def _entries(doc: str, names: list[str]) -> dict[str, str]:
    """What a docstring says of each name: its line, and the lines after it that are indented."""
    found: dict[str, str] = {}
    open_names: list[str] = []
    for line in doc.splitlines():
        entry = ENTRY.fullmatch(line)
        told = [word for word in entry[1].split(", ") if word in names] if entry else []
        if entry and told:
            open_names = told
            found.update(dict.fromkeys(told, entry[2].strip()))
        elif line.startswith(" ") and line.strip():
            found.update({name: f"{found[name]} {line.strip()}" for name in open_names})
        else:
            open_names = []
    return found


def _record_defaults(model: type[Section]) -> dict[str, Any]:
    """Defaults of the records a table becomes."""
    found: dict[str, Any] = {}
    for record in (RECORDS[c] for c in model.__mro__ if c in RECORDS):
        for field in dataclasses.fields(record):
            if field.default is not dataclasses.MISSING:
                found.setdefault(field.name, field.default)
            elif field.default_factory is not dataclasses.MISSING:
                found.setdefault(field.name, field.default_factory())
    return found


def _default(value: Any, needed: bool) -> str:
    if needed or value is PydanticUndefined:
        return "needed"
    if value is None or value == "" or (isinstance(value, Mapping | list | tuple) and not value):
        return "default: none"
    if dataclasses.is_dataclass(value) or isinstance(value, Section):
        return "default: as its own keys say"
    return f"default: {_plain(value)}"


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_plain(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_plain(item) for item in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)


def _kind(hint: Any) -> str:
    """What may be written, in words."""
    if dataclasses.is_dataclass(hint):
        return "table"
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(_kind(part) for part in inner if part is not types.NoneType))
    if origin is Literal:
        return " or ".join(_plain(word) for word in inner)
    if origin in (list, tuple):
        return f"list of {_many(inner[0])}"
    if origin is dict or hint is dict:
        return f"table of {_many(inner[1])}" if inner and inner[1] is not Any else "table"
    if isinstance(hint, type) and issubclass(hint, Section):
        return "table"
    return WORDS.get(hint, getattr(hint, "__name__", str(hint)))


def _many(hint: Any) -> str:
    one = _kind(hint)
    return {"text": "words", "value": "values"}.get(one, f"{one}s" if one in (*WORDS.values(), "table") else one)
