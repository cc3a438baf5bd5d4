"""Stress maps that carry their own warning, and stress by region and by distance for several cells."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from simkit.errors import InputError
from simkit.plot.pictures import StressPanel, stress_map_figure
from simkit.plot.style import CYCLE, PAGE_WIDTH_IN, blank_figure, house_style, need

_NOTE_IN = 0.17
_LETTER_IN = 0.062


@dataclass(frozen=True)
class PanelNote:
    """What is printed under a map: what the field is, and what the potential's card warns of."""

    field: str
    warnings: tuple[str, ...] = ()


def stress_panel_figure(
    panels: Sequence[StressPanel],
    note: PanelNote,
    quantity: str = "von Mises stress (GPa)",
    upper_GPa: float | None = None,
) -> Figure:
    """`stress_map_figure` with a note printed below, so that no panel travels without it."""
    figure = stress_map_figure(panels, quantity, upper_GPa)
    width, height = figure.get_size_inches()
    columns = max(int(width / _LETTER_IN), 40)
    lines = [line for text in (note.field, *note.warnings) for line in textwrap.wrap(text, columns)]
    extra = _NOTE_IN * len(lines) + 0.08
    figure.set_size_inches(width, height + extra)
    share = extra / (height + extra)
    figure.get_layout_engine().set(rect=(0, share, 1, 1 - share))
    for k, line in enumerate(lines):
        warned = k >= len(textwrap.wrap(note.field, columns))
        place = (len(lines) - 1 - k) * _NOTE_IN / (height + extra) + 0.05 / (height + extra)
        figure.text(0.01, place, line, fontsize=7.5, color="#9a5b00" if warned else "#5b6875", ha="left", va="bottom")
    return figure


def region_figure(
    regions: Sequence[str], cells: Sequence[str], values: Sequence[Sequence[float | None]], ylabel: str, title: str = ""
) -> Figure:
    """Dots of several cells over regions (phases, layers, distances); None where a cell has no such region.

    values  one row per cell. Raises InputError on an empty list or rows of another length.
    """
    need(regions, "regions")
    need(cells, "cells")
    if len(values) != len(cells) or any(len(row) != len(regions) for row in values):
        raise InputError(f"{len(values)} rows for {len(cells)} cells and {len(regions)} regions; give one value each.")
    with house_style():
        figure = blank_figure(PAGE_WIDTH_IN, 3.0)
        axes = figure.subplots()
        for k, (cell, row) in enumerate(zip(cells, values, strict=True)):
            known = [j for j, value in enumerate(row) if value is not None]
            axes.plot(
                known, np.array([row[j] for j in known], dtype=float), "o-", color=CYCLE[k % len(CYCLE)], label=cell
            )
        axes.set_xticks(range(len(regions)), regions)
        axes.tick_params(axis="x", rotation=30 if len(regions) > 8 else 0)
        axes.set(ylabel=ylabel, title=title)
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper")
    return figure
