"""One block of messages of CHGNet and its derivative in torch operations, for any device."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from simkit.potential.chgnet_records import WIDTH, Gate, Hidden, Layer, Rows, Sources

aten = torch.ops.aten
EPSILON = 1e-5
"""Of torch.nn.LayerNorm."""


def sum_forward(sources: Sources, weights: Tensor, rows: Rows, layer: Layer, out: tuple[Tensor, ...]) -> None:
    """Fill x and z (rows, 128) and add the weighed messages to total: out = x, z, total."""
    x, z, total = out
    _hidden(_assemble(sources, rows, layer, x), layer.hidden, z)
    core, opened = _gated(_normed(z, layer.gate)[0])
    total.index_add_(0, rows.first, core.mul_(opened).mul_(weights.index_select(0, rows.weight)))


def sum_backward(
    kept: tuple[Tensor, ...], weights: Tensor, rows: Rows, layer: Layer, into: list[Tensor | None]
) -> None:
    """Add to into = first, second, third, weights and write into[4], features; kept = x, z, gradient of total."""
    x, z, gradient = kept
    y, mean, scale = _normed(z, layer.gate)
    core, opened = _gated(y)
    g = gradient.index_select(0, rows.first)
    into[3].index_add_(0, rows.weight, core.mul(opened).mul_(g))
    g.mul_(weights.index_select(0, rows.weight))
    dz = _gated_backward(g, z, layer.gate, (y, mean, scale, core, opened))
    dx = _hidden_backward(dz, x, layer.hidden)
    _scatter(dx, rows, into)
    if into[4] is not None:
        torch.mm(dx, layer.feature.T, out=into[4])


def step_forward(sources: Sources, rows: Rows, layer: Layer, out: tuple[Tensor, Tensor]) -> None:
    """Fill x (rows, 128) and the stepped features: out = x, features."""
    x, features = out
    _assemble(sources, rows, layer, x)
    core, opened = _gated(_normed(x, layer.gate)[0])
    torch.addcmul(sources.feature, core, opened, out=features)


def step_backward(kept: tuple[Tensor, Tensor], rows: Rows, layer: Layer, into: list[Tensor | None]) -> None:
    """Add to into = first, second, None, None and write into[4], features; kept = x and gradient of features."""
    x, gradient = kept
    y, mean, scale = _normed(x, layer.gate)
    dx = _gated_backward(gradient, x, layer.gate, (y, mean, scale, *_gated(y)))
    _scatter(dx, rows, into)
    torch.addmm(gradient, dx, layer.feature.T, out=into[4])


def _assemble(sources: Sources, rows: Rows, layer: Layer, out: Tensor) -> Tensor:
    """Sum of the mapped parts of each message."""
    x = torch.index_select(sources.first, 0, rows.first, out=out)
    x += sources.second.index_select(0, rows.second)
    if sources.third is not None:
        x += sources.third.index_select(0, rows.third)
    if sources.feature is not None:
        x.addmm_(sources.feature, layer.feature)
    return x


def _hidden(x: Tensor, hidden: Hidden, out: Tensor) -> Tensor:
    h = functional.silu(x)
    for half, columns in enumerate((slice(0, WIDTH), slice(WIDTH, None))):
        torch.addmm(hidden.bias[columns], h[:, columns], hidden.weight[half], out=out[:, columns])
    return out


def _hidden_backward(gradient: Tensor, x: Tensor, hidden: Hidden) -> Tensor:
    g = torch.empty_like(x)
    for half, columns in enumerate((slice(0, WIDTH), slice(WIDTH, None))):
        torch.mm(gradient[:, columns], hidden.weight[half].T, out=g[:, columns])
    return aten.silu_backward(g, x)


def _normed(z: Tensor, gate: Gate) -> tuple[Tensor, Tensor, Tensor]:
    normed, mean, scale = torch.native_layer_norm(z.view(-1, WIDTH), (WIDTH,), None, None, EPSILON)
    return torch.addcmul(gate.bias, normed.view(-1, 2 * WIDTH), gate.weight), mean, scale


def _gated(y: Tensor) -> tuple[Tensor, Tensor]:
    return functional.silu(y[:, :WIDTH]), torch.sigmoid(y[:, WIDTH:])


def _gated_backward(gradient: Tensor, z: Tensor, gate: Gate, parts: tuple[Tensor, ...]) -> Tensor:
    """d/dz of sum(gradient * core * open)."""
    y, mean, scale, core, opened = parts
    g = torch.empty_like(z)
    torch.mul(aten.silu_backward(gradient * opened, y[:, :WIDTH]), gate.weight[:WIDTH], out=g[:, :WIDTH])
    torch.mul(aten.sigmoid_backward(gradient * core, opened), gate.weight[WIDTH:], out=g[:, WIDTH:])
    keep = (True, False, False)
    rows = aten.native_layer_norm_backward(
        g.view(-1, WIDTH), z.view(-1, WIDTH), (WIDTH,), mean, scale, None, None, keep
    )
    return rows[0].view(-1, 2 * WIDTH)


def _scatter(dx: Tensor, rows: Rows, into: list[Tensor | None]) -> None:
    """Add the derivative of each message to those of the tables."""
    for table, index in zip(into, (rows.first, rows.second, rows.third), strict=False):
        if table is not None:
            table.index_add_(0, index, dx)
