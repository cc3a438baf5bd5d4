"""The smallest barrier that lets ions percolate through a periodic network of sites and hops."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from simkit.arrays import Floats, Integers, frozen
from simkit.errors import InputError
from simkit.kernels.percolation import first_windings


@dataclass(frozen=True, eq=False)
class Percolation:
    """Per cell axis: barriers_eV (3,), infinite where no hops lead around; bottlenecks (3,) index of the hop that
    closes the way, -1 where there is none."""

    barriers_eV: Floats
    bottlenecks: Integers


def percolation(sites: int, hops: ArrayLike, offsets: ArrayLike, barriers_eV: ArrayLike) -> Percolation:
    """Smallest barrier b such that the hops with barrier <= b connect the network endlessly along a, b and c.

    sites: number of sites in the cell. hops (m, 2): hop k leads from site hops[k, 0] to the image of site
    hops[k, 1] in the cell offsets[k] (m, 3, integers). barriers_eV (m,): of the harder direction, or saddle
    energies above a common zero. A way along (1, 1, 0) counts for a and for b.

    Raises InputError on wrong shapes, a site outside [0, sites), offsets that are no integers, barriers that are
    not finite.
    """
    barriers = frozen(barriers_eV, np.float64, (None,), "barriers_eV")
    ends = frozen(hops, np.int64, (len(barriers), 2), "hops") if len(barriers) else np.empty((0, 2), dtype=np.int64)
    images = np.asarray(offsets, dtype=np.float64).reshape(-1, 3)
    if len(images) != len(barriers) or (images != np.round(images)).any():
        raise InputError(f"offsets of shape {np.shape(offsets)} must be {len(barriers)} rows of three integers.")
    order = np.argsort(barriers, kind="stable")
    first = first_windings(sites, ends[order], images[order].astype(np.int64))
    bottlenecks = np.where(first >= 0, order[first] if len(order) else -1, -1)
    limits = np.where(first >= 0, barriers[bottlenecks] if len(barriers) else np.inf, np.inf)
    return Percolation(limits, bottlenecks)
