"""The in-plane lattice: hexagonal cell, integer supercells and the points inside them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from simkit.arrays import Floats, Integers
from simkit.errors import InputError

HEXAGONAL = np.array([[1.0, 0.0], [-0.5, math.sqrt(0.75)]])
"""Primitive vectors in rows for a = 1, angle 120 degrees; letter n sits at n (1/3, 2/3)."""
LETTER = np.array([1.0 / 3.0, 2.0 / 3.0])
"""Fractional position of letter B."""
SIXTY = np.array([[1, 1], [-1, 0]])
"""Rotation of the lattice by 60 degrees in its own basis."""
ROOT3 = ((2, 1), (-1, 1))
"""The sqrt(3) x sqrt(3) cell."""


def orthogonal(n1: int, n2: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Repeat matrix of the rectangular cell n1 a by n2 sqrt(3) a."""
    return ((int(n1), 0), (int(n2), 2 * int(n2)))


def repeat_matrix(repeats: Sequence) -> Integers:
    """(2, 2) integer matrix from (n1, n2) or from a matrix, its rows in the primitive basis.

    Turned by a multiple of 60 degrees where needed, so that the primitive a1 lies between -45 and +15
    degrees of the first row: the same supercell, with letters that `classify` reads back as written.
    Raises InputError unless whole, right-handed and of non-zero area.
    """
    matrix = np.asarray(repeats)
    if matrix.shape == (2,):
        matrix = np.diag(matrix)
    whole = matrix.shape == (2, 2) and matrix.dtype.kind in "iuf" and np.all(matrix == np.round(matrix))
    if not whole:
        raise InputError(f"repeats = {repeats!r}; give (n1, n2) or a 2 x 2 matrix of whole numbers.")
    matrix = np.round(matrix).astype(np.int64)
    diagonal = np.count_nonzero(matrix - np.diag(np.diag(matrix))) == 0
    if diagonal and np.any(np.diag(matrix) < 1):
        raise InputError(f"repeats = {tuple(np.diag(matrix).tolist())}; both numbers must be at least 1.")
    if area(matrix) < 1:
        raise InputError(f"repeats = {repeats!r} has area {area(matrix)}; it must be positive: exchange the rows.")
    for _ in range(6):
        x, y = matrix[0] @ HEXAGONAL
        if -15.0 - 1e-6 <= math.degrees(math.atan2(y, x)) < 45.0 - 1e-6:
            break
        matrix = matrix @ SIXTY
    return matrix


def area(matrix: ArrayLike) -> int:
    """Number of primitive cells in a supercell matrix."""
    (a, b), (c, d) = np.asarray(matrix).tolist()
    return int(a * d - b * c)


def place(letter: float | Sequence[float]) -> Floats:
    """(2,) fractional position of a letter (0, 1, 2, or between), or a fractional position as it stands."""
    return np.asarray(letter, dtype=np.float64) * (LETTER if np.ndim(letter) == 0 else 1.0)


def supercell(matrix: Integers, a_A: float, ratio: float = 1.0) -> tuple[Floats, Floats]:
    """Rows of the supercell (2, 2) and of the primitive cell (2, 2), A, turned so that row 0 lies along x.

    ratio  long / (sqrt(3) short) of the centred rectangular cell, short along the first primitive vector
    """
    stretch = (1.0 / math.sqrt(ratio), math.sqrt(ratio))
    primitive = a_A * HEXAGONAL * stretch
    rows = a_A * matrix @ HEXAGONAL * stretch
    angle = -math.atan2(rows[0, 1], rows[0, 0])
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    if rows[0, 1] == 0:
        turn = np.eye(2)
    cell = rows @ turn
    cell[0, 1] = 0.0
    return cell, primitive @ turn


def lattice_points(matrix: Integers) -> Integers:
    """(area, 2) primitive lattice points inside the supercell, in the primitive basis, in a fixed order."""
    n = area(matrix)
    corners = np.array([[0, 0], matrix[0], matrix[1], matrix[0] + matrix[1]])
    low, high = corners.min(axis=0), corners.max(axis=0)
    grid = np.stack(np.meshgrid(*(np.arange(a, b + 1) for a, b in zip(low, high, strict=True)), indexing="ij"), -1)
    points = grid.reshape(-1, 2)
    (a, b), (c, d) = matrix
    scaled = points @ np.array([[d, -b], [-c, a]])
    inside = np.all((scaled >= 0) & (scaled < n), axis=1)
    points, scaled = points[inside], scaled[inside]
    return points[np.lexsort((scaled[:, 1], scaled[:, 0]))]


def image_distance_A(cell: Floats) -> float:
    """Shortest in-plane distance between an atom and its own image, A."""
    steps = np.stack(np.meshgrid(range(-3, 4), range(-3, 4), indexing="ij"), -1).reshape(-1, 2)
    steps = steps[np.any(steps != 0, axis=1)]
    return float(np.linalg.norm(steps @ cell, axis=1).min())
