"""Diffusion of many ions on a network of hops by kinetic Monte Carlo, and the exact limit of a single vacancy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from simkit.arrays import Floats, Integers
from simkit.errors import InputError
from simkit.kernels.kinetic import Jumps, Walk, directed_jumps, total_rate_per_s, walk
from simkit.measure.arrhenius import Arrhenius, arrhenius
from simkit.measure.error_bars import Estimate, ratio_of_blocks
from simkit.measure.network import CM2_PER_A2, Network, conductances_per_s, spread_of_walk, vacancy_network
from simkit.units import BOLTZMANN_EV_PER_K


@dataclass(frozen=True)
class KineticSampling:
    """How much to sample: replicas, each about jumps_per_ion jumps long and seen at `frames` equal times.

    lags: the two lags in frames between which the mean squared displacement is taken to be straight. Its
    slope is an upper bound that falls to D as the lags grow past the time of correlated back jumps.
    """

    replicas: int = 32
    jumps_per_ion: float = 200.0
    frames: int = 128
    lags: tuple[int, int] = (8, 32)
    seed: int = 0


@dataclass(frozen=True, eq=False)
class HoppingDiffusion:
    """Tensors (3, 3) in cm^2/s with the standard error of each entry over the replicas.

    tracer: of one ion; collective: of the summed displacement per ion, which carries the charge; haven: tracer
    over collective along x, y and z, None where the collective one does not stand two errors above zero;
    occupation (n,) mean filling of each site and its error; jumps: all of them; duration_s of each replica
    """

    temperature_K: float
    ions: int
    tracer_cm2_per_s: Floats
    tracer_error_cm2_per_s: Floats
    collective_cm2_per_s: Floats
    collective_error_cm2_per_s: Floats
    haven: tuple[Estimate | None, ...]
    occupation: Floats
    occupation_error: Floats
    jumps: int
    duration_s: float


def rates_per_s(network: Network, temperature_K: float) -> Floats:
    """(m, 2) 1/s forward and backward: attempt frequency times exp(-barrier / kT)."""
    if not temperature_K > 0.0:
        raise InputError(f"temperature_K is {temperature_K}; it must be above 0.")
    return network.attempts_per_s[:, None] * np.exp(-network.barriers_eV / (BOLTZMANN_EV_PER_K * temperature_K))


def equilibrium_sites(
    energies_eV: Floats, ions: int, temperature_K: float, draws: int, stream: np.random.Generator
) -> Integers:
    """(draws, ions) occupied sites from the exact canonical distribution of ions that only exclude each other.

    Sites of equal energy form a class; how many ions each class holds is drawn from the sums over the classes that
    follow (elementary symmetric polynomials, in logarithms), then which sites, then which ion sits where.
    """
    levels, member = np.unique(energies_eV, return_inverse=True)
    logs = -(levels - levels[0]) / (BOLTZMANN_EV_PER_K * temperature_K)
    classes = [np.flatnonzero(member == g) for g in range(len(levels))]
    choices = [_log_choices(len(c), min(len(c), ions), w) for c, w in zip(classes, logs, strict=True)]
    tails = [np.full(ions + 1, -np.inf)]
    tails[0][0] = 0.0
    for choice in reversed(choices):
        total = np.full(ions + 1, -np.inf)
        for k, weight in enumerate(choice):
            total[k:] = np.logaddexp(total[k:], tails[0][: ions + 1 - k] + weight)
        tails.insert(0, total)
    out = np.empty((draws, ions), dtype=np.int64)
    for row in out:
        row[:] = _draw_sites(classes, choices, tails, stream)
    return out


def _log_choices(count: int, most: int, weight: float) -> Floats:
    """(most + 1,) ln[count choose k] + k weight."""
    full = math.lgamma(count + 1)
    return np.array([full - math.lgamma(k + 1) - math.lgamma(count - k + 1) + k * weight for k in range(most + 1)])


def _draw_sites(
    classes: list[Integers], choices: list[Floats], tails: list[Floats], stream: np.random.Generator
) -> Integers:
    left, taken = len(tails[0]) - 1, []
    for members, choice, tail in zip(classes, choices, tails[1:], strict=True):
        most = min(len(choice) - 1, left)
        logs = choice[: most + 1] + tail[left - np.arange(most + 1)]
        chance = np.exp(logs - logs.max())
        number = int(stream.choice(most + 1, p=chance / chance.sum()))
        taken.append(stream.choice(members, number, replace=False))
        left -= number
    return stream.permutation(np.concatenate(taken))


def stream_of(seed: int, temperature_K: float, replica: int) -> np.random.Generator:
    """Random numbers of one replica at one temperature (Philox), whoever else runs; replica 0 sets the clock."""
    key = np.random.SeedSequence(seed, spawn_key=(round(temperature_K * 1e6), replica))
    return np.random.Generator(np.random.Philox(key))


def duration_s(network: Network, ions: int, temperature_K: float, sampling: KineticSampling) -> float:
    """Time in which an ion jumps jumps_per_ion times on average, from the mean open rate of equilibrium states.

    Raises InputError where nothing can jump.
    """
    jumps = _jumps(network, temperature_K)
    stream = stream_of(sampling.seed, temperature_K, 0)
    states = equilibrium_sites(network.energies_eV, ions, temperature_K, 64, stream)
    rate = float(np.mean([total_rate_per_s(jumps, state) for state in states]))
    if not rate > 0.0:
        raise InputError(f"no hop is open to {ions} ions on {len(network.positions)} sites; leave some empty.")
    return sampling.jumps_per_ion * ions / rate


def _jumps(network: Network, temperature_K: float) -> Jumps:
    rates = rates_per_s(network, temperature_K)
    return directed_jumps(len(network.positions), network.ends, network.offsets, rates)


def replica(
    network: Network, ions: int, temperature_K: float, times_s: ArrayLike, seed: int = 0, number: int = 1
) -> Walk:
    """Replica `number` (from 1) from an equilibrium state, seen at the given times (f,) s."""
    stream = stream_of(seed, temperature_K, number)
    start = equilibrium_sites(network.energies_eV, ions, temperature_K, 1, stream)[0]
    return walk(_jumps(network, temperature_K), start, times_s, stream)


def hopping_diffusion(
    network: Network, ions: int, temperature_K: float, sampling: KineticSampling | None = None
) -> HoppingDiffusion:
    """Tracer and collective diffusion of `ions` on the sites of the cell, which exclude each other and nothing more.

    The cell must be large enough that its size does not matter: repeat it (`network.repeated`) and compare. Errors
    are standard errors over replicas. Raises InputError for fewer than 1 ion or no empty site, fewer than 2
    replicas, lags out of order, a hop onto the site's own image.
    """
    sampling = sampling or KineticSampling()
    _check(len(network.positions), ions, sampling)
    span = duration_s(network, ions, temperature_K, sampling)
    times = np.linspace(0.0, span, sampling.frames + 1)
    tracer, total, filled, count = [], [], [], 0
    for number in range(1, sampling.replicas + 1):
        seen = replica(network, ions, temperature_K, times, sampling.seed, number)
        places = network.positions[seen.sites] + seen.cells @ network.cell
        tracer.append(_slope(places, sampling.lags, times[1]).mean(axis=0))
        total.append(_slope(places.sum(axis=1, keepdims=True), sampling.lags, times[1])[0] / ions)
        filled.append(seen.filled_s / span)
        count += int(seen.counts.sum())
    own, charge, filled = np.array(tracer) * CM2_PER_A2, np.array(total) * CM2_PER_A2, np.array(filled)
    values = (own.mean(0), _error(own), charge.mean(0), _error(charge), _haven(own, charge))
    return HoppingDiffusion(temperature_K, ions, *values, filled.mean(0), _error(filled), count, span)


def _check(sites: int, ions: int, sampling: KineticSampling) -> None:
    if not 1 <= ions < sites:
        raise InputError(f"{ions} ions on {sites} sites; allowed are 1 to {sites - 1}.")
    if sampling.replicas < 2 or not sampling.jumps_per_ion > 0.0:
        raise InputError("sampling needs 2 replicas or more for an error, and jumps_per_ion above 0.")
    if not 0 <= sampling.lags[0] < sampling.lags[1] <= sampling.frames:
        raise InputError(f"lags {sampling.lags} must rise and lie between 0 and {sampling.frames} frames.")


def _slope(places: Floats, lags: tuple[int, int], frame_s: float) -> Floats:
    """(k, 3, 3) A^2/s: half the slope of <d d^T> of each of k tracks between two lags, over all origins."""
    spreads = []
    for lag in lags:
        moved = places[lag:] - places[: len(places) - lag]
        spreads.append(np.einsum("tia,tib->iab", moved, moved) / len(moved))
    return (spreads[1] - spreads[0]) / (2.0 * (lags[1] - lags[0]) * frame_s)


def _error(values: Floats) -> Floats:
    """Standard error of the mean over the first axis."""
    return values.std(axis=0, ddof=1) / math.sqrt(len(values))


def _haven(tracer: Floats, collective: Floats) -> tuple[Estimate | None, ...]:
    """Ratio along x, y, z from (replicas, 3, 3); None where the collective one does not stand above its error."""
    own, charge = (np.diagonal(x, axis1=1, axis2=2).T for x in (tracer, collective))
    return tuple(
        ratio_of_blocks(a, b) if b.mean() > 2.0 * _error(b) else None for a, b in zip(own, charge, strict=True)
    )


def single_vacancy_cm2_per_s(network: Network, temperature_K: float) -> tuple[Floats, Floats]:
    """(tracer, collective), each (3, 3) cm^2/s per ion: exact for one empty site in this cell, no sampling.

    Collective: the vacancy's own walk, spread over n - 1 ions. Tracer: the walk of the pair (ion, vacancy) over its
    n (n - 1) states, in which only exchanges of the two carry the ion. Above 32 sites these are too many for the
    elimination of `spread_of_walk`, and rates may span 10 decades at most (InputError).
    """
    empty = vacancy_network(network)
    sites = len(empty.positions)
    weights = conductances_per_s(empty, temperature_K)
    collective = spread_of_walk(sites, empty.ends, weights, empty.steps_A) / (sites - 1)
    if (own := empty.ends[:, 0] == empty.ends[:, 1]).any():
        raise InputError(f"hop {int(own.argmax())} leads to the site's own image; repeat the cell first.")
    # node i n + v: ion on i, vacancy on v; an edge for every hop and every place the ion may have
    ion = np.tile(np.arange(sites), len(empty.ends))
    left, right = (np.repeat(empty.ends[:, k], sites) for k in (0, 1))
    swaps = ion == right
    # vacancy from left to right: an ion on right moves to left; an ion on left cannot be beside that vacancy
    kept = ion != left
    nodes = np.stack([ion * sites + left, np.where(swaps, left, ion) * sites + right], axis=1)
    steps = np.where(swaps[:, None], -np.repeat(empty.steps_A, sites, axis=0), 0.0)
    chance = np.repeat(weights, sites) / (sites - 1)
    used, ends = np.unique(nodes[kept], return_inverse=True)
    tracer = spread_of_walk(len(used), ends.reshape(-1, 2), chance[kept], steps[kept])
    return CM2_PER_A2 * tracer, CM2_PER_A2 * collective


def hopping_activation(
    results: Sequence[HoppingDiffusion], kind: str = "tracer", directions: ArrayLike | None = None
) -> tuple[Arrhenius | None, ...]:
    """Arrhenius fit of u.D.u per direction u (k, 3; default x, y, z), from runs at several temperatures.

    kind: "tracer" or "collective". None where ions do not get along: fewer than two temperatures at which D stands
    two errors above zero. The errors of the tensor's entries are taken as fully correlated, which errs upward.
    """
    if kind not in ("tracer", "collective"):
        raise InputError(f"kind is {kind!r}; allowed are 'tracer' and 'collective'.")
    units = np.eye(3) if directions is None else np.asarray(directions, dtype=np.float64).reshape(-1, 3)
    units = units / np.linalg.norm(units, axis=1, keepdims=True)
    along = partial(np.einsum, "a,tab,b->t")
    values = np.array([getattr(r, f"{kind}_cm2_per_s") for r in results])
    errors = np.array([getattr(r, f"{kind}_error_cm2_per_s") for r in results])
    return tuple(_fit(results, along(u, values, u), along(abs(u), errors, abs(u))) for u in units)


def _fit(results: Sequence[HoppingDiffusion], values: Floats, errors: Floats) -> Arrhenius | None:
    clear = np.flatnonzero((values > 2.0 * errors) & (errors > 0.0))
    temperatures = [results[k].temperature_K for k in clear]
    if len(set(temperatures)) < 2:
        return None
    found = [Estimate(float(values[k]), float(errors[k])) for k in clear]
    return arrhenius(temperatures, found)
