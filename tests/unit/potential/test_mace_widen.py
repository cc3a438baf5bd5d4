"""Models of more channels: the same answers, weights that training can tell apart, and what is refused."""

import pytest
import torch
from scalar_mace import Shape, scalar_mace
from test_fused_training import neighbourhood

from simkit import potential
from simkit.errors import InputError
from simkit.potential.mace_format import describe
from simkit.potential.mace_train import trainable
from simkit.potential.mace_widen import Width, widened

CARD = potential.Card("small", "mace", "random weights")
HAD, BESSEL = 8, 8


def batch():
    return {key: value.float() if value.is_floating_point() else value for key, value in neighbourhood().items()}


def made(shape, channels, seed=0, bessel=BESSEL):
    narrow = scalar_mace(shape).float()
    return narrow, widened(narrow, "ScaleShiftMACE", describe(narrow), Width(channels, bessel), seed)


@pytest.mark.parametrize(
    "shape",
    [Shape(), Shape(max_ell=1, correlation=1), Shape(max_ell=3, correlation=3), Shape(num_interactions=3)],
)
@pytest.mark.parametrize(("channels", "bessel"), [(HAD + 1, BESSEL), (2 * HAD, BESSEL), (HAD, 20), (HAD + 4, 9)])
def test_a_wider_model_answers_as_it_did(shape, channels, bessel):
    narrow, wide = made(shape, channels, bessel=bessel)
    assert str(wide.node_embedding.linear.irreps_out) == f"{channels}x0e"
    assert wide.radial_embedding.out_dim == bessel
    answers = [model(batch(), compute_stress=True) for model in (narrow, wide)]
    for name in ("energy", "forces", "stress", "node_energy"):
        before, after = (answer[name].detach() for answer in answers)
        assert float(before.abs().max()) > 1e-3
        torch.testing.assert_close(after, before, rtol=0, atol=3e-5 * float(before.abs().max()))


def test_copies_learn_different_things():
    _, wide = made(Shape(), 2 * HAD)
    wide.requires_grad_(True)
    wide(batch(), training=True)["forces"].square().mean().backward()
    learnt = wide.products[0].symmetric_contractions.contractions[0].weights_max.grad
    order = wide.products[0].symmetric_contractions.contractions[0].weights_max.detach()
    pairs = [(i, j) for i in range(HAD) for j in range(HAD, 2 * HAD) if torch.equal(order[..., i], order[..., j])]
    assert sorted(i for i, _ in pairs) == list(range(HAD))  # each channel has one copy
    for i, j in pairs:
        apart = float((learnt[..., i] - learnt[..., j]).norm())
        assert apart > 0.05 * float(learnt[..., i].norm())


def test_which_channels_are_copied_is_drawn_with_the_seed():
    weights = [made(Shape(), HAD + 2, seed)[1].node_embedding.linear.weight for seed in (0, 0, 1)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_a_start_is_widened_in_the_trainer(tmp_path):
    base = potential.save_safe(scalar_mace(Shape()), tmp_path / "m", CARD)
    wide = trainable(base, Width(HAD + 4, BESSEL), seed=1)
    assert str(wide.node_embedding.linear.irreps_out) == "12x0e"
    assert wide.training and all(p.requires_grad for p in wide.parameters())
    assert str(trainable(base, Width(HAD, BESSEL)).node_embedding.linear.irreps_out) == f"{HAD}x0e"


@pytest.mark.parametrize("channels", [HAD - 1, 2 * HAD + 1])
def test_a_width_that_copies_cannot_give_is_refused(channels):
    with pytest.raises(InputError, match="8 to 16 can be made"):
        made(Shape(), channels)
    with pytest.raises(InputError, match=r"8 radial functions \(bessel\) cannot be widened to 7"):
        made(Shape(), HAD, bessel=7)
