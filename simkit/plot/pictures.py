"""Pictures of layered structures, and maps of stress: atoms or fields, several structures on one colour scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from simkit.arrays import Floats
from simkit.elements import SYMBOLS
from simkit.errors import InputError
from simkit.plot.naming import folded, named_phases
from simkit.plot.orientation import STACKING, Aspect, aspects
from simkit.plot.style import (
    PAGE_WIDTH_IN,
    blank_figure,
    element_colour,
    element_radius_A,
    house_style,
    need,
    phase_colour,
)
from simkit.plot.view import (
    MARGIN_A,
    View,
    draw_atoms,
    draw_bonds,
    draw_frame,
    draw_octahedra,
    side_view,
)
from simkit.structure import Structure

_MAP_COLOURS = "viridis"
_HEIGHT_LABEL = STACKING
_ROW_LABELS_IN = 0.34
_FOOT_IN = 0.62
_LARGEST_SCALE_IN_PER_A = 0.18
_TALLEST_IN = 4.5
_KEY_IN = 0.72
"""Width of one entry of the legend, inches."""
_LETTER_IN = 0.095
"""Width of a letter of the title, inches, a little more than the mean."""


@dataclass(frozen=True, eq=False)
class StressPanel:
    """One structure of a stress map: atoms (n,) values in GPa."""

    title: str
    structure: Structure
    values_GPa: Floats


@dataclass(frozen=True, eq=False)
class FieldPanel:
    """One field of a map: values (nx, nz) in GPa at x (nx,) and z (nz,) A, as a slice or an average along y."""

    title: str
    x_A: Floats
    z_A: Floats
    values_GPa: Floats


@dataclass(frozen=True, eq=False)
class _Page:
    """Lengths on paper for rows of views on one scale: the longest fits into `most_in`, none is blown up."""

    views: Sequence[View]
    most_in: float

    @property
    def limits(self) -> tuple[float, float]:
        """Heights from the first to the last thing drawn in any row, A."""
        low, high = zip(*(view.reach for view in self.views), strict=True)
        return min(low) - MARGIN_A, max(high) + MARGIN_A

    @property
    def scale(self) -> float:
        """Inches per A."""
        wide = self.most_in / float(np.ptp(self.limits))
        tall = _TALLEST_IN / max(view.width + 2 * MARGIN_A for view in self.views)
        return min(wide, tall, _LARGEST_SCALE_IN_PER_A)

    @property
    def width_in(self) -> float:
        return float(np.ptp(self.limits)) * self.scale

    @property
    def height_in(self) -> float:
        rows = sum((view.width + 2 * MARGIN_A) * self.scale + _ROW_LABELS_IN for view in self.views)
        return float(rows + _FOOT_IN)

    @property
    def label(self) -> str:
        return _HEIGHT_LABEL if self.width_in > 3.2 else "height (Å)"


def structure_figure(
    structure: Structure,
    galleries: Sequence[tuple[float, str]] = (),
    phases: Sequence[str] | None = None,
    title: str = "",
) -> Figure:
    """Octahedra coloured by phase, atoms by element: phases side by side, galleries of a stack named.

    galleries: (height A, name) of each gallery; phases (n,): phase of each atom, from the tag "phase" when None.
    A stack is drawn with the stacking to the right, domains with their boundaries upright, other shapes as two cuts
    (`aspects`). Narrow cells are repeated across for the picture. Raises InputError for a wrong number of phases.
    """
    named = named_phases(structure, phases)
    sides = aspects(structure, named)
    views = [side_view(side.structure, tilt=side.tilt) for side in sides]
    pages = [_Page([view], 6.4) for view in views]
    keys = _keys(structure, named)
    width = max(*(page.width_in + 0.4 for page in pages), 4.4)
    rows = -(-len(keys) // max(int(width / _KEY_IN), 1))
    with house_style():
        heights = [page.height_in + (0.2 if side.note else 0.0) for side, page in zip(sides, pages, strict=True)]
        titles = folded(title, max(int(width / _LETTER_IN), 20))
        extra = 0.2 * len(titles) + 0.17 * (rows - 1) + 0.3
        figure = blank_figure(width, sum(heights) + extra)
        grid = figure.subplots(len(sides), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, side, view, page in zip(grid, sides, views, pages, strict=True):
            _drawn(axes, side, view, named)
            axes.set_xlabel(side.label if page.width_in > 3.2 else side.label.split(" ")[0] + " (Å)")
            for height, name in galleries if side.stacked else ():
                _name(axes, view.height_drawn(height), name, phase_colour(name))
            if not (galleries and side.stacked):
                _name_phases(axes, side, list(dict.fromkeys(named)))
        if titles:
            figure.suptitle("\n".join(titles), x=0.01, ha="left", fontsize=10, fontweight="bold")
        columns = -(-len(keys) // rows)
        figure.legend(handles=keys, loc="outside lower center", ncols=columns, columnspacing=1.4, handletextpad=0.5)
    return figure


def _drawn(axes: Axes, side: Aspect, view: View, phases: Sequence[str]) -> None:
    """One side of a cell whose atoms have these phases."""
    structure = side.structure
    draw_octahedra(axes, view, [phases[i] for i in side.index], list(dict.fromkeys(phases)))
    draw_bonds(axes, view)
    draw_atoms(axes, view, structure, [element_colour(int(z)) for z in structure.numbers])
    draw_frame(axes, view, side.note)


def _name_phases(axes: Axes, side: Aspect, phases: Sequence[str]) -> None:
    """A band behind each stretch of one phase, with its name above."""
    for start, end, name in side.spans:
        colour = phase_colour(name, phases.index(name))
        axes.axvspan(start, end, color=colour, alpha=0.13, linewidth=0, zorder=0)
        _name(axes, 0.5 * (start + end), name, colour)


def _name(axes: Axes, place: float, name: str, colour: str) -> None:
    """A word above the picture."""
    axes.annotate(
        name, (place, 1), xycoords=("data", "axes fraction"), xytext=(0, 2), textcoords="offset points",
        fontsize=8.5, ha="center", va="bottom", color=colour, fontweight="bold",
    )  # fmt: skip


def stress_map_figure(
    panels: Sequence[StressPanel], quantity: str = "von Mises stress (GPa)", upper_GPa: float | None = None
) -> Figure:
    """Side views with atoms coloured by stress, one below the other, all on one colour scale and one length scale.

    The scale starts at zero (or the lowest value, if negative) and ends at the highest value or at `upper_GPa`.
    Raises InputError on an empty list or values that do not match the atoms.
    """
    need(panels, "stress panels")
    for panel in panels:
        if np.shape(panel.values_GPa) != (len(panel.structure),):
            raise InputError(f"{panel.title!r}: {np.shape(panel.values_GPa)} values for {len(panel.structure)} atoms.")
    views = [side_view(panel.structure) for panel in panels]
    page = _Page(views, 5.75)
    with house_style():
        figure = blank_figure(page.width_in + 1.1, page.height_in)
        colours = ScalarMappable(_norm([panel.values_GPa for panel in panels], upper_GPa), _MAP_COLOURS)
        grid = _rows(figure, [view.width for view in views])
        for axes, panel, view in zip(grid, panels, views, strict=True):
            draw_bonds(axes, view)
            draw_atoms(axes, view, panel.structure, list(colours.to_rgba(np.asarray(panel.values_GPa))))
            draw_frame(axes, view, panel.title)
            axes.set_xlim(*page.limits)
        grid[-1].set_xlabel(page.label)
        _scale(figure, colours, grid, quantity, upper_GPa)
    return figure


def field_map_figure(
    panels: Sequence[FieldPanel], quantity: str = "von Mises stress (GPa)", upper_GPa: float | None = None
) -> Figure:
    """Coarse-grained fields one below the other, on one colour scale and one length scale.

    Raises InputError on an empty list or arrays that do not match.
    """
    need(panels, "field panels")
    for panel in panels:
        if np.shape(panel.values_GPa) != (len(panel.x_A), len(panel.z_A)):
            raise InputError(
                f"{panel.title!r}: a field of {np.shape(panel.values_GPa)} on axes of {len(panel.x_A)} "
                f"and {len(panel.z_A)}; they must agree."
            )
    longest = max(float(np.max(panel.z_A)) for panel in panels)
    widths = [float(np.ptp(panel.x_A)) for panel in panels]
    with house_style():
        inches = min(5.6 / longest, _LARGEST_SCALE_IN_PER_A)
        figure = blank_figure(PAGE_WIDTH_IN, sum(w * inches + _ROW_LABELS_IN for w in widths) + _FOOT_IN)
        norm = _norm([panel.values_GPa for panel in panels], upper_GPa)
        grid = _rows(figure, widths)
        for axes, panel in zip(grid, panels, strict=True):
            axes.pcolormesh(
                panel.z_A,
                panel.x_A,
                panel.values_GPa,
                norm=norm,
                cmap=_MAP_COLOURS,
                shading="gouraud",
                rasterized=True,
            )
            axes.set(aspect="equal", title=panel.title, ylabel="x (Å)", xlim=(0, longest))
            axes.locator_params(axis="y", nbins=3)
            axes.grid(False)
        grid[-1].set_xlabel(_HEIGHT_LABEL)
        _scale(figure, ScalarMappable(norm, _MAP_COLOURS), grid, quantity, upper_GPa)
    return figure


def _rows(figure: Figure, widths: Sequence[float]) -> np.ndarray:
    """One axes per row, each as tall as what it shows."""
    ratios = [width + 2 * MARGIN_A for width in widths]
    return figure.subplots(len(ratios), 1, squeeze=False, sharex=True, height_ratios=ratios)[:, 0]


def _norm(values: Sequence[Floats], upper: float | None) -> Normalize:
    """One scale for all panels; it starts at zero unless a value is negative."""
    lowest = min(0.0, min(float(np.min(v)) for v in values))
    highest = max(float(np.max(v)) for v in values) if upper is None else upper
    return Normalize(lowest, highest if highest > lowest else lowest + 1.0)


def _scale(figure: Figure, colours: ScalarMappable, grid: np.ndarray, quantity: str, upper: float | None) -> None:
    """The colour bar, with an arrow where values above the scale are cut."""
    extend = "neither" if upper is None else "max"
    bar = figure.colorbar(colours, ax=list(grid), shrink=0.9, pad=0.015, extend=extend, aspect=26)
    bar.set_label(quantity)
    bar.outline.set_visible(False)


def _keys(structure: Structure, phases: Sequence[str]) -> list:
    """Legend: elements as discs, phases as patches."""
    keys: list = [
        Line2D(
            [], [], linestyle="none", marker="o", markersize=10 * element_radius_A(int(z)) ** 0.7,
            markerfacecolor=element_colour(int(z)), markeredgecolor="#333333", markeredgewidth=0.4,
            label=SYMBOLS[z],
        )
        for z in np.unique(structure.numbers)
    ]  # fmt: skip
    names = [name for name in dict.fromkeys(phases) if name]
    return keys + [Patch(color=phase_colour(n, k), alpha=0.4, label=n) for k, n in enumerate(names)]
