"""Results on disk without pickle: a tree of records and arrays in one checked file.

A file is a line `simkit-1`, a line with the SHA-256 of the rest, a line with the key of the work, then
an npz archive whose entry `tree` is JSON and whose other entries are the arrays it points to.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import math
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from simkit.errors import CorruptFileError, InputError
from simkit.io.atomic import write_atomic
from simkit.structure import Structure

MAGIC = b"simkit-1"


def save(path: str | Path, value: Any, key: str = "") -> None:
    """Write `value` (records, dictionaries, lists, numbers, strings, arrays) atomically under `key`."""
    arrays: dict[str, np.ndarray] = {}
    tree = _encoded(value, arrays)
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(tree, allow_nan=False).encode(), dtype=np.uint8)
    np.savez(buffer, tree=text, **arrays)
    body = key.encode() + b"\n" + buffer.getvalue()
    write_atomic(path, MAGIC + b"\n" + hashlib.sha256(body).hexdigest().encode() + b"\n" + body)


def load(path: str | Path, types: Iterable[type] = (), key: str | None = None) -> Any:
    """Read what `save` wrote; only the dataclasses in `types` (and Structure) are rebuilt.

    Raises CorruptFileError when the checksum, the schema or, where given, the key does not match.
    """
    magic, _, rest = Path(path).read_bytes().partition(b"\n")
    digest, _, body = rest.partition(b"\n")
    if magic != MAGIC:
        raise CorruptFileError(f"{path} is not a simkit-1 file.")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise CorruptFileError(f"{path} fails its checksum: it was cut short or changed.")
    found, _, archive = body.partition(b"\n")
    if key is not None and found.decode() != key:
        raise CorruptFileError(f"{path} belongs to other work (key {found.decode()[:12]}, wanted {key[:12]}).")
    known = {cls.__name__: cls for cls in (Structure, *types)}
    try:
        with np.load(io.BytesIO(archive), allow_pickle=False) as arrays:
            return _decoded(json.loads(arrays["tree"].tobytes()), arrays, known)
    except (KeyError, ValueError, TypeError, zipfile.BadZipFile, InputError) as error:
        raise CorruptFileError(f"{path} does not hold what this version of simkit expects: {error}") from error


def _encoded(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, np.ndarray):
        name = f"a{len(arrays)}"
        arrays[name] = value
        return {"$array": name}
    return _encoded_container(value, arrays)


def _encoded_container(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, list | tuple):
        kind = "$list" if isinstance(value, list) else "$tuple"
        return {kind: [_encoded(item, arrays) for item in value]}
    if isinstance(value, Mapping):
        return {"$dict": [[_encoded(k, arrays), _encoded(item, arrays)] for k, item in value.items()]}
    if dataclasses.is_dataclass(value):
        fields = {f.name: _encoded(getattr(value, f.name), arrays) for f in dataclasses.fields(value)}
        return {"$type": type(value).__name__, "fields": fields}
    raise TypeError(f"a {type(value).__name__} cannot be written to a checkpoint.")


def _decoded(tree: Any, arrays: Any, known: Mapping[str, type]) -> Any:
    if not isinstance(tree, dict):
        return tree
    if "$type" in tree:
        if tree["$type"] not in known:
            raise ValueError(f"unexpected record {tree['$type']!r}")
        fields = {name: _decoded(item, arrays, known) for name, item in tree["fields"].items()}
        return known[tree["$type"]](**fields)
    (kind, content), *_ = tree.items()
    if kind == "$array":
        return arrays[content]
    if kind == "$float":
        return float(content)
    if kind == "$dict":
        return {_decoded(k, arrays, known): _decoded(item, arrays, known) for k, item in content}
    items = [_decoded(item, arrays, known) for item in content]
    return tuple(items) if kind == "$tuple" else items
