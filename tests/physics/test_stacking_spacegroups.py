"""Space groups of the stacking strings and of built bulk cells, by spglib at 1e-3 A."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from ase.io import read

from simkit.build import (
    PHASES,
    Block,
    Heights,
    Settings,
    Stack,
    bulk,
    classify,
    intergrowth,
    prototype,
    same_cyclic,
    space_group,
)
from simkit.errors import InputError
from simkit.structure import Structure

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "structures"
HEIGHTS = Heights(2.9, 2.0, {"P2": 3.55, "P3": 3.55, "O3": 3.2, "O1": 3.2, "O2": 3.2})
EDGE, FACE = ("e", "ef", "oct"), ("f", "ef", "oct")
EVERY = ("e", "f", "ef", "fe", "oct")


@pytest.mark.parametrize(
    ("text", "kinds", "number"),
    [
        *(("AB BA", kinds, 194) for kinds in (EDGE, FACE, EVERY, ())),
        ("AB CA BC", EDGE, 166),
        ("AB BC CA", EDGE, 160),
        ("AB BC CA", ("fe",), 160),
        ("AB BC CA", EVERY, 166),
        ("AB BC CA", (), 166),
        ("AB AC", EDGE, 186),
        ("AB CB", EDGE, 186),
        ("AB", EDGE, 164),
        ("AB BA CA AC", EDGE, 187),
        ("AB BA CB BC", EDGE, 194),
        ("ABBABAAB", EDGE, 194),
        ("AB BC", EDGE, 156),
    ],
)
def test_space_group_of_each_string(text, kinds, number):
    assert space_group(prototype(Stack.from_string(text), HEIGHTS, kinds))[1] == number


def test_mixed_prismatic_sublattices_of_p3_lose_the_rhombohedral_centring():
    stack = Stack.from_string("AB BC CA")
    both = prototype(stack, HEIGHTS, ("ef", "fe"))
    ions = np.flatnonzero(both.numbers == 11)
    mixed = both.take(np.setdiff1d(np.arange(len(both)), ions[[1, 3, 4]]))
    assert space_group(mixed)[1] == 156


def test_alternating_glides_of_p2_make_the_other_o2_polytype():
    p2 = Stack.from_string("AB BA AB BA")
    polar = p2.glide_slab(1, 1).glide_slab(3, 1)
    other = p2.glide_slab(1, 1).glide_slab(3, -1)
    assert space_group(prototype(polar, HEIGHTS))[1] == 186
    assert space_group(prototype(other, HEIGHTS))[1] == 164


@pytest.mark.parametrize(
    ("phase", "gaps", "number"),
    [
        *(("P2", 2, 194), ("P2", 4, 194), ("O3", 3, 166), ("O3", 1, 166), ("P3", 3, 160), ("P3", 1, 160)),
        *(("O2", 2, 186), ("O2l", 2, 186), ("O1", 1, 164), ("OP4", 4, 187), ("OP4-Li", 4, 194), ("OP2", 2, 156)),
    ],
)
@pytest.mark.parametrize("repeats", [(1, 1), (2, 3), ((2, 1), (-1, 1))])
def test_space_group_of_bulk_cells(phase, gaps, number, repeats):
    model = bulk(Block(phase, gaps), repeats)
    assert space_group(model.structure)[1] == number


P2_HEIGHTS = Heights(2.887, 1.99, {"P2": 3.55})
O3_HEIGHTS = Heights(2.963, 2.00, {"O3": 3.23})


def test_p2_o3_cell_has_the_counts_and_contacts_of_its_two_phases():
    blocks = [
        Block("P2", 4, {"Mn": 1.0}, heights=P2_HEIGHTS),
        Block("O3", 6, {"Mn": 1.0}, heights=O3_HEIGHTS),
    ]
    model = intergrowth(blocks, (1, 1))
    assert model.structure.formula == "Mn10Na10O20"
    assert (model.stack.shear, model.report.gaps) == (0, ("P2",) * 4 + ("O3",) * 6)
    assert model.report.coordination == {"M": {"6": 10}, "A": {"6": 10}}
    short = model.report.shortest_A
    # published to two decimals for slightly other heights
    assert short["M-O"] == pytest.approx(1.96, abs=0.02)
    assert short["O-O"] == pytest.approx(2.60, abs=0.02)
    assert short["A-O"] == pytest.approx(2.34, abs=0.02)
    assert short["A-M"] == pytest.approx(3.10, abs=0.02)
    # common a is the mean of 2.887 and 2.963
    assert [round(b.strain_percent, 2) for b in model.report.blocks] == [1.32, -1.28]
    assert space_group(model.structure)[1] == 156


def test_equal_heights_make_both_interfaces_alike_by_inversion():
    same = prototype(Stack.from_gaps(["P2"] * 4 + ["O3"] * 6), HEIGHTS)
    assert space_group(same)[1] == 164


def test_three_phases_in_one_strictly_closed_cell():
    heights = Heights(2.9, 2.0, {"P2": 3.55, "P3": 3.55, "O3": 3.2})
    blocks = [Block(p, n, {"Mn": 1.0}, heights=heights) for p, n in (("P2", 4), ("P3", 3), ("O3", 3))]
    model = intergrowth(blocks, (1, 1), settings=Settings(closure="strict"))
    assert model.report.coordination == {"M": {"6": 10}, "A": {"6": 10}}
    # one face of a P3 site touches a metal: half of slab plus gallery
    assert model.report.shortest_A["A-M"] == pytest.approx(0.5 * (2.0 + 3.55), abs=1e-9)
    assert len(model.report.interfaces) == 3


REFERENCES = {
    "P2-NaMnO2": "P2",
    "P2-NaCoO2": "P2",
    "P2-NaMnO2-Naf": "P2",
    "O3-NaCoO2": "O3",
    "O3-NaFeO2": "O3",
    "O3-NaCrO2": "O3",
    "P3-NaMnO2": "P3",
    "P3-NaCoO2": "P3",
    "O2-LiCoO2": "O2l",
    "O2-MnO2": "O2l",
    "O1-CoO2": "O1",
    "OP4-NaMnO2-P-6m2": "OP4",
    "OP4-Na0.5MnO2-P-6m2": "OP4",
    "OP4-LiNaCoO2-P63mmc": "OP4-Li",
    "OP2-NaMnO2": "OP2",
}
SITES = {"P2-NaMnO2-Naf": ("f",), "O2-MnO2": (), "O1-CoO2": (), "OP4-Na0.5MnO2-P-6m2": ("e",)}


def reference(name):
    path = REFERENCE / f"{name}.cif"
    if not REFERENCE.is_dir():
        pytest.skip(f"the reference structures are not beside the checkout: {REFERENCE} is absent")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        atoms = read(path)
    return Structure(atoms.numbers, atoms.positions, atoms.cell.array)


@pytest.mark.parametrize(("name", "phase"), REFERENCES.items())
def test_reference_structures_read_as_their_phase_and_rebuild_with_their_symmetry(name, phase):
    given = reference(name)
    found = classify(given)
    pattern = list(PHASES[phase])
    assert same_cyclic(found.stack.gaps(), pattern * (len(found.stack) // len(pattern)))
    galleries = dict(zip(found.stack.gaps(), found.gallery_heights_A, strict=True))
    heights = Heights(found.a_A, float(found.thicknesses_A.mean()), {k: float(v) for k, v in galleries.items()})
    rebuilt = prototype(found.stack, heights, SITES.get(name, EDGE))
    assert space_group(rebuilt) == space_group(given)
    # CIF coordinates carry five to eight digits
    assert rebuilt.volume == pytest.approx(given.volume, rel=1e-5)
    assert len(rebuilt) == len(given)


@pytest.mark.parametrize("name", ["spinel-LiMn2O4", "rocksalt-NiO", "tunnel-Na4Mn9O18", "hausmannite-Mn3O4"])
def test_other_structure_types_are_refused(name):
    given = reference(name)
    with pytest.raises(InputError, match=r"not layered|not a stack"):
        classify(given)
