"""What each hop says beside its barrier: where it is, what the ion passes, whether a minimum splits it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from simkit import build, measure, solve
from simkit.arrays import Floats
from simkit.build.layering import ALKALI_NUMBERS, ANIONS
from simkit.elements import SYMBOLS
from simkit.errors import InputError
from simkit.io.keys import digest
from simkit.kernels.pair_search import find_pairs
from simkit.potential.base import Potential
from simkit.structure import Structure
from simkit.workflows.committee import difference_spreads
from simkit.workflows.common import Hooks
from simkit.workflows.hops.record import HopResult, Surroundings

METAL_SHELL_A = 3.4
"""Metals nearer than this are neighbours of an ion: across a shared face 2.6 to 2.8, across an edge 2.9 to 3.3, A."""
SPLIT_EV = 0.01
"""A minimum between the ends at least this deep on both sides splits a hop in two."""


def surroundings(cell: Structure, hop: build.Hop, path: solve.Path) -> Surroundings:
    """Facts of one path in the cell it was found in."""
    ion = hop.moving
    top = int(np.argmax(path.energies_eV))
    wall = "O" if "O" in path.images[0].symbols else None
    height = height_A(cell, path.images[top].positions[ion])
    moved = np.linalg.norm(measure.displacements_A(path.images[0], path.images[-1]), axis=1)
    return Surroundings(
        height_A=height,
        from_interface_A=from_interface_A(cell, hop, path.images[top].positions[ion], height),
        metals=tuple(metals(path.images[k], ion) for k in (0, top, -1)),
        window_A=measure.window_A(path.images, ion, wall),
        track_A=measure.track_length_A(path.images, ion),
        others_A=float(np.delete(moved, ion).max(initial=0.0)),
    )


def splits(path: solve.Path) -> tuple[measure.Intermediate, ...]:
    """Minima that split the hop."""
    fit = measure.fit_barrier(path.distances_A, path.energies_eV, path.tangential_forces_eV_per_A)
    return measure.intermediates(fit, SPLIT_EV)


def with_spreads(hops: Sequence[HopResult], potential: Potential, hooks: Hooks, name: str) -> tuple[HopResult, ...]:
    """Hops with the spreads of their barriers, at three more evaluations each, which are kept.

    They are as they were for a single potential.
    """
    paths = {k: hop.path for k, hop in enumerate(hops) if hop.path is not None}
    mine = {k: path for k, path in paths.items() if path.force_spreads_eV_per_A is not None}
    if not mine:
        return tuple(hops)
    states = [[path.images[j] for j in (int(np.argmax(path.energies_eV)), 0, -1)] for path in mine.values()]
    found = hooks.keep(f"{name}-spreads-{digest(states)[:12]}", lambda: difference_spreads(potential, states), ())
    told = {k: (float(s[1]), float(s[2])) for k, s in zip(mine, found, strict=True) if s is not None}
    return tuple(replace(hop, barrier_spreads_eV=told.get(k)) for k, hop in enumerate(hops))


def height_A(cell: Structure, place: Floats) -> float:
    """Height of a place above the origin along the normal of the first two vectors, within the cell, A."""
    normal = np.cross(cell.cell[0], cell.cell[1])
    normal = normal / np.linalg.norm(normal)
    return float((place @ normal) % (cell.cell[2] @ normal))


def metals(structure: Structure, ion: int) -> str:
    """Metal neighbours of an ion, as "Mn2Ni1"; empty where there are none."""
    metal = ~np.isin(structure.numbers, (*ANIONS, *ALKALI_NUMBERS))
    metal[ion] = False
    near = find_pairs(structure.positions[ion][None], structure.positions[metal], structure.cell, METAL_SHELL_A)
    counts = Counter(SYMBOLS[z] for z in structure.numbers[metal][near.atom])
    return "".join(f"{symbol}{counts[symbol]}" for symbol in sorted(counts))


def from_interface_A(cell: Structure, hop: build.Hop, place: Floats, height: float) -> float | None:
    """Distance from the nearest plane that two phases share, else from the nearest anion of another phase, A."""
    try:
        planes = build.interface_heights_A(cell)
    except InputError:
        planes = np.zeros(0)
    if len(planes):
        normal = np.cross(cell.cell[0], cell.cell[1])
        period = float(cell.cell[2] @ normal / np.linalg.norm(normal))
        apart = (height - planes + 0.5 * period) % period - 0.5 * period
        return float(np.abs(apart).min())
    if "phase" not in cell.tags:
        return None
    other = np.isin(cell.numbers, ANIONS) & (cell.tags["phase"] != hop.phase) & (cell.tags["phase"] != "")
    if not other.any() or not hop.phase:
        return None
    reach = float(np.linalg.norm(cell.cell, axis=1).sum())
    return float(find_pairs(place[None], cell.positions[other], cell.cell, reach).distance.min())
