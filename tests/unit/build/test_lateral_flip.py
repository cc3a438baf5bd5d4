"""Lateral boundaries where slabs change their sense: the search, its known numbers and the cells built from it."""

import json
import math

import numpy as np
import pytest
from ase.neighborlist import neighbor_list

from simkit import build
from simkit.build import Block, FlipSettings, Heights, LateralSettings
from simkit.build.lateral.flip import rebuild_lateral_flip
from simkit.build.lateral.flip_search import BOND_A, search
from simkit.errors import InputError
from simkit.io import to_ase

HEIGHTS = Heights(2.88, 2.0, {"P2": 3.5, "O2": 3.5, "O3": 3.2, "P3": 3.2, "O1": 2.5})
GALLERIES = {"P2": 2, "O2": 2, "O3": 3, "P3": 3, "O1": 1, "OP4-Li": 4}


def block(phase, content=0.6):
    return Block(phase, GALLERIES[phase], heights=HEIGHTS, metals={"Mn": 1.0}, content=content)


def flipped(left, right, line, **changes):
    settings = LateralSettings(mode="minburgers", repeats=1)
    return build.lateral_flip(left, right, (30.0, 30.0), 0, settings, FlipSettings(lines=(line,), **changes))


def twin(line, rank=0, lengths=(20.0, 20.0)):
    settings, grid = LateralSettings(repeats=1), FlipSettings(lines=(line,), twin=True, rank=rank)
    return build.lateral_flip(block("O1", 0.0), block("O1", 0.0), lengths, 0, settings, grid)


def shortest_and_bonds(structure, reach=BOND_A):
    metal, oxygen = structure.numbers == 25, structure.numbers == 8
    i, j, d = neighbor_list("ijd", to_ase(structure), 5.0)
    near = (d < reach) & metal[i] & oxygen[j]
    return (
        d[oxygen[i] & oxygen[j]].min(),
        d[metal[i] & oxygen[j]].min(),
        np.bincount(i[near], minlength=len(structure))[metal],
    )


def test_known_numbers_of_the_zigzag_boundary():
    """Sixteen metals, opening 0.6 A, no shift: 14 with six anions, two with five, O-O 2.26 A, Mn-O 1.94 A."""
    cell = twin("zigzag")
    oxygen, metal, bonds = shortest_and_bonds(cell.structure)
    assert cell.report.formula == "Mn16O32"
    assert cell.report.facts["opening_A"] == pytest.approx(0.6) and cell.report.facts["shift_A"] == 0.0
    assert sorted(bonds) == [5] * 2 + [6] * 14
    assert oxygen == pytest.approx(2.26, abs=0.005) and metal == pytest.approx(1.94, abs=0.005)


def test_known_numbers_of_the_armchair_boundary():
    """No shift, opening 0.9 A: four metals per period lack six anions, the lowest has four, O-O 2.48 A."""
    found = [c for c in search(2.88, 2.0, "armchair", FlipSettings()) if c.shift_A == 0.0]
    found = [c for c in found if c.opening_A == pytest.approx(0.9) and c.cuts_A[0] == c.cuts_A[1]]
    assert (found[0].lowest, found[0].not_six) == (4, 4)
    assert found[0].oxygen_oxygen_A == pytest.approx(2.48, abs=0.005)


@pytest.mark.parametrize("line", ["armchair", "zigzag"])
def test_without_an_opening_nothing_is_admissible(line):
    assert search(2.88, 2.0, line, FlipSettings(largest_opening_A=0.0)) == ()
    with pytest.raises(InputError, match="larger opening"):
        flipped(block("P2"), block("O3"), line, largest_opening_A=0.0)


@pytest.mark.parametrize("line", ["armchair", "zigzag"])
def test_candidates_are_ranked_distinct_and_keep_their_distances(line):
    found = search(2.88, 2.0, line, FlipSettings())
    ranks = [(-c.lowest, c.not_six) for c in found]
    assert ranks == sorted(ranks) and len(set(found)) == len(found) > 5
    assert all(c.oxygen_oxygen_A > 2.2 and c.metal_metal_A > 2.4 and c.metal_oxygen_A > 1.7 for c in found)


@pytest.mark.parametrize("line", ["armchair", "zigzag"])
@pytest.mark.parametrize("rank", [0, 3, 7])
def test_the_cell_has_the_distances_that_the_search_saw(line, rank):
    cell = twin(line, rank)
    facts = cell.report.facts
    oxygen, _, bonds = shortest_and_bonds(cell.structure)
    assert oxygen == pytest.approx(min(facts["boundary_oxygen_oxygen_A"], 2.63), abs=1e-6) or oxygen > 2.5
    assert bonds.min() == facts["boundary_lowest_anions"]
    assert (bonds != 6).sum() == facts["boundary_metals_lacking"]
    assert (
        len(cell.structure) % 3 == 0 and (cell.structure.numbers == 8).sum() == 2 * (cell.structure.numbers == 25).sum()
    )


@pytest.mark.parametrize(
    ("left", "right", "line"),
    [("P2", "O3", "zigzag"), ("P2", "O3", "armchair"), ("P2", "P3", "zigzag"), ("O2", "O3", "armchair")],
)
def test_half_of_the_slabs_flip_and_both_phases_read_back(left, right, line):
    cell = flipped(block(left), block(right), line)
    facts = cell.report.facts
    assert facts["slabs_flipped"] * 2 == facts["slabs"] == 6
    rng = np.random.default_rng(2)
    for noise in (0.0, 0.2):
        s = cell.structure.moved_to(cell.structure.positions + noise * rng.normal(size=cell.structure.positions.shape))
        found = build.classify_columns(s, facts["normal_vector"])
        wanted = [facts[f"{side}_galleries"].split() for side in ("left", "right")]
        assert build.column_problems(found, wanted, 0.55 if noise else 0.8) == []
    middles = [next(d for d in found.domains if list(d.gaps) == gaps) for gaps in wanted]
    assert sum(a != b for a, b in zip(middles[0].senses, middles[1].senses, strict=True)) == 3
    oxygen, metal, bonds = shortest_and_bonds(cell.structure, 2.8)
    assert oxygen > 2.2 and metal > 1.7 and (bonds == 6).all()
    assert facts["left_ions"] == math.floor(0.6 * facts["left_metals"] + 0.5)


def across_cuts(s, first, second):
    """Shortest distance between atoms of unlike block in one slab, from an independent neighbour list."""
    i, j, d = neighbor_list("ijd", to_ase(s), 5.0)
    block, slab = s.tags["block"], s.layers
    pairs = (s.numbers[i] == first) & (s.numbers[j] == second) & (block[i] != block[j]) & (slab[i] == slab[j])
    return d, pairs, slab[i]


@pytest.mark.parametrize("line", ["armchair", "zigzag"])
def test_the_facts_are_those_of_the_cell_with_its_slips(line):
    cell = flipped(block("P2"), block("O3"), line)
    s, facts = cell.structure, cell.report.facts
    found = build.classify_columns(s, facts["normal_vector"])
    left, right = (
        next(d for d in found.domains if list(d.gaps) == facts[f"{side}_galleries"].split())
        for side in ("left", "right")
    )
    turned = np.flatnonzero(np.array(left.senses) != np.array(right.senses))
    for name, first in (("oxygen", 8), ("metal", 25)):
        d, pairs, slab = across_cuts(s, first, 8)
        assert d[pairs & np.isin(slab, turned)].min() == pytest.approx(facts[f"boundary_{name}_oxygen_A"], abs=1e-9)
    _, _, bonds = shortest_and_bonds(s)
    metals = s.layers[s.numbers == 25]
    assert facts["boundary_metals_lacking"] == (bonds[np.isin(metals, turned)] != 6).sum()


def test_what_a_full_domain_lost_is_in_the_table_and_flagged():
    cell = flipped(block("P2", 2 / 3), block("O3", 1.0), "zigzag")
    full = cell.report.regions[1]
    (content,) = [s for s in full.shares if s.role == "alkali"]
    ions, metals = full.counts["alkali"]["Na"], full.counts["metal"]["Mn"]
    assert ions < metals
    assert (content.asked, content.reached) == (1.0, pytest.approx(ions / metals))
    assert cell.report.checks["5 charge"] == "flagged"
    assert any("where 1.0000 was asked" in text for text in cell.report.warnings)
    (other,) = [s for s in cell.report.regions[0].shares if s.role == "alkali"]
    assert other.asked == pytest.approx(2 / 3)


def test_the_cell_is_longer_by_two_openings():
    cell = twin("zigzag")
    facts = cell.report.facts
    length = facts["left_length_A"] + facts["right_length_A"] + 2 * facts["opening_A"]
    assert cell.structure.cell[1, 1] == pytest.approx(length)
    assert facts["free_area_A2"] == pytest.approx(2 * facts["opening_A"] * 2.88)


def test_the_recipe_builds_the_same_bytes():
    first = flipped(block("P2"), block("O3"), "zigzag", rank=1)
    again = rebuild_lateral_flip(json.loads(json.dumps(first.recipe)))
    for name in ("numbers", "positions", "cell", "layers"):
        assert getattr(first.structure, name).tobytes() == getattr(again.structure, name).tobytes()
    assert first.recipe == again.recipe


def test_candidates_of_two_phases_are_those_the_builder_takes():
    grid = FlipSettings(lines=("zigzag",))
    found = build.flip_candidates(block("P2"), block("O3"), (30.0, 30.0), LateralSettings(repeats=1), grid)
    facts = flipped(block("P2"), block("O3"), "zigzag", rank=2).report.facts
    assert facts["candidates"] == len(found)
    assert (facts["opening_A"], facts["shift_A"]) == (found[2].opening_A, found[2].shift_A)
    json.dumps(found[0].to_dict())


REFUSED = [
    (lambda: flipped(block("P2"), block("O2"), "zigzag"), "twin=True"),
    (lambda: flipped(block("P2"), block("O3"), "zigzag", rank=10**4), "candidates, 0 is the best"),
    (lambda: build.lateral_flip(block("P2"), block("O3"), (15.0, 30.0)), "no middle"),
    (lambda: FlipSettings(lines=("diagonal",)), "lines"),
    (lambda: FlipSettings(cuts=0), "cuts"),
    (lambda: FlipSettings(rank=-1), "rank"),
    (lambda: FlipSettings(opening_step_A=0.0), "opening_step_A"),
    (lambda: FlipSettings(opening_step_A=1e-4), "opening_step_A"),
    (lambda: FlipSettings(shifts=48, cuts=48), "boundaries for each line"),
    (lambda: FlipSettings(oxygen_oxygen_A=-1.0), "oxygen_oxygen_A"),
    (lambda: FlipSettings(metal_metal_A=float("nan")), "metal_metal_A"),
    (lambda: FlipSettings(lines=None), "lines"),
    (lambda: FlipSettings(twin=1), "twin"),
    (lambda: build.lateral_flip(block("P2"), block("O3"), search_settings={"rank": 1}), "search_settings is a dict"),
]


@pytest.mark.parametrize(("ask", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_bad_requests_are_refused_with_words(ask, words):
    with pytest.raises(InputError, match=words):
        ask()


def test_ions_of_a_twin_sit_in_the_middle_of_their_octahedra():
    settings, grid = LateralSettings(mode="minburgers", repeats=1), FlipSettings(lines=("zigzag",), twin=True)
    cell = build.lateral_flip(block("O3"), block("O3"), (30.0, 30.0), 0, settings, grid)
    s, facts = cell.structure, cell.report.facts
    i, j, d = neighbor_list("ijd", to_ase(s), 3.1)
    for side in (1, 2):
        middle = facts[f"boundary_{side}_A"] + 15.0
        ions = np.flatnonzero((s.numbers == 11) & (np.abs(s.positions[:, 1] - middle) < 3.0))
        assert len(ions) >= 2
        for ion in ions:
            around = np.sort(d[(i == ion) & (s.numbers[j] == 8)])
            assert len(around) == 6 and np.ptp(around) < 0.1  # the cell is 2 % longer: two openings
