"""A layered structure laid on paper: the stacking runs to the right, the first cell vector up, the second away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.patches import Circle, Polygon
from scipy.spatial import ConvexHull, cKDTree

from simkit.arrays import Floats
from simkit.plot.style import element_radius_A, phase_colour
from simkit.structure import Structure

ANIONS = (7, 8, 9, 16, 17)
ALKALI = (3, 11, 19)
MARGIN_A = 1.1
_BOND_A = 2.6
_EDGE_A = 0.3
_SAME_PLACE_A = 0.7


@dataclass(frozen=True, eq=False)
class View:
    """Atoms as drawn, back ones first.

    index (m,) into the structure; points (m, 3) A as (depth, x, z); box (4, 2) A corners of the cell as (z, x);
    pairs (k, 2) bonds between drawn metals and anions.
    """

    index: np.ndarray
    points: Floats
    box: Floats
    pairs: np.ndarray

    @property
    def paper(self) -> Floats:
        """(m, 2) A: z to the right, x up."""
        return self.points[:, [2, 1]]

    @property
    def reach(self) -> tuple[float, float]:
        """Lowest and highest height drawn, A."""
        heights = np.concatenate([self.paper, self.box])[:, 0]
        return float(heights.min()), float(heights.max())

    def height_drawn(self, height_A: float) -> float:
        """Where a height, any number of cells away, is drawn."""
        return (height_A + _EDGE_A) % self.length - _EDGE_A

    @property
    def length(self) -> float:
        """Extent of the cell along the stacking, A."""
        return float(np.ptp(self.box[:, 0]))

    @property
    def width(self) -> float:
        """Extent across of all that is drawn, A."""
        return float(np.ptp(np.concatenate([self.paper, self.box])[:, 1]))


def side_view(structure: Structure, least_width_A: float = 8.5, tilt: float = 0.0) -> View:
    """The cell seen along its second vector, repeated along the first until wide enough.

    tilt  how far the view goes across per depth, for rows that are no cell vector; heights hold at half the depth

    Atoms on a side face are drawn on both sides, and every metal with all its anions, so that the slabs close.
    """
    cell = structure.cell
    copies = max(1, int(np.ceil(least_width_A / np.linalg.norm(cell[0]))))
    edge = _EDGE_A / np.linalg.norm(cell, axis=1)
    fractional = (structure.fractional + edge) % 1.0 - edge
    moves = np.stack(np.meshgrid(range(-1, copies + 2), [-1, 0, 1], [-1, 0, 1], indexing="ij"), -1).reshape(-1, 3)
    images = (fractional[None] + moves[:, None]).reshape(-1, 3)
    index = np.tile(np.arange(len(structure)), len(moves))
    closed = np.array([copies + edge[0], 1.0 - edge[1], 1.0 - edge[2]])
    shown = np.all((images >= -edge) & (images <= closed), axis=1)
    positions = images @ cell
    shown, pairs = _with_anions(structure.numbers[index], positions, shown)
    shown = _without_strays(index, pairs, shown)
    lean = cell[1, 0] / cell[1, 1] if cell[1, 1] else 0.0
    across = positions[:, 2] - tilt * (positions[:, 1] - 0.5 * cell[1, 1])
    points = np.stack([positions[:, 1], positions[:, 0] - lean * positions[:, 1], across], axis=1)
    order = np.flatnonzero(shown)[np.argsort(-points[shown, 0], kind="stable")]
    place = np.full(len(index), -1)
    place[order] = np.arange(len(order))
    side, up = cell[0] * copies, cell[2]
    corners = np.array([[0, 0], [side[2], side[0]], [side[2] + up[2], side[0] + up[0]], [up[2], up[0]]])
    corners[2:, 1] -= lean * up[1]
    return View(index[order], points[order], corners, place[pairs])


def draw_atoms(axes: Axes, view: View, structure: Structure, colours: Sequence) -> None:
    """Discs, back to front, coloured by `colours` (n,) of the structure's atoms."""
    radii = np.array([element_radius_A(int(z)) for z in structure.numbers])
    discs = [Circle(point, radii[i]) for point, i in zip(view.paper, view.index, strict=True)]
    faces = [colours[i] for i in view.index]
    axes.add_collection(PatchCollection(discs, facecolors=faces, edgecolors="#333333", linewidths=0.4, zorder=3))


def draw_bonds(axes: Axes, view: View) -> None:
    """Metal-anion bonds as thin lines."""
    axes.add_collection(LineCollection(list(view.paper[view.pairs]), colors="#777777", linewidths=0.7, zorder=2))


def draw_octahedra(axes: Axes, view: View, phases: Sequence[str], names: Sequence[str]) -> None:
    """The outline of each metal's anions, filled in the colour of its phase; those behind another are left out.

    names: every phase of the figure, whose place gives the colour of those that have none of their own
    """
    drawn: list[Floats] = []
    for metal in np.unique(view.pairs[:, 0]) if len(view.pairs) else []:
        corners, centre = view.paper[view.pairs[view.pairs[:, 0] == metal, 1]], view.paper[metal]
        flat = len(corners) < 4 or np.linalg.matrix_rank(corners - corners[0], tol=0.1) < 2
        if flat or any(np.linalg.norm(centre - other) < _SAME_PLACE_A for other in drawn):
            continue
        drawn.append(centre)
        phase = phases[view.index[metal]]
        colour = phase_colour(phase, names.index(phase)) if phase else "#9A9A9A"
        outline = corners[ConvexHull(corners).vertices]
        axes.add_patch(Polygon(outline, facecolor=colour, alpha=0.28, edgecolor=colour, linewidth=0.8, zorder=1))


def draw_frame(axes: Axes, view: View, title: str) -> None:
    """Cell outline, equal scales, heights along the stacking below."""
    axes.add_patch(Polygon(view.box, fill=False, edgecolor="#444444", linewidth=0.9, linestyle=(0, (4, 3)), zorder=4))
    both = np.concatenate([view.paper, view.box])
    axes.set(aspect="equal", anchor="W", title=title, yticks=[])
    axes.set_xlim(both[:, 0].min() - MARGIN_A, both[:, 0].max() + MARGIN_A)
    axes.set_ylim(both[:, 1].min() - MARGIN_A, both[:, 1].max() + MARGIN_A)
    axes.grid(False)
    axes.spines["left"].set_visible(False)


def _without_strays(index: np.ndarray, pairs: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Leave out copies of bound anions that no drawn metal holds: they are drawn at their slab already."""
    bound = np.zeros(len(shown), dtype=bool)
    bound[pairs.ravel()] = True
    elsewhere = np.isin(index, np.unique(index[pairs[:, 1]]))
    return shown & (bound | ~elsewhere)


def _with_anions(numbers: np.ndarray, positions: Floats, shown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The shown atoms and the anions bound to a shown metal; and the (metal, anion) bonds."""
    anion = np.isin(numbers, ANIONS)
    anions, metals = np.flatnonzero(anion), np.flatnonzero(shown & ~anion & ~np.isin(numbers, ALKALI))
    if len(anions) == 0 or len(metals) == 0:
        return shown, np.empty((0, 2), dtype=int)
    found = cKDTree(positions[anions]).query_ball_point(positions[metals], _BOND_A)
    pairs = np.array([(m, anions[k]) for m, near in zip(metals, found, strict=True) for k in near], dtype=int)
    pairs = pairs.reshape(-1, 2)
    more = shown.copy()
    more[pairs[:, 1]] = True
    return more, pairs
