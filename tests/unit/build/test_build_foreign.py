"""Phases from files: layered ones as Blocks that rebuild themselves, coatings joined on matching planes."""

import json

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list
from pymatgen.core import Lattice
from pymatgen.core import Structure as PmgStructure

from simkit.build import Block, Heights, bulk, classify, intergrowth
from simkit.build.foreign import JoinSettings, Part, coherent, rebuild_coherent
from simkit.build.foreign_layered import layered_block
from simkit.build.tunnel import Contact, MatchSearch
from simkit.errors import InputError
from simkit.structure import Structure


def salt(a_A, cation="Na", anion="F"):
    made = PmgStructure.from_spacegroup("Fm-3m", Lattice.cubic(a_A), [cation, anion], [[0, 0, 0], [0.5, 0.5, 0.5]])
    return Structure([s.specie.Z for s in made], made.cart_coords, made.lattice.matrix)


O3 = bulk(Block("O3", 3, metals={"Ni": 0.5, "Mn": 0.5}), (2, 2)).structure
SALT = salt(4.2)
CLOSE = JoinSettings(MatchSearch(80.0, 4.0))


@pytest.mark.parametrize(
    "block",
    [
        Block("P2", 4, metals={"Ni": 1 / 3, "Mn": 2 / 3}, content=2 / 3),
        Block("P3", 3, metals={"Mn": 1.0}, content=1 / 3),
        Block("OP4", 4, metals={"Fe": 1.0}, content=(1.0, 2 / 3, 1.0, 2 / 3)),
    ],
)
def test_a_layered_structure_becomes_its_own_block(block):
    made = bulk(block, (3, 3), seed=2)
    read = layered_block(made.structure)
    assert read.phase == block.phase and read.gap_names == block.gap_names
    assert read.composition.mean_metals == pytest.approx(dict(block.composition.mean_metals))
    assert np.mean(read.contents) == pytest.approx(np.mean(block.contents))
    again = bulk(read, (3, 3), seed=2)
    assert again.structure.cell == pytest.approx(made.structure.cell, abs=1e-6)
    assert classify(again.structure).stack.gaps() == classify(made.structure).stack.gaps()


def test_a_harvested_block_joins_along_c():
    read = layered_block(O3)
    joined = intergrowth([Block("P2", 4, metals={"Mn": 1.0}, content=2 / 3), read], (3, 3))
    assert joined.stack.gaps() == ["P2"] * 4 + ["O3"] * 3


def test_a_stack_without_a_name_keeps_its_pattern():
    gaps = ["P2", "P2", "O3", "O3", "O3"]
    made = bulk(Block("odd", 5, metals={"Mn": 1.0}, content=1 / 3, pattern=gaps), (3, 3)).structure
    read = layered_block(made)
    assert read.phase == "foreign" and list(read.gap_names) == classify(made).stack.gaps()
    assert layered_block(made, "mine").phase == "mine"


def test_three_dimensional_phases_are_no_blocks():
    with pytest.raises(InputError, match="layer"):
        layered_block(salt(4.4, "Ni", "O"))


@pytest.fixture(scope="module")
def coated():
    return coherent(Part(O3, (0, 0, 1), "O3"), Part(SALT, (1, 1, 1), "NaF", 6.0), "fix:0", 1, CLOSE)


def test_coated_cell_keeps_both_crystals(coated):
    s = coated.structure
    assert set(s.tags["phase"]) == {"O3", "NaF"}
    atoms = Atoms(numbers=s.numbers, positions=s.positions, cell=s.cell, pbc=True)
    i, d = neighbor_list("id", atoms, {("Ni", "O"): 2.6, ("Mn", "O"): 2.6})
    metals = np.isin(s.numbers, (25, 28))
    assert (np.bincount(i, minlength=len(s))[metals] == 6).all()
    assert d.min() == pytest.approx(
        neighbor_list("d", as_ase(O3), {("Ni", "O"): 2.6, ("Mn", "O"): 2.6}).min(), abs=1e-6
    )
    counts = coated.report.counts
    assert counts["Ni"] == counts["Mn"] and counts["O"] == 2 * (counts["Ni"] + counts["Mn"])


def as_ase(s):
    return Atoms(numbers=s.numbers, positions=s.positions, cell=s.cell, pbc=True)


def test_recipe_gives_the_same_coated_cell(coated):
    again = rebuild_coherent(json.loads(json.dumps(coated.recipe)))
    assert np.array_equal(again.structure.positions, coated.structure.positions)
    assert np.array_equal(again.structure.numbers, coated.structure.numbers)
    assert json.dumps(again.recipe) == json.dumps(coated.recipe)


def test_a_mismatch_over_the_limit_is_refused_with_the_closest():
    tight = JoinSettings(MatchSearch(40.0, 0.2))
    with pytest.raises(InputError, match=r"no common cell up to 40 A\^2 within 0\.4 %; the closest misses by"):
        coherent(Part(O3, (0, 0, 1), "O3"), Part(salt(4.62), (1, 1, 1), "NaF"), settings=tight)
    with pytest.raises(InputError, match="matches 0 to"):
        coherent(Part(O3, (0, 0, 1), "O3"), Part(SALT, (1, 1, 1), "NaF"), settings=JoinSettings(CLOSE.search, 10_000))


def test_crystals_without_anions_are_refused():
    metal = Structure([28] * 4, salt(3.5).positions[:4], 3.5 * np.eye(3))
    with pytest.raises(InputError, match="no anions"):
        coherent(Part(metal, (0, 0, 1), "Ni"), Part(SALT, (0, 0, 1), "NaF"))


def test_heights_are_measured_not_guessed():
    heights = Heights(2.95, 2.05, {"O3": 3.3})
    read = layered_block(bulk(Block("O3", 3, metals={"Fe": 1.0}, heights=heights), (1, 1)).structure)
    assert read.heights.a_A == pytest.approx(2.95)
    assert read.heights.gallery_A("O3") == pytest.approx(3.3)


MGO, NIO = salt(4.21, "Mg", "O"), salt(4.18, "Ni", "O")


def around(structure, metals, reach_A=2.6):
    """Anions around every metal, by ASE's neighbour list."""
    i = neighbor_list("i", as_ase(structure), {(m, "O"): reach_A for m in metals})
    return np.bincount(i, minlength=len(structure))[np.isin(structure.symbols, metals)]


@pytest.mark.parametrize("plane", [(0, 0, 1), (1, 1, 0)])
def test_neutral_planes_of_rock_salt_join_stoichiometric(plane):
    built = coherent(Part(MGO, plane, "MgO"), Part(NIO, plane, "NiO"), "fix:0")
    counts, facts = built.report.counts, built.report.facts
    assert counts["Mg"] == counts["Ni"] and counts["O"] == counts["Mg"] + counts["Ni"]
    assert (facts["cut_MgO_0"], facts["cut_NiO_1"], facts["spare_anions"]) == ("plane", "plane", 0.0)
    # rock-salt goes on across the interface: six anions around every metal
    assert (around(built.structure, ("Mg", "Ni")) == 6).all()
    again = rebuild_coherent(json.loads(json.dumps(built.recipe)))
    assert np.array_equal(again.structure.positions, built.structure.positions)


def test_a_crystal_joined_to_itself_is_the_crystal():
    built = coherent(Part(MGO, (0, 0, 1), "below"), Part(MGO, (0, 0, 1), "above"))
    # the same volume per anion: nothing is opened at the joins
    assert built.report.volume_per_anion_A3 == pytest.approx(4.21**3 / 4)
    distances = neighbor_list("d", as_ase(built.structure), {("Mg", "O"): 2.6})
    assert distances == pytest.approx(np.full(len(distances), 4.21 / 2))


def test_polar_planes_join_stoichiometric_on_request():
    parts = Part(MGO, (1, 1, 1), "MgO"), Part(NIO, (1, 1, 1), "NiO")
    with_spare = coherent(*parts)
    assert with_spare.report.facts["spare_anions"] == 8
    assert any("oxidise the metals" in text for text in with_spare.report.warnings)
    built = coherent(*parts, "fix:0", settings=JoinSettings(cut="plane"))
    assert built.report.counts["O"] == built.report.counts["Mg"] + built.report.counts["Ni"]
    assert (around(built.structure, ("Mg", "Ni")) == 6).all()


def test_a_cell_that_cannot_be_neutral_is_refused_with_a_way_out():
    parts = Part(MGO, (1, 1, 1), "MgO"), Part(salt(4.25, "Mg", "O"), (1, 1, 1), "other")
    with pytest.raises(InputError, match=r"mean valence of 2\.\d+, they allow 2\.00 to 2\.00.*cut='plane'"):
        coherent(*parts)
    assert coherent(*parts, settings=JoinSettings(cut="plane")).report.facts["spare_anions"] == 0


def test_equal_names_do_not_hide_a_strain():
    wide = salt(4.43, "Ni", "O")
    settings = JoinSettings(MatchSearch(60.0, 4.0))
    for second in ("MgO", "NiO"):
        with pytest.raises(InputError, match=r"MgO_0 would be strained by"):
            coherent(Part(MGO, (0, 0, 1), "MgO", 6.0), Part(wide, (0, 0, 1), second, 60.0), "thickness", 0, settings)
    facts = coherent(Part(MGO, (0, 0, 1), "x"), Part(NIO, (0, 0, 1), "x")).report.facts
    assert {"cut_x_0", "cut_x_1"} <= set(facts)


def test_spinel_and_rock_salt_are_no_layered_blocks():
    spinel = Block("spinel", 6, metals={"Mn": 1.0}, tetrahedral={"Li": 1.0}, alkali="Li")
    layered = Block("O3", 6, metals={"Mn": 1.0}, alkali="Li")
    for structure in (bulk(spinel, (2, 2)).structure, intergrowth([layered, spinel], (4, 4)).structure):
        with pytest.raises(InputError, match=r"hold metals \(spinel\): no layered phase"):
            layered_block(structure)
    with pytest.raises(InputError, match="rock-salt"):
        layered_block(bulk(Block("rock-salt", 3, metals={"Ni": 1.0}), (2, 2)).structure)


def test_slabs_of_unlike_metals_stay_unlike():
    tables = [{"Mn": 1.0}, {"Ni": 0.5, "Mn": 0.5}]
    read = layered_block(bulk(Block("P2", 2, metals=tables, content=2 / 3), (4, 3)).structure)
    assert [dict(table) for table in read.metals] == tables
    # 9 sites hold 4 or 5 of each: one atom apart, one table
    even = layered_block(bulk(Block("P2", 2, metals={"Ni": 0.5, "Mn": 0.5}, content=2 / 3), (3, 3)).structure)
    assert dict(even.metals) == {"Mn": 0.5, "Ni": 0.5}


@pytest.mark.parametrize(("ratio", "lean"), [(1.0, 0.06), (1.0, -0.05), (1.1, 0.0), (1.1, -0.07), (1.0, 0.0)])
def test_ratio_and_lean_are_kept_each_by_itself(ratio, lean):
    made = bulk(Block("O3", 3, metals={"Mn": 1.0}, heights=Heights(2.95, 2.0, {"O3": 3.2}, ratio, lean)), (3, 3))
    read = layered_block(made.structure)
    assert (read.heights.ratio, read.heights.lean) == (pytest.approx(ratio), pytest.approx(lean, abs=1e-9))
    assert bulk(read, (3, 3)).structure.cell == pytest.approx(made.structure.cell, abs=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Part(None, (0, 0, 1), "a"), "structure is a NoneType"),
        (lambda: Part(MGO, "001", "a"), "plane is a str"),
        (lambda: Part(MGO, (0, 0, 2), "a"), "without a common factor"),
        (lambda: Part(MGO, (0, 0, 1), None), "phase = None"),
        (lambda: Part(MGO, (0, 0, 1), "a", 0), "thickness_A = 0"),
        (lambda: Part(MGO, (0, 0, 1), "a", "12"), "thickness_A = '12'"),
        (lambda: Part(MGO, (0, 0, 1), "a", float("nan")), "thickness_A = nan"),
        (lambda: JoinSettings(match=1.5), "match = 1.5"),
        (lambda: JoinSettings(cut="half"), "cut = 'half'"),
        (lambda: JoinSettings(search=None), "search is a NoneType"),
        (lambda: JoinSettings(contact=(4, 4)), "contact is a tuple"),
        (lambda: coherent(None, Part(MGO, (0, 0, 1), "a")), "a is a NoneType"),
        (lambda: coherent(Part(MGO, (0, 0, 1), "a"), Part(NIO, (0, 0, 1), "b"), "elastic"), "'fix:1' \\(fix:0"),
        (lambda: coherent(Part(MGO, (0, 0, 1), "a"), Part(NIO, (0, 0, 1), "b"), None), "strain = None"),
        (lambda: layered_block(None), "structure is a NoneType"),
        (lambda: layered_block(O3, 3), "phase = 3"),
    ],
)
def test_bad_joins_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_a_contact_of_ones_own_is_kept():
    parts = Part(MGO, (0, 0, 1), "MgO"), Part(NIO, (0, 0, 1), "NiO")
    near = coherent(*parts, settings=JoinSettings(contact=Contact((4, 4))))
    wide = coherent(*parts, settings=JoinSettings(contact=Contact((4, 4), extra_A=(0.5, 0.0))))
    assert wide.structure.cell[2, 2] - near.structure.cell[2, 2] == pytest.approx(0.5)
