"""First guesses of bands: straight, or around what stands in the way where that costs less."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simkit import solve
from simkit.errors import InputError
from simkit.potential.base import Potential
from simkit.workflows.hops.ends import Ready

HIGH_EV = 1.0
"""A first guess that rises farther above its ends may run into something: relaxed, hops of alkali ions cost less."""
ASIDE_A = 1.2
"""How far aside the ion is then led, half way: to the corner of a hexagon with oxygens over its middle, A."""
LEVEL_EV_PER_A = 0.1
"""Where less than this pushes the ion off its line half way, symmetry may hold the band on a ridge."""
NUDGE_A = 0.3
"""How far the ion is then led off the line, half way, A."""


@dataclass(frozen=True, eq=False)
class _Tried:
    """A first guess, how far it rises (eV), and what pushes the ion off its line half way (eV/A)."""

    band: solve.Hop
    rise: float
    aside: float


def guessed(potential: Potential, hops: Mapping[int, Ready], images: int) -> dict[int, solve.Hop]:
    """The band of each hop: straight, or led aside where straight is no good start.

    A guess that climbs high is led around where that climbs less. One that nothing pushes aside half way lies on a
    symmetric line, which may be a ridge: it is led a little to the side where it climbs least, so that the band can
    fall into the path beside it. One evaluation of every image of each guess; a given place on the way is kept.
    """
    bands = {k: solve.Hop(*(end.structure for end in hops[k].ends), hops[k].through) for k in hops}
    ions = {k: hops[k].chosen.hop.moving for k in hops}
    plain = [k for k, band in bands.items() if band.through is None]
    straight = dict(zip(plain, _tried(potential, [(bands[k], ions[k]) for k in plain], images), strict=True))
    steep = {k: ASIDE_A for k, one in straight.items() if one.rise > HIGH_EV}
    level = {k: NUDGE_A for k, one in straight.items() if k not in steep and one.aside < LEVEL_EV_PER_A}
    ways = [(k, way) for k, far in (steep | level).items() for way in _around(bands[k], ions[k], images, far)]
    told = _tried(potential, [(way, ions[k]) for k, way in ways], images)
    for k in steep | level:
        mine = [one for (owner, _), one in zip(ways, told, strict=True) if owner == k]
        mine += [straight[k]] if k in steep or not mine else []
        bands[k] = min(mine, key=lambda one: one.rise).band
    return bands


def _around(band: solve.Hop, ion: int, images: int, far_A: float) -> list[solve.Hop]:
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
        middle[ion] = middle[ion] + far_A * aside
        way = solve.Hop(start, end, start.moved_to(middle))
        try:
            solve.first_guess(way, images)
        except InputError:
            continue
        ways.append(way)
    return ways


def _tried(potential: Potential, bands: Sequence[tuple[solve.Hop, int]], images: int) -> list[_Tried]:
    """What becomes of the first guess of each band and its ion; infinite rises where energies are no numbers."""
    if not bands:
        return []
    guesses = [solve.first_guess(band, images) for band, _ in bands]
    shown = [band.initial.moved_to(x) for (band, _), guess in zip(bands, guesses, strict=True) for x in guess[:-1]]
    said = potential.evaluate(shown)
    found = []
    for k, ((band, ion), guess) in enumerate(zip(bands, guesses, strict=True)):
        mine = said[k * (images + 1) : (k + 1) * (images + 1)]
        rise = max(e.energy for e in mine[1:]) - mine[0].energy
        middle = (images + 1) // 2
        along = guess[-1][ion] - guess[0][ion]
        force = mine[middle].forces[ion]
        aside = force - (force @ along) * along / (along @ along)
        found.append(_Tried(band, float(rise) if np.isfinite(rise) else np.inf, float(np.linalg.norm(aside))))
    return found
