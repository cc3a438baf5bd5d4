"""Content keys: the same work has the same key, whatever the host, the order of its settings or the paths."""

from __future__ import annotations

import dataclasses
import hashlib
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np


def digest(value: Any) -> str:
    """SHA-256 of a canonical encoding of plain data, arrays and dataclasses, as 64 hexadecimal digits.

    The order of a mapping does not count; the type of a number, and an array's type and shape, do. Every part carries
    its length, so no two values share an encoding. Raises TypeError for anything else, and for a mapping whose keys
    are not strings.
    """
    state = hashlib.sha256()
    _feed(state, value)
    return state.hexdigest()


def _feed(state: Any, value: Any) -> None:
    if isinstance(value, np.generic):
        value = value.item()
    plain = _plain(value)
    if plain is not None:
        state.update(plain)
    elif isinstance(value, np.ndarray):
        _array(state, value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        _feed(state, {f.name: getattr(value, f.name) for f in dataclasses.fields(value)})
    elif isinstance(value, Mapping):
        _mapping(state, value)
    elif isinstance(value, list | tuple):
        state.update(b"l%d;" % len(value))
        for item in value:
            _feed(state, item)
    else:
        raise TypeError(f"a {type(value).__name__} cannot be part of a content key.")


def _plain(value: Any) -> bytes | None:
    """The encoding of a scalar; None for anything that holds parts."""
    if value is None or isinstance(value, bool):
        return b"c" + repr(value).encode() + b";"
    if isinstance(value, int):
        return b"i%d;" % value
    if isinstance(value, float):
        return b"f" + struct.pack("<d", value)
    if isinstance(value, str):
        text = value.encode()
        return b"s%d:" % len(text) + text
    return None


def _mapping(state: Any, value: Mapping) -> None:
    wrong = [key for key in value if not isinstance(key, str)]
    if wrong:
        raise TypeError(f"the mapping key {wrong[0]!r} is no string; content keys are made from named parts.")
    state.update(b"d%d;" % len(value))
    for key in sorted(value):
        _feed(state, key)
        _feed(state, value[key])


def _array(state: Any, value: np.ndarray) -> None:
    if value.dtype.kind in "OV":
        raise TypeError(f"an array of {value.dtype} cannot be part of a content key.")
    if value.dtype.kind == "U":
        _feed(state, ["strings", list(value.shape), value.ravel().tolist()])
        return
    fixed = np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<"))
    state.update(b"a" + fixed.dtype.str.encode() + repr(value.shape).encode() + b";" + fixed.tobytes())
