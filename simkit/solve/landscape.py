"""What a landscape is: where one may move, and what pushes there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields

import numpy as np

from simkit.arrays import Floats
from simkit.potential.base import Evaluation, Potential
from simkit.solve.groups import Groups, largest_by
from simkit.structure import Batch


@dataclass(frozen=True, eq=False)
class Answers:
    """What the potential said of every system, also of those that have left the batch.

    energy (systems,) eV, forces (atoms, 3) eV/A, stress (systems, 3, 3) eV/A^3
    """

    energy: Floats
    forces: Floats
    stress: Floats


@dataclass(frozen=True, eq=False)
class Point:
    """A place on a landscape and what is felt there; plain arrays only.

    x        (d,) coordinates
    force    (d,) what pushes the coordinates, zero where nothing may move
    answers  the potential's raw answers
    energy   (groups,) eV watched for explosions (a band: its highest image)
    largest  (groups,) eV/A largest raw force on an atom
    residual (groups,) force (and stress) criterion as a ratio: 1 or less is met
    watched  (groups,) eV whose change over the last steps is part of the criterion
    mode     (groups,) the landscape's own choice at this point (a band: its climbing image, or -1)
    """

    x: Floats
    force: Floats
    answers: Answers
    energy: Floats
    largest: Floats
    residual: Floats
    watched: Floats
    mode: np.ndarray


class Landscape(ABC):
    """Where one may move and what pushes.

    groups   of the coordinates: one per independent problem
    owner    (systems,): [0, systems) -> [0, groups)
    batch    the systems as laid out for the potential, at the start
    """

    groups: Groups
    owner: np.ndarray
    batch: Batch

    @abstractmethod
    def start(self) -> Floats:
        """(d,) coordinates to begin from."""

    @abstractmethod
    def at(self, x: Floats, active: np.ndarray, before: Point | None) -> Point:
        """The point at `x`; only the systems of active groups are evaluated, once and in one batch."""

    def swelling(self, x: Floats) -> Floats:
        """(groups,) factor by which the cell volume at `x` differs from the start's, 1 or more."""
        return np.ones(self.groups.count)

    @abstractmethod
    def metric(self, vector: Floats) -> Floats:
        """Inverse model Hessian applied to a flat array; the vector itself where there is none."""


def ask(potential: Potential, batch: Batch, active: np.ndarray, before: Answers | None) -> Answers:
    """Evaluate the active systems (mask) of a batch in one call; the others keep what was said before."""
    if active.all():
        e = potential.evaluate_batch(batch)
        return Answers(e.energy, e.forces, e.stress)
    atoms = active[batch.system_of]
    part = Batch(
        batch.numbers[atoms],
        batch.positions[atoms],
        batch.cells[active],
        batch.periodic[active],
        (np.cumsum(active) - 1)[batch.system_of[atoms]],
    )
    e = potential.evaluate_batch(part)
    energy, forces, stress = before.energy.copy(), before.forces.copy(), before.stress.copy()
    energy[active], forces[atoms], stress[active] = e.energy, e.forces, e.stress
    return Answers(energy, forces, stress)


def largest_force(landscape: Landscape, forces: Floats) -> Floats:
    """(groups,) largest force norm on one atom, eV/A; inf where one is nan."""
    return largest_by(
        landscape.owner[landscape.batch.system_of], np.linalg.norm(forces, axis=1), landscape.groups.count
    )


def evaluation(answers: Answers, batch: Batch, system: int) -> Evaluation:
    """The `Evaluation` of one system."""
    first, last = batch.starts[system : system + 2]
    return Evaluation(float(answers.energy[system]), answers.forces[first:last], answers.stress[system])


def merged(old: Point, new: Point, take: np.ndarray, landscape: Landscape) -> Point:
    """`new` for the groups in the mask `take`, `old` for the others."""
    if take.all():
        return new
    systems = take[landscape.owner]
    atoms, entries = systems[landscape.batch.system_of], take[landscape.groups.of]
    a, b = old.answers, new.answers
    answers = Answers(
        np.where(systems, b.energy, a.energy),
        np.where(atoms[:, None], b.forces, a.forces),
        np.where(systems[:, None, None], b.stress, a.stress),
    )
    kept = {}
    for f in fields(Point):
        if f.name != "answers":
            which = entries if f.name in ("x", "force") else take
            kept[f.name] = np.where(which, getattr(new, f.name), getattr(old, f.name))
    return Point(answers=answers, **kept)
