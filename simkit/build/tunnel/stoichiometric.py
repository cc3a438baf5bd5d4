"""Stoichiometric blocks: cuts between whole lattice planes that leave neither spare anions nor a dipole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simkit.arrays import Floats
from simkit.build.tunnel.slice import CENTRES, Oriented, Slice, carved

LEVEL_A = 1e-2
"""Atoms nearer than this along the normal lie in one plane, A."""
DIPOLE = 0.01
"""A plane is free of dipole where sum q z over one spacing is below this share of sum |q| times the spacing."""


def spare_anions(crystal: Oriented, piece: Slice) -> float:
    """Anions of a block beyond the number that its centres have in the crystal."""
    own, here = crystal.crystal.role, piece.role
    centres = CENTRES if crystal.whole else ("alkali",)
    per_centre = (own == "anion").sum() / np.isin(own, centres).sum()
    return float((here == "anion").sum() - per_centre * np.isin(here, centres).sum())


def plane_block(crystal: Oriented, layers: int, height_A: float) -> Slice:
    """Exactly `layers` times the atoms of one spacing, all that lie between two cuts; polyhedra are cut apart.

    height_A  of the lower cut, as from `plane_cuts`
    """
    return carved(replace(crystal, whole=False), height_A, height_A + layers * crystal.spacing_A)


def plane_cuts(crystal: Oriented, charges: Floats) -> tuple[Floats, Floats, Floats]:
    """Heights of all cuts between atomic planes, A, the bonds each cuts per nm^2, and the dipole it leaves.

    charges  (m,) formal charge of every site, summing to zero over the crystal
    The dipole is sum q z over one spacing above the cut, over sum |q| times the spacing: zero where the planes are
    neutral or symmetric (Tasker, J. Phys. C 12, 4977, 1979, types 1 and 2), beyond `DIPOLE` where they are polar.
    """
    z, d = crystal.crystal.positions[:, 2], crystal.spacing_A
    levels = np.sort(z % d)
    levels = levels[np.append(True, np.diff(levels) > LEVEL_A)]
    heights = 0.5 * (levels + np.append(levels[1:], levels[0] + d))
    inside = (z[None] - heights[:, None]) % d
    dipole = inside @ charges / (np.abs(charges).sum() * d)
    pairs = crystal.pairs
    start = z[crystal.centres][pairs.point]
    ends = start, z[crystal.anions][pairs.atom] + pairs.shift[:, 2] * d
    counts = np.floor((np.maximum(*ends) - heights[:, None]) / d) - np.floor((np.minimum(*ends) - heights[:, None]) / d)
    area = float(np.linalg.det(crystal.plane))
    return heights % d, 100.0 * counts.sum(axis=1) / area, dipole


def neutral_cut(crystal: Oriented, charges: Floats, polar: bool = False) -> float | None:
    """Height of the cut between planes that breaks fewest bonds and leaves no dipole, A; None where there is none.

    polar  where all leave one, take the least that points up, so that the ends of two such blocks are opposite
    """
    heights, bonds, dipole = plane_cuts(crystal, charges)
    good = np.abs(dipole) < DIPOLE
    if not good.any():
        if not polar:
            return None
        upwards = np.where(dipole > 0, dipole, np.inf)
        good = upwards <= upwards.min() + 1e-6
    order = np.lexsort((heights[good], np.round(bonds[good], 6)))
    return float(heights[good][order[0]])
