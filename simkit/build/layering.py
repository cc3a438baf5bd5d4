"""Slabs and galleries from heights: which atoms form which TMO2 slab, whatever the origin and wrapping."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.elements import NUMBERS
from simkit.errors import InputError
from simkit.structure import Structure

ANIONS = tuple(NUMBERS[s] for s in ("O", "S", "F", "Se"))
ALKALI_NUMBERS = tuple(NUMBERS[s] for s in ("Li", "Na", "K", "Rb", "Cs"))
FLAT_A = 0.4
"""Least height between the metals of a slab and its anion layers, A."""
BLURS_A = (0.5, 0.65, 0.4)
"""Widths of the Gaussian that smooths the heights of the anions before layers are counted, tried in turn, A."""
STRAY = 0.02
"""Fraction of the anions that may lie nearer to another layer than to their own."""
OCTAHEDRAL = (0.35, 0.65)
"""A cation this far up the space between two anion layers counts as octahedral; tetrahedral ones sit at 1/4, 3/4."""
ADVICE = "the first two cell vectors must span the layers and the third cell vector must be the stacking axis"


@dataclass(frozen=True, eq=False)
class Layering:
    """Slabs 0..N-1 from below.

    slab_of (n,) slab of a metal or anion, -1 for cations between slabs; gallery_of (n,) gallery of a cation
    between slabs, -1 else; level (n,) 0 lower anion, 1 cation, 2 upper anion, -1 between slabs; images (n,)
    multiples of the third vector that bring each atom to its slab (or above it, between slabs); sites number
    of metal sites per slab; heights_A (N, 3) mean height of each level; lettered (n,) bool, the slab atoms whose
    layers carry letters: all, but no tetrahedral cations where most octahedra are empty.
    """

    slab_of: Integers
    gallery_of: Integers
    level: Integers
    images: Integers
    sites: int
    heights_A: Floats
    lettered: np.ndarray

    def __len__(self) -> int:
        return len(self.heights_A)


@dataclass(frozen=True, eq=False)
class _Planes:
    """Anion layers: layer (n,) of each anion (-1 for cations), centres (L,) fractional and rising, cell height;
    space (n,) of each cation (between layer k and k + 1; -1 for anions) and depth (n,) 0 to 1 within it."""

    layer: Integers
    centres: Floats
    height: float
    space: Integers
    depth: Floats

    @property
    def steps_A(self) -> Floats:
        """(L,) height of each space, A."""
        return np.diff(np.append(self.centres, self.centres[0] + 1.0)) * self.height


def find_layers(structure: Structure) -> Layering:
    """Slabs of a structure whose first two cell vectors span the layer plane.

    Anions form layers of equal size, and every second space between them is a slab: the one that
    `structure.layers` calls so, else the one with more octahedral metals, else the thinner one. Metals and
    tetrahedral cations between slabs, kagome sheets and alkali ions within slabs are allowed.
    Raises InputError where no stack of anion layers with metals in every slab is there, saying what was found.
    """
    anion = np.isin(structure.numbers, ANIONS)
    metal = ~anion & ~np.isin(structure.numbers, ALKALI_NUMBERS)
    if not anion.any() or not metal.any():
        raise InputError(f"{structure.formula} is not a layered oxide: it needs both oxygen and slab metals.")
    planes = _planes(structure, anion)
    parity = _parity(structure, planes, metal)
    count = len(planes.centres) // 2
    place = np.where(anion, planes.layer, planes.space) - parity
    between = ~anion & (place % 2 == 1)
    home = place // 2 % count
    middle = (planes.centres + 0.5 * planes.steps_A / planes.height)[parity::2]
    first = _first(structure, home, middle)
    home = (home - first) % count
    middle = np.roll(middle, -first)
    middle = middle[0] % 1.0 + (middle - middle[0]) % 1.0
    level = np.where(anion, 2 * (place % 2), np.where(between, -1, 1))
    fractional = structure.fractional[:, 2]
    images = _images(fractional, middle[home], between)
    slab_of = np.where(between, -1, home)
    sites = len(planes.layer[anion]) // len(planes.centres)
    _require_cations(structure, slab_of[level == 1], count, sites)
    heights = _mean_heights(slab_of, level, (fractional + images) * planes.height, count)
    lettered = _lettered(slab_of, level, planes.depth, sites)
    return Layering(slab_of, np.where(between, home, -1), level, images, sites, heights, lettered)


def _planes(structure: Structure, anion: np.ndarray) -> _Planes:
    height = structure.volume / float(np.linalg.norm(np.cross(structure.cell[0], structure.cell[1])))
    fractional = structure.fractional[:, 2]
    found = 0
    for blur in BLURS_A:
        cut, found = _peaks(fractional[anion], height, blur)
        if found and found % 2 == 0 and int(anion.sum()) % found == 0:
            layer, centres = _ranked(fractional[anion], cut, found)
            if _strays(fractional[anion], layer, centres) <= STRAY:
                break
    else:
        raise InputError(
            f"not layered: the {int(anion.sum())} anions of {structure.formula} form {found} layers across "
            f"{height:.2f} A along the normal of the first two cell vectors, not an even number of equal layers; "
            f"tunnel and three-dimensional phases have no stacking, and {ADVICE}."
        )
    layers = np.full(len(structure), -1)
    layers[anion] = layer
    above = (fractional - centres[0]) % 1.0
    space = np.where(anion, -1, np.searchsorted(centres - centres[0], above, side="right") - 1)
    edges = np.append(centres, centres[0] + 1.0) - centres[0]
    depth = (above - edges[space]) / (edges[space + 1] - edges[space])
    return _Planes(layers, centres, height, space, np.where(anion, 0.0, depth))


def _peaks(fractional: Floats, height: float, blur: float) -> tuple[float, int]:
    """Fractional height of the emptiest place and the number of maxima of the smoothed anion density."""
    size = max(16, int(np.ceil(height / 0.05)))
    counts = np.bincount(np.floor(fractional % 1.0 * size).astype(np.int64) % size, minlength=size)
    waves = 2 * np.pi * np.arange(size // 2 + 1) / height
    density = np.fft.irfft(np.fft.rfft(counts) * np.exp(-0.5 * (waves * blur) ** 2), size)
    density = np.round(density, 9)
    rising = density >= np.roll(density, 1)
    maxima = rising & (density > np.roll(density, -1)) & (density > 0.1 * density.max())
    return (int(np.argmin(density)) + 0.5) / size, int(maxima.sum())


def _ranked(fractional: Floats, cut: float, count: int) -> tuple[Integers, Floats]:
    """Layers of equal size by height above the cut, and their mean heights."""
    above = (fractional - cut) % 1.0
    layer = np.empty(len(above), dtype=np.int64)
    layer[np.argsort(above, kind="stable")] = np.arange(len(above)) // (len(above) // count)
    return layer, cut + np.bincount(layer, above) / (len(above) // count)


def _strays(fractional: Floats, layer: Integers, centres: Floats) -> float:
    """Fraction of the anions that lie more than half-way to a neighbouring layer."""
    lift = fractional - centres[layer]
    lift -= np.round(lift)
    step = np.diff(np.append(centres, centres[0] + 1.0))
    room = np.where(lift > 0, step[layer], step[layer - 1])
    return float((np.abs(lift) > 0.5 * room).mean())


def _parity(structure: Structure, planes: _Planes, metal: np.ndarray) -> int:
    """0 where the spaces 0, 2, 4 ... are slabs, 1 where the others are."""
    inside = (planes.depth * planes.steps_A[planes.space])[metal]
    edge = np.minimum(inside, planes.steps_A[planes.space[metal]] - inside)
    if np.median(edge) < FLAT_A:
        raise InputError(
            f"not layered: metals and anions lie within {np.median(edge):.2f} A of one height, as in spinel and "
            f"rock-salt along a cube axis and tunnel phases along their chains; a slab has its anions at least "
            f"{FLAT_A} A above and below its metals, and {ADVICE}."
        )
    named = _named_parity(structure, planes)
    if named is not None:
        return named
    octahedral = metal & (planes.depth > OCTAHEDRAL[0]) & (planes.depth < OCTAHEDRAL[1])
    for atoms in (octahedral, metal):
        votes = np.bincount(planes.space[atoms] % 2, minlength=2)
        if votes[0] != votes[1]:
            return int(votes[1] > votes[0])
    thin = planes.steps_A[0::2].sum() - planes.steps_A[1::2].sum()
    lowest = int(np.argmin(np.round(planes.centres % 1.0, 6)))
    return lowest % 2 if abs(thin) < 1e-3 else int(thin > 0)


def _named_parity(structure: Structure, planes: _Planes) -> int | None:
    """The parity for which every slab holds anions of one number of `structure.layers` and no two share it."""
    count = len(planes.centres)
    names = structure.layers[planes.layer >= 0]
    if names.min() < 0 or count < 4 or len(np.unique(names)) != count // 2:
        return None
    order = np.lexsort((names, planes.layer[planes.layer >= 0]))
    middle = np.sort(names[order].reshape(count, -1), axis=1)[:, len(names) // count // 2]
    fits = [np.array_equal(np.roll(middle, -p)[0::2], np.roll(middle, -p)[1::2]) for p in (0, 1)]
    return int(fits[1]) if fits[0] != fits[1] else None


def _first(structure: Structure, home: Integers, middle: Floats) -> int:
    """The slab that carries layer 0 where the structure's own layers fit, else the lowest in the cell."""
    zero = structure.layers == 0
    if structure.layers.max() + 1 == len(middle) and zero.any():
        return int(np.bincount(home[zero]).argmax())
    return int(np.argmin(np.round(middle % 1.0, 6) % 1.0))


def _images(fractional: Floats, middle: Floats, between: np.ndarray) -> Integers:
    """Multiples of the third vector that bring an atom next to its slab, or above it."""
    turns = np.where(between, np.ceil(middle - fractional), np.round(middle - fractional))
    return turns.astype(np.int64)


def _require_cations(structure: Structure, slab: Integers, count: int, sites: int) -> None:
    cations = np.bincount(slab, minlength=count)
    wrong = np.flatnonzero((cations > sites) | (cations == 0))
    if len(wrong):
        j = int(wrong[0])
        raise InputError(
            f"{structure.formula} is not a stack of MO2 slabs along its third cell vector: slab {j} of {count} has "
            f"{2 * sites} anions around {cations[j]} cations; every slab needs at least one cation and at most half "
            f"as many as anions; {ADVICE}."
        )


def _lettered(slab_of: Integers, level: Integers, depth: Floats, sites: int) -> np.ndarray:
    inside = slab_of >= 0
    octahedral = inside & (level == 1) & (depth > OCTAHEDRAL[0]) & (depth < OCTAHEDRAL[1])
    count = int(slab_of.max()) + 1
    number = np.bincount(slab_of[octahedral], minlength=count)
    mixed = (number > 0) & (2 * number < sites)
    return inside & ~((level == 1) & ~octahedral & mixed[slab_of])


def _mean_heights(slab_of: Integers, level: Integers, height: Floats, count: int) -> Floats:
    inside = slab_of >= 0
    flat = slab_of[inside] * 3 + level[inside]
    number = np.bincount(flat, minlength=3 * count)
    total = np.bincount(flat, height[inside], minlength=3 * count)
    return (total / number).reshape(count, 3)
