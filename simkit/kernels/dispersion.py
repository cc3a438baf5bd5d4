"""D3 dispersion with Becke-Johnson damping, pairs only, with atomic virials, in any cell."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numba import get_num_threads, njit
from numpy.typing import NDArray

from simkit.errors import InputError

STEEPNESS = 16.0
"""k1 of the coordination number (Grimme et al., J. Chem. Phys. 132, 154104, 2010)."""
WEIGHT_WIDTH = 4.0
"""k3 of the weights of the reference systems."""


@dataclass(frozen=True, eq=False)
class D3Table:
    """Reference data of the species present, in eV and A.

    c6 (s, s, r, r) eV A^6 of each pair of reference systems, coordination (s, r) of each reference system,
    references (s,) how many there are, radius (s,) covalent radii times 4/3, r42 (s,) expectation values,
    and s6, s8, a1 (no unit), a2 (A) of the functional.
    """

    c6: NDArray[np.float64]
    coordination: NDArray[np.float64]
    references: NDArray[np.int64]
    radius: NDArray[np.float64]
    r42: NDArray[np.float64]
    s6: float
    s8: float
    a1: float
    a2: float


@dataclass(frozen=True)
class Cutoffs:
    """Lengths beyond which pairs (dispersion) and contacts (coordination number) are left out, A.

    Both fade out over the last share `fading` of their cutoff (0: cut off sharply), so that energies, forces and
    stress belong to one smooth function.
    """

    pair_A: float
    contact_A: float
    fading: float


def dispersion(
    system: tuple[NDArray, NDArray, NDArray], species: NDArray, table: D3Table, cutoffs: Cutoffs
) -> tuple[float, NDArray, NDArray]:
    """Energy (eV), forces (n, 3) eV/A and virials (n, 3, 3) eV of one system.

    E = -1/2 sum C6_ij [s6 / (r^6 + R^6) + s8 (C8/C6) / (r^8 + R^8)], R = a1 sqrt(C8/C6) + a2
    (Grimme, Ehrlich, Goerigk, J. Comput. Chem. 32, 1456, 2011). system is positions (n, 3) A, cell (3, 3) A
    and periodic (3,); species (n,) indexes the table. Virials go half to each end of a pair. Raises
    InputError on positions that are not finite.
    """
    positions, cell, periodic = system
    positions = np.ascontiguousarray(positions, dtype=np.float64)
    if not np.isfinite(positions).all():
        raise InputError("positions hold numbers that are not finite; dispersion cannot be computed.")
    n = len(positions)
    cell = np.ascontiguousarray(cell, dtype=np.float64)
    lattice = (cell, np.linalg.inv(cell), _heights(cell), np.ascontiguousarray(periodic, dtype=np.bool_))
    species = np.ascontiguousarray(species, dtype=np.int64)
    buffer = np.empty((_most_images(lattice, max(cutoffs.pair_A, cutoffs.contact_A)), 3))
    contact = np.zeros(n)
    close = (lattice, cutoffs.contact_A, cutoffs.fading * cutoffs.contact_A, buffer)
    far = (lattice, cutoffs.pair_A, cutoffs.fading * cutoffs.pair_A, buffer)
    _coordination(positions, species, table.radius, close, contact)
    weights, slopes = np.zeros((n, table.c6.shape[2])), np.zeros((n, table.c6.shape[2]))
    _weights(contact, species, (table.coordination, table.references), weights, slopes)
    out = (np.zeros((n, 3)), np.zeros((n, 3, 3)), np.zeros(n))
    tables = (table.c6, table.r42, (table.s6, table.s8, table.a1, table.a2), weights, slopes)
    energy = _pair_sum(positions, species, tables, far, out)
    _contact_sum(positions, species, table.radius, close, out)
    forces, virials, _ = out
    return energy, forces, virials


def dispersion_of_each(
    systems: list[tuple[NDArray, NDArray, NDArray]], species: list[NDArray], table: D3Table, cutoffs: Cutoffs
) -> list[tuple[float, NDArray, NDArray]]:
    """`dispersion` of several systems, in as many threads as numba is given."""
    if len(systems) == 1:
        return [dispersion(systems[0], species[0], table, cutoffs)]
    with ThreadPoolExecutor(get_num_threads()) as pool:
        return list(pool.map(lambda s, kinds: dispersion(s, kinds, table, cutoffs), systems, species))


def _heights(cell: NDArray) -> NDArray:
    normals = np.cross(np.roll(cell, -1, axis=0), np.roll(cell, -2, axis=0))
    return abs(np.linalg.det(cell)) / np.linalg.norm(normals, axis=1)


def _most_images(lattice: tuple, cutoff: float) -> int:
    """Images of one atom that can lie within the cutoff of another, an upper bound."""
    _, _, heights, periodic = lattice
    return int(np.where(periodic, np.floor(2 * cutoff / heights) + 2, 1).prod())


@njit(cache=True, nogil=True)
def _images(origin, lattice, cutoff, buffer):
    """Vectors origin + n @ cell shorter than the cutoff; returns how many."""
    cell, inverse, heights, periodic = lattice
    low, high = np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.int64)
    for k in range(1, 3):
        if periodic[k]:
            f = origin[0] * inverse[0, k] + origin[1] * inverse[1, k] + origin[2] * inverse[2, k]
            low[k] = int(np.ceil(-cutoff / heights[k] - f))
            high[k] = int(np.floor(cutoff / heights[k] - f))
    found = 0
    for c in range(low[2], high[2] + 1):
        for b in range(low[1], high[1] + 1):
            x = origin[0] + b * cell[1, 0] + c * cell[2, 0]
            y = origin[1] + b * cell[1, 1] + c * cell[2, 1]
            z = origin[2] + b * cell[1, 2] + c * cell[2, 2]
            found = _line((x, y, z), cell[0], periodic[0], cutoff, buffer, found)
    return found


@njit(cache=True, nogil=True)
def _line(start, step, repeats, cutoff, buffer, found):
    """Points start + n step inside the sphere, appended to `buffer`."""
    x, y, z = start
    limit = cutoff * cutoff - (x * x + y * y + z * z)
    first, last = 0, 0 if limit > 0.0 else -1
    if repeats:
        length = step[0] * step[0] + step[1] * step[1] + step[2] * step[2]
        along = x * step[0] + y * step[1] + z * step[2]
        root = along * along + length * limit
        if root <= 0.0:
            return found
        first = int(np.ceil((-along - np.sqrt(root)) / length))
        last = int(np.floor((-along + np.sqrt(root)) / length))
    for n in range(first, last + 1):
        buffer[found, 0], buffer[found, 1], buffer[found, 2] = x + n * step[0], y + n * step[1], z + n * step[2]
        found += 1
    return found


@njit(cache=True, nogil=True)
def _fade(r, cutoff, width):
    """The switch 1 - 10 t^3 + 15 t^4 - 6 t^5 over the last `width` before the cutoff, and its derivative."""
    if r <= cutoff - width:
        return 1.0, 0.0
    t = (r - cutoff + width) / width
    return 1.0 - t**3 * (10.0 - 15.0 * t + 6.0 * t * t), -30.0 * t * t * (1.0 - t) ** 2 / width


@njit(cache=True, nogil=True)
def _coordination(positions, species, radius, search, contact):
    lattice, cutoff, width, buffer = search
    for i in range(len(positions)):
        for j in range(i, len(positions)):
            total, reach = 0.0, radius[species[i]] + radius[species[j]]
            for k in range(_images(positions[j] - positions[i], lattice, cutoff, buffer)):
                r = np.sqrt(buffer[k, 0] ** 2 + buffer[k, 1] ** 2 + buffer[k, 2] ** 2)
                if r > 1e-8:
                    fade, _ = _fade(r, cutoff, width)
                    total += fade / (1.0 + np.exp(-STEEPNESS * (reach / r - 1.0)))
            contact[i] += total
            if j != i:
                contact[j] += total


@njit(cache=True, nogil=True)
def _weights(contact, species, references, weights, slopes):
    """Normalised Gaussian weights of the reference systems and their derivatives with the coordination number."""
    coordination, count = references
    for i in range(len(contact)):
        s, best = species[i], np.inf
        for a in range(count[s]):
            best = min(best, (contact[i] - coordination[s, a]) ** 2)
        norm, slope = 0.0, 0.0
        for a in range(count[s]):
            d = contact[i] - coordination[s, a]
            weights[i, a] = np.exp(-WEIGHT_WIDTH * (d * d - best))
            slopes[i, a] = -2.0 * WEIGHT_WIDTH * d * weights[i, a]
            norm += weights[i, a]
            slope += slopes[i, a]
        for a in range(count[s]):
            slopes[i, a] = slopes[i, a] / norm - weights[i, a] * slope / norm**2
            weights[i, a] /= norm


@njit(cache=True, nogil=True)
def _c6(i, j, reference, weights, slopes):
    """C6 of two atoms and its derivatives with their coordination numbers."""
    value, by_i, by_j = 0.0, 0.0, 0.0
    for a in range(reference.shape[0]):
        for b in range(reference.shape[1]):
            c = reference[a, b]
            value += c * weights[i, a] * weights[j, b]
            by_i += c * slopes[i, a] * weights[j, b]
            by_j += c * weights[i, a] * slopes[j, b]
    return value, by_i, by_j


@njit(cache=True, nogil=True)
def _pair_sum(positions, species, tables, search, out):
    c6_table, r42, (s6, s8, a1, a2), weights, slopes = tables
    lattice, cutoff, width, buffer = search
    forces, virials, by_contact = out
    energy, w, inner2 = 0.0, np.empty(6), (cutoff - width) ** 2
    for i in range(len(positions)):
        for j in range(i, len(positions)):
            c6, by_i, by_j = _c6(i, j, c6_table[species[i], species[j]], weights, slopes)
            ratio = 3.0 * r42[species[i]] * r42[species[j]]
            damp = (a1 * np.sqrt(ratio) + a2) ** 2
            damp6, damp8 = damp**3, damp**4
            total, gx, gy, gz = 0.0, 0.0, 0.0, 0.0
            w[:] = 0.0
            for k in range(_images(positions[j] - positions[i], lattice, cutoff, buffer)):
                x, y, z = buffer[k, 0], buffer[k, 1], buffer[k, 2]
                r2 = x * x + y * y + z * z
                if r2 < 1e-16:
                    continue
                r4 = r2 * r2
                t6, t8 = 1.0 / (r4 * r2 + damp6), 1.0 / (r4 * r4 + damp8)
                value = s6 * t6 + s8 * ratio * t8
                slope = 6.0 * s6 * r4 * t6 * t6 + 8.0 * s8 * ratio * r4 * r2 * t8 * t8
                if r2 > inner2:
                    r = np.sqrt(r2)
                    fade, steepness = _fade(r, cutoff, width)
                    slope, value = slope * fade - value * steepness / r, value * fade
                total += value
                gx, gy, gz = gx + slope * x, gy + slope * y, gz + slope * z
                w[0] += slope * x * x
                w[1] += slope * y * y
                w[2] += slope * z * z
                w[3] += slope * y * z
                w[4] += slope * x * z
                w[5] += slope * x * y
            share = 0.5 if i == j else 1.0
            energy -= share * c6 * total
            by_contact[i] -= share * by_i * total
            by_contact[j] -= share * by_j * total
            _add((i, j), share * c6, (gx, gy, gz), w, (forces, virials))
    return energy


@njit(cache=True, nogil=True)
def _contact_sum(positions, species, radius, search, out):
    """Forces and virials through the coordination numbers."""
    lattice, cutoff, width, buffer = search
    forces, virials, by_contact = out
    w = np.empty(6)
    for i in range(len(positions)):
        for j in range(i, len(positions)):
            factor = by_contact[i] + (by_contact[j] if j != i else 0.0)
            reach = radius[species[i]] + radius[species[j]]
            gx, gy, gz = 0.0, 0.0, 0.0
            w[:] = 0.0
            for k in range(_images(positions[j] - positions[i], lattice, cutoff, buffer)):
                x, y, z = buffer[k, 0], buffer[k, 1], buffer[k, 2]
                r = np.sqrt(x * x + y * y + z * z)
                if r < 1e-8:
                    continue
                e = np.exp(-STEEPNESS * (reach / r - 1.0))
                fade, steepness = _fade(r, cutoff, width)
                slope = fade * -STEEPNESS * reach * e / (r * r * r * (1.0 + e) ** 2) + steepness / (r * (1.0 + e))
                gx, gy, gz = gx + slope * x, gy + slope * y, gz + slope * z
                w[0] += slope * x * x
                w[1] += slope * y * y
                w[2] += slope * z * z
                w[3] += slope * y * z
                w[4] += slope * x * z
                w[5] += slope * x * y
            _add((i, j), factor, (gx, gy, gz), w, (forces, virials))


@njit(cache=True, nogil=True)
def _add(ends, factor, g, w, out):
    """Add a pair's derivative g = factor dE/d(vector) to forces, and half its virial to each end."""
    forces, virials = out
    for k in range(3):
        forces[ends[0], k] += factor * g[k]
        forces[ends[1], k] -= factor * g[k]
    for atom in ends:
        for k in range(3):
            virials[atom, k, k] += 0.5 * factor * w[k]
        for k, (p, q) in enumerate(((1, 2), (0, 2), (0, 1))):
            virials[atom, p, q] += 0.5 * factor * w[3 + k]
            virials[atom, q, p] += 0.5 * factor * w[3 + k]
