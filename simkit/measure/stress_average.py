"""Stress averaged over molecular dynamics, with the kinetic part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from simkit.arrays import Floats, frozen
from simkit.elements import MASSES_AMU
from simkit.errors import InputError
from simkit.potential.base import Evaluation
from simkit.structure import Structure
from simkit.units import FEMTOSECOND


def kinetic_virials(numbers: ArrayLike, velocities_A_per_fs: ArrayLike) -> Floats:
    """(n, 3, 3) eV: minus m v v of each atom, what its motion adds to its virial (compressive)."""
    velocities = np.asarray(velocities_A_per_fs, dtype=np.float64) / FEMTOSECOND
    masses = np.asarray(MASSES_AMU)[np.asarray(numbers)]
    return -masses[:, None, None] * velocities[:, :, None] * velocities[:, None, :]


def averaged(
    structures: Sequence[Structure], evaluations: Sequence[Evaluation], velocities_A_per_fs: Sequence[ArrayLike]
) -> tuple[Structure, Evaluation]:
    """Mean structure and mean evaluation of frames of one cell: virials with their kinetic part, stress to match.

    sigma_i = < W_i - m v v > / V. Positions are unwrapped along the run, so their mean is a place. Raises InputError
    for no frames, lists of unequal length, frames without virials or with cells that change.
    """
    if not len(structures) == len(evaluations) == len(velocities_A_per_fs) or not len(structures):
        raise InputError(f"{len(structures)} frames, {len(evaluations)} evaluations: give one each, at least one.")
    first = structures[0]
    if any(np.abs(s.cell - first.cell).max() > 1e-9 for s in structures):
        raise InputError("the cell changes along the frames; stress is averaged at a fixed cell.")
    parts = []
    for s, e, v in zip(structures, evaluations, velocities_A_per_fs, strict=True):
        if e.virials is None:
            raise InputError("a frame holds no atomic virials; evaluate it with virials=True.")
        parts.append(e.virials + kinetic_virials(s.numbers, v))
    virials = frozen(np.mean(parts, axis=0), np.float64, (len(first), 3, 3), "virials")
    place = np.mean([s.positions for s in structures], axis=0)
    energy = float(np.mean([e.energy for e in evaluations]))
    forces = np.mean([e.forces for e in evaluations], axis=0)
    stress = np.einsum("nij->ij", virials) / first.volume
    return first.moved_to(place), Evaluation(energy, forces, 0.5 * (stress + stress.T), virials)
