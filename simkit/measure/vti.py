"""Stress on a rectangular grid as VTK image data (.vti), which ParaView draws as slices and volumes."""

from __future__ import annotations

import base64
import struct

import numpy as np
from numpy.typing import ArrayLike

from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.measure.coarse import StressGrid, coarse_grain, grid_scalars
from simkit.structure import Structure


def box_grid(structure: Structure, virials: ArrayLike, width_A: float, spacing_A: float | None = None) -> StressGrid:
    """The coarse-grained stress on a rectangular box that holds exactly one cell.

    The box has the diagonal of the cell as its edges: with the first vector along x and the second in the xy plane it
    is a unit of the crystal like the cell itself, so its mean is the cell's stress. spacing_A: between nodes at most,
    half a width when None. Raises InputError for a cell in another orientation.
    """
    cell = structure.cell
    if np.abs([cell[0, 1], cell[0, 2], cell[1, 2]]).max() > 1e-6 * np.abs(cell).max():
        raise InputError("the first cell vector must lie along x and the second in the xy plane; turn the cell.")
    edges = np.diag(cell)
    spacing = 0.5 * width_A if spacing_A is None else spacing_A
    if not 0 < spacing <= width_A:
        raise InputError(f"spacing_A = {spacing}; it must be above zero and at most the width {width_A:.3g} A.")
    shape = np.maximum(1, np.ceil(edges / spacing)).astype(int)
    nodes = np.stack(np.meshgrid(*[(np.arange(n) + 0.5) / n for n in shape], indexing="ij"), -1).reshape(-1, 3) * edges
    stress = coarse_grain(structure, virials, width_A, nodes).reshape(*shape, 3, 3)
    return StressGrid(np.diag(edges), stress, width_A)


def vti_text(grid: StressGrid) -> str:
    """VTK image data: scalars of `grid_scalars` in GPa at the cells of a rectangular grid, base64 of 32-bit floats.

    Raises InputError for a grid whose cell is not rectangular (`box_grid` makes one that is).
    """
    cell = grid.cell
    if np.abs(cell - np.diag(np.diag(cell))).max() > 1e-9:
        raise InputError("VTK image data is rectangular and this grid is not; make it with box_grid.")
    counts = grid.stress.shape[:3]
    steps = np.diag(cell) / counts
    extent = " ".join(f"0 {n}" for n in counts)
    head = [
        '<?xml version="1.0"?>',
        '<VTKFile type="ImageData" version="1.0" byte_order="LittleEndian" header_type="UInt32">',
        f'  <ImageData WholeExtent="{extent}" Origin="0 0 0" Spacing="{" ".join(f"{s:.9g}" for s in steps)}">',
        f'    <Piece Extent="{extent}">',
        '      <CellData Scalars="von_mises_GPa">',
    ]
    arrays = [
        f'        <DataArray type="Float32" Name="{name}" format="binary">{_packed(values)}</DataArray>'
        for name, values in grid_scalars(grid).items()
    ]
    tail = ["      </CellData>", "    </Piece>", "  </ImageData>", "</VTKFile>", ""]
    return "\n".join([*head, *arrays, *tail])


def _packed(values: Floats) -> str:
    """x fastest, little-endian 32-bit floats behind their length in bytes, in base64."""
    content = values.transpose(2, 1, 0).astype("<f4").tobytes()
    return base64.b64encode(struct.pack("<I", len(content)) + content).decode()
