"""A scorecard on disk: the record, the table, the figures, and one self-contained page of tables and figures."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from simkit import io, report
from simkit.io.record import versions
from simkit.io.rundir import json_bytes
from simkit.potential.card import Card
from simkit.workflows.scorecard import figures, table
from simkit.workflows.scorecard.answers import Line, Row, Verdict
from simkit.workflows.scorecard.card import Scorecard
from simkit.workflows.scorecard.parity import Parity

CAPTIONS = {
    "goals": "Each goal in parts of its limit. A full bar left of the line is a goal met, a hatched one a goal missed. "
    "A goal of at least some value is shown as that value over what was reached.",
    "parity": "Held-out structures: predicted force components against their labels, by density, and the error of the "
    "energy of each structure.",
    "errors": "Root mean square errors of parts of the held-out structures. Goals hold for all structures together.",
    "lattice": "Difference of the relaxed lattice from the other potential's; each is the lower of two minima, from "
    "the ideal cell and from where the other came to rest.",
    "stacking": "Energy of each relaxed stacking above O3 of the same composition and sodium content, from the lower "
    "of two minima as for lattices.",
    "barriers": "Highest energy on the way of one ion, from either end.",
    "gliding": "One gallery glides to its next letter: the highest energy on the way, and that of what it becomes.",
    "elastic": "From stresses of strained cells with relaxed ions.",
    "spacing": "Height per layer of freely relaxed hosts, down to the empty one.",
    "smoothness": "Forces along straight lines through shaken cells, 0.1 Å to either side, without their polynomial "
    "of degree 7: waves and steps that are shorter than a vibration.",
    "dynamics": "Mean temperature and its lowest and highest value beside that of the bath, shortest metal-oxygen "
    "distance, and drift of the potential energy.",
    "speed": "Time of one evaluation on this machine.",
}
HEADLINE = (
    "held-out energy rmse", "held-out forces, relative", "forces on snapshots of dynamics, rmse", "stacking energy",
    "sodium barrier", "times faster than the other potential",
)  # fmt: skip
"""Verdicts that are shown large."""
FOOTER = "Every number here is also in scorecard.json, with its unit in the key; the figures lie in figures."


def publish(
    card: Scorecard,
    potential: Card,
    folder: Path,
    parity: Mapping[str, Parity] = MappingProxyType({}),
    command: str = "",
) -> Path:
    """Write scorecard.json, scorecard.md, figures/*.svg and *.png, and scorecard.html into a folder; the page.

    potential: the card of the one whose scorecard it is; parity: what it says of held-out labels, empty for none;
    command: what the user typed. Figures of an earlier scorecard in the folder are replaced, or removed where this one
    has none.
    """
    io.write_atomic(folder / "scorecard.json", json_bytes(card.to_dict()))
    io.write_atomic(folder / "scorecard.md", table.markdown(card).encode())
    pictures = folder / "figures"
    pictures.mkdir(exist_ok=True)
    for name in CAPTIONS:
        for kind in ("svg", "png"):
            (pictures / f"{name}.{kind}").unlink(missing_ok=True)
    saved = figures.save(figures.draw(card, parity), pictures)
    images = {name: path.read_bytes() for name, path in saved.items()}
    page = report.render(contents(card, potential, images), record(card, command), images)
    io.write_atomic(folder / "scorecard.html", page.encode())
    return folder / "scorecard.html"


def contents(card: Scorecard, potential: Card, drawn: Collection[str]) -> dict[str, Any]:
    """What `report.render` shows: title, headline, a section for each row; drawn: names of the figures there are."""
    facts = ("summary", "name", "kind", "dtype", "device", "source", "licence", "sha256", "limits")
    return {
        "study": f"Scorecard of {card.potential.name}",
        "title": f"Scorecard of {card.potential.name}",
        "lead": _lead(card),
        "warnings": [_sentence(verdict) for verdict in card.verdicts if not verdict.met],
        "headline": _headline(card),
        "sections": [*_goals(card, drawn), *(_section(row, card, drawn) for row in card.rows)],
        "potential": {name: getattr(potential, name) for name in facts},
        "footer": FOOTER,
    }


def record(card: Scorecard, command: str) -> dict[str, Any]:
    """How it was made, as the page shows it."""
    return {
        "steps": [],
        "command": command or "–",
        "seed": card.settings.get("seed"),
        "machine": card.machine,
        "versions": versions(),
        "git": "",
    }


def _lead(card: Scorecard) -> str:
    beside = "its numbers stand alone" if card.teacher is None else f"held against {card.teacher.name}"
    cells = "quick cells: a first look" if card.settings.get("quick") else "full cells"
    return f"{card.potential.name}, {beside}; {cells}."


def _sentence(verdict: Verdict) -> str:
    """A goal missed, in words."""
    return f"Missed: {verdict.what} {_reached(verdict)}, goal {_goal(verdict)}."


def _reached(verdict: Verdict) -> str:
    reached = table.shown(verdict.value)
    return figures.pretty(f"{reached} {verdict.unit}".strip()) if reached else "not computed"


def _goal(verdict: Verdict) -> str:
    bound = "at least" if verdict.at_least else "at most"
    return figures.pretty(f"{bound} {table.shown(verdict.limit)} {verdict.unit}".strip())


def _headline(card: Scorecard) -> list[dict[str, Any]]:
    """Goals met, and the numbers that are asked for first, where they are known."""
    met = sum(verdict.met for verdict in card.verdicts)
    found = [_box("goals met", f"{met} of {len(card.verdicts)}", "", "")] if card.verdicts else []
    for verdict in card.verdicts:
        if verdict.what in HEADLINE and verdict.value is not None:
            value = table.shown(verdict.value)
            found.append(_box(verdict.what, value, figures.pretty(verdict.unit), f"goal {_goal(verdict)}"))
    return found


def _box(label: str, value: str, unit: str, note: str) -> dict[str, Any]:
    return {"label": label, "value": value, "unit": unit, "note": note, "digits": 0}


def _goals(card: Scorecard, drawn: Collection[str]) -> list[dict[str, Any]]:
    """The section of all goals; none where nothing was held against one."""
    if not card.verdicts:
        return []
    rows = [[v.what, _reached(v), _goal(v), "met" if v.met else "missed"] for v in card.verdicts]
    columns = [_column("goal", True), _column("reached"), _column("allowed"), _column("verdict", True)]
    grid = {"caption": "", "columns": columns, "rows": rows}
    return [{"title": "Goals", "paragraphs": [], "figures": _figures(["goals"], drawn), "tables": [grid]}]


def _section(row: Row, card: Scorecard, drawn: Collection[str]) -> dict[str, Any]:
    """One row: its figures, its numbers, its goals and what went wrong."""
    words = [f"{'Met' if v.met else 'Missed'}: {v.what} {_reached(v)}, goal {_goal(v)}." for v in row.verdicts]
    shown = ["parity", "errors"] if row.name == "errors" else [row.name]
    tables = [_numbers(row, card)] if row.lines else []
    if row.problems:
        rows = [[words] for words in row.problems]
        tables.append({"caption": "", "columns": [_column("what went wrong", True)], "rows": rows})
    return {"title": row.title, "paragraphs": words, "figures": _figures(shown, drawn), "tables": tables}


def _numbers(row: Row, card: Scorecard) -> dict[str, Any]:
    """The numbers of a row, without the columns that hold none; each case is named on its first line."""
    names = figures.names_of(card)
    before = ["", *(line.case for line in row.lines[:-1])]
    cases = [line.case if line.case != last else "" for line, last in zip(row.lines, before, strict=True)]
    columns = [
        (_column("case", True), cases),
        (_column("quantity", True), [figures.heading(line.quantity) for line in row.lines]),
        (_column(names.own), [table.shown(line.own) for line in row.lines]),
        (_column(names.other), [table.shown(line.other) for line in row.lines]),
        (_column("difference", unit="%" if row.relative else ""), [_signed(line) for line in row.lines]),
        (_column("measured"), [table.shown(line.known) for line in row.lines]),
    ]
    kept = [(head, cells) for head, cells in columns if any(cells)]
    rows = [list(cells) for cells in zip(*(cells for _, cells in kept), strict=True)]
    return {"caption": "", "columns": [head for head, _ in kept], "rows": rows}


def _signed(line: Line) -> str:
    return "" if line.difference is None else f"{line.difference:+.3g}".replace("-", "−")


def _column(name: str, text: bool = False, unit: str = "") -> dict[str, Any]:
    return {"name": name, "unit": unit, "digits": 3, "text": text}


def _figures(names: Collection[str], drawn: Collection[str]) -> list[dict[str, str]]:
    return [{"name": name, "caption": CAPTIONS[name]} for name in names if name in drawn]
