"""Checked tables for the frozen records of the builders, made from their own fields, so that both stay one."""

from __future__ import annotations

import dataclasses
import functools
import operator
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import create_model

from simkit.config import Section

Record = TypeVar("Record")
RECORDS: dict[type[Section], type] = {}
"""Table -> the dataclass it was made from."""


@functools.cache
def section_of(record: type, skip: tuple[str, ...] = ()) -> type[Section]:
    """A table with the fields of a dataclass; one that is left out keeps the default of the record, if it has one."""
    hints = typing.get_type_hints(record)
    entries: dict[str, Any] = {}
    for field in dataclasses.fields(record):
        if field.name not in skip:
            wanted = table_type(hints[field.name])
            entries[field.name] = (wanted, ...) if _is_needed(field) else (wanted | None, None)
    table = create_model(record.__name__, __base__=Section, **entries)
    RECORDS[table] = record
    return table


def made(table: Section | None, record: type[Record], **more: Any) -> Record:
    """The record a table describes; `more` are fields the table does not hold."""
    if table is None:
        return record(**more)
    hints = typing.get_type_hints(record)
    given = {name: getattr(table, name) for name in type(table).model_fields}
    return record(**{name: _value(v, hints[name]) for name, v in given.items() if v is not None}, **more)


def table_type(hint: Any) -> Any:
    """The type of an entry of a table: lists for sequences and tuples, tables for mappings and records."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return functools.reduce(operator.or_, [table_type(part) for part in inner])
    if dataclasses.is_dataclass(hint):
        return section_of(hint)
    if origin in (tuple, Sequence, list):
        parts = [table_type(part) for part in inner if part is not Ellipsis]
        return list[functools.reduce(operator.or_, parts)] if parts else list[Any]
    if origin in (Mapping, dict) or hint in (Mapping, dict):
        return dict[str, table_type(inner[1])] if inner else dict[str, Any]
    return list[Any] if hint in (Sequence, tuple, list) else hint


def _is_needed(field: dataclasses.Field) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _value(value: Any, hint: Any) -> Any:
    """A table as its record and a list as a tuple, as the record wants them."""
    if isinstance(value, Section):
        options = [hint, *typing.get_args(hint)]
        return made(value, next(option for option in options if dataclasses.is_dataclass(option)))
    if isinstance(value, list):
        return tuple(_value(item, None) for item in value)
    return value
