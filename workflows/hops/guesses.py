"""First guesses of bands: straight, or around what stands in the way where that costs less."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from simkit import solve
from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.potential.base import Potential
from simkit.structure import Structure
from simkit.workflows.hops.ends import Ready

HIGH_EV = 3.0
"""A first guess that rises farther above its ends runs into something: real hops of alkali ions cost a third of it."""
ASIDE_A = 1.2
"""How far aside the ion is led, half way: to the corner of the hexagon whose middle lies between two oxygens, A."""


def guessed(potential: Potential, hops: Mapping[int, Ready], images: int) -> dict[int, solve.Hop]:
    """The band of each hop, led aside where its first guess climbs high and a way around climbs less.

    One evaluation of every image of each guess tried; hops with a given place on the way keep it.
    """
    bands = {k: solve.Hop(*(end.structure for end in hop.ends), hop.through) for k, hop in hops.items()}
    plain = {k: band for k, band in bands.items() if band.through is None}
    rises = _rises(potential, list(plain.values()), images)
    steep = [k for k, rise in zip(plain, rises, strict=True) if rise > HIGH_EV]
    tried = [(k, way) for k in steep for way in _around(bands[k], hops[k].chosen.hop.moving, images)]
    levels = _rises(potential, [way for _, way in tried], images)
    best = {k: rise for k, rise in zip(plain, rises, strict=True)}
    for (k, way), rise in zip(tried, levels, strict=True):
        if rise < best[k]:
            best[k], bands[k] = rise, way
    return bands


def _around(band: solve.Hop, ion: int, images: int) -> list[solve.Hop]:
    """The same band led aside in four directions across the way of the ion; those that can be interpolated."""
    start, end = band.initial, band.final
    fractional = (end.positions - start.positions) @ np.linalg.inv(start.cell)
    step = (fractional - np.round(fractional)) @ start.cell
    along = step[ion] / np.linalg.norm(step[ion])
    normal = np.cross(start.cell[0], start.cell[1])
    side = np.cross(normal, along)
    side = side if np.linalg.norm(side) > 1e-6 * np.linalg.norm(normal) else np.cross(along, start.cell[0])
    side = side / np.linalg.norm(side)
    over = np.cross(along, side)
    ways = []
    for aside in (side, -side, over, -over):
        middle = start.positions + 0.5 * step
        middle[ion] = middle[ion] + ASIDE_A * aside
        way = solve.Hop(start, end, start.moved_to(middle))
        try:
            solve.first_guess(way, images)
        except InputError:
            continue
        ways.append(way)
    return ways


def _rises(potential: Potential, bands: Sequence[solve.Hop], images: int) -> list[float]:
    """Highest energy of the first guess of each band above its first structure, eV; infinite where it is no number."""
    if not bands:
        return []
    shown: list[Structure] = []
    for band in bands:
        guess: Floats = solve.first_guess(band, images)
        shown += [band.initial, *(band.initial.moved_to(x) for x in guess[1:-1])]
    energies = np.array([e.energy for e in potential.evaluate(shown)]).reshape(len(bands), images + 1)
    rises = energies[:, 1:].max(axis=1) - energies[:, 0]
    return np.where(np.isfinite(rises), rises, np.inf).tolist()
