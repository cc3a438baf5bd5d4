"""Barriers of many hops: against the height in the cell, as profiles, as histograms, and what diffuses over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from simkit.arrays import Floats
from simkit.plot.curves import BarrierCurve
from simkit.plot.style import CYCLE, PAGE_WIDTH_IN, blank_figure, house_style, need, phase_colour

_SHAPES = {"vacancy": "o", "interstitial": "s", "divacancy": "^", "metal": "D"}
_OTHER_SHAPE = "P"
_BIN_EV = 0.025
_MOST_BINS = 40


@dataclass(frozen=True)
class HopDot:
    """One hop: phase, mechanism, height of its saddle (A), barrier (eV), how many hops it stands for.

    converged: hollow where it is False; panel: one panel for each, as the cells of a study
    """

    phase: str
    mechanism: str
    height_A: float
    barrier_eV: float
    multiplicity: int = 1
    converged: bool = True
    panel: str = ""


@dataclass(frozen=True, eq=False)
class KineticCurve:
    """Diffusion against temperature: points with errors (None: exact, drawn as a line)."""

    label: str
    temperatures_K: Floats
    values_cm2_per_s: Floats
    errors_cm2_per_s: Floats | None = None


def height_figure(
    dots: Sequence[HopDot],
    spans: Sequence[tuple[float, float, str]] = (),
    planes_A: Sequence[float] = (),
    title: str = "",
) -> Figure:
    """Barrier against height through the cell, coloured by phase, shaped by mechanism; not converged ones hollow.

    spans (start, end, phase) are shaded and named; planes_A are the metal planes that two phases share.
    Raises InputError on an empty list.
    """
    need(dots, "hops")
    phases, mechanisms = _words(dots)
    with house_style():
        figure = blank_figure(PAGE_WIDTH_IN, 3.3)
        axes = figure.subplots()
        for start, end, name in spans:
            axes.axvspan(start, end, color=phase_colour(name, _place(phases, name)), alpha=0.09, linewidth=0)
            axes.annotate(
                name, ((start + end) / 2, 1), xycoords=("data", "axes fraction"), xytext=(0, 3),
                textcoords="offset points", ha="center", va="bottom", fontsize=8.5, fontweight="bold",
                color=phase_colour(name, _place(phases, name)),
            )  # fmt: skip
        for plane in planes_A:
            axes.axvline(plane, color="#777777", linewidth=1.0, linestyle=(0, (4, 3)))
        for dot in dots:
            colour = phase_colour(dot.phase, _place(phases, dot.phase))
            axes.plot(
                dot.height_A, dot.barrier_eV, _SHAPES.get(dot.mechanism, _OTHER_SHAPE), color=colour, markersize=6,
                markerfacecolor=colour if dot.converged else "none", alpha=0.8, markeredgecolor=colour,
            )  # fmt: skip
        axes.set_title(title, pad=20 if spans else None)
        axes.set(xlabel="height of the saddle along the stacking (Å)", ylabel="barrier, harder direction (eV)")
        axes.set_ylim(0.0, 1.12 * max(dot.barrier_eV for dot in dots) + 0.02)
        _keys(figure, phases, mechanisms, any(not dot.converged for dot in dots), bool(len(planes_A)))
    return figure


def barrier_histogram(dots: Sequence[HopDot], title: str = "") -> Figure:
    """How many hops have which barrier, each as often as it occurs; a panel for each phase, one scale.

    Hops that did not converge are left out. Raises InputError where none is left.
    """
    good = [dot for dot in dots if dot.converged]
    need(good, "converged hops")
    groups = list(dict.fromkeys((dot.panel, dot.phase) for dot in good))
    mechanisms = list(dict.fromkeys(dot.mechanism for dot in good))
    top = max(dot.barrier_eV for dot in good)
    edges = np.linspace(0.0, max(top, _BIN_EV) * 1.0001, int(np.clip(np.ceil(top / _BIN_EV), 4, _MOST_BINS)) + 1)
    phases = list(dict.fromkeys(dot.phase for dot in good))
    with house_style():
        figure = blank_figure(PAGE_WIDTH_IN, 0.9 + 1.15 * len(groups))
        grid = figure.subplots(len(groups), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (panel, phase) in zip(grid, groups, strict=True):
            mine = [dot for dot in good if (dot.panel, dot.phase) == (panel, phase)]
            colour = phase_colour(phase, _place(phases, phase))
            parts = [[d for d in mine if d.mechanism == m] for m in mechanisms]
            axes.hist(
                [[d.barrier_eV for d in part] for part in parts], edges,
                weights=[[d.multiplicity for d in part] for part in parts], stacked=True, edgecolor="white",
                linewidth=0.5, color=[_shaded(colour, k, len(mechanisms)) for k in range(len(mechanisms))],
                label=mechanisms,
            )  # fmt: skip
            axes.set_title(
                " ".join(word for word in (phase, f"in {panel}" if panel and panel != phase else "") if word)
            )
            axes.set_ylabel("hops")
            axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
            if len(mechanisms) > 1:
                axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        grid[-1].set_xlabel("barrier, harder direction (eV)")
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure


def profiles_figure(panels: Sequence[tuple[str, Sequence[BarrierCurve]]], title: str = "") -> Figure:
    """Energy along many hops, a panel for each kind of place, one scale; dotted where not converged.

    Raises InputError where there is nothing to draw.
    """
    need(panels, "panels")
    need([curve for _, curves in panels for curve in curves], "barrier curves")
    across = min(3, len(panels))
    rows = -(-len(panels) // across)
    with house_style():
        figure = blank_figure(PAGE_WIDTH_IN, 0.5 + 2.2 * rows)
        grid = figure.subplots(rows, across, sharey=True, squeeze=False).ravel()
        for k, (axes, (name, curves)) in enumerate(zip(grid, panels, strict=False)):
            for curve in curves:
                style = "-" if curve.converged else ":"
                axes.plot(curve.curve_distances_A, curve.curve_energies_eV, style, color=CYCLE[k % len(CYCLE)], lw=1.1)
                axes.plot(curve.distances_A, curve.energies_eV, ".", color=CYCLE[k % len(CYCLE)], markersize=3)
            axes.axhline(0, color="#999999", linewidth=0.8)
            axes.set_title(f"{name} ({len(curves)})", fontsize=8)
            axes.set_xlabel("path length (Å)")
            if k % across == 0:
                axes.set_ylabel("energy (eV)")
        for axes in grid[len(panels) :]:
            axes.set_visible(False)
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure


def kinetic_figure(curves: Sequence[KineticCurve], title: str = "") -> Figure:
    """Diffusion coefficients on a log scale against 1000/T; sampled ones with two standard errors, exact ones as lines.

    Values that do not stand two errors above zero are left out. Raises InputError where none is left.
    """
    shown = [curve for curve in curves if (np.asarray(curve.values_cm2_per_s) > 0).any()]
    need(shown, "diffusion coefficients above zero")
    with house_style():
        figure = blank_figure(PAGE_WIDTH_IN, 3.3)
        axes = figure.subplots()
        for k, curve in enumerate(shown):
            values = np.asarray(curve.values_cm2_per_s)
            error = np.zeros(len(values)) if curve.errors_cm2_per_s is None else np.asarray(curve.errors_cm2_per_s)
            keep = values > 2 * error
            x, y, error = 1000.0 / np.asarray(curve.temperatures_K)[keep], values[keep], error[keep]
            colour = CYCLE[k % len(CYCLE)]
            if curve.errors_cm2_per_s is None:
                axes.plot(x, y, "-", color=colour, label=curve.label, linewidth=1.4)
            else:
                axes.errorbar(x, y, 2 * error, fmt="o", color=colour, label=curve.label, capsize=2, markersize=4)
        axes.set_yscale("log")
        axes.set(xlabel="1000 / T (1/K)", ylabel="D (cm$^2$/s)", title=title)
        figure.legend(loc="outside right upper", labelspacing=0.7)
    return figure


def _words(dots: Sequence[HopDot]) -> tuple[list[str], list[str]]:
    return list(dict.fromkeys(d.phase for d in dots)), list(dict.fromkeys(d.mechanism for d in dots))


def _place(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else len(names)


def _shaded(colour: str, k: int, count: int) -> tuple[float, float, float]:
    """A colour mixed with white: the first of several is full."""
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    white = 0.65 * k / max(count - 1, 1)
    return tuple(map(float, rgb * (1 - white) + white))


def _keys(figure: Figure, phases: Sequence[str], mechanisms: Sequence[str], hollow: bool, planes: bool) -> None:
    """Legend of colours and shapes, to the right."""
    marks = [
        Line2D([], [], marker="o", linestyle="", color=phase_colour(p, k), label=p or "hop")
        for k, p in enumerate(phases)
    ]
    shapes = [
        Line2D([], [], marker=_SHAPES.get(m, _OTHER_SHAPE), linestyle="", color="#555555", label=m) for m in mechanisms
    ]
    marks += shapes if len(shapes) > 1 else []
    if hollow:
        label = "not converged"
        marks.append(Line2D([], [], marker="o", linestyle="", color="#555555", markerfacecolor="none", label=label))
    if planes:
        marks.append(Line2D([], [], color="#777777", linewidth=1.0, linestyle=(0, (4, 3)), label="shared slab"))
    figure.legend(handles=marks, loc="outside right upper", labelspacing=0.7)
