"""Layered | tunnel cells: the trial cell of the literature survey, contacts measured by ASE, recipes, refusals."""

import json
import time

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list

from simkit.build import Block, Heights, classify
from simkit.build.composition import Composition
from simkit.build.tunnel import (
    RECOMMENDED,
    Clearance,
    Contact,
    InterfaceSettings,
    TunnelBlock,
    rebuild_tunnel,
    tunnel_bulk,
    tunnel_interface,
)
from simkit.build.tunnel.parts import layered_part
from simkit.errors import InputError
from simkit.kernels.pair_search import find_pairs

HEIGHTS = Heights(2.88, 1.93, {"P2": 3.645, "P3": 3.6, "O3": 3.2})
P2 = Block("P2", 2, metals={"Mn": 1.0}, content=2 / 3, heights=HEIGHTS)
SMALL = TunnelBlock(layers=2)


def shortest(structure, first, second):
    atoms = Atoms(numbers=structure.numbers, positions=structure.positions, cell=structure.cell, pbc=True)
    i, j, d = neighbor_list("ijd", atoms, 3.0)
    symbols = np.array(structure.symbols)
    return d[(symbols[i] == first) & (symbols[j] == second)].min()


def metal_shells(structure):
    """Sorted metal-metal distances up to 3.6 A of every metal, by its tag: how polyhedra share edges and corners."""
    site = structure.tags["site"].astype(str)
    metals = np.flatnonzero(np.isin(site, ("TM", "TM5")))
    points = structure.positions[metals]
    pairs = find_pairs(points, points, structure.cell, 3.6)
    shells = {"TM": [], "TM5": []}
    for k, atom in enumerate(metals):
        shells[site[atom]].append(np.sort(pairs.distance[pairs.point == k]))
    return shells


@pytest.fixture(scope="module")
def cells():
    return {plane: tunnel_interface(P2, plane=plane, seed=3) for plane in RECOMMENDED}


def test_trial_cell_of_the_best_match(cells):
    built = cells["140|0001"]
    s, facts = built.structure, built.report.facts
    # 390 atoms, 2.86 x 44.90 x 36.59 A was built once by hand with 18 spare oxygens; a cut with 10 of them is thinner
    assert 370 <= len(s) <= 400
    assert s.cell[0, 0] == pytest.approx(2.86, abs=0.02)
    assert s.cell[1, 1] == pytest.approx(44.90, abs=0.05)
    assert s.cell[2, 2] == pytest.approx(36.59, abs=1.5)
    assert facts["spare_anions"] == 10
    assert (facts["layered_metals"], facts["layered_ions"]) == (54, 24)
    assert abs(facts["strain_tunnel_across_percent"]) < 0.1
    assert shortest(s, "O", "O") >= 2.46 - 1e-6
    assert shortest(s, "Mn", "O") >= 1.85
    assert shortest(s, "Na", "O") >= 2.26 - 1e-6
    assert shortest(s, "Na", "Mn") >= 2.7 - 1e-6


@pytest.mark.parametrize("plane", RECOMMENDED)
def test_only_the_pyramids_have_five_anions(cells, plane):
    s = cells[plane].structure
    atoms = Atoms(numbers=s.numbers, positions=s.positions, cell=s.cell, pbc=True)
    i = neighbor_list("i", atoms, {("Mn", "O"): 2.8})
    around = np.bincount(i[s.numbers[i] == 25], minlength=len(s))[s.numbers == 25]
    assert np.array_equal(around, np.where(s.tags["site"][s.numbers == 25] == "TM5", 5, 6))


@pytest.mark.parametrize("plane", RECOMMENDED)
def test_charge_is_anions_less_ions(cells, plane):
    counts, facts = cells[plane].report.counts, cells[plane].report.facts
    assert facts["mean_valence"] == pytest.approx((2 * counts["O"] - counts["Na"]) / counts["Mn"])
    assert 3.0 < facts["mean_valence"] < 4.0
    assert facts["layered_metals"] + facts["tunnel_metals"] == counts["Mn"]
    assert facts["tunnel_ions"] == int(facts["tunnel_metals"] * 8 / 18 + 0.5)


@pytest.mark.parametrize("plane", RECOMMENDED)
def test_layered_part_reads_back(cells, plane):
    found = classify(layered_part(cells[plane]))
    inside = found.stack.gaps()[:2] if plane.endswith("0001") else found.stack.gaps()
    assert set(inside) == {"P2"}
    assert found.order_parameter.min() > 0.99


def test_interior_of_the_tunnel_part_is_the_tunnel_phase(cells):
    s = cells["140|0001"].structure
    own, bulk = metal_shells(s.take(s.tags["block"] == 1)), metal_shells(tunnel_bulk(repeats=(1, 1, 1)).structure)
    for site in ("TM", "TM5"):
        assert own[site]
        for shell in own[site]:
            # distances change by the strain of the block, at most 1 % of 3.6 A; metals of the faces lose neighbours
            same = [b for b in bulk[site] if len(b) == len(shell) and np.allclose(b, shell, atol=0.04)]
            fewer = [b for b in bulk[site] if len(b) > len(shell)]
            assert same or fewer
        whole = [s for s in own[site] if any(len(b) == len(s) and np.allclose(b, s, atol=0.04) for b in bulk[site])]
        assert len(whole) >= len(own[site]) // 2


@pytest.mark.parametrize("plane", RECOMMENDED)
def test_recipe_gives_the_same_cell(cells, plane):
    again = rebuild_tunnel(json.loads(json.dumps(cells[plane].recipe)))
    assert np.array_equal(again.structure.positions, cells[plane].structure.positions)
    assert np.array_equal(again.structure.numbers, cells[plane].structure.numbers)
    assert again.report.to_dict() == cells[plane].report.to_dict()


def test_both_interfaces_are_alike(cells):
    for plane in RECOMMENDED:
        facts = cells[plane].report.facts
        assert facts["interfaces_equivalent"]
        assert facts["opening_lower_A"] == pytest.approx(facts["opening_upper_A"], abs=0.01)


def test_report_calls_the_orientation_a_hypothesis(cells):
    assert any("hypothesis" in text for text in cells["140|0001"].report.warnings)
    assert any("reconstruction" in text for text in cells["140|0001"].report.warnings)


def test_sodium_in_the_voids_lowers_the_valence():
    plain = tunnel_interface(P2, SMALL)
    filled = tunnel_interface(P2, SMALL, settings=InterfaceSettings(oxygen="sodium"))
    ions = filled.report.facts["interface_ions"]
    metals = plain.report.facts["layered_metals"] + plain.report.facts["tunnel_metals"]
    assert plain.report.facts["spare_anions"] == 10
    # counted in this cell; that no more fit is the test below
    assert ions == 10
    drop = plain.report.facts["mean_valence"] - filled.report.facts["mean_valence"]
    assert drop == pytest.approx(ions / metals)
    assert shortest(filled.structure, "Na", "O") >= 2.26 - 1e-6
    assert shortest(filled.structure, "Na", "Na") >= 2.65 - 1e-6
    fewer = tunnel_interface(P2, SMALL, settings=InterfaceSettings(oxygen="sodium", ions=3))
    assert fewer.report.facts["interface_ions"] == 3
    with pytest.raises(InputError, match="ask for at most"):
        tunnel_interface(P2, SMALL, settings=InterfaceSettings(oxygen="sodium", ions=99))


def test_no_further_ion_fits_into_an_interface():
    built = tunnel_interface(P2, SMALL, settings=InterfaceSettings(oxygen="sodium"))
    s, void = built.structure, built.structure.tags["block"] == 2
    assert built.report.facts["interface_ions"] < 2 * built.report.facts["spare_anions"]
    points = np.random.default_rng((7,)).random((60_000, 3)) @ s.cell
    # 0.3 A beyond the least distances: half the diagonal of the 0.35 A grid on which voids are looked for
    for mine, least in ((s.numbers == 25, 2.7), (s.numbers == 8, 2.26), (s.numbers == 11, 2.65)):
        points = np.delete(points, find_pairs(points, s.positions[mine], s.cell, least + 0.3).point, axis=0)
    sides = [find_pairs(points, s.positions[(s.numbers == 8) & (s.tags["block"] == k)], s.cell, 3.0) for k in (0, 1)]
    near = [np.bincount(pairs.point, minlength=len(points)) for pairs in sides]
    assert not ((near[0] > 0) & (near[1] > 0) & (near[0] + near[1] >= 5)).any()
    # each ion that is there touches both blocks
    for k in (0, 1):
        oxygen = s.positions[(s.numbers == 8) & (s.tags["block"] == k)]
        assert (np.bincount(find_pairs(s.positions[void], oxygen, s.cell, 3.0).point, minlength=void.sum()) > 0).all()


def test_longer_chains_repeat_the_same_blocks():
    one = tunnel_interface(P2, SMALL)
    three = tunnel_interface(P2, SMALL, settings=InterfaceSettings(chain=3))
    for symbol in ("Mn", "O"):
        assert three.report.counts[symbol] == 3 * one.report.counts[symbol]
    assert three.report.facts["tunnel_ions"] == int(three.report.facts["tunnel_metals"] * 8 / 18 + 0.5)
    assert three.structure.cell[0, 0] == pytest.approx(3 * one.structure.cell[0, 0])
    assert three.structure.cell[2] == pytest.approx(one.structure.cell[2])


def test_a_cell_small_enough_for_trials():
    block = Block("P2", 1, metals={"Mn": 1.0}, content=2 / 3, heights=HEIGHTS)
    built = tunnel_interface(block, TunnelBlock(1), "100|0001", settings=InterfaceSettings(periods=(1, 5)))
    assert len(built.structure) < 200
    # 26.42 A of the tunnel phase against 5 sqrt(3) 2.88 A, shared equally
    misfit = 100.0 * (26.42 / (5 * np.sqrt(3) * 2.88) - 1.0)
    facts = built.report.facts
    assert facts["strain_P2_0_across_percent"] == pytest.approx(misfit / 2, abs=1e-6)


def test_five_thousand_atoms_take_less_than_ten_seconds():
    tunnel_interface(P2, SMALL)
    start = time.perf_counter()
    built = tunnel_interface(P2, settings=InterfaceSettings(chain=14))
    assert len(built.structure) > 5000
    assert time.perf_counter() - start < 10.0


@pytest.mark.parametrize(("phase", "gaps"), [("O3", 3), ("P3", 2), ("O1", 2)])
def test_other_layered_phases(phase, gaps):
    heights = Heights(2.88, 2.0, {"O3": 3.2, "P3": 3.6, "O1": 3.1})
    built = tunnel_interface(Block(phase, gaps, metals={"Mn": 1.0}, content=1 / 2, heights=heights), SMALL)
    assert classify(layered_part(built)).stack.gaps()[:gaps] == [phase] * gaps


def test_three_phases_in_one_cell():
    blocks = [P2, Block("P3", 2, metals={"Mn": 2 / 3, "Ni": 1 / 3}, content=1 / 3, heights=HEIGHTS)]
    built = tunnel_interface(blocks, SMALL)
    assert classify(layered_part(built)).stack.gaps()[:4] == ["P2", "P2", "P3", "P3"]
    assert [r.phase for r in built.scaffold.regions] == ["P2", "P3", "tunnel"]
    symbols, block = np.array(built.structure.symbols), built.structure.tags["block"]
    assert (symbols[block == 1] == "Ni").sum() == 18


def test_doped_blocks_have_exact_counts():
    table = {"Mn": 8 / 9, "Ti": 1 / 9}
    tunnel = TunnelBlock(2, Composition(table, content=1 / 3))
    built = tunnel_interface(Block("P2", 2, metals=table, content=2 / 3, heights=HEIGHTS), tunnel)
    symbols, block = np.array(built.structure.symbols), built.structure.tags["block"]
    assert (symbols[block == 0] == "Ti").sum() == 6
    metals = np.isin(symbols, ("Mn", "Ti")) & (block == 1)
    assert (symbols[metals] == "Ti").sum() == round(metals.sum() / 9)
    assert ((symbols == "Na") & (block == 1)).sum() == int(metals.sum() / 3 + 0.5)


def test_strain_modes():
    stiff = {"C11": 260.0, "C12": 80.0, "C13": 40.0, "C33": 120.0}
    soft = {name: value / 50 for name, value in stiff.items()}
    modes = {
        "fix:0": tunnel_interface(P2, SMALL, strain="fix:0"),
        "fix:1": tunnel_interface(P2, SMALL, strain="fix:1"),
        "elastic": tunnel_interface(P2, SMALL, strain="elastic", settings=InterfaceSettings(constants=(stiff, soft))),
    }
    along = {name: b.structure.cell[0, 0] for name, b in modes.items()}
    assert along["fix:0"] == pytest.approx(2.88)
    assert along["fix:1"] == pytest.approx(2.826)
    # a layered block fifty times stiffer keeps its lattice to within 1/50 of the misfit times the thickness ratio
    assert along["elastic"] == pytest.approx(2.88, abs=0.05 * (2.88 - 2.826))
    again = rebuild_tunnel(json.loads(json.dumps(modes["elastic"].recipe)))
    assert np.array_equal(again.structure.positions, modes["elastic"].structure.positions)
    with pytest.raises(InputError, match="elastic constants"):
        tunnel_interface(P2, SMALL, strain="elastic")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"plane": "141|0001"}, "write a tunnel plane hk0"),
        ({"plane": "240|0001"}, "common factor"),
        ({"settings": InterfaceSettings(max_strain_percent=0.2)}, r"limit is 0\.2 %"),
        ({"plane": "100|0001", "strain": "fix:0", "settings": InterfaceSettings(periods=(1, 5))}, "would be strained"),
        ({"strain": "half"}, "use one of 'equal'"),
        ({"tunnel": TunnelBlock(2, Composition({"Mn": 1.0}, content=0.7))}, "at most"),
        ({"plane": "\u00b940|0001"}, "write a tunnel plane hk0"),
        ({"plane": None}, "write a tunnel plane hk0"),
        ({"strain": None}, "use one of 'equal'"),
        ({"tunnel": "tunnel"}, "tunnel is a str"),
        ({"settings": {"chain": 2}}, "settings is a dict"),
        ({"tunnel": TunnelBlock(2, Composition({"Mn": 1.0}, content=0.01))}, r"less than one ion among \d\d metals"),
    ],
)
def test_bad_requests_say_what_to_do(arguments, message):
    with pytest.raises(InputError, match=message):
        tunnel_interface(P2, **{"tunnel": SMALL, **arguments})


def test_metals_that_cannot_be_oxidised_are_refused():
    titanium = Block("P2", 2, metals={"Ti": 1.0}, content=0.0, heights=HEIGHTS)
    with pytest.raises(InputError, match="stays negative"):
        tunnel_interface(titanium, TunnelBlock(2, Composition({"Ti": 1.0}, content=0.0)))


def test_extra_opening_is_added():
    near = tunnel_interface(P2, SMALL)
    far = tunnel_interface(P2, SMALL, settings=InterfaceSettings(contact=Contact(extra_A=(0.5, 0.25))))
    assert far.structure.cell[2, 2] - near.structure.cell[2, 2] == pytest.approx(0.75)


@pytest.mark.parametrize("layered", [None, [], ["P2"], "P2"])
def test_what_is_no_block_is_refused(layered):
    with pytest.raises(InputError, match="Block\\('P2', 4\\)"):
        tunnel_interface(layered, SMALL)


NAN = float("nan")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TunnelBlock(0), "layers of the tunnel block = 0"),
        (lambda: TunnelBlock(1.5), "layers of the tunnel block = 1.5"),
        (lambda: TunnelBlock(composition=None), "composition is a NoneType"),
        (lambda: TunnelBlock(composition={"Mn": 1.0}), "composition is a dict"),
        (lambda: InterfaceSettings(max_strain_percent=NAN), "max_strain_percent = nan"),
        (lambda: InterfaceSettings(max_misfit_percent=NAN), "max_misfit_percent = nan"),
        (lambda: InterfaceSettings(oxygen="sodium", ions=2.5), "ions = 2.5"),
        (lambda: InterfaceSettings(oxygen="sodium", ions="x"), "ions = 'x'"),
        (lambda: InterfaceSettings(ions=3), "needs oxygen='sodium'"),
        (lambda: InterfaceSettings(chain=True), "chain = True"),
        (lambda: InterfaceSettings(periods=3), "periods is a int"),
        (lambda: InterfaceSettings(periods=(1,)), "periods has 1 numbers"),
        (lambda: InterfaceSettings(contact=None), "contact is a NoneType"),
        (lambda: InterfaceSettings(constants=({"C11": 200.0, "C12": 80.0, "C13": 40.0, "C33": 150.0},)), "1 tables"),
        (lambda: Contact(grid=(0, 4)), r"grid\[0\] = 0"),
        (lambda: Contact(grid="ab"), "grid is a str"),
        (lambda: Contact(extra_A=(-50.0, 0.0)), r"extra_A\[0\] = -50"),
        (lambda: Contact(extra_A=(NAN, 0.0)), r"extra_A\[0\] = nan"),
        (lambda: Clearance(oxygen_oxygen_A=NAN), "oxygen_oxygen_A = nan"),
        (lambda: Clearance(metal_metal_A=-1.0), "metal_metal_A = -1"),
    ],
)
def test_records_refuse_what_switches_checks_off(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_a_published_cell_sets_the_layered_lattice():
    cell = (2.92, 2.92, 11.3, 90.0, 90.0, 120.0)
    built = tunnel_interface(Block("P2", 2, metals={"Mn": 1.0}, content=2 / 3, cell=cell), SMALL, strain="fix:0")
    # "fix:0" leaves the layered block at its own parameter
    assert built.structure.cell[0, 0] == pytest.approx(2.92)


@pytest.mark.parametrize("block", [Block("P'2", 2, metals={"Mn": 1.0}, content=2 / 3), Block("O'3", 3)])
def test_distorted_phases_are_refused_beside_a_tunnel(block):
    with pytest.raises(InputError, match="distorted in plane"):
        tunnel_interface(block, SMALL)


def test_centres_of_a_honeycomb_are_refused_beside_a_tunnel():
    table = {"Ni": 1 / 3, "Mn": 2 / 3}
    block = Block("P2", 2, metals=table, content=2 / 3, arrangement="honeycomb", centres=0, heights=HEIGHTS)
    with pytest.raises(InputError, match="leave centres out"):
        tunnel_interface(block, SMALL)


@pytest.mark.parametrize("plane", RECOMMENDED)
@pytest.mark.parametrize("oxygen", ["keep", "sodium"])
def test_oxygen_that_nothing_balances_is_told(plane, oxygen):
    facts_of = tunnel_interface(P2, SMALL, plane, settings=InterfaceSettings(oxygen=oxygen)).report
    facts, counts = facts_of.facts, facts_of.counts
    wanted, ions = 2 * facts["spare_anions"], facts["interface_ions"]
    assert ions <= wanted and (ions == 0) == (oxygen == "keep" or wanted == 0)
    told = [text for text in facts_of.warnings if "beyond two per metal" in text]
    assert len(told) == (ions < wanted)
    # neutral metals beside no spare oxygen: 4 less the ions of the two blocks per metal
    balanced = 4.0 - (facts["layered_ions"] + facts["tunnel_ions"]) / counts["Mn"]
    for text in told:
        assert f"ask for {wanted} alkali ions" in text and f"{ions} are there" in text
        assert f"mean valence {facts['mean_valence']:.2f} instead of {balanced:.2f}" in text


def test_the_content_asked_of_the_tunnels_is_compared_with_the_count():
    built = tunnel_interface(P2, TunnelBlock(2, Composition({"Mn": 1.0}, content=0.2)))
    facts = built.report.facts
    reached = facts["tunnel_ions"] / facts["tunnel_metals"]
    share = next(s for s in built.report.regions[1].shares if s.role == "alkali")
    assert (share.asked, share.reached) == (pytest.approx(0.2), pytest.approx(reached))


def test_galleries_are_read_back_and_reported(cells):
    assert cells["140|0001"].report.facts["layered_galleries"] == "P2 P2"
    assert set(cells["140|1-100"].report.facts["layered_galleries"].split()) == {"P2"}
