"""Powder patterns over the ion content as operando diffraction draws them: a map, the lattice beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.plot.histories import MAP_COLOURS
from simkit.plot.style import CYCLE, PAGE_WIDTH_IN, blank_figure, house_style, need

LEVELS = np.linspace(0.0, 1.0, 41) ** 2


@dataclass(frozen=True, eq=False)
class Operando:
    """Patterns (t, k) over angles (k,) degrees and a course (t,), and quantities of the lattice over the same course.

    course_name with its unit; falling: the course is drawn from high to low, as a cell is charged
    lattice: (name with unit, (t,)) in the order they are drawn, nan where one is not known
    """

    title: str
    angles_deg: Floats
    course: Floats
    course_name: str
    intensity: Floats
    lattice: tuple[tuple[str, Floats], ...] = ()
    falling: bool = True


def operando_figure(panels: Sequence[Operando], title: str = "") -> Figure:
    """Contour maps over a course, first and last pattern above each, the lattice beside it on the same course.

    Colours follow the square root of the intensity, so that weak peaks show; between the places on the course that were
    computed (ticks at the right edge of the map) the map is drawn straight. Raises InputError on an empty list,
    patterns that do not match their axes, or a course of fewer than two or that does not rise.
    """
    need(panels, "patterns")
    for panel in panels:
        fits = panel.intensity.shape == (len(panel.course), len(panel.angles_deg))
        fits &= all(len(values) == len(panel.course) for _, values in panel.lattice)
        if not fits or len(panel.course) < 2 or np.any(np.diff(panel.course) <= 0):
            raise InputError(f"{panel.title!r}: patterns of shape {panel.intensity.shape} do not fit a rising course.")
    beside = max(len(panel.lattice) for panel in panels)
    with house_style():
        figure = blank_figure(PAGE_WIDTH_IN, 0.5 + 3.2 * len(panels))
        grid = figure.subplots(
            2 * len(panels),
            1 + beside,
            width_ratios=[5.0] + [1.15] * beside,
            height_ratios=[1.0, 2.6] * len(panels),
            squeeze=False,
        )
        for row, panel in enumerate(panels):
            _map(grid[2 * row, 0], grid[2 * row + 1, 0], panel)
            for k in range(beside):
                grid[2 * row, 1 + k].set_axis_off()
                _lattice(grid[2 * row + 1, 1 + k], panel, k)
        grid[-1, 0].set_xlabel("2θ (degrees)")
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure


def _map(line: Axes, field: Axes, panel: Operando) -> None:
    top = max(float(panel.intensity.max()), 1e-300)
    ends = (-1, 0) if panel.falling else (0, -1)
    for k, end in enumerate(ends):
        label = f"at {panel.course[end]:.3g}"
        line.plot(panel.angles_deg, panel.intensity[end] / top, color=CYCLE[k], linewidth=1.0, label=label)
    line.legend(loc="upper right", ncols=2, fontsize=7.5)
    line.set(title=panel.title, yticks=[], xticklabels=[])
    shown = panel.intensity / top
    field.contourf(panel.angles_deg, panel.course, shown, levels=LEVELS, cmap=MAP_COLOURS, norm=PowerNorm(0.5, 0, 1))
    edge = np.full(len(panel.course), panel.angles_deg[-1])
    field.plot(edge, panel.course, marker="_", markersize=9, color="#222222", linestyle="none", clip_on=False)
    field.set_ylabel(panel.course_name)
    field.grid(False)
    for axes in (line, field):
        axes.set_xlim(panel.angles_deg[0], panel.angles_deg[-1])
    _bounds(field, panel)


def _lattice(axes: Axes, panel: Operando, k: int) -> None:
    if k >= len(panel.lattice):
        axes.set_axis_off()
        return
    name, values = panel.lattice[k]
    axes.plot(values, panel.course, color=CYCLE[k], marker="o", markersize=3.5, linewidth=1.0, clip_on=False)
    axes.set_xlabel(name)
    axes.xaxis.set_major_locator(MaxNLocator(2))
    axes.margins(x=0.2)
    axes.set_yticklabels([])
    _bounds(axes, panel)


def _bounds(axes: Axes, panel: Operando) -> None:
    low, high = panel.course[0], panel.course[-1]
    axes.set_ylim((high, low) if panel.falling else (low, high))
