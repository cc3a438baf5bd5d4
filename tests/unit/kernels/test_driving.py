"""Loops over the atoms of a step of molecular dynamics against sums written out in NumPy."""

from itertools import pairwise

import numpy as np
import pytest

from simkit.errors import InputError
from simkit.kernels.cell_walk import frames_of, strains
from simkit.kernels.driving import (
    kicked,
    kinetic_and_largest,
    kinetic_tensors,
    largest_norm,
    rested,
    transformed,
)

RNG = np.random.default_rng(0)
STARTS = np.array([0, 4, 4, 11, 12])
N = 12
V, F = RNG.normal(size=(N, 3)), RNG.normal(size=(N, 3))
MASSES = RNG.uniform(1.0, 60.0, N)
PARTS = [slice(low, high) for low, high in pairwise(STARTS)]
ROUNDING = 1e-13
"""Sums of a dozen numbers near 1 in another order."""


def groups(of):
    of = np.array(of)
    total = np.array([MASSES[of == g].sum() for g in range(of.max() + 1)])
    return of, MASSES, total


@pytest.mark.parametrize("of", [[-1] * N, [0] * N, [0, 0, 1, 1, -1, -1, 2, 2, 2, -1, 3, 3]])
def test_centres_rest_and_nothing_else_changes(of):
    share = RNG.uniform(0.0, 0.1, N)
    rest = groups(of) if max(of) >= 0 else (np.array(of), MASSES, np.zeros(0))
    pushed = V + share[:, None] * F
    expected = pushed.copy()
    for g in range(max(of) + 1):
        mine = np.array(of) == g
        expected[mine] -= (MASSES[mine, None] * pushed[mine]).sum(0) / MASSES[mine].sum()
    before = V.copy()
    np.testing.assert_allclose(kicked(V, F, share, rest), expected, atol=ROUNDING)
    np.testing.assert_allclose(rested(pushed, rest), expected, atol=ROUNDING)
    np.testing.assert_array_equal(V, before)


def test_energies_and_lengths_are_sums_and_maxima_of_each_system():
    total, most = kinetic_and_largest(V, MASSES, STARTS)
    one = 0.5 * MASSES * (V**2).sum(1)
    np.testing.assert_allclose(total, [one[p].sum() for p in PARTS], atol=1e-11)  # energies reach 100
    np.testing.assert_allclose(most, [one[p].max(initial=0.0) for p in PARTS], rtol=1e-14)
    for origin in (None, F):
        lengths = np.linalg.norm(V - (0.0 if origin is None else F), axis=1)
        np.testing.assert_allclose(
            largest_norm(V, STARTS, origin), [lengths[p].max(initial=0.0) for p in PARTS], rtol=1e-14
        )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [4, 7, 10])
def test_what_is_no_number_is_infinite_in_its_own_system_only(bad, place):
    broken = V.copy()
    broken[place, 1] = bad
    for most in (kinetic_and_largest(broken, MASSES, STARTS)[1], largest_norm(broken, STARTS)):
        assert most[2] == np.inf and np.isfinite(most[[0, 1, 3]]).all()


def test_a_system_does_not_depend_on_its_batch():
    """Bit for bit."""
    alone = slice(4, 11)
    starts = np.array([0, 7])
    assert kinetic_and_largest(V[alone], MASSES[alone], starts)[0][0] == kinetic_and_largest(V, MASSES, STARTS)[0][2]
    np.testing.assert_array_equal(
        kinetic_tensors(V[alone], MASSES[alone], starts)[0], kinetic_tensors(V, MASSES, STARTS)[2]
    )


def test_matrices_act_on_the_rows_of_their_system():
    matrices = RNG.normal(size=(4, 3, 3))
    expected = np.concatenate([V[p] @ m for p, m in zip(PARTS, matrices, strict=True)])
    np.testing.assert_allclose(transformed(V, matrices, STARTS), expected, atol=ROUNDING)
    np.testing.assert_allclose(transformed(V, np.swapaxes(matrices, 1, 2), STARTS),
                               np.concatenate([V[p] @ m.T for p, m in zip(PARTS, matrices, strict=True)]),
                               atol=ROUNDING)  # fmt: skip
    tensors = [(V[p].T * MASSES[p]) @ V[p] for p in PARTS]
    np.testing.assert_allclose(kinetic_tensors(V, MASSES, STARTS), tensors, atol=1e-11)


def test_strains_along_modes_and_frames_of_cells():
    modes, push = RNG.normal(size=(5, 2, 3, 3)), RNG.normal(size=(5, 3, 3))
    drift, jumps = RNG.normal(size=5), RNG.normal(size=(5, 2))
    along = np.einsum("mkab,mab->mk", modes, push)
    expected = np.einsum("mk,mkab->mab", drift[:, None] * along + jumps, modes)
    np.testing.assert_allclose(strains(modes, push, drift, jumps), expected, atol=1e-12)
    cells = RNG.normal(size=(6, 3, 3))
    frames = frames_of(cells)
    np.testing.assert_allclose(frames @ np.swapaxes(frames, 1, 2), np.broadcast_to(np.eye(3), (6, 3, 3)), atol=1e-14)
    np.testing.assert_allclose(np.linalg.det(frames), 1.0, atol=1e-14)
    inside = cells @ np.swapaxes(frames, 1, 2)
    np.testing.assert_allclose(inside[:, 0, 1:], 0.0, atol=1e-14)
    np.testing.assert_allclose(inside[:, 1, 2], 0.0, atol=1e-14)
    assert (inside[:, 0, 0] > 0).all() and (inside[:, 1, 1] > 0).all()


def test_wrong_shapes_are_told():
    with pytest.raises(InputError, match=r"\(12, 3\)"):
        kinetic_and_largest(V[:5], MASSES, STARTS)
    with pytest.raises(InputError, match="wanted"):
        kicked(V, F[:, :2], MASSES, groups([0] * N))
    with pytest.raises(InputError, match="modes"):
        strains(np.zeros((2, 1, 3, 3)), np.zeros((3, 3, 3)), np.zeros(2), np.zeros((2, 1)))
    with pytest.raises(InputError, match="cells of shape"):
        frames_of(np.zeros((3, 3)))
