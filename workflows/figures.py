"""The figures of a study: results handed to the plot room, nothing computed that is not a unit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simkit import build, measure, plot, solve
from simkit.errors import InputError
from simkit.structure import Structure
from simkit.units import EV_PER_A3_IN_GPA
from simkit.workflows import gliding
from simkit.workflows.findings import Findings

METALS_BETWEEN = ("M", "RS", "tet")
"""Site tags of metals between slabs."""
SCALE_PERCENTILE = 98.0
"""The colour scale of stress maps ends at this percentile over all panels, so that one atom cannot wash it out."""


def draw(found: Findings) -> dict[str, object]:
    """Figure by file name; hops without a path and empty sets leave no figure."""
    figures = {
        "structure": structure(found.whole.structure, f"{found.label}, relaxed"),
    }
    if found.label in found.stress.maps:
        figures |= {"stress-map": stress_map(found), "stress-profile": stress_profile(found)}
    if any(hop.path is not None for hop in found.migration.hops):
        figures["barriers"] = barriers(found)
    if found.gliding.profiles:
        figures["gliding"] = glides(found)
    return figures


def structure(cell: Structure, title: str) -> object:
    """Side view with the name of every gallery."""
    return plot.structure_figure(cell, gallery_names(cell), title=title)


def cell(structure: Structure, title: str) -> object:
    """Side view of any built cell; galleries are named where the whole cell is one stack of slabs."""
    return plot.structure_figure(structure, _names(structure), title=title)


def _names(structure: Structure) -> list[tuple[float, str]]:
    """Galleries of a cell whose slabs each belong to one phase; nothing for domains side by side and other shapes."""
    tags = structure.tags
    slabs = [structure.layers == j for j in set(structure.layers.tolist()) - {-1}]
    if not slabs or "phase" not in tags or any(len(set(tags["phase"][slab])) > 1 for slab in slabs):
        return []
    try:
        return gallery_names(structure)
    except InputError:
        return []


def gallery_names(cell: Structure) -> list[tuple[float, str]]:
    """Height of the middle of each gallery along the normal, A, and its name."""
    found = build.classify(cell)
    heights, period = found.layering.heights_A, found.height_A
    middles = heights[:, 2] + 0.5 * found.gallery_heights_A
    names = [_filled(cell, j) or name for j, name in enumerate(found.stack.gaps())]
    return [(float(z % period), name) for z, name in zip(middles, names, strict=True)]


def _filled(cell: Structure, gallery: int) -> str:
    """Phase of a gallery that holds metals, as in spinel; nothing for one of alkali ions."""
    if not {"gallery", "phase", "site"} <= set(cell.tags):
        return ""
    metals = (cell.tags["gallery"] == gallery) & np.isin(cell.tags["site"], METALS_BETWEEN)
    return str(cell.tags["phase"][metals][0]) if metals.any() else ""


def barriers(found: Findings) -> object:
    """Energy along every hop that has a path."""
    hops = [hop for hop in found.migration.hops if hop.path is not None]
    return plot.barrier_figure([path_curve(hop.name, hop.path, hop.converged) for hop in hops])


def path_curve(name: str, path: solve.Path, converged: bool) -> plot.BarrierCurve:
    """Energy along a path, at its images and along the cubic between them."""
    fit = measure.fit_barrier(path.distances_A, path.energies_eV, path.tangential_forces_eV_per_A)
    return plot.BarrierCurve(
        name,
        fit.distances_A,
        fit.energies_eV,
        fit.curve_distances_A,
        fit.curve_energies_eV,
        path.barrier_eV,
        path.reverse_barrier_eV,
        converged,
    )


def glides(found: Findings) -> object:
    """Gamma from the letter below (-1) through the present one (0) to the letter above (+1), one panel per mode."""
    return glide_lines(found.gliding.profiles, found.label)


def glide_lines(profiles: Sequence[gliding.Profile], solid: str = "") -> object:
    """The same of any profiles; those of another structure than `solid` are dashed, none where it is empty."""
    curves = []
    for profile in profiles:
        ways = [(letter, gliding.gamma(profile, letter)) for letter in sorted(profile.letters)]
        points = [_signed(letter, c.fractions, c.gamma_J_per_m2) for letter, c in ways]
        lines = [_signed(letter, c.curve_fractions, c.curve_J_per_m2) for letter, c in ways]
        curves.append(
            plot.GlideCurve(
                label=profile.name,
                panel=profile.mode,
                fractions=np.concatenate([x for x, _ in points]),
                gamma_J_per_m2=np.concatenate([y for _, y in points]),
                curve_fractions=np.concatenate([x for x, _ in lines]),
                curve_J_per_m2=np.concatenate([y for _, y in lines]),
                dashed=bool(solid) and profile.structure != solid,
            )
        )
    return plot.gliding_figure(curves)


def _signed(letter: int, fractions: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One way of a profile on the signed axis, from left to right."""
    return letter * fractions[::letter], values[::letter]


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
    """Stretches of height, A, from slab middle to slab middle, that belong to one kind of gallery; one period."""
    found = build.classify(cell)
    period = found.height_A
    starts = found.layering.heights_A[:, 1] % period
    order = np.argsort(starts)
    names = [found.stack.gaps()[j] for j in order]
    edges = [0.0, *(float(z) for z in starts[order]), period]
    spans: list[tuple[float, float, str]] = []
    for start, end, name in zip(edges[:-1], edges[1:], [names[-1], *names], strict=True):
        if spans and spans[-1][2] == name:
            spans[-1] = (spans[-1][0], end, name)
        else:
            spans.append((start, end, name))
    return spans
