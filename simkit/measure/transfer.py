"""From the barriers of representative hops to every hop of a cell: site energies and kinetically resolved barriers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from simkit.arrays import Floats, frozen
from simkit.errors import InputError
from simkit.measure.network import Hops, site_energies


@dataclass(frozen=True, eq=False)
class Transferred:
    """Barriers of many hops and the site energies (n,) they are consistent with.

    misfit_eV, largest_misfit_eV  root mean square and largest difference between what representatives say the sites at
    their ends differ by and what the energies say; raised: hops whose barrier had to be raised to the higher end
    """

    hops: Hops
    energies_eV: Floats
    misfit_eV: float
    largest_misfit_eV: float
    raised: int


def transferred(
    ends: ArrayLike,
    offsets: ArrayLike,
    barriers_eV: ArrayLike,
    energies_eV: ArrayLike | None = None,
    sites: int | None = None,
    attempts_per_s: ArrayLike = 1e13,
) -> Transferred:
    """Hops in detailed balance from the barriers of their classes.

    ends (m, 2); offsets (m, 3); barriers_eV (m, 2) forward and backward of the representative of each hop, in the
    direction of the hop; energies_eV (n,) of an ion on each site, or None: the least-squares answer to the
    representatives' differences (then `sites` says how many there are).

    The barrier of a hop is its class's mean of both directions (the kinetically resolved barrier of Van der Ven,
    Ceder, Asta and Tepesch, Phys. Rev. B 64, 184307, 2001) plus or minus half the difference of the energies at its
    own ends, and never below the higher end. Raises InputError for shapes that do not fit and barriers that are not
    finite.
    """
    pairs = frozen(barriers_eV, np.float64, (None, 2), "barriers_eV")
    joined = frozen(ends, np.int64, (len(pairs), 2), "ends")
    if energies_eV is None and sites is None:
        raise InputError("transferred needs energies_eV, or sites to find them by least squares.")
    count = len(np.asarray(energies_eV)) if energies_eV is not None else int(sites or 0)
    rise = pairs[:, 0] - pairs[:, 1]
    levels = energies_eV if energies_eV is not None else site_energies(count, joined, rise)
    levels = frozen(levels, np.float64, (count,), "energies_eV")
    step = levels[joined[:, 1]] - levels[joined[:, 0]]
    middle = pairs.mean(axis=1)
    raised = middle < 0.5 * np.abs(step)
    middle = np.maximum(middle, 0.5 * np.abs(step))
    both = np.stack([middle + 0.5 * step, middle - 0.5 * step], axis=1)
    off = np.abs(step - rise)
    return Transferred(
        Hops(joined, np.asarray(offsets).reshape(-1, 3), np.maximum(both, 0.0), attempts_per_s),
        levels,
        float(np.sqrt((off**2).mean())) if len(off) else 0.0,
        float(off.max(initial=0.0)),
        int(raised.sum()),
    )


def directed(barriers_eV: ArrayLike, forward: ArrayLike) -> Floats:
    """(m, 2) barriers in the direction of each hop: exchanged where `forward` (m,) is False."""
    pairs = frozen(barriers_eV, np.float64, (None, 2), "barriers_eV")
    return np.where(np.asarray(forward, dtype=bool)[:, None], pairs, pairs[:, ::-1])
