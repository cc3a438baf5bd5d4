"""Goals, dots in rows, and lines in panels: what a scorecard shows of one or two potentials."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from simkit.errors import InputError
from simkit.plot.curves import LineCurve
from simkit.plot.naming import folded
from simkit.plot.style import CYCLE, PAGE_WIDTH_IN, blank_figure, house_style, need

OWN, OTHER, KNOWN = CYCLE[0], CYCLE[1], "#222222"
MISSED = CYCLE[1]
LONGEST = 2.5
"""Bars end at this many times the limit; longer ones are cut and say so."""
ROW_IN = 0.225
LETTERS = 34
LETTERS_BELOW = 60
"""Letters of axis labels that fit below all panels of dots together."""
MINUS = FuncFormatter(lambda value, _: f"{value:g}".replace("-", "\u2212"))


@dataclass(frozen=True)
class Goal:
    """A number held against a limit.

    words  what was reached and what is allowed
    used   part of the allowance that is used: 1 is the limit, infinite past a limit of 0; None: no number
    """

    name: str
    words: str
    used: float | None
    met: bool


@dataclass(frozen=True)
class Names:
    """What the three kinds of dots are called in the legend; other and known may not occur."""

    own: str
    other: str = "other"
    known: str = "measured"


@dataclass(frozen=True)
class Dot:
    """The numbers of one row in one column; span: lowest and highest around `own`, drawn as a line."""

    own: float | None = None
    other: float | None = None
    known: float | None = None
    span: tuple[float, float] | None = None


@dataclass(frozen=True)
class DotRow:
    """A row: its group (a heading above the first of them; "" for none), its label, a dot for each column."""

    group: str
    label: str
    dots: tuple[Dot, ...]


@dataclass(frozen=True)
class DotColumn:
    """A quantity with its unit; zero: the axis shows 0; allowed: the stretch within the goal, shaded."""

    name: str
    zero: bool = False
    allowed: tuple[float, float] | None = None


def goal_figure(goals: Sequence[Goal], title: str = "") -> Figure:
    """One bar for each goal, in parts of its limit, with met or missed in words. Raises InputError without goals."""
    need(goals, "goals")
    with house_style():
        labels = ["\n".join(folded(goal.name, LETTERS)) for goal in goals]
        lines = sum(label.count("\n") for label in labels)
        figure = blank_figure(PAGE_WIDTH_IN, 1.0 + 0.29 * len(goals) + 0.1 * lines)
        axes = figure.subplots()
        for k, goal in enumerate(goals):
            _bar(axes, k, goal)
        axes.axvline(1.0, color="#222222", linewidth=1.2)
        axes.set(xlim=(0.0, LONGEST), ylim=(len(goals) - 0.4, -0.6))
        axes.set_xlabel("part of the limit\nthat is used (up to 1: met)")
        axes.set_yticks(range(len(goals)), labels)
        right = axes.secondary_yaxis("right")
        right.set_yticks(range(len(goals)), [f"{'met' if g.met else 'MISSED'}: {g.words}" for g in goals])
        for goal, tick in zip(goals, right.get_yticklabels(), strict=True):
            tick.set(fontweight="normal" if goal.met else "bold")
        for side in (axes, right):
            side.tick_params(axis="y", length=0)
        right.spines["right"].set_visible(False)
        axes.grid(False, axis="y")
        _headed(figure, title)
    return figure


def _bar(axes: Axes, height: int, goal: Goal) -> None:
    """A bar; hatched where the goal is missed, with an arrow where it is cut."""
    if goal.used is None:
        axes.annotate("not computed", (0.03, height), va="center", fontsize=8.5, color="#666666")
        return
    look = {"color": OWN, "linewidth": 1.5} if goal.met else {"color": "white", "edgecolor": MISSED, "hatch": "/////"}
    axes.barh(height, min(goal.used, LONGEST), height=0.55, **look)
    if goal.used > LONGEST:
        words = f"{goal.used:.3g} times" if math.isfinite(goal.used) else "none allowed"
        axes.annotate(
            f"{words} \u25b6", (LONGEST, height), xytext=(-4, 0), textcoords="offset points", ha="right",
            va="center", fontsize=8, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.2},
        )  # fmt: skip


def dot_figure(rows: Sequence[DotRow], columns: Sequence[DotColumn], names: Names, title: str = "") -> Figure:
    """Dots in rows, one panel for each quantity; the two potentials are joined by a line.

    Raises InputError on an empty list, or where a row has not one dot for each column.
    """
    need(rows, "rows")
    need(columns, "columns")
    for row in rows:
        if len(row.dots) != len(columns):
            raise InputError(f"{row.label!r} has {len(row.dots)} dots for {len(columns)} columns; one each is needed.")
    heights, ticks = _heights(rows)
    with house_style():
        figure = blank_figure(PAGE_WIDTH_IN, 1.25 + ROW_IN * max(3, max(heights) + 1))
        grid = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
        for k, (axes, column) in enumerate(zip(grid, columns, strict=True)):
            points = [(height, row.dots[k]) for height, row in zip(heights, rows, strict=True)]
            _column(axes, column, points, LETTERS_BELOW // len(columns))
        grid[0].set_yticks(list(ticks), list(ticks.values()))
        grid[0].set_ylim(max(heights) + 0.7, -0.7)
        for height, tick in zip(ticks, grid[0].get_yticklabels(), strict=True):
            tick.set(fontweight="normal" if height in heights else "bold")
        shown = [dot for row in rows for dot in row.dots]
        allowed = any(column.allowed for column in columns)
        figure.legend(handles=_legend(shown, names, allowed), loc="outside lower left", ncols=4, handletextpad=0.4)
        _headed(figure, title)
    return figure


def _heights(rows: Sequence[DotRow]) -> tuple[list[int], dict[int, str]]:
    """Height of each row from above, and what is written at each height: groups have a line of their own."""
    heights: list[int] = []
    ticks: dict[int, str] = {}
    group = ""
    for row in rows:
        if row.group and row.group != group:
            ticks[len(ticks)] = row.group
        group = row.group
        heights.append(len(ticks))
        ticks[len(ticks)] = row.label
    return heights, ticks


def _column(axes: Axes, column: DotColumn, dots: Sequence[tuple[int, Dot]], letters: int) -> None:
    """One panel; letters: the most that fit below it."""
    if column.allowed is not None:
        axes.axvspan(*column.allowed, color="#009E73", alpha=0.13, linewidth=0)
    if column.zero:
        axes.axvline(0.0, color="#555555", linewidth=0.9)
    for height, dot in dots:
        if dot.span is not None:
            axes.plot(dot.span, [height, height], color=OWN, linewidth=3.5, alpha=0.3, solid_capstyle="butt")
        if dot.own is not None and dot.other is not None:
            axes.plot([dot.own, dot.other], [height, height], color="#8C8C8C", linewidth=1.2)
        for value, look in ((dot.known, _KNOWN), (dot.other, _OTHER), (dot.own, _OWN)):
            if value is not None:
                axes.plot([value], [height], **look)
    axes.set_xlabel("\n".join(folded(column.name, letters)))
    axes.margins(x=0.1)
    axes.locator_params(axis="x", nbins=4)
    axes.xaxis.set_major_formatter(MINUS)
    axes.tick_params(axis="y", length=0)


_OWN = {"marker": "o", "color": OWN, "markersize": 4.6, "linestyle": "none", "zorder": 5}
_OTHER = {
    "marker": "s", "color": OTHER, "markersize": 7.5, "markerfacecolor": "none", "markeredgewidth": 1.4,
    "linestyle": "none", "zorder": 4,
}  # fmt: skip
_KNOWN = {"marker": "D", "color": KNOWN, "markersize": 4.2, "linestyle": "none", "zorder": 3}


def _legend(dots: Sequence[Dot], names: Names, allowed: bool) -> list[Line2D | Patch]:
    """What occurs in the figure."""
    entries: list[Line2D | Patch] = []
    for kind, look in (("own", _OWN), ("other", _OTHER), ("known", _KNOWN)):
        if any(getattr(dot, kind) is not None for dot in dots):
            entries.append(Line2D([], [], label=getattr(names, kind), **look))
    if any(dot.span is not None for dot in dots):
        entries.append(Line2D([], [], color=OWN, alpha=0.3, linewidth=3.5, label="lowest to highest"))
    if allowed:
        entries.append(Patch(color="#009E73", alpha=0.13, label="within the goal"))
    return entries


def panel_figure(panels: Mapping[str, Sequence[LineCurve]], xlabel: str, ylabel: str, title: str = "") -> Figure:
    """Marked lines, one panel for each name, on one scale; a dashed line has hollow squares.

    The same label has the same look in every panel. Raises InputError on an empty mapping.
    """
    need(panels, "panels")
    with house_style():
        figure = blank_figure(PAGE_WIDTH_IN, 3.1)
        grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        entries: dict[str, Line2D] = {}
        for axes, (name, curves) in zip(grid, panels.items(), strict=True):
            for curve in curves:
                (line,) = axes.plot(curve.x, curve.y, **_line(curve.dashed))
                entries.setdefault(curve.label, line)
            axes.set_title(name, fontweight="normal")
            axes.set_xlabel(xlabel)
            axes.margins(x=0.06, y=0.1)
        grid[0].set_ylabel(ylabel)
        figure.legend(list(entries.values()), list(entries), loc="outside lower left", ncols=3)
        _headed(figure, title)
    return figure


def _line(dashed: bool) -> dict[str, object]:
    if dashed:
        return {"linestyle": "--", "linewidth": 1.4} | {k: v for k, v in _OTHER.items() if k != "linestyle"}
    return {"linestyle": "-"} | {k: v for k, v in _OWN.items() if k != "linestyle"}


def _headed(figure: Figure, title: str) -> None:
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=9.5, fontweight="bold")
