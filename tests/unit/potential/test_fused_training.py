"""Training through simkit's convolution: the same numbers as mace's own modules, the same names, the same files."""

import io
import logging
from copy import deepcopy

import numpy as np
import pytest
import torch
from scalar_mace import PLAIN, RESIDUAL, Shape, scalar_mace

from simkit.errors import InputError, SimkitError
from simkit.kernels.contraction import Terms
from simkit.kernels.convolution import incoming
from simkit.potential import mace_fused_training, mace_trainer
from simkit.potential.mace_backend import o3, quarantine
from simkit.potential.mace_fused_functions import Contract, Convolve, Interpolate
from simkit.potential.mace_fused_training import StandIn, check_gradients, fuse, unfuse

ATOMS = 9


def neighbourhood(seed=0):
    """A batch as mace's models take it: random atoms of three elements in a periodic box, all pairs within 5 A."""
    rng = np.random.default_rng(seed)
    positions, cell = rng.uniform(0, 5.5, (ATOMS, 3)), np.diag([5.5, 6.0, 6.5])
    shifts = np.array([(a, b, c) for a in (-1, 0, 1) for b in (-1, 0, 1) for c in (-1, 0, 1)])
    vectors = positions[None, :, None] + (shifts @ cell)[None, None] - positions[:, None, None]
    sender, receiver, image = np.nonzero(np.linalg.norm(vectors, axis=-1) < 5.0)
    keep = ~((sender == receiver) & (shifts[image] == 0).all(axis=1))
    sender, receiver, image = sender[keep], receiver[keep], image[keep]
    return {
        "positions": torch.tensor(positions),
        "node_attrs": torch.eye(3, dtype=torch.float64)[torch.arange(ATOMS) % 3],
        "edge_index": torch.tensor(np.stack([sender, receiver])),
        "shifts": torch.tensor(shifts[image] @ cell),
        "unit_shifts": torch.tensor(shifts[image], dtype=torch.float64),
        "cell": torch.tensor(cell),
        "batch": torch.zeros(ATOMS, dtype=torch.long),
        "ptr": torch.tensor([0, ATOMS]),
        "head": torch.zeros(1, dtype=torch.long),
    }


def learnt(model, dtype=torch.float64):
    """Energy, forces, stress and the gradient of a loss of all three with respect to every weight."""
    random = torch.Generator().manual_seed(1)
    model.zero_grad()
    batch = {name: x.to(dtype) if x.is_floating_point() else x for name, x in neighbourhood().items()}
    out = model(batch, training=True, compute_force=True, compute_stress=True)
    wanted = torch.randn(ATOMS, 3, generator=random, dtype=torch.float64).to(dtype)
    loss = (out["forces"] - wanted).square().mean() + out["energy"].square().sum() / 100 + out["stress"].norm()
    loss.backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    return {name: out[name].detach() for name in ("energy", "forces", "stress")} | gradients


@pytest.mark.parametrize("block", [RESIDUAL, PLAIN])
@pytest.mark.parametrize(("max_ell", "correlation"), [(1, 3), (2, 3), (3, 2)])
def test_energy_forces_and_the_gradient_of_a_loss_are_mace_s(block, max_ell, correlation):
    """1e-10 of the largest: sums of some hundred products in float64, taken in another order."""
    shape = Shape(max_ell=max_ell, correlation=correlation, interaction_cls_first=block)
    expected = learnt(scalar_mace(shape))
    found = learnt(fuse(scalar_mace(shape), steps=0))
    assert found.keys() == expected.keys()
    assert len(expected) > 20
    assert expected["forces"].abs().max() > 0.1
    for name, value in expected.items():
        assert (found[name] - value).abs().max() < 1e-10 * value.abs().max().clamp(min=1e-6), name


def test_the_error_of_a_table_falls_with_the_fifth_power_of_its_step():
    """Forces are slopes of what goes through six points: halving the step divides their error by 32, or nearly."""
    expected = learnt(scalar_mace(Shape()))
    errors = []
    for steps in (128, mace_fused_training.STEPS):
        found = learnt(fuse(scalar_mace(Shape()), steps))
        assert found.keys() == expected.keys()
        difference = max(
            float((found[name] - x).abs().max() / x.abs().max()) for name, x in expected.items() if x.any()
        )
        errors.append([difference, float((found["forces"] - expected["forces"]).abs().max())])
    assert 16 < errors[0][1] / errors[1][1] < 100
    assert errors[1][0] < 1e-5  # of gradients too; atoms as close as 1 A make the functions steeper than in a crystal


def test_single_precision_gives_the_numbers_of_double_precision():
    """Slopes of a table are differences of rounded values over a fiftieth of an A: 6e-8 * 50, some 1e-5, of values."""
    expected = learnt(scalar_mace(Shape()))
    found = learnt(fuse(scalar_mace(Shape()).float()), torch.float32)
    for name in ("energy", "forces", "stress"):
        assert (found[name] - expected[name]).abs().max() < 1e-4 * expected[name].abs().max(), name
    weights = [name for name in expected if name.endswith(("weight", "weights_max", "weights.0"))]
    assert len(weights) > 15
    for name in weights:
        assert (found[name] - expected[name]).norm() < 1e-3 * expected[name].norm().clamp(min=1e-6), name


def test_derivatives_of_first_and_second_order_are_those_of_differences():
    rng = np.random.default_rng(2)
    edges = incoming(rng.integers(0, 3, 6), rng.integers(0, 3, 6), 3)
    sizes = (6, 3 * 2), (3, 2), (6, 9)
    inputs = [torch.tensor(rng.normal(size=size), requires_grad=True) for size in sizes]
    assert torch.autograd.gradcheck(lambda *x: Convolve.apply(*x, edges), inputs)
    assert torch.autograd.gradgradcheck(lambda *x: Convolve.apply(*x, edges), inputs)
    terms = Terms(np.array([[0, -1, -1], [1, 2, -1], [0, 0, 0], [1, 1, 2]]), np.array([0, 1, 0]))
    inputs = [torch.tensor(rng.normal(size=size), requires_grad=True) for size in ((3, 2, 3), (2, 4, 2))]
    assert torch.autograd.gradcheck(lambda *x: Contract.apply(*x, terms), inputs)
    assert torch.autograd.gradgradcheck(lambda *x: Contract.apply(*x, terms), inputs)
    table = torch.tensor(rng.normal(size=(8, 3)), requires_grad=True)
    inputs = [torch.tensor([0.4, 2.6, 3.3, 6.7], dtype=torch.float64, requires_grad=True), table]
    assert torch.autograd.gradcheck(Interpolate.apply, inputs)
    assert torch.autograd.gradgradcheck(Interpolate.apply, inputs)


def mean_square(model):
    return model(neighbourhood(), training=True)["forces"].square().mean()


def test_a_training_starts_only_with_the_gradients_of_mace():
    model, loss = scalar_mace(Shape()), mean_square
    assert 1e-12 < check_gradients(model, loss) < 1e-5  # the table's error
    assert 0 < check_gradients(model, loss, 0) < 1e-12  # float64
    assert isinstance(model.interactions[1].conv_tp, o3.TensorProduct)
    with pytest.raises(SimkitError, match=r"change gradients of the loss: .*weight by 0\.00"):
        check_gradients(model, loss, 64)
    assert isinstance(model.interactions[1].conv_tp, o3.TensorProduct)


def test_a_table_that_is_too_coarse_is_refined(monkeypatch, caplog):
    model, loss = scalar_mace(Shape()), mean_square
    monkeypatch.setattr(mace_fused_training, "GRADIENT_ERROR", 1.0)
    errors = {steps: check_gradients(model, loss, steps) for steps in (64, 128, 256)}
    monkeypatch.setattr(mace_trainer, "STEPS", 64)
    monkeypatch.setattr(mace_fused_training, "GRADIENT_ERROR", (errors[64] * errors[128]) ** 0.5)
    with caplog.at_level(logging.INFO):
        assert mace_trainer.table_steps(model, loss) == (128, errors[128])
    assert "with 64 steps of the radial table are not mace's" in caplog.text
    monkeypatch.setattr(mace_fused_training, "GRADIENT_ERROR", errors[256] / 2)
    with pytest.raises(SimkitError, match="Train with fused = false"):
        mace_trainer.table_steps(model, loss)


def test_states_and_files_are_mace_s_own():
    model = scalar_mace(Shape())
    names, weights = list(model.state_dict()), {k: v.clone() for k, v in model.state_dict().items()}
    fused = fuse(model)
    assert list(fused.state_dict()) == names
    assert [type(i.conv_tp) for i in fused.interactions] == [StandIn] * 2
    fused.load_state_dict(weights)
    fused.to(torch.float32).to(torch.float64)
    with quarantine(), pytest.raises(InputError, match="call `unfuse` first"):
        torch.save(fused, io.BytesIO())
    with quarantine():
        copied = unfuse(deepcopy(fused))
        file = io.BytesIO()
        torch.save(copied, file)
        assert b"simkit" not in file.getvalue()
        file.seek(0)
        again = torch.load(file, weights_only=False)
    assert isinstance(fused.interactions[0].conv_tp, StandIn)
    assert fused.interactions[0].conv_tp_weights.hs == [8, 64, 64, 64, 24]  # mace reads shapes of what it saves
    assert [type(i.conv_tp) for i in again.interactions] == [o3.TensorProduct] * 2
    assert not any(hasattr(i, "conv_fusion") for i in again.interactions)
    batch = neighbourhood()
    torch.testing.assert_close(again(batch)["energy"], scalar_mace(Shape())(batch)["energy"], rtol=1e-6, atol=0)


def test_models_that_do_not_qualify_are_refused_with_the_reason():
    wide = scalar_mace(Shape(), hidden_irreps=o3.Irreps("8x0e+8x1o"))
    with pytest.raises(InputError, match=r"8x0e\+8x1o of order 2, not scalars"):
        fuse(wide)
    assert not any(hasattr(i, "conv_fusion") for i in wide.interactions)
    twice = fuse(scalar_mace(Shape()))
    with pytest.raises(InputError, match="fused already"):
        fuse(twice)
    bent = scalar_mace(Shape(), distance_transform="Agnesi")
    with pytest.raises(InputError, match="more than the distance"):
        fuse(bent)
    assert not any(isinstance(part, StandIn) for part in bent.modules())
    weighted = scalar_mace(Shape())
    product = weighted.interactions[0].conv_tp
    irreps = product.irreps_in1, product.irreps_in2, product.irreps_out
    paths = [(0, i, i, "uvu", True, 1.0 + i) for i in range(3)]
    with quarantine():
        weighted.interactions[0].conv_tp = o3.TensorProduct(
            *irreps, paths, irrep_normalization="norm", shared_weights=False, internal_weights=False
        ).double()
    with pytest.raises(InputError, match="differs from the plain sum"):
        fuse(weighted)
