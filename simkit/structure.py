"""Structure, the one noun of simkit, and Batch, its plural: frozen NumPy arrays on the host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from simkit.arrays import Floats, Integers, frozen
from simkit.elements import SYMBOLS
from simkit.errors import InputError

MINIMUM_THICKNESS_A = 0.5
"""Thinnest cell accepted: distance between opposite faces, A."""


@dataclass(frozen=True, eq=False)
class Structure:
    """Atoms in a cell.

    numbers   (n,) atomic numbers, 1 to 118
    positions (n, 3) A, cartesian, not necessarily inside the cell
    cell      (3, 3) A, vectors in rows; the third is the stacking axis of a layered structure
    periodic  (3,) whether each cell vector repeats
    layers    (n,) slab_of: [0, atoms) -> [0, slabs), or -1 where no slab is meant
    tags      named (n,) columns of further per-atom facts (phase, site, gallery ...)

    Raises InputError: no atoms, wrong shapes, non-finite numbers, unknown elements, a cell that is
    singular, left-handed or thinner than `MINIMUM_THICKNESS_A`.
    """

    numbers: Integers
    positions: Floats
    cell: Floats
    periodic: np.ndarray = field(default_factory=lambda: np.ones(3, dtype=bool))
    layers: Integers | None = None
    tags: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "numbers", frozen(self.numbers, np.int64, (None,), "numbers"))
        n = len(self.numbers)
        if n == 0:
            raise InputError("the structure holds no atoms; at least one is needed.")
        known = (self.numbers >= 1) & (self.numbers < len(SYMBOLS))
        if not known.all():
            raise InputError(f"atomic number {self.numbers[~known][0]} is no element; allowed are 1 to 118.")
        put(self, "positions", frozen(self.positions, np.float64, (n, 3), "positions"))
        put(self, "cell", frozen(self.cell, np.float64, (3, 3), "cell"))
        put(self, "periodic", frozen(self.periodic, bool, (3,), "periodic"))
        layers = np.full(n, -1) if self.layers is None else self.layers
        put(self, "layers", frozen(layers, np.int64, (n,), "layers"))
        tags = {name: frozen(column, None, (n,), f"tags[{name!r}]") for name, column in self.tags.items()}
        put(self, "tags", MappingProxyType(tags))
        check_cell(self.cell)

    def __len__(self) -> int:
        return len(self.numbers)

    def __getstate__(self) -> dict:
        return {**self.__dict__, "tags": dict(self.tags)}

    def __setstate__(self, state: dict) -> None:
        for name, value in {**state, "tags": MappingProxyType(state["tags"])}.items():
            object.__setattr__(self, name, value)

    @property
    def volume(self) -> float:
        """Cell volume, A^3."""
        return float(np.linalg.det(self.cell))

    @property
    def symbols(self) -> list[str]:
        """Chemical symbol of each atom."""
        return [SYMBOLS[z] for z in self.numbers]

    @property
    def formula(self) -> str:
        """Counts by symbol in alphabetical order, as `Co4Na4O8`."""
        symbols, counts = np.unique(self.symbols, return_counts=True)
        return "".join(f"{s}{c}" for s, c in zip(symbols, counts, strict=True))

    @property
    def fractional(self) -> Floats:
        """(n, 3) fractional coordinates, cartesian @ inv(cell)."""
        return self.positions @ np.linalg.inv(self.cell)

    def moved_to(self, positions: ArrayLike, cell: ArrayLike | None = None) -> Structure:
        """The same atoms at other cartesian positions (A), in another cell when one is given."""
        return self._replaced(positions=positions, cell=self.cell if cell is None else cell)

    def strained_to(self, cell: ArrayLike) -> Structure:
        """The same fractional coordinates in another cell."""
        return self._replaced(positions=self.fractional @ np.asarray(cell, dtype=np.float64), cell=cell)

    def take(self, which: ArrayLike) -> Structure:
        """The atoms `which` (indices or a mask), in that order."""
        which = np.asarray(which)
        tags = {name: column[which] for name, column in self.tags.items()}
        return Structure(self.numbers[which], self.positions[which], self.cell, self.periodic, self.layers[which], tags)

    def without(self, atom: int) -> Structure:
        """The structure with one atom taken out."""
        return self.take(np.delete(np.arange(len(self)), atom))

    def with_layers(self, layers: ArrayLike) -> Structure:
        """The same atoms with another slab map."""
        return self._replaced(layers=layers)

    def with_tags(self, **columns: ArrayLike) -> Structure:
        """The same atoms with further per-atom columns."""
        return self._replaced(tags={**self.tags, **columns})

    def repeated(self, na: int, nb: int, nc: int) -> Structure:
        """Supercell of na x nb x nc cells; image order is c fastest, atoms innermost. Layers repeat unchanged."""
        grid = np.stack(np.meshgrid(range(na), range(nb), range(nc), indexing="ij"), axis=-1).reshape(-1, 3)
        positions = (grid @ self.cell)[:, None, :] + self.positions[None, :, :]
        index = np.tile(np.arange(len(self)), len(grid))
        tags = {name: column[index] for name, column in self.tags.items()}
        cell = self.cell * np.array([na, nb, nc])[:, None]
        return Structure(self.numbers[index], positions.reshape(-1, 3), cell, self.periodic, self.layers[index], tags)

    def _replaced(self, **changes: object) -> Structure:
        names = ("numbers", "positions", "cell", "periodic", "layers", "tags")
        return Structure(**{name: changes.get(name, getattr(self, name)) for name in names})


@dataclass(frozen=True, eq=False)
class Batch:
    """Structures laid end to end: what potentials and steppers see.

    numbers (n,), positions (n, 3) A, cells (m, 3, 3) A, periodic (m, 3), system_of (n,) sorted:
    [0, atoms) -> [0, systems).
    """

    numbers: Integers
    positions: Floats
    cells: Floats
    periodic: np.ndarray
    system_of: Integers

    @classmethod
    def of(cls, structures: Sequence[Structure]) -> Batch:
        """Lay structures end to end. Raises InputError on an empty list."""
        if not structures:
            raise InputError("an empty list of structures cannot be evaluated; give at least one.")
        for item in structures:
            require_structure(item)
        sizes = [len(s) for s in structures]
        return cls(
            np.concatenate([s.numbers for s in structures]),
            np.concatenate([s.positions for s in structures]),
            np.stack([s.cell for s in structures]),
            np.stack([s.periodic for s in structures]),
            np.repeat(np.arange(len(sizes)), sizes),
        )

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def starts(self) -> Integers:
        """(m + 1,) first atom of each system, and the total at the end."""
        return np.searchsorted(self.system_of, np.arange(len(self) + 1))

    @property
    def volumes(self) -> Floats:
        """(m,) cell volumes, A^3."""
        return np.linalg.det(self.cells)

    def moved_to(self, positions: Floats, cells: Floats | None = None) -> Batch:
        """The same atoms elsewhere (A)."""
        cells = self.cells if cells is None else cells
        return Batch(self.numbers, positions, cells, self.periodic, self.system_of)

    def split(self, per_atom: np.ndarray) -> list[np.ndarray]:
        """Cut a per-atom array into one piece per system."""
        return np.split(per_atom, self.starts[1:-1])


def require_structure(item: object) -> None:
    """Raise InputError where something else than a Structure was given."""
    if not isinstance(item, Structure):
        raise InputError(
            f"a simkit Structure is wanted, found {type(item).__name__}; convert it with simkit.io.from_ase or "
            "simkit.io.from_pymatgen."
        )


def check_cell(cell: Floats) -> None:
    """Raise InputError where a cell is singular, left-handed or too thin."""
    volume = float(np.linalg.det(cell))
    area = np.linalg.norm(np.cross(np.roll(cell, -1, axis=0), np.roll(cell, -2, axis=0)), axis=1)
    if not np.isfinite(volume) or np.any(area == 0) or abs(volume) < 1e-9:
        raise InputError(f"the cell is singular (volume {volume:.3g} A^3); its three vectors must span space.")
    if volume < 0:
        raise InputError(f"the cell is left-handed (volume {volume:.3g} A^3); exchange two of its vectors.")
    thickness = float((volume / area).min())
    if thickness < MINIMUM_THICKNESS_A:
        raise InputError(f"the cell is only {thickness:.3g} A thick; at least {MINIMUM_THICKNESS_A} A is needed.")
