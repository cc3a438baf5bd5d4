"""Figures of gamma surfaces and of the lock, from results."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simkit import plot
from simkit.workflows.figures import path_curve
from simkit.workflows.glides.resistance import resistances
from simkit.workflows.gliding_collective import Transformation
from simkit.workflows.gliding_lock import Result
from simkit.workflows.gliding_slabs import Move
from simkit.workflows.gliding_surface import Surface

FINE = 60


def surfaces(found: tuple[Surface, ...]) -> object:
    """Every gamma surface on one colour scale, two periods wide, with its low paths."""
    return plot.surface_figure([_panel(surface) for surface in found])


def _panel(surface: Surface) -> plot.SurfacePanel:
    lattice = surface.gamma.lattice
    span = 0.9 * np.linalg.norm(lattice, axis=1).max()
    x, y = np.meshgrid(np.linspace(-span, span, FINE), np.linspace(-span, span, FINE), indexing="ij")
    flat = np.stack([x, y, np.zeros_like(x)], axis=-1) @ np.linalg.pinv(lattice)
    paths = tuple((surface.becomes[g], path.fractions @ lattice[:, :2]) for g, path in surface.paths.items())
    letters = tuple((name, path[-1]) for name, path in paths)
    return plot.SurfacePanel(
        f"{surface.name}, {surface.mode}", x, y, surface.gamma.at(flat), paths, ((surface.kind, np.zeros(2)), *letters)
    )


def resistance(result: Result) -> object:
    """Barrier and end of the easiest move of each cell over the contents, a dot per seed."""
    rows = resistances(result)
    contents = list(dict.fromkeys(case.content for case in result.cases))
    series = []
    for cell in (result.label, *result.phases):
        mine = [[r for r in rows if r.cell == cell and r.content == x] for x in contents]
        barriers = tuple(tuple(r.barrier_J_per_m2 for r in own) for own in mine)
        series.append(
            plot.ResistanceSeries(
                f"{cell}, shared slabs" if cell == result.label else f"{cell} alone",
                barriers,
                tuple(tuple(r.final_J_per_m2 for r in own) for own in mine),
            )
        )
    return plot.resistance_figure(["as built" if x is None else f"x = {x:g}" for x in contents], series)


def collective(found: Sequence[Transformation]) -> object:
    """Energy of the whole cell along every band."""
    curves = [path_curve(f"{t.structure} to {t.target}", t.path, t.path.converged) for t in found]
    return plot.barrier_figure(curves)


def moves(found: Sequence[Move]) -> object:
    """Barrier and end of every single-slab move, as bars."""
    names = [f"{m.structure}, slab {m.slab}: {'|'.join(m.before)} to {'|'.join(m.after)}" for m in found]
    barriers = plot.BarGroup("barrier (J/m$^2$)", tuple(m.barrier_J_per_m2 for m in found))
    ends = plot.BarGroup("at the next letter (J/m$^2$)", tuple(m.final_J_per_m2 for m in found))
    return plot.bar_figure(names, [barriers, ends])
