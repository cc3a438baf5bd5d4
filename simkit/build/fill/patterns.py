"""Named patterns of slab metals: the sqrt3 x sqrt3 honeycomb and stripes along close-packed rows."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from types import MappingProxyType

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.errors import InputError
from simkit.kernels.pair_search import find_pairs

STEPS: Mapping[str, tuple[tuple[int, ...], ...]] = MappingProxyType(
    {"honeycomb": ((1, 2, 1, 2, 1, 2),), "stripes": ((0, 1, 1, 0, 1, 1), (1, 0, 1, 1, 0, 1), (1, 1, 0, 1, 1, 0))}
)
"""Colour change along the six neighbour directions of a triangular layer, 60 degrees apart: one per orientation."""
COLOURS: Mapping[str, int] = MappingProxyType({"honeycomb": 3, "stripes": 2})
PERIOD: Mapping[str, str] = MappingProxyType(
    {
        "honeycomb": "multiples of sqrt3 x sqrt3, for example (3, 3) or ROOT3",
        "stripes": "an even number of cells in one direction, for example (2, 1) or (4, 4)",
    }
)
SPREAD = 1.35
"""Metals nearer than this many shortest distances are neighbours; the next shell is at 1.73."""


def patterned(kind: str, where: tuple[Floats, Floats], what: tuple, pair: Floats) -> np.ndarray:
    """(n,) symbols of the metals of one region in a named pattern, slab by slab.

    kind   "honeycomb": species that together fill 1/3 of the sites on one of three sublattices (those of the
           lowest charge, where several sets do); "stripes": species that fill half in every other row
    where  points (n, 3) A and cell; what: symbols (n,), charge contrast (n,), stratum (n,), wanted places of
           the first sublattice (n,) bool, all False in a slab that is free; pair (n, n) repulsion
    Species that share a sublattice stay in the order they came in. Of the equivalent placements of a slab the one
    with the least repulsion from the slabs before it is taken, the first where several agree.
    Raises InputError where the supercell or the counts cannot hold the pattern, with what can.
    """
    points, cell = where
    names, contrast, stratum, centres = what
    result, value = names.copy(), np.zeros(len(names))
    for k in np.unique(stratum):
        mine = np.flatnonzero(stratum == k)
        chosen = _chosen(kind, names[mine], contrast[mine])
        options = _options(kind, points[mine], cell, (centres[mine], int(chosen.sum())))
        first, rest = mine[chosen], mine[~chosen]
        best, lowest = None, np.inf
        for mask in options:
            trial = np.zeros(len(names))
            trial[mine[mask]], trial[mine[~mask]] = contrast[first].mean(), contrast[rest].mean()
            energy = float(trial @ pair @ (value + 0.5 * trial))
            if energy < lowest - 1e-9:
                best, lowest = (mask, trial), energy
        mask, trial = best
        value += trial
        result[mine[mask]], result[mine[~mask]] = names[first], names[rest]
    return result


def _chosen(kind: str, names: np.ndarray, contrast: Floats) -> np.ndarray:
    """(n,) bool: the metals of one slab that go to the first sublattice."""
    species, counts = np.unique(names, return_counts=True)
    wanted = len(names) / COLOURS[kind]
    charge = {s: float(contrast[names == s].mean()) for s in species}
    sets = []
    for size in range(1, len(species)):
        for group in combinations(range(len(species)), size):
            if counts[list(group)].sum() == wanted:
                sets.append((sum(charge[species[g]] * counts[g] for g in group), [species[g] for g in group]))
    if not sets:
        text = ", ".join(f"{s} {n}" for s, n in zip(species, counts, strict=True))
        raise InputError(
            f"{kind}: species that together fill exactly 1/{COLOURS[kind]} of the {len(names)} sites of a slab "
            f"({wanted:.4g}) are needed; it has {text}. Change the fractions or the repeats, or take 'ordered'."
        )
    return np.isin(names, min(sets, key=lambda item: item[0])[1])


def _options(kind: str, points: Floats, cell: Floats, wanted: tuple[np.ndarray, int]) -> list[np.ndarray]:
    """The placements (n,) bool of the first sublattice that fit the slab: the named one, or all with its count."""
    centres, count = wanted
    if centres.any():
        if centres.sum() != count:
            raise InputError(
                f"{kind}: {int(centres.sum())} places are named for the {count} metals of the first sublattice of a "
                "slab; change the fractions or the repeats."
            )
        return [centres]
    nearest = find_pairs(points, points, cell, _reach(points, cell))
    options = []
    for steps in STEPS[kind]:
        colour = _coloured(nearest, points, cell, (np.array(steps), COLOURS[kind]))
        if colour is None:
            continue
        options += [colour == c for c in range(COLOURS[kind]) if (colour == c).sum() == count]
    if not options:
        raise InputError(
            f"{kind}: the {len(points)} metals of a slab do not close on the pattern in this supercell; the repeats "
            f"must be {PERIOD[kind]}. Change them, or take 'ordered'."
        )
    return options


def _reach(points: Floats, cell: Floats) -> float:
    reach = 4.0
    while True:
        pairs = find_pairs(points, points, cell, reach)
        if len(pairs):
            return SPREAD * float(pairs.distance.min())
        reach *= 1.5


def _coloured(pairs: object, points: Floats, cell: Floats, rule: tuple[Integers, int]) -> Integers | None:
    """(n,) colours that change by the rule along every neighbour vector, or None where the cell forbids it."""
    steps, modulus = rule
    vector = points[pairs.atom] + pairs.shift @ cell - points[pairs.point]
    angle = np.arctan2(vector[:, 1], vector[:, 0]) - np.arctan2(vector[0, 1], vector[0, 0])
    step = steps[np.round(angle / (np.pi / 3)).astype(np.int64) % 6]
    first = np.searchsorted(pairs.point, np.arange(len(points) + 1))
    colour = np.full(len(points), -1)
    for seed in range(len(points)):
        if colour[seed] >= 0:
            continue
        colour[seed], queue = 0, [seed]
        while queue:
            i = queue.pop()
            near = pairs.atom[first[i] : first[i + 1]]
            fresh = colour[near] < 0
            colour[near[fresh]] = (colour[i] + step[first[i] : first[i + 1]][fresh]) % modulus
            queue.extend(np.unique(near[fresh]).tolist())
    closed = (colour[pairs.point] + step - colour[pairs.atom]) % modulus == 0
    return colour if closed.all() else None
