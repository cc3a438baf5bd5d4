"""How a potential was learnt and how it answers: courses of a training, predictions against labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from simkit.arrays import Floats
from simkit.plot.style import CYCLE, PAGE_WIDTH_IN, blank_figure, house_style, need

_MARKERS = "os^D"
CELLS = 70
"""Hexagons along a parity plot."""


@dataclass(frozen=True, eq=False)
class Scatter:
    """A named set of labels (m,) and what is predicted (m,); note: its error in words, with unit."""

    name: str
    label: Floats
    predicted: Floats
    note: str


@dataclass(frozen=True, eq=False)
class Course:
    """One quantity against the epoch: name with its unit, epochs (m,), values (m,) above zero."""

    name: str
    epochs: Floats
    values: Floats


def parity_figure(forces: Sequence[Scatter], energies: Sequence[Scatter], title: str = "") -> Figure:
    """Components of forces (eV/A), one panel of densities for each set; then what is left of energies per atom.

    energies: label in eV/atom, predicted minus label in meV/atom. At most two sets of each fit on a page.
    Raises InputError on empty lists.
    """
    need(forces, "forces")
    need(energies, "energies")
    with house_style():
        figure = blank_figure(PAGE_WIDTH_IN, 6.6)
        names = [f"forces {k}" for k in range(len(forces))]
        mosaic = figure.subplot_mosaic([names, ["energies"] * len(names)], height_ratios=[2.0, 1.0])
        grid = [mosaic[name] for name in (*names, "energies")]
        for k, (axes, item) in enumerate(zip(grid, forces, strict=False)):
            _density(axes, item, CYCLE[k % len(CYCLE)])
        grid[0].set_ylabel("predicted (eV/Å)")
        _residuals(grid[-1], energies)
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=9.5, fontweight="bold")
    return figure


def _density(axes: Axes, item: Scatter, colour: str) -> None:
    """Hexagons shaded by how many components they hold, on a log scale from one."""
    bound = 1.05 * max(float(np.abs(part).max()) for part in (item.label, item.predicted))
    shades = LinearSegmentedColormap.from_list("shades", ["#D5DCE3", colour, "#101010"])
    patches = axes.hexbin(
        item.label, item.predicted, gridsize=CELLS, extent=(-bound, bound, -bound, bound), mincnt=1, cmap=shades,
        norm=LogNorm(vmin=1), linewidths=0.1, rasterized=True,
    )  # fmt: skip
    axes.plot([-bound, bound], [-bound, bound], color="#222222", linewidth=0.8)
    axes.set(xlim=(-bound, bound), ylim=(-bound, bound), aspect="equal")
    axes.set_title(f"force components,\n{item.name}", fontweight="normal", fontsize=9)
    axes.set_xlabel("label (eV/Å)")
    _note(axes, item.note)
    bar = axes.figure.colorbar(patches, ax=axes, location="bottom", aspect=22, pad=0.04)
    bar.set_label("components per hexagon", fontsize=8)
    bar.ax.tick_params(labelsize=8)


def _residuals(axes: Axes, energies: Sequence[Scatter]) -> None:
    """Predicted minus label of every structure."""
    for k, item in enumerate(energies):
        axes.plot(
            item.label, item.predicted, _MARKERS[k % 4], color=CYCLE[k % len(CYCLE)], markersize=3.5, alpha=0.75,
            markeredgewidth=0, label=f"{item.name}: {item.note}",
        )  # fmt: skip
    axes.axhline(0.0, color="#222222", linewidth=0.8)
    axes.set_title("energy of each structure", fontweight="normal", fontsize=9)
    axes.set_xlabel("label (eV/atom)")
    axes.set_ylabel("error (meV/atom)")
    axes.margins(y=0.08)
    axes.locator_params(axis="x", nbins=4)
    axes.figure.legend(loc="outside lower left", ncols=2, handletextpad=0.1)


def learning_figure(courses: Sequence[Course], best: int, resumed_at: Sequence[int] = (), title: str = "") -> Figure:
    """Each quantity against the epoch on a log scale, two panels in a row; the best epoch is marked.

    resumed_at: epochs at which an interrupted training was taken up, as dotted lines. Raises InputError without
    courses.
    """
    need(courses, "courses of a training")
    with house_style():
        rows = (len(courses) + 1) // 2
        figure = blank_figure(PAGE_WIDTH_IN, 0.6 + 1.75 * rows)
        grid = figure.subplots(rows, 2, squeeze=False, sharex=True).ravel()
        for axes in grid[len(courses) :]:
            axes.remove()
        for axes, course in zip(grid, courses, strict=False):
            _course(axes, course, best, resumed_at)
        for axes in grid[max(0, len(courses) - 2) : len(courses)]:
            axes.set_xlabel("epoch")
            axes.tick_params(labelbottom=True)
        handles = {label: handle for handle, label in zip(*grid[0].get_legend_handles_labels(), strict=True)}
        figure.legend(list(handles.values()), list(handles), loc="outside lower left", ncols=3)
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=9.5, fontweight="bold")
    return figure


def _course(axes: Axes, course: Course, best: int, resumed_at: Sequence[int]) -> None:
    axes.plot(course.epochs, course.values, "o-", color=CYCLE[0], markersize=3, linewidth=1.5)
    axes.axvline(best, color=CYCLE[1], linestyle="--", linewidth=1.2, label=f"best: epoch {best}")
    for epoch in resumed_at:
        axes.axvline(epoch, color="#777777", linestyle=":", linewidth=1.2, label="taken up after a stop")
    axes.set_yscale("log")
    narrow = np.max(course.values) < 10 * np.min(course.values)
    axes.yaxis.set_major_locator(MaxNLocator(5) if narrow else LogLocator(10, subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_title(course.name, fontweight="normal", fontsize=9)


def _note(axes: Axes, words: str) -> None:
    """Words in the corner that a parity plot leaves empty."""
    axes.annotate(
        words, (0.04, 0.96), xycoords="axes fraction", ha="left", va="top", fontsize=8.5,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5},
    )  # fmt: skip
