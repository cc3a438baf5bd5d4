"""Stress by region: per slab and gallery, per phase, per distance from an interface; tensors, scalars and shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from simkit.arrays import Floats, frozen, symmetric
from simkit.errors import InputError
from simkit.measure.statistics import share_above, volume_mean, volume_percentiles
from simkit.measure.tensors import hydrostatic, principal_axes, von_mises

PERCENTS = (50, 95, 99)


@dataclass(frozen=True, eq=False)
class RegionStress:
    """Stress of one region of a cell, GPa, tensile positive.

    atoms, volume_A3 of the region; mean_GPa (3, 3) volume-averaged tensor, of which hydrostatic_GPa, von_mises_of_mean,
    principal_GPa (3,) smallest first and directions (3, 3), one in each row; mean, p50, p95, p99 and share (above the
    threshold) are those of the von Mises stress of the atoms' field
    """

    name: str
    atoms: int
    volume_A3: float
    mean_GPa: Floats
    von_mises_mean_GPa: float
    von_mises_p50_GPa: float
    von_mises_p95_GPa: float
    von_mises_p99_GPa: float
    share: float

    @property
    def hydrostatic_GPa(self) -> float:
        """Mean of the diagonal of the averaged tensor."""
        return float(hydrostatic(self.mean_GPa))

    @property
    def von_mises_of_mean_GPa(self) -> float:
        """Von Mises stress of the averaged tensor: what the region as a whole carries."""
        return float(von_mises(self.mean_GPa))

    @property
    def principal(self) -> tuple[Floats, Floats]:
        """Principal stresses (3,), smallest first, and their directions (3, 3), one in each row."""
        return principal_axes(self.mean_GPa)


def stress_by_region(
    stress_GPa: ArrayLike, volumes: ArrayLike, names: Sequence[str], threshold_GPa: float
) -> list[RegionStress]:
    """One record for each name, in order of first appearance.

    stress_GPa (n, 3, 3) of the atoms, volumes (n,) A^3, names (n,) which region each atom belongs to, "" for none.
    Raises InputError on wrong shapes or where no atom belongs to a region.
    """
    volumes = frozen(volumes, np.float64, (None,), "volumes")
    stress = symmetric(frozen(stress_GPa, np.float64, (len(volumes), 3, 3), "stress_GPa"))
    words = np.asarray(names)
    if words.shape != volumes.shape:
        raise InputError(f"{words.shape} names for {len(volumes)} atoms; one each is needed.")
    regions = [name for name in dict.fromkeys(words.tolist()) if name]
    if not regions:
        raise InputError("no atom belongs to a region; name at least one.")
    return [_region(name, stress[words == name], volumes[words == name], threshold_GPa) for name in regions]


def _region(name: str, stress: Floats, volumes: Floats, threshold: float) -> RegionStress:
    scalar = von_mises(stress)
    p50, p95, p99 = volume_percentiles(scalar, volumes, PERCENTS)
    mean = np.einsum("n,nij->ij", volumes, stress) / volumes.sum()
    return RegionStress(
        name, len(volumes), float(volumes.sum()), mean, volume_mean(scalar, volumes), float(p50), float(p95),
        float(p99), share_above(scalar, volumes, threshold),
    )  # fmt: skip


def distance_to_planes_A(heights_A: ArrayLike, planes_A: ArrayLike, period_A: float) -> Floats:
    """(n,) distance of heights from the nearest of several planes, periodic. Raises InputError without planes."""
    planes = np.atleast_1d(np.asarray(planes_A, dtype=np.float64))
    if planes.size == 0 or not period_A > 0:
        raise InputError(f"{planes.size} planes in a period of {period_A} A; give at least one, and a period above 0.")
    apart = np.asarray(heights_A, dtype=np.float64)[:, None] - planes[None, :]
    return np.abs(apart - period_A * np.round(apart / period_A)).min(axis=1)


def distance_bins(distances_A: ArrayLike, width_A: float) -> list[str]:
    """(n,) name of the bin each distance falls into, as "0-2 A". Raises InputError for a width not above zero."""
    if not width_A > 0:
        raise InputError(f"width_A = {width_A}; it must be above zero.")
    lower = np.floor(np.asarray(distances_A) / width_A + 1e-9).astype(int)
    return [f"{k * width_A:g}-{(k + 1) * width_A:g} A" for k in lower.tolist()]
