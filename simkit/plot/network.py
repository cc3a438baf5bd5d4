"""The network of hops drawn in the cell: from the side, and looking down on its galleries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from simkit.arrays import Floats, Integers
from simkit.errors import InputError
from simkit.plot.style import PAGE_WIDTH_IN, blank_figure, house_style, phase_colour
from simkit.plot.view import ALKALI, ANIONS
from simkit.structure import Structure

_COLOURS = "viridis_r"
_MOST_PANELS = 6
_LEAST_RANGE_EV = 0.05
"""A scale of colours spans at least this, so that alike hops look alike, eV."""


@dataclass(frozen=True, eq=False)
class NetworkPicture:
    """Sites and hops of one cell.

    positions (n, 3) A; phases, groups (n,): phase and gallery of each site; ends (m, 2); steps (m, 3) A from the first
    to the second site; barriers_eV (m,); decides (m,) marks the hops that decide whether ions get through
    """

    structure: Structure
    positions: Floats
    phases: Sequence[str]
    groups: Integers
    ends: Integers
    steps: Floats
    barriers_eV: Floats
    decides: np.ndarray


def network_figure(picture: NetworkPicture, title: str = "") -> Figure:
    """The cell from the side and its galleries from above, hops coloured by their barrier, deciding ones in red.

    At most six galleries are shown, one in turn of each phase. Raises InputError where there is no hop.
    """
    if not len(picture.ends):
        raise InputError("there are no hops to draw; give a network with at least one.")
    panels = _panels(picture)
    across = min(3, len(panels))
    rows = -(-len(panels) // across)
    low, high = float(picture.barriers_eV.min()), float(picture.barriers_eV.max())
    spare = max(0.5 * (_LEAST_RANGE_EV - (high - low)), 0.0)
    levels = Normalize(low - spare, high + spare)
    with house_style():
        figure = blank_figure(PAGE_WIDTH_IN + 0.6, 1.9 + 2.3 * rows)
        outer = figure.add_gridspec(2, 2, height_ratios=[1.5, 2.3 * rows], width_ratios=[40, 1])
        grid = outer[1, 0].subgridspec(rows, across)
        side = figure.add_subplot(outer[0, 0])
        _draw(side, picture, _side(picture), np.ones(len(picture.ends), dtype=bool), levels)
        side.set(xlabel="height along the stacking (Å)", yticks=[], title=title, anchor="W")
        places = [figure.add_subplot(grid[k // across, k % across]) for k in range(len(panels))]
        for axes, group in zip(places, panels, strict=True):
            _from_above(axes, picture, group, levels)
        bar = figure.colorbar(ScalarMappable(levels, _COLOURS), cax=figure.add_subplot(outer[:, 1]))
        bar.set_label("barrier, harder direction (eV)")
    return figure


def _from_above(axes: Axes, picture: NetworkPicture, group: int, levels: Normalize) -> None:
    """One gallery, or whatever belongs to none, seen along the third direction."""
    inside = (picture.groups[picture.ends] == group).any(axis=1)
    _draw(axes, picture, np.eye(3)[:2], inside, levels)
    name = picture.phases[int(np.flatnonzero(picture.groups == group)[0])]
    axes.set(xticks=[], yticks=[], anchor="NW")
    words = f"{name} gallery {group}".strip() if group >= 0 else (name or "from above")
    axes.set_title(words, color=phase_colour(name, 7), fontsize=8.5)


def _panels(picture: NetworkPicture) -> list[int]:
    """Galleries to show: one in turn of each phase, then in order."""
    first = {int(g): picture.phases[int(np.flatnonzero(picture.groups == g)[0])] for g in np.unique(picture.groups)}
    taken: dict[str, int] = {}
    ranked = []
    for group, phase in first.items():
        taken[phase] = taken.get(phase, 0) + 1
        ranked.append((taken[phase], group))
    return sorted(group for _, group in sorted(ranked)[:_MOST_PANELS])


def _side(picture: NetworkPicture) -> Floats:
    """(2, 3) rows that take a place to (height, first cell vector made square to it)."""
    cell = picture.structure.cell
    normal = np.cross(cell[0], cell[1])
    normal = normal / np.linalg.norm(normal)
    return np.array([normal, cell[0] / np.linalg.norm(cell[0])])


def _draw(axes: Axes, picture: NetworkPicture, view: Floats, shown: np.ndarray, levels: Normalize) -> None:
    """Atoms faint, sites in the colour of their phase, hops over them; hops out of the cell are drawn whole."""
    cell = picture.structure.cell
    used = np.unique(picture.ends[shown])
    sites = _home(picture.positions, cell)
    start = sites[picture.ends[shown, 0]]
    lines = np.stack([start, start + picture.steps[shown]], axis=1) @ view.T
    _atoms(axes, picture.structure, view)
    colours = ScalarMappable(levels, _COLOURS).to_rgba(picture.barriers_eV[shown])
    axes.add_collection(LineCollection(list(lines), colors=colours, linewidths=1.6, zorder=3))
    deciding = picture.decides[shown]
    if deciding.any():
        axes.add_collection(LineCollection(list(lines[deciding]), colors="#D00000", linewidths=3.0, zorder=4))
    names = list(dict.fromkeys(picture.phases))
    for phase in names:
        mine = [k for k in used if picture.phases[k] == phase]
        place = sites[mine] @ view.T
        axes.plot(place[:, 0], place[:, 1], "o", color=phase_colour(phase, names.index(phase)), markersize=5, zorder=5)
    corners = np.array([[0, 0, 0], cell[0], cell[0] + cell[1], cell[1]])
    if abs(view[0] @ cell[0]) < 1e-6 * np.linalg.norm(cell[0]):
        corners = np.array([[0, 0, 0], cell[0], cell[0] + cell[2], cell[2]])
    frame = Polygon(corners @ view.T, fill=False, edgecolor="#444444", linewidth=0.9, linestyle=(0, (4, 3)), zorder=2)
    axes.add_patch(frame)
    axes.set_aspect("equal")
    axes.autoscale_view()
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _atoms(axes: Axes, structure: Structure, view: Floats) -> None:
    """Host metals as faint dots, so that the network is seen where it lies."""
    metal = ~np.isin(structure.numbers, (*ANIONS, *ALKALI))
    place = _home(structure.positions[metal], structure.cell) @ view.T
    axes.plot(place[:, 0], place[:, 1], "o", color="#C9C9C9", markersize=3, zorder=1)


def _home(positions: Floats, cell: Floats) -> Floats:
    """Places within the cell."""
    fractional = positions @ np.linalg.inv(cell)
    return (fractional - np.floor(fractional + 1e-6)) @ cell
