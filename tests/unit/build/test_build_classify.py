"""The inverse map: random stackings, noise, origins, wrapping, supercells, foreign structures."""

import numpy as np
import pytest

from simkit.build import (
    ROOT3,
    Block,
    Heights,
    Stack,
    bulk,
    candidate_sites,
    classify,
    harvest,
    intergrowth,
    label,
    orthogonal,
    prototype,
    same_cyclic,
)
from simkit.errors import InputError
from simkit.structure import Structure

HEIGHTS = Heights(2.9, 2.0, {"P2": 3.55, "P3": 3.55, "O3": 3.2, "O1": 3.2, "O2": 3.2})


@pytest.mark.parametrize(
    "repeats", [(1, 1), (3, 3), (2, 5), ROOT3, orthogonal(3, 2), ((1, 1), (-1, 2)), ((3, 1), (-1, 3))]
)
def test_built_cells_read_back_letter_by_letter(repeats):
    for blocks in (
        [Block("P2", 4), Block("O3", 6)],
        [Block("O3", 1), Block("P3", 1)],
        [Block("O2", 2), Block("P2", 2)],
    ):
        model = intergrowth(blocks, repeats)
        found = classify(model.structure)
        assert found.stack == model.stack
        assert np.array_equal(found.slab_of, model.structure.layers)
        assert np.array_equal(found.gallery_of, model.structure.tags["gallery"])
        assert found.order_parameter == pytest.approx(1.0, abs=1e-9)


def test_numbering_follows_the_layers_a_structure_carries():
    model = intergrowth([Block("P2", 4), Block("O3", 6)], (2, 2))
    s = model.structure
    raised = s.moved_to(((s.positions + np.array([0, 0, 17.0])) @ np.linalg.inv(s.cell) % 1.0) @ s.cell)
    found = classify(raised)
    assert np.array_equal(found.slab_of, s.layers)
    assert found.stack.gaps() == model.stack.gaps()
    bare = classify(Structure(raised.numbers, raised.positions, raised.cell))
    assert same_cyclic(bare.stack.gaps(), model.stack.gaps())
    assert not np.array_equal(bare.slab_of, s.layers)


def test_harvest_measures_what_was_built():
    heights = Heights(2.93, 1.97, {"P2": 3.61, "O2": 3.15})
    model = bulk(Block("OP4", 4, {"Mn": 1.0}, heights=heights), (2, 3))
    read = harvest(model.structure)
    assert read.a_A == pytest.approx(2.93, abs=1e-12)
    assert read.slab_A == pytest.approx(1.97, abs=1e-12)
    assert dict(read.galleries_A) == pytest.approx({"P2": 3.61, "O2": 3.15}, abs=1e-12)


def test_label_writes_the_tags_the_builder_writes():
    model = intergrowth(
        [Block("P2", 4, {"Ni": 1 / 3, "Mn": 2 / 3}, content=2 / 3), Block("O3", 6, {"Ni": 0.5, "Mn": 0.5})]
    )
    s = model.structure
    named = label(Structure(s.numbers, s.positions, s.cell))
    assert np.array_equal(named.layers, s.layers)
    for column in ("gallery", "phase", "site", "block"):
        assert np.array_equal(named.tags[column], s.tags[column]), column


def test_sites_read_from_coordinates_are_those_of_the_builder():
    model = bulk(Block("P2", 2, content=0.5), (4, 4))
    s = model.structure
    read = candidate_sites(s)
    order = [
        np.lexsort((*np.round((x.positions @ np.linalg.inv(s.cell) + 1e-6) % 1.0, 4).T,)) for x in (read, model.sites)
    ]
    step = (read.positions[order[0]] - model.sites.positions[order[1]]) @ np.linalg.inv(s.cell)
    assert np.abs(step - np.round(step)).max() < 1e-9
    for column in ("gallery", "kind", "atom"):
        assert np.array_equal(getattr(read, column)[order[0]], getattr(model.sites, column)[order[1]]), column


def test_a_lithium_in_the_slab_counts_as_slab_metal():
    model = bulk(Block("O3", 3, {"Li": 1 / 9, "Mn": 8 / 9}, content=2 / 3), (3, 3))
    s = model.structure
    found = classify(Structure(s.numbers, s.positions, s.cell))
    assert np.array_equal(found.slab_of, s.layers)


NOT_LAYERED = {
    "aluminium": Structure([13] * 4, np.array([[0, 0, 0], [0, 2, 2], [2, 0, 2], [2, 2, 0.0]]), np.eye(3) * 4.05),
    "rock-salt": Structure(
        [28] * 4 + [8] * 4,
        2.09 * np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]),
        np.eye(3) * 4.18,
    ),
    "on its side": Structure([25, 8, 8], [[0, 0, 0], [1.0, 1.6, 0], [-1.0, -1.6, 0]], np.diag([5.2, 2.9, 2.5])),
}


@pytest.mark.parametrize("name", NOT_LAYERED)
def test_what_is_not_layered_is_refused(name):
    with pytest.raises(InputError, match=r"not layered|not a layered|not a stack"):
        classify(NOT_LAYERED[name])


def test_prismatic_metals_are_refused_or_marked():
    ideal = prototype(Stack.from_string("AB"), HEIGHTS, ())
    shifted = ideal.positions.copy()
    shifted[2, :2] = shifted[0, :2]
    found = classify(ideal.moved_to(shifted))
    # both octahedral readings of a prism miss by one letter in three: |2 + exp(4 pi i / 3)| / 3
    assert found.order_parameter[0] == pytest.approx(np.sqrt(3) / 3, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_a_hot_cell_is_read_slabs_adrift_and_ions_molten(seed):
    """Like a frame of molecular dynamics: hot atoms, drifting slabs, a strained cell, ions all over their galleries."""
    rng = np.random.default_rng(seed)
    model = intergrowth([Block("P2", 4), Block("O3", 3), Block("P3", 2)], (5, 4))
    s = model.structure
    positions = s.positions + rng.normal(0, 0.3, (len(s), 3)) * [1, 1, 0.7]
    for j in range(len(model.stack)):
        positions[s.layers == j, :2] += rng.normal(0, 0.15, 2)
    ions = s.layers < 0
    positions[ions, :2] += rng.random((ions.sum(), 2)) * 20
    positions[ions, 2] += rng.uniform(-0.6, 0.6, ions.sum())
    cell = s.cell @ (np.eye(3) + rng.normal(0, 0.015, (3, 3)))
    hot = s.moved_to(positions).strained_to(cell)
    found = classify(hot)
    assert found.stack.gaps() == model.stack.gaps()
    assert np.array_equal(found.slab_of, s.layers)
    # <exp(i G r)> of 0.3 A per component at |G| = 2.5 / A falls to exp(-0.28)
    assert 0.6 < found.order_parameter.min() < 0.9
