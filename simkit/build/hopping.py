"""Vacancy hops between the sites of one gallery, or between the ions of one element: which exist, which are alike."""

from __future__ import annotations

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.assemble import Model
from simkit.build.hop.alike import grouped
from simkit.build.hop.ends import endpoints
from simkit.build.hop.record import CUTOFF_A, Hop
from simkit.build.identify import Classification, classify
from simkit.build.layering import ALKALI_NUMBERS
from simkit.build.sites import Sites, candidate_sites, phase_names
from simkit.elements import SYMBOLS, atomic_number
from simkit.errors import InputError
from simkit.kernels.pair_search import find_pairs
from simkit.structure import Structure

__all__ = ["CUTOFF_A", "Hop", "endpoints", "hops", "hops_between_ions", "interface_galleries", "interface_heights_A"]

CONTACT_A = 2.2
"""An empty site nearer than this to another ion cannot be entered, A."""


def hops(structure_or_model: Structure | Model, cutoff_A: float = CUTOFF_A, unique: bool = True) -> list[Hop]:
    """Vacancy hops between sites of one gallery up to cutoff_A apart.

    Between two occupied sites the second ion is taken out (one hop for both directions); into an empty site
    the ion moves as things are, unless another ion is in hard contact with that site. Empty sites are those
    of the model, or read from the coordinates. unique: one representative of each class of alike hops (the
    shortest, then the first); else all.

    Raises InputError where the structure is not layered or holds no alkali ions in its galleries.
    """
    model = structure_or_model if isinstance(structure_or_model, Model) else None
    structure = structure_or_model if model is None else model.structure
    found = classify(structure)
    sites = candidate_sites(structure, found) if model is None else model.sites
    if not (sites.atom >= 0).any():
        raise InputError(f"{structure.formula} has no alkali ions on gallery sites; there is nothing to hop.")
    raw = _raw_hops(structure, found, sites, cutoff_A)
    if not raw:
        raise InputError(
            f"no hop up to {cutoff_A} A leads to another site of {structure.formula}: repeat the cell in the plane "
            "(at least 3 x 3, so that a vacancy is alone), or raise the cutoff."
        )
    return grouped(structure, raw, unique)


def hops_between_ions(structure: Structure, element: str, cutoff_A: float = CUTOFF_A, unique: bool = True) -> list[Hop]:
    """Vacancy hops between the ions of one element up to cutoff_A apart, in any crystal.

    One hop for both directions; grouping as in `hops`. Raises InputError for an absent element or no pairs.
    """
    ions = np.flatnonzero(structure.numbers == atomic_number(element))
    if len(ions) == 0:
        raise InputError(f"{structure.formula} holds no {element}; name an element it holds.")
    points = structure.positions[ions]
    pairs = find_pairs(points, points, structure.cell, cutoff_A)
    pairs = pairs.take(pairs.point < pairs.atom)
    pairs = pairs.take(_nearest_image(pairs.point, pairs.atom, pairs.distance))
    if len(pairs) == 0:
        raise InputError(f"no two {element} are within {cutoff_A} A of different sites; raise cutoff_A.")
    target = points[pairs.atom] + pairs.shift @ structure.cell
    raw = [
        Hop(int(ions[i]), int(ions[j]), tuple(map(float, where)), -1, "", element, float(d))
        for i, j, where, d in zip(pairs.point, pairs.atom, target, pairs.distance, strict=True)
    ]
    return grouped(structure, raw, unique)


def interface_galleries(structure_or_model: Structure | Model) -> list[bool]:
    """For each gallery, whether one of its two slabs is shared with a gallery of another phase."""
    model = structure_or_model if isinstance(structure_or_model, Model) else None
    structure = structure_or_model if model is None else model.structure
    return _at_interface(_phases(structure, classify(structure)))


def interface_heights_A(structure: Structure) -> Floats:
    """Heights along the normal of the metal planes of slabs that two phases share, A; none in a single phase.

    Raises InputError where the structure is not layered.
    """
    found = classify(structure)
    phases = _phases(structure, found)
    shared = [j for j in range(len(phases)) if phases[j] != phases[j - 1]]
    return found.layering.heights_A[shared, 1] % found.height_A


def _raw_hops(structure: Structure, found: Classification, sites: Sites, cutoff_A: float) -> list[Hop]:
    filled = np.flatnonzero(sites.atom >= 0)
    points = structure.positions[sites.atom[filled]]
    places = sites.positions.copy()
    places[filled] = points
    pairs = find_pairs(points, places, structure.cell, cutoff_A)
    start = filled[pairs.point]
    keep = (sites.gallery[start] == sites.gallery[pairs.atom]) & (start != pairs.atom)
    keep &= (sites.atom[pairs.atom] < 0) | (sites.atom[start] < sites.atom[pairs.atom])
    keep &= (sites.atom[pairs.atom] >= 0) | ~_blocked(structure, places, sites, start, pairs.atom)
    keep[keep] = _nearest_image(start[keep], pairs.atom[keep], pairs.distance[keep])
    pairs, start = pairs.take(keep), start[keep]
    phases = _phases(structure, found)
    interface = _at_interface(phases)
    target = places[pairs.atom] + pairs.shift @ structure.cell
    names = _site_names(structure, sites)
    raw = []
    for s, t, where, d in zip(start, pairs.atom, target, pairs.distance, strict=True):
        j = int(sites.gallery[s])
        kind = "-".join(sorted((names[s], f"{names[s].split('_')[0]}_{sites.kind[t]}" if "_" in names[s] else "oct")))
        raw.append(
            Hop(
                ion=int(sites.atom[s]),
                vacancy=int(sites.atom[t]),
                target_A=tuple(map(float, where)),
                gallery=j,
                phase=phases[j],
                kind=kind,
                distance_A=float(d),
                at_interface=interface[j],
            )
        )
    return raw


def _site_names(structure: Structure, sites: Sites) -> list[str]:
    symbols = [SYMBOLS[structure.numbers[i]] if i >= 0 else "" for i in sites.atom]
    return [k if k == "oct" else f"{a}_{k}" for a, k in zip(symbols, sites.kind, strict=True)]


def _blocked(structure: Structure, places: Floats, sites: Sites, start: Integers, target: Integers) -> np.ndarray:
    """Whether an ion other than the moving one is in hard contact with the target site."""
    ions = np.flatnonzero(np.isin(structure.numbers, ALKALI_NUMBERS))
    near = find_pairs(places, structure.positions[ions], structure.cell, CONTACT_A)
    contacts = np.bincount(near.point, minlength=len(places))
    mine = {(int(p), int(ions[a])) for p, a in zip(near.point, near.atom, strict=True)}
    own = np.array([(int(t), int(sites.atom[s])) in mine for s, t in zip(start, target, strict=True)], dtype=bool)
    return contacts[target] - own > 0


def _nearest_image(first: Integers, second: Integers, distance: Floats) -> np.ndarray:
    """Mask that keeps, of all images of one pair, the nearest."""
    order = np.lexsort((distance, second, first))
    a, b = first[order], second[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (a[1:] != a[:-1]) | (b[1:] != b[:-1])
    keep = np.zeros(len(order), dtype=bool)
    keep[order[new]] = True
    return keep


def _phases(structure: Structure, found: Classification) -> list[str]:
    """Phase name of each gallery: from the slab tags where the structure has them, else the gap names."""
    names = phase_names(found.stack.gaps())
    if "phase" not in structure.tags:
        return names
    first = [int(np.flatnonzero(found.slab_of == j)[0]) for j in range(len(names))]
    return [str(structure.tags["phase"][i]) for i in first]


def _at_interface(phases: list[str]) -> list[bool]:
    n = len(phases)
    return [phases[j] != phases[j - 1] or phases[j] != phases[(j + 1) % n] for j in range(n)]
