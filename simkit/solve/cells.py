"""Free cells: the deformation gradient in the frame of the first two cell vectors."""

from __future__ import annotations

import numpy as np

from simkit.arrays import Floats
from simkit.errors import InputError, nearest

ENTRIES = ((0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2))
"""Free entries of the lower triangular deformation gradient; axis 2 is the stacking normal."""

MODES: dict[str, tuple[bool, ...]] = {
    "fixed": (False,) * 6,
    "free": (True,) * 6,
    "c": (False, False, False, False, False, True),
    "inplane": (True, True, True, False, False, False),
}
"""Which of `ENTRIES` each kind of free cell may change."""


def free_entries(cell: str) -> np.ndarray:
    """(6,) mask of the free entries. Raises InputError with the nearest name for an unknown kind."""
    if cell not in MODES:
        raise InputError(f"cell={cell!r} is no kind of relaxation; {nearest(cell, MODES)}")
    return np.array(MODES[cell])


def frames(cells: Floats) -> Floats:
    """(m, 3, 3) orthonormal rows: e1 along a1, e2 in the plane of a1 and a2, e3 = a1 x a2 direction."""
    normal = np.cross(cells[:, 0], cells[:, 1])
    e3 = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    e1 = cells[:, 0] / np.linalg.norm(cells[:, 0], axis=1, keepdims=True)
    return np.stack([e1, np.cross(e3, e1), e3], axis=1)


def gradients(strain: Floats, frame: Floats) -> Floats:
    """(m, 3, 3) deformation gradients F from (m, 6) entries; rows transform as v -> v @ F.

    F = frame^T (1 + U) frame with U lower triangular. Six numbers span every change of shape and none
    turns the cell: a1 keeps its direction and a2 its plane.
    """
    lower = np.repeat(np.eye(3)[None], len(strain), axis=0)
    for k, (i, j) in enumerate(ENTRIES):
        lower[:, i, j] += strain[:, k]
    return np.swapaxes(frame, 1, 2) @ lower @ frame


def cell_forces(tension: Floats, gradient: Floats, frame: Floats) -> Floats:
    """(m, 6) minus the derivative of the energy by the entries, eV.

    tension (m, 3, 3) eV is dE/dstrain at the present shape. With dF the next strain is inv(F) dF, so
    dE/dF = inv(F)^T tension, read in the frame.
    """
    by_gradient = frame @ np.linalg.solve(np.swapaxes(gradient, 1, 2), tension) @ np.swapaxes(frame, 1, 2)
    return -np.stack([by_gradient[:, i, j] for i, j in ENTRIES], axis=1)


def free_stress(stress: Floats, frame: Floats, free: np.ndarray) -> Floats:
    """(m,) largest absolute stress component, in the frame, that a free entry (m, 6) works against."""
    inside = frame @ stress @ np.swapaxes(frame, 1, 2)
    parts = np.stack([inside[:, i, j] for i, j in ENTRIES], axis=1)
    return np.max(np.where(free, np.abs(parts), 0.0), axis=1)
