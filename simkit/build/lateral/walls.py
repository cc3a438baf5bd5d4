"""From the sites of a lateral join to its Scaffold: strata, capacities and exact ion counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.checks import Limits
from simkit.build.fill.counts import spread, whole_ions
from simkit.build.lateral.domains import SIDES, Domains
from simkit.build.lateral.ions import Ions, candidates, taken, with_room
from simkit.build.scaffold import CENTRE, Region, Scaffold, Stratum


@dataclass(frozen=True, eq=False)
class Layer:
    """Sites of one layer of one slab: positions (m, 3) A, left (m,) bool, role, sublattice (m,) 0, 1 or 2
    (`Domains.sublattice`)."""

    positions: Floats
    left: np.ndarray
    slab: int
    role: str
    sublattice: Integers


@dataclass(frozen=True)
class IonCount:
    """Ions of one gallery of one domain: wanted by the content, room, metals of its slab there, ions put in."""

    wanted: int
    room: int
    metals: int
    placed: int


@dataclass(frozen=True, eq=False)
class Walls:
    """A lateral scaffold and its ion counts, `counts[side][gallery]`."""

    scaffold: Scaffold
    counts: tuple[tuple[IonCount, ...], tuple[IonCount, ...]]


@dataclass
class _Columns:
    parts: list = field(default_factory=list)
    strata: list = field(default_factory=list)

    def put(self, points: Floats, stratum: Stratum, kind: object, where: tuple[int, int]) -> None:
        """Sites (n, 3) A of a stratum of their own; kind one or (n,), where their slab and gallery."""
        n = len(points)
        kinds = np.broadcast_to(np.asarray(kind, dtype="<U4"), (n,))
        self.parts.append((points, np.full(n, len(self.strata)), kinds, np.full(n, where[0]), np.full(n, where[1])))
        self.strata.append(stratum)


def slid_layers(domains: Domains) -> list[Layer]:
    """Layers of every slab with the displacement field on them: per slab lower anions, metals, upper anions.

    u_j(x) = (delta_j - mean delta) f(x) with the slips of the alignment and the step of the profile.
    """
    frame, profile, axis = domains.frame, domains.profile, domains.axis
    slips = frame.a_A * domains.alignment.slips.centred
    layers = []
    for j in range(len(frame.stack)):
        for points, role in zip(frame.slab(j), ("anion", "metal", "anion"), strict=True):
            points[:, axis] = profile.wrapped(points[:, axis])
            left = profile.in_left(points[:, axis])
            layers.append(Layer(domains.carried(points, slips[j]), left, j, role, domains.sublattice(points, j, left)))
    return layers


def walls(domains: Domains, layers: Sequence[Layer], limits: Limits) -> Walls:
    """Scaffold of a join whose slabs are these layers, with the alkali sites that have room.

    Strata: per slab the anions and the metals, per gallery the ions, each of the left and of the right domain.
    Contents are ions per slab metal of the same domain; where a gallery has less room near its boundaries it
    is filled to the last site and the shortfall is in the counts. Raises InputError for a content above zero that
    comes to less than one ion.
    """
    anions = np.concatenate([layer.positions for layer in layers if layer.role == "anion"])
    metals = np.concatenate([layer.positions for layer in layers if layer.role == "metal"])
    ions = with_room(candidates(domains), (domains.cell, anions, metals), domains.regions, limits)
    counts = tuple(_counts(domains, layers, ions, side) for side in (0, 1))
    columns = _Columns()
    for j in range(len(domains.frame.stack)):
        _slab(columns, [layer for layer in layers if layer.slab == j], domains.centres)
        for side in (0, 1):
            mine = ions.take((ions.gallery == j) & (ions.side == side))
            columns.put(mine.positions, Stratum("alkali", side, counts[side][j].room), mine.kind, (-1, j))
    regions = tuple(_by_room(region, count) for region, count in zip(domains.regions, counts, strict=True))
    parts = (np.concatenate(column) for column in zip(*columns.parts, strict=True))
    return Walls(Scaffold(domains.cell, *parts, tuple(columns.strata), regions), counts)


def _slab(columns: _Columns, layers: list[Layer], centres: tuple) -> None:
    """The anions and metals of one slab on either side; centres of each side: None, or a sublattice per slab."""
    j = layers[0].slab
    for side in (0, 1):
        for role, kind in (("anion", "O"), ("metal", "TM")):
            mine = [(layer, layer.left == (side == 0)) for layer in layers if layer.role == role]
            points = np.concatenate([layer.positions[here] for layer, here in mine])
            if role == "metal" and centres[side] is not None:
                sublattice = np.concatenate([layer.sublattice[here] for layer, here in mine])
                kind = np.where(sublattice == centres[side][j], CENTRE, kind)
            columns.put(points, Stratum(role, side, len(points)), kind, (j, -1))


def _counts(domains: Domains, layers: Sequence[Layer], ions: Ions, side: int) -> tuple[IonCount, ...]:
    """Ions of each gallery of a domain: one content is met over the domain, following the room; a list gallery by
    gallery."""
    composition = domains.regions[side].composition
    metals = metals_per_slab(layers, side)
    first = taken(ions, tuple(region.composition.sites for region in domains.regions)) & (ions.side == side)
    room = np.bincount(ions.gallery[first], minlength=len(metals))
    what = f"of the {SIDES[side]} domain ({domains.regions[side].phase}) is less than one {composition.alkali} on"
    if isinstance(composition.content, float):
        total = whole_ions(composition.content, int(metals.sum()), f"{what} {metals.sum()} metals")
        wanted = spread([total, int(metals.sum()) - total], len(metals))[:, 0]
        put = min(total, int(room.sum()))
        placed = spread([put, int(room.sum()) - put], room.tolist())[:, 0]
    else:
        pairs = zip(composition.content, metals.tolist(), strict=True)
        wanted = np.array([whole_ions(x, n, f"{what} {n} metals of a gallery") for x, n in pairs])
        placed = np.minimum(wanted, room)
    return tuple(IonCount(*(int(x) for x in row)) for row in zip(wanted, room, metals, placed, strict=True))


def _by_room(region: Region, counts: Sequence[IonCount]) -> Region:
    """The region with its content per room instead of per metal, as scaffolds count, such that the exact counts come
    out; `Rules.contents` carries the request."""
    if isinstance(region.composition.content, float):
        room = sum(count.room for count in counts)
        content: float | tuple = sum(count.placed for count in counts) / room if room else 0.0
    else:
        content = tuple(count.placed / count.room if count.room else 0.0 for count in counts)
    return Region(region.phase, replace(region.composition, content=content))


def metals_per_slab(layers: Sequence[Layer], side: int) -> Integers:
    """(n,) slab metals of one domain in each slab."""
    return np.array([int((x.left == (side == 0)).sum()) for x in layers if x.role == "metal"])
