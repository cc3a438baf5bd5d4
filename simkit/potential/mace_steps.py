"""One step of a MACE on a device: positions up once, edges found there, results back once.

Unproven without a CUDA device: that nothing but the read-back waits for it. On a CPU the same operations run, and
none of them is of a kind that would wait.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from simkit.arrays import Floats, Integers
from simkit.potential.base import Evaluations
from simkit.potential.device_list import (
    SkinList,
    count_within,
    fill,
    find_candidates,
    packed_places,
    still_holds,
)
from simkit.potential.edge_buffers import capacity_for
from simkit.potential.gradient import PairGradient, pack, unpack
from simkit.potential.mace_frame import Data, Frame, Reading, make_frame
from simkit.structure import Batch

SKIN_A = 0.5
"""Candidates reach this far beyond the cutoff: 12 % more pairs to filter at 6 A, a search every tens of steps."""
MOST_KEPT = 16
"""Batches whose lists are kept: parts of one large batch, or images that are asked for in turn. A list takes about 100
bytes an edge, an evaluation thousands."""

Run = Callable[[Data], tuple[Tensor, Tensor]]
"""From what a module reads to energies (systems,) and the gradient with respect to the edge vectors."""


@dataclass(frozen=True, eq=False)
class Kept:
    """A list, the frame its edges go to and the page-locked memory its positions are sent from."""

    found: SkinList
    frame: Frame
    pinned: Tensor | None


class DeviceSteps:
    """Evaluates batches through lists and frames that it keeps between calls.

    What is kept decides the order of sums, so results depend on it by their rounding and no more. A batch finds its
    list again by its systems and by how far its atoms have moved; searches and widenings count how often candidates
    were sought and edges outgrew their buffers.
    """

    def __init__(self, run: Run, reading: Reading, skin_A: float = SKIN_A) -> None:
        self._run, self._reading, self._skin_A = run, reading, skin_A
        self._kept: list[Kept] = []
        self.searches = self.widenings = 0

    def evaluate(self, species: Integers, batch: Batch, virials: bool) -> Evaluations:
        """Evaluations of a batch whose atoms are of these kinds of the model (n,)."""
        try:
            return self._evaluate(species, batch, virials)
        except torch.OutOfMemoryError:
            self._kept.clear()
            raise

    def _evaluate(self, species: Integers, batch: Batch, virials: bool) -> Evaluations:
        kept = self._kept_for(species, batch)
        places = self._sent(kept, packed_places(kept.found, batch))
        while True:
            edges, packed = self._results(kept, places, virials)
            if edges <= kept.frame.buffers.capacity:
                return unpack(packed, batch, virials)
            kept = self._widened(kept, batch, edges)

    def _results(self, kept: Kept, places: Tensor, virials: bool) -> tuple[int, Floats]:
        """Number of edges and packed results in one read-back."""
        frame, buffers = kept.frame, kept.frame.buffers
        edges = fill(kept.found, places, self._reading.cutoff_A, buffers)
        energy, gradient = self._run(frame.data)
        sender, receiver = buffers.edge_index
        pairs = PairGradient(frame.system_of, sender, receiver, buffers.edge_vectors, gradient)
        packed = pack(energy[: frame.systems], pairs, virials)
        host = torch.cat([edges.double().reshape(1), packed]).cpu().numpy()
        return int(host[0]), host[1:]

    def _kept_for(self, species: Integers, batch: Batch) -> Kept:
        """The list of this batch, found anew where it no longer holds; the one used last stands last."""
        cutoff, before = self._reading.cutoff_A, 0
        for place, kept in enumerate(self._kept):
            if not _of_one_kind(kept, species, batch):
                continue
            before = kept.frame.buffers.capacity
            if still_holds(kept.found, batch, cutoff):
                self._kept.append(self._kept.pop(place))
                return kept
        return self._found(species, batch, before)

    def _found(self, species: Integers, batch: Batch, before: int) -> Kept:
        """A new list in the place of the one of the same systems."""
        reading = self._reading
        self.searches += 1
        found = find_candidates(batch, reading.cutoff_A, self._skin_A, reading.device)
        host = torch.from_numpy(packed_places(found, batch))
        edges = count_within(found, host.to(reading.device), reading.cutoff_A)
        same = [kept for kept in self._kept if _of_one_kind(kept, species, batch)]
        capacity = capacity_for(edges, before)
        frame = same[-1].frame if same and before == capacity else make_frame(batch, species, capacity, reading)
        pinned = torch.empty_like(host, pin_memory=True) if reading.device.type == "cuda" else None
        self._kept = [kept for kept in self._kept if not any(kept is old for old in same)][-(MOST_KEPT - 1) :]
        self._kept.append(Kept(found, frame, pinned))
        return self._kept[-1]

    def _widened(self, kept: Kept, batch: Batch, edges: int) -> Kept:
        """The same list with room for more edges."""
        self.widenings += 1
        frame = make_frame(batch, kept.frame.species, capacity_for(edges), self._reading)
        wider = Kept(kept.found, frame, kept.pinned)
        self._kept = [wider if old is kept else old for old in self._kept]
        return wider

    def _sent(self, kept: Kept, places: Floats) -> Tensor:
        """Positions and translations on the device, in one copy."""
        host = torch.from_numpy(places)
        if kept.pinned is None:
            return host
        kept.pinned.copy_(host)  # free again: the step before ended with a read-back
        return kept.pinned.to(self._reading.device, non_blocking=True)


def _of_one_kind(kept: Kept, species: Integers, batch: Batch) -> bool:
    """Whether a frame was made for the same species in the same systems."""
    frame, found = kept.frame, kept.found
    if frame.atoms != len(species) or frame.systems != len(batch):
        return False
    return bool((frame.species == species).all() and (found.system_of == batch.system_of).all())
