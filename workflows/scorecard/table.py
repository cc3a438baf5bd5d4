"""The scorecard in words: Markdown with aligned columns, readable as plain text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from simkit.workflows.scorecard.answers import Line, Row, Verdict
from simkit.workflows.scorecard.card import Scorecard, Subject

UNITS = {
    "_meV_per_fu": "meV/fu", "_meV_per_atom": "meV/atom", "_meV_per_A3": "meV/A^3", "_meV_per_A": "meV/A",
    "_A3_per_fu": "A^3/fu", "_ms_per_atom": "ms/atom", "_percent": "%", "_GPa": "GPa", "_meV": "meV", "_ps": "ps",
    "_K": "K", "_A": "A",
}  # fmt: skip
"""End of the name of a quantity -> its unit; longer ends first."""


def markdown(card: Scorecard) -> str:
    """The whole scorecard: what was compared, the verdicts, then every row."""
    lines = [f"# Scorecard of {card.potential.name}", ""]
    lines += [f"- potential: {_subject(card.potential)}"]
    if card.teacher is not None:
        lines += [f"- beside: {_subject(card.teacher)}"]
    lines += [f"- {'quick' if card.settings.get('quick') else 'full'} cells, seed {card.settings.get('seed')}"]
    lines += [f"- machine: {card.machine}", ""]
    if card.verdicts:
        missed = sum(not verdict.met for verdict in card.verdicts)
        lines += ["## Goals", "", f"{len(card.verdicts) - missed} of {len(card.verdicts)} met.", ""]
        lines += [*_table(("what", "reached", "goal", "verdict"), map(_verdict, card.verdicts)), ""]
    for row in card.rows:
        lines += [*_row(row, card), ""]
    return "\n".join(lines).rstrip() + "\n"


def shown(value: float | None) -> str:
    """A number with four digits, or nothing."""
    if value is None or not math.isfinite(value):
        return ""
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e6 else f"{value:.4g}"


def named(quantity: str) -> str:
    """A quantity with its unit in brackets, as "a (A)" for "a_A"."""
    for end, unit in UNITS.items():
        if quantity.endswith(end):
            return f"{quantity.removesuffix(end)} ({unit})"
    return quantity


def _subject(subject: Subject) -> str:
    weights = f", weights {subject.sha256[:12]}" if subject.sha256 else ""
    return f"{subject.name}{weights}, {subject.dtype} on {subject.device}"


def _verdict(verdict: Verdict) -> tuple[str, ...]:
    unit = f" {verdict.unit}" if verdict.unit else ""
    reached = shown(verdict.value)
    goal = f"{'at least' if verdict.at_least else 'at most'} {shown(verdict.limit)}{unit}"
    return (
        verdict.what,
        f"{reached}{unit}" if reached else "not computed",
        goal,
        "met" if verdict.met else "missed",
    )


def _row(row: Row, card: Scorecard) -> list[str]:
    lines = [f"## {row.title}", ""]
    if row.lines:
        lines += [*_lines(row, card), ""]
    for verdict in row.verdicts:
        what, reached, goal, word = _verdict(verdict)
        lines.append(f"- {word}: {what} {reached}, goal {goal}")
    lines += [f"- {words}" for words in row.problems]
    return lines if lines[-1] else lines[:-1]


def _lines(row: Row, card: Scorecard) -> list[str]:
    """The numbers of a row, without the columns that hold none."""
    other = "other" if card.teacher is None else card.teacher.name
    difference = "difference (%)" if row.relative else "difference"
    columns = [("case", _case(row.lines)), ("quantity", [named(line.quantity) for line in row.lines])]
    columns.append((card.potential.name, [shown(line.own) for line in row.lines]))
    columns.append((other if other != card.potential.name else f"{other}, the other", _of(row.lines, "other")))
    columns.append((difference, [_signed(line.difference, row.relative) for line in row.lines]))
    columns.append(("measured", _of(row.lines, "known")))
    kept = [(head, cells) for head, cells in columns if any(cells)]
    return _table([head for head, _ in kept], zip(*(cells for _, cells in kept), strict=True))


def _of(lines: Sequence[Line], name: str) -> list[str]:
    return [shown(getattr(line, name)) for line in lines]


def _case(lines: Sequence[Line]) -> list[str]:
    """The name of each case once, on its first line."""
    before = ["", *(line.case for line in lines[:-1])]
    return [line.case if line.case != last else "" for line, last in zip(lines, before, strict=True)]


def _signed(value: float | None, relative: bool) -> str:
    if value is None:
        return ""
    return f"{value:+.2f}" if relative else f"{value:+.3g}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    cells = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(head))]
    lines = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]
