"""From pair energies and pair derivatives on the host to evaluations, without torch."""

from __future__ import annotations

import numpy as np

from simkit.arrays import Floats
from simkit.kernels.edge_forces import gather_forces, reversed_edges
from simkit.kernels.edges import Edges
from simkit.kernels.neighbours import Pairs
from simkit.potential.base import Evaluations
from simkit.structure import Batch


def from_pairs(energy: Floats, gradient: Floats, pairs: Pairs, batch: Batch, virials: bool) -> Evaluations:
    """Evaluations from pair energies (p,) eV and dE/d(vector) (p, 3) eV/A.

    F_first += g, F_second -= g; W = sum of (g (x) r) symmetrised, half to each end; stress = sum W / V.
    """
    n = len(batch.numbers)
    forces = summed(pairs.first, gradient, n) - summed(pairs.second, gradient, n)
    w = 0.5 * gradient[:, :, None] * pairs.vectors[:, None, :]
    w = 0.5 * (w + w.transpose(0, 2, 1))
    atomic = (summed(pairs.first, w.reshape(-1, 9), n) + summed(pairs.second, w.reshape(-1, 9), n)).reshape(-1, 3, 3)
    total = np.bincount(batch.system_of[pairs.first], energy, minlength=len(batch))
    return Evaluations(total, forces, stress_of(atomic, batch), atomic if virials else None, batch.system_of)


def gathered(energy: Floats, edges: Edges, gradient: Floats, batch: Batch, virials: bool) -> Evaluations:
    """Evaluations from total energies (m,) eV and dE/d(vector) (e, 3) eV/A of directed edges, atom by atom."""
    n = len(batch.numbers)
    forces, atomic = np.empty((n, 3)), np.empty((n, 3, 3))
    gather_forces(edges, reversed_edges(edges), gradient, slice(0, n), (forces, atomic))
    return Evaluations(energy, forces, stress_of(atomic, batch), atomic if virials else None, batch.system_of)


def stress_of(virials: Floats, batch: Batch) -> Floats:
    """(m, 3, 3) eV/A^3: sum of the atomic virials (n, 3, 3) over the cell volume."""
    return np.add.reduceat(virials, batch.starts[:-1], axis=0) / batch.volumes[:, None, None]


def summed(owners: np.ndarray, rows: Floats, length: int) -> Floats:
    """(length, k) sum of rows (p, k) by owner (p,)."""
    return np.stack([np.bincount(owners, column, minlength=length) for column in rows.T], axis=1)
