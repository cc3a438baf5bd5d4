"""Error bars of averages over ions and stretches of time, where neither need be independent of one another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from simkit.arrays import Floats, frozen
from simkit.errors import InputError

CONFIDENCE = 0.95
"""What lies between `lower` and `upper` of an estimate."""


@dataclass(frozen=True)
class Estimate:
    """A number with its standard error, known from `freedom` independent differences (infinite: known exactly)."""

    value: float
    error: float
    freedom: float = float("inf")

    @property
    def reach(self) -> float:
        """Half the width of the 95 % interval: Student's t of the freedom times the standard error."""
        return self.error * float(stdtrit(min(self.freedom, 1e9), 0.5 + 0.5 * CONFIDENCE))

    @property
    def lower(self) -> float:
        """Lower end of the 95 % interval."""
        return self.value - self.reach

    @property
    def upper(self) -> float:
        """Upper end of the 95 % interval."""
        return self.value + self.reach

    def times(self, factor: float) -> Estimate:
        """The estimate in another unit."""
        return Estimate(self.value * factor, self.error * abs(factor), self.freedom)


def mean_of_blocks(table: ArrayLike) -> Estimate:
    """Mean of a (blocks of time, ions) table with the error of a block bootstrap over time and over ions.

    Resampling single entries, whole blocks or whole ions gives three variances; as the statistic is a mean, each has
    the closed form of infinitely many resamplings. Those of blocks and of ions exceed that of single entries where
    the ions of one block, or the blocks of one ion, are alike, and the excesses add up (Cameron, Gelbach and Miller,
    J. Bus. Econ. Stat. 29, 238 (2011)); a negative sum of excesses is chance and left out. The freedom is
    Satterthwaite's. One ion alone is allowed, as for the charge.

    Raises InputError on fewer than two blocks or numbers that are not finite.
    """
    table = frozen(table, np.float64, (None, None), "the table of blocks and ions")
    blocks, ions = table.shape
    if blocks < 2 or ions < 1:
        raise InputError(f"a table of {blocks} blocks and {ions} ions; an error bar needs 2 blocks and an ion.")
    single = _variance(table.ravel())
    together = _variance(table.mean(axis=1)) - single
    lasting = _variance(table.mean(axis=0)) - single if ions > 1 else 0.0
    excess = max(together + lasting, 0.0)
    total = single + excess
    # of few ions, `lasting` is known from ions - 1 differences only, `together` from blocks - 1
    noise = single**2 / (table.size - 1)
    if excess > 0:
        noise += together**2 / (blocks - 1) + lasting**2 / max(ions - 1, 1)
    freedom = total**2 / noise if noise > 0 else float(table.size - 1)
    return Estimate(float(table.mean()), float(np.sqrt(total)), float(freedom))


def ratio_of_blocks(above: ArrayLike, below: ArrayLike) -> Estimate:
    """mean(above) / mean(below) of values from the same blocks of time, their correlation counted (delta method).

    above, below (blocks,). Raises InputError on different lengths, fewer than two blocks, or a mean of zero below.
    """
    above = frozen(above, np.float64, (None,), "above")
    below = frozen(below, np.float64, (len(above),), "below")
    if len(above) < 2 or below.mean() == 0.0:
        raise InputError("a ratio needs at least two blocks and a denominator other than zero.")
    ratio = above.mean() / below.mean()
    rest = (above - ratio * below) / below.mean()
    return Estimate(float(ratio), float(np.sqrt(_variance(rest))), len(above) - 1.0)


def _variance(values: Floats) -> float:
    """Variance of the mean of independent values."""
    return float(values.var(ddof=1) / len(values))
