"""Checks of plain arguments, so that every builder refuses the same things in the same words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields

import numpy as np

from simkit.errors import InputError, nearest


def is_number(value: object) -> bool:
    """Whether a value is a real number and no bool."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def require_number(name: str, value: object, low: float = -math.inf, high: float = math.inf) -> float:
    """The value as a float. Raises InputError unless it is a finite number from low to high."""
    if not is_number(value) or not math.isfinite(value) or not low <= value <= high:
        raise InputError(f"{name} = {value!r}; it must be {_range('a finite number', low, high)}.")
    return float(value)


def require_whole(name: str, value: object, low: float = -math.inf, high: float = math.inf) -> int:
    """The value as an int. Raises InputError unless it is a whole number from low to high (3.0 counts as 3)."""
    if not is_number(value) or not math.isfinite(value) or value != int(value) or not low <= value <= high:
        raise InputError(f"{name} = {value!r}; it must be {_range('a whole number', low, high)}.")
    return int(value)


def require_text(name: str, value: object) -> str:
    """The value itself. Raises InputError unless it is a non-empty string."""
    if not isinstance(value, str) or not value:
        raise InputError(f"{name} = {value!r}; it must be a word in quotes.")
    return value


def require_kind(name: str, value: object, kind: type | tuple[type, ...], example: str) -> None:
    """Raise InputError unless the value is an instance of kind; example says what to write instead."""
    if not isinstance(value, kind):
        raise InputError(f"{name} is a {type(value).__name__} ({value!r:.60}); write for example {example}.")


def require_list(name: str, value: object, kind: type | tuple[type, ...], example: str) -> tuple:
    """The entries as a tuple. Raises InputError unless value is a sequence (no string) of instances of kind."""
    if isinstance(value, str) or not isinstance(value, Sequence | np.ndarray):
        raise InputError(f"{name} is a {type(value).__name__} ({value!r:.60}); write for example {example}.")
    for k, item in enumerate(value):
        require_kind(f"{name}[{k}]", item, kind, example)
    return tuple(value)


def require_record(name: str, record: object, kind: type) -> dict:
    """The fields of a dataclass in a record, as a dict.

    Raises InputError for what is no table, for a field the dataclass lacks and for one it needs and is not given.
    """
    require_kind(name, record, Mapping, "the record of a recipe, as `to_dict` wrote it")
    known = [field.name for field in fields(kind)]
    needed = [f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING]
    unknown, missing = [str(key) for key in record if key not in known], [key for key in needed if key not in record]
    if unknown:
        raise InputError(f"{name} has a field {unknown[0]!r}, which does not exist; {nearest(unknown[0], known)}")
    if missing:
        raise InputError(f"{name} lacks {', '.join(missing)}; give the record as it was written.")
    return dict(record)


def _range(what: str, low: float, high: float) -> str:
    if math.isinf(low) and math.isinf(high):
        return what
    if math.isinf(high):
        return f"{what} of at least {low:g}"
    return f"{what} from {low:g} to {high:g}" if not math.isinf(low) else f"{what} of at most {high:g}"
