"""Joining two blocks into one periodic cell: two interfaces, each with its own registry and opening."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from simkit.arrays import Floats
from simkit.build.arguments import require_kind, require_list, require_number, require_whole
from simkit.build.scaffold import Region, Scaffold, Stratum
from simkit.build.tunnel.registry import Clearance, Registry, best_registry
from simkit.build.tunnel.slice import Slice
from simkit.errors import InputError

WIDEST_A = 20.0
"""Largest further opening of an interface, A."""
MOST_POINTS = 1000
"""Most registry shifts along one in-plane vector."""


@dataclass(frozen=True)
class Contact:
    """How the two interfaces of a period are searched.

    grid       registry shifts along the two in-plane vectors
    clearance  least distances across an interface
    extra_A    opened beyond the least opening, lower and upper interface, A

    Raises InputError for a grid below 1 x 1, an opening below 0 or above 20 A, or anything that is no `Clearance`.
    """

    grid: tuple[int, int] = (4, 64)
    clearance: Clearance = field(default_factory=Clearance)
    extra_A: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        pairs = {
            name: require_list(name, getattr(self, name), object, str(usual))
            for name, usual in (("grid", (4, 64)), ("extra_A", (0.0, 0.5)))
        }
        for name, pair in pairs.items():
            if len(pair) != 2:
                raise InputError(f"{name} has {len(pair)} numbers; give two.")
        put = object.__setattr__
        put(self, "grid", tuple(require_whole(f"grid[{k}]", n, 1, MOST_POINTS) for k, n in enumerate(pairs["grid"])))
        extra = (require_number(f"extra_A[{k}]", x, 0.0, WIDEST_A) for k, x in enumerate(pairs["extra_A"]))
        put(self, "extra_A", tuple(extra))
        require_kind("clearance", self.clearance, Clearance, "Clearance(oxygen_oxygen_A=2.5)")


@dataclass(frozen=True)
class Joint:
    """The two interfaces of a period: `upper` block on `lower`, and the next image of `lower` on `upper`."""

    first: Registry
    second: Registry

    @property
    def equivalent(self) -> bool:
        """Whether both have the same opening (0.01 A) after the search, as blocks with an inversion centre do."""
        return abs(self.first.opening_A - self.second.opening_A) < 0.01


def joint(lower: Slice, upper: Slice, contact: Contact) -> Joint:
    """The closest registry of each of the two interfaces, searched independently of each other."""
    first = best_registry(lower, upper, contact.grid, contact.clearance)
    second = best_registry(upper, lower, contact.grid, contact.clearance)
    return Joint(*(_opened(r, extra) for r, extra in zip((first, second), contact.extra_A, strict=True)))


def _opened(registry: Registry, extra_A: float) -> Registry:
    return replace(registry, lift_A=registry.lift_A + extra_A, opening_A=registry.opening_A + extra_A)


def joined(lower: Slice, upper: Slice, found: Joint) -> Scaffold:
    """One cell of both blocks, the upper one displaced; the two shifts together shear the third cell vector.

    Atoms of the lower block come first, and its regions; the strata of the upper block follow.
    """
    moved = upper.positions + np.array([*found.first.shift_A, found.first.lift_A])
    strata = (*lower.strata, *(replace(s, region=s.region + len(lower.regions)) for s in upper.strata))
    columns = [np.concatenate([getattr(lower, n), getattr(upper, n)]) for n in ("kind", "layers", "gallery")]
    stratum = np.concatenate([lower.stratum, upper.stratum + len(lower.strata)])
    positions = np.concatenate([lower.positions, moved])
    return Scaffold(_cell(lower.plane, found), positions, stratum, *columns, strata, (*lower.regions, *upper.regions))


def _cell(plane: Floats, found: Joint) -> Floats:
    shear = (np.array(found.first.shift_A) + found.second.shift_A) @ np.linalg.inv(plane)
    shear -= np.round(shear)
    cell = np.zeros((3, 3))
    cell[:2, :2] = plane
    cell[2, :2] = shear @ plane
    cell[2, 2] = found.first.lift_A + found.second.lift_A
    return cell


def widened(scaffold: Scaffold, n: int) -> Scaffold:
    """n cells along the first vector; every stratum grows with them."""
    shift = np.arange(n)[:, None, None] * scaffold.cell[0]
    columns = [np.tile(getattr(scaffold, name), n) for name in ("stratum", "kind", "layers", "gallery")]
    strata = tuple(replace(s, capacity=n * s.capacity) for s in scaffold.strata)
    positions = (shift + scaffold.positions[None]).reshape(-1, 3)
    return Scaffold(scaffold.cell * np.array([[n], [1], [1]]), positions, *columns, strata, scaffold.regions)


def with_ions(scaffold: Scaffold, points: Floats, region: Region, kind: str) -> Scaffold:
    """The scaffold with one more region and stratum of alkali sites, none of which exclude each other."""
    count, regions, strata = len(points), len(scaffold.regions), len(scaffold.strata)
    if count == 0:
        return scaffold
    nowhere = np.full(count, -1)
    return Scaffold(
        scaffold.cell,
        np.concatenate([scaffold.positions, points]),
        np.append(scaffold.stratum, np.full(count, strata)),
        np.append(scaffold.kind, np.full(count, kind)),
        np.append(scaffold.layers, nowhere),
        np.append(scaffold.gallery, nowhere),
        (*scaffold.strata, Stratum("alkali", regions, count)),
        (*scaffold.regions, region),
    )
