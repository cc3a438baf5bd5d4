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
from simkit.build.stacking import GAP_RULES
from simkit.errors import InputError
from simkit.structure import Structure

HEIGHTS = Heights(2.9, 2.0, {"P2": 3.55, "P3": 3.55, "O3": 3.2, "O1": 3.2, "O2": 3.2})
KINDS = (("e", "ef", "oct"), (), ("f", "fe", "oct"))


def random_stack(rng):
    while True:
        gaps = [str(g) for g in rng.choice(list(GAP_RULES), rng.integers(1, 13))]
        if sum(GAP_RULES[g][0] < 0 for g in gaps) % 2 == 0:
            return Stack.from_gaps(gaps)


def shaken(structure, rng, step):
    """Displaced, moved to another origin, turned about an axis, and wrapped into the cell."""
    moved = structure.positions + step + rng.normal(size=3) * 5
    angle = rng.random() * 2 * np.pi
    turn = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    wrapped = (moved @ np.linalg.inv(structure.cell) % 1.0) @ structure.cell
    return Structure(structure.numbers, wrapped @ turn, structure.cell @ turn)


@pytest.mark.parametrize("noise", ["length", "gaussian"])
def test_random_stackings_survive_noise_of_0_2_angstrom(noise):
    rng = np.random.default_rng({"length": 1, "gaussian": 2}[noise])
    for k in range(320):
        stack = random_stack(rng)
        # with Gaussian noise of 0.2 A per component a layer needs a few atoms to average over
        least = 1 if noise == "length" else 2
        repeats = [int(n) for n in rng.integers(least, 5, 2)]
        ideal = prototype(stack, HEIGHTS, KINDS[k % 3]).repeated(*repeats, 1)
        step = rng.normal(size=(len(ideal), 3))
        scale = 0.2 / np.linalg.norm(step, axis=1)[:, None] if noise == "length" else 0.2
        found = classify(shaken(ideal, rng, step * scale))
        assert same_cyclic(found.stack.gaps(), stack.gaps())
        # the three wave vectors cancel uniform noise to first order
        assert np.abs(found.deviation).max() < 0.15
        assert found.a_A == pytest.approx(2.9, abs=1e-9)


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
