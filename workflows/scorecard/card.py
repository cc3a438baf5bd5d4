"""The scorecard: every row with its verdicts, as a frozen record and as plain JSON-able data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from simkit.errors import CorruptFileError
from simkit.potential.card import Card
from simkit.workflows.scorecard.answers import Line, Row, Verdict

SCHEMA = "simkit scorecard 1"


@dataclass(frozen=True)
class Subject:
    """Which potential: its name, the hash of its weights, and how it was evaluated."""

    name: str
    sha256: str
    dtype: str
    device: str

    @classmethod
    def of(cls, card: Card) -> Subject:
        """Of the card of a loaded potential."""
        return cls(card.name, card.sha256, card.dtype, card.device)


@dataclass(frozen=True)
class Scorecard:
    """What a potential gets right.

    potential, teacher  whose numbers are compared; teacher is None where the numbers stand alone
    settings            `Config` as plain data
    machine             processor and cores, for the row of times
    """

    potential: Subject
    teacher: Subject | None
    settings: dict[str, Any]
    machine: str
    rows: tuple[Row, ...]

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """All verdicts, in the order of the rows."""
        return tuple(verdict for row in self.rows for verdict in row.verdicts)

    @property
    def met(self) -> bool:
        """Whether no goal is missed."""
        return all(verdict.met for verdict in self.verdicts)

    def row(self, name: str) -> Row:
        """The row of that name. Raises KeyError when the scorecard has none."""
        return {row.name: row for row in self.rows}[name]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able record; verdicts carry `met` for readers of the file."""
        record = asdict(self)
        for row, source in zip(record["rows"], self.rows, strict=True):
            row["lines"], row["problems"] = list(row["lines"]), list(row["problems"])
            row["verdicts"] = [{**asdict(verdict), "met": verdict.met} for verdict in source.verdicts]
        return {"schema": SCHEMA, "met": self.met, **record, "rows": list(record["rows"])}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Scorecard:
        """The scorecard that `to_dict` described. Raises CorruptFileError for a record that is none."""
        if not isinstance(record, Mapping) or record.get("schema") != SCHEMA:
            raise CorruptFileError(f"this is no record of a {SCHEMA!r}; make it again with: simkit potentials check.")
        try:
            teacher = record["teacher"]
            return cls(
                potential=Subject(**record["potential"]),
                teacher=None if teacher is None else Subject(**teacher),
                settings=dict(record["settings"]),
                machine=str(record["machine"]),
                rows=tuple(_row(row) for row in record["rows"]),
            )
        except (KeyError, TypeError) as error:
            raise CorruptFileError(f"the record of the scorecard lacks or holds something unknown: {error}") from error


def _row(record: Mapping[str, Any]) -> Row:
    verdicts = [{name: value for name, value in verdict.items() if name != "met"} for verdict in record["verdicts"]]
    return Row(
        name=record["name"],
        title=record["title"],
        lines=tuple(Line(**line) for line in record["lines"]),
        verdicts=tuple(Verdict(**verdict) for verdict in verdicts),
        problems=tuple(record["problems"]),
        relative=record["relative"],
    )
