"""Training a scalar MACE with simkit's convolution: mace's own modules, but for the one that is limited by memory.

e3nn's convolution stores arrays of edges times channels times harmonics, and again for the forces and again for the
loss of the forces. The kernels of `simkit.kernels.convolution` store none. The weights, their names and the numbers
stay mace's.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from simkit.errors import InputError, SimkitError
from simkit.kernels.convolution import (
    Factors,
    Incoming,
    convolve,
    convolve_backward,
    convolve_double_backward,
    incoming,
)
from simkit.potential.mace_backend import MACE_BLOCKS, o3

PROBED = 7
"""Edges on which a convolution is compared with the one that it replaces."""
PARITY = {torch.float32: 1e-5, torch.float64: 1e-12}
"""Largest difference over largest value: sums of one product each differ by rounding only."""

GRADIENT_ERROR = 1e-4
"""Largest difference of a weight's gradient over its norm at which a training starts; float32 gives 1e-7."""


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
    """The derivatives of `Convolve`, which the loss of the forces differentiates again."""

    @staticmethod
    def forward(
        ctx: Any, gradient: Tensor, radial: Tensor, features: Tensor, harmonics: Tensor, edges: Incoming
    ) -> tuple[Tensor, ...]:
        ctx.save_for_backward(gradient, radial, features, harmonics)
        ctx.edges = edges
        found = factors(radial, features, harmonics).empty()
        convolve_backward(edges, factors(radial, features, harmonics), array(gradient), found)
        return tensors(found)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *given: Tensor) -> tuple[Tensor | None, ...]:
        gradient, *inputs = ctx.saved_tensors
        found, by_gradient = factors(*inputs).empty(), torch.empty_like(gradient, memory_format=torch.contiguous_format)
        into = (found, by_gradient.numpy())
        convolve_double_backward(ctx.edges, factors(*inputs), array(gradient), factors(*given), into)
        return by_gradient, *tensors(found), None


def array(tensor: Tensor) -> Any:
    """The tensor's memory as a NumPy array, rows laid end to end."""
    return tensor.detach().contiguous().numpy()


def factors(radial: Tensor, features: Tensor, harmonics: Tensor) -> Factors:
    """Radial weights come as mace has them: for each edge a row of (l, k)."""
    return Factors(array(radial).reshape(len(radial), -1, features.shape[1]), array(features), array(harmonics))


def tensors(found: Factors) -> tuple[Tensor, Tensor, Tensor]:
    """Factors as `Convolve` takes them."""
    radial, features, harmonics = (torch.from_numpy(part) for part in found.arrays())
    return radial.reshape(len(radial), -1), features, harmonics


class FusedConvolution(torch.nn.Module):
    """Stands in for the tensor product `plain` of an interaction, and sums over the edges too.

    It has no weights; buffers and submodules are those of `plain`, shared, so that names in a state and moves to
    another type are the same. It is not pickled: `unfuse` first.
    """

    def __init__(self, plain: torch.nn.Module) -> None:
        super().__init__()
        self.__dict__["plain"] = plain  # not a submodule: its names must not get a prefix
        self._buffers, self._modules = plain._buffers, plain._modules
        self.weight_numel = plain.weight_numel

    def forward(self, node_feats: Tensor, edge_attrs: Tensor, tp_weights: Tensor, edge_index: Tensor) -> Tensor:
        """Messages (n, k (max_l + 1)^2) of features (n, k), harmonics, radial weights and (sender, receiver) (2, e)."""
        edges = incoming(edge_index[0].numpy(), edge_index[1].numpy(), len(node_feats))
        return Convolve.apply(tp_weights, node_feats, edge_attrs, edges)

    def __deepcopy__(self, memo: dict[int, Any]) -> FusedConvolution:
        return FusedConvolution(copy.deepcopy(self.plain, memo))

    def __reduce__(self) -> NoReturn:
        raise InputError("a fused model is not saved: files hold mace's own modules; call `unfuse` first.")


def fuse(model: torch.nn.Module) -> torch.nn.Module:
    """The model with the convolution of every interaction replaced, in place. `unfuse` undoes it.

    Raises InputError, with the model as it was, when an interaction is of another kind: why, and what does qualify.
    """
    fused = [FusedConvolution(_qualified(interaction)) for interaction in model.interactions]
    for interaction, convolution in zip(model.interactions, fused, strict=True):
        interaction.conv_tp = convolution
        interaction.conv_fusion = True  # mace hands over the edges and takes sums when this exists
    return model


def unfuse(model: torch.nn.Module) -> torch.nn.Module:
    """The model with mace's own convolutions again, in place; a model that has them stays as it is."""
    for interaction in model.interactions:
        if isinstance(interaction.conv_tp, FusedConvolution):
            interaction.conv_tp = interaction.conv_tp.plain
            del interaction.conv_fusion
    return model


def check_gradients(model: torch.nn.Module, loss: Callable[[torch.nn.Module], Tensor]) -> float:
    """Compare the gradients of a loss of a fused model, weight by weight, with those through mace's own modules.

    Returns the largest difference over the norm of the weight's gradient; the model is fused after as before.
    Raises SimkitError, with the model unfused, when it exceeds `GRADIENT_ERROR`.
    """
    found = _gradients(model, loss)
    errors = {"": 0.0}
    for name, value in _gradients(unfuse(model), loss).items():
        difference = float((found[name] - value).norm())
        errors[name] = difference / max(float(value.norm()), torch.finfo(value.dtype).tiny)
    broken = [f"{name} by {error:.1g}" for name, error in errors.items() if not error < GRADIENT_ERROR]
    if broken:
        raise SimkitError(
            f"the fused convolution changes gradients of the loss: {'; '.join(broken)} of their norm, where "
            f"{GRADIENT_ERROR} is allowed. Train with fused = false."
        )
    fuse(model)
    return max(errors.values())


def _gradients(model: torch.nn.Module, loss: Callable[[torch.nn.Module], Tensor]) -> dict[str, Tensor]:
    """Gradients of the loss with respect to every weight it depends on; the model keeps none."""
    weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    found = torch.autograd.grad(loss(model), list(weights.values()), allow_unused=True)
    return {name: value for name, value in zip(weights, found, strict=True) if value is not None}


def _qualified(interaction: torch.nn.Module) -> torch.nn.Module:
    """The tensor product of an interaction that can be replaced. Raises InputError."""
    plain = interaction.conv_tp
    if type(interaction) not in (MACE_BLOCKS["plain"], MACE_BLOCKS["residual"]):
        _refuse(f"the interaction is a {type(interaction).__name__}")
    if hasattr(interaction, "conv_fusion"):
        _refuse("the convolution is fused already")
    if type(plain) is not o3.TensorProduct:
        _refuse(f"the convolution is a {type(plain).__name__}, not e3nn's TensorProduct")
    if len(plain.irreps_in1) != 1 or plain.irreps_in1[0].ir != o3.Irrep("0e"):
        _refuse(f"the features that atoms send are {plain.irreps_in1}, not scalars only")
    channels, degrees = plain.irreps_in1.dim, plain.irreps_in2.lmax
    one_each = o3.Irreps.spherical_harmonics(degrees)
    each = o3.Irreps([(channels, ir) for _, ir in one_each])
    if plain.irreps_in2 != one_each or plain.irreps_out != each or plain.weight_numel != channels * len(each):
        _refuse(f"the convolution makes {plain.irreps_out} of {plain.irreps_in1} and {plain.irreps_in2}")
    if next(interaction.parameters()).device.type != "cpu":
        _refuse("the model is not on the CPU")
    _compare(plain, next(interaction.parameters()).dtype)
    return plain


def _refuse(why: str) -> NoReturn:
    raise InputError(
        f"this model cannot be trained with the fused convolution: {why}. It takes MACE models with scalar features "
        "(hidden irreps such as 32x0e) and agnostic interaction blocks on the CPU; set fused = false for others."
    )


def _compare(plain: torch.nn.Module, dtype: torch.dtype) -> None:
    """Refuse a tensor product that weighs its paths otherwise: random numbers through both, one edge per atom."""
    random = torch.Generator().manual_seed(0)
    sizes = (plain.irreps_in1.dim, plain.irreps_in2.dim, plain.weight_numel)
    features, harmonics, radial = (torch.randn(PROBED, size, generator=random, dtype=dtype) for size in sizes)
    itself = torch.arange(PROBED).numpy()
    expected = plain(features, harmonics, radial)
    found = Convolve.apply(radial, features, harmonics, incoming(itself, itself, PROBED))
    error = float((found - expected).abs().max() / expected.abs().max())
    if not error < PARITY[dtype]:
        _refuse(f"its convolution differs from the plain sum of products by {error:.1g} of the largest")
