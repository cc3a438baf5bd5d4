"""Scalar MACE models of many shapes with random weights, made by mace's own constructor."""

from copy import deepcopy
from dataclasses import asdict, dataclass
from functools import lru_cache

import numpy as np
import torch

from simkit.potential.mace_backend import ScaleShiftMACE, default_dtype, interaction_classes, o3, quarantine

RESIDUAL, PLAIN = "RealAgnosticResidualInteractionBlock", "RealAgnosticInteractionBlock"
MANY = (3, 8, 11, 12, 13, 22, 25, 26, 27, 28, 29)


@dataclass(frozen=True)
class Shape:
    """What a test varies; the rest is fixed below."""

    numbers: tuple = (8, 11, 27)
    channels: int = 8
    max_ell: int = 2
    correlation: int = 2
    num_interactions: int = 2
    interaction_cls: str = RESIDUAL
    interaction_cls_first: str = RESIDUAL


def scalar_mace(shape, **more):
    """A copy of its own: potentials change the dtype of their module."""
    with quarantine():  # copying goes through TorchScript, which torch says is old
        return deepcopy(kept(shape, **more))


@lru_cache
def kept(shape, **more):
    return built(shape, **more)


def built(shape, **more):
    """In float64, with forces of the order of those of an oxide."""
    kwargs = asdict(shape)
    numbers = kwargs.pop("numbers")
    channels = kwargs.pop("channels")
    for name in ("interaction_cls", "interaction_cls_first"):
        kwargs[name] = interaction_classes[kwargs[name]]
    kwargs = {
        "r_max": 5.0,
        "num_bessel": 8,
        "num_polynomial_cutoff": 5,
        "hidden_irreps": o3.Irreps(f"{channels}x0e"),
        "MLP_irreps": o3.Irreps("16x0e"),
        "num_elements": len(numbers),
        "atomic_numbers": list(numbers),
        "atomic_energies": np.linspace(-7, -1, len(numbers))[None],
        "avg_num_neighbors": 8.0,
        "gate": torch.nn.functional.silu,
        "atomic_inter_scale": 30.0,
        "atomic_inter_shift": 0.1,
    } | kwargs
    with quarantine(), default_dtype(torch.float64):
        torch.manual_seed(3)
        return ScaleShiftMACE(**(kwargs | more)).eval()
