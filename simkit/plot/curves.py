"""Curves and bars: barriers, gliding, stress along the normal, convergence, comparison of phases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.plot.style import CYCLE, PAGE_WIDTH_IN, blank_figure, house_style, need, phase_colour

_MARKERS = "osD^vPX*"


@dataclass(frozen=True, eq=False)
class BarrierCurve:
    """One hop: images as points (m,), the fit as a curve (k,), both barriers; eV above the first image."""

    label: str
    distances_A: Floats
    energies_eV: Floats
    curve_distances_A: Floats
    curve_energies_eV: Floats
    forward_eV: float
    reverse_eV: float
    converged: bool = True


@dataclass(frozen=True, eq=False)
class GlideCurve:
    """One gliding profile: points (m,) and curve (k,) in J/m2 against the fraction of the path.

    panel names the kind of relaxation (one panel each); dashed marks a pure phase shown for comparison.
    """

    label: str
    panel: str
    fractions: Floats
    gamma_J_per_m2: Floats
    curve_fractions: Floats
    curve_J_per_m2: Floats
    dashed: bool = False


@dataclass(frozen=True, eq=False)
class LineCurve:
    """A labelled line: x (m,), y (m,); spans are (start, end, name) stretches of x to shade and name."""

    label: str
    x: Floats
    y: Floats
    dashed: bool = False
    spans: tuple[tuple[float, float, str], ...] = ()


@dataclass(frozen=True, eq=False)
class Relaxation:
    """The course of one relaxation: energies_eV (steps,) and fmax_eV_per_A (steps,)."""

    label: str
    energies_eV: Floats
    fmax_eV_per_A: Floats


@dataclass(frozen=True)
class BarGroup:
    """One quantity compared: a name with its unit, and a value per case."""

    name: str
    values: tuple[float, ...]


def barrier_figure(curves: Sequence[BarrierCurve], title: str = "") -> Figure:
    """Energy along each hop: images, fitted curve, barriers in the legend. Raises InputError on an empty list."""
    need(curves, "barrier curves")
    with house_style():
        figure = blank_figure(PAGE_WIDTH_IN, 3.5)
        axes = figure.subplots()
        for k, curve in enumerate(curves):
            colour = CYCLE[k % len(CYCLE)]
            note = "" if curve.converged else "\nnot converged"
            label = f"{curve.label}\n{_meV(curve.forward_eV)} forward, {_meV(curve.reverse_eV)} back{note}"
            style = "-" if curve.converged else ":"
            axes.plot(curve.curve_distances_A, curve.curve_energies_eV, style, color=colour)
            axes.plot([], [], style, color=colour, marker=_MARKERS[k % 8], label=label)
            axes.plot(
                curve.distances_A,
                curve.energies_eV,
                _MARKERS[k % 8],
                color=colour,
                markeredgecolor="white",
                zorder=3,
            )
        axes.axhline(0, color="#999999", linewidth=0.8)
        axes.margins(y=0.14)
        axes.set(xlabel="path length (Å)", ylabel="energy (eV)", title=title)
        _legend_right(figure, axes)
    return figure


def gliding_figure(curves: Sequence[GlideCurve], title: str = "") -> Figure:
    """Gliding profiles, one panel per kind of relaxation, one energy scale. Raises InputError on an empty list."""
    need(curves, "gliding curves")
    panels = list(dict.fromkeys(curve.panel for curve in curves))
    labels = list(dict.fromkeys(curve.label for curve in curves))
    with house_style():
        figure = blank_figure(PAGE_WIDTH_IN, 3.3)
        grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, panel in zip(grid, panels, strict=True):
            for curve in (c for c in curves if c.panel == panel):
                k = labels.index(curve.label)
                colour, style = CYCLE[k % len(CYCLE)], "--" if curve.dashed else "-"
                axes.plot(curve.curve_fractions, curve.curve_J_per_m2, style, color=colour)
                face = "white" if curve.dashed else colour
                axes.plot(
                    curve.fractions, curve.gamma_J_per_m2, _MARKERS[k % 8], color=colour,
                    markerfacecolor=face, markeredgecolor=colour, markersize=4, zorder=3,
                )  # fmt: skip
            axes.set(title=panel, xlabel="fraction of the glide path")
            axes.axhline(0, color="#999999", linewidth=0.8)
        grid[0].set_ylabel("energy per area (J/m$^2$)")
        dashed = {curve.label: curve.dashed for curve in curves}
        for k, label in enumerate(labels):
            grid[0].plot(
                [], [], "--" if dashed[label] else "-", color=CYCLE[k % len(CYCLE)], marker=_MARKERS[k % 8],
                markerfacecolor="white" if dashed[label] else CYCLE[k % len(CYCLE)], markersize=4, label=label,
            )  # fmt: skip
        _legend_right(figure, grid[0])
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure


def line_figure(curves: Sequence[LineCurve], xlabel: str, ylabel: str, title: str = "") -> Figure:
    """Lines on common axes, as a stress along the stacking direction. Raises InputError on an empty list."""
    need(curves, "curves")
    with house_style():
        figure = blank_figure(PAGE_WIDTH_IN, 3.0)
        axes = figure.subplots()
        for k, curve in enumerate(curves):
            axes.plot(curve.x, curve.y, "--" if curve.dashed else "-", color=CYCLE[k % len(CYCLE)], label=curve.label)
            for start, end, name in curve.spans:
                _span(axes, start, end, name)
        axes.set(xlabel=xlabel, ylabel=ylabel)
        axes.set_title(title, pad=20 if any(curve.spans for curve in curves) else None)
        axes.margins(x=0)
        _legend_right(figure, axes)
    return figure


def convergence_figure(runs: Sequence[Relaxation], fmax_eV_per_A: float, title: str = "") -> Figure:
    """Energy above the last value and largest force against the step, on log scales, with the force criterion.

    Raises InputError on an empty list.
    """
    need(runs, "relaxations")
    with house_style():
        figure = blank_figure(PAGE_WIDTH_IN, 3.0)
        left, right = figure.subplots(1, 2, sharex=True)
        for k, run in enumerate(runs):
            colour = CYCLE[k % len(CYCLE)]
            above = np.asarray(run.energies_eV) - np.min(run.energies_eV)
            steps = np.arange(len(above))
            shown = above > 1e-6
            left.plot(steps[shown], above[shown], color=colour, label=run.label)
            right.plot(np.arange(len(run.fmax_eV_per_A)), run.fmax_eV_per_A, color=colour)
        right.axhline(fmax_eV_per_A, color="#666666", linestyle="--", linewidth=1)
        for axes in (left, right):
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(10, numticks=7))
            axes.set_xlabel("step")
        left.set(title="energy above the lowest (eV)")
        right.set(title="largest force (eV/Å)")
        right.plot([], [], color="#666666", linestyle="--", linewidth=1, label=f"criterion {fmax_eV_per_A:g} eV/Å")
        _legend_right(figure, left, right)
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure


def bar_figure(cases: Sequence[str], groups: Sequence[BarGroup], title: str = "") -> Figure:
    """One panel of bars per quantity, one bar per case, as phase or intergrowth.

    Raises InputError on an empty list or wrong lengths.
    """
    need(cases, "cases")
    need(groups, "quantities")
    for group in groups:
        if len(group.values) != len(cases):
            raise InputError(
                f"{group.name!r} has {len(group.values)} values for {len(cases)} cases; one each is needed."
            )
    with house_style():
        figure = blank_figure(PAGE_WIDTH_IN, 0.75 + 0.32 * len(cases))
        grid = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
        for axes, group in zip(grid, groups, strict=True):
            _bars(axes, group)
        grid[0].set_yticks(range(len(cases)), cases)
        grid[0].invert_yaxis()
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure


def _bars(axes: Axes, group: BarGroup) -> None:
    """Horizontal bars with their values at the ends."""
    values = np.array(group.values)
    colours = [CYCLE[k % len(CYCLE)] for k in range(len(values))]
    axes.barh(range(len(values)), values, color=colours, height=0.62)
    for k, value in enumerate(values):
        side = 1 if value >= 0 else -1
        axes.annotate(
            f"{value:.3g}".replace("-", "\u2212"), (value, k), xytext=(4 * side, 0), textcoords="offset points",
            ha="left" if side > 0 else "right", va="center", fontsize=8.5,
        )  # fmt: skip
    axes.set_title(group.name, fontweight="normal", fontsize=9)
    axes.margins(x=0.28)
    axes.axvline(0, color="#555555", linewidth=0.8)
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", "\u2212")))
    axes.locator_params(axis="x", nbins=4)


def _span(axes: Axes, start: float, end: float, name: str) -> None:
    """A stretch of x shaded in the colour of its phase, with its name above the frame."""
    axes.axvspan(start, end, color=phase_colour(name), alpha=0.09, linewidth=0)
    axes.annotate(
        name, ((start + end) / 2, 1), xycoords=("data", "axes fraction"), xytext=(0, 3),
        textcoords="offset points", ha="center", va="bottom",
        fontsize=8.5, color=phase_colour(name), fontweight="bold",
    )  # fmt: skip


def _meV(energy_eV: float) -> str:
    return f"{energy_eV * 1e3:.0f} meV"


def _legend_right(figure: Figure, *panels: Axes) -> None:
    """Legend outside the data, to the right."""
    entries = [axes.get_legend_handles_labels() for axes in panels]
    handles, labels = ([item for entry in entries for item in entry[k]] for k in (0, 1))
    if labels:
        figure.legend(handles, labels, loc="outside right upper", labelspacing=0.9, handlelength=2.2)
