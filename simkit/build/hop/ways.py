"""Ways from place to place: the raw hops of a request, each by the mechanism that it needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.hop.places import Places
from simkit.build.hop.record import Hop, HopRequest
from simkit.build.layering import ALKALI_NUMBERS
from simkit.elements import atomic_number
from simkit.kernels.pair_search import find_pairs
from simkit.structure import Structure

CONTACT_A = 2.2
"""An empty place nearer than this to another ion cannot be entered, A."""
PASSED_A = 2.6
"""A place to pass lies nearer than this to the sites it joins: tetrahedra 1.7 A, half an 8a-8a hop 1.8 A, A."""
LONGER = 1.2
"""A hop from one tetrahedral site to another rests half way: it may be longer than others by this factor."""
CLEARANCE_A = 1.1
"""No atom that stays comes nearer to the unrelaxed way than this: half an O-O edge is 1.3 A, A."""
SAMPLES = 4
"""Points tried on each leg of a way."""


@dataclass(frozen=True, eq=False)
class Links:
    """Steps from a filled place to another: start, end (p,) places, shift (p, 3) cells, vector (p, 3) A."""

    start: Integers
    end: Integers
    shift: Integers
    vector: Floats

    @property
    def length(self) -> Floats:
        """(p,) A."""
        return np.linalg.norm(self.vector, axis=1)

    def take(self, which: np.ndarray) -> Links:
        """The links `which` (mask or indices)."""
        return Links(self.start[which], self.end[which], self.shift[which], self.vector[which])


@dataclass(frozen=True, eq=False)
class Field:
    """What the ways are looked for in: the structure, its places, the request, ions (n,) that exclude one another,
    passes: numbers of the places that an ion may pass."""

    structure: Structure
    places: Places
    request: HopRequest
    ions: np.ndarray
    passes: Integers


def field(structure: Structure, places: Places, request: HopRequest) -> Field:
    """The field of a request: what excludes what and where an ion may pass."""
    ions = np.isin(structure.numbers, ALKALI_NUMBERS)
    if "metal" not in request.mechanisms:
        ions = ions | (structure.numbers == atomic_number(request.ion))
    return Field(structure, places, request, ions, np.flatnonzero(places.found_by == "voronoi"))


def raw_hops(found: Field) -> list[Hop]:
    """Every hop of the request's mechanisms, both images of a pair where two are in reach; one for both directions
    between two filled places, one way into an empty one."""
    links = _links(found)
    passing = _passing(found, links)
    hops: list[Hop] = []
    for name in dict.fromkeys(found.request.mechanisms):
        hops += MECHANISM[name](found, links, passing)
    return [hop for hop, clear in zip(hops, _clear(found.structure, hops), strict=True) if clear]


def _links(found: Field) -> Links:
    places, request = found.places, found.request
    starts = np.flatnonzero(places.source)
    longest = request.cutoff_A * LONGER
    pairs = find_pairs(places.positions[starts], places.positions, found.structure.cell, longest)
    vector = places.positions[pairs.atom] + pairs.shift @ found.structure.cell - places.positions[starts[pairs.point]]
    links = Links(starts[pairs.point], pairs.atom, pairs.shift, vector)
    both = (places.kind[links.start] == "tet") & (places.kind[links.end] == "tet")
    keep = (links.start != links.end) & ((links.length <= request.cutoff_A) | both)
    if "metal" not in request.mechanisms and not request.tetrahedra:
        keep &= (places.found_by[links.end] != "voronoi") | (places.kind[links.end] != "tet")
    return links.take(keep)


def _passing(found: Field, links: Links) -> list[list[tuple[int, Floats]]]:
    """Voids beside both ends of each link: number of the place, and its vector from the start."""
    places, cell = found.places, found.structure.cell
    result: list[list[tuple[int, Floats]]] = [[] for _ in range(len(links.start))]
    if len(found.passes) == 0:
        return result
    first = places.positions[links.start]
    pairs = find_pairs(first, places.positions[found.passes], cell, PASSED_A)
    number = found.passes[pairs.atom]
    steps = places.positions[number] + pairs.shift @ cell - first[pairs.point]
    away = np.linalg.norm(steps - links.vector[pairs.point], axis=1)
    for k in np.flatnonzero((away < PASSED_A) & (number != links.end[pairs.point])):
        result[pairs.point[k]].append((int(number[k]), steps[k]))
    return result


def _vacancy(found: Field, links: Links, passing: list) -> list[Hop]:
    places = found.places
    mine = np.flatnonzero(_forward(places, links))
    return [hop for k in mine if (hop := _between(found, links, passing, int(k), "vacancy")) is not None]


def _forward(places: Places, links: Links) -> np.ndarray:
    """(p,) whether a link joins two ions, from the one that comes first among the atoms, wherever the cell begins."""
    return places.source[links.end] & (places.atom[links.start] < places.atom[links.end])


def _interstitial(found: Field, links: Links, passing: list) -> list[Hop]:
    places = found.places
    empty = np.flatnonzero(places.atom[links.end] < 0)
    open_ = empty[~_blocked(found, links.start[empty], links.end[empty])]
    return [hop for k in open_ if (hop := _between(found, links, passing, int(k), "interstitial")) is not None]


def _between(found: Field, links: Links, passing: list, k: int, mechanism: str) -> Hop | None:
    """The hop of link k, straight, or through the octahedron half way between two tetrahedra; None if it has none."""
    kinds = found.places.kind[[links.start[k], links.end[k]]]
    way = None
    if (kinds == "tet").all():
        half = [(n, v) for n, v in passing[k] if found.places.kind[n] != "tet"]
        if not half:
            return None if links.length[k] > found.request.cutoff_A else _hop(found, links, k, mechanism)
        way = min(half, key=lambda item: round(float(np.linalg.norm(item[1] - links.vector[k] / 2)), 6))[1]
    return _hop(found, links, k, mechanism, way=way)


def _divacancy(found: Field, links: Links, passing: list) -> list[Hop]:
    """Hops through a tetrahedron that a third site shares, which is empty or is emptied."""
    places = found.places
    filled = places.source[links.end]
    octahedra = (places.kind[links.start] == "oct") & (places.kind[links.end] == "oct")
    mine = np.flatnonzero(octahedra & (_forward(places, links) | (places.atom[links.end] < 0)))
    free = ~_blocked(found, links.start[mine], links.end[mine]) | filled[mine]
    return [hop for k in mine[free] for hop in _openings(found, links, passing, int(k))]


def _openings(found: Field, links: Links, passing: list, k: int) -> Iterator[Hop]:
    places = found.places
    ends = (int(links.start[k]), int(links.end[k]))
    for number, vector in passing[k]:
        if places.kind[number] != "tet":
            continue
        beside = [site for site in _around(found, number) if site not in ends]
        filled = [site for site in beside if places.atom[site] >= 0]
        if len(filled) > 1 or (filled and not places.source[filled[0]]) or not beside:
            continue
        second = int(places.atom[filled[0]]) if filled else -1
        yield _hop(found, links, k, "divacancy", second, vector)


def _around(found: Field, number: int) -> list[int]:
    """Sites that share a face with a tetrahedron: neither voids nor metals of slabs."""
    places = found.places
    pairs = find_pairs(places.positions[number : number + 1], places.positions, found.structure.cell, CONTACT_A)
    real = (places.found_by[pairs.atom] != "voronoi") | (places.kind[pairs.atom] != "tet")
    return sorted(set(pairs.atom[real].tolist()) - {number})


def _metal(found: Field, links: Links, passing: list) -> list[Hop]:
    """From a metal site into a tetrahedron between slabs, or through one into an empty or emptied site of the ions."""
    places, ions = found.places, found.ions
    atom = places.atom[links.end]
    emptied = (atom >= 0) & ions[atom]
    empty = atom < 0
    open_ = emptied.copy()
    open_[empty] = ~_blocked(found, links.start[empty], links.end[empty])
    tetrahedron = (places.found_by[links.end] == "voronoi") & (places.kind[links.end] == "tet")
    open_ &= ~tetrahedron | (links.length < PASSED_A)
    hops = [_hop(found, links, int(k), "metal") for k in np.flatnonzero(open_ & tetrahedron)]
    for k in np.flatnonzero(open_ & ~tetrahedron):
        free = [v for n, v in passing[k] if places.kind[n] == "tet" and not _taken(found, n, int(links.end[k]))]
        shortest = [float(np.linalg.norm(v) + np.linalg.norm(links.vector[k] - v)) for v in free]
        hops.append(
            _hop(found, links, int(k), "metal", way=free[int(np.argmin(np.round(shortest, 6)))] if free else None)
        )
    return hops


def _taken(found: Field, number: int, end: int) -> bool:
    """Whether an ion other than the one at the end of the hop is in contact with a tetrahedron."""
    held = [int(found.places.atom[s]) for s in _around(found, number) if s != end]
    return any(atom >= 0 and found.ions[atom] for atom in held)


MECHANISM = {"vacancy": _vacancy, "interstitial": _interstitial, "divacancy": _divacancy, "metal": _metal}


def _blocked(found: Field, start: Integers, end: Integers) -> np.ndarray:
    """(p,) whether an ion other than the one that moves is in contact with the target."""
    places, structure = found.places, found.structure
    ions = np.flatnonzero(found.ions)
    if len(ions) == 0 or len(end) == 0:
        return np.zeros(len(end), dtype=bool)
    near = find_pairs(places.positions[end], structure.positions[ions], structure.cell, CONTACT_A)
    other = ions[near.atom] != places.atom[start[near.point]]
    return np.bincount(near.point[other], minlength=len(end)) > 0


def _hop(found: Field, links: Links, k: int, mechanism: str, second: int = -1, way: Floats | None = None) -> Hop:
    places, s, t = found.places, int(links.start[k]), int(links.end[k])
    origin = found.structure.positions[places.atom[s]]
    finders = dict.fromkeys((str(places.found_by[s]), str(places.found_by[t])))
    return Hop(
        ion=int(places.atom[s]),
        vacancy=int(places.atom[t]),
        target_A=tuple(map(float, origin + links.vector[k])),
        gallery=int(places.gallery[s] if mechanism != "metal" else places.gallery[t]),
        phase=str(places.phase[s]),
        kind="-".join(_kinds(found, s, t, mechanism)),
        distance_A=float(links.length[k]),
        mechanism=mechanism,
        second=second,
        through_A=None if way is None else tuple(map(float, origin + way)),
        sites=(s, t),
        image=tuple(map(int, links.shift[k])),
        to_phase=str(places.phase[t]),
        to_gallery=int(places.gallery[t]),
        found_by="-".join(finders),
    )


def _kinds(found: Field, start: int, end: int, mechanism: str) -> list[str]:
    """Kinds of both sites as the tags have them; in order where the hop has a direction of its own."""
    plain = {"oct", "tet", "prism"}
    kinds = [str(found.places.kind[i]) for i in (start, end)]
    ions = [found.request.ion if mechanism != "metal" else "", found.request.ion if mechanism != "metal" else "ion"]
    names = [k if k in plain or k.startswith("cn") or not e else f"{e}_{k}" for k, e in zip(kinds, ions, strict=True)]
    return names if mechanism == "metal" else sorted(names)


def _clear(structure: Structure, hops: list[Hop]) -> np.ndarray:
    """(h,) whether the way of each hop keeps away from every atom that stays."""
    if not hops:
        return np.zeros(0, dtype=bool)
    ends = np.array([[structure.positions[h.ion], h.target_A] for h in hops])
    half = np.array([e.mean(axis=0) if h.through_A is None else h.through_A for e, h in zip(ends, hops, strict=True)])
    part = (np.arange(SAMPLES) + 1.0)[:, None, None] / SAMPLES
    legs = [ends[:, 0] + part * (half - ends[:, 0]), half + part[:-1] * (ends[:, 1] - half)]
    points = np.concatenate(legs).reshape(-1, 3)
    pairs = find_pairs(points, structure.positions, structure.cell, CLEARANCE_A)
    hop = pairs.point % len(hops)
    gone = np.array([[h.ion, h.vacancy, h.second] for h in hops])[hop]
    return np.bincount(hop[(pairs.atom[:, None] != gone).all(axis=1)], minlength=len(hops)) == 0


def with_interface(hops: list[Hop], places: Places) -> list[Hop]:
    """The hops, marked where they cross into another phase or lie in a gallery beside one of another phase."""
    beside = interface_beside(places)
    return [replace(h, at_interface=h.crosses or h.gallery in beside) for h in hops]


def interface_beside(places: Places) -> set[int]:
    """Galleries beside one of another phase."""
    phases: dict[int, set[str]] = {}
    for j, name in zip(places.gallery.tolist(), places.phase.tolist(), strict=True):
        if j >= 0:
            phases.setdefault(j, set()).add(name)
    count = max(phases, default=-1) + 1
    return {j for j in phases if any(phases.get((j + d) % count, {""}) != phases[j] for d in (-1, 1))}
