"""Fill the page from results.json, record.json and the figures of a run."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from simkit.errors import InputError
from simkit.io.rundir import RunDirectory

SCHEMA = "simkit-results-1"


def number(value: float | None, digits: int = 3) -> str:
    """A number for a table: fixed digits, a true minus sign, a dash where there is none."""
    if value is None:
        return "–"
    text = f"{value:.{digits}f}"
    if not text.strip("-0."):
        text = text.lstrip("-")
    return text.replace("-", "−")


def duration(seconds: float) -> str:
    """Seconds as a person reads them."""
    if seconds < 90:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def render(results: Mapping[str, Any], record: Mapping[str, Any], figures: Mapping[str, bytes]) -> str:
    """The page as text. `figures` maps a name to SVG or PNG bytes; absent figures leave no gap."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, duration=duration)
    images = {name: _inline(content) for name, content in figures.items()}
    return environment.get_template("page.html").render(r=results, record=record, figures=images)


def write_report(run: RunDirectory) -> Path:
    """Write report.html of a run. Raises InputError when the folder holds no results of this schema."""
    results = run.read_json("results.json")
    if results.get("schema") != SCHEMA:
        raise InputError(
            f"{run.path / 'results.json'} has schema {results.get('schema')!r}; this version reads {SCHEMA!r}."
        )
    figures = {path.stem: path.read_bytes() for path in sorted((run.path / "figures").glob("*.png"))}
    page = render(results, run.read_json("record.json"), figures)
    run.write_bytes("report.html", page.encode())
    return run.path / "report.html"


def _inline(content: bytes) -> str:
    kind = "png" if content.startswith(b"\x89PNG") else "svg+xml"
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
