"""SOAP over the weights of a MACE: matrices are found, the library's steps are taken, states go on."""

import copy

import numpy as np
import pytest
import torch
from pytorch_optimizer import SOAP
from small_mace import small_mace

from simkit.potential.mace_soap import EVERY, LARGEST, UnfoldedSOAP, matrices, soap

LR = 1e-2


def test_every_flat_layer_of_a_mace_is_seen_as_its_matrices():
    model = small_mace()
    shapes = matrices(model)
    layers = {name: shapes[id(p)] for name, p in model.named_parameters() if id(p) in shapes}
    for name, p in model.named_parameters():
        if p.ndim == 1:
            assert np.prod(layers[name]) == p.numel()
    assert layers["interactions.0.linear_up.weight"] == (16, 16)
    assert layers["interactions.0.linear.weight"] == (3, 16, 16)  # one for each degree of the harmonics
    assert layers["interactions.1.skip_tp.weight"] == (16, 3, 16)  # into every species
    assert layers["readouts.0.linear.weight"] == (16,)


def quadratic(matrix, rows=6, columns=4):
    """A weight (24,) that is a matrix (6, 4), and a loss with one scale of curvature along each of its directions."""
    left, right = (
        torch.linalg.qr(torch.randn(n, n, dtype=torch.float64, generator=matrix))[0] for n in (rows, columns)
    )
    steep = torch.logspace(0, 2, rows, dtype=torch.float64)[:, None] * torch.logspace(
        0, 1, columns, dtype=torch.float64
    )
    return lambda w: 0.5 * (steep * (left.T @ w.view(rows, columns) @ right) ** 2).sum()


def learnt(optimiser, weight, loss, steps):
    for _ in range(steps):
        optimiser.zero_grad()
        loss(weight).backward()
        optimiser.step()
    return weight.detach().clone()


def begun(seed=0):
    return torch.nn.Parameter(torch.randn(24, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)))


def test_a_flat_weight_goes_where_the_library_takes_its_matrix():
    loss = quadratic(torch.Generator().manual_seed(1))
    flat = begun()
    matrix = torch.nn.Parameter(flat.detach().clone().view(6, 4))
    ours = UnfoldedSOAP([{"params": [flat], "weight_decay": 0.0}], {id(flat): (6, 4)}, LR)
    theirs = SOAP(
        [{"params": [matrix], "weight_decay": 0.0}], lr=LR, max_precondition_dim=LARGEST, precondition_frequency=EVERY
    )
    start = flat.detach().clone()
    found = learnt(ours, flat, loss, 3 * EVERY)
    assert not torch.equal(found, start)
    torch.testing.assert_close(found.view(6, 4), learnt(theirs, matrix, loss, 3 * EVERY), rtol=0, atol=1e-12)


def test_a_stopped_optimiser_goes_on_bit_for_bit():
    loss = quadratic(torch.Generator().manual_seed(1))
    whole, half = begun(), begun()
    make = lambda w: UnfoldedSOAP([{"params": [w], "weight_decay": 1e-3}], {id(w): (6, 4)}, LR)  # noqa: E731
    expected = learnt(make(whole), whole, loss, 4 * EVERY)
    first = make(half)
    learnt(first, half, loss, 2 * EVERY + 3)
    state = copy.deepcopy(first.state_dict())
    rest = torch.nn.Parameter(half.detach().clone())
    second = make(rest)
    second.load_state_dict(state)
    assert torch.equal(learnt(second, rest, loss, 2 * EVERY - 3), expected)


def test_weights_without_a_gradient_stay_and_gradients_are_forgotten():
    model = small_mace(channels=4)
    named = dict(model.named_parameters())
    optimiser = soap(model, [{"params": list(named.values()), "weight_decay": 0.0}], LR)
    before = {name: p.detach().clone() for name, p in named.items()}
    for _ in range(3):
        optimiser.zero_grad()
        assert all(p.grad is None for p in named.values())
        (named["interactions.0.linear.weight"] ** 2).sum().backward()
        optimiser.step()
    moved = {name for name, p in named.items() if not torch.equal(p, before[name])}
    assert moved == {"interactions.0.linear.weight"}


@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_side_with_a_basis_is_stated(sign):
    weight = torch.nn.Parameter(torch.ones(2 * (LARGEST + sign)))
    optimiser = UnfoldedSOAP([{"params": [weight], "weight_decay": 0.0}], {id(weight): (2, LARGEST + sign)}, LR)
    learnt(optimiser, weight, lambda w: (w**2).sum(), 2)
    (state,) = optimiser.state.values()
    assert [len(part) for part in state["GG"]] == [2, 0 if sign > 0 else LARGEST - 1]
