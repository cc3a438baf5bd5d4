"""Formal charges of a filled scaffold: neutral slabs, each with half of the ions of its two galleries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.fill.octahedra import octahedra_means
from simkit.build.scaffold import Scaffold
from simkit.build.valence import ANION_VALENCE, FIXED, ion_valence, slab_valences, tetrahedral_valence, window
from simkit.kernels.pair_search import find_pairs

BOND_A = 2.75
"""An anion shares its charge among the metals within this distance; the nearest metal takes it where none is."""


@dataclass(frozen=True)
class Part:
    """Metals that are neutral together with their anions and half of the ions of each neighbouring gallery.

    slab    number of the slab, -1 where metals between slabs or without slabs belong to the part
    region  index into `Scaffold.regions`
    metals  counts by element
    mean    valence the metals need on average
    low, high   what they allow
    """

    slab: int
    region: int
    metals: Mapping[str, int]
    mean: float
    low: float
    high: float

    @property
    def valences(self) -> dict[str, float]:
        """Mean valence of each element (`slab_valences`)."""
        return slab_valences(self.metals, self.mean)


def parts(scaffold: Scaffold, counts: Sequence[Mapping[str, int]]) -> tuple[tuple[Part, ...], Integers]:
    """The neutral parts of a scaffold and (m,) the part of each metal site, -1 for other sites.

    counts  atoms of each element in every stratum (`stratum_counts`)
    For one region per slab this is the electroneutral-slab rule, q = 4 - (x below + x above) / 2 in an oxide
    with one ion per content; slabs with metals between them, tunnels and particles are neutral region by region.
    Regions that share anion layers take the anions that their octahedra stand for (`Scaffold.octahedra`), a sixth of
    each of the six around one; elsewhere an anion counts for the metals it is bonded to.
    The sum over all parts is neutral.
    """
    part_of, labels = _part_of(scaffold)
    metals = _metals(scaffold, counts, labels)
    if not metals:
        return (), part_of
    number = np.array([sum(m.values()) for m in metals], dtype=np.float64)
    if scaffold.octahedra is None:
        mean = _bonded_means(scaffold, counts, (part_of, labels), number)
    else:
        mean = octahedra_means(scaffold, counts, labels, number)
    records = [
        Part(slab, region, m, float(q), *window(m)) for (slab, region), m, q in zip(labels, metals, mean, strict=True)
    ]
    return tuple(records), part_of


def _bonded_means(
    scaffold: Scaffold,
    counts: Sequence[Mapping[str, int]],
    found: tuple[Integers, list[tuple[int, int]]],
    number: Floats,
) -> Floats:
    """(parts,) mean valence where every anion counts for the metals it is bonded to; number (parts,) of metals."""
    part_of, labels = found
    anions = _anion_charge(scaffold, counts, part_of, len(labels))
    below, above = _ion_charge(scaffold, counts, part_of, labels)
    fixed = -anions / number - 0.5 * (below / number + above / number)
    shared = _weights(scaffold, part_of, len(labels))
    if np.linalg.matrix_rank(shared) < len(labels):  # small domains with metals between the same slabs only
        shared = np.diag(number)
    return np.linalg.solve(shared / number[:, None], fixed)


def part_problems(found: Sequence[Part], phases: Sequence[str]) -> list[str]:
    """Parts whose metals cannot take the mean valence they need, in sentences with the window.

    phases  name of each region
    """
    problems = []
    for part in found:
        if part.low - 1e-6 <= part.mean <= part.high + 1e-6:
            continue
        text = " ".join(f"{n} {symbol}" for symbol, n in part.metals.items())
        where = f"slab {part.slab} of region" if part.slab >= 0 else "region"
        change = "fewer ions or lower-valent metals" if part.mean < part.low else "more ions or higher-valent metals"
        problems.append(
            f"{where} {part.region} ({phases[part.region]}; {text}) needs a mean metal valence of {part.mean:.3f}, but "
            f"its metals allow {part.low:.3f} to {part.high:.3f}; ask for {change}."
        )
    return problems


def site_charges(scaffold: Scaffold, names: np.ndarray, found: tuple[tuple[Part, ...], Integers]) -> Floats:
    """(m,) formal charge of every site with a symbol in `names` (m,), 0 where empty; they sum to zero.

    found  the result of `parts` for the counts of these names
    """
    records, part_of = found
    charge = np.zeros(len(scaffold))
    role = scaffold.role
    for p, part in enumerate(records):
        for symbol, q in _balanced(part).items():
            charge[(part_of == p) & (names == symbol)] = q
    for kind, valence in FIXED.items():
        for symbol in np.unique(names[(role == kind) & (names != "")]):
            charge[(role == kind) & (names == symbol)] = valence(str(symbol))
    return charge


def name_counts(scaffold: Scaffold, names: np.ndarray) -> list[dict[str, int]]:
    """Atoms of each element in every stratum of a filled scaffold; names (m,), empty where no atom is."""
    there = names != ""
    return [dict(Counter(names[there & (scaffold.stratum == k)].tolist())) for k in range(len(scaffold.strata))]


def filled_charges(scaffold: Scaffold, names: np.ndarray) -> Floats:
    """`site_charges` of a filled scaffold."""
    return site_charges(scaffold, names, parts(scaffold, name_counts(scaffold, names)))


def _balanced(part: Part) -> dict[str, float]:
    """Valences by element, shifted alike where the window clipped them, so that the part stays neutral."""
    valences = part.valences
    total = sum(part.metals.values())
    short = part.mean - sum(n * valences[s] for s, n in part.metals.items()) / total
    return {s: q + short for s, q in valences.items()} if abs(short) > 1e-9 else valences


def _part_of(scaffold: Scaffold) -> tuple[Integers, list[tuple[int, int]]]:
    metal, region = scaffold.role == "metal", scaffold.region
    merged = np.unique(region[metal & (scaffold.layers < 0)])
    slab = np.where(np.isin(region, merged), -1, scaffold.layers)
    keys = np.column_stack([slab, region])[metal]
    part_of = np.full(len(scaffold), -1)
    if not metal.any():
        return part_of, []
    labels, inverse = np.unique(keys, axis=0, return_inverse=True)
    part_of[metal] = inverse.ravel()
    return part_of, [(int(a), int(b)) for a, b in labels]


def _metals(
    scaffold: Scaffold, counts: Sequence[Mapping[str, int]], labels: list[tuple[int, int]]
) -> list[dict[str, int]]:
    """Metals of every part; those of a part without a slab (-1) are all of its region."""
    number = {label: p for p, label in enumerate(labels)}
    total: list[dict[str, int]] = [{} for _ in labels]
    used, first = np.unique(scaffold.stratum, return_index=True)
    layer = dict(zip(used.tolist(), scaffold.layers[first].tolist(), strict=True))
    for k, stratum in enumerate(scaffold.strata):
        if stratum.role != "metal":
            continue
        merged = number.get((-1, stratum.region))
        part = number.get((layer.get(k, -1), stratum.region)) if merged is None else merged
        if part is not None:
            for name, n in counts[k].items():
                total[part][name] = total[part].get(name, 0) + n
    return total


def _anion_charge(scaffold: Scaffold, counts: Sequence[Mapping[str, int]], part_of: Integers, size: int) -> Floats:
    """(parts,) charge of the anions bound to the metals of each part, a mean anion on every site of a stratum."""
    sites = np.bincount(scaffold.stratum, minlength=len(scaffold.strata))
    mean = [
        sum(n * ANION_VALENCE[name] for name, n in c.items()) / m if s.role == "anion" and m else 0.0
        for s, c, m in zip(scaffold.strata, counts, sites, strict=True)
    ]
    anion, metal = np.flatnonzero(scaffold.role == "anion"), np.flatnonzero(part_of >= 0)
    charge = np.array(mean)[scaffold.stratum[anion]]
    points, centres = scaffold.positions[anion], scaffold.positions[metal]
    pairs = find_pairs(points, centres, scaffold.cell, BOND_A)
    bonds = np.bincount(pairs.point, minlength=len(anion))
    share = charge[pairs.point] / bonds[pairs.point]
    total = np.bincount(part_of[metal[pairs.atom]], share, minlength=size)
    lone = np.flatnonzero(bonds == 0)
    if len(lone):
        total += np.bincount(part_of[metal[_nearest(points[lone], centres, scaffold.cell)]], charge[lone], size)
    return np.round(total, 9)


def _nearest(points: Floats, centres: Floats, cell: Floats) -> Integers:
    """(p,) index of the centre nearest to each point, over all images."""
    reach = 2.0 * BOND_A
    while True:
        pairs = find_pairs(points, centres, cell, reach)
        if len(np.unique(pairs.point)) == len(points):
            order = np.lexsort((pairs.distance, pairs.point))
            return pairs.atom[order[np.unique(pairs.point[order], return_index=True)[1]]]
        reach *= 1.5


def _ion_charge(
    scaffold: Scaffold, counts: Sequence[Mapping[str, int]], part_of: Integers, labels: list[tuple[int, int]]
) -> tuple[Floats, Floats]:
    """Charge of the ions and tetrahedral cations that each part sees below and above itself; half of each counts."""
    shares = np.zeros((2, len(labels)))
    slabs = int(scaffold.layers.max()) + 1
    for k, stratum in enumerate(scaffold.strata):
        valence = {"alkali": ion_valence, "tetrahedral": tetrahedral_valence}.get(stratum.role)
        mine = scaffold.stratum == k
        if valence is None or not mine.any():
            continue
        charge = float(sum(n * valence(name) for name, n in counts[k].items()))
        gallery = int(scaffold.gallery[mine][0])
        for side, slab in ((1, gallery), (0, (gallery + 1) % max(slabs, 1))):
            takers = _takers(scaffold, part_of, labels, (slab if gallery >= 0 else -1, stratum.region))
            shares[side] += charge * takers
    return shares[0], shares[1]


def _takers(scaffold: Scaffold, part_of: Integers, labels: list[tuple[int, int]], where: tuple[int, int]) -> Floats:
    """(parts,) weights, summing to 1, of the parts that take the charge of ions next to a slab, in a region."""
    slab, region = where
    metal = part_of >= 0
    near = metal & (scaffold.layers == slab) if slab >= 0 else metal & (scaffold.region == region)
    own = near & (scaffold.region == region)
    chosen = own if own.any() else near if near.any() else metal
    weights = np.bincount(part_of[chosen], minlength=len(labels)).astype(np.float64)
    return weights / weights.sum()


def _weights(scaffold: Scaffold, part_of: Integers, size: int) -> Floats:
    """(parts, parts): metals of part h that are charged to part g; half of a metal between slabs goes to each."""
    matrix = np.zeros((size, size))
    slabs = int(scaffold.layers.max()) + 1
    metal = part_of >= 0
    between = metal & (scaffold.layers < 0) & (scaffold.gallery >= 0)
    own = metal & ~between
    np.add.at(matrix, (part_of[own], part_of[own]), 1.0)
    labels = [(0, 0)] * size
    for h in np.unique(part_of[between]):
        mine = between & (part_of == h)
        region = int(scaffold.region[mine][0])
        for gallery in np.unique(scaffold.gallery[mine]):
            number = int((scaffold.gallery[mine] == gallery).sum())
            for slab in (int(gallery), (int(gallery) + 1) % max(slabs, 1)):
                matrix[:, h] += 0.5 * number * _takers(scaffold, part_of, labels, (slab, region))
    return matrix
