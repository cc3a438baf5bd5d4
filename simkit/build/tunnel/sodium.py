"""Alkali ions for the spare oxygen of an interface: openings wide enough for voids, and the ions in them.

The other way to be rid of spare oxygen, sharing the oxygen layer between the two blocks, has no placement: at the
planes of `interface.RECOMMENDED`, with P2 at a = 2.88 A, a search over rigid shifts (a/8 by 0.15 A) and heights
(0.15 A) finds none at which even one anion of both faces coincides (0.7 A) while all others stay 2.3 A apart, metals
2.5 A apart and metals and anions 1.7 A.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simkit.arrays import Floats
from simkit.build.scaffold import Region, Scaffold
from simkit.build.tunnel.join import Contact, Joint, joined, with_ions
from simkit.build.tunnel.slice import CENTRES, Slice
from simkit.build.tunnel.voids import Zone, interface_voids
from simkit.errors import InputError

WIDER_A = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)
"""Openings tried beyond the least one, A."""
BEYOND_A = 3.0
"""How far behind the extreme anions of either block voids are looked for, A."""


def spare_anions(pair: tuple[Slice, Slice]) -> int:
    """Anions of two blocks beyond two per metal."""
    roles = np.concatenate([item.role for item in pair])
    return int((roles == "anion").sum() - 2 * np.isin(roles, CENTRES).sum())


def filled_joint(pair: tuple[Slice, Slice], found: Joint, contact: Contact, wanted: int) -> tuple[Joint, list[Floats]]:
    """The two interfaces, both opened as little as gives the most voids (or the wanted number), and those voids."""
    best: tuple[int, Joint, list[Floats]] | None = None
    for extra in WIDER_A:
        wide = _wider(found, extra)
        voids = _voids(pair, wide, contact)
        room = min(sum(len(v) for v in voids), wanted)
        if best is None or room > best[0]:
            best = room, wide, voids
        if room == wanted:
            break
    return best[1:]


def sodium_region(scaffold: Scaffold, voids: list[Floats], wanted: int, region: Region) -> Scaffold:
    """The scaffold with the voids of both interfaces as alkali sites, `wanted` of which are to be filled.

    Raises InputError where more ions are wanted than there are voids.
    """
    points = np.concatenate(voids)
    if wanted > len(points):
        raise InputError(
            f"{wanted} ions are wanted in interface voids, but {len(points)} fit ({len(voids[0])} and {len(voids[1])} "
            f"in the two interfaces): ask for at most {len(points)}, or open them with contact.extra_A."
        )
    share = wanted / len(points) if len(points) else 0.0
    return with_ions(scaffold, points, replace(region, composition=replace(region.composition, content=share)), "void")


def _wider(found: Joint, extra_A: float) -> Joint:
    first, second = (
        replace(r, lift_A=r.lift_A + extra_A, opening_A=r.opening_A + extra_A) for r in (found.first, found.second)
    )
    return Joint(first, second)


def _voids(pair: tuple[Slice, Slice], found: Joint, contact: Contact) -> list[Floats]:
    lower, upper = pair
    scaffold = joined(lower, upper, found)
    above = np.arange(len(scaffold)) >= len(lower)
    lift, height = found.first.lift_A, float(scaffold.cell[2, 2])
    spans = (
        (lower.ends_A[1] - BEYOND_A, upper.ends_A[0] + lift + BEYOND_A),
        (upper.ends_A[1] + lift - BEYOND_A, lower.ends_A[0] + height + BEYOND_A),
    )
    return [interface_voids(scaffold, Zone(low, high, above), contact.clearance) for low, high in spans]
