"""The numbers of a scalar MACE model as arrays, read by asking the module's own parts.

A model whose node features are scalars is a set of radial functions, spherical harmonics, sums over neighbours,
polynomials of those sums and linear maps. The radial functions become splines; everything else is exact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simkit.kernels.products import Polynomial
from simkit.potential.mace_backend import MACE_BLOCKS
from simkit.potential.mace_host_radial import array, read_tables


@dataclass(frozen=True, eq=False)
class Layer:
    """One interaction with its product and readout; s species or 1, c channels, l degrees.

    table (rows, l, c): spline coefficients of the radial functions
    up (1, 1, c, c), update (1, 1, c, c), skip (s, 1, c, c) or None; mixing (s, l, c, c): matrices for rows of features
    polynomial: the products of the mixed sums
    readout: how the energy is read from the features
    """

    table: NDArray
    up: NDArray
    mixing: NDArray
    polynomial: Polynomial
    update: NDArray
    skip: NDArray | None
    readout: Readout


@dataclass(frozen=True, eq=False)
class Readout:
    """E = final . act(h @ hidden) with act(x) = gain x sigmoid(x), or E = final . h where hidden is None.

    hidden (1, 1, c, w), final (w,) or (c,), both with the scale of the model included in final, eV.
    """

    hidden: NDArray | None
    final: NDArray
    gain: float


@dataclass(frozen=True, eq=False)
class HostModel:
    """Everything an evaluation needs: embedding (s, c) of the species, layers, reference (s,) energies in eV."""

    cutoff_A: float
    intervals: int
    max_l: int
    embedding: NDArray
    layers: tuple[Layer, ...]
    reference: NDArray[np.float64]


SPLINE_ERRORS = {np.float32: 1e-6, np.float64: 1e-8}
"""Largest error of a tabulated slope over the largest slope. In float32 finer steps only add rounding."""


def read_model(module: torch.nn.Module, dtype: type[np.floating]) -> HostModel:
    """The arrays, in `dtype`, of a ScaleShiftMACE in float64 that `mace_host_gate.fused_reason` has nothing against.

    Raises SimkitError when the radial functions are too wild for a table.
    """
    kinds = len(module.atomic_numbers)
    one_hot = torch.eye(kinds, dtype=torch.float64)
    scale, shift = (float(x.reshape(-1)[0]) for x in (module.scale_shift.scale, module.scale_shift.shift))
    with torch.no_grad():
        embedding = array(module.node_embedding(one_hot))
        reference = array(module.atomic_energies_fn(one_hot)).reshape(-1) + shift
        readouts = [read_readout(r, scale) for r in module.readouts]
        parts = [read_layer(i, p, one_hot) for i, p in zip(module.interactions, module.products, strict=True)]
    tables = read_tables(module, SPLINE_ERRORS[dtype])
    layers = tuple(Layer(table=t, readout=r, **part) for t, r, part in zip(tables, readouts, parts, strict=True))
    max_l = tables[0].shape[1] - 1
    return as_dtype(HostModel(float(module.r_max), len(tables[0]) - 5, max_l, embedding, layers, reference), dtype)


def as_dtype(model: HostModel, dtype: type[np.floating]) -> HostModel:
    """The model with its arrays in `dtype`; reference energies stay in float64."""

    def turn(x: NDArray | None) -> NDArray | None:
        return None if x is None else np.ascontiguousarray(x, dtype=dtype)

    def layer(old: Layer) -> Layer:
        arrays = {name: turn(getattr(old, name)) for name in ("table", "up", "mixing", "update", "skip")}
        read = replace(old.readout, hidden=turn(old.readout.hidden), final=turn(old.readout.final))
        terms = Polynomial(old.polynomial.factors, turn(old.polynomial.coefficients))
        return Layer(**arrays, polynomial=terms, readout=read)

    return replace(model, embedding=turn(model.embedding), layers=tuple(layer(old) for old in model.layers))


def read_layer(interaction: torch.nn.Module, product: torch.nn.Module, one_hot: Tensor) -> dict[str, object]:
    """Fields of `Layer` but for the table and the readout."""
    identity = torch.eye(interaction.node_feats_irreps.dim, dtype=torch.float64)
    residual = type(interaction) is MACE_BLOCKS["residual"]
    skip = None
    if residual and product.use_sc:
        rows = [interaction.skip_tp(identity, kind.expand(len(identity), -1)) for kind in one_hot]
        skip = array(torch.stack(rows))[:, None]
    return {
        "up": array(interaction.linear_up(identity))[None, None],
        "mixing": read_mixing(interaction, None if residual else one_hot),
        "polynomial": read_polynomial(product),
        "update": array(product.linear(identity))[None, None],
        "skip": skip,
    }


def read_mixing(interaction: torch.nn.Module, one_hot: Tensor | None) -> NDArray[np.float64]:
    """(s, l, c, c) what happens to the sums before the products; with `one_hot` it depends on the species."""
    channels = interaction.node_feats_irreps.dim
    degrees = [ir.l for _, ir in interaction.irreps_out]
    starts = np.cumsum([0] + [channels * (2 * ell + 1) for ell in degrees])
    matrices = []
    for ell, (low, high) in zip(degrees, pairwise(starts), strict=True):
        rows = torch.zeros(channels, starts[-1], dtype=torch.float64)
        first = torch.arange(channels)
        rows[first, low + first * (2 * ell + 1)] = 1.0  # the first m of each channel; all m are mixed alike
        mixed = interaction.linear(rows) / interaction.avg_num_neighbors
        kinds = [mixed]
        if one_hot is not None:
            kinds = [interaction.skip_tp(mixed, kind.expand(channels, -1)) for kind in one_hot]
        matrices.append(torch.stack([kind[:, low : high : 2 * ell + 1] for kind in kinds]))
    return array(torch.stack(matrices, dim=1))


def read_polynomial(product: torch.nn.Module) -> Polynomial:
    """The symmetric contraction to a scalar, coupling tensors times weights, like monomials added up."""
    contraction = product.symmetric_contractions.contractions[0]
    order = contraction.correlation
    weights = [contraction.weights[order - 1 - nu] for nu in range(1, order)] + [contraction.weights_max]
    factors, coefficients = [], []
    for nu, weight in enumerate(weights, start=1):
        coupling = array(contraction.U_tensors(nu))
        where = np.argwhere(np.abs(coupling).max(axis=-1) > 1e-12)
        terms, owner = np.unique(np.sort(where, axis=1), axis=0, return_inverse=True)
        paths = np.zeros((len(terms), coupling.shape[-1]))
        np.add.at(paths, owner.reshape(-1), coupling[tuple(where.T)])
        factors.append(np.pad(terms, ((0, 0), (0, 3 - nu)), constant_values=-1))
        coefficients.append(np.einsum("tp,spc->stc", paths, array(weight)))
    return Polynomial(np.concatenate(factors).astype(np.int64), np.concatenate(coefficients, axis=1))


def read_readout(readout: torch.nn.Module, scale: float) -> Readout:
    """A linear or a gated readout, with the scale of the model."""
    if not hasattr(readout, "linear_1"):
        channels = readout.linear.irreps_in.dim
        return Readout(None, scale * array(readout.linear(torch.eye(channels, dtype=torch.float64)))[:, 0], 1.0)
    channels, wide = readout.linear_1.irreps_in.dim, readout.linear_2.irreps_in.dim
    one = torch.ones(1, wide, dtype=torch.float64)
    gain = float(readout.non_linearity(one)[0, 0] / torch.nn.functional.silu(one)[0, 0])
    hidden = array(readout.linear_1(torch.eye(channels, dtype=torch.float64)))[None, None]
    return Readout(hidden, scale * array(readout.linear_2(torch.eye(wide, dtype=torch.float64)))[:, 0], gain)
