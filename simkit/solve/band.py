"""The landscape of bands: climbing nudged elastic bands of many hops in one batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from simkit.arrays import Floats
from simkit.potential.base import Evaluation, Potential
from simkit.solve.band_model import BandModel, band_model
from simkit.solve.band_rules import NO_MODEL_EV_PER_A2, BandRules, climbing_images, felt, on_soft_motions
from simkit.solve.groups import Groups
from simkit.solve.host_model import Model
from simkit.solve.landscape import Answers, Landscape, Point, ask, largest_force
from simkit.solve.mirror import Mirror
from simkit.solve.stepper import identity
from simkit.solve.tangents import tangents
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


@dataclass(frozen=True, eq=False)
class Bands(Landscape):
    """Bands of the same number of images, each band one group; endpoints never move.

    Coordinates: the cartesian positions of all moving images, hop after hop, image after image. Of a mirrored band
    only the first half (with the middle) is evaluated; the other half is its image.
    """

    potential: Potential
    hops: tuple[Ends, ...]
    rules: BandRules
    mirrors: tuple[Mirror | None, ...]
    models: tuple[Model, ...]

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

    @cached_property
    def asked(self) -> np.ndarray:
        """(bands,) images evaluated in each step."""
        return np.bincount(self.owner[self._needed], minlength=len(self.hops))

    @cached_property
    def _needed(self) -> np.ndarray:
        """(systems,) whether an image is evaluated, rather than the image of one that is."""
        every = np.ones(self.images, dtype=bool)
        first = np.arange(self.images) < (self.images + 1) // 2
        return np.concatenate([every if mirror is None else first for mirror in self.mirrors])

    def at(self, x: Floats, active: np.ndarray, before: Point | None) -> Point:
        """Evaluate the images of the active bands and project their forces."""
        x = self._mirrored(x.reshape(-1, 3), lambda mirror: mirror.places).ravel()
        batch = self.batch.moved_to(x.reshape(-1, 3))
        wanted = active[self.owner] & self._needed
        answers = self._completed(ask(self.potential, batch, wanted, None if before is None else before.answers))
        modes = np.full(len(self.hops), -1) if before is None else before.mode
        told = [
            felt(self.rules, self.path(x, answers, hop), int(modes[hop]), mirror is not None, self._left[hop])
            for hop, mirror in enumerate(self.mirrors)
        ]
        energy = np.array([one.peak for one in told])
        push = np.concatenate([one.push.reshape(-1, 3) for one in told])
        return Point(
            x=x,
            force=self._mirrored(push, lambda mirror: mirror.vectors).ravel(),
            answers=answers,
            energy=energy,
            largest=largest_force(self, answers.forces),
            residual=np.array([one.residual for one in told]),
            watched=energy - np.array([h.first.energy for h in self.hops]),
            mode=np.array([one.mode for one in told]),
        )

    def _mirrored(self, rows: Floats, how: Callable[[Mirror], Callable[[Floats], Floats]]) -> Floats:
        """Rows per atom with the second half of mirrored bands made from the first; the middle made its own image."""
        if not any(self.mirrors):
            return rows
        out = rows.copy()
        for hop, mirror in enumerate(self.mirrors):
            if mirror is not None:
                piece, half = self.piece(out, hop), self.images // 2
                piece[self.images - half :] = how(mirror)(piece[:half])[::-1]
                if self.images % 2:
                    piece[half] = 0.5 * (piece[half] + how(mirror)(piece[half]))
        return out

    def _completed(self, answers: Answers) -> Answers:
        """Answers with those of the images that were not evaluated."""
        if not any(self.mirrors):
            return answers
        source = np.arange(len(self.owner))
        stress = answers.stress.copy()
        for hop, mirror in enumerate(self.mirrors):
            if mirror is not None:
                first, last = hop * self.images, (hop + 1) * self.images
                half = self.images // 2
                source[last - half : last] = np.arange(first, first + half)[::-1]
                stress[last - half : last] = mirror.rotation @ stress[first : first + half][::-1] @ mirror.rotation.T
        forces = self._mirrored(answers.forces, lambda mirror: mirror.vectors)
        energy_spread, force_spread = answers.energy_spread, answers.force_spread
        if force_spread is not None:
            energy_spread = energy_spread[source]
            norms = np.repeat(force_spread[:, None], 3, axis=1)
            force_spread = self._mirrored(norms, lambda mirror: lambda rows: _moved(mirror, rows))[:, 0]
        return Answers(answers.energy[source], forces, stress, energy_spread, force_spread)

    @cached_property
    def _models(self) -> list[BandModel | None]:
        middle = (self.images + 1) // 2
        return [
            None if model is None else band_model(model, h.initial, h.final, h.guess[middle])
            for h, model in zip(self.hops, self.models, strict=True)
        ]

    @cached_property
    def _left(self) -> list[Callable[[Floats], Floats]]:
        alone = partial(on_soft_motions, stiffness_eV_per_A2=NO_MODEL_EV_PER_A2)
        return [alone if model is None else model.left for model in self._models]

    def metric(self, point: Point) -> Callable[[Floats], Floats]:
        """Model Hessian across the path, its springs along it, at the tangents of a point."""
        if all(model is None for model in self.models):
            return identity
        paths = [self.path(point.x, point.answers, hop) for hop in range(len(self.hops))]
        ways = [tangents(positions, energies)[1:-1] for positions, energies, _ in paths]

        def apply(vector: Floats) -> Floats:
            rows = vector.reshape(-1, 3)
            return np.concatenate([self._divided(rows, point, hop, t) for hop, t in enumerate(ways)]).ravel()

        return apply

    def _divided(self, rows: Floats, point: Point, hop: int, t: Floats) -> Floats:
        if self._models[hop] is None:
            return rows[self._cuts[hop] : self._cuts[hop + 1]]
        climbing = np.zeros(self.images, dtype=bool)
        climbing[list(climbing_images(int(point.mode[hop]), self.images, self.mirrors[hop] is not None))] = True
        divided = self._models[hop].applied(self.piece(rows, hop), t, self.rules.spring, climbing)
        return divided.reshape(-1, 3)


def _moved(mirror: Mirror, rows: Floats) -> Floats:
    """Rows (..., n, 3) of numbers that no rotation changes, carried over."""
    out = np.empty_like(rows)
    out[..., mirror.to, :] = rows
    return out
