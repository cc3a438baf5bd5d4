"""The page of a campaign: what varies with what, what failed, what is far from the others, a link to every study."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from simkit import io, plot, report
from simkit.workflows.campaign.plan import Plan

PAGE, SINGLE_PAGE = "report.html", "campaign.html"
OUTLIER = 5.0
"""Median absolute deviations (scaled to a standard deviation) from the median of its own kind."""
MAD_TO_DEVIATION = 1.4826
LEAST = 6
"""Values of a kind below which none of them is called an outlier."""
MOST_ROWS = 2000
"""Studies on the page; the table has them all."""
MOST_LINES = 30


@dataclass(frozen=True)
class Quantity:
    """A headline number: from which rows of the table it is taken, which of several counts, how it is written.

    choose: the "lowest" of all, or that of the "whole" cell, phases alone left out
    """

    name: str
    unit: str
    step: str
    key: str
    choose: str = "lowest"
    digits: int = 3


QUANTITIES = (
    Quantity("energy", "eV per formula unit", "relaxation", "energy_eV_per_fu"),
    Quantity("volume", "Å³ per formula unit", "relaxation", "volume_A3_per_fu", digits=2),
    Quantity("lowest barrier", "eV", "migration", "barrier_eV"),
    Quantity("easiest glide", "J/m²", "gliding", "unstable_J_per_m2"),
    Quantity("C33", "GPa", "elastic", "C33_GPa", choose="whole", digits=1),
    Quantity("mean von Mises stress", "GPa", "stress", "von_mises_mean_GPa", choose="whole", digits=2),
)


def write(root: Path, resolved: Plan, table: Sequence[Mapping[str, Any]], counts: Mapping[str, int]) -> Path:
    """Write the page (and its figure) of a campaign from its table."""
    phases = {m.name: _phases(m.data) for m in resolved.members.values()}
    values = {q.name: _by_study(table, q, phases) for q in QUANTITIES}
    shown = [q for q in QUANTITIES if values[q.name]]
    keys = list(dict.fromkeys(key for member in resolved.members.values() for key in member.changes))
    outliers = {q.name: far(values[q.name]) for q in shown}
    facts = {
        "name": resolved.name,
        "lead": _lead(resolved, counts),
        "failures": _failures(table),
        "outliers": list(_outlier_lines(resolved, shown, values, outliers)),
        "figures": _figures(root, resolved, keys, shown, (values, outliers)),
        "caption": _caption(resolved),
        "columns": _columns(keys, shown),
        "rows": list(_rows(root, resolved, keys, [values[q.name] for q in shown])),
    }
    name = SINGLE_PAGE if resolved.single else PAGE
    return io.write_atomic(root / name, report.render_campaign(facts).encode())


def far(values: Mapping[str, float]) -> list[str]:
    """Studies whose value lies `OUTLIER` deviations from the median; none among fewer than `LEAST` or equal ones."""
    if len(values) < LEAST:
        return []
    middle = median(values.values())
    deviation = MAD_TO_DEVIATION * median(abs(value - middle) for value in values.values())
    return [name for name, value in values.items() if deviation and abs(value - middle) > OUTLIER * deviation]


def _by_study(
    table: Iterable[Mapping[str, Any]], quantity: Quantity, phases: Mapping[str, set[str]]
) -> dict[str, float]:
    found: dict[str, float] = {}
    for row in table:
        value = row.get(quantity.key)
        if row["step"] != quantity.step or not isinstance(value, float | int):
            continue
        if quantity.choose == "whole" and str(row["of"]).split("(")[0] in phases[row["study"]]:
            continue
        old = found.get(row["study"])
        if old is None or value < old:
            found[row["study"]] = float(value)
    return found


def _phases(data: Mapping[str, Any]) -> set[str]:
    """Phases of a study: the names of rows that are not about its cell."""
    return {block["phase"] for block in data["structure"]["blocks"]}


def _lead(resolved: Plan, counts: Mapping[str, int]) -> str:
    words = ", ".join(f"{number} {state}" for state, number in counts.items())
    return f"{len(resolved.members)} studies in {len(resolved.tasks)} tasks: {words}."


def _failures(table: Iterable[Mapping[str, Any]]) -> list[str]:
    lines = [f"{row['step']} of {row['study']}: {row['reason']}" for row in table if row["state"] == "failed"]
    return lines[:MOST_LINES] + ([f"and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else [])


def _outlier_lines(
    resolved: Plan, shown: Iterable[Quantity], values: Mapping[str, Mapping[str, float]], far_: Mapping[str, list[str]]
) -> Iterable[str]:
    for quantity in shown:
        for name in far_[quantity.name][:MOST_LINES]:
            value, middle = values[quantity.name][name], median(values[quantity.name].values())
            where = ", ".join(f"{key} = {change}" for key, change in resolved.members[name].changes.items())
            yield (
                f"{name} ({where}): {quantity.name} {value:.{quantity.digits}f} {quantity.unit}, the median is "
                f"{middle:.{quantity.digits}f}."
            )


def _figures(
    root: Path, resolved: Plan, keys: Sequence[str], shown: Sequence[Quantity], found: tuple[Mapping, Mapping]
) -> list[dict[str, str]]:
    """One figure per numeric key that varies; points in the colour of the next key."""
    made: list[dict[str, str]] = []
    for key in keys if shown else ():
        numbers = {m.changes.get(key) for m in resolved.members.values()}
        if key == "seed" or len(numbers) < 2 or not all(_is_number(value) for value in numbers):
            continue
        panels = [_panel(resolved, key, _other(resolved, keys, key), q, found) for q in shown]
        content = plot.png_bytes(plot.campaign_figure(panels))
        (root / "figures").mkdir(exist_ok=True)
        io.write_atomic(root / "figures" / f"over-{io.file_name(key)}.png", content)
        source = f"data:image/png;base64,{base64.b64encode(content).decode()}"
        caption = "Every point is one study; those far from the others are ringed."
        made.append({"title": f"Over {key}", "source": source, "caption": caption})
    return made


def _other(resolved: Plan, keys: Sequence[str], key: str) -> str | None:
    """The key that colours the points: the first other one that varies, seeds last."""
    for other in sorted((one for one in keys if one != key), key=lambda one: one == "seed"):
        if len({str(m.changes.get(other)) for m in resolved.members.values()}) > 1:
            return other
    return None


def _panel(
    resolved: Plan, key: str, other: str | None, quantity: Quantity, found: tuple[Mapping, Mapping]
) -> plot.Panel:
    values, outliers = found[0][quantity.name], found[1][quantity.name]
    series: dict[str, list[str]] = {}
    for name in values:
        label = "" if other is None else f"{other.split('.')[-1]} {resolved.members[name].changes.get(other)}"
        series.setdefault(label, []).append(name)
    made = tuple(
        plot.Series(
            label,
            tuple(float(resolved.members[name].changes[key]) for name in names),
            tuple(values[name] for name in names),
            tuple(k for k, name in enumerate(names) if name in outliers),
        )
        for label, names in series.items()
    )
    return plot.Panel(quantity.name, key, quantity.unit, made)


def _columns(keys: Sequence[str], shown: Sequence[Quantity]) -> list[dict[str, Any]]:
    columns = [{"name": "study", "unit": "", "text": True, "digits": 0}]
    columns += [{"name": key, "unit": "", "text": False, "digits": 4} for key in keys]
    return columns + [{"name": q.name, "unit": q.unit, "text": False, "digits": q.digits} for q in shown]


def _rows(root: Path, resolved: Plan, keys: Sequence[str], values: Sequence[Mapping[str, float]]) -> Iterable[dict]:
    for name, member in list(resolved.members.items())[:MOST_ROWS]:
        page = resolved.folder(root, name) / "report.html"
        link = str(page.relative_to(root)) if page.exists() else ""
        changes = [_shown(member.changes.get(key)) for key in keys]
        yield {"cells": [name, *changes, *(found.get(name) for found in values)], "page": link}


def _shown(value: Any) -> Any:
    return value if value is None or (isinstance(value, float) and not isinstance(value, bool)) else str(value)


def _caption(resolved: Plan) -> str:
    more = len(resolved.members) - MOST_ROWS
    return f"The first {MOST_ROWS}; {more} more are in results.csv." if more > 0 else "Each name leads to its own page."


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
