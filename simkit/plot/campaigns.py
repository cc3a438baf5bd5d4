"""How quantities vary over the studies of a campaign: one small panel for each quantity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simkit.plot.style import CYCLE, PAGE_WIDTH_IN, blank_figure, house_style, need

COLUMNS = 2
PANEL_HEIGHT_IN = 2.5
_MARKERS = "osD^vPX*"


@dataclass(frozen=True)
class Series:
    """Points of one kind: label, x and y of the same length; marked are indices of outliers."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    marked: tuple[int, ...] = ()


@dataclass(frozen=True)
class Panel:
    """A quantity with its unit over a varied key."""

    title: str
    x_name: str
    y_name: str
    series: tuple[Series, ...]


def campaign_figure(panels: Sequence[Panel]) -> Figure:
    """One panel per quantity, two side by side; outliers are ringed. Raises InputError on an empty list."""
    need(panels, "panels")
    rows = -(-len(panels) // COLUMNS)
    with house_style():
        figure = blank_figure(PAGE_WIDTH_IN, PANEL_HEIGHT_IN * rows)
        places = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
        for axes, panel in zip(places, panels, strict=False):
            _draw(axes, panel)
        for axes in places[len(panels) :]:
            axes.set_axis_off()
    return figure


def _draw(axes: Axes, panel: Panel) -> None:
    for k, one in enumerate(panel.series):
        colour = CYCLE[k % len(CYCLE)]
        axes.plot(one.x, one.y, _MARKERS[k % len(_MARKERS)], ms=4.5, color=colour, alpha=0.75, label=one.label)
        for j in one.marked:
            axes.plot(one.x[j], one.y[j], "o", ms=10, mfc="none", mec="#B00020", mew=1.2)
    axes.set_title(panel.title)
    axes.set_xlabel(panel.x_name)
    axes.set_ylabel(panel.y_name)
    values = sorted({x for one in panel.series for x in one.x})
    if len(values) <= 6:
        axes.set_xticks(values)
    axes.margins(0.12)
    if len(panel.series) > 1:
        axes.legend(fontsize=7, loc="best")
