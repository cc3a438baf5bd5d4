"""Scalars of a stress tensor."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from simkit.arrays import Floats, symmetric
from simkit.errors import InputError


def hydrostatic(stress: ArrayLike) -> Floats:
    """Mean of the diagonal, (..., 3, 3) to (...), in the unit given; tensile positive (minus the pressure)."""
    return np.trace(_tensors(stress), axis1=-2, axis2=-1) / 3.0


def deviator(stress: ArrayLike) -> Floats:
    """Symmetric stress less its hydrostatic part, (..., 3, 3)."""
    tensors = symmetric(_tensors(stress))
    return tensors - hydrostatic(tensors)[..., None, None] * np.eye(3)


def von_mises(stress: ArrayLike) -> Floats:
    """sqrt(3/2 s:s) with s the deviator, (..., 3, 3) to (...), in the unit given."""
    s = deviator(stress)
    return np.sqrt(1.5 * np.einsum("...ij,...ij->...", s, s))


def principal(stress: ArrayLike) -> Floats:
    """Principal stresses, smallest first, (..., 3, 3) to (..., 3), in the unit given."""
    return np.linalg.eigvalsh(symmetric(_tensors(stress)))


def principal_axes(stress: ArrayLike) -> tuple[Floats, Floats]:
    """Principal stresses (..., 3), smallest first, and their unit directions (..., 3, 3), one in each row.

    A direction has no sense: its largest component is made positive. Of equal stresses any directions across serve.
    """
    values, columns = np.linalg.eigh(symmetric(_tensors(stress)))
    rows = np.swapaxes(columns, -1, -2)
    largest = np.take_along_axis(rows, np.argmax(np.abs(rows), axis=-1)[..., None], axis=-1)
    return values, rows * np.where(largest < 0, -1.0, 1.0)


def _tensors(stress: ArrayLike) -> Floats:
    tensors = np.asarray(stress, dtype=np.float64)
    if tensors.ndim < 2 or tensors.shape[-2:] != (3, 3):
        raise InputError(f"a stress of shape {tensors.shape} was given; (..., 3, 3) is wanted.")
    return tensors
