"""Slabs of foreign cells: published structures, decorated spinel and rock-salt sheets, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from simkit import io
from simkit.build import Heights, Stack, classify, prototype, same_cyclic
from simkit.build.layering import find_layers
from simkit.build.stacking import flipped
from simkit.errors import InputError
from simkit.structure import Structure

SHARED = Path(__file__).resolve().parents[4] / "shared" / "structures"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the structure library is not beside the checkout")
STATED = (
    {}
    if not SHARED.is_dir()
    else {
        record["name"]: record["oxygen_stacking"]
        for record in json.loads((SHARED / "structures.json").read_text())
        if record["oxygen_stacking"] and "ccp" not in record["oxygen_stacking"]
    }
)
THREE_DIMENSIONAL = ("spinel-LiMn2O4", "hausmannite-Mn3O4", "rocksalt-NiO", "postspinel-NaMn2O4", "tunnel-Na4Mn9O18")


def stated_gaps(text):
    """Galleries of a stated stacking; three-letter slabs are lower anion, metal, upper anion."""
    letters = [word for word in text.split("slabs:")[0].split("(")[0].split() if set(word) <= set("ABCabc")]
    return Stack.from_string(" ".join(word[0] + word[-1] for word in letters)).gaps()


@needs_shared
@pytest.mark.parametrize("name", STATED)
def test_published_layered_cells_read_back_as_stated(name):
    wanted = stated_gaps(STATED[name])
    read = classify(io.read(SHARED / f"{name}.cif")).stack.gaps()
    # a primitive monoclinic cell holds one slab of the three and carries the shear
    read = read * (len(wanted) // len(read))
    # which way is up is a choice of the cell
    assert same_cyclic(read, wanted) or same_cyclic([flipped(g) for g in read][::-1], wanted)


@needs_shared
@pytest.mark.parametrize("name", THREE_DIMENSIONAL)
def test_tunnels_and_three_dimensional_phases_are_refused_with_a_reason(name):
    with pytest.raises(InputError, match=r"not layered.*stacking axis"):
        classify(io.read(SHARED / f"{name}.cif"))


def along_111(structure):
    """Hexagonal cell of a face-centred cubic structure, its layers normal to [111]."""
    rows = np.array([[-0.5, 0.5, 0], [0, -0.5, 0.5], [1, 1, 1]])
    cell = rows @ structure.cell
    cube = structure.repeated(4, 4, 4)
    fractional = (cube.positions - 1.5 * structure.cell.sum(axis=0)) @ np.linalg.inv(cell)
    inside = np.all((fractional > -1e-6) & (fractional < 1 - 1e-6), axis=1)
    z = cell[2] / np.linalg.norm(cell[2])
    x = cell[0] / np.linalg.norm(cell[0])
    frame = np.array([x, np.cross(z, x), z])
    return Structure(cube.numbers[inside], fractional[inside] @ cell @ frame.T, cell @ frame.T)


@needs_shared
@pytest.mark.parametrize(
    ("name", "kagome"), [("spinel-LiMn2O4", True), ("spinel-Co3O4", True), ("rocksalt-NiO", False)]
)
def test_spinel_and_rock_salt_along_111_are_o3_stacks(name, kagome):
    cubic = io.read(SHARED / f"{name}.cif")
    s = along_111(cubic)
    assert len(s) * cubic.volume == pytest.approx(len(cubic) * s.volume)
    if not kagome:
        s = s.repeated(1, 1, 2)  # six layers of anions: whole slabs
    found = classify(s)
    assert set(found.stack.gaps()) == {"O3"}
    assert found.order_parameter.min() > 0.95
    per_slab = np.bincount(found.slab_of[found.layering.level == 1])
    between = np.bincount(found.gallery_of[found.gallery_of >= 0])
    if kagome:
        # three of four metal sites in the slab, one octahedral and two tetrahedral cations between
        assert set(per_slab / found.layering.sites) == {0.75}
        assert set(between / found.layering.sites) == {0.75}
        tight = np.isin(s.numbers, (3,)) if "Li" in name else np.zeros(len(s), dtype=bool)
        assert (found.gallery_of[tight] >= 0).all()
    else:
        assert set(per_slab) == set(between) == {found.layering.sites}


HEIGHTS = Heights(2.9, 2.0, {"O3": 2.9, "P2": 3.5, "P3": 3.5, "O1": 2.9, "O2": 2.9})


def test_metals_between_slabs_do_not_change_the_slabs():
    ideal = prototype(Stack.from_gaps(["O3"] * 6), HEIGHTS).repeated(2, 2, 1)
    numbers = ideal.numbers.copy()
    ions = np.flatnonzero(ideal.numbers == 11)
    numbers[ions[ions % 3 == 0]] = 25
    mixed = Structure(numbers, ideal.positions, ideal.cell)
    found = classify(mixed)
    assert np.array_equal(found.slab_of, ideal.layers)
    assert (found.gallery_of[ions] >= 0).all()


def test_tetrahedral_ions_and_anion_dopants_are_read():
    ideal = prototype(Stack.from_gaps(["O3"] * 3), HEIGHTS).repeated(2, 2, 1)
    numbers, positions = ideal.numbers.copy(), ideal.positions.copy()
    anions = np.flatnonzero(numbers == 8)
    numbers[anions[[0, 5, 9]]] = (9, 16, 16)
    ions = np.flatnonzero(numbers == 11)
    positions[ions, 2] += 0.25 * 2.9  # to the height of the upper tetrahedra
    numbers[ions[:2]] = 3
    found = classify(Structure(numbers, positions, ideal.cell))
    assert np.array_equal(found.slab_of, ideal.layers)
    assert found.stack.gaps() == ["O3"] * 3


def test_the_layers_of_a_structure_decide_where_slab_and_gallery_look_alike():
    ideal = prototype(Stack.from_gaps(["O3"] * 3), Heights(2.95, 2.41, {"O3": 2.41})).repeated(2, 2, 1)
    numbers = np.where(ideal.numbers == 8, 8, 28)
    salt = Structure(numbers, ideal.positions, ideal.cell, layers=ideal.layers)
    assert np.array_equal(find_layers(salt).slab_of, ideal.layers)
    other = np.where(numbers == 8, (ideal.layers + (np.arange(len(salt)) % 3 == 2)) % 3, -1)
    anions = np.flatnonzero(numbers == 8)
    by_height = np.argsort(ideal.positions[anions, 2], kind="stable")
    other[anions[by_height]] = (np.arange(24) // 4 + 1) // 2 % 3
    shifted = find_layers(salt.with_layers(other))
    assert np.array_equal(shifted.slab_of[anions], other[anions])
    assert (shifted.slab_of[ideal.layers >= 0] >= -1).all()
    assert set(shifted.slab_of[(numbers == 28) & (ideal.layers >= 0)]) == {-1}


def test_an_odd_number_of_rock_salt_layers_is_refused():
    ideal = prototype(Stack.from_gaps(["O3"] * 3), Heights(2.95, 2.41, {"O3": 2.41}))
    half = ideal.positions[:, 2] < 0.5 * ideal.cell[2, 2]
    cell = ideal.cell * np.array([[1], [1], [0.5]])
    with pytest.raises(InputError, match="3 layers"):
        classify(Structure(np.where(ideal.numbers == 8, 8, 28)[half], ideal.positions[half], cell))


def test_a_slab_without_cations_is_named():
    ideal = prototype(Stack.from_gaps(["O3"] * 3), HEIGHTS, ())
    with pytest.raises(InputError, match="slab 1 of 3 has 2 anions around 0 cations"):
        classify(ideal.without(4))
