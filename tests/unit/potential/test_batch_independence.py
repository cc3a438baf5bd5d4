"""No number depends on the batch it is computed in, whatever potential computes it and however the batch is cut."""

import numpy as np
import pytest
import torch
from conformance import layered
from small_mace import small_mace

from simkit import potential
from simkit.potential import planner
from simkit.potential.mace import MACEPotential, Place
from simkit.structure import Batch

ENERGY_EV_PER_ATOM = {"float64": 1e-9, "float32": 1e-5}
FORCE_EV_PER_A = {"float64": 1e-8, "float32": 1e-4}
"""The forces follow from the same sums; float32 rounds forces of 1 eV/A at 1e-7 a few hundred times."""


def made(path, dtype):
    """A small MACE with random weights, by torch or by the kernels."""
    card = potential.Card("m", "mace", "random", dtype=dtype)
    return MACEPotential(small_mace(), card, Place(torch.device("cpu"), getattr(torch, dtype), path=path))


def cells():
    """A thin cell, one that leans, a supercell, a slab of one layer and a lone atom: as unlike as a batch can be."""
    s = layered()
    lean = s.cell + np.outer([0.0, 0.0, 1.0], 0.8 * s.cell[0] + 1.3 * s.cell[1])
    leaning = s.moved_to(s.fractional @ lean, lean)
    layer = s.take(np.flatnonzero(np.abs(s.fractional[:, 2] - 0.5) < 0.2))
    lone = layered("NaCoO", seed=3).take([0])
    return [s, leaning, s.repeated(2, 1, 1), layer, lone.moved_to(lone.positions, 9.0 * np.eye(3))]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("path", ["torch", "fused"])
def test_alone_together_in_another_order_and_in_parts(path, dtype, monkeypatch):
    p, given = made(path, dtype), cells()
    alone = [p.evaluate([s])[0] for s in given]
    order = [3, 0, 4, 2, 1, 0, 2]
    together = p.evaluate([given[k] for k in order])
    monkeypatch.setattr(planner, "split_by_cost", lambda cost, limit: [(k, k + 2) for k in range(0, 6, 2)] + [(6, 7)])
    parts = p.evaluate([given[k] for k in order])
    for k, *said in zip(order, together, parts, strict=True):
        for e in said:
            assert abs(e.energy - alone[k].energy) < ENERGY_EV_PER_ATOM[dtype] * len(given[k])
            np.testing.assert_allclose(e.forces, alone[k].forces, atol=FORCE_EV_PER_A[dtype])
            np.testing.assert_allclose(e.stress, alone[k].stress, atol=FORCE_EV_PER_A[dtype])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_kernels_and_torch_say_the_same_of_every_cell(dtype):
    batch = Batch.of(cells())
    a, b = (made(path, dtype).evaluate_batch(batch, virials=True) for path in ("torch", "fused"))
    # the kernels tabulate the radial functions: 1e-6 eV/A where float64 would be exact
    tolerance = {"float64": 1e-5, "float32": 1e-4}[dtype]
    np.testing.assert_allclose(a.energy, b.energy, atol=tolerance * len(batch.numbers))
    np.testing.assert_allclose(a.forces, b.forces, atol=tolerance)
    np.testing.assert_allclose(a.virials, b.virials, atol=10 * tolerance)


@pytest.mark.parametrize("spec", ["lj", "simkit:nalox"])
def test_what_is_shipped_does_not_depend_on_its_batch(spec):
    p = potential.load(spec, device="cpu", dtype="float32")
    s = layered().repeated(2, 2, 1)
    many = [s.moved_to(s.positions + 0.02 * np.random.default_rng(k).normal(size=(len(s), 3))) for k in range(3)]
    allowed = ENERGY_EV_PER_ATOM[p.card.dtype] * len(s)
    for e, one in zip(p.evaluate(many), many, strict=True):
        assert abs(e.energy - p.evaluate([one])[0].energy) < allowed
