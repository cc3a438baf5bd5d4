"""Build -> classify: 1,000 seeded random stackings with noise, and properties over stackings, cells and seeds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkit.build import Block, Heights, Stack, bulk, classify, intergrowth, prototype, same_cyclic
from simkit.build.plane import area, lattice_points
from simkit.build.stacking import flipped
from simkit.structure import Structure

HEIGHTS = Heights(2.9, 2.0, {"P2": 3.55, "P3": 3.55, "O3": 3.2, "O1": 3.2, "O2": 3.2})
KINDS = (("e", "ef", "oct"), (), ("f", "fe", "oct"))
NAMES = ("O3", "P3", "O1", "P2", "O2u", "O2l")
FLIPS = ("P2", "O2u", "O2l")


def random_gaps(rng):
    """1 to 12 gap names with an even number of sense flips; letters need not close (sheared cells)."""
    gaps = [str(g) for g in rng.choice(NAMES, rng.integers(1, 13))]
    if sum(g in FLIPS for g in gaps) % 2:
        gaps.append(str(rng.choice(FLIPS)))
    return gaps


def random_supercell(rng, least, most):
    """A 2 x 2 integer matrix of positive determinant between least and most, skewed at random."""
    while True:
        matrix = rng.integers(-3, 5, (2, 2))
        if least <= area(matrix) <= most and (matrix[0] @ [[2, -1], [-1, 2]] @ matrix[0]) <= 40:
            return matrix


def in_supercell(ideal, matrix):
    """The ideal primitive cell repeated over an in-plane supercell, its images listed by lattice point."""
    points = lattice_points(matrix) @ ideal.cell[:2]
    positions = (ideal.positions[None] + points[:, None]).reshape(-1, 3)
    cell = np.vstack([matrix @ ideal.cell[:2], ideal.cell[2]])
    return Structure(np.tile(ideal.numbers, len(points)), positions, cell)


def disguised(structure, rng, step):
    """Displaced, moved to another origin, turned in space, atoms shuffled and wrapped, no layers and no tags."""
    moved = structure.positions + step + rng.normal(size=3) * 5
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turn = q * np.sign(np.linalg.det(q))
    wrapped = (moved @ np.linalg.inv(structure.cell) % 1.0) @ structure.cell
    order = rng.permutation(len(structure))
    return Structure(structure.numbers[order], (wrapped @ turn)[order], structure.cell @ turn)


@pytest.mark.parametrize("noise", ["length", "gaussian"])
def test_a_thousand_random_stackings_survive_noise_of_0_2_angstrom(noise):
    rng = np.random.default_rng({"length": 1, "gaussian": 2}[noise])
    # with Gaussian noise of 0.2 A per component a layer needs a few atoms to average over
    least = 1 if noise == "length" else 4
    for k in range(500):
        gaps = random_gaps(rng)
        ideal = in_supercell(prototype(Stack.from_gaps(gaps), HEIGHTS, KINDS[k % 3]), random_supercell(rng, least, 16))
        step = rng.normal(size=(len(ideal), 3))
        scale = 0.2 / np.linalg.norm(step, axis=1)[:, None] if noise == "length" else 0.2
        found = classify(disguised(ideal, rng, step * scale))
        assert same_cyclic(found.stack.gaps(), gaps), (noise, k)
        # the area of the cell is untouched by noise
        assert found.a_A == pytest.approx(2.9, abs=1e-9)
        assert np.bincount(found.slab_of[found.slab_of >= 0]).tolist() == [3 * found.layering.sites] * len(gaps)


gap_lists = st.lists(st.sampled_from(NAMES), min_size=1, max_size=9).map(
    lambda gaps: gaps + ["P2"] * (sum(g in FLIPS for g in gaps) % 2)
)
seeds = st.integers(0, 2**31 - 1)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(gap_lists, seeds)
def test_upside_down_cells_read_back_reversed_and_flipped(gaps, seed):
    rng = np.random.default_rng(seed)
    ideal = in_supercell(prototype(Stack.from_gaps(gaps), HEIGHTS, ()), random_supercell(rng, 1, 8))
    turn = np.diag([1.0, -1.0, -1.0])
    cell = ideal.cell @ turn * np.array([[1], [1], [-1]])
    turned = Structure(ideal.numbers, ideal.positions @ turn, cell[[1, 0, 2]] if np.linalg.det(cell) < 0 else cell)
    assert same_cyclic(classify(turned).stack.gaps(), [flipped(g) for g in gaps][::-1])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(gap_lists, seeds, st.sampled_from([1, -1]))
def test_gliding_one_gallery_changes_that_gallery_alone(gaps, seed, g):
    stack = Stack.from_gaps(gaps)
    j = seed % len(gaps)
    glided = stack.glide(j, g)
    after = classify(disguised(prototype(glided, HEIGHTS, ()), np.random.default_rng(seed), 0.0)).stack.gaps()
    assert same_cyclic(after, glided.gaps())
    assert [a for i, a in enumerate(glided.gaps()) if i != j] == [a for i, a in enumerate(gaps) if i != j]
    assert glided.gap(j) != gaps[j]


PAIRS = st.tuples(st.sampled_from(["P2", "O3", "P3", "O1"]), st.sampled_from(["P2", "O3", "P3", "O1"]))
CONTENTS = st.sampled_from([0.25, 1 / 3, 0.5, 2 / 3, 0.75, 1.0])


@settings(max_examples=40, deadline=None, derandomize=True)
@given(PAIRS, st.tuples(CONTENTS, CONTENTS), st.sampled_from([0.25, 1 / 3, 0.5, 0.75]), seeds)
def test_counts_are_exact_whatever_the_seed(phases, contents, nickel, seed):
    metals = {"Mn": nickel, "Co": 1 - nickel}
    blocks = [Block(p, 2, metals, content=x) for p, x in zip(phases, contents, strict=True)]
    model = intergrowth(blocks, (6, 4), seed=seed, max_strain_percent=10.0)
    s = model.structure
    for k, x in enumerate(contents):
        mine = s.tags["block"] == k
        metal = mine & (s.tags["site"] == "TM")
        assert metal.sum() == 48
        assert abs((s.numbers[metal] == 25).sum() - 48 * nickel) <= 0.5
        # the slab under a gallery belongs to that gallery's block, so 2 galleries hold 48 x ions
        assert abs((mine & (s.tags["gallery"] >= 0)).sum() - 48 * x) <= 0.5
    assert (s.numbers == 8).sum() == 192
    assert same_cyclic(classify(s).stack.gaps(), model.stack.gaps())


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.sampled_from(["P2", "O3", "P3"]), CONTENTS, seeds)
def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_atoms(phase, content, seed):
    block = Block(phase, 2, {"Ni": 0.5, "Mn": 0.5}, content=content)
    first, again = (bulk(block, (4, 6), seed=seed).structure for _ in range(2))
    assert first.positions.tobytes() == again.positions.tobytes()
    assert first.numbers.tobytes() == again.numbers.tobytes()
    other = bulk(block, (4, 6), seed=seed + 1).structure
    assert other.numbers.tobytes() != first.numbers.tobytes()
