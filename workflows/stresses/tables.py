"""Stress of a map by layer, by phase and by distance from the interfaces."""

from __future__ import annotations

from typing import Any

import numpy as np

from simkit import build, measure
from simkit.structure import Structure
from simkit.units import EV_PER_A3_IN_GPA
from simkit.workflows.gliding_lock import shared_slabs
from simkit.workflows.stress import StressMap

BIN_A = 2.0
"""Width of the bins of distance from an interface, A."""


def layer_names(structure: Structure) -> list[str]:
    """(n,) "slab 3" or "gallery 2 (P2)" of every atom."""
    found = build.classify(structure)
    gaps = found.stack.gaps()
    pairs = zip(found.slab_of.tolist(), found.gallery_of.tolist(), strict=True)
    return [f"slab {slab}" if slab >= 0 else f"gallery {gallery} ({gaps[gallery]})" for slab, gallery in pairs]


def phase_names(structure: Structure) -> list[str]:
    """(n,) phase of every atom, by its tag."""
    return [str(name) for name in structure.tags["phase"]]


def distance_names(structure: Structure) -> list[str]:
    """(n,) bin of the distance from the nearest shared slab; "" throughout where one phase fills the cell."""
    shared = shared_slabs(structure) if {"phase", "block"} <= set(structure.tags) else ()
    if not shared:
        return [""] * len(structure)
    found = build.classify(structure)
    planes = found.layering.heights_A[list(shared), 1]
    normal = np.cross(structure.cell[0], structure.cell[1])
    heights = structure.positions @ (normal / np.linalg.norm(normal))
    return measure.distance_bins(measure.distance_to_planes_A(heights, planes, found.height_A), BIN_A)


def regions(mapped: StressMap) -> dict[str, list[measure.RegionStress]]:
    """Records by "layer", "phase" and "distance" of the coarse-grained field; none where a cell has no such parts."""
    structure = mapped.structure
    smooth = mapped.smooth * EV_PER_A3_IN_GPA
    names = {"layer": layer_names(structure), "distance": distance_names(structure)}
    if "phase" in structure.tags:
        names["phase"] = phase_names(structure)
    found = {}
    for kind, words in names.items():
        if any(words):
            records = measure.stress_by_region(smooth, mapped.field.volumes, words, mapped.threshold_GPa)
            found[kind] = sorted(records, key=_order) if kind != "phase" else records
    return found


def _order(record: measure.RegionStress) -> tuple[float, str]:
    """By the first number in the name: slabs and galleries from below, distances from the interface."""
    digits = "".join(c if c.isdigit() or c == "." else " " for c in record.name).split()
    above = 0.5 if record.name.startswith("gallery") else 0.0
    return float(digits[0]) + above if digits else 0.0, record.name


def region_row(record: measure.RegionStress) -> dict[str, Any]:
    """Plain numbers of one region, unit in every key."""
    values, axes = record.principal
    return {
        "name": record.name,
        "atoms": record.atoms,
        "volume_A3": record.volume_A3,
        "mean_stress_GPa": record.mean_GPa.tolist(),
        "hydrostatic_GPa": record.hydrostatic_GPa,
        "von_mises_of_mean_GPa": record.von_mises_of_mean_GPa,
        "principal_GPa": values.tolist(),
        "principal_directions": axes.tolist(),
        "von_mises_mean_GPa": record.von_mises_mean_GPa,
        "von_mises_p50_GPa": record.von_mises_p50_GPa,
        "von_mises_p95_GPa": record.von_mises_p95_GPa,
        "von_mises_p99_GPa": record.von_mises_p99_GPa,
        "share_above_threshold": record.share,
    }
