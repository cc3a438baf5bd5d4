"""Strain, sizes, volume and the equivalence of interfaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from simkit.arrays import Floats, Integers
from simkit.build.check.limits import Limits, Rules
from simkit.build.layering import ANIONS
from simkit.build.plane import image_distance_A
from simkit.build.scaffold import ROLES, Scaffold
from simkit.kernels.pair_search import Pairs, find_pairs
from simkit.structure import Structure

TOUCH_A = 4.5
"""Sites of two regions nearer than this are neighbours across an interface, A."""
JOIN_A = 8.0
"""Interface sites nearer than this belong to the same interface, A."""
SEEN_A = 5.5
"""How far the sites of an interface look into the other region, A."""
BIN_A = 0.25
"""Width of the bins of the distance spectrum of an interface, A."""
ALIKE = 0.05
"""Two interfaces are equivalent when their spectra differ by less than this part."""


@dataclass(frozen=True, eq=False)
class Face:
    """One interface: the two phases, its sites, and its distance spectrum per site and pair of roles."""

    phases: tuple[str, str]
    sites: Integers
    spectrum: Floats


def strain_problems(strains_percent: Sequence[float], names: Sequence[str], limit_percent: float) -> list[str]:
    """Blocks strained beyond the limit, in per cent of their own in-plane lattice parameter."""
    return [
        f"block {k} ({name}) would be strained by {strain:+.2f} % in plane to match, the limit is "
        f"{limit_percent:g} %: "
        "bring the lattice parameters closer (composition, content, heights), share the strain otherwise "
        "(strain='equal' or 'thickness'), or raise max_strain_percent."
        for k, (strain, name) in enumerate(zip(strains_percent, names, strict=True))
        if abs(strain) > limit_percent + 1e-9
    ]


def principal_percent(plane: Floats, own: Floats) -> Floats:
    """(2,) principal strains in per cent of two vectors, rows in A, against what they are in their own lattice.

    Eigenvalues of the right stretch tensor less one, so a rotation of either plane changes nothing.
    """
    inverse = np.linalg.inv(_flat(own))
    metric = np.asarray(plane) @ np.asarray(plane).T
    return 100.0 * (np.sqrt(np.linalg.eigvalsh(inverse @ metric @ inverse.T)) - 1.0)


def measured_strains(cell: Floats, rules: Rules, built: Floats | None) -> dict[str, float]:
    """Largest in-plane strain of each block or domain, per cent, from the first two vectors of the cell as it is now.

    Against the block's own lattice where `Rules.planes_A` has it, else its strain in the cell as built (3, 3)
    with what the cell was stretched since; without that cell the strain as built.
    """
    since = np.zeros(2) if built is None else principal_percent(cell[:2], built[:2])
    strains = {}
    for name, promised in rules.strains_percent.items():
        own = rules.planes_A.get(name)
        found = promised + since * (1.0 + promised / 100.0) if own is None else principal_percent(cell[:2], own)
        strains[name] = float(found[np.argmax(np.abs(np.round(found, 9)))])
    return strains


def _flat(vectors: Floats) -> Floats:
    """(2, 2) two vectors of any dimension in coordinates of their own plane."""
    return np.linalg.cholesky(np.asarray(vectors) @ np.asarray(vectors).T)


def strain_excess(strains_percent: Mapping[str, float], limit_percent: float) -> list[str]:
    """Blocks or domains of a finished cell that are strained beyond the limit in it."""
    return [
        f"{name} is strained by {strain:+.2f} % in the plane of the cell as it is, the limit is {limit_percent:g} %: "
        "bring the lattice parameters closer (composition, content, heights), share the strain otherwise, raise "
        "max_strain_percent, or undo the stretching of the cell."
        for name, strain in strains_percent.items()
        if abs(strain) > limit_percent + 1e-9
    ]


def strain_warnings(strains_percent: Mapping[str, float], limits: Limits | None = None) -> list[str]:
    """Blocks strained by more than the soft limit."""
    limit = (limits or Limits()).strain_warning_percent
    return [
        f"{name} is strained by {strain:+.2f} %, more than {limit:g} %; expect coherency strain energy that grows "
        "with thickness."
        for name, strain in strains_percent.items()
        if abs(strain) > limit + 1e-9
    ]


def image_warnings(structure: Structure, limits: Limits | None = None) -> list[str]:
    """Whether an atom sees its own image in the plane of the first two cell vectors."""
    limit = (limits or Limits()).image_A
    nearest = image_distance_A(structure.cell[:2])
    if nearest >= limit:
        return []
    return [f"in-plane images are {nearest:.2f} A apart, below {limit:g} A: defects see themselves; take more repeats."]


def thickness_warnings(
    galleries: Mapping[str, int], lengths_A: Mapping[str, float], tunnels_A: Mapping[str, float], limits: Limits
) -> list[str]:
    """Blocks of too few galleries, lateral domains too narrow and tunnel blocks too thin to be more than interface."""
    texts = [
        f"{name} has {count} galleries; fewer than {limits.block_galleries}: all interface."
        for name, count in galleries.items()
        if count < limits.block_galleries
    ]
    for table, limit, what in ((lengths_A, limits.domain_A, "wide"), (tunnels_A, limits.tunnel_A, "thick")):
        texts += [
            f"{name} is {length:.1f} A {what}; at least {limit:g} A keeps its two interfaces apart."
            for name, length in table.items()
            if length < limit
        ]
    return texts


def volume_warnings(structure: Structure, limits: Limits | None = None) -> list[str]:
    """Whether the volume per anion is that of a close-packed oxide."""
    limits = limits or Limits()
    anions = int(np.isin(structure.numbers, ANIONS).sum())
    each = structure.volume / max(anions, 1)
    if limits.least_volume_A3 <= each <= limits.most_volume_A3:
        return []
    return [
        f"{each:.2f} A^3 per anion lies outside {limits.least_volume_A3:g} to {limits.most_volume_A3:g} A^3; check the "
        "heights and gaps (wide open galleries and interfaces close on relaxation)."
    ]


def faces(scaffold: Scaffold) -> tuple[Face, ...]:
    """The interfaces of a cell: connected sets of sites that touch sites of another region.

    The spectrum counts the distances (up to `SEEN_A`) between sites of the two regions by pair of roles; it
    does not change under rotations, reflections and exchange of the two sides.
    """
    points, region = scaffold.positions, scaffold.region
    pairs = find_pairs(points, points, scaffold.cell, SEEN_A)
    across = region[pairs.point] != region[pairs.atom]
    touching = np.zeros(len(points), dtype=bool)
    touching[pairs.point[across & (pairs.distance < TOUCH_A)]] = True
    label = np.full(len(points), -1)
    label[touching] = _components(points[touching], scaffold.cell)
    role = np.array([ROLES.index(r) for r in scaffold.role])
    seen = pairs.take(across & touching[pairs.point])
    records = []
    for component in np.unique(label[touching]):
        sites = np.flatnonzero(touching & (label == component))
        phases = tuple(sorted({scaffold.regions[r].phase for r in np.unique(region[sites])}))
        records.append(Face(phases, sites, _spectrum(seen.take(np.isin(seen.point, sites)), role, len(sites))))
    return tuple(records)


def interface_warnings(found: Sequence[Face]) -> list[str]:
    """Pairs of interfaces between the same phases whose surroundings differ."""
    texts = []
    for i, first in enumerate(found):
        for j, second in enumerate(found[:i]):
            if first.phases != second.phases:
                continue
            miss = float(np.abs(first.spectrum - second.spectrum).sum() / max(first.spectrum.sum(), 1e-12))
            if miss > ALIKE:
                texts.append(
                    f"interfaces {j} and {i} ({'|'.join(first.phases)}) are not equivalent: their neighbour distances "
                    f"differ by {100 * miss:.0f} %; energies are the mean of the two."
                )
    return texts


def _components(points: Floats, cell: Floats) -> Integers:
    """Number of the cluster of each point: points nearer than `JOIN_A` share it."""
    pairs = find_pairs(points, points, cell, JOIN_A)
    graph = csr_array((np.ones(len(pairs)), (pairs.point, pairs.atom)), shape=(len(points), len(points)))
    return connected_components(graph, directed=False)[1]


def _spectrum(pairs: Pairs, role: Integers, sites: int) -> Floats:
    """Counts per site by pair of roles and distance, each spread linearly over its two nearest bins."""
    bins = int(np.ceil(SEEN_A / BIN_A)) + 1
    first, second = role[pairs.point], role[pairs.atom]
    kind = np.minimum(first, second) * len(ROLES) + np.maximum(first, second)
    place = pairs.distance / BIN_A
    low = np.floor(place).astype(np.int64)
    size = len(ROLES) ** 2 * (bins + 1)
    total = np.bincount(kind * (bins + 1) + low, 1.0 - (place - low), size)
    return (total + np.bincount(kind * (bins + 1) + low + 1, place - low, size)) / sites
