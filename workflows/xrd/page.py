"""Figures, tables, files and words of powder patterns over the ion content and the temperature."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.signal import find_peaks

from simkit import io, plot
from simkit.potential.card import Card
from simkit.workflows.rundirs import card_facts, column, section
from simkit.workflows.xrd.run import SERIES, Point, Result, name_of

PEAKS = 6
"""Strongest peaks of each pattern that are named."""
LEAST_PEAK = 0.01
"""A peak is at least this part of the strongest one high."""


def figures(result: Result) -> dict[str, object]:
    """Maps over content, one for each temperature, and over temperature, one for each content, where there are two."""
    drawn = {}
    contents = [_over_content(result, series, t) for series in _series(result) for t in _temperatures(result)]
    contents = [panel for panel in contents if panel is not None]
    for k, panel in enumerate(contents):
        drawn["xrd-content" + (f"-{k + 1}" if len(contents) > 1 else "")] = plot.operando_figure([panel])
    warm = [panel for panel in _over_temperature(result) if panel is not None]
    for k, panel in enumerate(warm):
        drawn["xrd-temperature" + (f"-{k + 1}" if len(warm) > 1 else "")] = plot.operando_figure([panel])
    return drawn


def page(name: str, result: Result, card: Card, figure_names: list[str]) -> dict[str, Any]:
    """The content of results.json, with what the page template shows."""
    ion = result.config.ion
    maps = [(figure, _caption(figure)) for figure in figure_names]
    said = [
        "Kinematic patterns of the cells, with disorder in the positions and without thermal factors. Between the "
        "computed places (ticks at the right edge) a map is drawn straight, so where one phase follows another it "
        "shows both."
    ]
    if not maps:
        said.append("A map needs two contents or two temperatures; there is one of each, so patterns are files only.")
    return {
        "study": "powder diffraction",
        "title": f"{name}: powder patterns over the {ion} content",
        "lead": f"{len(result.points)} patterns, {result.config.wavelength}, peaks {result.config.fwhm_deg:g}° wide.",
        "warnings": warnings(result),
        "headline": [],
        "points": [_facts(result, point) for point in result.points],
        "sections": [section("Patterns", said, maps, [_table(result)])],
        "potential": card_facts(card),
    }


def write(directory: io.RunDirectory, result: Result) -> None:
    """Patterns as CSV and the cells that diffract as extended XYZ and CIF."""
    structures = directory.path / "structures"
    structures.mkdir(exist_ok=True)
    for point in result.points:
        rows = [f"{angle:.3f},{value:.6g}" for angle, value in zip(result.angles_deg, point.intensity, strict=True)]
        text = "\n".join(["two_theta_deg,intensity", *rows]) + "\n"
        directory.write_bytes(f"patterns/{name_of(point)}.csv", text.encode())
        for kind in ("extxyz", "cif"):
            io.write(structures / f"{name_of(point)}.{kind}", point.structure)


def lines(result: Result) -> list[str]:
    """What a terminal shows: a line for each pattern, problems last."""
    text = [f"{_label(result, p)}: {_lattice(p)}{_peaks(result, p)}" for p in result.points]
    return text + [f"warning: {line}" for line in warnings(result)]


def warnings(result: Result) -> list[str]:
    """What a reader must know before the pictures."""
    words = [f"{_label(result, p)}: {p.status}" for p in result.points if not p.good]
    lost = [_label(result, p) for p in result.points if not p.galleries]
    return words + ([f"no stack of slabs, so no lattice of one: {', '.join(lost)}."] if lost else [])


def _series(result: Result) -> list[str]:
    return list(dict.fromkeys(p.series for p in result.points))


def _temperatures(result: Result) -> list[float | None]:
    return list(dict.fromkeys(p.temperature_K for p in result.points))


def _over_content(result: Result, series: str, temperature_K: float | None) -> plot.Operando | None:
    mine = [p for p in result.points if (p.series, p.temperature_K) == (series, temperature_K)]
    heat = "relaxed" if temperature_K is None else f"{temperature_K:g} K"
    heat = heat if result.config.relaxed or temperature_K is not None else "as given"
    return _panel(
        result, mine, f"{series}, {heat}", ([p.content for p in mine], f"{result.config.ion} per formula unit", True)
    )


def _over_temperature(result: Result) -> list[plot.Operando | None]:
    found = []
    for series, x in dict.fromkeys((p.series, p.content) for p in result.points):
        mine = [p for p in result.points if (p.series, p.content) == (series, x) and p.temperature_K is not None]
        title = f"{series}, {result.config.ion} {x:.3g} per formula unit"
        found.append(_panel(result, mine, title, ([p.temperature_K for p in mine], "temperature (K)", False)))
    return found


def _panel(
    result: Result, points: list[Point], title: str, course: tuple[list[float], str, bool]
) -> plot.Operando | None:
    values, name, falling = course
    if len(set(values)) < 2:
        return None
    order = np.argsort(values)
    points = [points[k] for k in order]
    lattice = [("a (Å)", [p.a_A for p in points]), ("slab\nspacing (Å)", [p.spacing_A for p in points])]
    kept = tuple((label, np.array(column)) for label, column in lattice if np.isfinite(column).any())
    return plot.Operando(
        title, result.angles_deg, np.sort(values), name, np.array([p.intensity for p in points]), kept, falling
    )


def _caption(figure: str) -> str:
    over = "temperature" if figure.startswith("xrd-temperature") else "ion content"
    return f"Powder patterns over the {over}: first and last above the map, the lattice of the cells beside it."


def _label(result: Result, point: Point) -> str:
    series = "" if point.series == SERIES else f"{point.series}, "
    heat = "" if point.temperature_K is None else f", {point.temperature_K:g} K"
    return f"{series}{result.config.ion} {point.content:.3f}{heat}"


def strongest(result: Result, point: Point) -> list[tuple[float, float]]:
    """(angle, height over the highest) of the strongest peaks, by angle."""
    top = max(float(point.intensity.max()), 1e-300)
    places, found = find_peaks(point.intensity / top, height=LEAST_PEAK)
    best = np.sort(places[np.argsort(-found["peak_heights"])[:PEAKS]])
    return [(float(result.angles_deg[k]), float(point.intensity[k] / top)) for k in best]


def _lattice(point: Point) -> str:
    return f"a {point.a_A:.3f} A, slab spacing {point.spacing_A:.3f} A, " if point.galleries else ""


def _peaks(result: Result, point: Point) -> str:
    return "peaks at " + ", ".join(f"{angle:.2f}" for angle, _ in strongest(result, point)) + "°"


def _facts(result: Result, point: Point) -> dict[str, Any]:
    return {
        "name": name_of(point),
        "series": point.series,
        "content_per_formula_unit": point.content,
        "temperature_K": point.temperature_K,
        "status": point.status,
        "a_A": None if math.isnan(point.a_A) else point.a_A,
        "slab_spacing_A": None if math.isnan(point.spacing_A) else point.spacing_A,
        "volume_A3_per_formula_unit": point.volume_A3,
        "galleries": point.galleries,
        "peaks": [{"two_theta_deg": angle, "relative_height": height} for angle, height in strongest(result, point)],
        **point.spreads,
    }


def _table(result: Result) -> dict[str, Any]:
    rows = []
    for p in result.points:
        galleries = ", ".join(f"{kind} {share:.2f}" for kind, share in p.galleries.items()) or "no stack"
        lattice = [None if math.isnan(x) else x for x in (p.a_A, p.spacing_A)]
        peaks = ", ".join(f"{angle:.2f}" for angle, _ in strongest(result, p))
        rows.append([p.series, p.content, p.temperature_K, *lattice, p.volume_A3, galleries, peaks])
    columns = [
        column("cell", text=True), column(f"{result.config.ion} content"), column("temperature", "K", 0),
        column("a", "Å"), column("slab spacing", "Å"), column("volume", "Å³ per formula unit", 2),
        column("galleries", text=True), column("strongest peaks", "° 2θ", text=True),
    ]  # fmt: skip
    return {"caption": "What diffracts.", "columns": columns, "rows": rows}
