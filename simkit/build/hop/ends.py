"""The two ends of a hop and the place on its way, in one atom order."""

from __future__ import annotations

import numpy as np

from simkit.arrays import Floats
from simkit.build.hop.record import Hop
from simkit.errors import InputError
from simkit.structure import Structure


def endpoints(structure: Structure, hop: Hop) -> tuple[Structure, Structure]:
    """Initial and final structure of a hop, unrelaxed, with the same atoms in the same order.

    The ions at the target and of a second vacancy are taken out where there are any; the moving ion goes from its
    place to the target, in the image the hop names or else the nearest. Raises InputError where the hop does not
    belong to the structure.
    """
    _require_fitting(structure, hop)
    initial = structure.take(np.delete(np.arange(len(structure)), [i for i in (hop.vacancy, hop.second) if i >= 0]))
    initial = structure if len(initial) == len(structure) else initial
    positions = initial.positions.copy()
    positions[hop.moving] = arrival(structure, hop)
    return initial, initial.moved_to(positions)


def through(structure: Structure, hop: Hop) -> Structure | None:
    """The atoms of the endpoints with the moving ion at the place on the way; None where the way is straight.

    Raises InputError where the hop does not belong to the structure.
    """
    if hop.through_A is None:
        return None
    initial, _ = endpoints(structure, hop)
    positions = initial.positions.copy()
    positions[hop.moving] = hop.through_A
    return initial.moved_to(positions)


def nearest_image(start: Floats, target: Floats, cell: Floats) -> Floats:
    """The image of target nearest to start, all (3,) A."""
    step = (target - start) @ np.linalg.inv(cell)
    step -= np.round(step)
    around = np.array(list(np.ndindex(3, 3, 3))) - 1
    images = (step + around) @ cell
    return start + images[int(np.argmin(np.round((images**2).sum(axis=1), 9)))]


def arrival(structure: Structure, hop: Hop) -> Floats:
    """(3,) A where the ion goes, in the image the hop names or else the nearest."""
    target = np.array(hop.target_A) if hop.vacancy < 0 else structure.positions[hop.vacancy]
    if hop.image is None:
        return nearest_image(structure.positions[hop.ion], target, structure.cell)
    return target if hop.vacancy < 0 else target + np.array(hop.image) @ structure.cell


def _require_fitting(structure: Structure, hop: Hop) -> None:
    size = len(structure)
    if not (0 <= hop.ion < size and -1 <= hop.vacancy < size and hop.ion != hop.vacancy):
        raise InputError(f"hop of atom {hop.ion} into {hop.vacancy} does not fit a structure of {size} atoms.")
    if not -1 <= hop.second < size or (hop.second >= 0 and hop.second in (hop.ion, hop.vacancy)):
        raise InputError(f"second vacancy {hop.second} of the hop of atom {hop.ion} does not fit {size} atoms.")
    alike = hop.vacancy < 0 or structure.numbers[hop.vacancy] == structure.numbers[hop.ion]
    if not alike and hop.mechanism != "metal":
        raise InputError(f"atoms {hop.ion} and {hop.vacancy} differ in element; the hop is of another structure.")
