"""A small MACE with random weights, made by mace's own constructor."""

from copy import deepcopy
from functools import lru_cache

import numpy as np
import torch

from simkit.potential.mace_backend import ScaleShiftMACE, default_dtype, interaction_classes, o3, quarantine


def small_mace(heads=("Default",), max_ell=2, r_max=5.0, channels=16):
    """ScaleShiftMACE of O, Na, Co in float64; scaled up so that forces are near 1 eV/A."""
    with quarantine():  # copying goes through TorchScript, which torch says is old
        return deepcopy(built(tuple(heads), max_ell, r_max, channels))


@lru_cache
def built(heads, max_ell, r_max, channels):
    one = len(heads) == 1
    interaction = interaction_classes["RealAgnosticResidualInteractionBlock"]
    with quarantine(), default_dtype(torch.float64):
        torch.manual_seed(0)
        return ScaleShiftMACE(
            r_max=r_max,
            num_bessel=8,
            num_polynomial_cutoff=5,
            max_ell=max_ell,
            interaction_cls=interaction,
            interaction_cls_first=interaction,
            num_interactions=2,
            num_elements=3,
            hidden_irreps=o3.Irreps(f"{channels}x0e"),
            MLP_irreps=o3.Irreps("16x0e"),
            atomic_energies=np.array([[-4.0, -1.0, -7.0], [-4.5, -1.5, -7.5]][: len(heads)]),
            avg_num_neighbors=8.0,
            atomic_numbers=[8, 11, 27],
            correlation=2,
            gate=torch.nn.functional.silu,
            atomic_inter_scale=3.0 if one else [3.0, 4.0],
            atomic_inter_shift=0.1 if one else [0.1, 0.2],
            heads=list(heads),
        )
