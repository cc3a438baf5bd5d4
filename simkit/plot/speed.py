"""How the cost of a potential grows with the size of a structure and of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from simkit.arrays import Floats
from simkit.plot.style import CYCLE, PAGE_WIDTH_IN, blank_figure, house_style, need


@dataclass(frozen=True, eq=False)
class Scaling:
    """A series: label, what grows (m,), us per atom and evaluation (m,), and of the neighbour list (m,)."""

    label: str
    grows: Floats
    us_per_atom: Floats
    list_us_per_atom: Floats


def speed_figure(
    sizes: Sequence[Scaling], batches: Sequence[Scaling], workload: Sequence[Scaling], title: str = ""
) -> Figure:
    """Time per atom and step against atoms, against structures in a batch, and the cost of the whole batch.

    workload: `grows` is the number of atoms in the batch, `us_per_atom` the ms of one step.
    Raises InputError on an empty list.
    """
    need(sizes, "sizes")
    need(batches, "batches")
    with house_style():
        figure = blank_figure(PAGE_WIDTH_IN, 2.6)
        panels = figure.subplots(1, 3)
        words = (
            ("atoms in one structure", "µs per atom and step"),
            ("structures in a batch", "µs per atom and step"),
            ("atoms in a batch", "ms per step"),
        )
        for axes, series, (x, y) in zip(panels, (sizes, batches, workload), words, strict=True):
            for k, one in enumerate(series):
                axes.loglog(one.grows, one.us_per_atom, "o-", color=CYCLE[k % len(CYCLE)], label=one.label)
                axes.loglog(one.grows, one.list_us_per_atom, "s--", color=CYCLE[k % len(CYCLE)], mfc="white")
            axes.set(xlabel=x, ylabel=y)
            _plain_numbers(axes, np.unique(np.concatenate([one.grows for one in series])))
        panels[0].plot([], [], "s--", color=CYCLE[-1], mfc="white", label="neighbour list alone")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
        figure.suptitle(title)
    return figure


def _plain_numbers(axes: Axes, grows: Floats) -> None:
    """Ticks at values that were timed, so far apart that their labels are, and no powers of ten in the labels."""
    shown = [grows[-1]]
    for value in grows[-2::-1]:
        if np.log(shown[-1] / value) >= 0.24 * np.log(grows[-1] / grows[0]):
            shown.append(value)
    axes.xaxis.set_major_locator(FixedLocator(shown))
    axes.yaxis.set_major_locator(LogLocator(10.0, (1.0, 2.0, 5.0)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
