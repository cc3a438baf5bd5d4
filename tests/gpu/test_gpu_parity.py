"""The GPU must say what the CPU says."""

import warnings

import numpy as np
import pytest
import torch
from conformance import Tolerance, a_batch_is_its_structures_one_by_one, layered
from small_mace import small_mace

from simkit import potential

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device here"),
]
LIMITS = {"float64": (1e-9, 1e-8, 1e-9), "float32": (1e-5, 1e-4, 1e-5)}
"""eV/atom, eV/A, eV/A^3: other orders of summation in that precision."""


@pytest.fixture(scope="module")
def safe_mace(tmp_path_factory):
    path = tmp_path_factory.mktemp("mace") / "m"
    potential.save_safe(small_mace(), path, potential.Card("small", "mace", "random weights"))
    return f"simkit:{path}"


def structures():
    return [layered(seed=1), layered(seed=2).repeated(2, 2, 1), layered(seed=3).repeated(3, 1, 2)]


def same_on_both(spec, dtype):
    energy, force, stress = LIMITS[dtype]
    cpu, gpu = (
        potential.load(spec, device=d, dtype=dtype).evaluate(structures(), virials=True) for d in ("cpu", "cuda")
    )
    for a, b in zip(cpu, gpu, strict=True):
        assert abs(a.energy - b.energy) / len(a.forces) < energy
        assert np.abs(a.forces - b.forces).max() < force
        assert np.abs(a.stress - b.stress).max() < stress
        assert np.abs(a.virials - b.virials).max() < 10 * force  # force x distance


@pytest.mark.parametrize("dtype", LIMITS)
@pytest.mark.parametrize("spec", ["chgnet", "chgnet+d3"])
def test_chgnet_on_the_gpu_is_chgnet_on_the_cpu(spec, dtype):
    same_on_both(spec, dtype)


@pytest.mark.parametrize("dtype", LIMITS)
def test_mace_on_the_gpu_is_mace_on_the_cpu(safe_mace, dtype):
    same_on_both(safe_mace, dtype)


def test_a_batch_on_the_gpu_is_its_structures_one_by_one(safe_mace):
    tolerance = Tolerance(energy=1e-9, force=1e-8, stress=1e-9)
    for spec in ("chgnet", safe_mace):
        p = potential.load(spec, device="cuda", dtype="float64")
        a_batch_is_its_structures_one_by_one(p, structures(), tolerance)


def test_the_card_names_the_device():
    assert potential.load("chgnet", device="cuda").card.device == "cuda:0"
    assert potential.load("chgnet", device="auto").card.device == "cuda:0"


def test_one_evaluation_synchronises_once():
    """Only the read-back may wait for the device."""
    p = potential.load("chgnet", device="cuda")
    s = structures()
    p.evaluate(s)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            p.evaluate(s)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    assert len([w for w in caught if "called a synchronizing" in str(w.message)]) == 1
