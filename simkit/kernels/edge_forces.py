"""Forces and virials gathered from derivatives with respect to directed edge vectors."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from simkit.errors import InputError
from simkit.kernels.edges import Edges


def reversed_edges(edges: Edges) -> NDArray[np.int64]:
    """(e,) [0, edges) -> [0, edges): the same pair in the other direction."""
    other = np.empty(len(edges), dtype=np.int64)
    other[edges.edges_of[:, 0]] = edges.edges_of[:, 1]
    other[edges.edges_of[:, 1]] = edges.edges_of[:, 0]
    return other


def gather_forces(
    edges: Edges, opposite: NDArray, gradient: NDArray, share: slice, out: tuple[NDArray, NDArray]
) -> None:
    """Forces (n, 3) eV/A and virials (n, 3, 3) eV of the atoms of `share`, written to out.

    gradient (e, 3) eV/A with respect to the vector of each edge (towards its receiver), opposite (e,) as
    `reversed_edges` gives it. With d = g_e - g_opposite: F = -sum d, W = 1/2 sum of d (x) r symmetrised, over the edges
    an atom receives; half of every pair's virial goes to each end. Raises InputError on shapes that do not fit.
    """
    atoms = len(edges.starts) - 1
    if gradient.shape != (len(edges), 3) or out[0].shape != (atoms, 3) or out[1].shape != (atoms, 3, 3):
        raise InputError(f"gradient {gradient.shape}, forces {out[0].shape} and virials {out[1].shape} do not fit.")
    _gather_forces((share.start, share.stop), (edges.starts, edges.vectors, opposite), gradient, out)


@njit(cache=True, nogil=True)
def _gather_forces(share, edges, gradient, out):
    starts, vectors, opposite = edges
    forces, virials = out
    for atom in range(share[0], share[1]):
        fx, fy, fz = 0.0, 0.0, 0.0
        xx, yy, zz, yz, xz, xy = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for e in range(starts[atom], starts[atom + 1]):
            o = opposite[e]
            x, y, z = vectors[e]
            dx, dy = gradient[e, 0] - gradient[o, 0], gradient[e, 1] - gradient[o, 1]
            dz = gradient[e, 2] - gradient[o, 2]
            fx, fy, fz = fx - dx, fy - dy, fz - dz
            xx, yy, zz = xx + dx * x, yy + dy * y, zz + dz * z
            yz, xz, xy = yz + 0.5 * (dy * z + dz * y), xz + 0.5 * (dx * z + dz * x), xy + 0.5 * (dx * y + dy * x)
        forces[atom, 0], forces[atom, 1], forces[atom, 2] = fx, fy, fz
        for p, row in enumerate(((xx, xy, xz), (xy, yy, yz), (xz, yz, zz))):
            for q in range(3):
                virials[atom, p, q] = 0.5 * row[q]
