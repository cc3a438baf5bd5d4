"""Many results in one place: an ASE database (SQLite) that `ase db` reads, and a CSV table."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ase.calculators.singlepoint import SinglePointCalculator
from ase.db import connect

from simkit.io.ase import to_ase
from simkit.io.atomic import write_atomic
from simkit.structure import Structure

Plain = float | int | str | bool
NOT_IN_WORDS = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True)
class Row:
    """A structure (or none), what is to be searched by (`facts`), and whatever else belongs to it (`data`, JSON)."""

    structure: Structure | None
    facts: Mapping[str, Any]
    data: Mapping[str, Any] = field(default_factory=dict)
    energy_eV: float | None = None


def write_database(path: Path, rows: Iterable[Row]) -> Path:
    """Write rows into a new SQLite database of ASE, which takes the place of an old one at once.

    Facts that are no numbers or words are left to `data`; their keys become letters, digits and underscores. Every
    row has its own facts: search with `ase db FILE step=relaxation,converged=1`.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}.tmp.db")
    fresh.unlink(missing_ok=True)
    try:
        with connect(fresh, type="db") as database:
            for row in rows:
                atoms = to_ase(row.structure) if row.structure is not None else None
                if atoms is not None and row.energy_eV is not None:
                    atoms.calc = SinglePointCalculator(atoms, energy=row.energy_eV)
                database.write(atoms, key_value_pairs=searchable(row.facts), data=json.loads(json.dumps(row.data)))
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)
    return path


def searchable(facts: Mapping[str, Any]) -> dict[str, Plain]:
    """Facts as ASE's key-value pairs: names with a letter in front, words that are not numbers, no empty ones."""
    found: dict[str, Plain] = {}
    for key, value in facts.items():
        name = NOT_IN_WORDS.sub("_", key).strip("_")
        name = name if name[:1].isalpha() else f"x_{name}"
        if isinstance(value, bool | int | float):
            found[name] = value
        elif isinstance(value, str) and value:
            found[name] = value if not _is_number(value) else f"{value}_"
    return found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text in ("True", "False")
    return True


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write a table with every column that a row has, in order of first appearance; lists are left out."""
    columns = list(dict.fromkeys(key for row in rows for key, value in row.items() if _flat(value)))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(key)) for key in columns])
    return write_atomic(path, stream.getvalue().encode())


def _flat(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


def _cell(value: Any) -> Any:
    if value is None or not _flat(value):
        return ""
    return repr(value) if isinstance(value, float) else value
