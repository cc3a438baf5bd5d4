"""From the derivative with respect to pair vectors to forces, stress and atomic virials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from simkit.arrays import Floats
from simkit.potential.base import Evaluations
from simkit.potential.gradient_host import stress_of
from simkit.structure import Batch


@dataclass(frozen=True, eq=False)
class PairGradient:
    """dE/d(vector), vector = x[second] - x[first]: first, second (p,), vectors and gradient (p, 3).

    system_of (n,): [0, atoms) -> [0, systems), on the device like the rest.
    """

    system_of: Tensor
    first: Tensor
    second: Tensor
    vectors: Tensor
    gradient: Tensor


def read_back(energy: Tensor, pairs: PairGradient, batch: Batch, virials: bool) -> Evaluations:
    """Evaluations from total energies (m,) and the gradient, with one copy to the host.

    F_first += g, F_second -= g; W = sum of (g (x) r) symmetrised, half to each end; stress = sum W / V.
    """
    return unpack(pack(energy, pairs, virials).cpu().numpy(), batch, virials)


def pack(energy: Tensor, pairs: PairGradient, virials: bool) -> Tensor:
    """Energies, forces and virials, per atom or else per system, as one float64 vector on the device."""
    atoms = len(pairs.system_of)
    g, r = pairs.gradient.double(), pairs.vectors.double()
    forces = g.new_zeros(atoms, 3).index_add_(0, pairs.first, g).index_add_(0, pairs.second, g, alpha=-1)
    w = g.unsqueeze(2) * r.unsqueeze(1)
    w = (0.25 * (w + w.transpose(1, 2))).reshape(-1, 9)
    if virials:
        total = w.new_zeros(atoms, 9).index_add_(0, pairs.first, w).index_add_(0, pairs.second, w)
    else:
        total = w.new_zeros(len(energy), 9).index_add_(0, pairs.system_of[pairs.first], w, alpha=2)
    return torch.cat([energy.double().reshape(-1), forces.reshape(-1), total.reshape(-1)])


def unpack(packed: Floats, batch: Batch, virials: bool) -> Evaluations:
    """Inverse of `pack` on the host."""
    m, n = len(batch), len(batch.numbers)
    energy, forces, w = np.split(packed, [m, m + 3 * n])
    w = w.reshape(-1, 3, 3)
    if not virials:
        stress = w / batch.volumes[:, None, None]
        return Evaluations(energy, forces.reshape(-1, 3), stress, None, batch.system_of)
    return Evaluations(energy, forces.reshape(-1, 3), stress_of(w, batch), w, batch.system_of)


def to_device(arrays: Sequence[np.ndarray], device: torch.device) -> list[Tensor]:
    """Arrays of one dtype as tensors on `device`, moved there in one copy."""
    if device.type == "cpu":
        return [torch.from_numpy(np.ascontiguousarray(a)) for a in arrays]
    packed = torch.from_numpy(np.concatenate([np.ravel(a) for a in arrays]))
    moved = packed.pin_memory().to(device, non_blocking=True)
    parts = torch.split(moved, [a.size for a in arrays])
    return [part.reshape(a.shape) for part, a in zip(parts, arrays, strict=True)]
