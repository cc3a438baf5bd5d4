"""Sliding structures against gliding stacks."""

import numpy as np
import pytest

from simkit.build import ROOT3, Block, bulk, classify, intergrowth, letter_vectors, slid, slide_weights
from simkit.errors import InputError
from simkit.kernels.pair_search import find_pairs

BLOCKS = ([Block("P2", 4), Block("O3", 6)], [Block("O3", 1), Block("P3", 1)], [Block("OP4", 4), Block("O1", 1)])


@pytest.mark.parametrize("repeats", [(2, 2), (1, 3), ROOT3, ((1, 1), (-1, 2))])
def test_letter_vectors_glide_the_stack_by_one_letter(repeats):
    for blocks in BLOCKS:
        model = intergrowth(blocks, repeats)
        s = model.structure
        wrapped = s.moved_to(((s.positions + np.array([0.3, 0, 9.1])) @ np.linalg.inv(s.cell) % 1.0) @ s.cell)
        for gallery in range(len(model.stack)):
            for row, g in enumerate((1, -1)):
                for vector in letter_vectors(s, every=True)[row]:
                    assert classify(slid(s, gallery, vector)).stack == model.stack.glide(gallery, g)
                    gaps = classify(slid(wrapped, gallery, vector)).stack.gaps()
                    assert gaps == model.stack.glide(gallery, g).gaps()


def test_letter_vectors_have_the_shockley_length_and_point_along_10_10():
    model = bulk(Block("O3", 3), (3, 2))
    a = model.report.a_A
    vectors = letter_vectors(model.structure, every=True)
    assert np.linalg.norm(vectors, axis=-1) == pytest.approx(a / np.sqrt(3), abs=1e-9)
    assert np.abs(vectors[..., 2]).max() < 1e-12
    assert np.allclose(vectors[0].sum(axis=0), 0, atol=1e-9)
    assert np.allclose(letter_vectors(a), letter_vectors(model.structure), atol=1e-9)


def test_weights_are_one_above_zero_below_and_half_inside():
    model = intergrowth([Block("P2", 4), Block("O3", 6)], (2, 2))
    s = model.structure
    for gallery in range(10):
        weights = slide_weights(s, gallery)
        home = np.where(s.layers >= 0, s.layers, s.tags["gallery"])
        inside = s.tags["gallery"] == gallery
        assert np.all(weights[inside] == 0.5)
        assert np.all(weights[~inside] == (home > gallery)[~inside])


def test_sliding_changes_distances_across_one_gallery_only():
    model = intergrowth([Block("P2", 2), Block("O3", 3)], (2, 2))
    s = model.structure
    after = slid(s, 1, np.array([0.4, 0.3, 0.0]))
    home = np.where(s.layers >= 0, s.layers, s.tags["gallery"])

    def rows(structure):
        pairs = find_pairs(structure.positions, structure.positions, structure.cell, 3.0)
        return {(i, j, round(d, 6)) for i, j, d in zip(pairs.point, pairs.atom, pairs.distance, strict=True)}

    changed = rows(s) ^ rows(after)
    assert changed
    for i, j, _ in changed:
        assert {int(home[i]), int(home[j])} <= {1, 2}
        assert 1 in (s.tags["gallery"][i], s.tags["gallery"][j]) or s.layers[i] != s.layers[j]


def test_bad_requests_are_refused():
    s = bulk(Block("P2", 2), (2, 2)).structure
    with pytest.raises(InputError, match="gallery 2 does not exist"):
        slide_weights(s, 2)
    with pytest.raises(InputError, match="out of the layer plane"):
        slid(s, 0, np.array([0, 0, 1.0]))
    with pytest.raises(InputError, match="must be positive"):
        letter_vectors(-1.0)
