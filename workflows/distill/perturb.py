"""Copies of a relaxed cell that show a potential more than minima: rattled, strained, glided, opened, pressed ..."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simkit import build
from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.structure import Structure
from simkit.workflows.distill.dataset import sodium_content

SODIUM = 11
RATTLES_A = (0.03, 0.06, 0.1, 0.15)
"""Standard deviations of random displacements; 0.1 A is the thermal amplitude of oxygen near 900 K."""
SOFTER = 1.4
"""Sodium moves further than the framework."""
STRAIN = 0.015
STRAIN_ALONG_C = 0.03
SQUEEZE = (-0.04, 0.05)
"""Range of linear strain of uniform compression and expansion."""
LIFT_A = 0.3
"""How far a gallery opens at most while it glides."""
STEP_A = (0.8, 2.0)
"""How far a sodium ion is taken from its site towards another."""
ROOM_A = {8: 1.95, 11: 2.2}
"""Nearest oxygen and sodium allowed to a displaced ion; other elements 2.1 A."""
OPEN_A = 2.5
"""How far a gallery is pulled apart at most."""
BARE = 0.5
"""Share of the glided, opened, displaced, pressed and strained copies that are not rattled besides: stacking energies,
adhesion, barriers and elastic constants are read there."""
PRESS = (0.5, 0.95)
"""Share of its distance that is left to a pair of atoms pushed together."""
NEAR_A = 3.6
"""Largest distance of such a pair."""
KINDS = {
    "rattled": 0.28,
    "strained": 0.2,
    "squeezed": 0.05,
    "glided": 0.17,
    "opened": 0.08,
    "displaced": 0.12,
    "pressed": 0.1,
}
"""Kinds of copies and their chances; without stacked slabs, or room for an ion, a rattled one takes the place."""
EMPTY = 0.05
"""Sodium content below which a host counts as empty."""
OPENED_EMPTY = 0.35
"""Chance of an opened copy of an empty host, against those of `KINDS`: it teaches what holds slabs together."""


@dataclass(frozen=True, eq=False)
class Variant:
    """A changed structure and which of `KINDS` it is."""

    structure: Structure
    kind: str


def variants(structure: Structure, count: int, stacked: bool, generator: np.random.Generator) -> list[Variant]:
    """`count` copies, their kinds drawn; gliding and opening only where slabs are stacked, opening likelier in a host
    without ions."""
    stacked = stacked and layered(structure)
    likely = {**KINDS, "opened": OPENED_EMPTY} if sodium_content(structure) < EMPTY else KINDS
    names, chances = list(likely), np.array(list(likely.values()))
    kinds = [names[i] for i in generator.choice(len(names), size=count, p=chances / chances.sum())]
    return [_variant(structure, kind, stacked, generator) for kind in kinds]


def layered(structure: Structure) -> bool:
    """Whether slabs are still to be told in the coordinates: a cell that collapsed has none to glide."""
    try:
        build.classify(structure)
    except InputError:
        return False
    return True


def _variant(structure: Structure, kind: str, stacked: bool, generator: np.random.Generator) -> Variant:
    if kind == "squeezed":
        return Variant(squeezed(structure, generator), kind)
    if kind in CHANGES and (stacked or kind not in SLIDING):
        changed = CHANGES[kind](structure, generator)
        if changed is not None:
            return Variant(_perhaps_rattled(changed, generator), kind)
    return Variant(rattled(structure, generator), "rattled")


def _perhaps_rattled(structure: Structure, generator: np.random.Generator) -> Structure:
    return structure if generator.random() < BARE else rattled(structure, generator)


def rattled(structure: Structure, generator: np.random.Generator) -> Structure:
    """Independent Gaussian displacements of a drawn amplitude, larger for sodium."""
    amplitude = float(generator.choice(RATTLES_A))
    widths = amplitude * np.where(structure.numbers == SODIUM, SOFTER, 1.0)
    return structure.moved_to(structure.positions + generator.normal(size=(len(structure), 3)) * widths[:, None])


def strained(structure: Structure, generator: np.random.Generator) -> Structure:
    """A random symmetric strain, with more along the stacking axis."""
    strain = generator.normal(0.0, STRAIN, (3, 3))
    strain = (strain + strain.T) / 2
    strain[2, 2] += generator.normal(0.0, STRAIN_ALONG_C)
    return structure.strained_to(structure.cell @ (np.eye(3) + strain))


def squeezed(structure: Structure, generator: np.random.Generator) -> Structure:
    """The cell scaled in all directions alike."""
    return structure.strained_to(structure.cell * (1.0 + generator.uniform(*SQUEEZE)))


def glided(structure: Structure, generator: np.random.Generator) -> Structure:
    """One gallery slid by a part of the way between two letters and opened a little."""
    found = build.classify(structure)
    gallery = int(generator.integers(len(found.stack)))
    options = build.letter_vectors(found)
    across = options[generator.integers(len(options))] * generator.random()
    slid = build.slid(structure, gallery, across, found)
    return _lifted(slid, build.slide_weights(structure, gallery, found), LIFT_A * generator.random())


def opened(structure: Structure, generator: np.random.Generator) -> Structure:
    """One gallery pulled apart along the layer normal, its ions half way: any distance in an empty host, else
    mostly a small one."""
    found = build.classify(structure)
    gallery = int(generator.integers(len(found.stack)))
    share = generator.random()
    height = OPEN_A * (share if sodium_content(structure) < EMPTY else share**2)
    return _lifted(structure, build.slide_weights(structure, gallery, found), height)


def _lifted(structure: Structure, weights: Floats, height_A: float) -> Structure:
    """Atoms moved along the normal of the layers by their share of a height, the third cell vector by all of it."""
    normal = np.cross(structure.cell[0], structure.cell[1])
    lift = normal / np.linalg.norm(normal) * height_A
    cell = structure.cell.copy()
    cell[2] += lift
    return structure.moved_to(structure.positions + weights[:, None] * lift, cell)


def displaced(structure: Structure, generator: np.random.Generator) -> Structure | None:
    """One sodium ion taken to a random place near it that has room; None where no place was found."""
    sodium = np.flatnonzero(structure.numbers == SODIUM)
    if not len(sodium):
        return None
    inverse = np.linalg.inv(structure.cell)
    for _ in range(60):
        atom = int(generator.choice(sodium))
        direction = generator.normal(size=3)
        target = structure.positions[atom] + direction / np.linalg.norm(direction) * generator.uniform(*STEP_A)
        if _has_room(structure, inverse, atom, target):
            positions = structure.positions.copy()
            positions[atom] = target
            return structure.moved_to(positions)
    return None


def pressed(structure: Structure, generator: np.random.Generator) -> Structure | None:
    """Two near atoms pushed together along their line, half of the times two sodium ions: a model that never saw a
    close pair lets it fall together. None where no two atoms are near."""
    inverse = np.linalg.inv(structure.cell)
    sodium = np.flatnonzero(structure.numbers == SODIUM)
    ions = len(sodium) > 1 and generator.random() < 0.5
    for _ in range(20):
        atom = int(generator.choice(sodium if ions else len(structure)))
        steps = (structure.positions - structure.positions[atom]) @ inverse
        vectors = (steps - np.round(steps)) @ structure.cell
        distances = np.linalg.norm(vectors, axis=1)
        distances[atom] = np.inf
        near = np.flatnonzero((distances < NEAR_A) & ((structure.numbers == SODIUM) | (not ions)))
        if len(near):
            other = int(generator.choice(near))
            shift = vectors[other] * (1.0 - generator.uniform(*PRESS)) / 2
            positions = structure.positions.copy()
            positions[atom] += shift
            positions[other] -= shift
            return structure.moved_to(positions)
    return None


def _has_room(structure: Structure, inverse: Floats, atom: int, target: Floats) -> bool:
    """Whether no other atom, and no image of one, is too near a place."""
    steps = (structure.positions - target) @ inverse
    steps -= np.round(steps)
    images = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1], [-1, 0, 1], indexing="ij"), -1).reshape(-1, 3)
    vectors = (steps[:, None, :] + images) @ structure.cell
    distances = np.linalg.norm(vectors, axis=2)
    distances[atom] = np.inf
    needed = np.array([ROOM_A.get(int(z), 2.1) for z in structure.numbers])
    return bool((distances > needed[:, None]).all())


SLIDING = ("glided", "opened")
"""Kinds that need stacked slabs."""
CHANGES: dict[str, Callable[[Structure, np.random.Generator], Structure | None]] = {
    "glided": glided,
    "opened": opened,
    "displaced": displaced,
    "pressed": pressed,
    "strained": strained,
}
