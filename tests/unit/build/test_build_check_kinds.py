"""Contacts, coordination and bond valences: independent neighbour lists, published bonds, one fault per check."""

import json
from pathlib import Path

import numpy as np
import pytest
from ase.neighborlist import neighbor_list

from simkit import io
from simkit.build import Block, Limits, Rules, bulk, checks
from simkit.structure import Structure

SHARED = Path(__file__).resolve().parents[4] / "shared" / "structures"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the structure library is not beside the checkout")
RECORDS = {r["name"]: r for r in json.loads((SHARED / "structures.json").read_text())} if SHARED.is_dir() else {}


def replaced(structure, atom, number):
    numbers = structure.numbers.copy()
    numbers[atom] = number
    return Structure(numbers, structure.positions, structure.cell, layers=structure.layers, tags=structure.tags)


def moved(structure, atom, step):
    positions = structure.positions.copy()
    positions[atom] += step
    return structure.moved_to(positions)


def spinel_cell():
    """Fd-3m LiMn2O4 with a = 8.25 A and u = 0.2625 (origin on the 8a site), from its own coordinates."""
    fcc = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    li = np.concatenate([fcc, fcc + 0.25])
    mn = np.array([[5, 5, 5], [5, 7, 7], [7, 5, 7], [7, 7, 5]]) / 8
    v = 0.2625 - 0.125
    o = -np.array([[v, v, v], [v, -v, -v], [-v, v, -v], [-v, -v, v]])
    mn = (mn[:, None] + fcc[None]).reshape(-1, 3)
    o = np.concatenate([(o[:, None] + fcc[None]).reshape(-1, 3), (0.25 - o[:, None] + fcc[None]).reshape(-1, 3)])
    points = np.concatenate([li, mn, o]) % 1.0
    return Structure([3] * 8 + [25] * 16 + [8] * 32, points * 8.25, np.eye(3) * 8.25)


def test_contacts_agree_with_an_independent_neighbour_list():
    s = bulk(Block("P2", 2, {"Ni": 0.5, "Mn": 0.5}, content=0.5), (2, 3), seed=3).structure
    found = checks.contacts(s)
    i, j, d = neighbor_list("ijd", io.to_ase(s), checks.REACH_A)
    mine = sorted(zip(found.pairs.point, found.pairs.atom, found.pairs.distance.round(9), strict=True))
    assert mine == sorted(zip(i, j, d.round(9), strict=True))
    for kind, reach in (("M", 2.8), ("A", 3.3)):
        atoms, numbers = checks.coordination(found, kind)
        theirs = np.bincount(i[(s.numbers[j] == 8) & (d < reach)], minlength=len(s))
        assert np.array_equal(numbers, theirs[atoms])


def test_tetrahedral_cations_are_found_without_tags_and_by_their_tag():
    s = spinel_cell()
    assert np.array_equal(np.flatnonzero(checks.kinds_of(s) == 3), np.arange(8))
    site = np.array(["tet"] * 8 + ["TM"] * 16 + ["O"] * 32)
    assert np.array_equal(checks.kinds_of(s.with_tags(site=site)), checks.kinds_of(s))
    found = checks.contacts(s)
    assert checks.shortest_A(found)["T-M"] == pytest.approx(8.25 * np.sqrt(11) / 8)
    assert checks.histogram(found, "T") == {"4": 8}
    assert checks.coordination_problems(s, found) == []


def test_a_tetrahedron_that_shares_a_face_is_flagged_and_one_on_a_filled_octahedron_refused():
    s = spinel_cell()
    assert checks.face_problems(s) == []
    (flag,) = checks.face_problems(s, Limits(tetrahedral_face_A=3.45))
    assert flag.startswith("8 tetrahedral cations share a face with a metal")
    assert "(Li)" in flag
    assert "(Mn)" in flag
    empty = 8.25 * np.array([0.125, 0.125, 0.125])  # an empty octahedron between tetrahedra
    extra = Structure([*s.numbers, 25], [*s.positions, empty], s.cell)
    kinds = np.append(checks.kinds_of(s), 1)
    problems = checks.distance_problems(extra, found=checks.contacts(extra, kinds))
    assert any("(Li)" in p and "atom 56 (Mn)" in p and "at least 2.50 A" in p for p in problems)


@pytest.mark.parametrize("alkali", ["Li", "Na", "K"])
@pytest.mark.parametrize(("phase", "faces"), [("O3", 0), ("O2", 18), ("P3", 18), ("O1", 18)])
def test_shared_faces_are_told_from_shared_edges_for_every_ion(alkali, phase, faces):
    """O3 octahedra share edges only; those of O2 and O1 and the prisms of P3 share a face with a metal."""
    s = bulk(Block(phase, 2, alkali=alkali), (3, 3)).structure
    texts = checks.face_problems(s)
    assert [int(t.split()[0]) for t in texts] == [faces] * bool(faces)


@pytest.mark.parametrize(("alkali", "least"), [("Li", 1.75), ("Na", 2.10), ("K", 2.30)])
def test_the_least_distance_follows_the_ion(alkali, least):
    s = bulk(Block("O3", 3, alkali=alkali), (3, 3)).structure
    ion = int(np.flatnonzero(s.layers < 0)[0])
    problems = checks.distance_problems(moved(s, ion, [0, 0, 0.9]))
    assert any(f"at least {least:.2f} A" in p for p in problems)


def test_fluorine_may_come_closer_and_sulfur_is_crowded():
    s = bulk(Block("O3", 3, {"Mn": 1.0}), (3, 3)).structure
    anion = int(np.flatnonzero(s.numbers == 8)[0])
    limits = Limits(metal_oxygen_A=2.1)  # between the built 2.045 A and its value with the shift of F
    assert any(f"atom {anion} (O)" in p for p in checks.distance_problems(s, limits))
    assert not any("(F)" in p for p in checks.distance_problems(replaced(s, anion, 9), limits))
    assert checks.crowding_problems(s) == []
    (text,) = checks.crowding_problems(replaced(s, anion, 16))
    assert text.startswith("3 crowded Mn-S bonds")
    assert "88 % of the ionic radii would be 2.09 A" in text


def test_a_large_dopant_is_crowded():
    s = bulk(Block("O3", 3, {"Co": 1.0}), (3, 3)).structure
    metal = int(np.flatnonzero(s.numbers == 27)[0])
    (text,) = checks.crowding_problems(replaced(s, metal, 20))
    assert text.startswith("6 crowded Ca-O bonds")


def test_other_numbers_of_anions_may_be_allowed_by_site():
    s = bulk(Block("O3", 3), (3, 3)).structure
    metal = int(np.flatnonzero(s.tags["site"] == "TM")[0])
    near = int(
        np.flatnonzero(s.numbers == 8)[
            np.argmin(np.linalg.norm(s.positions[s.numbers == 8] - s.positions[metal], axis=1))
        ]
    )
    broken = s.without(near)
    assert any("(Co) has 5 anions within 2.8 A; 6 are needed" in p for p in checks.coordination_problems(broken))
    allowed = checks.coordination_problems(broken, allowed={"TM": (5, 6)})
    assert not any("(Co)" in p for p in allowed)
    refused = checks.coordination_problems(s, allowed={"TM": (4, 5)})
    assert all("6 anions within 2.8 A; 4 to 5 are needed" in p for p in refused)
    assert len(refused) == 5
    assert Rules(coordination={"TM": (5, 6)}).coordination["TM"] == (5, 6)


@needs_shared
@pytest.mark.parametrize(
    ("name", "symbol", "valence", "tolerance"),
    [
        ("O3-NaCoO2", "Co", 3, 0.25),
        ("O3-NaFeO2", "Fe", 3, 0.35),
        ("O3-NaCrO2", "Cr", 3, 0.35),
        ("rocksalt-NiO", "Ni", 2, 0.25),
        ("rocksalt-MnO", "Mn", 2, 0.25),
        ("rocksalt-CoO", "Co", 2, 0.25),
        ("honeycomb-Li2MnO3", "Mn", 4, 0.35),
        ("O3-NaFeO2", "Na", 1, 0.3),
        ("O2-LiCoO2", "Li", 1, 0.3),
    ],
)
def test_bond_valence_sums_of_published_cells_are_the_formal_valences(name, symbol, valence, tolerance):
    # good refinements keep the sum rule to about 0.2 v.u.; idealised cells add as much again
    s = io.read(SHARED / f"{name}.cif")
    sums = checks.bond_valence_sums(s)[valence]
    mine = np.array(s.symbols) == symbol
    assert sums[mine].mean() == pytest.approx(valence, abs=tolerance)
    assert checks.bond_valence_problems(s) == []


def test_a_bond_valence_sum_by_hand_and_its_flag():
    a = 4.18
    points = a / 2 * np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]])
    salt = Structure([12] * 4 + [8] * 4, points, np.eye(3) * a)
    assert checks.bond_valence_sums(salt)[2][0] == pytest.approx(6 * np.exp((1.693 - a / 2) / 0.37))
    assert np.isnan(checks.bond_valence_sums(salt)[2][4])
    squeezed = salt.strained_to(salt.cell * 0.9)
    (text,) = checks.bond_valence_problems(squeezed)
    assert text.startswith("4 of 4 Mg have bond-valence sums more than 0.5 outside")


def test_mixed_valence_is_no_flag():
    s = spinel_cell()
    sums = checks.bond_valence_sums(s)
    assert sums[3][8] > 3
    assert sums[4][8] < 4
    assert checks.bond_valence_problems(s) == []
