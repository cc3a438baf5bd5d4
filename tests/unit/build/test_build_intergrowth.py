"""Built cells: counts, strains, charges, reproducibility, speed, and what is refused."""

import json
import time

import numpy as np
import pytest

from simkit import build
from simkit.build import Block, Heights, Limits, Settings, bulk, default_heights, intergrowth, rebuild
from simkit.build.valence import required_valences, slab_valences, window
from simkit.errors import InputError

P2 = Heights(2.887, 1.99, {"P2": 3.55})
O3 = Heights(2.963, 2.00, {"O3": 3.23})
MIXED = [
    Block("P2", 4, {"Ni": 1 / 3, "Mn": 2 / 3}, content=2 / 3),
    Block("O3", 6, {"Ni": 0.5, "Mn": 0.5}),
]


def same(first, second):
    arrays = ("numbers", "positions", "cell", "layers")
    tags = [np.array_equal(first.tags[k], second.tags[k]) for k in first.tags]
    return all(getattr(first, k).tobytes() == getattr(second, k).tobytes() for k in arrays) and all(tags)


def test_the_default_pair_builds_with_two_positional_arguments():
    model = intergrowth([Block("P2", 4), Block("O3", 6)])
    assert model.structure.formula == "Co90Na90O180"
    assert model.stack.gaps() == ["P2"] * 4 + ["O3"] * 6
    assert model.report.interfaces_equivalent
    assert model.report.coordination == {"M": {"6": 90}, "A": {"6": 90}}


def test_counts_are_exact_and_spread_over_slabs_and_galleries():
    model = intergrowth(MIXED)
    s, report = model.structure, model.report
    assert report.counts == {"Mn": 24 + 27, "Na": 24 + 54, "Ni": 12 + 27, "O": 180}
    assert [g.ions for g in report.galleries] == [6] * 4 + [9] * 6
    for slab in report.slabs[:4]:
        assert slab.metals == {"Mn": 6, "Ni": 3}
    for slab in report.slabs[4:]:
        assert sorted(slab.metals.values()) == [4, 5]
    assert np.all(s.layers[s.tags["site"] == "TM"] >= 0)
    assert np.all((s.layers == -1) == (s.tags["gallery"] >= 0))
    assert set(s.tags["phase"][s.layers == 4].tolist()) == {"O3"}
    assert set(s.tags["phase"][s.layers == 0].tolist()) == {"P2"}


def test_partly_filled_p2_galleries_mix_the_two_sites_and_keep_apart():
    model = bulk(Block("P2", 2, content=2 / 3), (6, 6))
    report = model.report
    for gallery in report.galleries:
        assert gallery.ions_by_site["Na_e"] > gallery.ions_by_site["Na_f"] > 0
    # nearest allowed pair is edge to face, one site skipped: 2 a / sqrt(3), or a between equal sites
    assert report.shortest_A["A-A"] == pytest.approx(report.a_A, abs=1e-9)


def test_charge_rule_of_the_slabs():
    report = intergrowth(MIXED).report
    needed = [s.valence_needed for s in report.slabs]
    assert needed == pytest.approx([19 / 6, 10 / 3, 10 / 3, 10 / 3, 19 / 6, 3, 3, 3, 3, 3])
    # metals and alkali together balance the oxygen
    total = sum(q * sum(s.metals.values()) for q, s in zip(needed, report.slabs, strict=True))
    assert total + report.counts["Na"] == pytest.approx(2 * report.counts["O"])
    for slab in report.slabs:
        mean = sum(n * slab.valences[m] for m, n in slab.metals.items()) / sum(slab.metals.values())
        assert mean == pytest.approx(slab.valence_needed)
    assert report.slabs[1].valences == pytest.approx({"Mn": 4.0, "Ni": 2.0})


def test_valence_helpers():
    assert required_valences([0.0, 1.0]) == pytest.approx([3.5, 3.5])
    assert window({"Ni": 1, "Mg": 1}) == (2.0, 3.0)
    assert slab_valences({"Fe": 1, "Mn": 1}, 3.5) == pytest.approx({"Fe": 3.0, "Mn": 4.0})
    assert slab_valences({"Co": 3}, 3.5) == pytest.approx({"Co": 3.5})


@pytest.mark.parametrize(
    ("strain", "a_A"),
    [
        ("equal", 2.925),
        ("fix:0", 2.887),
        ("fix:1", 2.963),
        ("thickness", (4 * 5.54 * 2.887 + 6 * 5.23 * 2.963) / (4 * 5.54 + 6 * 5.23)),
    ],
)
def test_strain_modes(strain, a_A):
    blocks = [Block("P2", 4, {"Mn": 1.0}, heights=P2), Block("O3", 6, {"Mn": 1.0}, heights=O3)]
    report = intergrowth(blocks, (2, 2), strain).report
    assert report.a_A == pytest.approx(a_A, abs=1e-12)
    assert report.blocks[0].strain_percent == pytest.approx(100 * (a_A / 2.887 - 1))
    assert report.blocks[1].strain_percent == pytest.approx(100 * (a_A / 2.963 - 1))
    assert report.mismatch_percent == pytest.approx(100 * 0.076 / 2.925)
    heavy = any(abs(b.strain_percent) > 2 for b in report.blocks)
    assert any("strained" in w for w in report.warnings) == heavy


def test_mismatch_beyond_the_limit_names_value_limit_and_remedy():
    blocks = [Block("P2", 4, heights=P2), Block("O3", 6, heights=Heights(3.2, 2.2, {"O3": 3.2}))]
    with pytest.raises(InputError, match=r"block 0 \(P2\) would be strained by \+5.42 %.*limit is 4 %.*max_strain"):
        intergrowth(blocks)
    assert intergrowth(blocks, max_strain_percent=6.0).report.blocks[0].strain_percent > 5


def test_strained_bulk_reference_with_and_without_thinning():
    block = Block("O3", 3, {"Mn": 1.0}, heights=O3)
    flat = bulk(block, a_A=2.925)
    assert flat.report.height_A == pytest.approx(3 * 5.23)
    thin = bulk(block, a_A=2.925, settings=Settings(thinning=0.6))
    assert thin.report.height_A == pytest.approx(3 * 5.23 * (1 - 0.6 * (2.925 / 2.963 - 1)))
    assert flat.report.a_A == thin.report.a_A == 2.925


def test_same_seed_same_bytes_other_seed_other_cell_and_recipes_rebuild():
    first, second, other = (intergrowth(MIXED, seed=k) for k in (7, 7, 8))
    assert same(first.structure, second.structure)
    assert not same(first.structure, other.structure)
    recipe = json.loads(json.dumps(first.recipe))
    assert recipe["seed"] == 7
    assert same(rebuild(recipe).structure, first.structure)


def test_report_as_text_and_dictionary():
    report = intergrowth(MIXED).report
    data = json.loads(json.dumps(report.to_dict()))
    assert data["a_A"] == report.a_A
    assert data["blocks"][0]["strain_percent"] == report.blocks[0].strain_percent
    text = report.text()
    for word in ("mismatch", "P2", "O3", "Na_e", "interfaces: slab 0 (O3|P2), slab 4 (P2|O3)", "equivalent"):
        assert word in text
    assert max(map(len, text.splitlines())) < 140


def test_interface_flag_sees_different_surroundings():
    def flag(sizes):
        return intergrowth([Block(p, n) for p, n in sizes], (1, 1)).report.interfaces_equivalent

    assert flag([("P2", 2), ("O3", 3), ("P2", 2), ("O3", 3)])
    assert not flag([("P2", 2), ("O3", 3), ("P2", 4), ("O3", 6)])


def test_sites_list_every_candidate_and_its_occupant():
    model = bulk(Block("P2", 2, content=0.5), (4, 4))
    sites, s = model.sites, model.structure
    assert len(sites) == 2 * 32
    filled = sites.atom >= 0
    assert filled.sum() == 16
    assert np.array_equal(s.positions[sites.atom[filled]], sites.positions[filled])
    assert np.all(s.tags["gallery"][sites.atom[filled]] == sites.gallery[filled])


@pytest.mark.parametrize("alkali", ["Li", "Na", "K"])
@pytest.mark.parametrize("phase", ["P2", "O3", "P3", "O2", "O1", "OP4", "OP4-Li", "OP2"])
@pytest.mark.parametrize("metals", [{"Co": 1.0}, {"Fe": 0.5, "Mn": 0.5}])
def test_every_phase_builds_for_every_alkali(phase, alkali, metals):
    model = bulk(Block(phase, 4, metals, alkali), (2, 2))
    assert model.report.coordination["M"] == {"6": 16}
    assert model.report.coordination["A"] == {"6": 16}


def test_ions_may_be_given_per_gallery():
    model = bulk(Block("OP4", 4, {"Mn": 1.0}, content=[1, 0, 1, 0]), (2, 2))
    assert [g.ions for g in model.report.galleries] == [4, 0, 4, 0]
    assert model.report.blocks[0].content_reached == 0.5


def test_default_heights_stay_near_published_cells():
    # a in A of O3-NaMO2 and P2 cells from diffraction, recalled; 2 % is the stated accuracy
    published = [
        ({"Co": 1.0}, "O3", 1.0, 2.889),
        ({"Fe": 1.0}, "O3", 1.0, 3.025),
        ({"Cr": 1.0}, "O3", 1.0, 2.975),
        ({"Ni": 0.5, "Mn": 0.5}, "O3", 1.0, 2.959),
        ({"Ni": 1 / 3, "Mn": 2 / 3}, "P2", 2 / 3, 2.885),
        ({"Co": 1.0}, "P2", 0.74, 2.84),
    ]
    for metals, kind, content, a in published:
        assert default_heights(metals, "Na", {kind: content}).a_A == pytest.approx(a, rel=0.02)


def test_five_thousand_atoms_in_seconds():
    intergrowth(MIXED, (2, 2))
    start = time.perf_counter()
    model = intergrowth(MIXED, (11, 12))
    assert len(model.structure) > 5000
    # the requirement; about 0.5 s on one core once the kernels are compiled
    assert time.perf_counter() - start < 10


BAD = {
    "phase": (lambda: Block("P4", 2), "phase 'P4' is unknown; .*did you mean"),
    "gaps": (lambda: Block("P2", 0), "gaps = 0"),
    "bool": (lambda: Block("P2", True), "gaps = True"),
    "pattern": (lambda: Block("OP4", 6), "use 4 or 8"),
    "pattern low": (lambda: Block("OP4", 3), "use 4"),
    "parity": (lambda: bulk(Block("P2", 3)), "use 2 or 4 of them"),
    "content": (lambda: Block("P2", 2, content=1.2), "impossible"),
    "negative": (lambda: Block("P2", 2, content=-0.1), "impossible"),
    "nan": (lambda: Block("P2", 2, content=float("nan")), "impossible"),
    "per gallery": (lambda: Block("P2", 2, content=[1, 1, 1]), "one number or 2"),
    "metal": (lambda: Block("P2", 2, {"Mm": 1.0}), "metal 'Mm' has no valence table here; allowed: Al, Ca"),
    "fraction": (lambda: Block("P2", 2, {"Mn": -0.5, "Ni": 1.5}), "every fraction"),
    "sum": (lambda: Block("P2", 2, {"Mn": 0.5, "Ni": 0.3}), "sum to 0.8"),
    "alkali": (lambda: Block("P2", 2, alkali="Rb"), "Li, Na, K"),
    "sites": (lambda: Block("P2", 2, sites="g"), "sites 'g'"),
    "lost metal": (lambda: bulk(Block("P2", 2, {"Mn": 0.99, "Al": 0.01}), (2, 2)), "0 and 0.125"),
    "lost ion": (lambda: bulk(Block("P2", 2, content=0.01), (2, 2)), "0 and 0.125"),
    "repeats": (lambda: bulk(Block("P2", 2), (0, 3)), "at least 1"),
    "half": (lambda: bulk(Block("P2", 2), (1.5, 3)), "whole numbers"),
    "left": (lambda: bulk(Block("P2", 2), ((0, 1), (1, 0))), "exchange the rows"),
    "strain": (lambda: intergrowth(MIXED, strain="fix:2"), "fix:k"),
    "seed": (lambda: bulk(Block("P2", 2), seed=-1), "seed = -1"),
    "one": (lambda: intergrowth([Block("P2", 2)]), "use `bulk`"),
    "not a block": (lambda: intergrowth(["P2", "O3"]), r"blocks\[0\] is a str"),
    "strict": (
        lambda: intergrowth([Block("P2", 2), Block("O3", 2)], settings=Settings(closure="strict")),
        "displaced by",
    ),
    "height": (lambda: bulk(Block("P2", 2, heights=O3)), "no height for a gallery of kind P2"),
    "a": (lambda: Heights(1.0, 2.0, {}), "a_A = 1.0"),
    "charge": (lambda: bulk(Block("O3", 3, {"Ti": 1.0}, content=0.5, heights=O3)), None),
    "low": (lambda: bulk(Block("O3", 3, {"Mg": 0.5, "Ti": 0.5}), (2, 2)), None),
    "valence": (lambda: bulk(Block("O3", 3, {"Al": 1.0}, content=0.5), (2, 2)), r"slab 0 .*4 Al\) needs .*3.500"),
    "close": (
        lambda: bulk(Block("O3", 3, heights=Heights(2.9, 1.45, {"O3": 3.2}))),
        r"atom \d+ \(O\) and atom \d+ \(O\).* are 2.215 A apart",
    ),
}


@pytest.mark.parametrize("name", [k for k, (_, text) in BAD.items() if text])
def test_impossible_requests_say_what_is_wrong(name):
    make, text = BAD[name]
    with pytest.raises(InputError, match=text):
        make()


@pytest.mark.parametrize("name", [k for k, (_, text) in BAD.items() if text is None])
def test_requests_at_the_edge_of_a_window_are_met(name):
    model = BAD[name][0]()
    slabs, counts = model.report.slabs, model.report.counts
    for slab in slabs:
        assert slab.valence_lowest - 1e-9 <= slab.valence_needed <= slab.valence_highest + 1e-9
        charge = sum(n * slab.valences[symbol] for symbol, n in slab.metals.items())
        assert charge == pytest.approx(slab.valence_needed * sum(slab.metals.values()))
    # some slab needs the very end of its window, and the whole is neutral
    assert min(min(s.valence_needed - s.valence_lowest, s.valence_highest - s.valence_needed) for s in slabs) < 1e-9
    metals = sum(s.valence_needed * sum(s.metals.values()) for s in slabs)
    assert metals + counts["Na"] == pytest.approx(2 * counts["O"])


def test_limits_of_the_caller_are_used():
    tight = Settings(limits=Limits(oxygen_oxygen_A=2.7))
    with pytest.raises(InputError, match=r"at least 2.70 A"):
        bulk(Block("P2", 2), settings=tight)


def test_public_names_exist():
    assert all(getattr(build, name) is not None for name in build.__all__)
