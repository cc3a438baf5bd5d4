"""Pairs of atoms closer than a cutoff, for all systems of a batch at once, in any cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from simkit.errors import InputError

MOST_IMAGES = 2_000_000
"""Most periodic images of one cell that a cutoff may reach; beyond it the request is a mistake."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Every pair once: vector = x[second] + shift @ cell - x[first], shorter than the cutoff.

    first, second (p,) atoms (equal for an atom and its own image), shifts (p, 3) integers,
    vectors (p, 3) A. Pairs are grouped by system.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    shifts: NDArray[np.int64]
    vectors: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.first)

    @property
    def lengths(self) -> NDArray[np.float64]:
        """(p,) distances, A."""
        return np.sqrt(np.einsum("pk,pk->p", self.vectors, self.vectors))


def pairs_within(positions: NDArray, cells: NDArray, periodic: NDArray, starts: NDArray, cutoff_A: float) -> Pairs:
    """All pairs closer than `cutoff_A` (strictly), including an atom and its own periodic images.

    positions (n, 3) A, cells (m, 3, 3) A with vectors in rows, periodic (m, 3), starts (m + 1,) first
    atom of each system. Positions need not lie inside the cell, the cell may be smaller than the
    cutoff and tilted at will. Raises InputError for a cutoff that is not positive or positions that
    are not finite. The order of pairs within a system is not promised.
    """
    positions = np.ascontiguousarray(positions, dtype=np.float64)
    cells = np.ascontiguousarray(cells, dtype=np.float64)
    periodic = np.ascontiguousarray(periodic, dtype=np.bool_)
    starts = np.ascontiguousarray(starts, dtype=np.int64)
    if not 0.0 < cutoff_A < np.inf:
        raise InputError(f"cutoff {cutoff_A} A; it must be a positive finite length.")
    if not np.isfinite(positions).all():
        raise InputError("positions hold numbers that are not finite; neighbours cannot be found.")
    inverses, heights = np.empty_like(cells), np.empty((len(cells), 3))
    _reciprocal(cells, inverses, heights)
    check_images(heights, periodic, cutoff_A)
    lattices = (cells, inverses, heights, periodic)
    capacity = int(_expected(lattices, starts, cutoff_A)) + 64
    while True:
        first, second = np.empty(capacity, dtype=np.int64), np.empty(capacity, dtype=np.int64)
        shifts, vectors = np.empty((capacity, 3), dtype=np.int64), np.empty((capacity, 3))
        count = np.zeros(1, dtype=np.int64)
        _batch_pairs(positions, lattices, starts, cutoff_A, (first, second, shifts, vectors, count))
        found = int(count[0])
        if found <= capacity:
            return Pairs(first[:found], second[:found], shifts[:found], vectors[:found])
        capacity = found


def heights_of(cells: NDArray) -> NDArray:
    """(m, 3) distance between opposite faces, A."""
    heights = np.empty((len(cells), 3))
    _reciprocal(np.ascontiguousarray(cells, dtype=np.float64), np.empty((len(cells), 3, 3)), heights)
    return heights


def check_images(heights: NDArray, periodic: NDArray, cutoff_A: float) -> None:
    """Raise InputError where a cutoff reaches more than `MOST_IMAGES` images of a cell (heights (m, 3) A)."""
    with np.errstate(divide="ignore"):
        images = np.where(periodic, 2 * np.ceil(cutoff_A / heights) + 1, 1).prod(axis=1)
    if not images.max() <= MOST_IMAGES:
        raise InputError(
            f"a cutoff of {cutoff_A} A reaches {images.max():.3g} periodic images of the cell "
            f"(heights {heights[images.argmax()].min():.3g} A and more); check the cell."
        )


@njit(cache=True, error_model="numpy")
def _reciprocal(cells, inverses, heights):
    """Inverses (m, 3, 3) 1/A of cells (vectors in rows) and their heights (m, 3) A, one over the columns' lengths."""
    for m in range(len(cells)):
        for k in range(3):
            u, v, w = cells[m, k], cells[m, (k + 1) % 3], cells[m, (k + 2) % 3]
            x, y, z = v[1] * w[2] - v[2] * w[1], v[2] * w[0] - v[0] * w[2], v[0] * w[1] - v[1] * w[0]
            volume = u[0] * x + u[1] * y + u[2] * z
            inverses[m, 0, k], inverses[m, 1, k], inverses[m, 2, k] = x / volume, y / volume, z / volume
            heights[m, k] = abs(volume) / np.sqrt(x * x + y * y + z * z)


@njit(cache=True)
def _expected(lattices, starts, cutoff):
    """Generous estimate of the number of pairs, from the density."""
    cells, inverses, _, _ = lattices
    pairs = 0.0
    for m in range(len(cells)):
        size, per_volume = starts[m + 1] - starts[m], abs(np.linalg.det(inverses[m]))
        pairs += 0.65 * size * size * 4.0 / 3.0 * np.pi * cutoff**3 * per_volume
    return pairs


@njit(cache=True)
def _floor_divide(value, divisor):
    return int(np.floor(value / divisor))


@njit(cache=True)
def _batch_pairs(positions, lattices, starts, cutoff, out):
    """Fill `out` and count; counting goes on when `out` is full, so that the caller can ask again."""
    cells, inverses, heights, periodic = lattices
    for system in range(len(cells)):
        low, high = starts[system], starts[system + 1]
        if high > low:
            lattice = (cells[system], inverses[system], heights[system], periodic[system])
            _system_pairs((positions, low, high), lattice, cutoff, out)


@njit(cache=True)
def _wrap(positions, low, high, inverse, periodic):
    """Fractional coordinates moved into the first cell along periodic vectors, and the cells moved by."""
    n = high - low
    fractional = np.empty((n, 3))
    moved = np.zeros((n, 3), dtype=np.int64)
    for atom in range(n):
        x, y, z = positions[low + atom]
        for k in range(3):
            f = x * inverse[0, k] + y * inverse[1, k] + z * inverse[2, k]
            if periodic[k]:
                whole = np.floor(f)
                moved[atom, k] = int(whole)
                f -= whole
            fractional[atom, k] = f
    return fractional, moved


@njit(cache=True)
def _grid(fractional, heights, periodic, cutoff):
    """Bins per cell vector, reach in bins, origin and extent in fractional units."""
    bins, reach = np.ones(3, dtype=np.int64), np.zeros(3, dtype=np.int64)
    origin, extent = np.zeros(3), np.ones(3)
    most = max(1, 2 * round((4.0 * len(fractional)) ** (1.0 / 3.0)))
    for k in range(3):
        if not periodic[k]:
            origin[k] = fractional[:, k].min()
            extent[k] = max(fractional[:, k].max() - origin[k], 1e-9)
        length = heights[k] * extent[k]
        bins[k] = min(max(1, int(length / (0.5 * cutoff))), most)
        reach[k] = int(np.floor(cutoff * bins[k] / length)) + 1
        if not periodic[k]:
            reach[k] = min(reach[k], bins[k])
    return bins, reach, origin, extent


@njit(cache=True)
def _sort_into_bins(fractional, bins, origin, extent):
    """Bin of each atom (three indices), order of atoms by bin, and first place of each bin."""
    n = len(fractional)
    where = np.empty((n, 3), dtype=np.int64)
    flat = np.empty(n, dtype=np.int64)
    begin = np.zeros(bins[0] * bins[1] * bins[2] + 1, dtype=np.int64)
    for atom in range(n):
        for k in range(3):
            b = int((fractional[atom, k] - origin[k]) / extent[k] * bins[k])
            where[atom, k] = min(max(b, 0), bins[k] - 1)
        flat[atom] = (where[atom, 0] * bins[1] + where[atom, 1]) * bins[2] + where[atom, 2]
        begin[flat[atom] + 1] += 1
    for b in range(len(begin) - 1):
        begin[b + 1] += begin[b]
    place = begin[:-1].copy()
    order = np.empty(n, dtype=np.int64)
    for atom in range(n):
        order[place[flat[atom]]] = atom
        place[flat[atom]] += 1
    return where, order, begin


@njit(cache=True)
def _system_pairs(atoms, lattice, cutoff, out):
    positions, low, high = atoms
    cell, inverse, heights, periodic = lattice
    fractional, moved = _wrap(positions, low, high, inverse, periodic)
    bins, reach, origin, extent = _grid(fractional, heights, periodic, cutoff)
    where, order, begin = _sort_into_bins(fractional, bins, origin, extent)
    n = high - low
    xs, ys, zs = np.empty(n), np.empty(n), np.empty(n)
    for place in range(n):
        p, m = positions[low + order[place]], moved[order[place]]
        xs[place] = p[0] - m[0] * cell[0, 0] - m[1] * cell[1, 0] - m[2] * cell[2, 0]
        ys[place] = p[1] - m[0] * cell[0, 1] - m[1] * cell[1, 1] - m[2] * cell[2, 1]
        zs[place] = p[2] - m[0] * cell[0, 2] - m[1] * cell[1, 2] - m[2] * cell[2, 2]
    sorted_atoms = (xs, ys, zs, order, moved, begin, low)
    within = (cell, cutoff)
    grid = (bins, reach, periodic, _images_of_bins(bins, reach))
    for place in range(n):
        _pairs_of_atom(place, where[order[place]], sorted_atoms, within, grid, out)
    _own_images(sorted_atoms, within, heights, periodic, out)


@njit(cache=True)
def _images_of_bins(bins, reach):
    """(3, most) image of the cell in which bin b - reach lies, for all bins that are looked at."""
    images = np.zeros((3, (bins + 2 * reach).max()), dtype=np.int64)
    for k in range(3):
        for b in range(bins[k] + 2 * reach[k]):
            images[k, b] = _floor_divide(b - reach[k], bins[k])
    return images


@njit(cache=True)
def _pairs_of_atom(place, home, sorted_atoms, within, grid, out):
    """Partners sorted after `place`, in every bin and image within reach."""
    begin = sorted_atoms[5]
    bins, reach, periodic, images = grid
    for i in range(home[0], home[0] + 2 * reach[0] + 1):
        u = images[0, i]
        if u != 0 and not periodic[0]:
            continue
        for j in range(home[1], home[1] + 2 * reach[1] + 1):
            v = images[1, j]
            if v != 0 and not periodic[1]:
                continue
            row = ((i - reach[0] - u * bins[0]) * bins[1] + j - reach[1] - v * bins[1]) * bins[2]
            low, high = home[2] - reach[2], home[2] + reach[2]
            for w in range(images[2, home[2]], images[2, home[2] + 2 * reach[2]] + 1):
                if w != 0 and not periodic[2]:
                    continue
                start = max(begin[row + max(0, low - w * bins[2])], place + 1)
                stop = begin[row + min(bins[2] - 1, high - w * bins[2]) + 1]
                if start < stop:
                    _run((place, start, stop), (u, v, w), sorted_atoms, within, out)


@njit(cache=True)
def _run(run, image, sorted_atoms, within, out):
    """Test the atoms sorted from start to stop, moved by `image`, against the atom at `place`."""
    xs, ys, zs, order, moved, _, low = sorted_atoms
    place, start, stop = run
    cell, cutoff = within
    first, second, shifts, vectors, count = out
    found, squared = count[0], cutoff * cutoff
    u, v, w = image
    x = xs[place] - (u * cell[0, 0] + v * cell[1, 0] + w * cell[2, 0])
    y = ys[place] - (u * cell[0, 1] + v * cell[1, 1] + w * cell[2, 1])
    z = zs[place] - (u * cell[0, 2] + v * cell[1, 2] + w * cell[2, 2])
    for other in range(start, stop):
        dx, dy, dz = xs[other] - x, ys[other] - y, zs[other] - z
        if dx * dx + dy * dy + dz * dz < squared:
            if found < len(first):
                i, j = order[place], order[other]
                first[found], second[found] = low + i, low + j
                vectors[found, 0], vectors[found, 1], vectors[found, 2] = dx, dy, dz
                shifts[found, 0] = u - moved[j, 0] + moved[i, 0]
                shifts[found, 1] = v - moved[j, 1] + moved[i, 1]
                shifts[found, 2] = w - moved[j, 2] + moved[i, 2]
            found += 1
    count[0] = found


@njit(cache=True)
def _own_images(sorted_atoms, within, heights, periodic, out):
    """Pairs of an atom with its own images, one of each opposite two."""
    cell, cutoff = within
    most = np.zeros(3, dtype=np.int64)
    for k in range(3):
        if periodic[k]:
            most[k] = int(np.floor(cutoff / heights[k]))
    for a in range(most[0] + 1):
        for b in range(-most[1] if a > 0 else 0, most[1] + 1):
            for c in range(-most[2] if a > 0 or b > 0 else 1, most[2] + 1):
                vector = a * cell[0] + b * cell[1] + c * cell[2]
                if (vector * vector).sum() < cutoff * cutoff:
                    _own_image((a, b, c), vector, sorted_atoms[3], sorted_atoms[6], out)


@njit(cache=True)
def _own_image(image, vector, order, low, out):
    first, second, shifts, vectors, count = out
    for atom in order:
        if count[0] < len(first):
            first[count[0]] = second[count[0]] = low + atom
            vectors[count[0]] = vector
            for k in range(3):
                shifts[count[0], k] = image[k]
        count[0] += 1
