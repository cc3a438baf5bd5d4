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
SHEET_BREAK_A = 1.5
"""Two metal sheets are apart when no metal lies within this height between them, A."""
FLAT_A = 0.4
"""Least height between the metals of a slab and its anions, A."""
IN_SLAB_A = 1.0
"""An alkali ion closer than this to a metal sheet belongs to the slab, A."""


@dataclass(frozen=True, eq=False)
class Layering:
    """Slabs 0..N-1 from below.

    slab_of (n,) slab of a metal or anion, -1 for gallery ions; gallery_of (n,) gallery of an ion, -1 else;
    level (n,) 0 lower anion, 1 cation, 2 upper anion, -1 ion; images (n,) multiples of the third vector
    that bring each atom to its slab (or above it, for ions); sites number of metal sites per slab;
    heights_A (N, 3) mean height of each level.
    """

    slab_of: Integers
    gallery_of: Integers
    level: Integers
    images: Integers
    sites: int
    heights_A: Floats

    def __len__(self) -> int:
        return len(self.heights_A)


def find_layers(structure: Structure) -> Layering:
    """Slabs of a structure whose first two cell vectors span the layer plane.

    Raises InputError where no stack of MO2 slabs with alkali between them is there, saying what was found.
    """
    anion = np.isin(structure.numbers, ANIONS)
    alkali = np.isin(structure.numbers, ALKALI_NUMBERS)
    if not anion.any() or not (~anion & ~alkali).any():
        raise InputError(f"{structure.formula} is not a layered oxide: it needs both oxygen and slab metals.")
    height = structure.volume / np.linalg.norm(np.cross(structure.cell[0], structure.cell[1]))
    fractional = structure.fractional[:, 2]
    centres = _numbered(_sheet_centres(fractional[~anion & ~alkali] % 1.0, height), fractional, structure)
    count = len(centres)
    offset = fractional[:, None] - centres[None, :]
    offset -= np.round(offset)
    slab = np.argmin(np.abs(offset), axis=1)
    lift = offset[np.arange(len(slab)), slab]
    images = np.round(centres[slab] + lift - fractional).astype(np.int64)
    ion = alkali & (np.abs(lift) * height > IN_SLAB_A)
    below = ion & (lift < 0)
    images[below & (slab == 0)] += 1
    gallery = np.where(ion, np.where(below, slab - 1, slab) % count, -1)
    slab_of = np.where(ion, -1, slab)
    sites = _sites_per_slab(slab_of, anion, count, structure)
    level = np.where(ion, -1, 1)
    level[anion] = _halves(slab[anion], lift[anion])
    heights = _mean_heights(slab_of, level, (fractional + images) * height, count)
    if np.diff(heights, axis=1).min() < FLAT_A:
        raise InputError(
            f"not layered: metals and anions lie within {np.diff(heights, axis=1).min():.2f} A of one height; a "
            f"slab has its anions at least {FLAT_A} A above and below its metals."
        )
    return Layering(slab_of, gallery, level, images, sites, heights)


def _sheet_centres(fractional: Floats, height: float) -> Floats:
    """Centres (fractional, sorted) of the metal sheets on a circle of circumference `height`."""
    values = np.sort(fractional)
    steps = np.append(values[1:], values[0] + 1.0) - values
    cuts = np.flatnonzero(steps * height > SHEET_BREAK_A)
    if len(cuts) == 0:
        raise InputError(
            f"not layered: no gap of {SHEET_BREAK_A} A without metals along the normal of the first two cell "
            "vectors; the third cell vector must be the stacking axis."
        )
    first = cuts[0] + 1
    unrolled = np.concatenate([values[first:], values[:first] + 1.0])
    label = np.concatenate([[0], np.cumsum(np.roll(steps, -first)[:-1] * height > SHEET_BREAK_A)])
    return np.sort(np.bincount(label, unrolled) / np.bincount(label) % 1.0)


def _numbered(centres: Floats, fractional: Floats, structure: Structure) -> Floats:
    """Start with the sheet that carries layer 0 where the structure's own layers fit, else the lowest."""
    zero = structure.layers == 0
    if structure.layers.max() + 1 != len(centres) or not zero.any():
        return centres
    wave = np.exp(2j * np.pi * fractional[zero]).mean()
    offset = centres - np.angle(wave) / (2 * np.pi)
    start = int(np.argmin(np.abs(offset - np.round(offset))))
    return np.concatenate([centres[start:], centres[:start] + 1.0])


def _sites_per_slab(slab_of: Integers, anion: np.ndarray, count: int, structure: Structure) -> int:
    anions = np.bincount(slab_of[anion & (slab_of >= 0)], minlength=count)
    cations = np.bincount(slab_of[~anion & (slab_of >= 0)], minlength=count)
    sites = int(anions[0]) // 2
    wrong = np.flatnonzero((anions != 2 * sites) | (cations > sites) | (sites == 0))
    if len(wrong):
        j = int(wrong[0])
        raise InputError(
            f"{structure.formula} is not a stack of MO2 slabs along its third cell vector: sheet {j} of {count} "
            f"has {anions[j]} anions around {cations[j]} cations; every slab needs the same even "
            f"number ({anions[0]} as in slab 0) and at most half as many cations."
        )
    return sites


def _halves(slab: Integers, lift: Floats) -> Integers:
    """0 for the lower and 2 for the upper half of the anions of each slab, by height."""
    order = np.lexsort((lift, slab))
    grouped = slab[order]
    rank = np.arange(len(order)) - np.searchsorted(grouped, grouped)
    half = np.bincount(slab)[grouped] // 2
    level = np.empty(len(slab), dtype=np.int64)
    level[order] = np.where(rank < half, 0, 2)
    return level


def _mean_heights(slab_of: Integers, level: Integers, height: Floats, count: int) -> Floats:
    inside = slab_of >= 0
    flat = slab_of[inside] * 3 + level[inside]
    number = np.bincount(flat, minlength=3 * count)
    total = np.bincount(flat, height[inside], minlength=3 * count)
    return (total / number).reshape(count, 3)
