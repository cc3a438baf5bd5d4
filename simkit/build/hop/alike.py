"""Classes of alike hops: orbits of the space group, or fingerprints of the surroundings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from simkit.arrays import Floats, Integers
from simkit.build.hop.places import Places
from simkit.build.hop.record import Hop, HopRequest
from simkit.build.symmetry import operations
from simkit.kernels.pair_search import find_pairs
from simkit.structure import Structure

FINGERPRINT_A = 6.0
SAME_FINGERPRINT = 0.3
"""Two hops are alike when no bin of their smoothed neighbour shells differs by more than this many atoms."""
SHELLS_A = np.arange(0.25, FINGERPRINT_A, 0.25)
BLUR_A = 0.2
MATCH_A = 0.15
"""An operation takes one hop to another when no point of it is farther than this from its twin, A."""

SEARCH_A = 1.5
"""Neighbours are looked for this far: shorter cutoffs make more bins than points, A."""


def classes(structure: Structure, raw: Sequence[Hop], request: HopRequest) -> list[Hop]:
    """Hops in order, with group numbers, multiplicities and what grouped them."""
    rotations, translations = operations(structure, request.symprec_A)
    symmetric = request.alike == "symmetry" or (request.alike == "auto" and len(rotations) > 1)
    if not symmetric:
        return grouped(structure, raw, False)
    raw = in_order(raw)
    label = _orbits(structure, raw, (rotations, translations))
    counts = np.bincount(label)
    return [
        replace(h, group=int(g), multiplicity=int(counts[g]), grouped_by="space group")
        for h, g in zip(raw, label, strict=True)
    ]


def representatives(hops: Sequence[Hop]) -> list[Hop]:
    """The first hop of each class."""
    first: dict[int, Hop] = {}
    for hop in hops:
        first.setdefault(hop.group, hop)
    return list(first.values())


def site_classes(structure: Structure, places: Places, which: Integers, request: HopRequest) -> dict[int, int]:
    """Class of each of the filled places `which`, by number of the place: alike sites share one, as alike hops do.

    Taking the ion from alike sites costs alike.
    """
    rests = [
        Hop(
            ion=int(places.atom[k]),
            vacancy=int(places.atom[k]),
            target_A=tuple(map(float, places.positions[k])),
            gallery=int(places.gallery[k]),
            phase=str(places.phase[k]),
            kind=str(places.kind[k]),
            distance_A=0.0,
            to_gallery=int(places.gallery[k]),
            to_phase=str(places.phase[k]),
            sites=(int(k), int(k)),
        )
        for k in which
    ]
    return {hop.sites[0]: hop.group for hop in classes(structure, rests, request)}


def in_order(raw: Sequence[Hop]) -> list[Hop]:
    """Hops by gallery, kind, length, then atoms."""
    return sorted(raw, key=lambda h: (h.gallery, h.kind, round(h.distance_A, 3), h.ion, h.vacancy, h.second))


def grouped(structure: Structure, raw: Sequence[Hop], unique: bool) -> list[Hop]:
    """Hops sorted by gallery and length, with group numbers and multiplicities from their surroundings."""
    raw = in_order(raw)
    prints = _fingerprints(structure, raw)
    found: list[list[int]] = []
    known: dict[tuple, list[int]] = {}
    for k, hop in enumerate(raw):
        key = (hop.gallery, hop.to_gallery, *_phases(hop), hop.kind, hop.vacancy >= 0, hop.mechanism)
        same = known.setdefault(key, [])
        gaps = [np.abs(prints[k] - prints[found[c][0]]).max() for c in same]
        if gaps and min(gaps) < SAME_FINGERPRINT:
            found[same[int(np.argmin(gaps))]].append(k)
        else:
            same.append(len(found))
            found.append([k])
    named = {k: replace(raw[k], group=c, multiplicity=len(m)) for c, m in enumerate(found) for k in m}
    return [named[m[0]] for m in found] if unique else [named[k] for k in range(len(raw))]


def _phases(hop: Hop) -> tuple[str, ...]:
    return tuple(sorted((hop.phase, hop.to_phase)))


def _orbits(structure: Structure, raw: Sequence[Hop], group: tuple[Integers, Floats]) -> Integers:
    """(h,) class of each hop under the operations x' = R x + t of fractional columns, numbered by first hop.

    A hop that takes an ion out runs both ways; one into an empty site only one way.
    """
    cell, inverse = structure.cell, np.linalg.inv(structure.cell)
    start = np.array([structure.positions[h.ion] for h in raw])
    middle = 0.5 * (start + np.array([h.target_A for h in raw]))
    arm = middle - start
    side = np.array([m if h.through_A is None else h.through_A for m, h in zip(middle, raw, strict=True)]) - middle
    both = np.array([h.vacancy >= 0 and h.mechanism != "metal" for h in raw])
    # hops of unlike mechanism or element never match: one number for both
    facts = {key: k for k, key in enumerate(dict.fromkeys(map(_nature, raw)))}
    nature = np.array([facts[_nature(h)] for h in raw])
    links = []
    for rotation, translation in _generators(*group):
        turn = inverse @ rotation.T @ cell
        pairs = find_pairs(middle @ turn + translation @ cell, middle, cell, SEARCH_A)
        pairs = pairs.take(pairs.distance < MATCH_A)
        i, j = pairs.point, pairs.atom
        forward = np.abs((arm @ turn)[i] - arm[j]).max(axis=1) < MATCH_A
        backward = np.abs((arm @ turn)[i] + arm[j]).max(axis=1) < MATCH_A
        same = (forward | (backward & both[i])) & (nature[i] == nature[j])
        same &= np.abs((side @ turn)[i] - side[j]).max(axis=1) < MATCH_A
        links.append(np.column_stack([i[same], j[same]]))
    edges = np.concatenate(links)
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(len(raw), len(raw)))
    _, label = connected_components(graph, directed=False)
    order = {g: k for k, g in enumerate(dict.fromkeys(label.tolist()))}
    return np.array([order[g] for g in label.tolist()])


def _generators(rotations: Integers, translations: Floats) -> list[tuple[Integers, Floats]]:
    """One operation of each rotation and every pure translation: together they make the whole group."""
    _, first = np.unique(rotations.reshape(len(rotations), -1), axis=0, return_index=True)
    pure = np.flatnonzero((rotations == np.eye(3, dtype=int)).all(axis=(1, 2)))
    return [(rotations[k], translations[k]) for k in np.union1d(first, pure)]


def _nature(hop: Hop) -> tuple:
    return (hop.mechanism, hop.vacancy >= 0, hop.second >= 0, hop.through_A is None)


def _fingerprints(structure: Structure, raw: Sequence[Hop]) -> Floats:
    """(hops, species x shells x 3) smoothed neighbour counts around both ends (order-free) and the middle."""
    species = np.unique(structure.numbers)
    ends = np.array([[structure.positions[h.ion], h.target_A] for h in raw]).reshape(-1, 2, 3)
    way = [m if h.through_A is None else h.through_A for m, h in zip(ends.mean(axis=1), raw, strict=True)]
    points = np.concatenate([ends[:, 0], ends[:, 1], np.array(way).reshape(-1, 3)])
    pairs = find_pairs(points, structure.positions, structure.cell, FINGERPRINT_A)
    n = len(raw)
    gone = np.array([[h.ion, h.vacancy, h.second] for h in raw]).reshape(-1, 3)[pairs.point % n]
    pairs = pairs.take((pairs.atom[:, None] != gone).all(axis=1))
    taper = 0.5 * (1 + np.cos(np.pi * pairs.distance / FINGERPRINT_A))
    column = np.searchsorted(species, structure.numbers[pairs.atom])
    row = pairs.point * len(species) + column
    shells = [
        np.bincount(row, taper * np.exp(-(((pairs.distance - r) / BLUR_A) ** 2) / 2), len(points) * len(species))
        for r in SHELLS_A
    ]
    first, last, middle = np.stack(shells, axis=-1).reshape(3, n, -1)
    return np.concatenate([first + last, np.abs(first - last), middle], axis=1)
