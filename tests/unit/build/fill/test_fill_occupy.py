"""Filled scaffolds: exact counts for any composition, streams, site choices, dopants, anions, shared galleries."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkit.build.composition import Composition
from simkit.build.fill.charges import filled_charges, name_counts, part_problems, parts
from simkit.build.fill.counts import stratum_counts
from simkit.build.fill.ions import FACE_EV_PER_VALENCE, face_energies
from simkit.build.geometry import frame_of, gallery_sites
from simkit.build.heights import Heights
from simkit.build.occupy import ion_groups, occupants, occupy, streams
from simkit.build.scaffold import HARD_CORE_A, Region, Scaffold, Stratum
from simkit.build.stacking import Stack
from simkit.errors import InputError
from simkit.kernels.pair_search import find_pairs

HEIGHTS = Heights(2.9, 2.0, {"P2": 3.5, "P3": 3.5, "O3": 3.2, "O1": 3.1, "O2": 3.1})


def layered(gaps, repeats, compositions, region_of=None):
    """A stack as a scaffold; region_of(slab or gallery, point) -> region, one region by default."""
    frame = frame_of(Stack.from_gaps(gaps), HEIGHTS, repeats)
    region_of = region_of or (lambda j, points: np.zeros(len(points), dtype=int))
    columns, strata, index = [], [], {}

    def put(role, j, points, kinds, where):
        for point, kind, r in zip(points, kinds, region_of(j, points), strict=True):
            key = role, j, int(r)
            k = index.setdefault(key, len(index))
            columns.append((point, k, kind, *where))

    for j in range(len(frame.stack)):
        lower, metal, upper = frame.slab(j)
        put("anion", j, lower, ["O"] * len(lower), (j, -1))
        put("metal", j, metal, ["TM"] * len(metal), (j, -1))
        put("anion", j, upper, ["O"] * len(upper), (j, -1))
        for letter, kind in gallery_sites(frame.stack, j):
            points = frame.layer(letter, frame.gallery_height_A(j))
            put("alkali", j, points, [kind] * len(points), (-1, j))
    points, stratum, kind, layers, gallery = (list(c) for c in zip(*columns, strict=True))
    for k, (role, j, r) in enumerate(index):
        size = stratum.count(k)
        kinds = {kind[i] for i in range(len(kind)) if stratum[i] == k}
        capacity = size // len(kinds) if role == "alkali" else size
        strata.append(Stratum(role, r, capacity))
        assert k == index[role, j, r]
    regions = tuple(Region(f"phase {i}", c) for i, c in enumerate(compositions))
    return Scaffold(
        frame.cell, np.array(points), np.array(stratum), np.array(kind), np.array(layers), np.array(gallery),
        tuple(strata), regions,
    )  # fmt: skip


def tally(scaffold, names, role, region=0):
    return Counter(names[(scaffold.role == role) & (scaffold.region == region) & (names != "")].tolist())


def hard_contacts(scaffold, names):
    ions = scaffold.positions[(scaffold.role == "alkali") & (names != "")]
    return len(find_pairs(ions, ions, scaffold.cell, HARD_CORE_A))


@st.composite
def compositions(draw):
    symbols = draw(st.lists(st.sampled_from(["Ni", "Mn", "Fe", "Ti", "Cu", "Mg", "Li"]), min_size=1, max_size=5))
    symbols = list(dict.fromkeys(symbols))
    weights = np.array([draw(st.floats(0.2, 1.0)) for _ in symbols])
    fluorine = draw(st.sampled_from([0.0, 0.05, 0.1]))
    anions = {"O": 1 - fluorine, "F": fluorine} if fluorine else {"O": 1.0}
    return Composition(
        metals=dict(zip(symbols, (weights / weights.sum()).tolist(), strict=True)),
        content=draw(st.floats(0.1, 1.0)),
        anions=anions,
        ordering=draw(st.sampled_from(["screened", "random"])),
    )


@settings(max_examples=25, deadline=None)
@given(
    compositions(), st.sampled_from([["P2"] * 2, ["O3"] * 3, ["P3"] * 3, ["P2", "O3", "P2", "O3"]]), st.integers(0, 99)
)
def test_composition_is_within_one_atom_of_the_request(composition, gaps, seed):
    scaffold = layered(gaps, (4, 3), [composition])
    names = occupants(scaffold, seed)
    for role, table in (("metal", composition.metals), ("anion", composition.anions)):
        counts, sites = tally(scaffold, names, role), int((scaffold.role == role).sum())
        assert sum(counts.values()) == sites
        for symbol, fraction in table.items():
            assert abs(counts[symbol] / sites - fraction) < 1 / sites
    ions, capacity = tally(scaffold, names, "alkali")["Na"], 12 * len(gaps)
    assert abs(ions / capacity - composition.content) <= 0.5 / capacity + 1e-12
    for counts in name_counts(scaffold, names):
        assert set(counts) <= {*composition.metals, "O", "F", "Na"}
    per_slab = [tally(scaffold, np.where(scaffold.layers == j, names, ""), "metal") for j in range(len(gaps))]
    for symbol in composition.metals:
        assert max(c[symbol] for c in per_slab) - min(c[symbol] for c in per_slab) <= 1
    assert hard_contacts(scaffold, names) == 0
    assert np.array_equal(names, occupants(scaffold, seed))
    assert abs(filled_charges(scaffold, names).sum()) < 1e-6


def test_streams_differ_and_do_not_depend_on_other_strata():
    scaffold = layered(["P2"] * 2, (3, 3), [Composition(), Composition()], lambda j, p: np.full(len(p), j))
    keys = streams(scaffold, 5)
    assert len(set(keys)) == len(keys)
    assert (5, 0, 1) in keys
    assert (5, 1, 0) in keys
    halves = layered(["P2"] * 2, (4, 3), [Composition()] * 2, lambda j, p: (p[:, 1] > 4).astype(int))
    split = streams(halves, 5)
    assert len(set(split)) == len(split)
    states = {np.random.default_rng(key).bit_generator.state["state"]["state"] for key in split}
    assert len(states) == len(split)


def test_one_table_per_slab_makes_an_exact_gradient():
    tables = [{"Ni": 0.9, "Mn": 0.1}, {"Ni": 0.7, "Mn": 0.3}, {"Ni": 0.5, "Mn": 0.5}, {"Ni": 0.3, "Mn": 0.7}]
    scaffold = layered(["P2"] * 4, (5, 4), [Composition(metals=tables, content=0.7)])
    names = occupants(scaffold, 0)
    counts = [tally(scaffold, np.where(scaffold.layers == j, names, ""), "metal")["Ni"] for j in range(4)]
    assert counts == [18, 14, 10, 6]
    short = replace(scaffold, regions=(Region("P2", Composition(metals=tables[:3])),))
    with pytest.raises(InputError, match="list 3 tables, but they lie in 4 slabs"):
        occupy(short, 0)


def test_one_content_per_gallery():
    scaffold = layered(["O3"] * 3, (4, 4), [Composition(content=(0.25, 0.5, 1.0))])
    names = occupants(scaffold, 0)
    assert [int(((names == "Na") & (scaffold.gallery == j)).sum()) for j in range(3)] == [4, 8, 16]


@pytest.mark.parametrize(
    ("gap", "choice", "kind"), [("P2", "e", "e"), ("P2", "f", "f"), ("P3", "lower", "ef"), ("P3", "upper", "fe")]
)
def test_site_choices(gap, choice, kind):
    scaffold = layered([gap] * (2 if gap == "P2" else 3), (4, 4), [Composition(content=0.5, sites=choice)])
    names = occupants(scaffold, 1)
    assert set(scaffold.kind[names == "Na"].tolist()) == {kind}


def test_full_prismatic_galleries_take_one_kind_and_partial_ones_both():
    full = layered(["P2"] * 2, (4, 4), [Composition(content=1.0)])
    assert set(full.kind[occupants(full, 0) == "Na"].tolist()) == {"e"}
    part = layered(["P2"] * 2, (6, 6), [Composition(content=2 / 3)])
    names = occupants(part, 0)
    kinds = Counter(part.kind[names == "Na"].tolist())
    assert kinds["e"] > kinds["f"] > 0


@pytest.mark.parametrize("seed", range(5))
def test_dopants_replace_ions_exactly_and_stay_apart(seed):
    composition = Composition(metals={"Ni": 1 / 3, "Mn": 2 / 3}, content=2 / 3, dopants={"Ca": 1 / 12})
    scaffold = layered(["P2"] * 2, (6, 6), [composition])
    names = occupants(scaffold, seed)
    assert tally(scaffold, names, "alkali") == {"Na": 44, "Ca": 4}
    for gallery in (0, 1):
        ca = scaffold.positions[(names == "Ca") & (scaffold.gallery == gallery)]
        assert len(ca) == 2
        # two ions on 6 x 6 cells can be 3 a apart
        assert find_pairs(ca, ca, scaffold.cell, 2.5 * 2.9).distance.size == 0
    assert abs(filled_charges(scaffold, names).sum()) < 1e-9


@pytest.mark.parametrize(
    ("gaps", "faces"),
    [(["P2"] * 2, {"e": 0, "f": 2}), (["P3"] * 3, {"ef": 1, "fe": 1}), (["O3"], {"oct": 0}), (["O1"], {"oct": 2})],
)
@pytest.mark.parametrize("repeats", [(1, 1), (3, 2)])
def test_shared_faces_are_found_from_the_geometry(gaps, faces, repeats):
    scaffold = layered(gaps, repeats, [Composition()])
    sites = np.flatnonzero(scaffold.role == "alkali")
    charge = np.where(scaffold.role == "metal", 3.0, 0.0)
    found = face_energies(scaffold, charge, sites) / (3.0 * FACE_EV_PER_VALENCE)
    assert found == pytest.approx([faces[str(kind)] for kind in scaffold.kind[sites]])


def test_ions_avoid_faces_of_the_more_charged_metals():
    scaffold = layered(["O2u", "O2l"], (4, 4), [Composition(metals={"Ni": 0.5, "Mn": 0.5}, content=0.25)])
    names = occupants(scaffold, 0)
    sites = np.flatnonzero(scaffold.role == "alkali")
    energy = face_energies(scaffold, filled_charges(scaffold, names), sites)
    # one face with Ni2+ costs less than one with Mn4+, and four ions in sixteen sites have the choice
    assert energy[names[sites] == "Na"].mean() < energy.mean()


def test_fluorine_lowers_the_valence_of_its_slabs():
    scaffold = layered(["P2"] * 2, (5, 4), [Composition(metals={"Mn": 1}, content=0.7, anions={"O": 0.95, "F": 0.05})])
    found, _ = parts(scaffold, stratum_counts(scaffold))
    # 40 anions a slab, 2 of them F: (38 x 2 + 2 - 14) / 20
    assert [p.mean for p in found] == pytest.approx([3.2, 3.2])


@pytest.mark.parametrize(
    ("metals", "content", "words"),
    [
        ({"Li": 0.25, "Sn": 0.75}, 1.0, "3.000, but its metals allow 3.250 to 3.250; ask for fewer ions or lower-"),
        ({"Al": 1.0}, 0.5, "3.500, but its metals allow 3.000 to 3.000; ask for more ions or higher-"),
    ],
)
def test_a_slab_that_cannot_be_neutral_says_which_way_out(metals, content, words):
    scaffold = layered(["O3"] * 3, (2, 2), [Composition(metals=metals, content=content)])
    found, _ = parts(scaffold, stratum_counts(scaffold))
    assert words in part_problems(found, ["O3"])[0]


def test_metals_of_two_blocks_are_nearest_in_sum():
    metals = {"Mn": 0.1261, "Ni": 0.1867, "Fe": 0.2124, "Co": 0.1567, "Ti": 0.2274, "Cu": 0.0907}
    scaffold = layered(
        ["P2"] * 4 + ["O3"] * 3,
        (2, 5),
        [Composition(metals=metals, content=0.7), Composition(metals=metals, content=0.9)],
        lambda j, points: np.full(len(points), int(j >= 4)),
    )
    names = occupants(scaffold, 105)
    for name, x in metals.items():
        assert abs((names == name).sum() - x * 70) < 1
        for r, size in enumerate((40, 30)):
            assert abs(((names == name) & (scaffold.region == r)).sum() - x * size) < 1


def test_two_domains_share_a_gallery_without_contacts_and_keep_their_own_counts():
    left, right = Composition(content=0.9), Composition(metals={"Mn": 1}, content=0.5, sites="f")
    scaffold = layered(["P2"] * 2, (6, 4), [left, right], lambda j, p: (p[:, 1] > 5.1).astype(int))
    assert set(scaffold.region.tolist()) == {0, 1}
    names = occupants(scaffold, 3)
    assert hard_contacts(scaffold, names) == 0
    for r, content in ((0, 0.9), (1, 0.5)):
        capacity = sum(s.capacity for s in scaffold.strata if s.role == "alkali" and s.region == r)
        assert abs(tally(scaffold, names, "alkali", r)["Na"] - content * capacity) <= 0.5
    assert set(tally(scaffold, names, "metal", 1)) == {"Mn"}
    assert abs(filled_charges(scaffold, names).sum()) < 1e-6


def test_strata_in_hard_contact_are_filled_together():
    """A chain of sites of gallery 0, of a tunnel and of gallery 1, each 1.5 A from the next: every second is filled."""
    n = 6
    points = np.column_stack([1.5 * np.arange(n), np.full(n, 4.0), np.full(n, 4.0)])
    gallery = np.array([0, 0, -1, -1, 1, 1])
    strata = (Stratum("alkali", 0, 1), Stratum("alkali", 1, 1), Stratum("alkali", 0, 1))
    cell = np.diag([9.0, 8.0, 8.0])
    regions = (Region("a", Composition()), Region("tunnel", Composition()))
    none = np.full(n, -1)
    scaffold = Scaffold(cell, points, np.repeat([0, 1, 2], 2), np.full(n, "oct"), none, gallery, strata, regions)
    assert ion_groups(scaffold) == [[0, 1, 2]]
    for seed in range(5):
        filled = occupants(scaffold, seed) == "Na"
        assert np.array_equal(filled, ~np.roll(filled, 1))


def test_too_little_of_anything_names_what_can_be_reached():
    scaffold = layered(["P2"] * 2, (2, 2), [Composition(metals={"Ni": 0.02, "Mn": 0.98})])
    with pytest.raises(InputError, match=r"Ni 0.02 of 8 sites is less than one atom.*0 and 0.125"):
        occupy(scaffold, 0)
    with pytest.raises(InputError, match=r"content 0.01.*0 and 0.125"):
        occupy(layered(["P2"] * 2, (2, 2), [Composition(content=0.01)]), 0)


def test_slabs_outside_their_window_are_named():
    scaffold = layered(["P2"] * 2, (3, 3), [Composition(metals={"Ti": 1}, content=0.0)])
    found, _ = parts(scaffold, stratum_counts(scaffold))
    assert part_problems(found, ["P2"]) == []
    poor = layered(["P2"] * 2, (3, 3), [Composition(metals={"Mg": 1}, content=1.0)])
    found, _ = parts(poor, stratum_counts(poor))
    problems = part_problems(found, ["P2"])
    assert len(problems) == 2
    assert "needs a mean metal valence of 3.000" in problems[0]
    assert "allow 2.000 to 2.000" in problems[0]


def test_metals_between_slabs_make_one_neutral_region():
    """Rock-salt: every octahedron of an O1 stack filled with Mg, one neutral region of Mg2+."""
    frame = frame_of(Stack.from_gaps(["O1"]), HEIGHTS, (3, 3))
    lower, metal, upper = frame.slab(0)
    ((letter, _),) = gallery_sites(frame.stack, 0)
    between = frame.layer(letter, frame.gallery_height_A(0))
    points = np.concatenate([lower, metal, upper, between])
    n = len(lower)
    scaffold = Scaffold(
        frame.cell, points, np.repeat([0, 1, 0, 2], n), np.repeat(["O", "TM", "O", "RS"], n),
        np.repeat([0, 0, 0, -1], n), np.repeat([-1, -1, -1, 0], n),
        (Stratum("anion", 0, 2 * n), Stratum("metal", 0, n), Stratum("metal", 0, n)),
        (Region("rock-salt", Composition(metals={"Mg": 1})),),
    )  # fmt: skip
    found, _ = parts(scaffold, stratum_counts(scaffold))
    assert [(p.slab, p.mean) for p in found] == [(-1, pytest.approx(2.0))]
    charge = filled_charges(scaffold, occupants(scaffold, 0))
    assert charge[scaffold.role == "metal"] == pytest.approx(2.0)
