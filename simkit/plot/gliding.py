"""Gamma surfaces with their low paths, and the resistance of an intergrowth beside its phases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.plot.style import CYCLE, PAGE_WIDTH_IN, blank_figure, house_style, need

_COLOURS = "viridis"
_LEVELS = 15
_COLUMNS = 3
_MARKERS = "oDs^vP"


@dataclass(frozen=True, eq=False)
class SurfacePanel:
    """A gamma surface: values (n, m) J/m2 at x, y (n, m) A; paths as (label, (k, 2) A); letters as (name, (2,) A)."""

    title: str
    x_A: Floats
    y_A: Floats
    values_J_per_m2: Floats
    paths: tuple[tuple[str, Floats], ...] = ()
    letters: tuple[tuple[str, Floats], ...] = ()


@dataclass(frozen=True, eq=False)
class ResistanceSeries:
    """One cell of a comparison: for every case (k) the values of its seeds, J/m2."""

    label: str
    barriers: tuple[tuple[float, ...], ...]
    ends: tuple[tuple[float, ...], ...]


def surface_figure(panels: Sequence[SurfacePanel], title: str = "") -> Figure:
    """Gamma surfaces side by side on one colour scale, with low paths and letters. Raises InputError on nothing."""
    need(panels, "gamma surfaces")
    lowest = min(float(panel.values_J_per_m2.min()) for panel in panels)
    highest = max(float(panel.values_J_per_m2.max()) for panel in panels)
    levels = MaxNLocator(_LEVELS).tick_values(lowest, highest if highest > lowest else lowest + 1.0)
    columns = min(_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    with house_style():
        figure = blank_figure(min(PAGE_WIDTH_IN, 1.0 + 2.7 * columns), 2.3 * rows + 0.5)
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for axes, panel in zip(grid.ravel(), panels, strict=False):
            shown = axes.contourf(panel.x_A, panel.y_A, panel.values_J_per_m2, levels=levels, cmap=_COLOURS)
            _paths(axes, panel)
            axes.set(aspect="equal", title=panel.title, xlabel="x (Å)")
            axes.grid(False)
        for axes in grid.ravel()[len(panels) :]:
            axes.set_visible(False)
        for axes in grid[:, 0]:
            axes.set_ylabel("y (Å)")
        bar = figure.colorbar(shown, ax=list(grid.ravel()), shrink=0.9, pad=0.02, aspect=26)
        bar.set_label("energy per area (J/m$^2$)")
        bar.outline.set_visible(False)
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure


def _paths(axes: Axes, panel: SurfacePanel) -> None:
    for _, path in panel.paths:
        axes.plot(*np.asarray(path).T, color="white", linewidth=1.6)
    for name, place in panel.letters:
        axes.plot(*place, "o", color="white", markeredgecolor="#222222", markersize=5)
        axes.annotate(
            name, place, xytext=(5, 4), textcoords="offset points", color="white", fontsize=8.5, fontweight="bold"
        )


def resistance_figure(cases: Sequence[str], series: Sequence[ResistanceSeries], title: str = "") -> Figure:
    """Barrier and end of the easiest single-slab move of each cell over the cases; a dot per seed, a line of means.

    Raises InputError on nothing to draw or lists of unequal length.
    """
    need(cases, "cases")
    need(series, "cells")
    for one in series:
        if not len(one.barriers) == len(one.ends) == len(cases):
            raise InputError(f"{one.label!r} has {len(one.barriers)} cases, {len(cases)} are named; give one each.")
    with house_style():
        figure = blank_figure(PAGE_WIDTH_IN, 3.1)
        left, right = figure.subplots(1, 2, sharex=True)
        for k, one in enumerate(series):
            for axes, values in ((left, one.barriers), (right, one.ends)):
                _series(axes, k, one.label if axes is left else "", values)
        left.set(title="barrier of the easiest move", ylabel="energy per area (J/m$^2$)")
        right.set(title="lowest end of a move")
        for axes in (left, right):
            axes.set_xticks(range(len(cases)), cases)
            axes.set_xlim(-0.5, len(cases) - 0.5)
            axes.axhline(0, color="#999999", linewidth=0.8)
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right upper")
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure


def _series(axes: Axes, k: int, label: str, values: Sequence[Sequence[float]]) -> None:
    colour, marker = CYCLE[k % len(CYCLE)], _MARKERS[k % len(_MARKERS)]
    known = [j for j, seeds in enumerate(values) if len(seeds)]
    means = [float(np.mean(values[j])) for j in known]
    axes.plot(known, means, "-" if len(known) > 1 else "", color=colour, marker=marker, label=label or None, zorder=3)
    for j in known:
        axes.plot([j] * len(values[j]), values[j], ".", color=colour, alpha=0.55, markersize=5, zorder=2)
