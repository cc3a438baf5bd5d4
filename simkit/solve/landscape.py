"""What a landscape is: where one may move, and what pushes there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from simkit.arrays import Floats
from simkit.potential.base import Evaluation, Evaluations, Potential, Spread
from simkit.solve.groups import Groups, largest_by
from simkit.solve.stepper import identity
from simkit.structure import Batch


@dataclass(frozen=True, eq=False)
class Answers:
    """What the potential said of every system, also of those that have left the batch.

    energy (systems,) eV, forces (atoms, 3) eV/A, stress (systems, 3, 3) eV/A^3; energy_spread (systems,) eV/atom
    and force_spread (atoms,) eV/A of a committee, None for a single potential
    """

    energy: Floats
    forces: Floats
    stress: Floats
    energy_spread: Floats | None = None
    force_spread: Floats | None = None


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

    @property
    def asked(self) -> np.ndarray:
        """(groups,) systems evaluated in each step of a group."""
        return np.bincount(self.owner, minlength=self.groups.count)

    @abstractmethod
    def start(self) -> Floats:
        """(d,) coordinates to begin from."""

    @abstractmethod
    def at(self, x: Floats, active: np.ndarray, before: Point | None) -> Point:
        """The point at `x`; only the systems of active groups are evaluated, once and in one batch."""

    def swelling(self, x: Floats) -> Floats:
        """(groups,) factor by which the cell volume at `x` differs from the start's, 1 or more."""
        return np.ones(self.groups.count)

    def metric(self, point: Point) -> Callable[[Floats], Floats]:
        """What applies the inverse of the model Hessian at a point to a flat array; `identity` where there is none."""
        return identity


def ask(potential: Potential, batch: Batch, active: np.ndarray, before: Answers | None) -> Answers:
    """Evaluate the active systems (mask) of a batch in one call; the others keep what was said before, else zeros."""
    if active.all():
        return _answers(potential.evaluate_batch(batch))
    atoms = active[batch.system_of]
    part = Batch(
        batch.numbers[atoms],
        batch.positions[atoms],
        batch.cells[active],
        batch.periodic[active],
        (np.cumsum(active) - 1)[batch.system_of[atoms]],
    )
    new = _answers(potential.evaluate_batch(part))
    before = _nothing(new, active, atoms) if before is None else before
    return Answers(
        _with_rows(before.energy, new.energy, active),
        _with_rows(before.forces, new.forces, atoms),
        _with_rows(before.stress, new.stress, active),
        _with_rows(before.energy_spread, new.energy_spread, active),
        _with_rows(before.force_spread, new.force_spread, atoms),
    )


def _nothing(new: Answers, systems: np.ndarray, atoms: np.ndarray) -> Answers:
    """Zeros for every system, with spreads where the new answers have them."""
    m, n = len(systems), len(atoms)
    spread = (None, None) if new.energy_spread is None else (np.zeros(m), np.zeros(n))
    return Answers(np.zeros(m), np.zeros((n, 3)), np.zeros((m, 3, 3)), *spread)


def _answers(e: Evaluations) -> Answers:
    if e.spread is None:
        return Answers(e.energy, e.forces, e.stress)
    return Answers(e.energy, e.forces, e.stress, e.spread.energy, e.spread.forces)


def _with_rows(old: Floats | None, new: Floats | None, rows: np.ndarray) -> Floats | None:
    """`old` with its masked rows replaced by `new`, which holds only those."""
    if old is None or new is None:
        return None
    out = old.copy()
    out[rows] = new
    return out


def largest_force(landscape: Landscape, forces: Floats) -> Floats:
    """(groups,) largest force norm on one atom, eV/A; inf where one is nan."""
    return largest_by(
        landscape.owner[landscape.batch.system_of], np.linalg.norm(forces, axis=1), landscape.groups.count
    )


def evaluation(answers: Answers, batch: Batch, system: int) -> Evaluation:
    """The `Evaluation` of one system."""
    first, last = batch.starts[system : system + 2]
    spread = None
    if answers.energy_spread is not None:
        spread = Spread(float(answers.energy_spread[system]), answers.force_spread[first:last])
    energy, stress = float(answers.energy[system]), answers.stress[system]
    return Evaluation(energy, answers.forces[first:last], stress, spread=spread)


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
        None if b.energy_spread is None else np.where(systems, b.energy_spread, a.energy_spread),
        None if b.force_spread is None else np.where(atoms, b.force_spread, a.force_spread),
    )
    kept = {}
    for f in fields(Point):
        if f.name != "answers":
            which = entries if f.name in ("x", "force") else take
            kept[f.name] = np.where(which, getattr(new, f.name), getattr(old, f.name))
    return Point(answers=answers, **kept)
