"""Lattice matches of tunnel planes (hk0) with layered planes that contain [11-20], by a one-dimensional search."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from simkit.build.arguments import require_kind, require_number, require_whole
from simkit.build.tunnel.phase import TunnelLattice
from simkit.errors import InputError

BUILDABLE = ("0001", "1-100")
"""Layered planes of `tunnel_interface`."""
MOST_AREA_A2 = 1e5
"""Largest area searched, A^2."""
MOST_INDEX = 9
"""Largest Miller index, so that every index of a plane's name is one digit."""


@dataclass(frozen=True)
class TunnelMatch:
    """A common rectangle of a tunnel plane and a layered plane, the tunnel axis along [11-20].

    tunnel, layered        plane indices, "140" and "0001" or "1-100" ...
    periods                lattice periods across the axis, tunnel and layered
    along_percent          c of the tunnel phase over a of the layered phase, minus 1
    across_percent         tunnel length over layered length across the axis, minus 1
    area_A2                area of the tunnel rectangle, A^2
    """

    tunnel: str
    layered: str
    periods: tuple[int, int]
    along_percent: float
    across_percent: float
    area_A2: float

    @property
    def buildable(self) -> bool:
        """Whether `tunnel_interface` builds it: blocks end in (0001) or (1-100), no stepped plane between them."""
        return self.layered in BUILDABLE

    def to_dict(self) -> dict:
        """JSON-able record."""
        return asdict(self)


@dataclass(frozen=True)
class Search:
    """Bounds of the one-dimensional search.

    max_index            largest h and k of the tunnel plane, and of the layered plane across [11-20], 1 to 9
    max_area_A2          largest common rectangle, A^2
    max_misfit_percent   largest misfit across the axis

    Raises InputError for numbers out of range.
    """

    max_index: int = 4
    max_area_A2: float = 260.0
    max_misfit_percent: float = 1.5

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "max_index", require_whole("max_index", self.max_index, 1, MOST_INDEX))
        put(self, "max_area_A2", require_number("max_area_A2", self.max_area_A2, 1.0, MOST_AREA_A2))
        put(self, "max_misfit_percent", require_number("max_misfit_percent", self.max_misfit_percent, 0.0, 100.0))


def layered_planes(max_index: int) -> list[tuple[int, int]]:
    """Planes that contain [11-20], as coprime (m, n): the period across the axis is m sqrt(3) a + n c."""
    pairs = itertools.product(range(max_index + 1), repeat=2)
    return [(m, n) for m, n in pairs if math.gcd(m, n) == 1]


def plane_name(m: int, n: int) -> str:
    """Miller-Bravais indices of the plane that holds [11-20] and m sqrt(3) a + n c: (0001), (1-100), (1-10l) ...

    The orthohexagonal plane (0 n -m) is hexagonal (n/2, -n/2, 0, m) up to a common factor.
    """
    h, index = n, 2 * m
    common = math.gcd(h, index)
    h, index = h // common, index // common
    return f"{h}{f'-{h}' if h else 0}0{index}"


def tunnel_matches(
    a_A: float, c_A: float, lattice: TunnelLattice | None = None, search: Search | None = None
) -> list[TunnelMatch]:
    """All matches within the bounds, smallest area first; a larger cell is listed only where it fits better.

    a_A  in-plane parameter of the layered phase, A
    c_A  period of its stacking along c, A (two slabs in P2, three in O3)

    The misfit along the axis is that of c of the tunnel phase and a, the same in every match. No orientation
    relationship of layered and tunnel phases has been published: every match is a hypothesis, and only those with
    `TunnelMatch.buildable` can be given to `tunnel_interface`. Raises InputError for lengths that are no positive
    numbers.
    """
    lattice, search = lattice or TunnelLattice(), search or Search()
    require_kind("lattice", lattice, TunnelLattice, "TunnelLattice(9.09, 26.42, 2.826)")
    require_kind("search", search, Search, "Search(max_area_A2=200)")
    a_A, c_A = require_number("a_A", a_A, 1.0, 20.0), require_number("c_A", c_A, 1.0, 1000.0)
    planes = [(h, k) for h, k in itertools.product(range(search.max_index + 1), repeat=2) if math.gcd(h, k) == 1]
    found = []
    for (h, k), (m, n) in itertools.product(planes, layered_planes(search.max_index)):
        tunnel = math.hypot(k * lattice.a_A, h * lattice.b_A)
        layered = math.hypot(m * math.sqrt(3.0) * a_A, n * c_A)
        along = 100.0 * (lattice.c_A / a_A - 1.0)
        for p, q, misfit in _records(tunnel, layered, search.max_area_A2 / lattice.c_A, search.max_misfit_percent):
            area = p * tunnel * lattice.c_A
            found.append(TunnelMatch(f"{h}{k}0", plane_name(m, n), (p, q), along, misfit, area))
    return sorted(found, key=lambda x: (round(x.area_A2, 6), x.tunnel, x.layered))


def periods_for(tunnel_A: float, layered_A: Sequence[float] | float, limit_percent: float) -> tuple[int, int, float]:
    """Fewest periods of two lengths that agree within a limit: (tunnel periods, layered periods, misfit in per cent).

    Raises InputError with the best found among 12 tunnel periods where none agrees.
    """
    layered = float(layered_A)
    tries = []
    for p in range(1, 13):
        q = max(1, round(p * tunnel_A / layered))
        misfit = 100.0 * (p * tunnel_A / (q * layered) - 1.0)
        tries.append((p, q, misfit))
        if abs(misfit) <= limit_percent:
            return tries[-1]
    p, q, misfit = min(tries, key=lambda t: abs(t[2]))
    raise InputError(
        f"{p} tunnel periods against {q} layered ones still miss by {misfit:+.2f} %, the limit is {limit_percent:g} %; "
        "choose another tunnel plane (`tunnel_matches`, the rows on 0001 or 1-100), other layered heights, or raise "
        "max_misfit_percent."
    )


def _records(tunnel: float, layered: float, longest: float, limit: float) -> list[tuple[int, int, float]]:
    best, found = math.inf, []
    for p in range(1, int(longest / tunnel) + 1):
        below = max(1, math.floor(p * tunnel / layered))
        misfits = {q: 100.0 * (p * tunnel / (q * layered) - 1.0) for q in (below, below + 1)}
        q = min(misfits, key=lambda n: abs(misfits[n]))
        # Periods with a common factor repeat a smaller cell of the same misfit.
        if math.gcd(p, q) == 1 and abs(misfits[q]) <= min(limit, best - 1e-12):
            best = abs(misfits[q])
            found.append((p, q, misfits[q]))
    return found
