"""What a MACE module reads of a batch, as tensors that stay in place while only edges change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from simkit.arrays import Integers
from simkit.potential.edge_buffers import EdgeBuffers, rounded
from simkit.structure import Batch

Data = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class Reading:
    """What of a model decides how a batch is read: cutoff A, number of kinds, head, number type and device.

    padded: atoms and systems come in sizes that repeat too; those beyond the batch are lone atoms in systems of their
    own that nothing reads.
    """

    cutoff_A: float
    kinds: int
    head: int
    dtype: torch.dtype
    device: torch.device
    padded: bool = False


@dataclass(frozen=True, eq=False)
class Frame:
    """Tensors of a batch of `atoms` atoms in `systems` systems; `data` may hold more of both, as padding."""

    atoms: int
    systems: int
    species: Integers
    buffers: EdgeBuffers
    data: Data

    @property
    def system_of(self) -> Tensor:
        """(atoms,): [0, atoms) -> [0, systems), without padding."""
        return self.data["batch"][: self.atoms]


def make_frame(batch: Batch, species: Integers, capacity: int, reading: Reading) -> Frame:
    """A frame with room for so many edges; species (atoms,) index the model's own kinds."""
    atoms, systems = len(batch.numbers), len(batch)
    all_atoms = rounded(atoms) if reading.padded else atoms
    all_systems = rounded(systems + 1) if reading.padded else systems
    like = torch.zeros(0, dtype=reading.dtype, device=reading.device)
    buffers = EdgeBuffers.of(capacity, atoms, reading.cutoff_A, like)
    more = all_atoms - atoms
    kinds = np.concatenate([species, np.zeros(more, dtype=np.int64)])
    system_of = np.concatenate([batch.system_of, np.full(more, systems)])
    starts = np.searchsorted(system_of, np.arange(all_systems + 1))
    index = torch.from_numpy(np.concatenate([kinds, system_of, starts])).to(reading.device)
    kind, system, start = torch.split(index, [all_atoms, all_atoms, all_systems + 1])
    one_hot = torch.zeros(all_atoms, reading.kinds, dtype=reading.dtype, device=reading.device)
    vectors = buffers.edge_vectors.detach()
    data = {
        "positions": like.new_zeros(all_atoms, 3),
        "shifts": vectors.requires_grad_(True),
        "unit_shifts": vectors.detach(),
        "edge_index": buffers.edge_index,
        "node_attrs": one_hot.scatter_(1, kind[:, None], 1.0),
        "batch": system,
        "ptr": start,
        "cell": like.new_zeros(3 * all_systems, 3),
        "head": torch.full((all_systems,), reading.head, dtype=torch.int64, device=reading.device),
    }
    return Frame(atoms, systems, species, buffers, data)
