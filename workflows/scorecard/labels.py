"""The held-out labels that belong to a model: they lie where its distillation left them, or beside its weights."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from simkit import potential
from simkit.errors import InputError
from simkit.potential.load import Request, backend, safe_path
from simkit.workflows.distill.dataset import Labelled, checksum, read_extxyz

NO_LABELS = "no labels: give --labels FILE"
FOLDER_LABELS = "held-out.extxyz"
"""What `distill` writes beside its models."""
LABELS = ".held-out.extxyz.gz"
RECORD = ".record.json"
"""Ends of the names of a model's own labels and of its record; both begin as the model's."""
CHECKSUM = "held_out_sha256"


@dataclass(frozen=True, eq=False)
class Belonging:
    """Labels and a line that says where they are from; labels is None where there are none, and the line says why."""

    labels: Sequence[Labelled] | None
    words: str


@dataclass(frozen=True)
class Place:
    """Where the labels of a model lie, and the records of which one must name their checksum."""

    labels: Path
    records: tuple[Path, ...]


def labels_of(spec: str) -> Belonging:
    """The held-out labels of the model that a spec names.

    spec: 'default', 'simkit:NAME' of an embedded model (NAME.held-out.extxyz.gz beside its weights), or
    'simkit:FOLDER/NAME.json' (FOLDER/held-out.extxyz); a committee has them where its members share them. None for any
    other potential, for a model with D3 added, which its labels are not of, and where the record of the model names
    others. Raises InputError for a spec that makes no sense.
    """
    request = potential.parse(spec, "cpu", "float32", None)
    places = {_place(member) for member in request.members or (request,)}
    place = places.pop() if len(places) == 1 else None
    return Belonging(None, NO_LABELS) if place is None else _read(place)


def _place(request: Request) -> Place | None:
    """Where the labels of one model lie; None where it has none."""
    if request.kind != "simkit" or request.dispersion:
        return None
    model = backend("simkit").stem(safe_path(request.rest))
    candidates = (model.with_name(model.name + LABELS), model.with_name(FOLDER_LABELS))
    found = next((path for path in candidates if path.is_file()), None)
    return None if found is None else Place(found, _records(model))


def _records(model: Path) -> tuple[Path, ...]:
    """The record of a model, which members NAME-2, NAME-3 ... share with NAME; without one, all that lie beside it."""
    for name in (model.name, re.sub(r"-\d+$", "", model.name)):
        own = model.with_name(name + RECORD)
        if own.is_file():
            return (own,)
    return tuple(sorted(model.parent.glob(f"*{RECORD}")))


def _read(place: Place) -> Belonging:
    """The labels of a place, where they can be read and a record names them or there is no record."""
    try:
        labels = read_extxyz(place.labels)
    except InputError as error:
        return Belonging(None, f"{NO_LABELS}; those beside the model cannot be read: {error}")
    found = checksum(labels)
    naming = [record.name for record in place.records if _named(record) == found]
    if place.records and not naming:
        others = ", ".join(record.name for record in place.records)
        return Belonging(None, f"{NO_LABELS}; {place.labels} is not what {others} names as {CHECKSUM}")
    known = f"held out says {naming[0]}" if naming else "no record beside them says that the model never saw them"
    return Belonging(labels, f"labels: {place.labels}; {known}")


def _named(record: Path) -> str | None:
    """The checksum of held-out labels in a record; None where it names none."""
    try:
        found = json.loads(record.read_text(encoding="utf-8"))
    except ValueError:
        return None
    return found.get(CHECKSUM) if isinstance(found, dict) else None
