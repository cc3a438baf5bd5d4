"""The landscape of bands: climbing nudged elastic bands of many hops in one batch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from simkit.arrays import Floats
from simkit.potential.base import Evaluation, Potential
from simkit.solve.groups import Groups
from simkit.solve.landscape import Answers, Landscape, Point, ask, largest_force
from simkit.solve.tangents import band_forces, tangents
from simkit.structure import Batch, Structure


@dataclass(frozen=True, eq=False)
class Ends:
    """A hop: its two endpoints with what the potential said of them, and the first guess.

    guess (images + 2, n, 3) A, endpoints included, unwrapped along the path.
    """

    initial: Structure
    final: Structure
    first: Evaluation
    last: Evaluation
    guess: Floats


@dataclass(frozen=True)
class BandRules:
    """When a band counts as converged, and how it climbs.

    fmax         eV/A, largest norm on an atom of the climbing image (without climbing: of every image)
    others       eV/A, the same for the other images of a climbing band
    spring       eV/A^2
    climb        whether the highest image climbs
    climb_below  eV/A, the band's largest projected force below which the climb begins
    """

    fmax: float
    others: float
    spring: float
    climb: bool
    climb_below: float


@dataclass(frozen=True, eq=False)
class Bands(Landscape):
    """Bands of the same number of images, each band one group; endpoints never move.

    Coordinates: the cartesian positions of all moving images, hop after hop, image after image.
    """

    potential: Potential
    hops: tuple[Ends, ...]
    rules: BandRules

    @cached_property
    def images(self) -> int:
        """Moving images of each band."""
        return len(self.hops[0].guess) - 2

    @cached_property
    def batch(self) -> Batch:
        """All moving images at the first guess."""
        return Batch.of([h.initial.moved_to(x) for h in self.hops for x in h.guess[1:-1]])

    @cached_property
    def owner(self) -> np.ndarray:
        """(systems,) hop of each image."""
        return np.repeat(np.arange(len(self.hops)), self.images)

    @cached_property
    def groups(self) -> Groups:
        """One group per band."""
        return Groups(np.repeat(self.owner[self.batch.system_of], 3), len(self.hops))

    @cached_property
    def _cuts(self) -> np.ndarray:
        """(hops + 1,) first atom of each band."""
        return self.batch.starts[:: self.images]

    def start(self) -> Floats:
        """The first guess."""
        return self.batch.positions.ravel().copy()

    def piece(self, per_atom: Floats, hop: int) -> Floats:
        """(images, n, 3) part of a per-atom array (atoms, 3) that belongs to one hop."""
        return per_atom[self._cuts[hop] : self._cuts[hop + 1]].reshape(self.images, -1, 3)

    def path(self, x: Floats, answers: Answers, hop: int) -> tuple[Floats, Floats, Floats]:
        """Positions (images + 2, n, 3), energies and forces of one band, endpoints included."""
        h, k = self.hops[hop], self.images
        positions = np.concatenate([h.guess[:1], self.piece(x.reshape(-1, 3), hop), h.guess[-1:]])
        middle = answers.energy[hop * k : (hop + 1) * k]
        energies = np.concatenate([[h.first.energy], middle, [h.last.energy]])
        forces = np.concatenate([h.first.forces[None], self.piece(answers.forces, hop), h.last.forces[None]])
        return positions, energies, forces

    def force_spreads(self, answers: Answers, hop: int) -> Floats | None:
        """(images + 2,) eV/A largest spread of the force on one atom, endpoints included; None without a committee."""
        h = self.hops[hop]
        if answers.force_spread is None:
            return None
        middle = answers.force_spread[self._cuts[hop] : self._cuts[hop + 1]].reshape(self.images, -1)
        return np.array([h.first.spread.largest, *middle.max(axis=1), h.last.spread.largest])

    def at(self, x: Floats, active: np.ndarray, before: Point | None) -> Point:
        """Evaluate the images of the active bands and project their forces."""
        batch = self.batch.moved_to(x.reshape(-1, 3))
        answers = ask(self.potential, batch, active[self.owner], None if before is None else before.answers)
        modes = np.full(len(self.hops), -1) if before is None else before.mode
        felt = [self._felt(x, answers, hop, int(modes[hop])) for hop in range(len(self.hops))]
        push, energy, residual, mode = zip(*felt, strict=True)
        energy = np.array(energy)
        return Point(
            x=x,
            force=np.concatenate(push),
            answers=answers,
            energy=energy,
            largest=largest_force(self, answers.forces),
            residual=np.array(residual),
            watched=energy - np.array([h.first.energy for h in self.hops]),
            mode=np.array(mode),
        )

    def _felt(self, x: Floats, answers: Answers, hop: int, mode: int) -> tuple[Floats, float, float, int]:
        """Projected force, highest energy, residual and climbing image of one band."""
        positions, energies, forces = self.path(x, answers, hop)
        rules, peak = self.rules, float(energies.max())
        t = tangents(positions, energies)[1:-1]
        top = int(np.argmax(energies)) - 1
        inside = 0 <= top < self.images and bool(np.isfinite(energies).all())
        push, true = band_forces(positions, t, forces[1:-1], rules.spring, -1)
        norms = np.linalg.norm(true, axis=2).max(axis=1)
        if not (rules.climb and inside and (mode >= 0 or norms.max() < rules.climb_below)):
            return push.ravel(), peak, float(norms.max() / rules.fmax), -1
        push, true = band_forces(positions, t, forces[1:-1], rules.spring, top)
        norms = np.linalg.norm(true, axis=2).max(axis=1)
        others = np.delete(norms, top).max(initial=0.0)
        return push.ravel(), peak, float(max(norms[top] / rules.fmax, others / rules.others)), top

    def metric(self, vector: Floats) -> Floats:
        """No model Hessian: one that ignores the path costs a band steps instead of saving them."""
        return vector
