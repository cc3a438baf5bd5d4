"""One block of messages of CHGNet and its derivative on the CPU: matrix products by torch, the rest by kernels.

The same functions as `chgnet_device`, which the tests hold them to.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from simkit.kernels import gates
from simkit.potential.chgnet_records import WIDTH, Hidden, Layer, Rows, Sources

CORE, GATE = slice(0, WIDTH), slice(WIDTH, None)


def sum_forward(sources: Sources, weights: Tensor, rows: Rows, layer: Layer, out: tuple[Tensor, ...]) -> None:
    """See `chgnet_device.sum_forward`."""
    x, z, total = out
    _assemble(sources, rows, layer, x)
    _product(functional.silu(x), layer.hidden, z)
    normed, sigmoid = _normed(z, layer)
    gates.gated_into(normed, sigmoid, (_array(weights), _array(rows.weight)), _array(total), _array(rows.first))


def sum_backward(
    kept: tuple[Tensor, ...], weights: Tensor, rows: Rows, layer: Layer, into: list[Tensor | None]
) -> None:
    """See `chgnet_device.sum_backward`."""
    x, z, gradient = kept
    parts = _normed(z, layer)
    g = np.empty((len(x), WIDTH), dtype=parts[0].dtype)
    table = (_array(weights), _array(rows.weight), _array(into[3]))
    gates.weigh_gradient(parts, _array(gradient), _array(rows.first), table, g)
    dz = _gate_backward(z, parts, layer, g)
    dx = torch.empty_like(x)
    for half, columns in enumerate((CORE, GATE)):
        torch.mm(dz[:, columns], layer.hidden.weight[half].T, out=dx[:, columns])
    dx = torch.ops.aten.silu_backward(dx, x)
    _scatter(dx, rows, into)
    if into[4] is not None:
        torch.mm(dx, layer.feature.T, out=into[4])


def step_forward(sources: Sources, rows: Rows, layer: Layer, out: tuple[Tensor, Tensor]) -> None:
    """See `chgnet_device.step_forward`."""
    x, features = out
    _assemble(sources, rows, layer, x)
    normed, sigmoid = _normed(x, layer)
    gates.gated_plus(normed, sigmoid, _array(sources.feature), _array(features))


def step_backward(kept: tuple[Tensor, Tensor], rows: Rows, layer: Layer, into: list[Tensor | None]) -> None:
    """See `chgnet_device.step_backward`."""
    x, gradient = kept
    dx = _gate_backward(x, _normed(x, layer), layer, _array(gradient))
    _scatter(dx, rows, into)
    torch.addmm(gradient, dx, layer.feature.T, out=into[4])


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().numpy()


def _assemble(sources: Sources, rows: Rows, layer: Layer, x: Tensor) -> None:
    if sources.feature is None:
        x.zero_()
    else:
        torch.mm(sources.feature, layer.feature, out=x)
    tables = [t for t in (sources.first, sources.second, sources.third) if t is not None]
    indices = [t for t in (rows.first, rows.second, rows.third) if t is not None]
    gates.gather_add(_array(x), tuple(map(_array, tables)), tuple(map(_array, indices)))


def _product(h: Tensor, hidden: Hidden, out: Tensor) -> None:
    for half, columns in enumerate((CORE, GATE)):
        torch.addmm(hidden.bias[columns], h[:, columns], hidden.weight[half], out=out[:, columns])


def _normed(z: Tensor, layer: Layer) -> tuple[np.ndarray, np.ndarray]:
    """Normalised rows and their sigmoid."""
    y = torch.empty_like(z)
    gates.normalise(_array(z), _array(layer.gate.weight), _array(layer.gate.bias), _array(y))
    return _array(y), _array(torch.sigmoid(y))


def _gate_backward(z: Tensor, parts: tuple[np.ndarray, np.ndarray], layer: Layer, gradient: np.ndarray) -> Tensor:
    out = torch.empty_like(z)
    gates.gated_backward(_array(z), parts, _array(layer.gate.weight), gradient, _array(out))
    return out


def _scatter(dx: Tensor, rows: Rows, into: list[Tensor | None]) -> None:
    pairs = zip(into, (rows.first, rows.second, rows.third), strict=False)
    used = [(_array(table), _array(index)) for table, index in pairs if table is not None]
    gates.scatter_add(_array(dx), tuple(t for t, _ in used), tuple(i for _, i in used))
