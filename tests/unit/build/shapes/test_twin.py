"""Twins by reflection: zero misfit, mirror images, coordination at the boundary, the spinel {111} twin."""

import json
from dataclasses import replace

import numpy as np
import pytest
from ase.neighborlist import neighbor_list

from simkit.build import Block, TwinSearch, TwinSettings, bulk, mirror_twin
from simkit.build.shapes.mirror import plane_of
from simkit.build.shapes.twin import TWIN_LIMITS, _crystal, _upright, rebuild_twin
from simkit.build.shapes.twin_cell import joined
from simkit.build.shapes.twin_search import boundaries
from simkit.errors import InputError
from simkit.io import to_ase
from simkit.kernels.pair_search import find_pairs

O3 = Block("O3", 3, {"Mn": 1.0})
SPINEL = Block("spinel", 3, {"Mn": 1.0}, tetrahedral={"Li": 1.0})

PLANES = [(0, 1, 2), (0, 1, 8), (1, 0, 4)]


@pytest.fixture(scope="module")
def twins():
    return {plane: mirror_twin(O3, plane, settings=TwinSettings(thickness_A=20.0)) for plane in PLANES}


@pytest.fixture(scope="module")
def spinel_twin():
    return mirror_twin(SPINEL, (0, 0, 1))


def anions_around(structure, atoms, reach_A):
    i, j = neighbor_list("ij", to_ase(structure), reach_A)
    return np.bincount(i[structure.numbers[j] == 8], minlength=len(structure))[atoms]


def surroundings(structure, atoms, reach_A=4.0):
    """For each atom (n, 2): element and distance of everything within reach, in order."""
    i, j, d = neighbor_list("ijd", to_ase(structure), reach_A)
    rows = [np.column_stack([structure.numbers[j[i == atom]], d[i == atom]]) for atom in atoms]
    return [r[np.lexsort((r[:, 1], r[:, 0]))] for r in rows]


def deep(structure, number, margin_A=5.0):
    """Atoms of one element farther than margin from both mirrors (at 0 and half the height of the cell)."""
    z, half = structure.positions[:, 2], 0.5 * structure.cell[2, 2]
    away = np.abs(z % half - 0.5 * half) < 0.5 * half - margin_A
    return np.flatnonzero((structure.numbers == number) & away)


@pytest.mark.parametrize(
    ("indices", "fold"), [((0, 1, 2), 1), ((0, 1, 8), 1), ((1, 0, 4), 1), ((0, 0, 3), 1), ((1, 0, 2), 3)]
)
def test_planes_have_the_spacing_of_the_hexagonal_formula(indices, fold):
    """1/d^2 = 4/3 (h^2 + h k + k^2) / a^2 + l^2 / c^2; indices the obverse setting extinguishes have d / 3."""
    crystal, slabs, a = _crystal(O3)
    plane = plane_of(crystal, indices, slabs)
    h, k, last = indices
    c = 3 * crystal.cell[2, 2]
    spacing = 1 / np.sqrt(4 / 3 * (h * h + h * k + k * k) / a**2 + last**2 / c**2)
    assert plane.spacing_A == pytest.approx(spacing / fold, rel=1e-9)
    assert plane.area_A2 * plane.spacing_A == pytest.approx(np.linalg.det(crystal.cell), rel=1e-9)
    for vector in plane.sides:
        images = plane_images(crystal, plane, vector)
        assert np.allclose(images, np.round(images), atol=1e-6), "the sides of the plane are lattice vectors"


def plane_images(crystal, plane, vector):
    """Lattice coordinates of an in-plane vector: positions of the plane are those of the crystal, turned."""
    turn = np.linalg.lstsq(crystal.positions, plane.positions, rcond=None)[0]
    return np.array([*vector, 0.0]) @ turn.T @ np.linalg.inv(crystal.cell)


def test_a_window_holds_the_density_of_the_crystal():
    crystal, slabs, _ = _crystal(O3)
    plane = plane_of(crystal, (1, 0, 4), slabs)
    points, site = plane.window(0.123, 0.123 + 5 * plane.spacing_A - 1e-6)
    assert len(points) == 5 * len(crystal)
    assert np.array_equal(np.bincount(site), np.full(len(crystal), 5))


@pytest.mark.parametrize("plane", PLANES)
def test_every_metal_at_the_boundary_is_octahedral_and_the_cell_stoichiometric(twins, plane):
    s, facts = twins[plane].structure, twins[plane].report.facts
    metals = np.flatnonzero(s.numbers == 25)
    assert (anions_around(s, metals, 2.75) == 6).all()
    assert (s.numbers == 8).sum() == 2 * len(metals)
    assert facts["stoichiometric"]
    i, j, d = neighbor_list("ijd", to_ase(s), 2.5)
    oxygen, metal = s.numbers[i] == 8, s.numbers[i] == 25
    assert d[oxygen & (s.numbers[j] == 8)].min(initial=9.0) > 2.2
    assert d[oxygen & (s.numbers[j] == 25)].min() > 1.7
    assert d[metal & (s.numbers[j] == 25)].min(initial=9.0) > 2.4


@pytest.mark.parametrize("plane", PLANES)
def test_the_second_half_is_the_mirror_image_of_the_first(twins, plane):
    s, facts = twins[plane].structure, twins[plane].report.facts
    shift = np.array([float(x) for x in facts["upper_shift"].split()]) @ s.cell[:2, :2]
    image = s.take(s.tags["block"] == 1)
    back = image.positions * [1, 1, -1] + [0, 0, s.cell[2, 2]]
    back[:, :2] -= shift
    first = s.take(s.tags["block"] == 0)
    for number, point in zip(image.numbers, back, strict=True):
        steps = (first.positions[first.numbers == number] - point) @ np.linalg.inv(s.cell)
        steps[:, :2] -= np.round(steps[:, :2])
        assert np.linalg.norm(steps @ s.cell, axis=1).min() < 1e-3, "shifts are told to 1e-4 of the sides"


@pytest.mark.parametrize("plane", PLANES)
def test_the_inside_of_both_halves_is_the_bulk(twins, plane):
    twin = twins[plane].structure
    reference = bulk(O3, (3, 3)).structure
    wanted = surroundings(reference, np.flatnonzero(reference.numbers == 25)[:1])[0]
    inside = deep(twin, 25)
    assert set(twin.tags["block"][inside]) == {0, 1}
    for found in surroundings(twin, inside):
        assert found.shape == wanted.shape and np.allclose(found, wanted, atol=1e-4)


def test_spinel_twins_in_an_anion_layer(spinel_twin):
    s = spinel_twin.structure
    metals, tets = (np.flatnonzero(np.isin(s.tags["site"], names)) for names in (["K", "M"], ["tet"]))
    assert (anions_around(s, metals, 2.5) == 6).all()
    assert (anions_around(s, tets, 2.4) == 4).all()
    i, j = neighbor_list("ij", to_ase(s), 2.8)
    assert not ((s.numbers[i] != 8) & (s.numbers[j] != 8)).any(), "no shared faces across the boundary"
    mirror = np.abs(s.positions[:, 2] - 0.5 * s.cell[2, 2]) < 0.3
    assert set(s.numbers[mirror]) == {8} and mirror.sum() == 4


def test_both_halves_of_the_spinel_twin_are_spinel():
    choice = TwinSettings(thickness_A=26.0)
    twin = mirror_twin(SPINEL, (0, 0, 1), settings=choice).structure
    reference = bulk(SPINEL, (2, 2)).structure
    for number, site in ((25, "K"), (3, "tet")):
        wanted = surroundings(reference, np.flatnonzero(reference.tags["site"] == site)[:1])[0]
        inside = deep(twin, number, 8.0)
        assert set(twin.tags["block"][inside]) == {0, 1}
        for found in surroundings(twin, inside):
            assert found.shape == wanted.shape and np.allclose(found, wanted, atol=1e-4)


def test_the_stacking_reverses_at_the_spinel_boundary(spinel_twin):
    """Anion layers run A B C below the mirror and C B A above it: the step of one layer to the next changes sign."""
    s = spinel_twin.structure
    layers = {}
    for z, xy in zip(np.round(s.positions[s.numbers == 8, 2] / 1.2), s.positions[s.numbers == 8, :2], strict=True):
        layers.setdefault(z, []).append(xy)
    side = np.linalg.inv(s.cell[:2, :2] / 2)
    waves = [np.exp(2j * np.pi * (np.array(points) @ side)[:, 0]).mean() for _, points in sorted(layers.items())]
    steps = np.angle(np.array(waves[1:]) / np.array(waves[:-1])) * 3 / (2 * np.pi)
    whole = np.round(steps).astype(int)
    assert set(whole) == {1, -1}
    assert (np.diff(whole) != 0).sum() == 1, "one reversal inside the cell, the other at its edge"


def test_recipes_seeds_and_ranks():
    block = Block("O3", 3, {"Mn": 0.5, "Ni": 0.5}, content=0.8)
    choice = TwinSettings(repeats=(3, 1), thickness_A=12.0, search=TwinSearch(2, 2))
    first = mirror_twin(block, (0, 1, 2), 4, choice)
    again = rebuild_twin(json.loads(json.dumps(first.recipe)))
    for name in ("numbers", "positions", "cell"):
        assert getattr(first.structure, name).tobytes() == getattr(again.structure, name).tobytes()
    other = mirror_twin(block, (0, 1, 2), 5, choice)
    assert other.structure.formula == first.structure.formula
    assert not np.array_equal(other.structure.numbers, first.structure.numbers)
    ranked = mirror_twin(block, (0, 1, 2), 4, replace(choice, rank=1))
    told = [{k: v for k, v in t.report.facts.items() if k.startswith(("upper", "lower"))} for t in (first, ranked)]
    assert told[0] != told[1]


def test_refusals():
    with pytest.raises(InputError, match="three whole numbers"):
        mirror_twin(O3, (0, 0, 0))
    with pytest.raises(InputError, match="three whole numbers"):
        mirror_twin(O3, (0, 1.5, 2))
    with pytest.raises(InputError, match="one table of metals"):
        mirror_twin(Block("O3", 3, content=[1.0, 0.5, 1.0]))
    with pytest.raises(InputError, match="rank"):
        mirror_twin(O3, (0, 1, 2), settings=TwinSettings(rank=10**6, search=TwinSearch(1, 2)))
    with pytest.raises(InputError, match="mirror"):
        TwinSearch(mirror="metals")
    with pytest.raises(InputError, match="thickness_A"):
        TwinSettings(thickness_A=1.0)
    with pytest.raises(InputError, match="undistorted"):
        mirror_twin(Block("O'3", 3, {"Mn": 1.0}))


@pytest.mark.parametrize("plane", [(0, 1, 2), (1, 0, 4)])
def test_the_cell_has_the_distances_the_search_saw_at_both_boundaries(plane):
    """Shifts of fifths have a sign that matters: a lower boundary turned round would show other distances."""
    crystal, slabs, _ = _crystal(O3)
    seen = plane_of(crystal, plane, slabs)
    choice = TwinSearch(3, 5, "any")
    upper = boundaries(seen, choice, TWIN_LIMITS, 0.0)
    lower = [_upright(b, seen) for b in boundaries(seen.inverted(), choice, TWIN_LIMITS, 0.0)]
    for first, second in zip(upper[:40:4], lower[:40:4], strict=True):
        made, _ = joined(seen, (first, second), O3, 15.0, TWIN_LIMITS)
        pairs = find_pairs(made.positions, made.positions, made.cell, 3.0)
        across = pairs.take(made.region[pairs.point] < made.region[pairs.atom])
        one, two = made.role[across.point], made.role[across.atom]
        for k, wanted in ((0, ("anion", "anion")), (1, ("anion", "metal")), (2, ("metal", "metal"))):
            kind = ((one == wanted[0]) & (two == wanted[1])) | ((one == wanted[1]) & (two == wanted[0]))
            expected = min(first.shortest_A[k], second.shortest_A[k])
            assert across.distance[kind].min(initial=np.inf) == pytest.approx(expected, abs=1e-6)


def test_what_the_spinel_twin_lacks_is_told(spinel_twin):
    """Mirror anions belong to both halves: their ledgers are alike, and the surplus of anions is a warning."""
    report = spinel_twin.report
    surplus = report.counts["O"] - 2 * report.counts["Mn"]
    assert report.facts["anions_beyond_formula"] == surplus > 0
    assert any(f"{surplus} anions more" in text for text in report.warnings)
    first, second = (r.charges for r in report.regions)
    assert first.mean == pytest.approx(second.mean) and first.anions == pytest.approx(second.anions)
    assert first.anions + second.anions == pytest.approx(-2.0 * report.counts["O"])
    told = [x for r in report.regions for x in r.shares if (x.role, x.symbol) == ("tetrahedral", "")]
    assert sum(x.sites for x in told) == report.counts["Li"] + report.facts["tetrahedral_sites_left_out"]
    assert all(x.asked == 1.0 and x.reached < 1.0 for x in told)


@pytest.mark.parametrize("plane", [(0, 1, 100), (1, 30, 1), (17, 19, 101)])
def test_planes_out_of_reach_are_refused(plane):
    with pytest.raises(InputError, match="lower indices"):
        mirror_twin(O3, plane)


@pytest.mark.parametrize(
    "fields",
    [
        {"repeats": 5},
        {"repeats": ()},
        {"repeats": "ab"},
        {"repeats": (1.7, 2)},
        {"rank": "a"},
        {"rank": 1.5},
        {"least": "a"},
        {"least": -1},
        {"least": 9},
        {"search": {}},
        {"limits": None},
        {"thickness_A": float("nan")},
    ],
)
def test_settings_are_checked(fields):
    with pytest.raises(InputError, match=next(iter(fields))):
        TwinSettings(**fields)


@pytest.mark.parametrize("number", ["a", 2.5, 0, True])
def test_the_search_counts_in_whole_numbers(number):
    with pytest.raises(InputError, match="offsets"):
        TwinSearch(offsets=number)


@pytest.mark.parametrize("plane", [12, "012", (0, 1, 2, 3)])
def test_a_plane_has_three_indices(plane):
    with pytest.raises(InputError, match="plane"):
        mirror_twin(O3, plane)


def test_an_empty_table_is_no_settings():
    with pytest.raises(InputError, match="settings is a dict"):
        mirror_twin(O3, (0, 1, 2), settings={})
