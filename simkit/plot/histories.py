"""A run over time: its log, the stacking, radial distributions, patterns and densities as maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.plot.style import CYCLE, PAGE_WIDTH_IN, blank_figure, house_style, need, phase_colour

MAP_COLOURS = "magma_r"
DENSITY_COLOURS = "viridis"
TALLEST_MAP_IN = 3.2
MOST_WORDS = 4
"""More events than these are lines without words."""
OTHER_STACKINGS = {"T2": "#882255", "O2l": "#A6DDF2", "not layered": "#BBBBBB"}
"""Colours of what is no phase of its own."""


@dataclass(frozen=True, eq=False)
class LogTrace:
    """One quantity of a log over time, smoothed for the eye by the mean over `smooth` points beside the raw line."""

    label: str
    times_ps: Floats
    values: Floats


@dataclass(frozen=True, eq=False)
class Stacking:
    """Shares of the galleries by kind over time, and events (time_ps, words)."""

    title: str
    times_ps: Floats
    fractions: dict[str, Floats]
    events: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True, eq=False)
class Patterns:
    """Powder patterns (t, k) over angles (k,) degrees and some course (t,): time, temperature or content, named so."""

    title: str
    angles_deg: Floats
    course: Floats
    course_name: str
    intensity: Floats


@dataclass(frozen=True, eq=False)
class Slice:
    """An areal density (n, m) 1/A^2 on a lattice of two vectors (2, 2) A in the plane of the picture."""

    title: str
    vectors_A: Floats
    density: Floats


def log_figure(panels: Sequence[tuple[str, Sequence[LogTrace]]], title: str = "") -> Figure:
    """Panels one below the other on one axis of time, as temperature, energy and volume. Raises InputError on none."""
    need(panels, "panels of a log")
    with house_style():
        figure = blank_figure(PAGE_WIDTH_IN, 0.5 + 1.35 * len(panels))
        grid = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (name, traces) in zip(grid, panels, strict=True):
            for k, trace in enumerate(traces):
                _trace(axes, trace, CYCLE[k % len(CYCLE)])
            axes.set_ylabel(name)
            axes.margins(x=0)
        grid[-1].set_xlabel("time (ps)")
        figure.align_ylabels(grid)
        for k, trace in enumerate(panels[0][1]):
            grid[0].plot([], [], color=CYCLE[k % len(CYCLE)], label=trace.label)
        figure.legend(*grid[0].get_legend_handles_labels(), loc="outside right upper", handlelength=1.4)
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure


def _trace(axes: Axes, trace: LogTrace, colour: str) -> None:
    """The raw line pale, its running mean over a fiftieth of the run on top."""
    width = max(1, len(trace.values) // 50)
    axes.plot(trace.times_ps, trace.values, color=colour, alpha=0.25 if width > 1 else 1.0, linewidth=0.7)
    if width > 1:
        means = np.convolve(trace.values, np.full(width, 1.0 / width), mode="valid")
        middle = np.convolve(trace.times_ps, np.full(width, 1.0 / width), mode="valid")
        axes.plot(middle, means, color=colour, linewidth=1.6)


def stacking_figure(panels: Sequence[Stacking], title: str = "") -> Figure:
    """Shares of the galleries as stacked areas, glides marked, one panel per trajectory. Raises InputError on none."""
    need(panels, "histories of the stacking")
    names = list(dict.fromkeys(name for panel in panels for name in panel.fractions))
    with house_style():
        figure = blank_figure(PAGE_WIDTH_IN, 0.6 + 1.15 * len(panels))
        grid = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
        for axes, panel in zip(grid, panels, strict=True):
            shares = [panel.fractions.get(name, np.zeros(len(panel.times_ps))) for name in names]
            colours = [_stacking_colour(name, k) for k, name in enumerate(names)]
            axes.stackplot(panel.times_ps, shares, colors=colours, alpha=0.85, linewidth=0, step="mid")
            for k, (time, words) in enumerate(panel.events):
                axes.axvline(time, color="#111111", linewidth=0.8)
                if len(panel.events) <= MOST_WORDS:
                    place = {"xytext": (2, -9 * (k + 1)), "textcoords": "offset points", "fontsize": 7}
                    axes.annotate(words, (time, 1.0), **place)
            axes.set(ylim=(0, 1), title=panel.title, yticks=[0, 0.5, 1])
            axes.margins(x=0)
            axes.grid(False)
        grid[-1].set_xlabel("time (ps)")
        figure.supylabel("share of the galleries", fontsize=9)
        handles = [grid[0].fill_between([], [], [], color=_stacking_colour(n, k)) for k, n in enumerate(names)]
        figure.legend(handles, names, loc="outside right upper", handlelength=1.2)
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure


def _stacking_colour(name: str, k: int) -> str:
    return OTHER_STACKINGS.get(name) or phase_colour(name.split("/")[0], k)


def radial_figure(curves: Sequence[tuple[str, Floats, Floats]], title: str = "") -> Figure:
    """Radial distributions (label, r, g), each raised above the one before. Raises InputError on an empty list."""
    need(curves, "radial distributions")
    with house_style():
        figure = blank_figure(PAGE_WIDTH_IN, 1.0 + 0.55 * len(curves))
        axes = figure.subplots()
        step = 1.0
        for k, (_, r, g) in enumerate(curves):
            shape = np.asarray(g) / max(float(np.max(g)), 1e-12) * 1.25
            axes.fill_between(r, k * step, k * step + shape, color=CYCLE[k % len(CYCLE)], alpha=0.2, linewidth=0)
            axes.plot(r, k * step + shape, color=CYCLE[k % len(CYCLE)], linewidth=1.3)
        axes.set(xlabel="distance (Å)", ylabel="g(r), each scaled to its peak", title=title)
        axes.set_yticks(np.arange(len(curves)) * step, [f"{name}\npeak {np.max(g):.1f}" for name, _, g in curves])
        axes.margins(x=0)
        axes.set_ylim(0, None)
    return figure


def pattern_figure(panels: Sequence[Patterns], title: str = "") -> Figure:
    """Powder patterns as contour maps over a course, the strongest pattern drawn above each map.

    The colours follow the square root of the intensity, so that weak peaks show. Raises InputError on an empty list,
    patterns that do not match their axes, or a course of fewer than two.
    """
    need(panels, "patterns")
    for panel in panels:
        if panel.intensity.shape != (len(panel.course), len(panel.angles_deg)) or len(panel.course) < 2:
            raise InputError(f"{panel.title!r}: patterns of shape {panel.intensity.shape} do not fit their axes.")
    with house_style():
        figure = blank_figure(PAGE_WIDTH_IN, 0.4 + 2.3 * len(panels))
        grid = figure.subplots(2 * len(panels), 1, height_ratios=[1, 2.4] * len(panels), squeeze=False)[:, 0]
        for line, field, panel in zip(grid[::2], grid[1::2], panels, strict=True):
            top = float(panel.intensity.max())
            line.plot(panel.angles_deg, panel.intensity[0] / top, color=CYCLE[0], linewidth=1.0, label="first")
            line.plot(panel.angles_deg, panel.intensity[-1] / top, color=CYCLE[1], linewidth=1.0, label="last")
            line.legend(loc="upper right", ncols=2, fontsize=7.5)
            line.set(title=panel.title, yticks=[], xticklabels=[])
            field.contourf(panel.angles_deg, panel.course, panel.intensity / top, levels=np.linspace(0, 1, 41) ** 2,
                           cmap=MAP_COLOURS, norm=PowerNorm(0.5, 0, 1))  # fmt: skip
            field.set_ylabel(panel.course_name)
            field.grid(False)
            for axes in (line, field):
                axes.set_xlim(panel.angles_deg[0], panel.angles_deg[-1])
        grid[-1].set_xlabel("2θ (degrees)")
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure


def density_figure(panels: Sequence[Slice], title: str = "") -> Figure:
    """Areal densities of ions in true shape, side by side on one colour scale. Raises InputError on an empty list."""
    need(panels, "densities")
    upper = max(float(np.percentile(panel.density, 99.5)) for panel in panels)
    corners = [_corners(panel) for panel in panels]
    tall = max(float(np.ptp(c[:, 1])) for c in corners)
    wide = sum(float(np.ptp(c[:, 0])) for c in corners)
    inches = min(TALLEST_MAP_IN / tall, 5.6 / wide)
    with house_style():
        figure = blank_figure(min(PAGE_WIDTH_IN, wide * inches + 0.6 * len(panels) + 1.1), tall * inches + 0.9)
        widths = [float(np.ptp(c[:, 0])) for c in corners]
        grid = figure.subplots(1, len(panels), squeeze=False, width_ratios=widths)[0]
        for axes, panel in zip(grid, panels, strict=True):
            mesh = _slice(axes, panel, upper)
            axes.set(title=panel.title, xlabel="Å", aspect="equal")
            axes.grid(False)
        figure.colorbar(mesh, ax=list(grid), label="ions per Å$^2$", shrink=0.8, pad=0.02)
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure


def _corners(panel: Slice) -> Floats:
    a, b = np.asarray(panel.vectors_A)
    return np.array([np.zeros(2), a, b, a + b])


def _slice(axes: Axes, panel: Slice, upper: float):
    n, m = panel.density.shape
    closed = np.pad(panel.density, ((0, 1), (0, 1)), mode="wrap")
    i, j = np.meshgrid(np.arange(n + 1) / n, np.arange(m + 1) / m, indexing="ij")
    points = i[..., None] * np.asarray(panel.vectors_A)[0] + j[..., None] * np.asarray(panel.vectors_A)[1]
    return axes.pcolormesh(points[..., 0], points[..., 1], closed, cmap=DENSITY_COLOURS, vmin=0.0, vmax=upper,
                           shading="gouraud", rasterized=True)  # fmt: skip
