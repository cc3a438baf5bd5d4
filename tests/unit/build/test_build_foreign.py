"""Phases from files: layered ones as Blocks that rebuild themselves, coatings joined on matching planes."""

import json

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list
from pymatgen.core import Lattice
from pymatgen.core import Structure as PmgStructure

from simkit.build import Block, Heights, bulk, classify, intergrowth
from simkit.build.foreign import JoinSettings, Part, coherent, layered_block, rebuild_coherent
from simkit.build.tunnel import MatchSearch
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
