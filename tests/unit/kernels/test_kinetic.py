"""Jumps of many ions against the master equation of the whole configuration, and what no jump may break."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy.linalg import expm

from simkit.errors import InputError
from simkit.kernels.kinetic import directed_jumps, total_rate_per_s, walk

HOPS = np.array([[0, 1], [1, 2], [2, 3], [3, 0], [0, 2], [0, 1]])
OFFSETS = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0], [1, 0, 0], [0, 0, -1], [-1, 0, 0]])


def stream(number):
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(5, spawn_key=(number,))))


def network(seed=3):
    """Four sites, six hops (two of them between the same pair), rates that keep no detailed balance."""
    rates = np.random.default_rng(seed).uniform(0.2, 3.0, (len(HOPS), 2))
    return rates, directed_jumps(4, HOPS, OFFSETS, rates)


def master_equation(rates, ions):
    """Labelled configurations and the generator of their Markov chain, written out by hand."""
    states = list(permutations(range(4), ions))
    index = {s: k for k, s in enumerate(states)}
    generator = np.zeros((len(states), len(states)))
    for state in states:
        for (i, j), (forth, back) in zip(HOPS.tolist(), rates, strict=True):
            for a, b, rate in ((i, j, forth), (j, i, back)):
                if a in state and b not in state:
                    moved = tuple(b if x == a else x for x in state)
                    generator[index[state], index[moved]] += rate
    np.fill_diagonal(generator, -generator.sum(axis=1))
    return states, index, generator


@pytest.mark.parametrize("ions", [1, 2, 3])
def test_transient_distribution_obeys_the_master_equation(ions):
    """Probabilities at two times after a known start; 4000 replicas, each cell within 4.5 standard errors."""
    rates, jumps = network()
    states, index, generator = master_equation(rates, ions)
    start, times, replicas = tuple(range(ions)), [0.15, 0.6], 4000
    seen = np.zeros((2, len(states)))
    for k in range(replicas):
        for frame, sites in enumerate(walk(jumps, start, times, stream(k)).sites):
            seen[frame, index[tuple(int(s) for s in sites)]] += 1
    for frame, time in enumerate(times):
        chance = expm(generator * time)[index[start]]
        error = np.sqrt(chance * (1.0 - chance) / replicas)
        assert (np.abs(seen[frame] / replicas - chance) < 4.5 * error + 1e-12).all()


def test_time_spent_and_jumps_made_follow_the_stationary_state():
    """Long run of three ions: filling within 1 % (about 2e5 jumps: error 0.3 %), counts = rate x time open."""
    rates, jumps = network()
    states, _, generator = master_equation(rates, 3)
    values, vectors = np.linalg.eig(generator.T)
    stationary = np.real(vectors[:, np.argmin(np.abs(values))])
    stationary /= stationary.sum()
    span = 6e4
    done = walk(jumps, [0, 1, 2], [span], stream(1))
    filled = [sum(p for s, p in zip(states, stationary, strict=True) if i in s) for i in range(4)]
    np.testing.assert_allclose(done.filled_s / span, filled, rtol=1e-2)
    np.testing.assert_allclose(done.filled_s.sum(), 3 * span, rtol=1e-12)
    flow = sum(p * sum(r for r in row if r > 0) for p, row in zip(stationary, generator, strict=True)) * span
    np.testing.assert_allclose(done.counts.sum(), flow, rtol=1e-2)


def test_ions_in_a_ring_never_pass_each_other():
    """Single file, unwrapped by the vectors crossed: the order on the endless line is kept, and no site is shared."""
    sites, ions = 12, 5
    ring = np.stack([np.arange(sites), (np.arange(sites) + 1) % sites], axis=1)
    offsets = np.zeros((sites, 3), dtype=int)
    offsets[-1, 0] = 1
    jumps = directed_jumps(sites, ring, offsets, np.tile([2.0, 0.5], (sites, 1)))
    done = walk(jumps, [0, 2, 3, 7, 9], np.linspace(0.0, 200.0, 400), stream(2))
    line = done.sites + sites * done.cells[:, :, 0]
    assert (np.diff(line, axis=1) > 0).all() and (line[:, 0] + sites > line[:, -1]).all()
    assert line[-1].mean() > 5 * sites
    # sum of all steps is forward minus backward jumps: the last frame lies at the end of the last jump counted
    forward = jumps.order < sites
    assert line[-1].sum() - line[0].sum() == done.counts[forward].sum() - done.counts[~forward].sum()
    assert not done.cells[:, :, 1:].any()
    assert all(len(set(row)) == ions for row in done.sites.tolist())


def test_the_open_rate_counts_open_jumps_only():
    rates, jumps = network()
    assert total_rate_per_s(jumps, [0, 1, 2, 3]) == 0.0
    assert total_rate_per_s(jumps, [3]) == pytest.approx(rates[2, 1] + rates[3, 0])
    assert total_rate_per_s(jumps, [0, 2]) == pytest.approx(
        rates[0, 0] + rates[5, 0] + rates[3, 1] + rates[1, 1] + rates[2, 0]
    )


def test_a_full_cell_stands_still_and_a_single_site_is_a_network():
    _, jumps = network()
    done = walk(jumps, [3, 1, 0, 2], [0.0, 5.0], stream(0))
    np.testing.assert_array_equal(done.sites, [[3, 1, 0, 2]] * 2)
    np.testing.assert_array_equal(done.filled_s, 5.0)
    assert walk(directed_jumps(1, [], [], []), [0], [1.0], stream(0)).filled_s[0] == 1.0


def test_same_stream_same_bytes():
    _, jumps = network()
    first, again, other = (walk(jumps, [0, 1], np.linspace(0, 30, 20), stream(k)) for k in (7, 7, 8))
    assert first.sites.tobytes() == again.sites.tobytes() and first.filled_s.tobytes() == again.filled_s.tobytes()
    assert first.filled_s.tobytes() != other.filled_s.tobytes()


def test_refusals():
    _, jumps = network()
    with pytest.raises(InputError, match="own image"):
        directed_jumps(2, [[1, 1]], [[1, 0, 0]], [[1.0, 1.0]])
    with pytest.raises(InputError, match="allowed are 0 to 1"):
        directed_jumps(2, [[0, 2]], [[0, 0, 0]], [[1.0, 1.0]])
    with pytest.raises(InputError, match="not negative"):
        directed_jumps(2, [[0, 1]], [[0, 0, 0]], [[1.0, -1.0]])
    with pytest.raises(InputError, match="different sites"):
        walk(jumps, [1, 1], [1.0], stream(0))
    with pytest.raises(InputError, match="ascending"):
        walk(jumps, [1], [1.0, 1.0], stream(0))
