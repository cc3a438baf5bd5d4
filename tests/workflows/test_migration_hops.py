"""Hops of whole cells on a layered oxide with answers cheap enough to hold them against one another and against ASE."""

import dataclasses
import re

import numpy as np
import pytest
from ase_bands import barrier_by_ase
from ionic import ionic

from simkit import build, measure, potential, solve
from simkit.errors import InputError
from simkit.workflows import migration, numbers, relax
from simkit.workflows.common import Hooks
from simkit.workflows.hops.choice import choose
from simkit.workflows.hops.ends import Bench, ready, relaxed_states, states_of
from simkit.workflows.hops.outputs import hop_line
from simkit.workflows.hops.tables import barrier_of

COBALT = {"Co": 1.0}
SAME_EV = 5e-3
"""Equivalent hops may differ by this much: both bands stop at 0.03 eV/A on the saddle."""


def relaxed(model, cell="free"):
    config = relax.Config(cell=cell, fmax_eV_per_A=0.01)
    return relax.run(config, ionic(), model.structure).outcomes["structure"].structure


@pytest.fixture(scope="module")
def o3():
    return relaxed(build.bulk(build.Block("O3", 3, metals=COBALT), repeats=(3, 3)))


@pytest.fixture(scope="module")
def joined():
    """P2 grown into O3."""
    blocks = [build.Block("P2", 2, metals=COBALT, content=0.6667), build.Block("O3", 3, metals=COBALT)]
    return relaxed(build.intergrowth(blocks, repeats=(3, 3)))


def config(**words):
    return migration.Config(**{"images": 3, "hops": "distinct", "mechanisms": ["vacancy"], **words})


@pytest.fixture(scope="module")
def both(o3):
    """Every mechanism of O3 that has a class."""
    counted = potential.Counted(ionic())
    settings = config(mechanisms=["vacancy", "divacancy"])
    return settings, migration.run(settings, counted, {"O3": o3}), counted


def test_each_state_is_relaxed_once_and_shared(o3):
    settings = config(hops="all", galleries=[1])
    chosen = choose(settings, {"O3": o3}, {})
    states = states_of({"O3": o3}, chosen)
    assert (len(chosen), len(states)) == (27, 9)
    outcomes = relaxed_states(Bench(settings, ionic(), Hooks(), "test"), states)
    hops = ready(settings, {"O3": o3}, chosen, outcomes)
    seen: dict[int, set[float]] = {}
    for item in hops:
        for atom, end in ((item.chosen.hop.vacancy, item.ends[0]), (item.chosen.hop.ion, item.ends[1])):
            seen.setdefault(atom, set()).add(end.evaluation.energy)
    assert all(len(energies) == 1 for energies in seen.values())
    spent = sum(end.evaluations for item in hops for end in item.ends)
    assert spent == sum(o.evaluations for o in outcomes.values())
    forces = ionic().evaluate([item.ends[1].structure for item in hops[:4]])
    for item, said in zip(hops, forces, strict=False):
        np.testing.assert_allclose(said.forces, item.ends[1].evaluation.forces, atol=1e-8)


def test_divacancies_are_easier_than_monovacancies_and_barriers_differ_by_the_reaction(both):
    _, result, _ = both
    assert all(hop.converged for hop in result.hops)
    single, double = (next(h for h in result.hops if h.hop.mechanism == m) for m in ("vacancy", "divacancy"))
    assert barrier_of(double) < barrier_of(single) - 0.05
    for hop in result.hops:
        ends = hop.ends[1].evaluation.energy - hop.ends[0].evaluation.energy
        assert hop.path.barrier_eV - hop.path.reverse_barrier_eV == pytest.approx(hop.path.reaction_energy_eV, abs=1e-9)
        assert hop.path.reaction_energy_eV == pytest.approx(ends, abs=1e-9)
        assert hop.path.fitted_barrier_eV >= hop.path.barrier_eV - 1e-12


def test_a_hop_says_what_it_passes(both, o3):
    _, result, _ = both
    around = result.hops[0].around
    assert around.metals[0] == "Co6"  # an octahedron between two slabs shares edges with three metals of each
    assert around.from_interface_A is None
    assert 1.7 < around.window_A < 2.4
    assert around.track_A == pytest.approx(
        measure.track_length_A(result.hops[0].path.images, result.hops[0].hop.moving)
    )
    assert 0 <= around.height_A < o3.volume / np.linalg.norm(np.cross(o3.cell[0], o3.cell[1]))


def test_equivalent_hops_have_one_barrier(o3):
    result = migration.run(config(hops="all", number=4), ionic(), {"O3": o3})
    values = [hop.path.barrier_eV for hop in result.hops]
    assert len({(h.hop.ion, h.hop.vacancy) for h in result.hops}) == 4
    assert np.ptp(values) < SAME_EV


def test_the_network_of_one_class_is_the_triangular_lattice(both, o3):
    settings, result, _ = both
    net = next(n for n in migration.networks(settings, {"O3": o3}, result) if n.cell.mechanism == "vacancy")
    hop = next(h for h in result.hops if h.hop.mechanism == "vacancy")
    assert (len(net.cell.phases), len(net.cell.hops), net.cell.missing) == (27, 81, 0)
    for axis in "ab":
        assert net.way("O3", axis).barrier_eV == pytest.approx(barrier_of(hop), abs=SAME_EV)
        assert net.way("O3", axis).bottleneck.startswith("O3 alone: site")
    assert net.way("O3", "c").barrier_eV is None
    for run in net.flows[0].runs:
        rate = 1e13 * np.exp(-barrier_of(hop) / (measure.kinetic.BOLTZMANN_EV_PER_K * run.temperature_K))
        a = np.linalg.norm(o3.cell[0]) / 3
        # six neighbours at a: D = 6 a^2 rate / 4; energies of the 27 vacancies agree to their relaxation, 1e-5 eV
        assert np.mean(run.lone_cm2_per_s[:2]) == pytest.approx(1.5e-16 * a**2 * rate, rel=2e-3)
    found = net.flows[0].activation[0].activation_eV
    assert abs(found.value - barrier_of(hop)) < 3 * found.error


def test_interface_hops_against_ases_neb(joined):
    """Same ends, images, springs and tangents; both saddles are found to 0.02 eV/A.

    ASE's band of a P2 hop over a site half way does not settle between its two saddles; those without one do.
    """
    # tighter, or with the longer steps of a model Hessian, other sodium of this model's P2 galleries rolls away as well
    loose = {"end_fmax_eV_per_A": 0.03, "preconditioner": "none"}
    settings = config(number=8, fmax_eV_per_A=0.02, barrier_change_eV=0.001, images=5, refine=False, **loose)
    result = migration.run(settings, ionic(), {"P2/O3": joined})
    compared = {}
    for hop in (hop for hop in result.hops if hop.converged and hop.hop.at_interface):
        theirs, asked = barrier_by_ase(hop.path, ionic()) if hop.hop.phase not in compared else (None, 0)
        if theirs is not None:
            compared[hop.hop.phase] = hop.path.barrier_eV - theirs
            assert hop.path.evaluations < asked  # although theirs starts from the shape of our converged path
    assert compared == pytest.approx({"P2": 0.0, "O3": 0.0}, abs=3e-3)


def test_the_interface_is_where_it_is(joined):
    result = migration.run(config(number=8, images=1), ionic(), {"P2/O3": joined})
    planes = build.interface_heights_A(joined)
    assert len(planes) == 2
    described = [hop for hop in result.hops if hop.around is not None]
    assert {hop.hop.phase for hop in described if hop.hop.at_interface} == {"P2", "O3"}
    for hop in described:
        gallery = build.classify(joined).gallery_heights_A[hop.gallery]
        assert hop.around.from_interface_A == pytest.approx(np.abs(hop.around.height_A - planes).min(), abs=1e-6)
        assert not hop.hop.at_interface or hop.around.from_interface_A < gallery + 2.5


class Killed(Exception):
    """The run was stopped from outside."""


class Shelf:
    """Keeps what it is told, and is killed after so many bands."""

    def __init__(self):
        self.kept, self.limit = {}, None

    def __call__(self, name, compute, types=(), given=None):
        if name not in self.kept:
            value = compute()
            if self.limit is not None and "-hop-" in name and sum("-hop-" in k for k in self.kept) >= self.limit:
                raise Killed
            self.kept[name] = value
        return self.kept[name]


def test_a_killed_run_is_taken_up_hop_by_hop(o3):
    settings, cells = config(hops="all", number=5, images=1), {"O3": o3}
    first = potential.Counted(ionic())
    whole = migration.run(settings, first, cells)
    shelf = Shelf()
    shelf.limit = 2
    with pytest.raises(Killed):
        migration.run(settings, ionic(), cells, Hooks(shelf))
    assert sum("-hop-" in name for name in shelf.kept) == 2
    shelf.limit = None
    counted = potential.Counted(ionic())
    again = migration.run(settings, counted, cells, Hooks(shelf))
    for ours, theirs in zip(again.hops, whole.hops, strict=True):
        assert ours.path.barrier_eV == pytest.approx(theirs.path.barrier_eV, abs=1e-9)
    kept = again.hops[:2]
    done = sum(h.path.evaluations for h in kept) + sum(e.evaluations for h in again.hops for e in h.ends)
    assert counted.cost.evaluations <= first.cost.evaluations - done


def test_every_hop_carries_the_spread_of_a_committee(o3):
    """Members whose energies differ by a factor: the spread of a force is that factor's spread times the force."""
    members = potential.Committee([ionic("weak", 0.5), ionic("strong", 1.5)])
    (hop,) = migration.run(config(number=1, images=1), members, {"O3": o3}).hops
    forces = [e.forces for e in ionic().evaluate(hop.path.images)]
    largest = max(float(np.linalg.norm(f, axis=1).max()) for f in forces)
    expected = np.std([0.5, 1.5]) * largest
    assert expected > 1e-3
    assert hop.path.force_spreads_eV_per_A.max() == pytest.approx(expected, rel=1e-6)
    told = numbers.hop(hop)
    assert told["force_spread_meV_per_A"] == pytest.approx(1e3 * expected, rel=1e-6)
    for key in ("barrier", "reverse_barrier"):
        assert told[f"{key}_spread_eV"] == pytest.approx(np.std([0.5, 1.5], ddof=1) * told[f"{key}_eV"], rel=1e-6)
    assert f"barrier {told['barrier_eV']:.3f} ± {told['barrier_spread_eV']:.3f} eV" in hop_line(told)


def test_a_single_potential_has_no_spread_of_barriers(o3):
    (hop,) = migration.run(config(number=1, images=1), ionic(), {"O3": o3}).hops
    assert hop.barrier_spreads_eV is None
    assert not [key for key in numbers.hop(hop) if "spread" in key]


def test_a_band_that_runs_out_of_steps_keeps_its_best_images(o3):
    result = migration.run(config(max_steps=25, fmax_eV_per_A=1e-12, number=1), ionic(), {"O3": o3})
    (hop,) = result.hops
    assert hop.status.startswith("not converged")
    assert not hop.converged
    assert barrier_of(hop) is None
    assert len(hop.path.images) == 5
    assert hop.path.residual_force_eV_per_A > 1e-12


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"ion": "K"}, "no mobile ion: .* holds no K"),
        ({"mechanisms": ["interstitial"]}, "no empty site"),
        ({"phases": ["P3"]}, "none of the hops lies in the region"),
        ({"cutoff_A": 9.5}, "repeats after"),
    ],
)
def test_requests_that_cannot_be_met_are_one_clear_message(o3, words, message):
    with pytest.raises(InputError, match=message):
        migration.run(config(**words), ionic(), o3)


def test_a_cell_repeated_twice_has_the_same_barrier(o3):
    """The ions of this potential feel one another to 6 A, vacancies stand 9 A apart: doubling that changes little."""
    cells = {"once": o3, "twice": o3.repeated(2, 1, 1)}
    once, twice = migration.run(config(number=1, fmax_eV_per_A=0.02), ionic(), cells).hops
    assert twice.path.barrier_eV == pytest.approx(once.path.barrier_eV, abs=SAME_EV)


def test_tops_are_saddles_of_first_order_with_a_frequency_of_lattice_vibrations(o3):
    """The straight way between two octahedra is a ridge here, between paths over either tetrahedron."""
    settings = config(kinetics={"attempts": "harmonic", "temperatures_K": [600.0], "replicas": 2})
    result = migration.run(settings, ionic(), {"O3": o3})
    (hop,) = result.hops
    found = result.attempts[hop.name]
    assert (found.negative_start, found.negative_top, found.negative_end) == (0, 1, 0)
    assert 1e12 < found.mean_per_s < 3e13
    (net,) = migration.networks(settings, {"O3": o3}, result)
    np.testing.assert_allclose(net.cell.network.attempts_per_s, found.mean_per_s)
    ridge = solve.find_path(hop.ends[0].structure, hop.ends[1].structure, ionic(), images=3)
    assert hop.path.barrier_eV < ridge.barrier_eV - 0.01


def test_an_ion_that_leaves_its_site_while_an_end_relaxes_is_no_hop():
    sparse = relaxed(build.bulk(build.Block("O3", 1, metals=COBALT, content=1 / 9), repeats=(3, 3)), cell="fixed")
    settings = config(mechanisms=["interstitial"])
    chosen = choose(settings, {"O3": sparse}, {})[0]
    inward = sparse.positions[chosen.hop.ion] - np.array(chosen.hop.target_A)
    beside = np.array(chosen.hop.target_A) - 1.25 * inward / np.linalg.norm(inward)  # beyond the site, between sites
    wrong = dataclasses.replace(chosen, hop=dataclasses.replace(chosen.hop, target_A=tuple(beside)))
    found = {}
    for name, item in (("right", chosen), ("wrong", wrong)):
        states = relaxed_states(Bench(settings, ionic(), Hooks(), name), states_of({"O3": sparse}, [item]))
        (found[name],) = ready(settings, {"O3": sparse}, [item], states)
    assert found["right"].trouble is None
    assert re.search(r"ion was lost: it left the final site by 1\.\d\d A when that state", found["wrong"].trouble)
