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
    Contact,
    InterfaceSettings,
    TunnelBlock,
    rebuild_tunnel,
    tunnel_bulk,
    tunnel_interface,
)
from simkit.build.tunnel.parts import layered_part, metal_shells, tunnel_part
from simkit.errors import InputError

HEIGHTS = Heights(2.88, 1.93, {"P2": 3.645, "P3": 3.6, "O3": 3.2})
P2 = Block("P2", 2, metals={"Mn": 1.0}, content=2 / 3, heights=HEIGHTS)
SMALL = TunnelBlock(layers=2)


def shortest(structure, first, second):
    atoms = Atoms(numbers=structure.numbers, positions=structure.positions, cell=structure.cell, pbc=True)
    i, j, d = neighbor_list("ijd", atoms, 3.0)
    symbols = np.array(structure.symbols)
    return d[(symbols[i] == first) & (symbols[j] == second)].min()


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
    own, bulk = metal_shells(tunnel_part(cells["140|0001"])), metal_shells(tunnel_bulk(repeats=(1, 1, 1)).structure)
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
    assert 4 <= ions <= 2 * plain.report.facts["spare_anions"]
    drop = plain.report.facts["mean_valence"] - filled.report.facts["mean_valence"]
    assert drop == pytest.approx(ions / metals)
    assert shortest(filled.structure, "Na", "O") >= 2.26 - 1e-6
    assert shortest(filled.structure, "Na", "Na") >= 2.65 - 1e-6
    fewer = tunnel_interface(P2, SMALL, settings=InterfaceSettings(oxygen="sodium", ions=3))
    assert fewer.report.facts["interface_ions"] == 3
    with pytest.raises(InputError, match="ask for at most"):
        tunnel_interface(P2, SMALL, settings=InterfaceSettings(oxygen="sodium", ions=99))


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
        ({"strain": "half"}, "use 'equal'"),
        ({"tunnel": TunnelBlock(2, Composition({"Mn": 1.0}, content=0.7))}, "at most"),
        ({"tunnel": TunnelBlock(0)}, "at least 1"),
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
