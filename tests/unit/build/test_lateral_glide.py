"""Lateral glide boundaries: bonds, counts, registry and strain of the cells, and what is refused."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from ase.neighborlist import neighbor_list

from simkit import build
from simkit.build import Block, Heights, LateralSettings
from simkit.build.lateral.burgers import burgers_problems
from simkit.build.lateral.domains import plan
from simkit.build.lateral.glide import rebuild_lateral
from simkit.build.lateral.ions import EASE_A, _eased, candidates
from simkit.build.lateral.walls import slid_layers
from simkit.errors import InputError
from simkit.io import to_ase

HEIGHTS = Heights(2.88, 2.0, {"P2": 3.5, "O2": 3.5, "O3": 3.2, "P3": 3.2, "O1": 3.2})
GALLERIES = {"P2": 2, "O2": 2, "OP4": 4, "O3": 3, "P3": 3, "O1": 3, "OP2": 6}
PARTIAL_A = 2.88 / math.sqrt(3.0)
JOINS = [
    ("P2", "O2", "armchair", "minedge", 3.0),
    ("P2", "O2", "zigzag", "minedge", 8.0),
    ("P2", "OP4", "armchair", "minedge", 8.0),
    ("O3", "P3", "armchair", "minedge", 8.0),
    ("O3", "P3", "zigzag", "minburgers", 8.0),
    ("O3", "O1", "armchair", "minburgers", 8.0),
    ("P3", "O1", "zigzag", "minedge", 8.0),
    ("O3", "OP2", "zigzag", "minedge", 8.0),
]


def block(phase, content=0.6, **changes):
    return Block(phase, GALLERIES[phase], heights=HEIGHTS, metals={"Mn": 1.0}, content=content, **changes)


def honeycomb(centres, repeats, **changes):
    """Ni on the honeycomb centres of O3 | P3 along a zigzag line."""
    common = {"metals": {"Ni": 1 / 3, "Mn": 2 / 3}, "content": 0.6, "heights": HEIGHTS, "centres": centres}
    blocks = (Block(phase, 3, arrangement="honeycomb", **common, **changes) for phase in ("O3", "P3"))
    return build.lateral(*blocks, "zigzag", (22.0, 22.0), 0, LateralSettings(repeats=repeats))


def joined(left, right, line="armchair", mode="minedge", width=8.0, **changes):
    settings = LateralSettings(mode=mode, width_A=width, repeats=1)
    lengths = changes.pop("lengths_A", (30.0, 30.0))
    return build.lateral(left, right, line, lengths, changes.pop("seed", 0), settings)


@pytest.fixture(scope="module")
def cells():
    return {join: joined(block(join[0]), block(join[1]), *join[2:]) for join in JOINS}


@pytest.mark.parametrize("join", JOINS, ids=str)
def test_bonds_of_an_independent_neighbour_list(cells, join):
    s = cells[join].structure
    metal, oxygen = s.numbers == 25, s.numbers == 8
    i, j, d = neighbor_list("ijd", to_ase(s), 2.8)
    bonds = metal[i] & oxygen[j]
    assert (np.bincount(i[bonds], minlength=len(s))[metal] == 6).all()
    assert d[bonds].min() >= 1.75
    assert d[oxygen[i] & oxygen[j]].min() >= 2.3
    assert d[metal[i] & metal[j]].min() >= 2.5
    assert d[(s.numbers[i] == 11) & oxygen[j]].min() >= 2.1


def test_known_shortest_distances(cells):
    """Mn-O >= 1.82 and O-O >= 2.51 at width 3, 1.825 and 2.52 at 8 (within how rows fall on the boundary)."""
    for join, metal, anion in ((JOINS[0], 1.82, 2.51), (JOINS[3], 1.825, 2.52)):
        shortest = cells[join].report.shortest_A
        assert shortest["M-O"] == pytest.approx(metal, abs=0.02)
        assert shortest["O-O"] == pytest.approx(anion, abs=0.015)


@pytest.mark.parametrize("join", JOINS, ids=str)
@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_columns_read_both_phases_back(cells, join, noise):
    cell = cells[join]
    rng = np.random.default_rng(5)
    s = cell.structure.moved_to(cell.structure.positions + noise * rng.normal(size=cell.structure.positions.shape))
    found = build.classify_columns(s)
    assert found.normal == cell.report.facts["normal_vector"]
    wanted = [cell.report.facts[f"{side}_galleries"].split() for side in ("left", "right")]
    assert build.column_problems(found, wanted, 0.6 if noise else 0.8) == []
    assert build.wall_problems(found) == []
    assert len(found.walls_A) == 2
    edges = [cell.report.facts["boundary_1_A"], cell.report.facts["boundary_2_A"]]
    for x in edges:
        miss = np.array(found.walls_A) - x
        assert np.abs(miss - found.length_A * np.round(miss / found.length_A)).min() < 3.0  # two columns


@pytest.mark.parametrize("join", JOINS, ids=str)
def test_measured_burgers_vectors_are_the_designed_ones(cells, join):
    cell = cells[join]
    found = build.classify_columns(cell.structure, cell.report.facts["normal_vector"])
    designed = np.array(
        [[float(x) for x in part.split()] for part in cell.report.facts["gallery_burgers_A"].split(";")]
    )
    assert burgers_problems(designed, 2.88) == []
    signs = [min(np.abs(wall - sign * designed).max() for sign in (1, -1)) for wall in found.burgers()]
    assert max(signs) < 0.02  # windows of 6 A reach the tails of the step


def test_the_middle_of_a_domain_is_the_ideal_phase(cells):
    cell = cells[JOINS[1]]
    found = build.classify_columns(cell.structure, "b")
    for side, wanted in (("left", 0.0), ("right", PARTIAL_A)):
        gaps = tuple(cell.report.facts[f"{side}_galleries"].split())
        middle = next(d.middle_A for d in found.domains if d.gaps == gaps)
        assert np.allclose(found.registry_A[found.at(middle)], wanted, atol=5e-3)
        assert found.order_parameter[found.at(middle)].min() > 0.999


@pytest.mark.parametrize("join", JOINS, ids=str)
def test_counts_are_exact_and_tags_follow_the_domains(cells, join):
    cell = cells[join]
    s, facts = cell.structure, cell.report.facts
    for side, name in enumerate(("left", "right")):
        mine = s.tags["block"] == side
        metals = int((mine & (s.numbers == 25)).sum())
        assert metals == facts[f"{name}_metals"] == facts[f"{name}_rows"] * facts["slabs"]
        assert int((mine & (s.numbers == 8)).sum()) == 2 * metals
        assert int((mine & (s.numbers == 11)).sum()) == facts[f"{name}_ions"] == math.floor(0.6 * metals + 0.5)
        assert set(s.tags["phase"][mine]) == {join[side]}
        assert facts[f"{name}_ions_missing"] == 0
    assert (s.layers[s.numbers == 11] == -1).all() and (s.tags["gallery"][s.numbers == 11] >= 0).all()
    assert facts["burgers_sum_A"] < 1e-12
    assert set(s.layers) == {-1, *range(facts["slabs"])}


def test_core_strain_is_the_closed_form(cells):
    facts = cells[JOINS[1]].report.facts
    step = 0.5 * PARTIAL_A
    assert facts["core_strain"] == pytest.approx(step / (8.0 * math.sqrt(math.pi) / 2.0), rel=1e-9)
    assert facts["core_normal_strain"] == pytest.approx(0.5 * facts["core_strain"], rel=1e-9)
    assert cells[JOINS[0]].report.facts["core_normal_strain"] == 0.0


def test_a_full_domain_loses_sites_at_its_boundaries_and_says_so():
    cell = joined(block("O3", 1.0), block("P3", 1.0), "zigzag", "minburgers")
    facts = cell.report.facts
    missing = facts["left_ions_missing"] + facts["right_ions_missing"]
    assert 0 < missing <= 0.11 * (facts["left_metals"] + facts["right_metals"])
    assert any("leave no room" in text for text in cell.report.warnings)
    assert (cell.structure.numbers == 11).sum() == facts["left_ions"] + facts["right_ions"]


@pytest.mark.parametrize(("strain", "left"), [("equal", 1.0), ("fix:0", 0.0), ("fix:1", 2.0), ("thickness", None)])
def test_strain_is_shared_along_the_line_and_none_across(strain, left):
    low = Heights(2.85, 2.0, {"P2": 3.5})
    high = Heights(2.85 * 1.02, 2.1, {"O2": 3.3})
    settings = LateralSettings(strain=strain, repeats=1)
    a = Block("P2", 2, heights=low, metals={"Mn": 1.0}, content=0.6)
    b = Block("O2", 2, heights=high, metals={"Mn": 1.0}, content=0.6)
    cell = build.lateral(a, b, "zigzag", (25.0, 50.0), 0, settings)
    facts, (x, y, z) = cell.report.facts, np.diag(cell.structure.cell)
    rows = facts["left_rows"], facts["right_rows"]
    assert y == pytest.approx(math.sqrt(0.75) * (rows[0] * low.a_A + rows[1] * high.a_A), rel=1e-12)
    share = facts["left_length_A"] / y
    wanted = {None: 2.0 * (1 - share)}.get(left, left)
    assert facts["strain_line_left_percent"] == pytest.approx(wanted, abs=1e-9)
    assert x == pytest.approx(low.a_A * (1 + wanted / 100))
    assert facts["strain_normal_left_percent"] == facts["strain_normal_right_percent"] == 0.0
    assert z == pytest.approx(2 * (share * 5.5 + (1 - share) * 5.4))
    assert facts["strain_c_left_percent"] == pytest.approx(100 * (z / 11.0 - 1))


def test_rows_are_spaced_as_in_each_phase():
    """Metals deep in a domain keep their own phase's row spacing along the normal."""
    low, high = Heights(2.85, 2.0, {"P2": 3.5}), Heights(2.90, 2.0, {"O2": 3.5})
    a = Block("P2", 2, heights=low, metals={"Mn": 1.0}, content=0.0)
    b = Block("O2", 2, heights=high, metals={"Mn": 1.0}, content=0.0)
    cell = build.lateral(a, b, "armchair", (40.0, 40.0), 0, LateralSettings(repeats=1))
    s, facts = cell.structure, cell.report.facts
    for side, own in ((0, low), (1, high)):
        middle = facts[f"boundary_{side + 1}_A"] + 20.0
        x = np.sort(s.positions[(s.numbers == 25) & (s.layers == 0), 0])
        near = x[np.abs(x - middle) < 6.0]
        assert np.allclose(np.diff(near), 0.5 * own.a_A, atol=1e-4)


def test_the_recipe_builds_the_same_bytes():
    first = joined(block("P2"), block("O2"), "zigzag", lengths_A=(26.0, 30.0), seed=3)
    again = rebuild_lateral(json.loads(json.dumps(first.recipe)))
    for name in ("numbers", "positions", "cell", "layers"):
        assert getattr(first.structure, name).tobytes() == getattr(again.structure, name).tobytes()
    assert first.recipe == again.recipe and first.report.to_dict() == again.report.to_dict()
    mixed = {"Mn": 0.5, "Ni": 0.5}
    pair = (replace(block(p), metals=mixed) for p in ("P2", "O2"))
    third, fourth = (joined(*two, seed=seed) for two in [tuple(pair)] for seed in (3, 4))
    assert not np.array_equal(third.structure.numbers, fourth.structure.numbers)


def test_lists_per_gallery_follow_the_slabs():
    cell = joined(block("P2", (0.8, 0.4)), block("O2", (0.5, 0.25)))
    s = cell.structure
    for side, contents in enumerate(((0.8, 0.4), (0.5, 0.25))):
        mine = (s.tags["block"] == side) & (s.numbers == 11)
        metals = cell.report.facts["left_metals" if side == 0 else "right_metals"] // 2
        assert [int((mine & (s.tags["gallery"] == j)).sum()) for j in (0, 1)] == [
            math.floor(x * metals + 0.5) for x in contents
        ]


@pytest.mark.parametrize("sites", ["auto", "e", "f", "mixed"])
@pytest.mark.parametrize(("phase", "line"), [("P2", "armchair"), ("P2", "zigzag"), ("P3", "armchair")])
def test_a_boundary_between_compositions_alone_costs_no_site(phase, line, sites):
    """Nothing moves, so every gallery is as full as in the bulk, whichever kind of site it takes."""
    sites = {"e": "lower", "f": "upper"}.get(sites, sites) if phase == "P3" else sites
    left = Block(phase, GALLERIES[phase], heights=HEIGHTS, metals={"Mn": 1.0}, sites=sites)
    cell = joined(left, replace(left, metals={"Co": 1.0}), line, lengths_A=(25.0, 25.0))
    facts = cell.report.facts
    assert facts["slabs_moved"] == facts["left_ions_missing"] == facts["right_ions_missing"] == 0
    assert (cell.structure.numbers == 11).sum() == facts["left_metals"] + facts["right_metals"]


def test_a_rounded_content_is_told():
    cell = joined(block("P2", 0.235), block("O2", 0.5), lengths_A=(15.0, 15.0))
    content = next(s for s in cell.report.regions[0].shares if s.role == "alkali")
    metals = cell.report.facts["left_metals"]
    assert (content.asked, content.reached) == (0.235, pytest.approx(math.floor(0.235 * metals + 0.5) / metals))
    assert any("where 0.2350 was asked" in text for text in cell.report.warnings)


@pytest.mark.parametrize(("centres", "turn"), [((0, 0, 0), 0), ((0, 1, 2), 1), ((0, 2, 1), 2)])
def test_honeycomb_centres_are_taken_in_both_domains(centres, turn):
    """The wave (b1 + b2) / 3 of the centres has unit size in every slab and turns by 120 degrees per step of centre."""
    s = honeycomb(centres, 3).structure
    wave = 4 * np.pi / (3 * 2.88) * np.array([np.cos(np.pi / 3), np.sin(np.pi / 3)])
    for side in (0, 1):
        start = s.positions[(s.tags["block"] == side) & (s.layers == 0) & (s.numbers == 28), 1]
        middle = 0.5 * (start.min() + start.max())
        means = []
        for j in range(3):
            mine = (s.layers == j) & (s.numbers == 28) & (s.tags["block"] == side)
            mine &= np.abs(s.positions[:, 1] - middle) < 4.0
            assert mine.sum() >= 3
            means.append(np.exp(1j * s.positions[mine][:, :2] @ wave).mean())
        assert np.allclose(np.abs(means), 1.0, atol=0.01)
        steps = np.angle(np.array(means[1:]) / means[:-1]) / (2 * np.pi / 3)
        assert np.allclose((steps - turn + 1.5) % 3 - 1.5, 0.0, atol=0.05)


def test_short_domains_are_flagged():
    texts = joined(block("P2"), block("O2"), lengths_A=(20.0, 30.0)).report.warnings
    assert any("25" in text for text in texts)


REFUSED = [
    (lambda: joined(block("P2"), block("O3")), "use lateral_flip"),
    (lambda: joined(block("O3"), block("P3"), "zigzag", width=5.0), "too narrow"),
    (lambda: joined(block("P2"), block("O2"), "zigzag", width=3.0), "widen it"),
    (lambda: joined(block("P2"), block("O2"), width=40.0), "no middle"),
    (lambda: joined(block("P2"), block("O2"), "diagonal"), "is unknown"),
    (lambda: joined(block("P2"), block("O2"), mode="least"), "is unknown"),
    (lambda: joined(block("P2"), block("O2"), lengths_A=(30.0,)), "lengths_A"),
    (lambda: build.lateral(block("O3"), Block("T#2", 2)), "half a letter"),
    (lambda: build.lateral(block("O3"), Block("O'3", 3)), "distorted"),
    (lambda: build.lateral(block("O3"), Block("rock-salt", 3)), "oxygen lattice"),
    (lambda: LateralSettings(width_A=0.0), "width_A"),
    (lambda: LateralSettings(strain="elastic"), "strain"),
    (lambda: LateralSettings(repeats=0), "repeats"),
    (lambda: LateralSettings(repeats=True), "repeats"),
    (lambda: LateralSettings(width_A="8"), "width_A"),
    (lambda: LateralSettings(max_strain_percent=float("nan")), "max_strain_percent"),
    (lambda: LateralSettings(max_c_strain_percent=float("nan")), "max_c_strain_percent"),
    (lambda: LateralSettings(limits=build.Limits(oxygen_oxygen_A=float("nan"))), "oxygen_oxygen_A"),
    (lambda: joined(block("P2"), block("O2"), lengths_A="30"), "lengths_A"),
    (lambda: joined(block("P2"), block("O2"), lengths_A=(30.0, float("nan"))), "lengths_A"),
    (lambda: joined(block("P2"), None), "Block"),
    (lambda: build.lateral(block("P2"), block("O2"), settings={"width_A": 8.0}), "settings is a dict"),
    (lambda: joined(block("P2"), block("P2")), "no slab moves"),
    (lambda: joined(block("P2", 0.01), block("O2")), "less than one Na"),
    (lambda: joined(block("P2", (0.6, 0.01)), block("O2")), "less than one Na"),
    (lambda: honeycomb((0, 0, 0), 2), "whole honeycomb cells"),
]


@pytest.mark.parametrize(("ask", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_bad_requests_are_refused_with_words(ask, words):
    with pytest.raises(InputError, match=words):
        ask()


def test_strains_over_their_limits_are_refused_with_the_number():
    wide = Heights(3.2, 2.0, {"O2": 3.5})
    with pytest.raises(InputError, match=r"\+5\.\d+ %|5\.\d+ %"):
        joined(block("P2"), Block("O2", 2, heights=wide, metals={"Mn": 1.0}, content=0.6))
    flat = Heights(2.88, 2.0, {"O2": 2.2})
    with pytest.raises(InputError, match="max_c_strain_percent"):
        joined(block("P2"), Block("O2", 2, heights=flat, metals={"Mn": 1.0}, content=0.0))


def test_every_slab_has_its_rows_in_each_domain():
    """Rows are whole: each layer of each slab gives every domain the same number of sites."""
    domains = plan((block("O3"), block("P3")), "zigzag", (27.0, 33.0), False, LateralSettings(repeats=2))
    cell = build.lateral(block("O3"), block("P3"), "zigzag", (27.0, 33.0), 0, LateralSettings(repeats=2))
    s = cell.structure
    for j in range(3):
        for side, rows in enumerate(domains.rows):
            mine = (s.layers == j) & (s.tags["block"] == side)
            assert (mine & (s.numbers == 25)).sum() == 2 * rows
            assert (mine & (s.numbers == 8)).sum() == 4 * rows


@pytest.mark.parametrize("join", [JOINS[1], JOINS[3], JOINS[7]], ids=str)
def test_ions_sit_in_the_middle_of_their_polyhedra(cells, join):
    """Deep in a domain every ion has six anions at one distance: its prism or octahedron is undistorted there."""
    cell = cells[join]
    s, facts = cell.structure, cell.report.facts
    axis = "ab".index(facts["normal_vector"])
    i, j, d = neighbor_list("ijd", to_ase(s), 3.1)
    seen = 0
    for side in (1, 2):
        middle = facts[f"boundary_{side}_A"] + 15.0
        ions = np.flatnonzero((s.numbers == 11) & (np.abs(s.positions[:, axis] - middle) < 3.0))
        for ion in ions:
            around = np.sort(d[(i == ion) & (s.numbers[j] == 8)])[:6]
            assert len(around) == 6 and np.ptp(around) < 0.02  # the step still has erfc(3) = 2e-5 of 1.7 A there
            seen += 1
    assert seen >= 4


def test_sites_of_the_core_follow_the_mean_of_their_two_slabs():
    """In the core, where slabs slip apart, a site stays centred on the three anions below and the three above."""
    domains = plan((block("O3"), block("P3")), "armchair", (30.0, 30.0), False, LateralSettings(repeats=1))
    sites = candidates(domains)
    layers = slid_layers(domains)
    core = np.flatnonzero(sites.depth < 2.0)
    worst = 0.0
    for k in core:
        j = sites.gallery[k]
        below = next(x for x in layers[::-1] if x.slab == j and x.role == "anion").positions
        above = next(x for x in layers if x.slab == (j + 1) % 3 and x.role == "anion").positions
        centres = []
        for anions in (below, above):
            step = (anions - sites.positions[k]) @ np.linalg.inv(domains.cell)
            step = ((step - np.round(step)) @ domains.cell)[:, :2]
            centres.append(step[np.argsort((step**2).sum(axis=1))[:3]].mean(axis=0))
        worst = max(worst, float(np.linalg.norm(centres[0] + centres[1])) / 2)
    assert len(core) >= 12
    assert worst < 0.08


def test_crowded_sites_are_moved_into_the_open_and_no_farther():
    """A site 0.3 A off the middle of an octahedron of 2.2 A bonds finds back; a comfortable one is left alone."""
    anions = 2.2 * np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]) + 10.0
    cell = 20.0 * np.eye(3)
    points = np.array([[10.3, 10.0, 10.0], [10.02, 10.0, 10.0], [10.0, 10.0, 15.0]])
    eased = _eased(points, anions, cell, np.full(3, 2.1))
    assert np.linalg.norm(eased[0] - 10.0) < 0.1
    assert np.array_equal(eased[1:], points[1:])
    far = _eased(np.array([[11.8, 10.0, 10.0]]), anions, cell, np.full(1, 2.1))
    assert np.linalg.norm(far[0] - [11.8, 10.0, 10.0]) == pytest.approx(EASE_A)
