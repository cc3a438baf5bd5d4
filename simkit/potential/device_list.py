"""Neighbours of a whole batch in torch operations: candidates within cutoff and skin once, exact edges every step.

Verlet's list (Phys. Rev. 159, 98, 1967) of directed pairs. Looking for candidates waits for the device a few times;
every later step, as long as nothing moved too far, is one upload and a filter that the host never waits for. The
same operations run on a CPU, where they are held to `kernels.neighbours`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from simkit.arrays import Floats, Integers
from simkit.potential.device_grid import Grid, Homes, grid_of
from simkit.potential.edge_buffers import EdgeBuffers
from simkit.structure import Batch

MOST_AT_ONCE = 4_000_000
"""Pairs looked at in one piece while candidates are sought: bounds the memory of the search, some 100 bytes each."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """Directed pairs that may come within the cutoff: sender, receiver (c,) atoms, image (c,) row of `translations`."""

    sender: Tensor
    receiver: Tensor
    image: Tensor

    def __len__(self) -> int:
        return len(self.sender)


@dataclass(frozen=True, eq=False)
class SkinList:
    """Candidates of a batch and where it was when they were found.

    reach_A = cutoff + skin; turns (n, 3) cells that each atom is moved by; home (n, 3) A where it then lies; cells.
    """

    candidates: Candidates
    grid: Grid
    reach_A: float
    turns: Integers
    home: Floats
    cells: Floats
    periodic: np.ndarray
    system_of: Integers


def find_candidates(batch: Batch, cutoff_A: float, skin_A: float, device: torch.device) -> SkinList:
    """All directed pairs closer than cutoff + skin, an atom with its own images included. Waits for the device.

    Raises InputError where `device_grid.grid_of` does.
    """
    reach_A = cutoff_A + skin_A
    grid, homes = grid_of(batch, reach_A)
    home = _home(batch, homes.turns)
    search = _Search.of(batch, grid, homes, torch.from_numpy(home).to(device))
    translations = torch.from_numpy(grid.translations(batch.cells)).to(device)
    found = [search.piece(low, high, translations, reach_A) for low, high in search.pieces()]
    parts = [torch.cat(columns) for columns in zip(*found, strict=True)]
    return SkinList(Candidates(*parts), grid, reach_A, homes.turns, home, batch.cells, batch.periodic, batch.system_of)


def still_holds(found: SkinList, batch: Batch, cutoff_A: float) -> bool:
    """Whether no pair within the cutoff can be missing from the candidates, decided on the host.

    With x' = x F + u, F what the cell went through and s its smallest singular value, |r'| >= s |r| - 2 max|u|, so
    the list holds while (cutoff + 2 max|u|) / s <= cutoff + skin in every system.
    """
    same = len(batch.system_of) == len(found.system_of) and len(batch) == len(found.cells)
    if not same or not np.array_equal(batch.system_of, found.system_of):
        return False
    if not np.array_equal(batch.periodic, found.periodic) or not np.isfinite(batch.positions).all():
        return False
    deformed = np.linalg.solve(found.cells, batch.cells)
    carried = np.einsum("na,nab->nb", found.home, deformed[batch.system_of])
    moved = np.zeros(len(batch))
    squared = ((_home(batch, found.turns) - carried) ** 2).sum(axis=1)
    np.maximum.at(moved, batch.system_of, np.sqrt(squared))
    least = np.linalg.svd(deformed, compute_uv=False)[:, -1]
    return bool(((cutoff_A + 2.0 * moved) <= found.reach_A * least).all())


def packed_places(found: SkinList, batch: Batch) -> Floats:
    """Positions within their cells (n, 3) and translations (k, 3), A, as one array for one upload."""
    return np.concatenate([_home(batch, found.turns), found.grid.translations(batch.cells)])


def fill(found: SkinList, places: Tensor, cutoff_A: float, into: EdgeBuffers) -> Tensor:
    """Write the edges closer than the cutoff into the buffers, padding behind them; returns their number (a scalar).

    Where there are more than the buffers hold the number says so and the rest is lost: ask again with larger ones.
    No operation waits for the device. Edges come in the order of the candidates.
    """
    candidates, atoms = found.candidates, len(found.system_of)
    vectors = places.index_select(0, candidates.receiver) - places.index_select(0, candidates.sender)
    vectors -= places.index_select(0, candidates.image + atoms)
    inside = (vectors * vectors).sum(1) < cutoff_A**2
    place = torch.cumsum(inside, 0) - 1
    slot = torch.where(inside, place, into.capacity).clamp_(max=into.capacity)  # the row behind the last is never read
    into.reset()
    into.index[0].scatter_(0, slot, candidates.sender)
    into.index[1].scatter_(0, slot, candidates.receiver)
    into.vectors.index_copy_(0, slot, vectors.to(into.vectors.dtype))
    return inside.sum()


def count_within(found: SkinList, places: Tensor, cutoff_A: float) -> int:
    """How many edges are closer than the cutoff. Waits for the device."""
    candidates, atoms = found.candidates, len(found.system_of)
    vectors = places.index_select(0, candidates.receiver) - places.index_select(0, candidates.sender)
    vectors -= places.index_select(0, candidates.image + atoms)
    return int(((vectors * vectors).sum(1) < cutoff_A**2).sum())


def _home(batch: Batch, turns: Integers) -> Floats:
    """Positions moved by whole cell vectors."""
    if not turns.any():
        return batch.positions.astype(np.float64)
    return batch.positions - np.einsum("na,nab->nb", turns.astype(np.float64), batch.cells[batch.system_of])


@dataclass(frozen=True, eq=False)
class _Search:
    """Tables on the device: per atom its system, bin and first run; per bin its first atom; per system its grid."""

    home: Tensor
    system_of: Tensor
    bin_of: Tensor
    order: Tensor
    begin: Tensor
    first_run: Tensor
    tables: dict[str, Tensor]
    runs: int
    crowd: float

    @classmethod
    def of(cls, batch: Batch, grid: Grid, homes: Homes, home: Tensor) -> _Search:
        device = home.device
        put = lambda array: torch.from_numpy(np.ascontiguousarray(array)).to(device)  # noqa: E731
        flat, order = torch.sort(put(homes.flat), stable=True)
        begin = torch.searchsorted(flat, torch.arange(int(grid.first_bin[-1]) + 1, device=device))
        runs_of = grid.runs[batch.system_of]
        names = ("bins", "reach", "periodic", "most", "first_image", "first_bin")
        tables = {name: put(getattr(grid, name)) for name in names}
        crowd = float((np.diff(batch.starts) / np.prod(grid.bins, axis=1)).max())
        first_run = put(np.concatenate([[0], np.cumsum(runs_of)]))
        system_of, bin_of = put(batch.system_of), put(homes.bin_of)
        return cls(home, system_of, bin_of, order, begin, first_run, tables, int(runs_of.sum()), crowd)

    def pieces(self) -> list[tuple[int, int]]:
        """Ranges of runs that hold about `MOST_AT_ONCE` pairs."""
        step = max(1, int(MOST_AT_ONCE / max(1.0, self.crowd)))
        return [(low, min(low + step, self.runs)) for low in range(0, self.runs, step)]

    def piece(self, low: int, high: int, translations: Tensor, reach_A: float) -> tuple[Tensor, Tensor, Tensor]:
        """Sender, receiver and image of the pairs found in some of the runs."""
        run = torch.arange(low, high, device=self.home.device)
        receiver = torch.searchsorted(self.first_run, run, right=True) - 1
        start, length, image = self._bins(run - self.first_run[receiver], receiver)
        total = int(length.sum())
        behind = torch.cumsum(length, 0)
        of = torch.repeat_interleave(torch.arange(len(run), device=run.device), length, output_size=total)
        place = torch.arange(total, device=run.device) + (start - behind + length)[of]
        sender, receiver, image = self.order[place], receiver[of], image[of]
        vectors = self.home[receiver] - self.home[sender] - translations[image]
        # an atom with itself is its own pair without an image: the only one of length zero that stands for nothing
        own = (sender == receiver) & (image == self._no_image(receiver))
        kept = torch.nonzero(((vectors * vectors).sum(1) < reach_A**2) & ~own).reshape(-1)
        return sender[kept], receiver[kept], image[kept]

    def _bins(self, local: Tensor, atom: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """First atom, number of atoms and image of the bin that run number `local` of an atom stands for."""
        system = self.system_of[atom]
        t = {name: table[system] for name, table in self.tables.items()}
        wide = 2 * t["reach"] + 1
        step = torch.stack(
            [local // (wide[:, 1] * wide[:, 2]), local // wide[:, 2] % wide[:, 1], local % wide[:, 2]], 1
        )
        target = self.bin_of[atom] + step - t["reach"]
        turn = torch.div(target, t["bins"], rounding_mode="floor")
        inner = target - turn * t["bins"]
        flat = t["first_bin"] + (inner[:, 0] * t["bins"][:, 1] + inner[:, 1]) * t["bins"][:, 2] + inner[:, 2]
        reached = ((turn == 0) | t["periodic"]).all(1)
        start = self.begin[flat]
        length = torch.where(reached, self.begin[flat + 1] - start, 0)
        image = _image_row(torch.where(reached[:, None], turn, 0), t["most"], t["first_image"])
        return start, length, image

    def _no_image(self, atom: Tensor) -> Tensor:
        system = self.system_of[atom]
        most = self.tables["most"][system]
        return _image_row(torch.zeros_like(most), most, self.tables["first_image"][system])


def _image_row(turn: Tensor, most: Tensor, first: Tensor) -> Tensor:
    """Row of `Grid.images` that holds `turn`."""
    wide = 2 * most + 1
    a, b, c = (turn + most).unbind(1)
    return first + (a * wide[:, 1] + b) * wide[:, 2] + c
