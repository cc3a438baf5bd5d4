"""The kernels against torch for many shapes of model, conformance, and refusals that say why."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conformance import Difference, Tolerance, derivatives, invariances, layered
from scalar_mace import MANY, PLAIN, Shape, built, scalar_mace

from simkit import potential
from simkit.errors import InputError, SimkitError
from simkit.potential.base import Evaluations
from simkit.potential.mace import MACEPotential, Place
from simkit.potential.mace_backend import interaction_classes, o3
from simkit.potential.mace_host import evaluate_on_host, read_out, shares_of
from simkit.potential.mace_host_gate import check_parity, fused_reason, gate_cell
from simkit.potential.mace_host_weights import read_model
from simkit.structure import Batch, Structure

CARD = potential.Card("scalar", "mace", "random weights")
CPU = torch.device("cpu")
PLAINEST = Shape()
SHAPES = {
    "two layers": PLAINEST,
    "as shipped, l = 3": Shape(numbers=MANY, channels=32, max_ell=3),
    "as shipped, correlation 3": Shape(numbers=MANY[:9], channels=32, correlation=3),
    "plain first": Shape(interaction_cls_first=PLAIN, channels=7),
    "plain both": Shape(interaction_cls_first=PLAIN, interaction_cls=PLAIN, max_ell=1),
    "one layer": Shape(num_interactions=1, max_ell=1, correlation=1, interaction_cls_first=PLAIN),
    "three layers": Shape(num_interactions=3, correlation=1, max_ell=1),
    "l = 3, correlation 3": Shape(max_ell=3, correlation=3, channels=4),
}


def made(shape=PLAINEST, dtype=torch.float64, path="auto", **more):
    return MACEPotential(scalar_mace(shape, **more), CARD, Place(CPU, dtype, path=path))


def species(module, batch):
    known = list(module.atomic_numbers.numpy())
    return np.array([known.index(z) for z in batch.numbers])


SLOW = ("as shipped, correlation 3", "plain both", "three layers")
"""Building a model takes a second or two; these vary what others vary too."""
MARKED = [pytest.param(shape, id=name, marks=[pytest.mark.slow] * (name in SLOW)) for name, shape in SHAPES.items()]


@pytest.mark.parametrize("shape", MARKED)
def test_agrees_with_torch_to_eight_digits(shape):
    torch_path = made(shape, path="torch")
    numbers = torch_path.module.atomic_numbers.numpy()
    skewed = [[2.8, 0, 0], [0.9, 2.9, 0], [0.1, -0.7, 3.1]]
    tiny = Structure(np.resize(numbers, 2), [[0, 0, 0], [1.4, 1.3, 1.5]], skewed)
    batch = Batch.of([gate_cell(numbers), tiny])
    host = read_model(torch_path.module, np.float64)
    ours = evaluate_on_host(host, species(torch_path.module, batch), batch, True)
    theirs = torch_path.evaluate_batch(batch, virials=True)
    scale = np.abs(theirs.forces).max()
    assert scale > 0.1  # the comparison is of something
    # the tables are right to 1e-8 of the slopes; energies follow the square of the step better
    np.testing.assert_allclose(ours.forces, theirs.forces, atol=1e-7 * scale)
    np.testing.assert_allclose(ours.energy, theirs.energy, atol=1e-8 * scale)
    np.testing.assert_allclose(ours.virials, theirs.virials, atol=1e-6 * scale)
    np.testing.assert_allclose(ours.stress, theirs.stress, atol=1e-7 * scale)


@pytest.fixture(scope="module")
def fused():
    return made(Shape(max_ell=3, correlation=3, channels=4), path="fused")


def test_the_path_is_chosen_and_said(fused):
    assert fused.path == "fused"
    assert fused.path_reason is None
    by_torch = made(path="torch")
    assert (by_torch.path, by_torch.path_reason) == ("torch", "it was asked for")
    with pytest.raises(InputError, match="did you mean 'torch'"):
        made(path="toch")


def test_conforms(fused):
    invariances(fused, layered(), Tolerance(force=1e-8, energy=1e-9, stress=1e-9))


def test_forces_and_stress_are_the_slope_of_its_own_energy(fused):
    derivatives(fused, layered(), Difference(force=1e-5, stress=1e-6))


def test_float32_keeps_forces_to_a_ten_thousandth():
    shape = SHAPES["as shipped, l = 3"]
    double, single = made(shape, path="torch"), made(shape, torch.float32)
    assert single.path == "fused"
    structure = gate_cell(double.module.atomic_numbers.numpy())
    a, b = (p.evaluate([structure])[0] for p in (double, single))
    scale = max(1.0, np.abs(a.forces).max())
    assert np.abs(a.forces - b.forces).max() < 1e-4 * scale
    assert abs(a.energy - b.energy) / len(structure) < 1e-5 * scale


def test_an_isolated_atom_has_no_forces(fused):
    alone = Structure([11, 8], [[0, 0, 0], [15, 15, 15]], np.eye(3) * 30)
    e = fused.evaluate([alone], virials=True)[0]
    np.testing.assert_array_equal(e.forces, 0)
    np.testing.assert_array_equal(e.virials, 0)
    theirs = made(Shape(max_ell=3, correlation=3, channels=4), path="torch").evaluate([alone])[0]
    assert abs(e.energy - theirs.energy) < 1e-9


def test_numbers_do_not_depend_on_threads(fused):
    structure = layered().repeated(3, 3, 2)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append(fused.evaluate([structure], virials=True)[0])
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert other.energy == results[0].energy
        np.testing.assert_array_equal(other.forces, results[0].forces)
        np.testing.assert_array_equal(other.virials, results[0].virials)


def test_shares_cover_all_atoms_once():
    starts = np.concatenate([[0], np.cumsum(np.random.default_rng(0).integers(0, 60, size=500))])
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        shares = shares_of(starts)
    finally:
        torch.set_num_threads(before)
    assert len(shares) > 2
    covered = np.concatenate([np.arange(s.start, s.stop) for s in shares])
    np.testing.assert_array_equal(covered, np.arange(500))


REFUSED = {
    "not all scalars": {"hidden_irreps": o3.Irreps("8x0e+8x1o")},
    "ZBL": {"pair_repulsion": True},
    "AgnesiTransform": {"distance_transform": "Agnesi"},
    "GaussianBasis": {"radial_type": "gaussian"},
    "SiLU": {"gate": torch.tanh},
    "l = 4": {"max_ell": 4},
    "RealAgnosticDensity": {"interaction_cls_first": interaction_classes["RealAgnosticDensityInteractionBlock"]},
    "1 readouts": {"use_last_readout_only": True},
    "heads a, b": {
        "heads": ("a", "b"),
        "atomic_energies": ((-7.0, -4.0, -1.0),) * 2,
        "atomic_inter_scale": (1.0, 1.0),
        "atomic_inter_shift": (0.0, 0.0),
    },
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_the_kernels_do_not_know_is_refused_in_words(words):
    arguments = {k: list(v) if k == "heads" else v for k, v in REFUSED[words].items()}
    assert words in fused_reason(built(Shape(channels=8), **arguments))


def test_an_unknown_model_goes_through_torch_and_says_why():
    p = made(pair_repulsion=True)
    assert p.path == "torch"
    assert "ZBL" in p.path_reason
    with pytest.raises(InputError, match=r"cannot be evaluated by simkit's kernels: it adds a ZBL"):
        made(pair_repulsion=True, path="fused")


@pytest.mark.parametrize("field", ["forces", "energy", "virials"])
def test_the_gate_refuses_what_does_not_agree(fused, field):
    def wrong(batch, virials):
        e = fused.evaluate_batch(batch, virials)
        parts = {name: np.array(getattr(e, name)) for name in ("energy", "forces", "stress", "virials")}
        parts[field].flat[0] += 1.0
        return Evaluations(**parts, system_of=e.system_of)

    numbers = fused.module.atomic_numbers.numpy()
    check_parity(fused.evaluate_batch, fused.evaluate_batch, numbers, np.float64)
    with pytest.raises(SimkitError, match="disagree"):
        check_parity(wrong, fused.evaluate_batch, numbers, np.float64)


def test_a_word_in_the_spec_takes_torch(tmp_path):
    potential.save_safe(scalar_mace(PLAINEST), tmp_path / "m", CARD)
    by_kernels, by_torch = (
        potential.load(f"simkit:{tmp_path}/m{query}", device="cpu", dtype="float64") for query in ("", "?path=torch")
    )
    assert (by_kernels.path, by_torch.path) == ("fused", "torch")
    a, b = (p.evaluate([layered()])[0] for p in (by_kernels, by_torch))
    np.testing.assert_allclose(a.forces, b.forces, atol=1e-7 * max(1.0, np.abs(b.forces).max()))


def test_the_readout_stands_features_of_any_size():
    """Trained weights reach hidden values of several hundred; silu and its slope against torch, in float32."""
    hidden = torch.tensor([[-300.0, 300.0, -1.0]], dtype=torch.float32)
    final, gain = np.array([0.5, -0.25, 2.0], dtype=np.float32), np.float32(1.7)
    layer = SimpleNamespace(readout=SimpleNamespace(hidden=hidden.numpy()[None, None], final=final, gain=gain))
    features = np.array([[1.0], [-0.01]], dtype=np.float32)
    gradient = np.empty_like(features)
    energies = read_out(layer, features, gradient)
    x = torch.tensor(features, requires_grad=True)
    wanted = (torch.nn.functional.silu(x @ hidden) * float(gain)) @ torch.tensor(final)
    wanted.sum().backward()
    np.testing.assert_allclose(energies, wanted.detach().numpy(), rtol=1e-6)
    np.testing.assert_allclose(gradient, x.grad.numpy(), rtol=1e-5)
