"""Training a scalar MACE with simkit's kernels in the places that are limited by memory, not by arithmetic.

e3nn's convolution stores arrays of edges times channels times harmonics, and mace's contraction to scalars multiplies
with tensors that are mostly zeros; both again for the forces and again for the loss of the forces. The kernels of
`simkit.kernels.convolution` and `contraction` do neither. The radial network is a function of one distance: it is
evaluated at even steps and interpolated, not evaluated at every edge. The weights and their names stay mace's, and so
do the numbers: to rounding, and with the table as `fuse` says.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from simkit.errors import InputError, SimkitError
from simkit.kernels.contraction import Terms
from simkit.kernels.convolution import incoming
from simkit.kernels.interpolation import POINTS
from simkit.potential.mace_backend import MACE_BLOCKS, o3
from simkit.potential.mace_fused_functions import Contract, Convolve, Interpolate

PROBED = 7
"""Atoms on which a part is compared with the one that it replaces, one edge each."""
PARITY = {torch.float32: 1e-5, torch.float64: 1e-12}
"""Largest difference over largest value: some hundred products of numbers of order 1, added in another order."""
GRADIENT_ERROR = 1e-4
"""Largest difference of a weight's gradient over its norm at which a training starts; float64 gives 1e-7."""
STEPS = 256
"""Steps of the radial table from 0 to the cutoff. Measured for forces over the largest: 1e-7 in float64; in float32
1e-5, which is rounding of values over a step and grows with the number of steps. Halving it makes the 1e-7 a 4e-6.
A long training makes radial functions that bend more; they may want more steps."""
NOTHING = 1e-12
"""Elements of coupling tensors of order 1 that are smaller are zero."""


class StandIn(torch.nn.Module):
    """Computes what `plain` does, by `compute(plain, *arguments)`.

    It owns nothing: weights, buffers and submodules are those of `plain`, shared, so that names in a state and moves
    to another type are the same. It is not pickled: `unfuse` first.
    """

    def __init__(self, plain: torch.nn.Module, compute: Callable[..., Tensor]) -> None:
        super().__init__()
        self.__dict__["plain"] = plain  # not a submodule: its names must not get a prefix
        self._parameters, self._buffers, self._modules = plain._parameters, plain._buffers, plain._modules
        self.compute = compute

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["plain"], name)  # what mace reads of it

    def forward(self, *arguments: Tensor) -> Any:
        return self.compute(self.plain, *arguments)

    def __deepcopy__(self, memo: dict[int, Any]) -> StandIn:
        return StandIn(copy.deepcopy(self.plain, memo), self.compute)

    def __reduce__(self) -> NoReturn:
        raise InputError("a fused model is not saved: files hold mace's own modules; call `unfuse` first.")


def convolution(
    plain: torch.nn.Module, node_feats: Tensor, edge_attrs: Tensor, tp_weights: Tensor, edge_index: Tensor
) -> Tensor:
    """Messages (n, k (max_l + 1)^2) of features (n, k), harmonics, radial weights and (sender, receiver) (2, e)."""
    del plain  # it has no weights
    edges = incoming(edge_index[0].numpy(), edge_index[1].numpy(), len(node_feats))
    return Convolve.apply(tp_weights, node_feats, edge_attrs, edges)


def contraction(plain: torch.nn.Module) -> Callable[..., Tensor]:
    """The function (plain, sums (n, k, rows), one-hot species (n, s)) -> (n, k) of a symmetric contraction to scalars.

    Like monomials are added up once; what they weigh is computed from the weights each time, differentiably.
    """
    factors, paths = [], []
    for nu in range(1, plain.contractions[0].correlation + 1):
        coupling = plain.contractions[0].U_tensors(nu).double().numpy()
        where = np.argwhere(np.abs(coupling).max(axis=-1) > NOTHING)
        monomials, owner = np.unique(np.sort(where, axis=1), axis=0, return_inverse=True)
        rows = np.zeros((len(monomials), coupling.shape[-1]))
        np.add.at(rows, owner.reshape(-1), coupling[tuple(where.T)])
        factors.append(np.pad(monomials, ((0, 0), (0, 3 - nu)), constant_values=-1))
        paths.append(torch.tensor(rows))
    table = np.concatenate(factors).astype(np.int64)

    def compute(plain: torch.nn.Module, sums: Tensor, species: Tensor) -> Tensor:
        part = plain.contractions[0]
        weights = [*reversed(part.weights), part.weights_max]
        parts = [torch.einsum("tp,spk->stk", u.to(w.dtype), w) for u, w in zip(paths, weights, strict=True)]
        return Contract.apply(sums, torch.cat(parts, dim=1), Terms(table, species.argmax(dim=1).numpy()))

    return compute


def distances(plain: torch.nn.Module, lengths: Tensor, *others: Tensor) -> tuple[Tensor, None]:
    """What edges tell the radial networks when these are tabulated: their lengths (e, 1), A."""
    del plain, others
    return lengths, None


def tabulated(radial: torch.nn.Module, cutoff_A: float, steps: int) -> Callable[..., Tensor]:
    """The function (network, lengths (e, 1)) -> radial weights (e, .) through a table of the network's values.

    radial makes of lengths what the network takes. The table begins just below the shortest edge.
    """
    step = cutoff_A / steps

    def compute(network: torch.nn.Module, lengths: Tensor) -> Tensor:
        shortest = float(lengths.detach().min()) if len(lengths) else cutoff_A
        rows = min(max(int((cutoff_A - shortest) / step) + POINTS, POINTS), steps)
        grid = cutoff_A - step * torch.arange(rows - 1, -1, -1, dtype=torch.float64)
        features, _ = radial(grid[:, None].to(lengths.dtype), None, None, None)
        return Interpolate.apply((lengths[:, 0] - float(grid[0])) / step, network(features))

    return compute


def fuse(model: torch.nn.Module, steps: int = STEPS) -> torch.nn.Module:
    """The model with convolutions, contractions and radial networks replaced, in place. `unfuse` undoes it.

    steps: of the table of radial networks, which changes forces by about 1e-7 of the largest in float64 and 1e-5 in
    float32; 0 for none.
    Species are read as one-hot vectors, as mace makes them. Raises InputError, with the model as it was, when it is
    of another kind: why, and what does qualify.
    """
    layers = list(zip(model.interactions, model.products, strict=True))
    fused = [(_convolution_of(interaction), _contraction_of(product)) for interaction, product in layers]
    if steps:
        _tabulate(model, steps)
    for (interaction, product), (summing, multiplying) in zip(layers, fused, strict=True):
        interaction.conv_tp, product.symmetric_contractions = summing, multiplying
        interaction.conv_fusion = True  # mace hands over the edges and takes sums when this exists
    return model


def unfuse(model: torch.nn.Module) -> torch.nn.Module:
    """The model with mace's own parts again, in place; a model that has them stays as it is."""
    for name, module in list(model.named_modules()):
        for part, child in list(module._modules.items()):
            if isinstance(child, StandIn):
                setattr(model.get_submodule(name), part, child.plain)
    for interaction in model.interactions:
        if hasattr(interaction, "conv_fusion"):
            del interaction.conv_fusion
    return model


def _tabulate(model: torch.nn.Module, steps: int) -> None:
    radial = model.radial_embedding
    if hasattr(radial, "distance_transform") or not getattr(radial, "apply_cutoff", True):
        _refuse("its radial functions depend on more than the distance")
    for interaction in model.interactions:
        table = tabulated(radial, float(model.r_max), steps)
        interaction.conv_tp_weights = StandIn(interaction.conv_tp_weights, table)
    model.radial_embedding = StandIn(radial, distances)


def check_gradients(model: torch.nn.Module, loss: Callable[[torch.nn.Module], Tensor], steps: int = STEPS) -> float:
    """Compare the gradients of a loss of a model as `fuse` makes it, weight by weight, with those of mace's modules.

    Returns the largest difference over the norm of the weight's gradient; the model is unfused before and after.
    Raises SimkitError when it exceeds `GRADIENT_ERROR`.
    """
    right = _gradients(model, loss)
    found, errors = _gradients(fuse(model, steps), loss), {"": 0.0}
    unfuse(model)
    for name, value in right.items():
        difference = float((found[name] - value).norm())
        errors[name] = difference / max(float(value.norm()), torch.finfo(value.dtype).tiny)
    broken = [f"{name} by {error:.1g}" for name, error in errors.items() if not error < GRADIENT_ERROR]
    if broken:
        raise SimkitError(
            f"simkit's kernels change gradients of the loss: {'; '.join(broken)} of their norm, where "
            f"{GRADIENT_ERROR} is allowed. Train with fused = false."
        )
    return max(errors.values())


def _gradients(model: torch.nn.Module, loss: Callable[[torch.nn.Module], Tensor]) -> dict[str, Tensor]:
    """Gradients of the loss with respect to every weight it depends on; the model keeps none."""
    weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    found = torch.autograd.grad(loss(model), list(weights.values()), allow_unused=True)
    return {name: value for name, value in zip(weights, found, strict=True) if value is not None}


def _convolution_of(interaction: torch.nn.Module) -> StandIn:
    """What replaces the tensor product of an interaction. Raises InputError when nothing does."""
    plain, weight = interaction.conv_tp, next(interaction.parameters())
    reasons = {
        f"the interaction is a {type(interaction).__name__}": type(interaction)
        not in (MACE_BLOCKS["plain"], MACE_BLOCKS["residual"]),
        "the convolution is fused already": hasattr(interaction, "conv_fusion"),
        f"the convolution is a {type(plain).__name__}, not e3nn's TensorProduct": type(plain) is not o3.TensorProduct,
        "the model is not on the CPU": weight.device.type != "cpu",
    }
    _refuse_any(reasons)
    channels, ones = plain.irreps_in1.dim, o3.Irreps.spherical_harmonics(plain.irreps_in2.lmax)
    made = o3.Irreps([(channels, ir) for _, ir in ones])
    reasons = {
        f"the features that atoms send are {plain.irreps_in1}, not scalars only": plain.irreps_in1
        != o3.Irreps(f"{channels}x0e"),
        f"the convolution makes {plain.irreps_out} with {plain.irreps_in2}": (plain.irreps_in2, plain.irreps_out)
        != (ones, made)
        or plain.weight_numel != channels * len(ones),
    }
    _refuse_any(reasons)
    features, harmonics, radial = _random(weight.dtype, channels, plain.irreps_in2.dim, plain.weight_numel)
    itself = torch.arange(PROBED)
    expected = plain(features, harmonics, radial)
    _compare("convolution", expected, convolution(plain, features, harmonics, radial, torch.stack([itself, itself])))
    return StandIn(plain, convolution)


def _contraction_of(product: torch.nn.Module) -> StandIn:
    """What replaces the symmetric contraction of a product. Raises InputError when nothing does."""
    plain = product.symmetric_contractions
    if type(plain) is not MACE_BLOCKS["contraction"]:
        _refuse(f"the contraction is a {type(plain).__name__}, not mace's SymmetricContraction")
    channels, rows = plain.irreps_in.count("0e"), sum(ir.dim for _, ir in plain.irreps_in)
    if plain.irreps_out != o3.Irreps(f"{channels}x0e") or plain.contractions[0].correlation > 3:
        _refuse(f"its products are {plain.irreps_out} of order {plain.contractions[0].correlation}, not scalars of 1-3")
    compute, weights = contraction(plain), plain.contractions[0].weights_max
    (sums,) = _random(weights.dtype, channels * rows)
    sums, species = sums.reshape(PROBED, channels, rows), torch.eye(len(weights), dtype=weights.dtype)
    species = species[torch.arange(PROBED) % len(species)]
    _compare("contraction", plain(sums, species), compute(plain, sums, species))
    return StandIn(plain, compute)


def _refuse_any(reasons: dict[str, bool]) -> None:
    for why, true in reasons.items():
        if true:
            _refuse(why)


def _refuse(why: str) -> NoReturn:
    raise InputError(
        f"this model cannot be trained through simkit's kernels: {why}. They take MACE models with scalar features "
        "(hidden irreps such as 32x0e), agnostic interaction blocks and products of order 1 to 3 on the CPU; others "
        "train with fused = false."
    )


def _random(dtype: torch.dtype, *sizes: int) -> Iterator[Tensor]:
    random = torch.Generator().manual_seed(0)
    return (torch.randn(PROBED, size, generator=random, dtype=dtype) for size in sizes)


def _compare(name: str, expected: Tensor, found: Tensor) -> None:
    """Refuse a part that weighs its paths otherwise than the plain sum of products."""
    error = float((found - expected).detach().abs().max() / expected.detach().abs().max())
    if not error < PARITY[expected.dtype]:
        _refuse(f"its {name} differs from the plain sum of products by {error:.1g} of the largest")
