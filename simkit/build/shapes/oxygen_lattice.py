"""Cation sites of the cubic close-packed oxygen lattice, and which of them a spinel variant fills."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from simkit.arrays import Floats, Integers
from simkit.build.plane import LETTER
from simkit.build.stacking import Stack
from simkit.errors import InputError

VARIANTS = 8
"""Translations of the oxygen lattice over those of the spinel: eight variants on one oxygen lattice."""
FILLED: frozenset[tuple[int, int, int]] = frozenset({(0, 0, 0), (1, 0, 0), (1, 0, 1), (1, 1, 1)})
"""Octahedra (sheet, i, j) modulo 2 that spinel variant (0, 0, 0) fills: four mutual neighbours, the 16d sites."""
OPPOSITE = np.array([1, 1, 0])
"""The class that is no nearest neighbour of (0, 0, 0): a cube edge of the oxygen lattice, modulo 2."""


def variant_origin(variant: int) -> Integers:
    """(3,) class (sheet, i, j) of a variant: 0 to 3 put the kagome sheets into the slabs, 4 to 7 between them.

    Numbered as `Block.variant` (the origin is that of the first kagome sheet's vacancy, less `OPPOSITE`).
    Raises InputError for a variant other than 0 to 7.
    """
    if isinstance(variant, bool) or not isinstance(variant, int | np.integer) or not 0 <= variant < VARIANTS:
        raise InputError(f"spinel variant {variant!r} does not exist; choose one of 0 to {VARIANTS - 1}.")
    between, first, second = variant // 4, variant // 2 % 2, variant % 2
    return np.array([1 - between, (first + 1 - between) % 2, second])


def spinel_octahedra(sites: ArrayLike, variant: int) -> np.ndarray:
    """(n,) bool: which octahedra a spinel variant fills (16d; the others are 16c).

    With octahedron (k, i, j) at k t + i e1 + j e2 (e1, e2 at 120 degrees, t the step from one cation sheet to the
    next), the 16d sites are the classes `FILLED` modulo 2: sheets alternate between 3/4 filled (kagome) and 1/4.

    sites  (n, 3) integers (sheet, i, j) of `octahedron_integers`
    """
    classes = (np.asarray(sites) - variant_origin(variant)) % 2
    return np.isin(_code(classes), [_code(np.array(c)) for c in FILLED])


def spinel_tetrahedra(sites: ArrayLike, variant: int) -> np.ndarray:
    """(n,) bool: octahedra whose two tetrahedra above and below along the normal a spinel variant fills (8a).

    The tetrahedron above octahedron x shares its faces with x and with three octahedra of the next sheet, the one
    below with x and three of the sheet below. All four are empty where x is of class origin + `OPPOSITE`.
    """
    return np.all((np.asarray(sites) - variant_origin(variant) - OPPOSITE) % 2 == 0, axis=-1)


def is_kagome(sheet: ArrayLike, variant: int) -> np.ndarray:
    """(n,) bool: whether a sheet is a kagome of this variant (3/4 filled); the others hold 1/4."""
    return (np.asarray(sheet) - variant_origin(variant)[0]) % 2 == 1


def letter_step(stack: Stack) -> int:
    """Letters from one cation sheet to the next, +1 or -1, of a stack that is O3 throughout.

    Raises InputError where another gallery breaks the cubic close packing.
    """
    wrong = [name for name in stack.gaps() if name != "O3"]
    if wrong:
        raise InputError(
            f"spinel and rock-salt need cubic close-packed oxygen, which a {wrong[0]} gallery breaks; "
            "use O3 galleries throughout, or join the blocks along c."
        )
    return stack.slabs[0].s


def octahedron_integers(stack: Stack, sheet: Integers, points: Floats, primitive: Floats) -> Integers:
    """(n, 3) integers (sheet, i, j) of octahedra k t + i e1 + j e2 of an O3 stack, letters counted on from sheet 0.

    sheet (n,) sheet of each: 2 j is slab j, 2 j + 1 gallery j; points (n, 2) A in plane; primitive (2, 2) A
    """
    letters = stack.slabs[0].z + letter_step(stack) * sheet
    cells = points @ np.linalg.inv(primitive) - np.outer(letters, LETTER)
    return np.column_stack([sheet, np.rint(cells)]).astype(np.int64)


def period_vectors(stack: Stack, matrix: Integers) -> Integers:
    """(3, 3) the cell vectors as integers (sheet, i, j)."""
    shear = stack.shear - 3 * (stack.shear == 2)
    remainder = shear - 2 * len(stack) * letter_step(stack)
    vectors = np.zeros((3, 3), dtype=np.int64)
    vectors[:2, 1:] = matrix
    vectors[2] = [2 * len(stack), remainder // 3, 2 * (remainder // 3)]
    return vectors


def closure_problems(vectors: ArrayLike, extended: ArrayLike) -> list[str]:
    """Cell vectors along which a spinel that fills the period cannot close: they must be even in (sheet, i, j).

    vectors   (3, 3) of `period_vectors`
    extended  (3,) bool, whether the domain reaches its own image along each cell vector
    """
    problems = []
    for axis in np.flatnonzero(np.asarray(extended)):
        if np.any(np.asarray(vectors)[axis] % 2):
            remedy = "use a multiple of 3 slabs" if axis == 2 else "use even repeats"
            problems.append(
                f"cell vector {axis + 1} is {tuple(int(x) for x in np.asarray(vectors)[axis])} in steps of the oxygen "
                f"lattice; a spinel that fills the period needs even numbers for its kagome to close: {remedy}."
            )
    return problems


def _code(classes: Integers) -> Integers:
    return classes @ np.array([4, 2, 1])
