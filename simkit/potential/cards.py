"""Model cards in the folder `potentials`: TOML of models from elsewhere, JSON of the weights that lie beside it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from importlib import resources
from typing import Any

from simkit.errors import CorruptFileError, InputError, nearest
from simkit.potential.card import Card

FOLDER = "simkit.potentials"
RECIPE = ".recipe.toml"
"""How the file ends that says how an embedded model was made."""
SCORECARD = ".scorecard.md"
"""How the file ends that says what an embedded model gets right against its teacher."""


FORMAT = "simkit-mace"
"""What the JSON of an embedded model says it is."""


def all_cards() -> dict[str, Card]:
    """Cards by the name that `load` takes. Raises CorruptFileError when one cannot be read."""
    found = {}
    for file in sorted(resources.files(FOLDER).iterdir(), key=lambda f: f.name):
        if file.name.endswith(".json"):
            record = _record(file.read_text(encoding="utf-8"), file.name)
            if record.get("format") == FORMAT:
                found[f"simkit:{file.name.removesuffix('.json')}"] = from_record(record.get("card"), file.name)
        if file.name.endswith(".toml") and not file.name.endswith(RECIPE):
            card = parse(file.read_text(encoding="utf-8"), file.name)
            found[card.name] = card
    return found


def read_card(name: str) -> Card:
    """The card of that name. Raises InputError with the nearest name when there is none."""
    cards = all_cards()
    if name not in cards:
        raise InputError(f"there is no card for {name!r}; {nearest(name, cards)}")
    return cards[name]


def parse(text: str, name: str) -> Card:
    """A card from TOML text. Raises CorruptFileError on unknown or missing keys."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CorruptFileError(f"card {name} is no TOML: {error}") from error
    return from_record(values, name)


def _record(text: str, name: str) -> dict[str, object]:
    """The table in a JSON text. Raises CorruptFileError when it holds none."""
    try:
        record = json.loads(text)
    except ValueError as error:
        raise CorruptFileError(f"model {name} is no JSON: {error}") from error
    if not isinstance(record, dict):
        raise CorruptFileError(f"model {name} holds no table but a {type(record).__name__}.")
    return record


def from_record(values: object, name: str) -> Card:
    """A card from plain data. Raises CorruptFileError when it is no table, on unknown and on missing keys."""
    if not isinstance(values, Mapping):
        raise CorruptFileError(f"card {name} is no table of keys.")
    known = {field.name for field in fields(Card)}
    if set(values) - known or not {"name", "kind", "summary"} <= set(values):
        raise CorruptFileError(
            f"card {name} has unknown keys {sorted(set(values) - known)} or lacks name, kind, summary."
        )
    texts = [field.name for field in fields(Card) if field.type == "str"]
    wrong = [key for key in texts if not isinstance(values.get(key, ""), str)]
    if wrong:
        raise CorruptFileError(f"card {name} has {', '.join(wrong)} that are no text.")
    plain: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    return Card(**plain)
