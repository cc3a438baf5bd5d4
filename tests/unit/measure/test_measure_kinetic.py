"""Diffusion on networks of hops: closed forms, exact limits and sampling held against each other."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest

from simkit import measure
from simkit.errors import InputError
from simkit.measure.kinetic import duration_s, equilibrium_sites, rates_per_s, replica, stream_of
from simkit.measure.network import spread_of_walk
from simkit.units import BOLTZMANN_EV_PER_K

A, T, BARRIER = 3.0, 800.0, 0.4
RATE = 1e13 * np.exp(-BARRIER / (BOLTZMANN_EV_PER_K * T))
ROOT3 = np.sqrt(3.0)

# lattice: cell / A, sites (fractional), neighbours z, dimension, tracer correlation factor of vacancy diffusion.
# Factors: Compaan and Haven, Trans. Faraday Soc. 52, 786 (1956); Montet, Phys. Rev. B 7, 650 (1973); the square
# lattice's is 1 / (pi - 1) and the honeycomb's 1 / 3 exactly; all tabulated by Mehrer, Diffusion in Solids, ch. 7.
LATTICES = {
    "square": (np.diag([1.0, 1.0, 9.0]), [[0, 0, 0]], 4, 2, 1.0 / (np.pi - 1.0)),
    "triangular": ([[1, 0, 0], [-0.5, ROOT3 / 2, 0], [0, 0, 9]], [[0, 0, 0]], 6, 2, 0.56006),
    "honeycomb": (
        [[ROOT3, 0, 0], [-ROOT3 / 2, 1.5, 0], [0, 0, 9]], [[1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0]], 3, 2, 1 / 3
    ),
    "simple cubic": (np.eye(3), [[0, 0, 0]], 6, 3, 0.65311),
    "fcc": (np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) / np.sqrt(2.0), [[0, 0, 0]], 12, 3, 0.78146),
}  # fmt: skip


def lattice(name, times=(1, 1, 1)):
    """Network of nearest neighbours at distance A, found by trying every pair of sites and cells."""
    box, sites, *_ = LATTICES[name]
    cell = A * np.array(box, dtype=float)
    places = np.array(sites) @ cell
    ends, offsets = [], []
    for i, j, *image in product(range(len(sites)), range(len(sites)), *[(-1, 0, 1)] * 3):
        length = np.linalg.norm(places[j] + image @ cell - places[i])
        if abs(length - A) < 1e-9 and (i, j, *image) < (j, i, *(-k for k in image)):
            ends.append((i, j))
            offsets.append(image)
    hops = measure.Hops(ends, offsets, np.full((len(ends), 2), BARRIER))
    return measure.repeated(measure.connect(cell, places, hops), times)


def rough(seed=4, times=(2, 2, 1)):
    """Two sites per cell, skew, hops through faces and corners, all energies and saddles different."""
    rng = np.random.default_rng(seed)
    cell = np.array([[3.0, 0, 0], [-1.2, 2.8, 0], [0.4, 0.7, 3.5]])
    ends = [[0, 1], [0, 1], [0, 0], [1, 1], [0, 1], [1, 0]]
    offsets = [[0, 0, 0], [-1, 0, 0], [0, 1, 0], [1, -1, 0], [0, 0, 1], [1, 1, 1]]
    flat = measure.connect(cell, rng.random((2, 3)), measure.Hops(ends, offsets, np.full((6, 2), 0.3)))
    big = measure.repeated(flat, times)
    energies = rng.uniform(0.0, 0.1, len(big.positions))
    saddles = rng.uniform(0.35, 0.45, len(big.ends))
    barriers = saddles[:, None] - energies[big.ends]
    return measure.connect(big.cell, big.positions, measure.Hops(big.ends, big.offsets, barriers), energies)


@pytest.mark.parametrize("name", LATTICES)
def test_lone_ion_on_simple_lattices(name):
    """D = z Gamma a^2 / 2d, isotropic, in the primitive cell and in a repeated one (round-off of a solve)."""
    _, _, neighbours, dimension, _ = LATTICES[name]
    expected = np.diag([1.0] * dimension + [0.0] * (3 - dimension)) * neighbours * RATE * A**2 / (2 * dimension) * 1e-16
    for times in ((1, 1, 1), (3, 2, 1)):
        found = measure.single_ion_cm2_per_s(lattice(name, times), T)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10 * expected.max())


def test_lone_ion_on_a_rough_chain():
    """D = L^2 / (sum exp(-e/kT) sum exp(S/kT) / nu): harmonic mean over barriers (Zwanzig, PNAS 85, 2029, 1988)."""
    rng = np.random.default_rng(0)
    sites, heat = 7, BOLTZMANN_EV_PER_K * 500.0
    x, energies, saddles = np.sort(rng.random(sites)) * 20, rng.uniform(0, 0.3, sites), rng.uniform(0.5, 0.9, sites)
    attempts = rng.uniform(1e12, 1e13, sites)
    ends = np.stack([np.arange(sites), (np.arange(sites) + 1) % sites], axis=1)
    offsets = np.zeros((sites, 3))
    offsets[-1, 0] = 1
    hops = measure.Hops(ends, offsets, saddles[:, None] - energies[ends], attempts)
    chain = measure.connect(np.diag([20.0, 5, 5]), np.stack([x, 0 * x, 0 * x], axis=1), hops)
    expected = 400.0 / (np.exp(-energies / heat).sum() * (np.exp(saddles / heat) / attempts).sum()) * 1e-16
    np.testing.assert_allclose(measure.single_ion_cm2_per_s(chain, 500.0)[0, 0], expected, rtol=1e-9)
    np.testing.assert_allclose(chain.energies_eV, energies - energies.min(), atol=1e-12)


def test_diffusion_of_a_lone_ion_does_not_see_where_sites_are_drawn():
    """Long-time D depends on cell and rates only; so positions may move and the tensor stays."""
    net = rough()
    moved = measure.connect(
        net.cell, net.positions + np.random.default_rng(1).normal(size=net.positions.shape),
        measure.Hops(net.ends, net.offsets, net.barriers_eV), net.energies_eV,
    )  # fmt: skip
    first, second = (measure.single_ion_cm2_per_s(n, 600.0) for n in (net, moved))
    np.testing.assert_allclose(first, second, rtol=1e-9, atol=1e-9 * first.max())
    np.testing.assert_allclose(
        first, measure.single_ion_cm2_per_s(measure.repeated(net, (1, 2, 3)), 600.0), rtol=1e-9, atol=1e-9 * first.max()
    )


def pair_factor(name, length):
    """Correlation factor on a length^d torus: the walk of the vacancy's place relative to the tracer."""
    _, _, neighbours, dimension, _ = LATTICES[name]
    net = lattice(name, (length,) * dimension + (1,) * (3 - dimension))
    count = len(net.positions)
    near = [(j, s) for (i, j), s in zip(net.ends, net.steps_A, strict=True) if i == 0]
    near += [(i, -s) for (i, j), s in zip(net.ends, net.steps_A, strict=True) if j == 0]
    away = net.ends[(net.ends > 0).all(axis=1)]
    index = np.ravel_multi_index
    shape = (length,) * dimension
    mirror = {j: index(tuple(-np.array(np.unravel_index(j, shape)) % length), shape) for j, _ in near}
    swaps = [(j, mirror[j], s) for j, s in near if j < mirror[j]]
    ends = np.vstack([away, [[j, k] for j, k, _ in swaps]])
    steps = np.vstack([np.zeros((len(away), 3)), [s for *_, s in swaps]])
    spread = spread_of_walk(count, ends, np.full(len(ends), 1.0 / (count - 1)), steps)
    return spread[0, 0] * (count - 1) * 2 * dimension / (neighbours * A**2), count


@pytest.mark.parametrize(("name", "short", "long"), [("square", 16, 24), ("triangular", 16, 24),
                                                     ("simple cubic", 8, 11), ("fcc", 6, 8)])  # fmt: skip
def test_correlation_factors_of_the_endless_lattices(name, short, long):
    """Two tori and an error that falls as 1 / sites leave 0.001 to the tabulated factors."""
    (first, few), (second, many) = pair_factor(name, short), pair_factor(name, long)
    endless = (second * many - first * few) / (many - few)
    assert endless == pytest.approx(LATTICES[name][4], abs=1e-3)


def test_single_vacancy_is_the_walk_of_the_pair():
    """The general solver on a torus of 36 sites equals the relative walk; honeycomb tends to 1/3 as 1 / sites."""
    net = lattice("square", (6, 6, 1))
    tracer, collective = measure.single_vacancy_cm2_per_s(net, T)
    uncorrelated = RATE * A**2 / 35 * 1e-16
    np.testing.assert_allclose(np.diag(collective), [uncorrelated, uncorrelated, 0], rtol=1e-9, atol=1e-30)
    np.testing.assert_allclose(tracer[0, 0] / uncorrelated, pair_factor("square", 6)[0], rtol=1e-9)
    found = {}
    for length in (4, 6):
        tracer, collective = measure.single_vacancy_cm2_per_s(lattice("honeycomb", (length, length, 1)), T)
        found[2 * length**2] = tracer[0, 0] / collective[0, 0]
    assert (found[72] * 72 - found[32] * 32) / 40 == pytest.approx(1 / 3, abs=1e-3)


def test_elimination_and_factorisation_agree(monkeypatch):
    """Two ways to the same tensor, to the digits that a factorisation keeps (condition about 1e4)."""
    net = rough(times=(3, 3, 3))
    dense = measure.single_ion_cm2_per_s(net, T)
    monkeypatch.setattr("simkit.measure.network.DENSE_NODES", 10)
    np.testing.assert_allclose(measure.single_ion_cm2_per_s(net, T), dense, rtol=1e-10, atol=1e-10 * dense.max())
    with pytest.raises(InputError, match="decades"):
        measure.single_ion_cm2_per_s(net, 20.0)


def within(found, error, exact, times=4.0):
    """Every entry within `times` standard errors; entries without spread must agree to round-off."""
    assert (np.abs(found - exact) <= times * error + 1e-9 * np.abs(exact).max()).all(), (found, error, exact)


@pytest.mark.parametrize("ions", [1, 7])
def test_sampling_meets_the_exact_limits_on_a_rough_network(ions):
    """One ion, and one vacancy among eight different sites in a skew cell, every tensor entry within 4 errors."""
    net, temperature = rough(), 600.0
    sampling = measure.KineticSampling(replicas=60, jumps_per_ion=1500.0 if ions == 1 else 400.0, seed=1)
    found = measure.hopping_diffusion(net, ions, temperature, sampling)
    if ions == 1:
        tracer = collective = measure.single_ion_cm2_per_s(net, temperature)
    else:
        tracer, collective = measure.single_vacancy_cm2_per_s(net, temperature)
    within(found.tracer_cm2_per_s, found.tracer_error_cm2_per_s, tracer)
    within(found.collective_cm2_per_s, found.collective_error_cm2_per_s, collective)
    # the errors are small enough for the comparison to say something
    assert np.trace(found.tracer_error_cm2_per_s) < 0.1 * np.trace(tracer)


def test_half_filled_triangular_plane():
    """Ions that only exclude each other on equal sites: D_charge = D_lone (n - N) / (n - 1), Haven ratio below 1."""
    net, ions = lattice("triangular", (6, 6, 1)), 18
    found = measure.hopping_diffusion(net, ions, T, measure.KineticSampling(60, 120.0, lags=(4, 16), seed=3))
    exact = measure.single_ion_cm2_per_s(net, T) * (36 - ions) / 35
    within(found.collective_cm2_per_s, found.collective_error_cm2_per_s, exact)
    assert found.haven[2] is None and not found.tracer_cm2_per_s[2].any()
    for ratio in found.haven[:2]:
        # between the lone vacancy (0.56) and the lone ion (1)
        assert 0.56 < ratio.value < 1.0 and ratio.error < 0.1
    within(found.occupation, found.occupation_error, np.full(36, 0.5), 4.5)


def canonical(energies, ions, temperature):
    """All sets of sites and their probabilities, by writing them out."""
    sets = list(combinations(range(len(energies)), ions))
    weights = np.array([np.exp(-energies[list(s)].sum() / (BOLTZMANN_EV_PER_K * temperature)) for s in sets])
    return sets, weights / weights.sum()


def test_equilibrium_states_are_canonical():
    """Energies with and without ties, 2000 draws: each set within 4.5 standard errors of its Boltzmann weight."""
    energies = np.array([0.0, 0.05, 0.05, 0.02, 0.05, 0.11])
    sets, chance = canonical(energies, 3, 500.0)
    drawn = np.sort(equilibrium_sites(energies, 3, 500.0, 2000, np.random.default_rng(2)), axis=1)
    counts = np.array([(drawn == s).all(axis=1).mean() for s in sets])
    assert (np.abs(counts - chance) < 4.5 * np.sqrt(chance * (1 - chance) / 2000)).all()
    np.testing.assert_allclose(counts.sum(), 1.0, rtol=1e-12)


def test_occupations_stay_boltzmann_and_flows_balance():
    """Detailed balance: filling equals the canonical one, and every hop is taken as often forward as backward."""
    net, ions, temperature = rough(), 4, 500.0
    found = measure.hopping_diffusion(net, ions, temperature, measure.KineticSampling(60, 400.0, seed=9))
    sets, chance = canonical(net.energies_eV, ions, temperature)
    exact = np.array([sum(p for s, p in zip(sets, chance, strict=True) if i in s) for i in range(len(net.positions))])
    assert np.ptp(exact) > 0.3
    within(found.occupation, found.occupation_error, exact)
    span = duration_s(net, ions, temperature, measure.KineticSampling(jumps_per_ion=40000.0))
    counts = replica(net, ions, temperature, [span]).counts
    leave = np.concatenate([net.ends[:, 0], net.ends[:, 1]])
    pairs = np.empty(len(leave), dtype=int)
    pairs[np.argsort(leave, kind="stable")] = counts
    forth, back = pairs.reshape(2, -1)
    # a hop and its return differ by circulation alone, which grows like the root of the jumps made over it
    assert (np.abs(forth - back) < 4.5 * np.sqrt(forth + back)).all() and forth.min() > 200


def test_replicas_do_not_depend_on_the_batch_and_seeds_repeat():
    net = rough()
    few, again = (measure.hopping_diffusion(net, 3, T, measure.KineticSampling(3, 50.0, seed=5)) for _ in range(2))
    assert few.tracer_cm2_per_s.tobytes() == again.tracer_cm2_per_s.tobytes()
    other = measure.hopping_diffusion(net, 3, T, measure.KineticSampling(3, 50.0, seed=6))
    assert few.tracer_cm2_per_s.tobytes() != other.tracer_cm2_per_s.tobytes()
    alone = replica(net, 3, T, [few.duration_s], 5, 2)
    replica(net, 3, T, [few.duration_s], 5, 1)
    assert alone.cells.tobytes() == replica(net, 3, T, [few.duration_s], 5, 2).cells.tobytes()
    many = sum(replica(net, 3, T, [few.duration_s], 5, k).counts.sum() for k in (3, 2, 1))
    assert many == few.jumps
    assert stream_of(5, T, 1).random() != stream_of(5, T + 1, 1).random()


def test_activation_energy_of_equal_hops_and_of_a_direction_without():
    """Half-filled plane: the activation is the barrier, within 4 errors, in plane; None along the normal."""
    net, sampling = lattice("square", (4, 4, 1)), measure.KineticSampling(replicas=24, jumps_per_ion=60.0)
    runs = [measure.hopping_diffusion(net, 8, t, sampling) for t in (400.0, 600.0, 900.0)]
    fits = measure.hopping_activation(runs, "tracer", [[1, 0, 0], [1, 1, 0], [0, 0, 1]])
    assert fits[2] is None
    for fit in fits[:2]:
        assert abs(fit.activation_eV.value - BARRIER) < 4 * fit.activation_eV.error
        assert fit.activation_eV.error < 0.02
    with pytest.raises(InputError, match="'tracer' and 'collective'"):
        measure.hopping_activation(runs, "charge")


def test_low_temperature_activation_is_the_percolation_barrier():
    """-d ln D / d(1/kT) of the exact lone ion tends to the saddle that percolates: at 8 K to 0.1 meV."""
    net = rough(seed=8)
    limit = measure.percolation_within(net)
    cold = [np.linalg.eigvalsh(measure.single_ion_cm2_per_s(net, t))[-1] for t in (8.0, 8.1)]
    slope = -np.diff(np.log(cold))[0] / (np.diff([1 / 8.0, 1 / 8.1])[0] / BOLTZMANN_EV_PER_K)
    assert slope == pytest.approx(limit.barriers_eV.min(), abs=1e-4)
    hop = limit.bottlenecks[int(limit.barriers_eV.argmin())]
    assert net.saddles_eV[hop] - net.energies_eV.min() == limit.barriers_eV.min()
    assert (measure.percolation_within(net, by="hop").barriers_eV <= limit.barriers_eV + 1e-12).all()


def reachable(net, start, end, inside, level, zero):
    """Whether a flood from `start` over hops up to the level reaches `end`."""
    seen, growing = set(start), True
    while growing:
        growing = False
        for (i, j), saddle in zip(net.ends.tolist(), net.saddles_eV, strict=True):
            if saddle - zero <= level and {i, j} <= inside and (i in seen) != (j in seen):
                seen |= {i, j}
                growing = True
    return bool(seen & set(end))


def test_crossing_against_a_flood_fill():
    """Lowest level at which a flood gets across, with and without forbidden sites; some pairs have no way."""
    closed = 0
    for seed in range(12):
        net = rough(seed, (2, 1, 3))
        rng = np.random.default_rng(seed)
        sites = rng.permutation(len(net.positions))
        inside = set(sites[: rng.integers(3, 8)].tolist())
        start, end = sites[:1], sites[1:3]
        zero = net.energies_eV[list(inside)].min()
        levels = [x - zero for x in np.sort(net.saddles_eV)]
        exact = next((x for x in levels if reachable(net, start, end, inside, x, zero)), np.inf)
        found, hop = measure.crossing(net, start, end, np.array(sorted(inside)))
        assert found == exact
        closed += np.isinf(exact)
        assert hop == -1 if np.isinf(exact) else net.saddles_eV[hop] - zero == exact
    assert 0 < closed < 12


def test_phases_percolate_apart_and_their_interface_is_crossed():
    """Two planes of squares, one soft and one hard, joined by one dear hop: each limit and each bottleneck named."""
    ends = [[0, 0], [0, 0], [1, 1], [1, 1], [0, 1]]
    offsets = [[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0]]
    names = ("soft a", "soft b", "hard a", "hard b", "across")
    barriers = [[0.2, 0.2], [0.3, 0.3], [0.5, 0.5], [0.6, 0.6], [0.9, 0.8]]
    net = measure.connect(np.eye(3) * 3, [[0, 0, 0], [0, 0, 1.0]], measure.Hops(ends, offsets, barriers, 1e13, names))
    np.testing.assert_allclose(net.energies_eV, [0.0, 0.1], atol=1e-12)
    by = measure.percolation_by_label(net, ["P2", "O3"])
    np.testing.assert_allclose(by["P2"].barriers_eV, [0.2, 0.3, np.inf])
    np.testing.assert_allclose(by["O3"].barriers_eV, [0.5, 0.6, np.inf])
    assert [net.names[k] for k in by["O3"].bottlenecks[:2]] == ["hard a", "hard b"] and by["O3"].bottlenecks[2] == -1
    barrier, hop = measure.crossing(net, [0], [1])
    assert barrier == pytest.approx(0.9) and net.names[hop] == "across"


def test_vacancies_walk_the_mirrored_network():
    """Hops of the ion become steps of the hole with the same rate, and twice mirrored is the start."""
    net = rough()
    hole = measure.vacancy_network(net)
    np.testing.assert_allclose(rates_per_s(hole, T), rates_per_s(net, T)[:, ::-1], rtol=1e-12)
    np.testing.assert_allclose(measure.vacancy_network(hole).saddles_eV, net.saddles_eV, atol=1e-15)


def test_kinetic_refusals():
    loop = measure.Hops([[0, 1], [1, 2], [2, 0]], np.zeros((3, 3)), [[0.3, 0.2], [0.3, 0.3], [0.3, 0.3]])
    with pytest.raises(InputError, match="misses the site energies"):
        measure.connect(np.eye(3), np.zeros((3, 3)), loop)
    with pytest.raises(InputError, match="above both"):
        measure.connect(np.eye(3), np.zeros((2, 3)), measure.Hops([[0, 1]], [[0, 0, 0]], [[-0.1, 0.0]]))
    with pytest.raises(InputError, match="own image"):
        measure.hopping_diffusion(rough(times=(1, 1, 1)), 1, T)
    net = lattice("square", (3, 3, 1))
    with pytest.raises(InputError, match="1 to 8"):
        measure.hopping_diffusion(net, 9, T)
    with pytest.raises(InputError, match="above 0"):
        measure.single_ion_cm2_per_s(net, 0.0)
    with pytest.raises(InputError, match="smallest number"):
        measure.single_ion_cm2_per_s(net, 4.0)
    with pytest.raises(InputError, match="rise"):
        measure.hopping_diffusion(net, 1, T, measure.KineticSampling(lags=(5, 5)))
    with pytest.raises(InputError, match="'saddle' and 'hop'"):
        measure.percolation_within(net, by="path")
    with pytest.raises(InputError, match="whole numbers"):
        measure.repeated(net, (0, 1, 1))
    with pytest.raises(InputError, match="none in both"):
        measure.crossing(net, [0, 1], [1])
