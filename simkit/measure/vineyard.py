"""Attempt frequencies of hops from second derivatives: harmonic transition state theory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from simkit.arrays import Floats, frozen
from simkit.errors import InputError
from simkit.units import FEMTOSECOND


@dataclass(frozen=True)
class Attempts:
    """Attempt frequencies of a hop from either end, 1/s; None where a state is not what it should be.

    negative_start, negative_top, negative_end  directions of negative curvature of each state: 0, 1 and 0 for two
    minima and a first-order saddle
    """

    forward_per_s: float | None
    backward_per_s: float | None
    negative_start: int
    negative_top: int
    negative_end: int

    @property
    def mean_per_s(self) -> float | None:
        """Geometric mean of both directions, None where one is not known."""
        if self.forward_per_s is None or self.backward_per_s is None:
            return None
        return float(np.sqrt(self.forward_per_s * self.backward_per_s))


def frequencies_per_s(hessian_eV_per_A2: ArrayLike, masses_amu: ArrayLike) -> Floats:
    """(3 k,) rising, 1/s: square roots of the eigenvalues of M^-1/2 H M^-1/2 over 2 pi; negative for imaginary ones.

    Raises InputError for shapes that do not fit and masses that are not positive.
    """
    masses = frozen(masses_amu, np.float64, (None,), "masses_amu")
    hessian = frozen(hessian_eV_per_A2, np.float64, (3 * len(masses), 3 * len(masses)), "hessian_eV_per_A2")
    if not (masses > 0).all():
        raise InputError(f"masses_amu reach {masses.min()}; they must be positive.")
    root = np.repeat(1.0 / np.sqrt(masses), 3)
    values = np.linalg.eigvalsh(hessian * root[:, None] * root[None, :])
    per_s = 1e15 * FEMTOSECOND
    return np.sign(values) * np.sqrt(np.abs(values)) * per_s / (2 * np.pi)


def attempts(start: ArrayLike, top: ArrayLike, end: ArrayLike, masses_amu: ArrayLike) -> Attempts:
    """Vineyard's frequencies: product over the modes of a minimum by that over the stable modes of the saddle.

    Vineyard, J. Phys. Chem. Solids 3, 121 (1957). start, top, end: (3 k, 3 k) eV/A^2 of the same k atoms in that order.
    """
    modes = [frequencies_per_s(h, masses_amu) for h in (start, top, end)]
    below = [int((m < 0).sum()) for m in modes]
    if below[1] != 1:
        return Attempts(None, None, *below)
    saddle = float(np.log(modes[1][1:]).sum())
    rates = [float(np.exp(np.log(m).sum() - saddle)) if not n else None for m, n in zip(modes, below, strict=True)]
    return Attempts(rates[0], rates[2], *below)
