"""The smallest barrier that percolates: along the axes, within a region, from one region to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from simkit.arrays import Floats, Integers, frozen
from simkit.errors import InputError
from simkit.kernels.percolation import first_windings
from simkit.measure.network import Network, whole_offsets


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
    images = whole_offsets(offsets, len(barriers))
    order = np.argsort(barriers, kind="stable")
    first = first_windings(sites, ends[order], images[order])
    bottlenecks = np.where(first >= 0, order[first] if len(order) else -1, -1)
    limits = np.where(first >= 0, barriers[bottlenecks] if len(barriers) else np.inf, np.inf)
    return Percolation(limits, bottlenecks)


def percolation_within(network: Network, within: ArrayLike | None = None, by: str = "saddle") -> Percolation:
    """Smallest barrier that percolates along a, b, c through the sites `within` (all; a mask or indices).

    by "saddle": highest saddle on the way above the lowest of these sites, the activation energy of a lone ion at
    low temperature; by "hop": the hardest single hop, taken in its harder direction. One phase: its sites; along an
    interface: the sites beside it, read along a and b. Bottlenecks index network.ends and network.names.
    """
    kept, levels = _levels(network, within, by)
    found = percolation(len(network.positions), network.ends[kept], network.offsets[kept], levels)
    hops = np.array([kept[k] if k >= 0 else -1 for k in found.bottlenecks], dtype=np.int64)
    return Percolation(found.barriers_eV, hops)


def percolation_by_label(network: Network, labels: Sequence[str], by: str = "saddle") -> dict[str, Percolation]:
    """`percolation_within` for the sites of each label (n,), for example the phases."""
    tags = np.asarray(labels)
    if tags.shape != (len(network.positions),):
        raise InputError(f"labels have shape {tags.shape}; give one for each of {len(network.positions)} sites.")
    return {str(tag): percolation_within(network, tags == tag, by) for tag in np.unique(tags)}


def crossing(
    network: Network, start: ArrayLike, end: ArrayLike, within: ArrayLike | None = None, by: str = "saddle"
) -> tuple[float, int]:
    """Smallest barrier (eV) over which some site of `start` reaches some site of `end`, and the hop that decides it.

    For example from one phase to the other, across their interface. start, end, within: masks or indices of sites,
    start and end inside within. (inf, -1) where no way exists. Raises InputError where start and end share a site.
    """
    sites = len(network.positions)
    sources, sinks = _chosen(start, sites), _chosen(end, sites)
    if np.intersect1d(sources, sinks).size or not sources.size or not sinks.size:
        raise InputError("start and end must be sites of the network, some of each and none in both.")
    kept, levels = _levels(network, within, by)
    # two more nodes, joined to each other around a ring and to their sites: the ring closes when the two sides meet
    ring = [[sites, sites + 1], *([sites, i] for i in sources), *([sites + 1, i] for i in sinks)]
    ends = np.concatenate([np.array(ring), network.ends[kept]])
    offsets = np.zeros((len(ends), 3))
    offsets[0, 0] = 1
    low = min(levels.min(initial=0.0), 0.0) - 1.0
    found = percolation(sites + 2, ends, offsets, np.concatenate([np.full(len(ring), low), levels]))
    hop = int(found.bottlenecks[0])
    return float(found.barriers_eV[0]), int(kept[hop - len(ring)]) if hop >= 0 else -1


def _levels(network: Network, within: ArrayLike | None, by: str) -> tuple[Integers, Floats]:
    """Hops with both ends inside, and their levels in eV."""
    sites = len(network.positions)
    inside = np.zeros(sites, dtype=np.bool_)
    inside[np.arange(sites) if within is None else _chosen(within, sites)] = True
    kept = np.flatnonzero(inside[network.ends].all(axis=1))
    if by == "hop":
        return kept, network.barriers_eV.max(axis=1)[kept]
    if by == "saddle":
        return kept, network.saddles_eV[kept] - network.energies_eV[inside].min(initial=np.inf)
    raise InputError(f"by is {by!r}; allowed are 'saddle' and 'hop'.")


def _chosen(sites: ArrayLike, count: int) -> Integers:
    """Indices from a mask or from indices. Raises InputError for either that does not fit the network."""
    given = np.asarray(sites)
    if given.dtype == np.bool_ and given.shape == (count,):
        return np.flatnonzero(given)
    if given.ndim != 1 or given.dtype.kind not in "iu" or (given.size and (given.min() < 0 or given.max() >= count)):
        raise InputError(f"sites must be a mask of {count} entries or indices from 0 to {count - 1}.")
    return np.unique(given).astype(np.int64)
