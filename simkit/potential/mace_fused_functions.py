"""The kernels of convolution and contraction as functions that torch differentiates twice, on the CPU.

Each pair is a function and its derivative, itself a function: the forces are a derivative, and their loss needs one
of that. The third derivative is not there, and asking for it raises torch's own error.
"""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from simkit.kernels.contraction import Terms, contract, contract_backward, contract_double_backward
from simkit.kernels.convolution import Factors, Incoming, convolve, convolve_backward, convolve_double_backward
from simkit.kernels.interpolation import interpolate, interpolate_backward, interpolate_double_backward


class Convolve(torch.autograd.Function):
    """A (n, k (max_l + 1)^2) from R (e, (max_l + 1) k), h (n, k), Y (e, (max_l + 1)^2) and the sorted edges."""

    @staticmethod
    def forward(ctx: Any, radial: Tensor, features: Tensor, harmonics: Tensor, edges: Incoming) -> Tensor:
        ctx.save_for_backward(radial, features, harmonics)
        ctx.edges = edges
        out = features.new_empty(len(features), features.shape[1] * harmonics.shape[1])
        convolve(edges, factors(radial, features, harmonics), out.numpy())
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return *ConvolveBackward.apply(gradient, *ctx.saved_tensors, ctx.edges), None


class ConvolveBackward(torch.autograd.Function):
    """The derivatives of `Convolve` with respect to R, h and Y."""

    @staticmethod
    def forward(
        ctx: Any, gradient: Tensor, radial: Tensor, features: Tensor, harmonics: Tensor, edges: Incoming
    ) -> tuple[Tensor, ...]:
        ctx.save_for_backward(gradient, radial, features, harmonics)
        ctx.edges = edges
        inputs = factors(radial, features, harmonics)
        found = inputs.empty()
        convolve_backward(edges, inputs, array(gradient), found)
        return tensors(found)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *given: Tensor) -> tuple[Tensor | None, ...]:
        gradient, *inputs = ctx.saved_tensors
        parts = factors(*inputs)
        found, by_gradient = parts.empty(), gradient.new_empty(gradient.shape)
        into = (found, by_gradient.numpy())
        convolve_double_backward(ctx.edges, parts, array(gradient), factors(*given), into)
        return by_gradient, *tensors(found), None


class Contract(torch.autograd.Function):
    """P (n, k) from sums (n, k, rows), coefficients (s, t, k) and the terms."""

    @staticmethod
    def forward(ctx: Any, sums: Tensor, coefficients: Tensor, terms: Terms) -> Tensor:
        ctx.save_for_backward(sums, coefficients)
        ctx.terms = terms
        out = sums.new_empty(sums.shape[:2])
        contract(terms, array(sums), array(coefficients), out.numpy())
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return *ContractBackward.apply(gradient, *ctx.saved_tensors, ctx.terms), None


class ContractBackward(torch.autograd.Function):
    """The derivatives of `Contract` with respect to sums and coefficients."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, sums: Tensor, coefficients: Tensor, terms: Terms) -> tuple[Tensor, ...]:
        ctx.save_for_backward(gradient, sums, coefficients)
        ctx.terms = terms
        found = sums.new_empty(sums.shape), coefficients.new_empty(coefficients.shape)
        contract_backward(terms, (array(sums), array(coefficients)), array(gradient), arrays(found))
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *given: Tensor) -> tuple[Tensor | None, ...]:
        gradient, *inputs = ctx.saved_tensors
        *found, by_gradient = (part.new_empty(part.shape) for part in (*inputs, gradient))
        into = arrays((*found, by_gradient))
        contract_double_backward(ctx.terms, arrays(inputs), array(gradient), arrays(given), into)
        return by_gradient, *found, None


class Interpolate(torch.autograd.Function):
    """f (e, c) at x (e,), in steps from the first row of a table (rows, c)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, table: Tensor) -> Tensor:
        ctx.save_for_backward(x, table)
        out = table.new_empty(len(x), table.shape[1])
        interpolate(array(x), array(table), out.numpy())
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return InterpolateBackward.apply(gradient, *ctx.saved_tensors)


class InterpolateBackward(torch.autograd.Function):
    """The derivatives of `Interpolate` with respect to x and the table."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, x: Tensor, table: Tensor) -> tuple[Tensor, ...]:
        ctx.save_for_backward(gradient, x, table)
        found = x.new_empty(x.shape), table.new_empty(table.shape)
        interpolate_backward(array(x), array(table), array(gradient), arrays(found))
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *given: Tensor) -> tuple[Tensor | None, ...]:
        gradient, x, table = ctx.saved_tensors
        *found, by_gradient = (part.new_empty(part.shape) for part in (x, table, gradient))
        into = arrays((*found, by_gradient))
        interpolate_double_backward(array(x), array(table), array(gradient), arrays(given), into)
        return by_gradient, *found


def array(tensor: Tensor) -> NDArray:
    """The tensor's memory as a NumPy array, rows laid end to end."""
    return tensor.detach().contiguous().numpy()


def arrays(parts: Any) -> tuple[NDArray, ...]:
    return tuple(array(part) for part in parts)


def factors(radial: Tensor, features: Tensor, harmonics: Tensor) -> Factors:
    """Radial weights come as mace has them: for each edge a row of (l, k)."""
    degrees = radial.shape[1] // features.shape[1]
    return Factors(array(radial).reshape(len(radial), degrees, -1), array(features), array(harmonics))


def tensors(found: Factors) -> tuple[Tensor, Tensor, Tensor]:
    """Factors as `Convolve` takes them."""
    radial, features, harmonics = (torch.from_numpy(part) for part in found.arrays())
    return radial.reshape(len(radial), -1), features, harmonics
