"""Vacancy hops: counts known from the lattice, endpoints, grouping, interfaces."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from simkit.build import Block, Hop, bulk, endpoints, hops, hops_between_ions, interface_galleries, intergrowth
from simkit.errors import InputError
from simkit.structure import Structure


def test_full_galleries_hop_to_the_six_neighbours():
    model = bulk(Block("O3", 3), (4, 4))
    groups = hops(model)
    assert [h.gallery for h in groups] == [0, 1, 2]
    # 16 ions, 6 neighbours each, one hop for both directions
    assert {h.multiplicity for h in groups} == {48}
    assert all(h.distance_A == pytest.approx(model.report.a_A) for h in groups)
    assert {h.kind for h in groups} == {"oct-oct"}
    assert len(hops(model, unique=False)) == 3 * 48


def test_hops_at_the_interface_are_marked():
    model = intergrowth([Block("P2", 4), Block("O3", 6)])
    expected = [True, False, False, True, True, False, False, False, False, True]
    assert interface_galleries(model) == expected
    assert interface_galleries(model.structure) == expected
    groups = hops(model)
    assert [h.at_interface for h in groups] == expected
    assert [h.phase for h in groups] == ["P2"] * 4 + ["O3"] * 6
    bare = Structure(model.structure.numbers, model.structure.positions, model.structure.cell)
    assert [(h.ion, h.vacancy, h.at_interface) for h in hops(bare)] == [
        (h.ion, h.vacancy, h.at_interface) for h in groups
    ]


def test_endpoints_keep_the_order_and_move_one_ion_by_the_hop():
    model = intergrowth([Block("P2", 2), Block("O3", 3)], (3, 3))
    s = model.structure
    wrapped = s.moved_to(((s.positions + np.array([4.0, 3.0, 20.0])) @ np.linalg.inv(s.cell) % 1.0) @ s.cell)
    for structure in (s, wrapped):
        for hop in hops(structure, unique=False):
            initial, final = endpoints(structure, hop)
            assert len(initial) == len(s) - 1
            assert np.array_equal(initial.numbers, final.numbers)
            assert np.array_equal(initial.layers, final.layers)
            step = np.linalg.norm(final.positions - initial.positions, axis=1)
            assert np.flatnonzero(step).tolist() == [hop.moving]
            assert step[hop.moving] == pytest.approx(hop.distance_A, abs=1e-9)
            assert hop.distance_A == pytest.approx(model.report.a_A, abs=1e-9)
            # the ion arrives on the place of the one taken out, up to a cell vector
            gap = (final.positions[hop.moving] - structure.positions[hop.vacancy]) @ np.linalg.inv(s.cell)
            assert np.abs(gap - np.round(gap)).max() < 1e-9


def test_a_hop_may_be_taken_backwards_and_across_many_cells():
    s = bulk(Block("O3", 3), (3, 3)).structure
    far = s.positions.copy()
    far[::2] += 3 * s.cell[0] - 2 * s.cell[2]
    structure = s.moved_to(far)
    for hop in hops(s):
        back = replace(hop, ion=hop.vacancy, vacancy=hop.ion)
        assert back.moving == back.ion - 1
        for each in (hop, back):
            initial, final = endpoints(structure, each)
            step = np.linalg.norm(final.positions - initial.positions, axis=1)
            assert np.flatnonzero(step).tolist() == [each.moving]
            assert step[each.moving] == pytest.approx(hop.distance_A, abs=1e-9)
            assert np.array_equal(initial.positions[each.moving], structure.positions[each.ion])


def test_partly_filled_galleries_hop_into_empty_sites_without_contacts():
    model = bulk(Block("P2", 2, content=0.5), (4, 4))
    s = model.structure
    into_empty = [h for h in hops(model, unique=False) if h.vacancy < 0]
    assert into_empty
    assert any(h.distance_A == pytest.approx(model.report.a_A / np.sqrt(3)) for h in into_empty)
    ions = np.flatnonzero(s.layers < 0)
    images = np.array(list(itertools.product((-1, 0, 1), repeat=3))) @ s.cell
    for hop in into_empty:
        initial, final = endpoints(s, hop)
        assert initial is s
        others = ions[ions != hop.ion]
        away = np.linalg.norm(s.positions[others][:, None] + images - final.positions[hop.ion], axis=-1)
        # never onto a site that shares a prism edge with another ion (1.67 A)
        assert away.min() > 2.2


def test_foreign_structures_give_the_hops_of_the_model():
    model = bulk(Block("P2", 2, content=0.5), (4, 4))
    s = model.structure
    mine = {(h.ion, h.vacancy, h.kind, round(h.distance_A, 6)) for h in hops(model, unique=False)}
    read = hops(Structure(s.numbers, s.positions, s.cell), unique=False)
    assert {(h.ion, h.vacancy, h.kind, round(h.distance_A, 6)) for h in read} == mine


def test_groups_tell_surroundings_apart():
    model = bulk(Block("O3", 3, {"Ni": 0.5, "Mn": 0.5}), (4, 4))
    pure = bulk(Block("O3", 3, {"Mn": 1.0}), (4, 4))
    assert len(hops(model)) > len(hops(pure)) == 3
    every = hops(model, unique=False)
    sizes = {h.group: h.multiplicity for h in every}
    counted = {g: sum(h.group == g for h in every) for g in sizes}
    assert counted == sizes


def test_groups_do_not_depend_on_the_order_of_atoms():
    s = bulk(Block("O3", 3, {"Ni": 0.5, "Mn": 0.5}), (3, 3)).structure
    turned = s.take(np.random.default_rng(0).permutation(len(s)))
    first, second = ([h.multiplicity for h in hops(x)] for x in (s, turned))
    assert sorted(first) == sorted(second)


def test_any_crystal_by_element():
    a = 4.05
    unit = Structure([13] * 4, a / 2 * np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]), np.eye(3) * a)
    crystal = unit.repeated(3, 3, 3)
    (hop,) = hops_between_ions(crystal, "Al")
    assert hop.distance_A == pytest.approx(a / np.sqrt(2))
    # 12 neighbours of 108 atoms, counted once
    assert hop.multiplicity == 648
    initial, final = endpoints(crystal, hop)
    assert len(initial) == 107
    assert np.linalg.norm(final.positions - initial.positions) == pytest.approx(hop.distance_A)


def test_bad_requests_are_refused():
    s = bulk(Block("O3", 3), (2, 2)).structure
    with pytest.raises(InputError, match="holds no K"):
        hops_between_ions(s, "K")
    with pytest.raises(InputError, match="raise cutoff_A"):
        hops_between_ions(s, "Na", 1.0)
    with pytest.raises(InputError, match="nothing to hop"):
        hops(bulk(Block("O1", 2, {"Mn": 1.0}, content=0.0), (2, 2)))
    wrong = Hop(0, 1, (0.0, 0.0, 0.0), 0, "O3", "oct-oct", 1.0)
    with pytest.raises(InputError, match="does not fit"):
        endpoints(s, Hop(0, 10**6, wrong.target_A, 0, "O3", "oct-oct", 1.0))
    ion, metal = int(np.flatnonzero(s.layers < 0)[0]), int(np.flatnonzero(s.tags["site"] == "TM")[0])
    with pytest.raises(InputError, match="differ in element"):
        endpoints(s, Hop(ion, metal, wrong.target_A, 0, "O3", "oct-oct", 1.0))
