"""Extended XYZ: frames with cell, slab map, tags, metadata and further per-atom columns, exact to the last bit."""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO

import numpy as np

from simkit.errors import InputError
from simkit.io.checks import MAXIMUM_BYTES, check_distances, element, regular_file, right_handed
from simkit.structure import Structure

Scalar = str | int | float | bool

_SHORTEST_LINE = 8
_RESERVED = {"species", "pos", "layers"}
_WORD = re.compile(r'\s*([^\s=]+)\s*=\s*("(?:[^"\\]|\\.)*"|\{[^}]*\}|\[[^\]]*\]|[^\s"]+)|\s*([^\s=]+)')
_KINDS = {"S": np.str_, "R": np.float64, "I": np.int64, "L": np.bool_}
_TRUTH = {"T": True, "TRUE": True, "1": True, "F": False, "FALSE": False, "0": False}
_SYMBOL_COLUMNS = ("species", "symbols", "element")


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame: a structure, the words of its comment line, and its columns of several numbers per atom."""

    structure: Structure
    metadata: Mapping[str, Scalar] = field(default_factory=dict)
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)


def read_frames(path: str | os.PathLike) -> list[Frame]:
    """All frames of an extended XYZ file; one whose name ends in .gz is unpacked.

    Columns of one entry per atom become tags ("layers" the slab map); wider ones stay in `Frame.columns`.
    A left-handed cell has its first two vectors exchanged, positions untouched.

    Raises InputError, with frame and line: no Lattice, an atom count the file cannot hold, short lines, words
    where numbers belong, non-finite numbers, unknown elements, overlapping atoms; a .gz that is none or not whole.
    """
    name = os.fspath(path)
    lines = _content(path).decode("utf-8", errors="replace").splitlines()
    frames: list[Frame] = []
    at = 0
    while at < len(lines) and lines[at].strip():
        try:
            count = _count(lines, at)
            frames.append(_frame(lines[at + 1], lines[at + 2 : at + 2 + count], at + 3))
        except InputError as failure:
            raise InputError(f"{name!r}, frame {len(frames)}: {failure}") from failure
        at += 2 + count
    if any(line.strip() for line in lines[at:]):
        raise InputError(f"{name!r}: line {at + 1} is blank but text follows; frames must touch.")
    if not frames:
        raise InputError(f"{name!r} begins with a blank line; the first line of an XYZ file is the number of atoms.")
    return frames


def frame_text(frame: Frame) -> str:
    """One frame as extended XYZ; numbers are written with as many digits as they need to come back unchanged.

    Raises InputError for tags or metadata the format cannot carry (words with blanks in a column, reserved or
    broken names).
    """
    structure = frame.structure
    head = [f'Lattice="{" ".join(repr(float(x)) for x in structure.cell.ravel())}"']
    columns: dict[str, np.ndarray] = {"species": np.array(structure.symbols), "pos": structure.positions}
    if (structure.layers != -1).any():
        columns["layers"] = structure.layers
    for name, column in {**structure.tags, **frame.columns}.items():
        columns[_checked_name(name, columns)] = _checked_column(name, np.asarray(column), len(structure))
    kinds = [f"{name}:{_letter(c)}:{1 if c.ndim == 1 else c.shape[1]}" for name, c in columns.items()]
    head.append("Properties=" + ":".join(kinds))
    head.append(f'pbc="{" ".join("T" if p else "F" for p in structure.periodic)}"')
    head += [f"{_checked_key(key)}={_quoted(key, value)}" for key, value in frame.metadata.items()]
    words = [_words(c) for c in columns.values()]
    body = [" ".join(row) for row in zip(*words, strict=True)]
    return "\n".join([str(len(structure)), " ".join(head), *body]) + "\n"


def frames_text(frames: Sequence[Frame]) -> str:
    """Several frames, one after the other."""
    return "".join(frame_text(frame) for frame in frames)


def _content(path: str | os.PathLike) -> bytes:
    """Bytes of a file, unpacked where its name ends in .gz. Raises InputError: damaged, or too big once unpacked."""
    name, packed = os.fspath(path), regular_file(path)
    if not name.lower().endswith(".gz"):
        return packed
    try:
        with gzip.GzipFile(fileobj=BytesIO(packed)) as file:
            content = file.read(MAXIMUM_BYTES + 1)
    except (OSError, EOFError, zlib.error) as failure:
        raise InputError(f"{name!r} is no whole gzip file ({failure}); copy it again or unpack it.") from failure
    if len(content) > MAXIMUM_BYTES:
        raise InputError(f"{name!r} unpacks to more than the {MAXIMUM_BYTES / 1e6:.0f} MB that are read; cut it.")
    return content


def _count(lines: list[str], at: int) -> int:
    """Number of atoms of the frame starting at line `at`, held against the lines that follow."""
    word = lines[at].strip()
    if not word.isdecimal() or len(word) > 15:
        raise InputError(f"line {at + 1} is {word[:40]!r}; the number of atoms is wanted there.")
    count, left = int(word), len(lines) - at - 2
    if count == 0:
        raise InputError(f"line {at + 1} says 0 atoms; at least one is needed.")
    if count > left:
        raise InputError(f"line {at + 1} promises {count} atoms but only {max(0, left)} lines follow the comment.")
    return count


def _frame(comment: str, rows: list[str], first_line: int) -> Frame:
    """One frame from its comment line and its atom lines."""
    words = _comment(comment)
    cell = _lattice(words)
    columns = _columns(words.pop("Properties", "species:S:1:pos:R:3"), rows, first_line)
    symbols = next((columns.pop(key) for key in _SYMBOL_COLUMNS if key in columns), None)
    positions = columns.pop("pos", columns.pop("positions", None))
    if symbols is None or positions is None:
        raise InputError("Properties names no species or no pos column; both are needed.")
    numbers = [element(str(s), f"line {first_line + i}") for i, s in enumerate(symbols)]
    periodic = _periodic(words.pop("pbc", "T T T"))
    cell, periodic = right_handed(cell, periodic)
    layers = columns.pop("layers", None)
    tags = {key: column for key, column in columns.items() if column.ndim == 1}
    structure = Structure(np.array(numbers), positions, cell, periodic, layers, tags)
    check_distances(structure)
    wide = {key: column for key, column in columns.items() if column.ndim == 2}
    return Frame(structure, {key: _scalar(word) for key, word in words.items()}, wide)


def _comment(line: str) -> dict[str, str]:
    """key=value words of a comment line; a bare word is a flag with the value T; values keep their quotes."""
    found: dict[str, str] = {}
    for key, value, flag in _WORD.findall(line):
        found[key or flag] = value if key else "T"
    return found


def _lattice(words: dict[str, str]) -> np.ndarray:
    """(3, 3) A cell of the comment line."""
    text = words.pop("Lattice", None)
    if text is None:
        raise InputError(
            'no Lattice="..." in the comment line; simkit computes periodic cells, so nine numbers are needed.'
        )
    try:
        numbers = [float(word) for word in _bare(text).replace(",", " ").split()]
    except ValueError as failure:
        raise InputError(f"Lattice={text[:80]} holds a word that is no number.") from failure
    if len(numbers) != 9:
        raise InputError(f"Lattice holds {len(numbers)} numbers; nine are needed.")
    if not np.isfinite(numbers).all():
        raise InputError(f"Lattice={text[:80]} holds a number that is not finite.")
    return np.array(numbers).reshape(3, 3)


def _columns(properties: str, rows: list[str], first_line: int) -> dict[str, np.ndarray]:
    """Per-atom columns as the Properties word describes them."""
    parts = _bare(properties).split(":")
    fields = list(zip(parts[0::3], parts[1::3], parts[2::3], strict=False))
    if len(parts) % 3 or not all(
        kind in _KINDS and width.isdecimal() and 0 < int(width) < 1000 for _, kind, width in fields
    ):
        raise InputError(f"Properties={properties[:80]} is not name:kind:width repeated, with kind S, R, I or L.")
    total = sum(int(width) for _, _, width in fields)
    table = [row.split() for row in rows]
    for i, words in enumerate(table):
        if len(words) != total:
            raise InputError(f"line {first_line + i} has {len(words)} columns; Properties promises {total}.")
    columns, at = {}, 0
    for name, kind, width in fields:
        block = [
            [_value(word, kind, first_line + i) for word in words[at : at + int(width)]]
            for i, words in enumerate(table)
        ]
        array = np.array(block, dtype=_KINDS[kind])
        columns[name] = array[:, 0] if width == "1" else array
        at += int(width)
    return columns


def _value(word: str, kind: str, line: int) -> Scalar:
    """One entry of an atom line."""
    try:
        if kind == "R":
            return float(word)
        if kind == "I":
            return int(word)
        if kind == "L":
            return _TRUTH[word.upper()]
    except (ValueError, KeyError) as failure:
        raise InputError(f"line {line} holds {word[:40]!r} where a number or truth value belongs.") from failure
    return "" if word == '""' else word


def _periodic(text: str) -> np.ndarray:
    """(3,) of the pbc word."""
    words = _bare(text).replace(",", " ").split()
    if len(words) != 3 or not all(word.upper() in _TRUTH for word in words):
        raise InputError(f'pbc={text[:40]} must hold three truth values, as in pbc="T T T".')
    return np.array([_TRUTH[word.upper()] for word in words])


def _scalar(text: str) -> Scalar:
    """Metadata value: quoted text stays text; otherwise truth value, integer, float or text."""
    if text.startswith('"'):
        return _bare(text)
    if text in ("T", "F"):
        return text == "T"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _bare(text: str) -> str:
    """Text without its quotes or brackets, escapes resolved."""
    if len(text) > 1 and text[0] + text[-1] in ('""', "{}", "[]"):
        text = text[1:-1]
    return text.replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\") if "\\" in text else text


def _letter(column: np.ndarray) -> str:
    """S, R, I or L for the kind of a column."""
    letters = {"U": "S", "f": "R", "i": "I", "u": "I", "b": "L"}
    return letters[column.dtype.kind]


def _words(column: np.ndarray) -> list[str]:
    """One piece of text per atom."""
    if column.dtype.kind == "f":
        rows = [[repr(float(x)) for x in np.atleast_1d(row)] for row in column]
    elif column.dtype.kind == "b":
        rows = [["T" if x else "F" for x in np.atleast_1d(row)] for row in column]
    else:
        rows = [[str(x) or '""' for x in np.atleast_1d(row)] for row in column]
    return [" ".join(row) for row in rows]


def _checked_name(name: str, taken: Mapping[str, np.ndarray]) -> str:
    if name in taken or name in _RESERVED or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]*", name):
        raise InputError(f"a column cannot be named {name!r}: reserved, taken, or not letters, digits and _ alone.")
    return name


def _checked_column(name: str, column: np.ndarray, count: int) -> np.ndarray:
    if column.dtype.kind not in "Ufiub" or column.ndim not in (1, 2) or len(column) != count:
        raise InputError(
            f"column {name!r} is {column.dtype} of shape {column.shape}; {count} rows of numbers or words are needed."
        )
    if column.dtype.kind == "U" and any(re.search(r"\s", word) or word == '""' for word in column.ravel()):
        raise InputError(f"column {name!r} holds a word with a blank; extended XYZ cannot carry it, use _.")
    return column


def _checked_key(key: str) -> str:
    if key in ("Lattice", "Properties", "pbc") or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_./-]*", key):
        raise InputError(f"metadata cannot be named {key!r}: reserved, or not letters, digits and _ alone.")
    return key


def _quoted(key: str, value: Scalar) -> str:
    """Metadata value as text; words are quoted so that they come back as words."""
    if isinstance(value, bool | np.bool_):
        return "T" if value else "F"
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating):
        return repr(float(value))
    if not isinstance(value, str):
        raise InputError(f"metadata {key!r} is a {type(value).__name__}; a word, number or truth value is wanted.")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
