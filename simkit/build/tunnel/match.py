"""Lattice matches of tunnel planes (hk0) with layered planes that contain [11-20], by a one-dimensional search."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from simkit.build.tunnel.phase import TunnelLattice
from simkit.errors import InputError


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

    def to_dict(self) -> dict:
        """JSON-able record."""
        return asdict(self)


@dataclass(frozen=True)
class Search:
    """Bounds of the one-dimensional search.

    max_index            largest h and k of the tunnel plane, and of the layered plane across [11-20]
    max_area_A2          largest common rectangle, A^2
    max_misfit_percent   largest misfit across the axis
    """

    max_index: int = 4
    max_area_A2: float = 260.0
    max_misfit_percent: float = 1.5


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
    relationship of layered and tunnel phases has been published: every match is a hypothesis.
    """
    lattice, search = lattice or TunnelLattice(), search or Search()
    if not (a_A > 0 and c_A > 0):
        raise InputError(f"a_A = {a_A!r}, c_A = {c_A!r}; lattice parameters must be positive.")
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
        "choose another plane (`tunnel_matches`), or raise the limit."
    )


def _records(tunnel: float, layered: float, longest: float, limit: float) -> list[tuple[int, int, float]]:
    best, found = math.inf, []
    for p in range(1, int(longest / tunnel) + 1):
        for q in {max(1, math.floor(p * tunnel / layered)), math.ceil(p * tunnel / layered)}:
            misfit = 100.0 * (p * tunnel / (q * layered) - 1.0)
            if math.gcd(p, q) == 1 and abs(misfit) <= limit and abs(misfit) < best:
                best = abs(misfit)
                found.append((p, q, misfit))
    return found
