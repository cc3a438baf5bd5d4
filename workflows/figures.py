"""The figures of a study: results handed to the plot room, nothing computed that is not a unit."""

from __future__ import annotations

import numpy as np

from simkit import build, measure, plot
from simkit.structure import Structure
from simkit.units import EV_PER_A3_IN_GPA
from simkit.workflows import gliding
from simkit.workflows.findings import Findings

SCALE_PERCENTILE = 98.0
"""The colour scale of stress maps ends at this percentile over all panels, so that one atom cannot wash it out."""


def draw(found: Findings) -> dict[str, object]:
    """Figure by file name; hops without a path and empty sets leave no figure."""
    figures = {
        "structure": structure(found.whole.structure, f"{found.label}, relaxed"),
        "stress-map": stress_map(found),
        "stress-profile": stress_profile(found),
    }
    if any(hop.path is not None for hop in found.migration.hops):
        figures["barriers"] = barriers(found)
    if found.gliding.profiles:
        figures["gliding"] = glides(found)
    return figures


def structure(cell: Structure, title: str) -> object:
    """Side view with the name of every gallery."""
    return plot.structure_figure(cell, gallery_names(cell), title=title)


def gallery_names(cell: Structure) -> list[tuple[float, str]]:
    """Height of the middle of each gallery along the normal, A, and its name."""
    found = build.classify(cell)
    heights, period = found.layering.heights_A, found.height_A
    middles = heights[:, 2] + 0.5 * found.gallery_heights_A
    return [(float(z % period), name) for z, name in zip(middles, found.stack.gaps(), strict=True)]


def barriers(found: Findings) -> object:
    """Energy along every hop that has a path."""
    curves = []
    for hop in found.migration.hops:
        if hop.path is None:
            continue
        path = hop.path
        fit = measure.fit_barrier(path.distances_A, path.energies_eV, path.tangential_forces_eV_per_A)
        curves.append(
            plot.BarrierCurve(
                hop.name,
                fit.distances_A,
                fit.energies_eV,
                fit.curve_distances_A,
                fit.curve_energies_eV,
                fit.forward_eV,
                fit.reverse_eV,
                hop.converged,
            )
        )
    return plot.barrier_figure(curves)


def glides(found: Findings) -> object:
    """Gamma towards each neighbouring letter, one panel per way and mode."""
    curves = []
    for profile in found.gliding.profiles:
        for letter in profile.letters:
            curve = gliding.gamma(profile, letter)
            curves.append(
                plot.GlideCurve(
                    label=profile.name,
                    panel=f"{profile.mode}, {letter:+d} letter".replace("-1", "−1"),
                    fractions=curve.fractions,
                    gamma_J_per_m2=curve.gamma_J_per_m2,
                    curve_fractions=curve.curve_fractions,
                    curve_J_per_m2=curve.curve_J_per_m2,
                    dashed=profile.structure != found.label,
                )
            )
    return plot.gliding_figure(curves)


def stress_map(found: Findings) -> object:
    """Coarse-grained von Mises stress at the atoms of every structure, on one scale."""
    maps = found.stress.maps
    panels = [plot.StressPanel(name, m.structure, m.smooth_von_mises_GPa) for name, m in maps.items()]
    upper = float(np.percentile(np.concatenate([panel.values_GPa for panel in panels]), SCALE_PERCENTILE))
    return plot.stress_map_figure(panels, "von Mises stress (GPa)", upper_GPa=upper)


def stress_profile(found: Findings) -> object:
    """In-plane and normal stress along the stacking direction of the cell under study."""
    profile = found.stress.maps[found.label].profile
    stress = profile.stress * EV_PER_A3_IN_GPA
    inplane = 0.5 * (stress[:, 0, 0] + stress[:, 1, 1])
    spans = tuple(phase_spans(found.whole.structure))
    curves = [
        plot.LineCurve("in plane, mean of xx and yy", profile.z_A, inplane, spans=spans),
        plot.LineCurve("along the normal, zz", profile.z_A, stress[:, 2, 2], dashed=True),
        plot.LineCurve("von Mises", profile.z_A, profile.von_mises_GPa),
    ]
    return plot.line_figure(curves, "height (Å)", "stress (GPa)")


def phase_spans(cell: Structure) -> list[tuple[float, float, str]]:
    """Stretches of height, A, from slab middle to slab middle, that belong to one kind of gallery."""
    found = build.classify(cell)
    middles = found.layering.heights_A[:, 1]
    names = found.stack.gaps()
    ends = np.append(middles[1:], middles[0] + found.height_A)
    spans: list[tuple[float, float, str]] = []
    for start, end, name in zip(middles, ends, names, strict=True):
        if spans and spans[-1][2] == name:
            spans[-1] = (spans[-1][0], float(end), name)
        else:
            spans.append((float(start), float(end), name))
    return spans
