"""Stress fields as text and columns that ParaView and OVITO read; writing them to disk is for simkit.io."""

from __future__ import annotations

import numpy as np

from simkit.arrays import Floats, to_voigt
from simkit.measure.coarse import StressGrid, grid_scalars
from simkit.measure.stress import StressField
from simkit.measure.tensors import hydrostatic, principal_axes, von_mises
from simkit.structure import Structure
from simkit.units import EV_PER_A3_IN_GPA

_COMPONENTS = ("xx", "yy", "zz", "yz", "xz", "xy")


def vtk_text(grid: StressGrid, title: str = "coarse-grained stress") -> str:
    """Legacy VTK structured grid (ASCII) with each scalar of `grid_scalars`, in GPa; tilted cells are exact.

    The first plane of nodes is repeated at the far side of each axis so that the picture fills the cell.
    """
    sizes = [n + 1 for n in grid.stress.shape[:3]]
    axes = [np.arange(n) / (n - 1) for n in sizes]
    points = (np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1) @ grid.cell).transpose(2, 1, 0, 3).reshape(-1, 3)
    head = " ".join(title.split())[:200] + f"; Gaussian width {grid.width_A:.3f} A"
    lines = ["# vtk DataFile Version 3.0", head, "ASCII", "DATASET STRUCTURED_GRID"]
    lines += ["DIMENSIONS " + " ".join(map(str, sizes)), f"POINTS {len(points)} double"]
    lines += [" ".join(f"{x:.6f}" for x in point) for point in points]
    lines += [f"POINT_DATA {len(points)}"]
    for name, field in grid_scalars(grid).items():
        lines += [f"SCALARS {name} double 1", "LOOKUP_TABLE default"]
        lines += [f"{value:.6e}" for value in _closed(field).transpose(2, 1, 0).ravel()]
    return "\n".join(lines) + "\n"


def stress_columns(field: StressField) -> dict[str, Floats]:
    """Per-atom columns (n,) for an extended XYZ file: volume, von Mises, hydrostatic and components in GPa.

    `excess_*` columns are there when the field has a reference, `raw_*` always.
    """
    columns = {"voronoi_volume_A3": field.volumes, "von_mises_GPa": field.von_mises_GPa}
    columns |= {"hydrostatic_GPa": field.hydrostatic_GPa}
    fields = {"raw": field.raw_GPa} if field.excess is None else {"raw": field.raw_GPa, "excess": field.shown}
    for kind, tensors in fields.items():
        voigt = to_voigt(tensors)
        columns |= {f"{kind}_{name}_GPa": voigt[:, k] for k, name in enumerate(_COMPONENTS)}
    values, axes = principal_axes(field.shown)
    columns |= {f"principal_{k + 1}_GPa": values[:, k] for k in range(3)}
    columns |= {f"axis_3_{name}": axes[:, 2, k] for k, name in enumerate("xyz")}
    return columns


def with_stress(structure: Structure, field: StressField, smooth: Floats | None = None) -> Structure:
    """The structure with the columns of `stress_columns` as tags; of a coarse-grained field, eV/A^3, too if given.

    axis_3 is the direction of the largest principal stress; smooth_* is the field averaged over a formula unit.
    """
    columns = stress_columns(field)
    if smooth is not None:
        columns["smooth_von_mises_GPa"] = von_mises(smooth) * EV_PER_A3_IN_GPA
        columns["smooth_hydrostatic_GPa"] = hydrostatic(smooth) * EV_PER_A3_IN_GPA
    return structure.with_tags(**columns)


def _closed(field: Floats) -> Floats:
    """The field with its first plane repeated at the end of each axis."""
    for axis in range(3):
        field = np.concatenate([field, np.take(field, [0], axis=axis)], axis=axis)
    return field
