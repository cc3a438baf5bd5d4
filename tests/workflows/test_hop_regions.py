"""Regions of a network made by hand: what each lets through, and that their diffusion can be compared."""

import itertools

import numpy as np
import pytest

from simkit import measure
from simkit.units import BOLTZMANN_EV_PER_K
from simkit.workflows.hops import compare, kinetics, tables
from simkit.workflows.hops.network import CellNetwork
from simkit.workflows.hops.settings import Kinetics

SIDE_A, BARRIER_EV, RATE = 6.0, 0.3, 1e13


def square(n, height_A, first):
    """(n * n) sites of a square lattice of side SIDE_A / n, and the hops from each to its next along x and y."""
    at = {(i, j): first + k for k, (i, j) in enumerate(itertools.product(range(n), repeat=2))}
    positions = [[i * SIDE_A / n, j * SIDE_A / n, height_A] for i, j in at]
    ends, offsets = [], []
    for (i, j), site in at.items():
        for di, dj in ((1, 0), (0, 1)):
            ends.append((site, at[(i + di) % n, (j + dj) % n]))
            offsets.append(((i + di) // n, (j + dj) // n, 0))
    return positions, ends, offsets


@pytest.fixture(scope="module")
def cell():
    """One phase: a gallery of one site beside an interface and one of nine sites inside; another phase has no hops."""
    parts = square(1, 0.0, 0), square(3, 5.0, 1)
    positions, ends, offsets = (np.concatenate(column) for column in zip(*parts, strict=True))
    barriers = np.full((len(ends), 2), BARRIER_EV)
    names = tuple(f"hop {k}" for k in range(len(ends)))
    hops = measure.Hops(ends, offsets, barriers, np.full(len(ends), RATE), names)
    energies = np.zeros(len(positions))
    network = measure.connect(np.diag([SIDE_A, SIDE_A, 10.0]), positions, hops, energies)
    beside = np.arange(10) == 0
    moved = measure.Transferred(hops, energies, 0.0, 0.0, 0)
    return CellNetwork("P2/O3", "vacancy", network, ("O3",) * 10, (~beside).astype(int), beside, (), 0, (), moved)


@pytest.fixture(scope="module")
def found(cell):
    settings = Kinetics(temperatures_K=[600.0, 800.0], replicas=24, jumps_per_ion=200.0)
    return kinetics.through(settings, cell)


def test_one_phase_with_hops_still_has_an_inside_and_an_interface(found):
    regions = list(dict.fromkeys(way.region for way in found.ways))
    assert regions == ["O3", "O3 inside", "O3 at the interface"]
    for region, axis in itertools.product(regions, "ab"):
        assert found.way(region, axis).barrier_eV == pytest.approx(BARRIER_EV)
    assert found.way("O3", "c").barrier_eV is None


def test_regions_of_any_size_have_the_same_share_of_vacancies(found):
    """So tracer diffusion differs by nothing but the length of the hops: squared, 9 between these galleries."""
    flows = {flow.region: flow for flow in found.flows}
    for flow in flows.values():
        for run in flow.runs:
            assert run.vacancy_fraction == pytest.approx(0.1, rel=kinetics.OFF)
    for k, temperature in enumerate((600.0, 800.0)):
        rate = RATE * np.exp(-BARRIER_EV / (BOLTZMANN_EV_PER_K * temperature))
        values = {}
        for region, spacing_A in (("O3 at the interface", SIDE_A), ("O3 inside", SIDE_A / 3)):
            run = flows[region].runs[k]
            assert run.lone_cm2_per_s[0] == pytest.approx(1e-16 * spacing_A**2 * rate, rel=1e-9)
            # correlation of tracer jumps at ion content c (Nakazato and Kitahara, Prog. Theor. Phys. 64, 2261, 1980):
            # 1 / f = 1 + 2 c / (2 - c) * alpha / (1 - alpha), alpha = 1 - 2 / pi on a square lattice
            c, alpha = 1.0 - run.vacancy_fraction, 1.0 - 2.0 / np.pi
            f = 1.0 / (1.0 + 2.0 * c / (2.0 - c) * alpha / (1.0 - alpha))
            free = run.vacancy_fraction * 1e-16 * spacing_A**2 * rate
            seen = run.sampled
            tracer = np.trace(seen.tracer_cm2_per_s[:2, :2]) / 2
            error = np.trace(seen.tracer_error_cm2_per_s[:2, :2]) / 2
            assert tracer == pytest.approx(f * free, abs=0.01 * free + 3 * error)
            values[region] = (tracer, error)
        (wide, wide_error), (narrow, narrow_error) = values.values()
        off = 9 * narrow - wide
        assert abs(off) < 3 * np.hypot(9 * narrow_error, wide_error) + 2 * kinetics.OFF * wide


def test_tables_name_the_share_and_sentences_do_not_invent_a_way(found):
    runs = tables.flow(found.flows[0])["temperatures"]
    assert all(run["vacancy_fraction"] == pytest.approx(0.1, rel=kinetics.OFF) for run in runs)
    place = compare.Place("P2/O3", None, 0, "vacancy", "O3", "O3", {}, True, None, None, None, None, None, None)
    (sentence,) = compare.verdicts([place])
    assert "do not lead through" in sentence
