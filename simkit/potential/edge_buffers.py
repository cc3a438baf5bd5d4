"""Buffers of edges of fixed size, padded so that shapes repeat, and the sizes they come in."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

FEWEST = 64
"""Smallest size: below it nothing is gained by another shape."""
STEPS = 16
"""Sizes between a power of two and the next: at most one part in 16 of a buffer is padding."""
SPARE = 1.02
"""Room for edges that come while atoms vibrate."""
BEYOND = 2.0
"""Length of a padding edge in cutoffs: the radial functions and their slope are exactly zero there."""


def rounded(count: int) -> int:
    """The smallest of the sizes 2^k (1 + j / 16) that holds `count`: shapes repeat, padding stays below 1/16."""
    if count <= FEWEST:
        return FEWEST
    step = 2 ** max(0, (count - 1).bit_length() - 1) // STEPS
    return -(-count // step) * step


def capacity_for(edges: int, before: int = 0) -> int:
    """Edges a buffer should hold; the size it had `before` is kept while it fits and at most a quarter is padding."""
    if before and edges <= before and before <= 1.25 * max(edges, FEWEST):
        return before
    return rounded(int(SPARE * edges) + 1)


@dataclass(frozen=True, eq=False)
class EdgeBuffers:
    """Room for `capacity` directed edges and one row more that takes what is not wanted.

    index (2, capacity + 1) sender and receiver, vectors (capacity + 1, 3) A in the number type of the model.
    Padding edges join an atom to itself, atoms in turn, at twice the cutoff: every MACE multiplies its messages by a
    polynomial that is zero, with all slopes, from the cutoff on, so energies and gradients are those without them.
    """

    capacity: int
    index: Tensor
    vectors: Tensor
    _padding: tuple[Tensor, Tensor]

    @classmethod
    def of(cls, capacity: int, atoms: int, cutoff_A: float, like: Tensor) -> EdgeBuffers:
        """Empty buffers among `atoms` atoms, in the number type and on the device of `like`."""
        turn = (torch.arange(capacity + 1, device=like.device) % max(atoms, 1)).expand(2, -1)
        away = torch.zeros(capacity + 1, 3, dtype=like.dtype, device=like.device)
        away[:, 0] = BEYOND * cutoff_A
        return cls(capacity, turn.clone(), away.clone(), (turn, away))

    def reset(self) -> None:
        """Nothing but padding."""
        self.index.copy_(self._padding[0])
        self.vectors.copy_(self._padding[1])

    @property
    def edge_index(self) -> Tensor:
        """(2, capacity) what a model reads."""
        return self.index[:, : self.capacity]

    @property
    def edge_vectors(self) -> Tensor:
        """(capacity, 3) A."""
        return self.vectors[: self.capacity]
