"""Sums over groups: many independent problems in one flat array."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats


@dataclass(frozen=True, eq=False)
class Groups:
    """Which problem each entry of a flat array belongs to.

    of    (d,): [0, entries) -> [0, count)
    count number of groups

    Sums run entry by entry, so a group's result does not depend on which others share the array.
    """

    of: np.ndarray
    count: int

    def dot(self, a: Floats, b: Floats) -> Floats:
        """(count,) inner products of two flat arrays."""
        return np.bincount(self.of, weights=a * b, minlength=self.count)

    def largest(self, a: Floats) -> Floats:
        """(count,) largest absolute entry; inf where a group holds a nan."""
        return largest_by(self.of, np.abs(a), self.count)

    def spread(self, per_group: np.ndarray) -> np.ndarray:
        """(d,) the value of its group for every entry."""
        return per_group[self.of]


def largest_by(of: np.ndarray, values: Floats, count: int) -> Floats:
    """(count,) largest of non-negative `values` by index, 0 for an empty one, inf where there is a nan."""
    out = np.zeros(count)
    np.maximum.at(out, of, np.where(np.isnan(values), np.inf, values))
    return out
