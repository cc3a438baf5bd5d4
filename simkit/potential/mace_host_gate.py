"""Whether the kernels can evaluate a MACE model, and whether they do: held to the torch module when it is loaded."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from simkit.kernels.spherical import MOST_L
from simkit.potential.base import Evaluations
from simkit.potential.mace_backend import MACE_BLOCKS, ScaleShiftMACE, o3
from simkit.potential.parity import refuse_unlike
from simkit.structure import Batch, Structure

SPACING_A, RATTLE_A = 2.0, 0.35
"""Spacing of the atoms of the gate's cell, and how far they are moved from it at most along each axis."""
MOST_CORRELATION, MOST_LAYERS = 3, 3

Evaluate = Callable[[Batch, bool], Evaluations]


def fused_reason(module: torch.nn.Module) -> str | None:
    """Why the kernels cannot evaluate this module, in words; None when they can.

    They know a ScaleShiftMACE of one head with scalar features, 1 to 3 (residual or plain) interactions, spherical
    harmonics up to l = 3, correlation up to 3, Bessel functions and SiLU.
    """
    if type(module) is not ScaleShiftMACE:
        return f"it is a {type(module).__name__}, not a ScaleShiftMACE"
    reasons = (_about_parts(module), _about_interactions(module), _about_products(module), _about_readouts(module))
    return next((reason for reason in reasons if reason is not None), None)


def _about_parts(module: torch.nn.Module) -> str | None:
    radial, heads = module.radial_embedding, getattr(module, "heads", ["Default"])
    if len(heads) > 1:
        return f"it has the heads {', '.join(heads)}"
    if getattr(module, "embedding_specs", None) is not None:
        return "it embeds charges or spins"
    if hasattr(module, "pair_repulsion"):
        return "it adds a ZBL pair repulsion"
    if type(radial.bessel_fn) is not MACE_BLOCKS["bessel"]:
        return f"its radial basis is {type(radial.bessel_fn).__name__}"
    if hasattr(radial, "distance_transform"):
        return f"its distances go through {type(radial.distance_transform).__name__}"
    return None


def _about_interactions(module: torch.nn.Module) -> str | None:
    if len(module.interactions) > MOST_LAYERS:
        return f"it has {len(module.interactions)} interactions"
    reasons = (_about_kind(block) or _about_widths(block) for block in module.interactions)
    return next((reason for reason in reasons if reason is not None), None)


def _about_kind(block: torch.nn.Module) -> str | None:
    if type(block) not in (MACE_BLOCKS["plain"], MACE_BLOCKS["residual"]):
        return f"its interactions are {type(block).__name__}"
    if block.cueq_config is not None or block.oeq_config is not None:
        return "it was converted to cuEquivariance or OpenEquivariance"
    return None


def _about_widths(block: torch.nn.Module) -> str | None:
    entering, leaving, sent = (o3.Irreps(x) for x in (block.node_feats_irreps, block.hidden_irreps, block.edge_irreps))
    if max(entering.lmax, leaving.lmax) > 0:
        return f"its features {entering} and {leaving} are not all scalars"
    if sent != entering or leaving.dim != entering.dim:
        return f"its messages {sent} are not as wide as its features {entering}"
    if block.edge_attrs_irreps.lmax > MOST_L:
        return f"its spherical harmonics go to l = {block.edge_attrs_irreps.lmax}"
    if [ir for _, ir in block.irreps_out] != [ir for _, ir in block.edge_attrs_irreps]:
        return f"its messages {block.irreps_out} do not match its harmonics {block.edge_attrs_irreps}"
    return None


def _about_products(module: torch.nn.Module) -> str | None:
    for product in module.products:
        contraction = product.symmetric_contractions
        if type(contraction) is not MACE_BLOCKS["contraction"]:
            return f"its products are {type(contraction).__name__}"
        order = contraction.contractions[0].correlation
        if len(contraction.contractions) > 1 or order > MOST_CORRELATION:
            return f"its products are of correlation {order}"
    return None


def _about_readouts(module: torch.nn.Module) -> str | None:
    if len(module.readouts) != len(module.interactions):
        return f"it has {len(module.readouts)} readouts for {len(module.interactions)} interactions"
    for readout in module.readouts:
        if type(readout) is MACE_BLOCKS["linear"]:
            continue
        if type(readout) is not MACE_BLOCKS["gated"]:
            return f"one of its readouts is a {type(readout).__name__}"
        if readout.hidden_irreps.lmax > 0 or not is_silu(readout.non_linearity):
            return "its last readout is not gated by SiLU"
    return None


def is_silu(activation: torch.nn.Module) -> bool:
    """Whether an activation is a multiple of x sigmoid(x), asked at a few places."""
    x = torch.linspace(-3.0, 3.0, 7, dtype=torch.float64).reshape(-1, 1).expand(-1, activation.irreps_in.dim)
    ours, theirs = torch.nn.functional.silu(x), activation(x)
    return bool(torch.allclose(theirs * ours[-1], ours * theirs[-1], rtol=1e-9, atol=1e-9))


def gate_cell(numbers: np.ndarray) -> Structure:
    """A rattled cubic cell that holds every element at least once, 27 atoms or more."""
    edge = max(3, int(np.ceil(len(numbers) ** (1 / 3))))
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*[np.arange(edge)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    positions = SPACING_A * grid + rng.uniform(-RATTLE_A, RATTLE_A, size=(edge**3, 3))
    return Structure(np.resize(numbers, edge**3), positions, SPACING_A * edge * np.eye(3))


def check_parity(fused: Evaluate, plain: Evaluate, numbers: np.ndarray, dtype: type[np.floating]) -> None:
    """Raise SimkitError, with the numbers, when `fused` does not give what `plain` (torch in float64) gives."""
    batch = Batch.of([gate_cell(numbers)])
    remedy = "load it with '?path=torch' and report it."
    refuse_unlike(fused(batch, True), plain(batch, True), dtype, "the kernels and torch", remedy)
