"""The figures of a run: findings handed to the plot room, nothing computed that is not a unit."""

from __future__ import annotations

import numpy as np

from simkit import plot
from simkit.arrays import Floats
from simkit.workflows.diffusion.findings import Findings
from simkit.workflows.diffusion.ladder import Ladder
from simkit.workflows.diffusion.transport import Motions

WAYS = {"xyz": "all directions", "xy": "within the layers", "z": "across the layers"}
POINTS = 4000
"""Points of a trace that are drawn; the log itself has them all."""
LOG = {"temperature_K": "temperature\n(K)", "potential_eV": "potential\n(eV/atom)", "volume_A3": "volume\n(Å³/atom)"}
MOST = 6
"""Panels of one kind in one figure."""


def draw(found: Findings) -> dict[str, object]:
    """Figure by file name; what was not found leaves no figure."""
    figures: dict[str, object] = {"log": log(found)}
    if found.motions:
        figures |= {"msd": displacements(found), "van-hove": van_hove(found), "density": density(found)}
    shown = [ladder for ladder in found.ladders if any(v is not None and v.value > 0 for v in ladder.values)]
    if shown:
        figures["arrhenius"] = arrhenius(shown)
    if found.histories:
        figures |= {"stacking": stacking(found), **patterns(found)}
    if found.histories and found.histories[-1].radial:
        figures["radial"] = radial(found)
    return figures


def log(found: Findings) -> object:
    """Temperature, energy and, where it changes, the volume of every system."""
    run = found.run.run
    names = LOG if found.config.dynamics.ensemble == "npt" else [n for n in LOG if n != "volume_A3"]
    panels = []
    for column in names:
        traces = []
        for name in run.names[: 2 * MOST]:
            share = 1.0 if column == "temperature_K" else 1.0 / len(run.system(name).structure)
            values, times = run.column(name, "log", column) * share, run.column(name, "log", "time_ps")
            thin = slice(None, None, max(1, len(values) // POINTS))
            traces.append(plot.LogTrace(name, times[thin], values[thin]))
        panels.append((LOG[column], traces))
    return plot.log_figure(panels)


def displacements(found: Findings) -> object:
    """Mean squared displacements by direction, with the fitted lines."""
    panels = []
    for axes, name in WAYS.items():
        curves = [_displacement(one, axes) for one in found.motions[:8]]
        panels.append((name, curves))
    return plot.displacement_figure(panels)


def _displacement(one: Motions, axes: str) -> plot.Displacements:
    entry, label = one.entry("all", axes), f"{one.source}\n{one.temperature_K:g} K"
    if entry is None:
        return plot.Displacements(label, one.times_ps, one.squares_A2[axes], None, False)
    d = entry.found
    slope = d.fitted_cm2_per_s.value * 1e4 * 2 * len(axes)
    line = (d.lags_ps, np.maximum(d.offset_A2 + slope * d.lags_ps, 1e-12))
    good = d.value_cm2_per_s is not None
    return plot.Displacements(label, one.times_ps, one.squares_A2[axes], line if good else None, good)


def arrhenius(shown: list[Ladder]) -> object:
    """Diffusivities and jump rates side by side, each with its activation energy in the legend."""
    chosen = [one for one in shown if one.quantity == "D" and (one.axes == "xy" or one.group == "all")]
    panels = [
        plot.RungPanel("diffusivity (cm$^2$/s)", tuple(_rungs(one) for one in chosen[:MOST])),
        plot.RungPanel("jumps per ion (1/ps)", tuple(_rungs(one) for one in shown if one.quantity == "jumps")),
    ]
    return plot.arrhenius_figure([panel for panel in panels if panel.rungs])


def _rungs(one: Ladder) -> plot.Rungs:
    rungs = zip(one.temperatures_K, one.values, strict=True)
    known = [(t, v) for t, v in rungs if v is not None and v.value > 0]  # others have no logarithm
    label = one.source if one.quantity == "jumps" else f"{one.source}, {_ions(one)}"
    curve = None
    if one.fit is not None:
        label += f"\n{one.fit.activation_eV.value:.2f} ± {one.fit.activation_eV.reach:.2f} eV"
        curve = _curve(one, [t for t, _ in known])
    return plot.Rungs(
        label,
        np.array([t for t, _ in known]),
        np.array([v.value for _, v in known]),
        np.array([v.lower for _, v in known]),
        np.array([v.upper for _, v in known]),
        curve,
    )


def _ions(one: Ladder) -> str:
    return f"{WAYS[one.axes]}" if one.group == "all" else f"{one.group}, {WAYS[one.axes]}"


def _curve(one: Ladder, temperatures_K: list[float]) -> tuple[Floats, Floats, Floats, Floats]:
    t = 1.0 / np.linspace(1.0 / max(temperatures_K), 1.0 / min(temperatures_K), 60)
    return (t, *np.array([one.fit.at(float(x)) for x in t]).T)


def van_hove(found: Findings) -> object:
    """Distances gone after some lags, for the first temperatures."""
    panels = [
        plot.Distances(f"{one.source}, {one.temperature_K:g} K", one.distances_A, one.van_hove)
        for one in found.motions[:3]
    ]
    return plot.van_hove_figure(panels)


def density(found: Findings) -> object:
    """Ions seen along the stacking, and from the side, at the hottest temperature of each source."""
    hottest = {one.source: one for one in sorted(found.motions, key=lambda one: one.temperature_K)}
    panels = []
    for source, one in list(hottest.items())[:2]:
        for axis, side in ((2, "from above"), (1, "from the side")):
            vectors = np.delete(one.density.cell, axis, axis=0)
            panels.append(
                plot.Slice(f"{source}\n{one.temperature_K:g} K, {side}", _flat(vectors), one.density.along(axis))
            )
    return plot.density_figure(panels)


def _flat(vectors: Floats) -> Floats:
    """(2, 2) A two vectors laid into the plane of the page, the first along x."""
    first = vectors[0] / np.linalg.norm(vectors[0])
    normal = np.cross(*vectors)
    second = np.cross(normal / np.linalg.norm(normal), first)
    return vectors @ np.array([first, second]).T


def stacking(found: Findings) -> object:
    """Shares of the galleries with the glides."""
    panels = [
        plot.Stacking(
            one.name,
            one.times_ps,
            one.fractions,
            tuple((g.time_ps, f"{g.gallery}: {g.before} > {g.after}") for g in one.glides),
        )
        for one in found.histories[:MOST]
    ]
    return plot.stacking_figure(panels)


def radial(found: Findings) -> object:
    """Radial distributions of the hottest, that is the last, trajectory."""
    last = found.histories[-1]
    return plot.radial_figure([("–".join(r.elements), r.r_A, r.g) for r in last.radial], last.name)


def patterns(found: Findings) -> dict[str, object]:
    """Contour maps over time of each trajectory, and over temperature where a structure has several."""
    timed = [one for one in found.histories if len(one.pattern_times_ps) > 1]
    figures = {}
    if timed:
        panels = [
            plot.Patterns(one.name, one.angles_deg, one.pattern_times_ps, "time (ps)", one.patterns)
            for one in timed[: MOST // 2]
        ]
        figures["xrd-time"] = plot.pattern_figure(panels)
    warm = _over_temperature(found)
    if warm:
        figures["xrd-temperature"] = plot.pattern_figure(warm)
    return figures


def _over_temperature(found: Findings) -> list[plot.Patterns]:
    """One map per structure, of the averages of its trajectories, replica 0, over the set temperature."""
    of = {s.name: s for s in found.run.systems}
    panels = []
    for source in found.structures:
        mine = [
            (of[one.name].temperature_K, one)
            for one in found.histories
            if of[one.name].source == source and of[one.name].replica == 0 and of[one.name].temperature_K is not None
        ]
        mine = sorted((t, one) for t, one in mine if len(one.average)) if len({t for t, _ in mine}) == len(mine) else []
        if len(mine) > 1:
            courses = np.array([t for t, _ in mine])
            shown = np.array([one.average for _, one in mine])
            panels.append(plot.Patterns(source, mine[0][1].angles_deg, courses, "temperature (K)", shown))
    return panels
