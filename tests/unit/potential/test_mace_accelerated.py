"""Other programs for the weights of a MACE: named when they are missing, refused when they disagree."""

import numpy as np
import pytest
import torch
from conformance import layered
from scalar_mace import Shape, scalar_mace
from small_mace import small_mace

from simkit import potential
from simkit.errors import InputError, SimkitError
from simkit.potential import mace_accelerated
from simkit.potential.mace import MACEPotential, Place
from simkit.potential.mace_backend import MACE, o3
from simkit.structure import Batch

CPU = torch.device("cpu")
CARD = potential.Card("m", "mace", "random")


def made(backend, dtype=torch.float64, module=None, **more):
    return MACEPotential(module or small_mace(), CARD, Place(CPU, dtype, backend=backend, **more))


@pytest.fixture(scope="module")
def safe(tmp_path_factory):
    path = tmp_path_factory.mktemp("mace") / "m"
    potential.save_safe(small_mace(), path, CARD)
    return f"simkit:{path}"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("backend=cueqq", "did you mean 'cueq'"),
        ("graphs=yes", "graphs 'yes' is unknown"),
        ("neighbours=gpu", "neighbours 'gpu' is unknown"),
        ("backnd=cueq", "did you mean 'backend'"),
        ("graphs=on", "records CUDA graphs, and the device is cpu"),
        ("backend=compile&path=fused", "backend=compile is an option of path=torch"),
        ("neighbours=device&path=fused", "neighbours=device is an option of path=torch"),
        ("backend=oeq", "openequivariance"),
    ],
)
def test_words_that_make_no_sense_are_named(safe, options, says):
    with pytest.raises(SimkitError, match=says):
        potential.load(f"{safe}?{options}", device="cpu")


def test_options_of_the_spec_reach_the_model(safe):
    p = potential.load(f"{safe}?neighbours=device", device="cpu", dtype="float64")
    plain = potential.load(f"{safe}?path=torch", device="cpu", dtype="float64")
    assert (p.path, p.path_reason) == ("torch", "neighbours=device was asked for")
    assert (p.steps is not None, plain.steps is None) == (True, True)
    a, b = (each.evaluate([layered()])[0] for each in (p, plain))
    np.testing.assert_allclose(a.forces, b.forces, atol=1e-9)
    assert potential.load(safe, device="cpu").means == "simkit's kernels"


@pytest.mark.parametrize("backend", ["cueq", "oeq"])
def test_a_backend_that_is_not_installed_says_what_to_install(backend, monkeypatch):
    monkeypatch.setattr(mace_accelerated, "find_spec", lambda name: None)
    with pytest.raises(SimkitError, match=rf"'{backend}' needs .* not installed here: pip install .*backend=plain"):
        made(backend)


def test_on_cuda_the_slow_fallback_of_cuequivariance_is_not_taken_for_its_kernels(monkeypatch):
    monkeypatch.setattr(mace_accelerated, "find_spec", lambda name: None if "ops" in name else "there")
    mace_accelerated.check_installed("cueq", CPU)
    with pytest.raises(SimkitError, match="needs cuequivariance_ops_torch,"):
        mace_accelerated.check_installed("cueq", torch.device("cuda"))


class Off(torch.nn.Module):
    """Another program that is not quite the same."""

    def __init__(self, module, by):
        super().__init__()
        self.inner, self.by = module, by

    def forward(self, data, compute_force):
        out = self.inner(data, compute_force=compute_force)
        return {**out, "node_energy": self.by * out["node_energy"]}


@pytest.mark.parametrize("neighbours", ["host", "device"])
@pytest.mark.parametrize("by", [1.001, float("nan")])
def test_a_backend_that_disagrees_is_refused_with_the_numbers(by, neighbours, monkeypatch):
    monkeypatch.setitem(mace_accelerated.MAKERS, "compile", lambda module, device: Off(module, by))
    with pytest.raises(SimkitError, match=r"backend=compile .* disagree on this MACE model by \S+ eV/A.* is allowed"):
        made("compile", neighbours=neighbours)
    monkeypatch.setitem(mace_accelerated.MAKERS, "compile", lambda module, device: Off(module, 1.0))
    assert made("compile", neighbours=neighbours).means.startswith("backend=compile")


def test_a_converter_or_a_first_run_that_fails_is_named_and_nothing_takes_its_place(monkeypatch):
    def failing(module, device):
        raise NotImplementedError("correlation 7")

    class Late(Off):
        def forward(self, data, compute_force):
            raise RuntimeError("no compiler\nlong story")

    monkeypatch.setitem(mace_accelerated.MAKERS, "compile", failing)
    with pytest.raises(SimkitError, match=r"'compile' could not take this model \(NotImplementedError: correlation 7"):
        made("compile")
    monkeypatch.setitem(mace_accelerated.MAKERS, "compile", lambda module, device: Late(module, 1.0))
    with pytest.raises(SimkitError, match=r"'compile' failed in its first run \(RuntimeError: no compiler\)"):
        made("compile")


def test_a_model_without_scale_and_shift_is_refused():
    inner = scalar_mace(Shape())
    inner.__class__ = MACE
    with pytest.raises(InputError, match="takes a ScaleShiftMACE"):
        mace_accelerated.module_for("compile", inner, CPU)


def held_to_plain(backend, module, dtype):
    """A backend on structures other than that of its gate."""
    limit = {torch.float64: 1e-6, torch.float32: 1e-4}[dtype]
    s = layered(seed=4)
    batch = Batch.of([s, s.repeated(2, 1, 1), s.take([0, 3, 5])])
    ours = made(backend, dtype, module()).evaluate_batch(batch, virials=True)
    theirs = MACEPotential(module(), CARD, Place(CPU, torch.float64, path="torch")).evaluate_batch(batch, virials=True)
    scale = max(1.0, np.abs(theirs.forces).max())
    atoms = np.bincount(theirs.system_of)
    assert (np.abs(ours.energy - theirs.energy) / atoms).max() < 0.1 * limit * scale
    assert np.abs(ours.forces - theirs.forces).max() < limit * scale
    assert np.abs(ours.virials - theirs.virials).max() < 10 * limit * scale


def equivariant():
    return scalar_mace(Shape(correlation=3), hidden_irreps=o3.Irreps("4x0e+4x1o"))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("module", [small_mace, equivariant])
def test_cuequivariance_says_what_mace_says(module, dtype):
    pytest.importorskip("cuequivariance_torch")
    held_to_plain("cueq", module, dtype)


@pytest.mark.slow
def test_a_compiled_model_says_what_mace_says():
    held_to_plain("compile", small_mace, torch.float32)
