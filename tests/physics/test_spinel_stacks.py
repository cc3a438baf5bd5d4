"""Spinel, rock-salt and honeycomb order on stacked slabs: space groups, contacts and published structures."""

import math
import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.io import read
from ase.neighborlist import neighbor_list
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice
from pymatgen.core import Structure as Crystal

from simkit.build import Block, Heights, Limits, Settings, bulk, classify, harvest, intergrowth, space_group
from simkit.build.spinel import decorated_heights, spinel_heights
from simkit.structure import Structure

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "structures"
A_S = 8.25
A = A_S / (2 * math.sqrt(2))
LAYERED = Heights(A, 2.0, {"O3": 3.2, "P2": 3.55, "P3": 3.55, "O2": 3.2, "O1": 3.2})
IDEAL = Settings(limits=Limits(metal_oxygen_A=1.7))


def spinel(gaps, **changes):
    settings = {"tetrahedral": {"Mg": 1.0}, "heights": spinel_heights(A_S), "oxygen_u": 0.25, **changes}
    return Block("spinel", gaps, {"Mn": 1.0}, **settings)


def layered(phase, gaps, **changes):
    return Block(phase, gaps, {"Mn": 1.0}, heights=LAYERED, **changes)


def reference(name):
    path = REFERENCE / f"{name}.cif"
    if not REFERENCE.is_dir():
        pytest.skip(f"the reference structures are not beside the checkout: {REFERENCE} is absent")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        atoms = read(path)
    return Structure(atoms.numbers, atoms.positions, atoms.cell.array)


def crystal(structure):
    return Crystal(Lattice(structure.cell), structure.symbols, structure.positions, coords_are_cartesian=True)


def same_crystal(first, second):
    # no rescaling: cell lengths must agree to 0.1 %, sites to 0.01 of the mean spacing (CIFs carry 4 to 5 digits)
    matcher = StructureMatcher(ltol=1e-3, stol=0.01, angle_tol=0.1, primitive_cell=True, scale=False)
    return matcher.fit(crystal(first), crystal(second))


def neighbours(structure, sites, cutoff_A):
    """Numbers of anions around the atoms with these site tags, by ASE's neighbour list."""
    atoms = crystal(structure).to_ase_atoms()
    first, second = neighbor_list("ij", atoms, cutoff_A)
    to_anion = structure.numbers[second] == 8
    count = np.bincount(first[to_anion], minlength=len(structure))
    return set(count[np.isin(structure.tags["site"], sites)].tolist())


@pytest.mark.parametrize("variant", range(8))
@pytest.mark.parametrize("u", [0.25, 0.2625])
def test_every_variant_of_a_full_period_is_the_cubic_spinel(variant, u):
    model = bulk(spinel(3, variant=variant, oxygen_u=u), (2, 2))
    assert model.structure.formula == "Mg6Mn12O24"
    assert space_group(model.structure) == ("Fd-3m", 227)
    assert model.report.coordination == {"M": {"6": 12}, "A": {}, "T": {"4": 6}}
    # A-O = sqrt(3) (u - 1/8) a_s and B-O = a_s sqrt(3 u^2 - 2 u + 3/8)
    assert model.report.shortest_A["T-O"] == pytest.approx(math.sqrt(3) * (u - 0.125) * A_S, abs=1e-9)
    assert model.report.shortest_A["M-O"] == pytest.approx(A_S * math.sqrt(3 * u * u - 2 * u + 0.375), abs=1e-9)


def test_the_eight_variants_are_different_settings_on_one_oxygen_lattice():
    cells = [bulk(spinel(3, variant=v), (2, 2)).structure for v in range(8)]
    oxygen = [np.round(np.sort(s.fractional[s.numbers == 8] % 1.0, axis=0), 6) for s in cells]
    metals = [{tuple(p) for p in np.round(s.fractional[s.numbers == 25] % 1.0, 4).tolist()} for s in cells]
    assert all(np.array_equal(o, oxygen[0]) for o in oxygen)
    assert all(metals[i] != metals[j] for i in range(8) for j in range(i))


def test_the_spinel_is_the_cubic_one_of_pymatgen():
    built = bulk(spinel(3, oxygen_u=0.2625), (2, 2)).structure
    coords = [[0.125] * 3, [0.5] * 3, [0.2625] * 3]
    cubic = Crystal.from_spacegroup("Fd-3m:2", Lattice.cubic(A_S), ["Mg", "Mn", "O"], coords)
    assert same_crystal(built, Structure(cubic.atomic_numbers, cubic.cart_coords, cubic.lattice.matrix))


SPINELS = {
    "spinel-LiMn2O4": ("Li", "Mn"),
    "spinel-Co3O4": ("Co", "Co"),
    "spinel-lambda-MnO2": ("", "Mn"),
    "spinel-NaMn2O4-model": ("Na", "Mn"),
}


@pytest.mark.parametrize(("name", "cations"), SPINELS.items())
def test_published_spinels_are_rebuilt(name, cations):
    given = reference(name)
    conventional = crystal(given).get_primitive_structure().lattice
    a_s = (4.0 * conventional.volume) ** (1 / 3)
    u = _oxygen_parameter(given, a_s)
    tet, metal = cations
    content = {"tetrahedral": {tet: 1.0}} if tet else {"content": 0.0}
    block = Block("spinel", 3, {metal: 1.0}, heights=spinel_heights(a_s), oxygen_u=u, **content)
    built = bulk(block, (2, 2), settings=IDEAL).structure
    assert space_group(built)[1] == space_group(given, 1e-2)[1] == 227
    assert same_crystal(built, given)


def _oxygen_parameter(structure, a_s):
    """u from the octahedral bond, (B-O)^2 = (3 u^2 - 2 u + 3/8) a^2, the root near 1/4."""
    atoms = crystal(structure).to_ase_atoms()
    first, second, distance = neighbor_list("ijd", atoms, 2.4)
    oxygen = structure.numbers == 8
    bonds = np.bincount(first[~oxygen[first] & oxygen[second]], minlength=len(atoms))
    octahedral = distance[(bonds[first] == 6) & oxygen[second]].mean()
    return (2 - math.sqrt(4 - 12 * (0.375 - (octahedral / a_s) ** 2))) / 6


@pytest.mark.parametrize(("name", "metal"), [("rocksalt-NiO", "Ni"), ("rocksalt-CoO", "Co"), ("rocksalt-MnO", "Mn")])
def test_published_rock_salts_are_rebuilt(name, metal):
    given = reference(name)
    a_rs = (4.0 * crystal(given).get_primitive_structure().volume) ** (1 / 3)
    for gaps in (3, 1):
        block = Block("rock-salt", gaps, {metal: 1.0}, heights=spinel_heights(2 * a_rs))
        built = bulk(block, (1, 1)).structure
        assert space_group(built) == ("Fm-3m", 225)
        assert same_crystal(built, given)


TABLE = {
    "O3, alkali against kagome": (lambda: [layered("O3", 4), spinel(2)], "Mg4Mn23Na16O48", 164),
    "O3, metal against mixed": (lambda: [layered("O3", 2), spinel(4, faces="M")], "Mg6Mn25Na8O48", 164),
    "P3": (lambda: [layered("P3", 3), layered("O3", 1), spinel(2)], "Mg4Mn23Na16O48", 156),
    "P2": (lambda: [layered("P2", 4), layered("O3", 1), spinel(2)], "Mg4Mn27Na20O56", 156),
    "O3, kagome in the galleries": (lambda: [layered("O3", 4), spinel(2, variant=4)], "Mg2Mn27Na16O48", 164),
}


@pytest.mark.parametrize("name", TABLE)
def test_interfaces_of_layered_and_spinel(name):
    make, formula, number = TABLE[name]
    model = intergrowth(make(), (2, 2), settings=IDEAL)
    s = model.structure
    assert s.formula == formula
    assert space_group(s)[1] == number
    assert neighbours(s, ("TM", "K", "M"), 2.75) == {6}
    assert neighbours(s, ("tet",), 2.75) == {4}
    assert neighbours(s, ("oct", "Na_e", "Na_ef", "Na_fe"), 2.9) == {6}
    short = model.report.shortest_A
    # no tetrahedral cation shares a face with a filled octahedron: A-B is that of the cubic spinel, sqrt(11)/8 a_s
    assert short["T-M"] == pytest.approx(math.sqrt(11) / 8 * A_S, abs=1e-9)
    assert short.get("T-A", 9.0) > 3.5
    # metals of the layered slabs and of the spinel at the interface share edges at the most
    assert short["M-M"] == pytest.approx(A, abs=1e-9)
    assert classify(s).stack.gaps() == model.stack.gaps()


def test_interface_of_layered_and_rock_salt():
    rock = Block("rock-salt", 2, {"Ni": 1.0}, heights=spinel_heights(A_S))
    model = intergrowth([layered("O3", 4), rock], (2, 2))
    assert model.structure.formula == "Mn12Na16Ni20O48"
    assert space_group(model.structure)[1] == 164
    assert model.report.coordination == {"M": {"6": 32}, "A": {"6": 16}}
    assert model.report.interfaces_equivalent
    # sodium and the rock-salt metals share edges: third of the in-plane period across, half of both heights up
    expected = math.hypot(A / math.sqrt(3), 0.5 * (3.2 + A_S / (2 * math.sqrt(3))))
    nickel = _shortest(model.structure, "Na", "Ni")
    assert nickel == pytest.approx(expected, abs=1e-9)


def _shortest(structure, first, second):
    atoms = crystal(structure).to_ase_atoms()
    i, j, d = neighbor_list("ijd", atoms, 4.5)
    symbols = np.array(structure.symbols)
    return d[(symbols[i] == first) & (symbols[j] == second)].min()


@pytest.mark.parametrize("variant", range(8))
@pytest.mark.parametrize("phase", ["O3", "P2"])
def test_finite_blocks_of_any_length_and_face_hold_together(phase, variant):
    for gaps, faces in ((1, "K"), (2, "M"), (3, ("K", "M"))):
        blocks = [layered(phase, 4), spinel(gaps, variant=variant, faces=faces)]
        model = intergrowth(blocks, (2, 2), settings=IDEAL)
        assert set(model.report.coordination["M"]) == {"6"}
        assert set(model.report.coordination.get("T", {})) <= {"4"}
        # a shared face would bring them to 2.2 A; a shared corner is sqrt(11)/8 a_s = 3.42 A
        assert model.report.shortest_A.get("T-M", 9.0) > 3.3
        assert classify(model.structure).stack.gaps() == model.stack.gaps()


@pytest.mark.parametrize("middle", ["P3", "O3"])
def test_three_phases_with_spinel(middle):
    blocks = [layered("P2", 4, content=2 / 3), layered(middle, 3, content=0.75), spinel(3)]
    model = intergrowth(blocks, (4, 4), settings=IDEAL)
    found = classify(model.structure)
    assert found.stack.gaps() == ["P2"] * 4 + [middle] * 3 + ["O3"] * 3
    assert [set(model.report.coordination[k]) for k in ("M", "T")] == [{"6"}, {"4"}]
    assert {i.below + "|" + i.above for i in model.report.interfaces} == {
        f"P2|{middle}",
        f"{middle}|spinel",
        "spinel|P2",
    }


def test_two_variants_meet_along_the_normal():
    for first, second, faces in ((0, 1, ("K", "M")), (0, 5, "K"), (2, 7, "K")):
        blocks = [spinel(3, variant=first, faces=faces), spinel(3, variant=second, faces=faces)]
        model = intergrowth(blocks, (2, 2), settings=IDEAL)
        assert set(model.report.coordination["T"]) == {"4"}
        assert model.report.shortest_A["T-M"] > 3.3


def test_metal_valences_alkali_and_tetrahedral_cations_balance_the_oxygen():
    for faces, variant in (("K", 0), ("M", 0), ("K", 5), (("M", "K"), 6)):
        blocks = [layered("P2", 4, content=2 / 3), spinel(3, faces=faces, variant=variant)]
        report = intergrowth(blocks, (4, 4), settings=IDEAL).report
        spinel_valence = next(s.valence_needed for s in report.slabs if s.block == 1)
        total = sum(s.valence_needed * sum(s.metals.values()) for s in report.slabs)
        total += spinel_valence * sum(g.cations.get("Mn", 0) for g in report.galleries)
        total += report.counts["Na"] + 2 * report.counts["Mg"]
        assert total == pytest.approx(2 * report.counts["O"], abs=1e-6)


def test_lithium_nickelate_with_a_rock_salt_layer_keeps_its_charges():
    nickel = {"Ni": 1.0}
    blocks = [Block("O3", 6, nickel, alkali="Li"), Block("rock-salt", 3, nickel)]
    model = intergrowth(blocks, (2, 2))
    assert model.report.slabs[3].valence_needed == pytest.approx(3.0)
    rock = model.report.slabs[7]
    # 4 slabs and 3 galleries of Ni, half of the ions of both outer galleries: (4 x 4 - 1) / 7
    assert rock.valence_needed == pytest.approx(15 / 7)
    total = sum(s.valence_needed * sum(s.metals.values()) for s in model.report.slabs)
    between = sum(n for g in model.report.galleries for n in g.cations.values())
    total += between * rock.valence_needed
    assert total + model.report.counts["Li"] == pytest.approx(2 * model.report.counts["O"])


@pytest.mark.parametrize(
    ("tetrahedral", "metal", "a_s"),
    # a of cubic cells; of tetragonal ones the cube root of their cubic-like volume (CIFs of the shared structures;
    # MgMn2O4 and ZnMn2O4: 5.72, 9.24 to 9.28 A)
    [
        ("Li", "Mn", 8.25),
        ("Co", "Co", 8.08),
        ("Mg", "Mn", 8.47),
        ("Zn", "Mn", 8.46),
        ("Mn", "Mn", 8.56),
        ("", "Mn", 8.03),
    ],
)
def test_estimated_spinel_parameters_lie_within_two_per_cent(tetrahedral, metal, a_s):
    heights = decorated_heights("spinel", {metal: 1.0}, {tetrahedral: 1.0} if tetrahedral else {})
    assert 2 * math.sqrt(2) * heights.a_A == pytest.approx(a_s, rel=0.02)
    assert heights.slab_A == pytest.approx(heights.galleries_A["O3"]) == pytest.approx(heights.a_A * math.sqrt(2 / 3))


@pytest.mark.parametrize(("metal", "a_rs"), [("Ni", 4.177), ("Co", 4.260), ("Mn", 4.445), ("Mg", 4.212)])
def test_estimated_rock_salt_parameters_lie_within_two_per_cent(metal, a_rs):
    assert math.sqrt(2) * decorated_heights("rock-salt", {metal: 1.0}, {}).a_A == pytest.approx(a_rs, rel=0.02)


HONEYCOMB = {"Li": 1 / 3, "Mn": 2 / 3}
ROOT3 = ((2, 1), (-1, 1))


@pytest.mark.parametrize(
    ("centres", "number"),
    [(0, 12), ((0, 0, 0), 12), ((1, 1, 1), 12), ((0, 1, 2), 12), ((0, 2, 1), 12), ((0, 0, 1), 153), ((0, 1, 1), 151)],
)
def test_honeycomb_centres_decide_the_stacking_polytype(centres, number):
    block = Block("O3", 3, HONEYCOMB, alkali="Li", arrangement="honeycomb", centres=centres)
    assert space_group(bulk(block, ROOT3).structure)[1] == number


@pytest.mark.parametrize(("name", "alkali"), [("honeycomb-Li2MnO3", "Li"), ("honeycomb-Na2MnO3", "Na")])
def test_published_honeycombs_are_the_straight_stacking(name, alkali):
    given = reference(name)
    metals = {alkali: 1 / 3, "Mn": 2 / 3}
    block = Block("O3", 1, metals, alkali=alkali, arrangement="honeycomb", centres=0, heights=harvest(given))
    built = bulk(block, ROOT3).structure
    assert {n: c / 2 for n, c in sorted(Counter(built.symbols).items())} == {"Mn": 1.0, "O": 3.0, alkali: 2.0}
    assert space_group(built)[1] == space_group(given, 1e-2)[1] == 12
    # ideal layers against a refined structure: oxygen moves by up to 0.1 (Li) and 0.2 A (Na) towards the small Mn
    matcher = StructureMatcher(ltol=0.05, stol=0.15, angle_tol=3.0, primitive_cell=True, scale=True)
    assert matcher.fit(crystal(built), crystal(given))
    turned = replace(block, gaps=3, centres=(0, 0, 1))
    assert not matcher.fit(crystal(bulk(turned, ROOT3).structure), crystal(given))


def test_a_single_honeycomb_layer_in_an_o2_stack():
    blocks = [
        Block("O2", 3, {"Co": 1.0}, alkali="Li"),
        Block("O2", 1, HONEYCOMB, alkali="Li", arrangement="honeycomb", centres=1),
    ]
    model = intergrowth(blocks, (3, 3))
    s = model.structure
    assert s.formula == "Co27Li39Mn6O72"
    inside = (s.layers == 3) & (s.tags["site"] == "TM")
    assert sorted(np.array(s.symbols)[inside].tolist()) == ["Li"] * 3 + ["Mn"] * 6
    atoms = crystal(s).to_ase_atoms()
    first, second = neighbor_list("ij", atoms, 1.1 * model.report.a_A)
    plane = inside[first] & inside[second]
    around = {"Li": [], "Mn": []}
    for i in np.flatnonzero(inside):
        near = np.array(s.symbols)[second[plane & (first == i)]]
        around[s.symbols[i]].append((near == "Mn").sum())
    assert around == {"Li": [6] * 3, "Mn": [3] * 6}
