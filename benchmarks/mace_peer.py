"""mace's own ways to the same numbers, as peers: its ASE calculator, and its route to atomic stresses of a batch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import Calculator

from simkit.potential.mace_backend import default_dtype, quarantine
from simkit.structure import Structure

with quarantine():
    from mace import data
    from mace.calculators import MACECalculator
    from mace.tools import AtomicNumberTable, torch_geometric


def calculator(module: torch.nn.Module, device: torch.device) -> Calculator:
    """mace's ASE calculator on the same module in float32."""
    with quarantine():
        return MACECalculator(models=[module], device=device.type, default_dtype="float32")


def by_mace(
    module: torch.nn.Module, structures: list[Structure], device: torch.device
) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
    """A function that gives forces (n, 3) and atomic stresses (n, 3, 3) by mace's route, on a graph that is there."""
    table = AtomicNumberTable([int(z) for z in module.atomic_numbers])
    with quarantine(), default_dtype(torch.float32):
        graphs = [graph(s, table, float(module.r_max)) for s in structures]
        batch = torch_geometric.Batch.from_data_list(graphs).to(device)
    given = batch.to_dict()
    flags = {"compute_force": True, "compute_stress": True}
    flags |= {"compute_edge_forces": True, "compute_atomic_stresses": True}

    def evaluate() -> tuple[np.ndarray, np.ndarray]:
        out = module({name: x.clone() if torch.is_tensor(x) else x for name, x in given.items()}, **flags)
        return out["forces"].detach().cpu().numpy(), out["atomic_stresses"].detach().cpu().numpy()

    return evaluate


def graph(s: Structure, table: AtomicNumberTable, cutoff_A: float) -> data.AtomicData:
    """What mace reads of one structure."""
    config = data.config_from_atoms(Atoms(s.numbers, s.positions, cell=s.cell, pbc=True))
    return data.AtomicData.from_config(config, z_table=table, cutoff=cutoff_A)
