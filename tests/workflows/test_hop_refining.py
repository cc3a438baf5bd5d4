"""Second looks at bands: ions that move one after the other, and sites half way."""

import dataclasses

import numpy as np
import pytest
from ionic import ionic

from simkit import build, measure, potential, solve
from simkit.potential import Card, Potential
from simkit.potential.base import Evaluations
from simkit.structure import Structure
from simkit.workflows import migration, numbers, relax
from simkit.workflows.common import QUIET
from simkit.workflows.hops.bands import first_bands
from simkit.workflows.hops.ends import Bench, Ready
from simkit.workflows.hops.facts import splits
from simkit.workflows.hops.hessians import Hosts, Models
from simkit.workflows.hops.outputs import hop_line
from simkit.workflows.hops.record import Chosen
from simkit.workflows.hops.refining import refined

HILL_EV, SPACING_A = 0.3, 2.5


class EggBox(Potential):
    """Each atom by itself in a row of wells along x, a hill of `HILL_EV` between neighbours, held across the row."""

    def __init__(self):
        self.card = Card("eggbox", "analytic", "egg box")

    def _compute(self, batch, virials):
        g, away = 2 * np.pi / SPACING_A, batch.positions - np.round(batch.positions / 7.5) * [0.0, 7.5, 7.5]
        energy = 0.5 * HILL_EV * (1 - np.cos(g * away[:, 0])) + 2.0 * (away[:, 1:] ** 2).sum(axis=1)
        forces = -np.column_stack([0.5 * HILL_EV * g * np.sin(g * away[:, 0]), 4.0 * away[:, 1:]])
        total = np.bincount(batch.system_of, energy, len(batch))
        return Evaluations(total, forces, np.zeros((len(batch), 3, 3)), None, batch.system_of)


def two_ions(steps_A):
    """A hop of ion 0 by the first step along x while ion 1, far from it, moves by the second, ready to be run."""
    start = Structure(np.array([11, 11]), np.array([[0.0, 0.0, 0.0], [0.0, 7.5, 0.0]]), np.diag([30.0, 15.0, 15.0]))
    end = start.moved_to(start.positions + np.array(steps_A)[:, None] * [1.0, 0.0, 0.0])
    hop = build.Hop(0, -1, tuple(end.positions[0]), -1, "", "Na-Na", float(steps_A[0]))
    outcomes = solve.relax([start, end], EggBox(), fmax_eV_per_A=1e-4)
    return Ready(Chosen("cell", "hop", "", hop, None), (outcomes[0], outcomes[1]), None, None)


def bench(**words):
    tight = {"fmax_eV_per_A": 0.01, "barrier_change_eV": 1e-4, "end_fmax_eV_per_A": 1e-3}
    hosts = Hosts({"cell": "none"}, lambda: Models({"cell": None}, {"cell": None}))
    asked = {**tight, "preconditioner": "none", "refine": True, **words}
    return Bench(migration.Config(**asked), EggBox(), QUIET, "test", hosts)


def test_an_ion_that_changes_its_site_as_well_does_so_in_its_turn():
    """Both at once climb two hills together and symmetry holds them there; in turn they climb one at a time."""
    hops = {0: two_ions((SPACING_A, SPACING_A))}
    at_once = first_bands(bench(), hops)
    found = refined(bench(), hops, at_once)[0]
    assert at_once[0].barrier_eV == pytest.approx(2 * HILL_EV, abs=1e-3)
    assert found.converged
    assert found.barrier_eV == pytest.approx(HILL_EV, abs=1e-3)
    assert len(found.stops) == 1  # the state between, in which one of them has moved
    assert found.energies_eV[found.stops[0]] == pytest.approx(0.0, abs=1e-6)
    assert found.evaluations > at_once[0].evaluations
    assert refined(bench(refine=False), hops, at_once)[0] is at_once[0]


def test_a_lone_hop_over_one_saddle_is_asked_nothing_more():
    hops = {0: two_ions((SPACING_A, 0.0))}
    once = first_bands(bench(), hops)
    counted = potential.Counted(EggBox())
    found = refined(dataclasses.replace(bench(), potential=counted), hops, once)[0]
    assert counted.cost.evaluations == 0
    assert (found.barrier_eV, found.stops) == (once[0].barrier_eV, ())


def test_a_band_that_stops_short_between_two_saddles_is_finished_in_pieces():
    hops = {0: two_ions((2 * SPACING_A, 0.0))}
    short = {0: dataclasses.replace(first_bands(bench(), hops)[0], converged=False, status="not converged: 3 steps")}
    found = refined(bench(), hops, short)[0]
    assert found.converged and len(found.stops) == 1
    assert measure.largest_rise(found.energies_eV) == pytest.approx(HILL_EV, abs=1e-3)


def test_a_path_over_many_sites_is_no_hop_and_stays_one_band():
    hops = {0: two_ions((5 * SPACING_A, 0.0))}
    band = first_bands(bench(images=19), hops)[0]
    assert len(splits(band)) == 4
    counted = potential.Counted(EggBox())
    again = refined(dataclasses.replace(bench(images=19), potential=counted), hops, {0: band})[0]
    assert counted.cost.evaluations == 0
    assert again.stops == ()


@pytest.fixture(scope="module")
def p2():
    built = build.bulk(build.Block("P2", 2, metals={"Co": 1.0}, content=0.6667), repeats=(3, 3)).structure
    outcome = relax.run(relax.Config(cell="free", fmax_eV_per_A=0.01), ionic(), built).outcomes["structure"]
    return outcome.structure


def test_both_saddles_beside_a_site_half_way_are_those_of_a_dense_band(p2):
    """From e to e over f in P2: five images leave one in three for the lower saddle, which is told too low."""
    asked = {"hops": "distinct", "mechanisms": ["vacancy"], "number": 1, "network": False}
    coarse, fine, dense = (
        migration.run(migration.Config(**asked, **words), ionic(), {"P2": p2}).hops[0]
        for words in ({}, {"refine": True}, {"images": 23})
    )
    assert fine.converged and dense.converged
    (rest,) = fine.splits

    def over(hop, half):
        """Highest image before or after the site half way."""
        energies, at = hop.path.energies_eV - hop.path.energies_eV[0], hop.path.distances_A
        return energies[at < rest.at_A].max() if half == 0 else energies[at > rest.at_A].max()

    low, high = sorted((0, 1), key=lambda half: over(dense, half))
    assert over(coarse, low) < over(dense, low) - 0.005
    for half in (low, high):
        assert over(fine, half) == pytest.approx(over(dense, half), abs=3e-3)
    told = numbers.hop(fine)
    assert told["pieces"] == 2 and told["images"] == 11
    assert numbers.hop(coarse)["pieces"] == 1
    assert "rests on the way at" in hop_line(told)
