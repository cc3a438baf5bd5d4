"""Where ions are on average: their number density on a grid, and as a file that VESTA, OVITO and ParaView read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from simkit.arrays import Floats, frozen
from simkit.errors import InputError
from simkit.kernels.binning import bin_values
from simkit.structure import Structure
from simkit.units import BOHR_A


@dataclass(frozen=True, eq=False)
class DensityMap:
    """Number density (n1, n2, n3) 1/A^3 at the nodes (i/n1, j/n2, k/n3) of a cell (3, 3) A; Gaussian width A."""

    cell: Floats
    density: Floats
    width_A: float

    @property
    def ions(self) -> float:
        """Number of ions in the cell: the integral of the density."""
        return float(self.density.mean() * np.linalg.det(self.cell))

    def along(self, axis: int) -> Floats:
        """Areal density, 1/A^2: the integral along one cell vector, per length of its normal."""
        height = np.linalg.det(self.cell) / np.linalg.norm(np.cross(*np.delete(self.cell, axis, axis=0)))
        return self.density.mean(axis=axis) * height


def density_map(positions: ArrayLike, cell: ArrayLike, spacing_A: float = 0.25, width_A: float = 0.3) -> DensityMap:
    """Mean density of ions over frames: counts per voxel, smeared by a Gaussian of unit weight.

    positions (f, n, 3) A, wrapped or not. The smearing is done in reciprocal space, exactly periodic in cells of any
    shape: exp(-|G|^2 w^2 / 2). Raises InputError on wrong shapes, or a spacing or width not above zero.
    """
    positions = frozen(positions, np.float64, (None, None, 3), "positions")
    cell = frozen(cell, np.float64, (3, 3), "cell")
    if not (spacing_A > 0 and width_A >= spacing_A / 2):
        raise InputError(f"spacing {spacing_A} A, width {width_A} A; the width must be at least half of the spacing.")
    shape = tuple(int(n) for n in np.ceil(np.linalg.norm(cell, axis=1) / spacing_A))
    inverse, out = np.linalg.inv(cell), np.zeros((*shape, 1))
    # a node owns the voxel around it
    shift = 0.5 / np.array(shape)
    for frame in positions:
        bin_values(frame @ inverse + shift, np.ones((len(frame), 1)), shape, onto=out)
    counts = out[..., 0] / len(positions)
    waves = np.stack(np.meshgrid(*(np.fft.fftfreq(n, 1 / n) for n in shape), indexing="ij"), axis=-1) @ inverse.T
    filter_ = np.exp(-0.5 * width_A**2 * (2 * np.pi) ** 2 * (waves**2).sum(axis=-1))
    smooth = np.fft.ifftn(np.fft.fftn(counts) * filter_).real
    return DensityMap(cell, smooth * counts.size / np.linalg.det(cell), width_A)


def cube_text(found: DensityMap, structure: Structure, title: str = "ion density, 1/A^3") -> str:
    """The density as a Gaussian cube file, in 1/A^3, with the atoms of a structure for orientation."""
    shape = found.density.shape
    lines = [" ".join(title.split()), f"Gaussian width {found.width_A:.3f} A; lengths in bohr, density in 1/A^3"]
    lines.append(f"{len(structure)} 0.0 0.0 0.0")
    for n, vector in zip(shape, found.cell / BOHR_A, strict=True):
        lines.append(f"{n} " + " ".join(f"{x / n:.8f}" for x in vector))
    for number, position in zip(structure.numbers, structure.positions / BOHR_A, strict=True):
        lines.append(f"{number} {number}.0 " + " ".join(f"{x:.6f}" for x in position))
    for row in found.density.reshape(-1, shape[2]):
        lines += [" ".join(f"{x:.5e}" for x in row[k : k + 6]) for k in range(0, len(row), 6)]
    return "\n".join(lines) + "\n"
