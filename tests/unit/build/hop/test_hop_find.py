"""Hops by mechanism: counts known from the lattice, translated twins, orbits, places on the way, clear refusals."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from simkit.build import Block, bulk, hops, intergrowth, lateral, places_of, tunnel_bulk
from simkit.build.hop import HopRequest, endpoints, find_hops, through, voids
from simkit.errors import InputError
from simkit.structure import Structure

BOTH = ("vacancy", "divacancy")
SMALL = 1e-6
"""Rounding of positions of some 10 A through a few matrix products, with room, A."""


@pytest.fixture(scope="module")
def o3():
    return bulk(Block("O3", 3), (3, 3))


def nearest_anions(structure, point, count):
    """Distances of the nearest oxygens over all images."""
    grid = np.array(list(np.ndindex(5, 5, 5))) - 2
    oxygen = structure.positions[structure.numbers == 8]
    images = (oxygen[:, None] + grid @ structure.cell).reshape(-1, 3)
    return np.sort(np.linalg.norm(images - point, axis=1))[:count]


def facts(structure, hops):
    """What does not depend on where the cell begins."""
    found = []
    for h in hops:
        way = None if h.through_A is None else tuple(np.round(h.through_A - structure.positions[h.ion], 4) + 0.0)
        step = tuple(np.round(np.array(h.target_A) - structure.positions[h.ion], 4) + 0.0)
        found.append((h.mechanism, h.ion, h.vacancy, h.second, step, way, h.multiplicity))
    return Counter(found)


def test_a_full_octahedral_gallery_has_three_vacancy_and_six_divacancy_hops_per_ion(o3):
    one, two = find_hops(o3, HopRequest(mechanisms=BOTH))
    # six neighbours, one hop for both directions; a tetrahedron on either side of each pair
    assert (one.mechanism, one.multiplicity) == ("vacancy", 27 * 3)
    assert (two.mechanism, two.multiplicity) == ("divacancy", 27 * 6)
    assert one.through_A is None
    assert one.grouped_by == two.grouped_by == "space group"
    assert one.found_by == "builder"


def test_a_divacancy_passes_the_centre_of_a_tetrahedron_beside_the_second_vacancy(o3):
    s = o3.structure
    for hop in find_hops(o3, HopRequest(mechanisms=("divacancy",), unique=False)):
        initial, final = endpoints(s, hop)
        half = through(s, hop)
        assert len(initial) == len(final) == len(half) == len(s) - 2
        step = np.linalg.norm(final.positions - initial.positions, axis=1)
        assert np.flatnonzero(step).tolist() == [hop.moving]
        assert step[hop.moving] == pytest.approx(hop.distance_A, abs=SMALL)
        near = nearest_anions(s, half.positions[hop.moving], 5)
        assert np.ptp(near[:4]) < SMALL
        assert near[4] > near[3] + 0.5
        others = np.delete(half.positions, hop.moving, axis=0)[np.delete(half.numbers, hop.moving) != 8]
        grid = (np.array(list(np.ndindex(3, 3, 3))) - 1) @ s.cell
        images = (others[:, None] + grid).reshape(-1, 3)
        # the three sodium of its faces are gone: only slab metals, across a face or farther
        assert np.linalg.norm(images - half.positions[hop.moving], axis=1).min() > 1.9


@pytest.mark.parametrize("finder", ["auto", "voronoi"])
def test_hops_across_edges_and_corners_equal_their_translated_twins(o3, finder):
    s = Structure(o3.structure.numbers, o3.structure.positions, o3.structure.cell)
    request = HopRequest(mechanisms=BOTH, finder=finder, unique=False)
    mine = facts(s, find_hops(s, request))
    generator = np.random.default_rng(3)
    for _ in range(2):
        moved = (s.fractional + generator.random(3)) % 1.0 @ s.cell
        twin = s.moved_to(moved)
        assert facts(twin, find_hops(twin, request)) == mine


def test_in_a_cell_two_sites_wide_both_images_of_a_neighbour_are_hops():
    model = bulk(Block("O3", 3), (2, 2))
    every = find_hops(model, HopRequest(mechanisms=("vacancy",), unique=False))
    assert len(every) == 3 * 12
    assert len({(h.sites, h.image) for h in every}) == 36
    for hop in every:
        initial, final = endpoints(model.structure, hop)
        assert final.positions[hop.moving] == pytest.approx(hop.target_A, abs=SMALL)
        step = final.positions[hop.moving] - initial.positions[hop.moving]
        assert np.linalg.norm(step) == pytest.approx(hop.distance_A, abs=SMALL)


def test_orbits_and_fingerprints_agree_where_the_lattice_says_one_class(o3):
    request = HopRequest(mechanisms=("vacancy",))
    orbits = find_hops(o3, replace(request, alike="symmetry"))
    prints = find_hops(o3, replace(request, alike="surroundings"))
    assert [h.multiplicity for h in orbits] == [81]
    # fingerprints keep galleries apart
    assert [h.multiplicity for h in prints] == [27, 27, 27]


def test_a_broken_symmetry_breaks_the_orbit_and_repeating_the_cell_multiplies_it(o3):
    s = o3.structure
    numbers = s.numbers.copy()
    numbers[np.flatnonzero(s.tags["site"] == "TM")[0]] = 12
    broken = Structure(numbers, s.positions, s.cell)
    request = HopRequest(mechanisms=("vacancy",))
    groups = find_hops(broken, request)
    assert len(groups) > 1
    assert sum(h.multiplicity for h in groups) == 81
    # doubled both ways in the plane: once would take the three-fold axis away
    larger = find_hops(broken.repeated(2, 2, 1), request)
    assert sorted(h.multiplicity for h in larger) == sorted(4 * h.multiplicity for h in groups)


def test_spinel_ions_hop_through_the_octahedron_half_way():
    model = bulk(Block("spinel", 6, {"Mn": 1.0}, tetrahedral={"Mg": 1.0}), (2, 2))
    s = model.structure
    every = find_hops(model, HopRequest(ion="Mg", mechanisms=("vacancy",), unique=False))
    ends = Counter(i for h in every for i in (h.ion, h.vacancy))
    # diamond lattice: four neighbours each
    assert set(ends.values()) == {4}
    assert len(ends) == (s.numbers == 12).sum()
    for hop in every:
        assert hop.kind == "tet-tet"
        middle = 0.5 * (s.positions[hop.ion] + np.array(hop.target_A))
        # 16c lies half way; a stack's oxygens are not quite those of the cubic cell
        assert np.linalg.norm(middle - hop.through_A) < 0.1
        assert nearest_anions(s, np.array(hop.through_A), 7)[[5, 6]] @ [-1, 1] > 0.5


def test_tunnel_ions_hop_along_their_channel():
    model = tunnel_bulk()
    hops = find_hops(model, HopRequest(mechanisms=("vacancy",)))
    along = {h.kind: h for h in hops}
    assert {"Na_t1-Na_t1", "Na_t2-Na_t2"} <= set(along)
    short = np.linalg.norm(model.structure.cell, axis=1).min() / 3
    for kind in ("Na_t1-Na_t1", "Na_t2-Na_t2"):
        assert along[kind].distance_A == pytest.approx(short, abs=0.05)
        assert along[kind].multiplicity == 12


def test_lateral_cells_have_hops_from_one_phase_into_the_other():
    mn = {"Mn": 1.0}
    model = lateral(Block("P2", 2, mn, content=0.5), Block("O2", 2, mn, content=0.5), lengths_A=(25.0, 25.0))
    every = find_hops(model, HopRequest(unique=False))
    crossing = [h for h in every if h.crosses]
    assert crossing
    assert all({h.phase, h.to_phase} == {"P2", "O2"} and h.at_interface for h in crossing)
    assert {h.phase for h in every} == {"P2", "O2"}
    only = find_hops(model, HopRequest(phases=("O2",), number=5))
    assert len(only) == 5
    assert all("O2" in (h.phase, h.to_phase) for h in only)


def test_metals_move_into_the_layer_of_the_ions_through_a_tetrahedron():
    model = bulk(Block("O3", 3, {"Mn": 1.0}, content=0.0), (3, 3))
    s = model.structure
    hops = find_hops(model, HopRequest(ion="Mn", mechanisms=("metal",)))
    kinds = {h.kind: h for h in hops}
    assert set(kinds) == {"oct-oct", "oct-tet"}
    assert kinds["oct-oct"].through_A is not None
    assert kinds["oct-oct"].vacancy == -1
    # each slab metal has three empty octahedra above it and three below
    assert kinds["oct-oct"].multiplicity == 27 * 6
    full = bulk(Block("O3", 3, {"Mn": 1.0}), (3, 3))
    (hop,) = find_hops(full, HopRequest(ion="Mn", mechanisms=("metal",)))
    initial, final = endpoints(full.structure, hop)
    assert full.structure.numbers[hop.vacancy] == 11
    assert len(initial) == len(full.structure) - 1
    assert initial.numbers[hop.moving] == final.numbers[hop.moving] == 25
    assert len(s) == 81


def test_sites_follow_the_anions_of_a_relaxed_cell():
    model = bulk(Block("P2", 2, {"Mn": 1.0}, content=0.5), (4, 4))
    s = model.structure
    grown = s.strained_to(s.cell @ np.diag([1.03, 0.98, 1.05]))
    moved = grown.moved_to(grown.positions + np.array([0.4, -0.3, 0.7]))
    request = HopRequest(mechanisms=("interstitial",), unique=False)
    first, second = find_hops(model, request), find_hops(model, request, relaxed=moved)
    old = {(h.sites, h.image): np.array(h.target_A) for h in first}
    for hop in second:
        if (hop.sites, hop.image) in old:
            place = old[hop.sites, hop.image] @ np.linalg.inv(s.cell) @ moved.cell + np.array([0.4, -0.3, 0.7])
            assert hop.target_A == pytest.approx(place, abs=SMALL)
    assert {(h.sites, h.image) for h in second} & set(old)
    with pytest.raises(InputError, match="in their order"):
        find_hops(model, request, relaxed=s.without(0))


def test_voids_of_close_packed_anions_are_one_octahedron_and_two_tetrahedra_each():
    a = 4.2
    unit = Structure([8] * 4, a / 2 * np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]), np.eye(3) * a)
    s = unit.repeated(2, 1, 1)
    s = s.moved_to(s.positions + 0.3)
    points, kinds = voids(s, np.zeros(len(s), dtype=bool))
    assert Counter(kinds.tolist()) == {"oct": 8, "tet": 16}
    for point, kind in zip(points, kinds, strict=True):
        expected = a / 2 if kind == "oct" else a * np.sqrt(3) / 4
        assert nearest_anions(s, point, 1)[0] == pytest.approx(expected, abs=SMALL)


def test_bad_requests_are_refused(o3):
    with pytest.raises(InputError, match="no mobile ion"):
        find_hops(o3, HopRequest(ion="K"))
    with pytest.raises(InputError, match="no empty site"):
        find_hops(o3, HopRequest(mechanisms=("interstitial",)))
    with pytest.raises(InputError, match="its own image"):
        find_hops(bulk(Block("O3", 3), (1, 4)))
    with pytest.raises(InputError, match="region"):
        find_hops(o3, HopRequest(phases=("P2",)))
    with pytest.raises(InputError, match="mechanisms"):
        HopRequest(mechanisms=("vacancies",))
    with pytest.raises(InputError, match="second vacancy"):
        endpoints(o3.structure, replace(find_hops(o3)[0], second=10**6))


def test_regions_by_gallery_and_height(o3):
    every = find_hops(o3, HopRequest(unique=False))
    first = find_hops(o3, HopRequest(galleries=(1,), unique=False))
    assert len(first) == len(every) / 3
    height = o3.structure.positions[first[0].ion, 2]
    same = find_hops(o3, HopRequest(heights_A=(height - 0.5, height + 0.5), unique=False))
    assert {(h.sites, h.image) for h in same} == {(h.sites, h.image) for h in first}


def test_into_empty_sites_the_two_searches_agree():
    model = bulk(Block("P2", 2, {"Mn": 1.0}, content=0.5), (4, 4))
    old = {(h.ion, h.vacancy, round(h.distance_A, 4)) for h in hops(model, unique=False)}
    new = find_hops(model, HopRequest(unique=False))
    assert {(h.ion, h.vacancy, round(h.distance_A, 4)) for h in new} == old
    assert {h.mechanism for h in new} == {"vacancy", "interstitial"}


def test_empty_sites_belong_to_the_phase_of_the_ions_beside_them():
    """Also where the anions around them are those of a slab that the other phase shares."""
    blocks = [
        Block("P2", 2, metals={"Co": 1.0}, content=0.75),
        Block("O3", 3, metals={"Co": 1.0}, content=0.75),
    ]
    cell = intergrowth(blocks, repeats=(2, 2)).structure
    request = HopRequest(ion="Na", mechanisms=("divacancy", "interstitial"), unique=False)
    places = places_of(cell, None, request)
    names = [set(places.phase[places.gallery == g].tolist()) for g in range(5)]
    assert sorted(names, key=str) == [{"O3"}] * 3 + [{"P2"}] * 2
    assert not any(hop.crosses for hop in find_hops(cell, request))
