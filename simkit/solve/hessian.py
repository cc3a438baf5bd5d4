"""Second derivatives of the energy with respect to some atoms, by central differences of forces, all in one batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.potential.base import Potential
from simkit.structure import Structure


def partial_hessians(
    structures: Sequence[Structure], atoms: Sequence[ArrayLike], potential: Potential, step_A: float = 0.01
) -> list[Floats]:
    """(3 k, 3 k) eV/A^2 of each structure, for its atoms (k,) in that order, all others held; symmetric.

    H = -[F(x + h) - F(x - h)] / 2h, 6 k evaluations a structure; its error falls with h^2 until the noise of the
    forces over h takes over (float32: near 1e-5 eV/A over 0.01 A). Raises InputError for no atoms, atoms that do not
    exist, a step that is not positive, and lists of different lengths.
    """
    if len(structures) != len(atoms) or not step_A > 0:
        raise InputError(f"{len(structures)} structures, {len(atoms)} lists of atoms, step {step_A} A; check each.")
    chosen = [np.asarray(a, dtype=np.int64).reshape(-1) for a in atoms]
    for structure, mine in zip(structures, chosen, strict=True):
        if not len(mine) or mine.min() < 0 or mine.max() >= len(structure) or len(set(mine.tolist())) < len(mine):
            raise InputError(f"atoms {mine.tolist()} of {structure.formula}: give different ones that exist.")
    if not structures:
        return []
    shifted = [s.moved_to(x) for s, a in zip(structures, chosen, strict=True) for x in _shifted(s, a, step_A)]
    forces = [e.forces for e in potential.evaluate(shifted)]
    out, first = [], 0
    for mine in chosen:
        size = 3 * len(mine)
        seen = np.array([f[mine].ravel() for f in forces[first : first + 2 * size]])
        first += 2 * size
        rows = (seen[1::2] - seen[0::2]) / (2 * step_A)
        out.append(0.5 * (rows + rows.T))
    return out


def _shifted(structure: Structure, atoms: np.ndarray, step_A: float) -> list[Floats]:
    """Positions with each coordinate of the atoms up, then down by a step."""
    found = []
    for atom in atoms:
        for axis in range(3):
            for sign in (1.0, -1.0):
                x = structure.positions.copy()
                x[atom, axis] += sign * step_A
                found.append(x)
    return found
