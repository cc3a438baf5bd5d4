"""Transport of ions: mean squared displacements, Arrhenius plots, van Hove functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simkit.arrays import Floats
from simkit.plot.style import CYCLE, PAGE_WIDTH_IN, blank_figure, house_style, need

MARKERS = "osD^vPX*"
LEAST_A2 = 1e-6
"""Displacements below this are rounding and not drawn."""


@dataclass(frozen=True, eq=False)
class Displacements:
    """MSD (t,) A^2 at times_ps (t,); line: the fitted stretch (times, values), or None; open: not diffusive yet."""

    label: str
    times_ps: Floats
    squares_A2: Floats
    line: tuple[Floats, Floats] | None = None
    diffusive: bool = True


@dataclass(frozen=True, eq=False)
class Rungs:
    """Values and ends of their 95 % intervals at temperatures (t,); curve: (temperatures, fit, its low, its high)."""

    label: str
    temperatures_K: Floats
    values: Floats
    lower: Floats
    upper: Floats
    curve: tuple[Floats, Floats, Floats, Floats] | None = None


@dataclass(frozen=True, eq=False)
class RungPanel:
    """One quantity of an Arrhenius plot with its unit in the name."""

    name: str
    rungs: tuple[Rungs, ...]


@dataclass(frozen=True, eq=False)
class Distances:
    """Probability density (b,) 1/A of the distance gone (b,) A, one curve per (lag_ps, density)."""

    title: str
    distances_A: Floats
    curves: tuple[tuple[float, Floats], ...]


def displacement_figure(panels: Sequence[tuple[str, Sequence[Displacements]]], title: str = "") -> Figure:
    """Mean squared displacements on logarithmic axes, one panel per direction, with the fitted lines.

    Raises InputError on an empty list.
    """
    need(panels, "panels of displacements")
    with house_style():
        figure = blank_figure(PAGE_WIDTH_IN, 3.2)
        grid = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
        for axes, (name, curves) in zip(grid, panels, strict=True):
            for k, curve in enumerate(curves):
                _displacements(axes, curve, CYCLE[k % len(CYCLE)])
            axes.set(title=name, xlabel="lag (ps)")
            if any(np.any(curve.squares_A2 > LEAST_A2) for curve in curves):
                axes.set(xscale="log", yscale="log")
        grid[0].set_ylabel("mean squared displacement (Å$^2$)")
        for k, curve in enumerate(panels[0][1]):
            grid[0].plot([], [], color=CYCLE[k % len(CYCLE)], label=curve.label)
        grid[0].plot([], [], color="#222222", linestyle="--", linewidth=1.2, label="fit")
        _finish(figure, grid[0], title)
    return figure


def _displacements(axes: Axes, curve: Displacements, colour: str) -> None:
    shown = (curve.times_ps > 0) & (curve.squares_A2 > LEAST_A2)
    # the last lags have few origins: they are noise, and say so by their paleness
    sure = shown & (curve.times_ps <= 0.5 * curve.times_ps.max())
    axes.plot(curve.times_ps[shown], curve.squares_A2[shown], color=colour, alpha=0.3, linewidth=1.0)
    axes.plot(curve.times_ps[sure], curve.squares_A2[sure], color=colour, linestyle="-" if curve.diffusive else ":")
    if curve.line is not None:
        axes.plot(*curve.line, color="#222222", linestyle="--", linewidth=1.2, zorder=4)


def arrhenius_figure(panels: Sequence[RungPanel], title: str = "") -> Figure:
    """Values over the inverse temperature, 95 % intervals as bars, fits with their band. Raises InputError on none."""
    need(panels, "Arrhenius panels")
    with house_style():
        figure = blank_figure(PAGE_WIDTH_IN, 3.2 + 0.3 * max(len(panel.rungs) for panel in panels))
        grid = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, panel in zip(grid, panels, strict=True):
            for k, rungs in enumerate(panel.rungs):
                _rungs(axes, rungs, k)
            axes.set(xlabel="1000 / T (1/K)", ylabel=panel.name, yscale="log")
            axes.margins(x=0.08)
            _temperatures_above(axes, sorted({float(t) for rungs in panel.rungs for t in rungs.temperatures_K}))
            axes.legend(loc="upper left", bbox_to_anchor=(0.0, -0.2), fontsize=7.5, borderaxespad=0.0)
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure


def _rungs(axes: Axes, rungs: Rungs, k: int) -> None:
    colour = CYCLE[k % len(CYCLE)]
    x = 1000.0 / np.asarray(rungs.temperatures_K)
    floor = 0.05 * np.asarray(rungs.values)  # an interval down to zero has no end on a logarithmic axis
    below = rungs.values - np.maximum(rungs.lower, floor)
    axes.errorbar(x, rungs.values, [below, rungs.upper - rungs.values], fmt=MARKERS[k % len(MARKERS)], color=colour,
                  capsize=2.5, linewidth=1.2, label=rungs.label)  # fmt: skip
    if rungs.curve is not None:
        temperatures, middle, low, high = rungs.curve
        axes.plot(1000.0 / temperatures, middle, color=colour, linewidth=1.3)
        axes.fill_between(1000.0 / temperatures, low, high, color=colour, alpha=0.12, linewidth=0)


def _temperatures_above(axes: Axes, temperatures_K: Sequence[float]) -> None:
    """A second axis that says which temperature is where."""
    above = axes.secondary_xaxis("top")
    above.set_xticks([1000.0 / t for t in temperatures_K], [f"{t:g} K" for t in temperatures_K])
    above.tick_params(labelsize=7.5, length=2)
    above.spines["top"].set_visible(False)


def van_hove_figure(panels: Sequence[Distances], title: str = "") -> Figure:
    """How far ions have gone after several lags, one panel per temperature. Raises InputError on an empty list."""
    need(panels, "van Hove functions")
    with house_style():
        figure = blank_figure(PAGE_WIDTH_IN, 3.0)
        grid = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
        for axes, panel in zip(grid, panels, strict=True):
            for k, (lag, density) in enumerate(panel.curves):
                axes.plot(panel.distances_A, density, color=CYCLE[k % len(CYCLE)], label=f"{lag:.3g} ps")
            axes.set(title=panel.title, xlabel="distance gone (Å)")
            axes.legend(loc="upper right", fontsize=7.5)
        grid[0].set_ylabel("4πr$^2$ G$_s$(r, t)  (1/Å)")
        top = max(float(np.sort(density)[-2]) for panel in panels for _, density in panel.curves)
        grid[0].set_ylim(0, 1.1 * top)
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure


def _finish(figure: Figure, axes: Axes, title: str) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if labels:
        figure.legend(handles, labels, loc="outside right upper", labelspacing=0.7, handlelength=1.8)
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
