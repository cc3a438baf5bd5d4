"""Sliding: one fault per cell, what each mode holds, and the periodicity of the surface."""

import numpy as np
import pytest
from solve_toys import A0, Morse

from simkit import solve
from simkit.errors import InputError
from simkit.structure import Structure

MORSE = Morse()
B = A0 / np.sqrt(2)
A1, A2 = np.array([B, 0, 0]), np.array([B / 2, B * np.sqrt(3) / 2, 0])
PARTIAL = (A1 + A2) / 3


def stack(layers=6):
    """fcc along (111), one atom per layer, layers as slabs."""
    d = A0 / np.sqrt(3)
    x = np.array([k % 3 * PARTIAL + [0, 0, k * d] for k in range(layers)])
    return Structure(np.full(layers, 13), x, np.array([A1, A2, [0, 0, layers * d]]), layers=np.arange(layers))


S = stack()
UPPER = (np.arange(6) >= 3).astype(float)


def test_one_fault_and_nothing_at_the_top():
    """Sliding by a lattice vector gives the perfect crystal back; by a partial, one fault and no surface."""
    points = solve.slide(S, UPPER, [0 * A1, A1, PARTIAL], MORSE)
    e = [p.energy_eV for p in points]
    # the tilted cell is another basis of the same lattice: rounding only
    assert e[1] == pytest.approx(e[0], abs=1e-10)
    # Morse pairs hardly tell fcc from hcp; a surface would cost about 1 eV
    assert 1e-5 < abs(e[2] - e[0]) < 0.1
    assert points[0].area_A2 == pytest.approx(B * B * np.sqrt(3) / 2)
    np.testing.assert_allclose(points[2].structure.cell[2] - S.cell[2], PARTIAL)
    assert all(p.converged for p in points) and points[2].outcome.evaluations == 1


def test_the_place_of_the_fault_does_not_matter():
    low = (np.arange(6) >= 1).astype(float)
    a, b = (solve.slide(S, w, [0.5 * A1], MORSE)[0].energy_eV for w in (UPPER, low))
    assert a == pytest.approx(b, abs=1e-10)


def test_normal_moves_only_along_the_normal():
    t = 0.5 * A1
    rigid = solve.slide(S, UPPER, [t], MORSE)[0]
    none, point = solve.slide(S, UPPER, [0 * t, t], MORSE, "normal")
    assert point.converged and point.energy_eV < rigid.energy_eV - 1e-3
    moved = point.structure.positions - rigid.structure.positions
    np.testing.assert_allclose(moved[:, :2], 0.0, atol=1e-12)
    np.testing.assert_allclose((point.structure.cell - rigid.structure.cell)[:, :2], 0.0, atol=1e-12)
    # atoms on top of atoms push the slabs apart
    assert point.structure.cell[2, 2] > none.structure.cell[2, 2] + 0.05


def wide():
    """2 x 2 cells in the plane, with one ion per gallery taken as layer -1, all rattled."""
    s = S.repeated(2, 2, 1)
    layers = s.layers.copy()
    layers[[0, 9]] = -1
    rattle = np.random.default_rng(0).normal(0, 0.05, (len(s), 3))
    return s.moved_to(s.positions + rattle).with_layers(layers)


def test_held_keeps_each_slab_centroid_and_frees_the_ions():
    s = wide()
    weights = (s.positions[:, 2] > 2.5 * A0 / np.sqrt(3)).astype(float)
    t = 0.4 * PARTIAL
    point = solve.slide(s, weights, [t], MORSE, "held")[0]
    assert point.converged
    before = s.positions + weights[:, None] * t
    moved = (point.structure.positions - before)[:, :2]
    for slab in range(6):
        np.testing.assert_allclose(moved[s.layers == slab].mean(axis=0), 0.0, atol=1e-12)
    assert np.abs(moved[s.layers == 0]).max() > 0.005 and np.abs(moved[s.layers == -1]).min() > 1e-4
    np.testing.assert_allclose((point.structure.cell[2] - s.cell[2])[:2], t[:2], atol=1e-12)
    rigid, normal = (solve.slide(s, weights, [t], MORSE, m)[0].energy_eV for m in ("rigid", "normal"))
    assert point.energy_eV < normal < rigid


def test_points_of_one_call_are_as_one_by_one():
    vectors = np.linspace(0, 1, 4)[:, None] * PARTIAL
    together = solve.slide(S, UPPER, vectors, MORSE, "normal")
    for t, p in zip(vectors, together, strict=True):
        assert solve.slide(S, UPPER, t, MORSE, "normal")[0].energy_eV == pytest.approx(p.energy_eV, abs=1e-10)
        np.testing.assert_array_equal(p.vector_A, t)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"mode": "rigd"}, "did you mean 'rigid'"),
        ({"weights": np.ones(5)}, "weights has shape"),
        ({"vectors_A": [[0, 0, 1.0]]}, "leaves the plane"),
        ({"vectors_A": [[0, 1.0]]}, "vectors_A has shape"),
        ({"mode": "held", "structure": S.with_layers(np.full(6, -1))}, "needs slabs"),
        (
            {"structure": Structure(S.numbers, S.positions @ np.eye(3)[[1, 2, 0]], S.cell @ np.eye(3)[[1, 2, 0]])},
            "xy",
        ),
    ],
)
def test_bad_slides_are_refused(change, words):
    request = {"structure": S, "weights": UPPER, "vectors_A": [0 * A1], "potential": MORSE}
    with pytest.raises(InputError, match=words):
        solve.slide(**{**request, **change})
