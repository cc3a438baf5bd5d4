"""Which octahedra and tetrahedra a spinel variant fills: the pyrochlore lattice, its translations, its closure."""

import numpy as np
import pytest

from simkit.build import Block, Everywhere, bulk, domains, space_group
from simkit.build.plane import HEXAGONAL, LETTER, repeat_matrix
from simkit.build.shapes.decoration import Domain
from simkit.build.shapes.oxygen_lattice import (
    closure_problems,
    is_kagome,
    octahedron_integers,
    period_vectors,
    spinel_octahedra,
    spinel_tetrahedra,
    variant_origin,
)
from simkit.build.stacking import Stack
from simkit.errors import InputError

SHEETS = np.stack(np.meshgrid(range(-4, 5), range(-4, 5), range(-4, 5), indexing="ij"), -1).reshape(-1, 3)
STEP = np.array([*(LETTER @ HEXAGONAL), np.sqrt(2.0 / 3.0)])
BASIS = np.array([STEP, [*HEXAGONAL[0], 0.0], [*HEXAGONAL[1], 0.0]])
"""Cartesian vectors of one sheet up and of the two in-plane steps, nearest neighbours at distance 1."""
NEIGHBOURS = SHEETS[np.isclose(np.linalg.norm(SHEETS @ BASIS, axis=1), 1.0)]


def test_every_filled_octahedron_has_six_filled_neighbours_of_twelve():
    """16d and 16c are two interpenetrating pyrochlore lattices: six neighbours of the own kind, six of the other."""
    assert len(NEIGHBOURS) == 12
    for variant in range(8):
        own = spinel_octahedra(SHEETS, variant)
        around = spinel_octahedra(SHEETS[:, None] + NEIGHBOURS, variant)
        assert (around[own].sum(axis=1) == 6).all()
        assert (around[~own].sum(axis=1) == 6).all()


def test_filled_octahedra_form_tetrahedra_not_layers():
    """Pyrochlore and not the layered order: filled neighbours of one site span three directions, as two tetrahedra."""
    own = NEIGHBOURS[spinel_octahedra(NEIGHBOURS + variant_origin(0), 0)] @ BASIS
    assert np.linalg.matrix_rank(own, tol=1e-6) == 3
    assert np.allclose(own.sum(axis=0), 0)


def test_variants_are_the_eight_translations():
    patterns = [spinel_octahedra(SHEETS, v) for v in range(8)]
    assert len({p.tobytes() for p in patterns}) == 8
    for v, pattern in enumerate(patterns):
        shift = variant_origin(v) - variant_origin(0)
        assert np.array_equal(spinel_octahedra(SHEETS - shift, 0), pattern)
    assert (np.sum(patterns, axis=0) == 4).all()


def test_tetrahedral_cations_touch_no_filled_octahedron():
    up = np.array([(0, 0, 0), (1, 0, 0), (1, -0, -1), (1, -1, -1)])
    assert np.allclose(np.linalg.norm((up[1:] - up[0]) @ BASIS, axis=1), 1)
    for variant in range(8):
        base = SHEETS[spinel_tetrahedra(SHEETS, variant)]
        for faces in (up, -up):
            assert not spinel_octahedra(base[:, None] + faces, variant).any()
        others = SHEETS[~spinel_tetrahedra(SHEETS, variant)]
        assert spinel_octahedra(others[:, None] + up, variant).any(axis=1).all()


def test_kagome_sheets_hold_three_of_four():
    for variant in range(8):
        filled, kagome = spinel_octahedra(SHEETS[SHEETS[:, 1:].min(axis=1) >= -3], variant), None
        sheets = SHEETS[SHEETS[:, 1:].min(axis=1) >= -3]
        kagome = is_kagome(sheets[:, 0], variant)
        assert filled[kagome].mean() == 0.75
        assert filled[~kagome].mean() == 0.25
        assert is_kagome(0, variant) == (variant < 4)


def test_integers_number_the_sites_of_a_built_cell():
    stack, matrix = Stack.from_gaps(["O3"] * 3), repeat_matrix((2, 2))
    vectors = period_vectors(stack, matrix)
    height = 6 * np.sqrt(2.0 / 3.0)
    assert np.allclose(vectors @ BASIS, [[2, 0, 0], [*(2 * HEXAGONAL[1]), 0], [0, 0, height]])
    points = (np.arange(6)[:, None] + 2) * (LETTER @ HEXAGONAL) + HEXAGONAL[0]
    found = octahedron_integers(stack, np.arange(6), points, HEXAGONAL)
    assert np.array_equal(found, [(k, 1, 0) for k in range(6)])


@pytest.mark.parametrize("slabs", [1, 2, 3, 4, 5, 6])
def test_the_period_closes_for_multiples_of_three_slabs_only(slabs):
    vectors = period_vectors(Stack.from_gaps(["O3"] * slabs), repeat_matrix((2, 2)))
    assert bool(closure_problems(vectors, (False, False, True))) == (slabs % 3 != 0)
    assert closure_problems(vectors, (True, True, False)) == []


def test_odd_repeats_and_unknown_variants_are_refused():
    spinel = Block("spinel", 3, {"Mn": 1}, tetrahedral={"Li": 1})
    with pytest.raises(InputError, match="even repeats"):
        domains(Block("O3", 3, {"Mn": 1}), [Domain(spinel, Everywhere())], (3, 4))
    with pytest.raises(InputError, match="variant 8"):
        spinel_octahedra(SHEETS, 8)


@pytest.mark.parametrize("variant", range(8))
def test_every_variant_is_the_spinel_and_the_one_a_stack_builds(variant):
    """Fd-3m by spglib, and atom for atom the cell that the stack builder makes by its own rules."""
    spinel = Block("spinel", 3, {"Mn": 1}, tetrahedral={"Mg": 1}, variant=variant)
    mine = domains(Block("O3", 3, {"Mn": 1}), [Domain(spinel, Everywhere())], (2, 2)).structure
    assert space_group(mine) == ("Fd-3m", 227)
    stack = bulk(spinel, (2, 2)).structure
    assert np.allclose(mine.cell, stack.cell)
    assert rows(mine) == rows(stack)


def rows(structure):
    """Element and fractional position of every atom, folded and rounded to 1e-4 (positions agree to rounding)."""
    folded = np.round(structure.fractional % 1.0, 4) % 1.0
    return sorted((int(z), *map(float, x)) for z, x in zip(structure.numbers, folded, strict=True))
