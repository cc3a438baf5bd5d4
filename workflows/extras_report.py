"""What the added steps of a study leave: numbers, figures and sections of its page."""

from __future__ import annotations

from typing import Any

import numpy as np

from simkit import plot
from simkit.potential.card import Card
from simkit.workflows import dynamics, elastic
from simkit.workflows.extras import Extras
from simkit.workflows.glides import figures as gliding_figures
from simkit.workflows.glides import report as gliding_report
from simkit.workflows.rundirs import column, section

COLOURS = 8
"""Lines of a figure before its colours come again, then dashed."""


def numbers(found: Extras) -> dict[str, Any]:
    """What results.json says of them, unit in every key."""
    said: dict[str, Any] = {}
    if found.elastic is not None:
        said["elastic"] = {name: elastic.table(answer) for name, answer in found.elastic.found.answers.items()}
    if found.surfaces is not None:
        said["surfaces"] = gliding_report.surface_rows(found.surfaces.surfaces)
    if found.dynamics is not None:
        said["dynamics"] = dynamics.table(found.dynamics)
        said["dynamics_missing"] = list(found.dynamics.missing)
    return said


def figures(found: Extras) -> dict[str, object]:
    """Figure by file name."""
    drawn: dict[str, object] = {}
    if found.surfaces is not None and found.surfaces.surfaces:
        drawn["gamma-surfaces"] = gliding_figures.surfaces(found.surfaces.surfaces)
    if found.dynamics is not None and found.dynamics.motions:
        lines = [
            plot.LineCurve(f"{one.source}, {one.temperature_K:g} K", one.times_ps, one.squares_A2["xy"], k >= COLOURS)
            for k, one in enumerate(found.dynamics.motions)
        ]
        drawn["dynamics"] = plot.line_figure(lines, "time (ps)", "mean squared displacement along the layers (Å²)")
    return drawn


def sections(found: Extras, study: str, card: Card) -> list[dict[str, Any]]:
    """Their sections of the page."""
    said: list[dict[str, Any]] = []
    if found.elastic is not None and found.elastic.found.answers:
        said += elastic.page(study, found.elastic.found, card)["sections"]
    if found.surfaces is not None and found.surfaces.surfaces:
        said.append(gliding_report.surface_section(found.surfaces.surfaces))
    if found.dynamics is not None:
        said.append(_moved(found.dynamics))
    return said


def _moved(found: dynamics.Result) -> dict[str, Any]:
    columns = [
        column("run"), column("status", text=True), column("steps", digits=0), column("mean temperature", "K", 0),
        column("mean energy", "eV"),
    ]  # fmt: skip
    rows = [
        [name, row["status"], row["steps"], row.get("mean_temperature_K"), row.get("mean_energy_eV")]
        for name, row in dynamics.table(found).items()
        if "status" in row
    ]
    tables = [{"caption": "Runs; means over the second half.", "columns": columns, "rows": rows}]
    if found.motions:
        tables.append(_diffusion(found))
    words = (
        "Molecular dynamics of the relaxed cell. Diffusivities come from the mean squared displacement where the ions "
        "are seen to diffuse; where they are not, the status says so and there is no number."
    )
    drawn = [("dynamics", "Mean squared displacement of the ions along the layers.")] if found.motions else []
    return section("Dynamics", [words, *found.missing], drawn, tables)


def _diffusion(found: dynamics.Result) -> dict[str, Any]:
    columns = [
        column("cell"), column("temperature", "K", 0), column("ions", text=True), column("axes", text=True),
        column("D", "1e-5 cm²/s"), column("error", "1e-5 cm²/s"), column("status", text=True),
    ]  # fmt: skip
    rows = []
    for one in found.motions:
        for entry in one.entries:
            value = entry.found.value_cm2_per_s
            d = (None, None) if value is None else (1e5 * value.value, 1e5 * value.error)
            error = None if d[1] is None or not np.isfinite(d[1]) else d[1]
            rows.append([one.source, one.temperature_K, entry.group, entry.axes, d[0], error, entry.found.status])
    return {"caption": "Diffusivities.", "columns": columns, "rows": rows}
