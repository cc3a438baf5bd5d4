"""Volume-weighted statistics of a map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from simkit.arrays import Floats, frozen
from simkit.errors import InputError


def volume_percentiles(values: ArrayLike, volumes: ArrayLike, percents: Sequence[float]) -> Floats:
    """Smallest value not exceeded in at least each percentage of the volume.

    values (n,), volumes (n,) above zero, percents in [0, 100]. Raises InputError otherwise.
    """
    values, volumes = _pair(values, volumes)
    wanted = np.asarray(percents, dtype=np.float64)
    if wanted.ndim != 1 or not ((wanted >= 0) & (wanted <= 100)).all():
        raise InputError(f"percents {percents} must be a list of numbers from 0 to 100.")
    order = np.argsort(values)
    filled = np.cumsum(volumes[order]) / volumes.sum()
    # rounding of the cumulative sum must not push an exact percentage past its atom
    index = np.searchsorted(filled, wanted / 100.0 - 1e-12)
    return values[order][np.minimum(index, len(values) - 1)]


def share_above(values: ArrayLike, volumes: ArrayLike, threshold: float) -> float:
    """Share of the volume, 0 to 1, where the value is above the threshold. Raises InputError on wrong shapes."""
    values, volumes = _pair(values, volumes)
    return float(volumes[values > threshold].sum() / volumes.sum())


def volume_mean(values: ArrayLike, volumes: ArrayLike) -> float:
    """Volume-weighted mean. Raises InputError on wrong shapes."""
    values, volumes = _pair(values, volumes)
    return float(values @ volumes / volumes.sum())


def _pair(values: ArrayLike, volumes: ArrayLike) -> tuple[Floats, Floats]:
    values = frozen(values, np.float64, (None,), "values")
    volumes = frozen(volumes, np.float64, (len(values),), "volumes")
    if len(values) == 0 or not (volumes > 0).all():
        raise InputError("statistics need at least one value, and every volume above zero.")
    return values, volumes
