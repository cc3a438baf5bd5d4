"""Whether two ways of computing one model say the same; where not, the faster one is refused with the numbers."""

from __future__ import annotations

import numpy as np

from simkit.errors import SimkitError
from simkit.potential.base import Evaluations

ALLOWED = {np.float32: 1e-4, np.float64: 1e-6}
"""Largest difference from torch in float64: of forces in eV/A, and, a tenth of it, of energies in eV per atom, both
times the largest force where that is above 1 eV/A."""


def refuse_unlike(
    ours: Evaluations, theirs: Evaluations, dtype: type[np.floating], what: str, remedy: str
) -> tuple[float, float, float]:
    """The largest differences of forces eV/A, energies eV/atom and virials eV; both evaluations hold virials.

    Raises SimkitError with these numbers, `what` disagreed ("the kernels and torch") and the remedy.
    """
    scale = max(1.0, np.abs(theirs.forces).max())
    force = np.abs(ours.forces - theirs.forces).max()
    energy = (np.abs(ours.energy - theirs.energy) / np.bincount(theirs.system_of)).max()
    virial = np.abs(ours.virials - theirs.virials).max()
    allowed = ALLOWED[dtype] * scale
    # a virial is a force times at most a cutoff; written so that numbers that are not numbers fail
    if not (force <= allowed and energy <= 0.1 * allowed and virial <= 10.0 * allowed):
        raise SimkitError(
            f"{what} disagree on this MACE model by {force:.1e} eV/A, {energy:.1e} eV/atom and "
            f"{virial:.1e} eV in virials, {allowed:.1e} eV/A is allowed; {remedy}"
        )
    return float(force), float(energy), float(virial)
