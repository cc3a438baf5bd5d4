"""Registry of two blocks: over a grid of in-plane shifts, the least opening that keeps every pair apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats
from simkit.build.arguments import require_number
from simkit.build.scaffold import ROLES
from simkit.build.tunnel.slice import Slice
from simkit.kernels.openings import least_lifts

DEPTH_A = 5.0
"""Sites farther than this from the extreme anion of their block do not meet the other block, A."""

MOST_A = 6.0
"""No two neighbours are asked to stay farther apart than this, A."""
STARTS, HALVINGS = 6, 6
"""How many of the best grid points are refined, and how often the step is halved around each."""


@dataclass(frozen=True)
class Clearance:
    """Least distances between sites of two different blocks, A.

    metal_oxygen_A lies beyond the coordination shell, so that no polyhedron gains a corner from the other block.
    Raises InputError for anything but numbers from 0 to 6 A.
    """

    oxygen_oxygen_A: float = 2.46
    metal_oxygen_A: float = 2.85
    alkali_oxygen_A: float = 2.26
    alkali_alkali_A: float = 2.65
    metal_metal_A: float = 2.70
    alkali_metal_A: float = 2.70

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            object.__setattr__(self, name, require_number(name, getattr(self, name), 0.0, MOST_A))

    @property
    def table(self) -> Floats:
        """(4, 4) by role: anion, metal, alkali, tetrahedral."""
        oo, mo, ao = self.oxygen_oxygen_A, self.metal_oxygen_A, self.alkali_oxygen_A
        mm, am, aa = self.metal_metal_A, self.alkali_metal_A, self.alkali_alkali_A
        return np.array([[oo, mo, ao, mo], [mo, mm, am, mm], [ao, am, aa, am], [mo, mm, am, mm]])


@dataclass(frozen=True)
class Registry:
    """One way to put a block on another.

    shift_A    in-plane displacement of the upper block, A
    lift_A     added to the upper block's heights, A
    opening_A  lowest anion of the upper minus highest anion of the lower block, A
    """

    shift_A: tuple[float, float]
    lift_A: float
    opening_A: float


def shift_grid(plane: Floats, n1: int, n2: int) -> Floats:
    """(n1 n2, 2) in-plane shifts, A: a regular grid over the in-plane cell."""
    grid = np.stack(np.meshgrid(np.arange(n1) / n1, np.arange(n2) / n2, indexing="ij"), -1).reshape(-1, 2)
    return grid @ plane


def openings(lower: Slice, upper: Slice, shifts: Floats, clearance: Clearance) -> Floats:
    """(shifts,) least lift of the upper block's heights at which all pairs of the two blocks keep their distance, A.

    A pair at lateral distance rho < r needs z_upper + lift - z_lower >= sqrt(r^2 - rho^2); the lift is the largest
    of those bounds over pairs and in-plane images, so the upper block can be brought down onto the lower from above.
    """
    a, b = _face(lower, top=True), _face(upper, top=False)
    numbers = np.array([ROLES.index(r) for r in lower.role[a]]), np.array([ROLES.index(r) for r in upper.role[b]])
    least = clearance.table[numbers[0][:, None], numbers[1][None, :]]
    return least_lifts(lower.positions[a], upper.positions[b], lower.plane, least, shifts)


def best_registry(lower: Slice, upper: Slice, grid: tuple[int, int], clearance: Clearance) -> Registry:
    """The shift that lets the two blocks come closest: a regular grid, then halved steps around its best points.

    grid  points along the two in-plane vectors; the first among equals (1e-6 A) is taken
    """
    shifts = shift_grid(lower.plane, *grid)
    lifts = openings(lower, upper, shifts, clearance)
    order = np.argsort(np.round(lifts, 6), kind="stable")[:STARTS]
    found = [_refined(lower, upper, (shifts[k], lifts[k]), grid, clearance) for k in order]
    shift, lift = min(found, key=lambda f: round(float(f[1]), 6))
    opening = upper.ends_A[0] + lift - lower.ends_A[1]
    return Registry((float(shift[0]), float(shift[1])), float(lift), float(opening))


def _refined(
    lower: Slice, upper: Slice, start: tuple[Floats, float], grid: tuple[int, int], clearance: Clearance
) -> tuple[Floats, float]:
    shift, lift = start
    step = lower.plane / np.array(grid)[:, None]
    around = np.stack(np.meshgrid((0, -1, 1), (0, -1, 1), indexing="ij"), -1).reshape(-1, 2)
    for _ in range(HALVINGS):
        step = 0.5 * step
        tries = shift + around @ step
        lifts = openings(lower, upper, tries, clearance)
        k = int(np.argmin(np.round(lifts, 9)))
        shift, lift = tries[k], float(lifts[k])
    return shift, lift


def _face(block: Slice, top: bool) -> np.ndarray:
    low, high = block.ends_A
    z = block.positions[:, 2]
    return np.flatnonzero(z > high - DEPTH_A if top else z < low + DEPTH_A)
