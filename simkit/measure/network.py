"""A periodic network of sites and hops: energies, the smallest barrier that percolates, diffusion of a lone ion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import coo_array, csc_array, diags_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from simkit.arrays import Floats, Integers, frozen
from simkit.errors import InputError
from simkit.kernels.kinetic import least_dissipation
from simkit.units import BOLTZMANN_EV_PER_K

CM2_PER_A2 = 1e-16
DENSE_NODES = 1000
"""Above this a dense elimination would take longer than seconds."""


@dataclass(frozen=True, eq=False)
class Hops:
    """Hops as a band calculation gives them.

    ends (m, 2): hop k leads from site ends[k, 0] to the image of site ends[k, 1] in cell offsets[k] (m, 3, integers);
    barriers_eV (m, 2) forward and backward; attempts_per_s one number or (m,); names (m,) or empty
    """

    ends: ArrayLike
    offsets: ArrayLike
    barriers_eV: ArrayLike
    attempts_per_s: ArrayLike = 1e13
    names: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Network:
    """Sites and hops in detailed balance: the barrier out of site i over hop k is saddles_eV[k] - energies_eV[i].

    cell (3, 3) A, vectors in rows; positions (n, 3) A; energies_eV (n,) of an ion on each site; ends (m, 2);
    offsets (m, 3) integers; saddles_eV (m,) above the same zero; attempts_per_s (m,); names (m,)
    """

    cell: Floats
    positions: Floats
    energies_eV: Floats
    ends: Integers
    offsets: Integers
    saddles_eV: Floats
    attempts_per_s: Floats
    names: tuple[str, ...]

    @property
    def steps_A(self) -> Floats:
        """(m, 3) displacement of each forward hop, A."""
        return self.positions[self.ends[:, 1]] + self.offsets @ self.cell - self.positions[self.ends[:, 0]]

    @property
    def barriers_eV(self) -> Floats:
        """(m, 2) barriers forward and backward, eV."""
        return self.saddles_eV[:, None] - self.energies_eV[self.ends]


def whole_offsets(offsets: ArrayLike, rows: int) -> Integers:
    """(rows, 3) integers. Raises InputError for another shape or numbers that are not whole."""
    images = np.asarray(offsets, dtype=np.float64).reshape(-1, 3)
    if len(images) != rows or (images != np.round(images)).any():
        raise InputError(f"offsets of shape {np.shape(offsets)} must be {rows} rows of three integers.")
    return images.astype(np.int64)


def connect(
    cell: ArrayLike, positions: ArrayLike, hops: Hops, energies_eV: ArrayLike | None = None, tolerance_eV: float = 1e-3
) -> Network:
    """The network of these hops, one energy per site and one saddle per hop.

    Forward minus backward barrier is the difference of the site energies. Without energies_eV (n,) they are the
    least-squares answer to that, each connected part with its lowest site at zero. A saddle is the mean of what its
    two sides say. Raises InputError where shapes do not fit, where a barrier is negative or an attempt frequency not
    positive, and where a hop disagrees with the site energies by more than tolerance_eV: around some loop the
    barriers then do not add up and no temperature could keep detailed balance.
    """
    barriers = frozen(hops.barriers_eV, np.float64, (None, 2), "barriers_eV")
    places = frozen(positions, np.float64, (None, 3), "positions")
    ends = frozen(hops.ends, np.int64, (len(barriers), 2), "ends")
    offsets = whole_offsets(hops.offsets, len(barriers))
    attempts = np.broadcast_to(np.asarray(hops.attempts_per_s, dtype=np.float64), (len(barriers),))
    _check_hops(len(places), ends, barriers, attempts, hops.names)
    rise = barriers[:, 0] - barriers[:, 1]
    energies = site_energies(len(places), ends, rise) if energies_eV is None else energies_eV
    energies = frozen(energies, np.float64, (len(places),), "energies_eV")
    misfit = np.abs(energies[ends[:, 1]] - energies[ends[:, 0]] - rise)
    if len(misfit) and misfit.max() > tolerance_eV:
        k = int(misfit.argmax())
        raise InputError(
            f"hop {k} ({ends[k, 0]} to {ends[k, 1]}) misses the site energies by {misfit[k]:.4f} eV; allowed are "
            f"{tolerance_eV} eV. Relax every end site once and share it among its hops, or raise tolerance_eV."
        )
    names = hops.names or tuple(f"{i} to {j} {o.tolist()}" for (i, j), o in zip(ends, offsets, strict=True))
    saddles = (energies[ends] + barriers).mean(axis=1)
    return Network(frozen(cell, np.float64, (3, 3), "cell"), places, energies, ends, offsets, saddles, attempts, names)


def _check_hops(sites: int, ends: Integers, barriers: Floats, attempts: Floats, names: tuple[str, ...]) -> None:
    if len(ends) and (ends.min() < 0 or ends.max() >= sites):
        raise InputError(f"hops name sites {ends.min()} to {ends.max()}; allowed are 0 to {sites - 1}.")
    if (barriers < 0.0).any():
        raise InputError(f"barriers_eV reach {barriers.min()} eV; a saddle lies above both of its ends.")
    if not (np.isfinite(attempts).all() and (attempts > 0.0).all()):
        raise InputError("attempts_per_s must be positive and finite, for example 1e13.")
    if names and len(names) != len(ends):
        raise InputError(f"{len(names)} names for {len(ends)} hops; give one each or none.")


def site_energies(sites: int, ends: Integers, rise: Floats) -> Floats:
    """(n,) eV: least squares of e_j - e_i = rise, each connected part with its lowest site at zero."""
    energies = potentials(sites, ends, np.ones(len(ends)), -rise[:, None])[:, 0]
    part = _parts(sites, ends)
    lowest = np.full(sites, np.inf)
    np.minimum.at(lowest, part, energies)
    return energies - lowest[part]


def _parts(sites: int, ends: Integers) -> Integers:
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(sites, sites))
    return connected_components(graph, directed=False)[1]


def potentials(nodes: int, ends: Integers, weights: Floats, steps: Floats) -> Floats:
    """(n, k) numbers x that make sum over edges of w |x_j - x_i + step|^2 smallest, zero at one node of each part.

    ends (m, 2); weights (m,) positive; steps (m, k). One sparse factorisation of the network's Laplacian.
    """
    out = np.zeros((nodes, steps.shape[1]))
    _, held = np.unique(_parts(nodes, ends), return_index=True)
    free = np.setdiff1d(np.arange(nodes), held)
    if not free.size:
        return out
    rows = np.repeat(np.arange(len(ends)), 2)
    signs = np.tile([-1.0, 1.0], len(ends))
    slope = coo_array((signs, (rows, ends.reshape(-1))), shape=(len(ends), nodes)).tocsc()[:, free]
    matrix = slope.T @ (diags_array(weights) @ slope)
    # a unit diagonal before the factorisation takes out the scale of each node
    scale = diags_array(1.0 / np.sqrt(matrix.diagonal()))
    right = scale @ (slope.T @ (weights[:, None] * steps))
    out[free] = -(scale @ splu(csc_array(scale @ matrix @ scale)).solve(right))
    return out


def spread_of_walk(nodes: int, ends: Integers, conductances: Floats, steps: Floats) -> Floats:
    """(3, 3) diffusion tensor of a reversible walk: sum over edges of c g g^T with g = step + x_j - x_i.

    conductances (m,): probability of a node times the rate out of it over the edge, the same from both sides, with
    probabilities that sum to one; steps (m, 3). The walk's long-time diffusion is the least dissipation over all
    shifts x of the nodes (Kipnis and Varadhan, Commun. Math. Phys. 104, 1, 1986). Units: steps^2 times rate.
    Up to DENSE_NODES by elimination; above by a sparse factorisation, which raises InputError where conductances
    span more than 10 decades and its digits would be lost.
    """
    if nodes <= DENSE_NODES:
        return least_dissipation(nodes, ends, conductances, steps)
    open_ = conductances > 0.0
    ends, weights, steps = ends[open_], conductances[open_], steps[open_]
    if len(weights) and weights.max() > 1e10 * weights.min():
        raise InputError(
            f"{nodes} states and rates that span {np.log10(weights.max() / weights.min()):.0f} decades; take at most "
            f"{DENSE_NODES} states, or a higher temperature."
        )
    shift = potentials(nodes, ends, weights, steps)
    moves = steps + shift[ends[:, 1]] - shift[ends[:, 0]]
    return (weights[:, None] * moves).T @ moves


def conductances_per_s(network: Network, temperature_K: float) -> Floats:
    """(m,) 1/s: Boltzmann probability of a site times the rate over the hop, for one ion alone in the cell.

    Raises InputError for a temperature that is not positive.
    """
    if not temperature_K > 0.0:
        raise InputError(f"temperature_K is {temperature_K}; it must be above 0.")
    heat = BOLTZMANN_EV_PER_K * temperature_K
    zero = network.energies_eV.min()
    passing = network.attempts_per_s * np.exp(-(network.saddles_eV - zero) / heat)
    if len(passing) and not passing.max() > 0.0:
        raise InputError(f"at {temperature_K} K every rate is below the smallest number; take a higher temperature.")
    return passing / np.exp(-(network.energies_eV - zero) / heat).sum()


def single_ion_cm2_per_s(network: Network, temperature_K: float) -> Floats:
    """(3, 3) cm^2/s: exact diffusion tensor of one ion alone in the endless network, no sampling."""
    weights = conductances_per_s(network, temperature_K)
    return CM2_PER_A2 * spread_of_walk(len(network.positions), network.ends, weights, network.steps_A)


def vacancy_network(network: Network) -> Network:
    """The network on which the one empty site of a full cell walks: a hop of an ion is its step the other way.

    Taking an ion off a site costs minus the site's energy, so e' = -e and saddle' = saddle - e_i - e_j.
    """
    saddles = network.saddles_eV - network.energies_eV[network.ends].sum(axis=1)
    parts = (network.ends, network.offsets, saddles, network.attempts_per_s, network.names)
    return Network(network.cell, network.positions, -network.energies_eV, *parts)


def repeated(network: Network, times: Sequence[int]) -> Network:
    """The same endless network in a cell repeated (p, q, r) times; site i of repeat c is i + n c.

    Raises InputError unless `times` are three whole numbers from 1 up.
    """
    counts = np.array(times)
    if counts.shape != (3,) or counts.dtype.kind not in "iu" or (counts < 1).any():
        raise InputError(f"times is {times!r}; give three whole numbers from 1 up.")
    cells = np.stack(np.unravel_index(np.arange(counts.prod()), counts), axis=1)
    sites = len(network.positions)
    reached = (cells[:, None] + network.offsets[None]).reshape(-1, 3)
    index = np.ravel_multi_index(tuple((reached % counts).T), counts)
    leave = (np.arange(len(cells))[:, None] * sites + network.ends[:, 0]).reshape(-1)
    reach = index * sites + np.tile(network.ends[:, 1], len(cells))
    places = (network.positions[None] + (cells @ network.cell)[:, None]).reshape(-1, 3)
    saddles, attempts = (np.tile(x, len(cells)) for x in (network.saddles_eV, network.attempts_per_s))
    energies, ends = np.tile(network.energies_eV, len(cells)), np.stack([leave, reach], axis=1)
    box = network.cell * counts[:, None]
    return Network(box, places, energies, ends, reached // counts, saddles, attempts, network.names * len(cells))


def part_of(network: Network, within: ArrayLike) -> Network:
    """The sites `within` (a mask) and the hops that stay among them; the cell is unchanged.

    Raises InputError for a mask that does not fit or holds no site.
    """
    mask = np.asarray(within)
    if mask.dtype != np.bool_ or mask.shape != (len(network.positions),) or not mask.any():
        raise InputError(f"within must be a mask of {len(network.positions)} entries with some of them set.")
    kept = np.flatnonzero(mask[network.ends].all(axis=1))
    number = np.cumsum(mask) - 1
    names = tuple(network.names[k] for k in kept)
    parts = (number[network.ends[kept]], network.offsets[kept], network.saddles_eV[kept], network.attempts_per_s[kept])
    return Network(network.cell, network.positions[mask], network.energies_eV[mask], *parts, names)
