"""Bands in positions and cell: collective transformations in which the crystal changes its shape on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.potential.base import Evaluation, Potential
from simkit.solve.band_rules import BandRules, climbing_images, felt
from simkit.solve.cells import ENTRIES
from simkit.solve.crystal import Criterion, Crystals, Freedom
from simkit.solve.descent import DONE, Descent, State, run, sentence
from simkit.solve.groups import Groups
from simkit.solve.landscape import Landscape, Point, largest_force
from simkit.solve.loop import Hooks, Observer, hooks_of
from simkit.solve.path import NebSettings, Path, band_rules, band_stepper
from simkit.solve.relaxation import limited
from simkit.solve.tangents import band_forces, path_profile, tangents
from simkit.structure import Batch, Structure

UPRIGHT_A = 1e-6
SAME_A = 0.1


@dataclass(frozen=True, eq=False)
class CellEnds:
    """Both ends of a band, what the potential said of them, and the first guess in generalised coordinates.

    reference  the initial structure in the mean cell; guess (images + 2, n + 2, 3) A: positions in the reference
               cell, then the six strain entries in units of length (`Crystals`)
    """

    initial: Structure
    final: Structure
    first: Evaluation
    last: Evaluation
    reference: Structure
    guess: Floats
    end_forces: Floats


@dataclass(frozen=True, eq=False)
class CellBands(Landscape):
    """Bands of the same number of images in positions and cell, each band one group; the ends never move.

    Positions y and the six entries of the lower triangular deformation gradient, scaled by sqrt(n) times the spacing
    of the atoms, form one space with one metric: Sheppard, Xiao, Chemelewski, Johnson and Henkelman, J. Chem. Phys.
    136, 074103 (2012). The projections are those of any band.
    """

    hops: tuple[CellEnds, ...]
    rules: BandRules
    crystals: Crystals

    @cached_property
    def images(self) -> int:
        """Moving images of each band."""
        return len(self.hops[0].guess) - 2

    @cached_property
    def batch(self) -> Batch:
        """All moving images, in their reference cells."""
        return self.crystals.batch

    @cached_property
    def owner(self) -> np.ndarray:
        """(systems,) band of each image."""
        return np.repeat(np.arange(len(self.hops)), self.images)

    @cached_property
    def groups(self) -> Groups:
        """One group per band."""
        return Groups(self.owner[self.crystals.groups.of], len(self.hops))

    def start(self) -> Floats:
        """The first guess."""
        return joined([image for hop in self.hops for image in hop.guess[1:-1]])

    def at(self, x: Floats, active: np.ndarray, before: Point | None) -> Point:
        """Evaluate the images of the active bands and project their forces."""
        inner = self.crystals.at(x, active[self.owner], before)
        modes = np.full(len(self.hops), -1) if before is None else before.mode
        told = [felt(self.rules, self.band(x, inner, hop), int(modes[hop])) for hop in range(len(self.hops))]
        peaks = np.array([one.peak for one in told])
        return replace(
            inner,
            force=joined([image for one in told for image in one.push]),
            energy=peaks,
            largest=largest_force(self, inner.answers.forces),
            residual=np.array([one.residual for one in told]),
            watched=peaks - np.array([hop.first.energy for hop in self.hops]),
            mode=np.array([one.mode for one in told]),
        )

    def swelling(self, x: Floats) -> Floats:
        """(bands,) largest factor by which the volume of an image differs from its reference's."""
        return self.crystals.swelling(x).reshape(-1, self.images).max(axis=1)

    def band(self, x: Floats, point: Point, hop: int) -> tuple[Floats, Floats, Floats]:
        """Coordinates (images + 2, n + 2, 3), energies and unprojected forces of one band, ends included."""
        ends, first = self.hops[hop], hop * self.images
        inside = slice(first, first + self.images)
        sizes = np.diff(self.batch.starts)
        places = parted(x, sizes)[inside]
        pulls = parted(self._raw(x, point), sizes)[inside]
        energies = np.concatenate([[ends.first.energy], point.answers.energy[inside], [ends.last.energy]])
        positions = np.concatenate([ends.guess[:1], places, ends.guess[-1:]])
        return positions, energies, np.concatenate([ends.end_forces[:1], pulls, ends.end_forces[1:]])

    def _raw(self, x: Floats, point: Point) -> Floats:
        """Generalised forces of every image from the answers of a point."""
        return self.crystals.generalised(x, point.answers)


def joined(images: Sequence[Floats]) -> Floats:
    """Flat coordinates as `Crystals` lays them out: all positions, then all strain entries."""
    return np.concatenate([*(image[:-2].ravel() for image in images), *(image[-2:].ravel() for image in images)])


def parted(x: Floats, sizes: Sequence[int]) -> list[Floats]:
    """Inverse of `joined`: (n + 2, 3) of every image of `sizes` atoms."""
    cuts = np.concatenate([[0], np.cumsum(3 * np.asarray(sizes))])
    strains = x[cuts[-1] :].reshape(-1, 2, 3)
    return [np.concatenate([x[a:b].reshape(-1, 3), strains[k]]) for k, (a, b) in enumerate(pairwise(cuts))]


def find_cell_paths(
    pairs: Sequence[tuple[Structure, Structure]],
    potential: Potential,
    images: int = 7,
    climb: bool = True,
    settings: NebSettings | None = None,
    observer: Observer | Hooks | None = None,
) -> list[Path]:
    """Climbing bands between crystals of unlike cells, all their images in one batch.

    pairs  ends with the same atoms in the same order, relaxed free of stress, both upright (first vector along x,
           second in the xy plane). Every atom goes from where it is stored to where it is stored, in fractions of the
           cell, less the mean of all: where a file has wrapped atoms, unwrap them (`nearest_final`)

    settings  None: those of `NebSettings` with FIRE, which a climbing band of few images upsets less than L-BFGS

    One `Path` per pair; distances_A are lengths in the space of positions and strains. Raises InputError for ends of
    unlike atoms, cells that are not upright, or ends that are one state.
    """
    descent = prepare_cell_paths(pairs, potential, images, climb, settings)
    return cell_paths(descent, run(descent, hooks_of(observer)))


def prepare_cell_paths(
    pairs: Sequence[tuple[Structure, Structure]],
    potential: Potential,
    images: int = 7,
    climb: bool = True,
    settings: NebSettings | None = None,
) -> Descent:
    """The descent that `find_cell_paths` runs."""
    settings = NebSettings(optimiser="fire") if settings is None else settings
    if images < 1 or not len(pairs):
        raise InputError(f"got {images} images for {len(pairs)} pairs; at least one of each is needed.")
    said = potential.evaluate([s for pair in pairs for s in pair])
    hops = tuple(_ends(*pair, said[2 * k], said[2 * k + 1], images) for k, pair in enumerate(pairs))
    references = [hop.reference for hop in hops for _ in range(images)]
    limits = replace(
        limited(settings.limits, settings.max_steps),
        watched_change_eV=settings.barrier_change_eV,
        window=settings.window,
    )
    bands = CellBands(hops, band_rules(settings, climb), _crystals(references, potential))
    return Descent(bands, band_stepper(settings), limits)


def nearest_final(initial: Structure, final: Structure) -> Structure:
    """The final structure with every atom at the image nearest to its start, in fractions of the cell."""
    step = final.fractional - initial.fractional
    return final.moved_to((initial.fractional + step - np.round(step)) @ final.cell)


def _crystals(structures: Sequence[Structure], potential: Potential) -> Crystals:
    freedoms = tuple(Freedom.full(s, "free") for s in structures)
    return Crystals(potential, tuple(structures), freedoms, Criterion(1.0, 1.0), (None,) * len(structures))


def _ends(initial: Structure, final: Structure, first: Evaluation, last: Evaluation, images: int) -> CellEnds:
    _check(initial, final)
    reference = initial.strained_to(0.5 * (initial.cell + final.cell))
    step = final.fractional - initial.fractional
    step -= step.mean(axis=0)
    cells = [initial.cell, final.cell]
    fractions = [initial.fractional, initial.fractional + step]
    apart = float(np.linalg.norm(step @ reference.cell, axis=1).max()) + float(np.abs(cells[1] - cells[0]).max())
    if apart < SAME_A:
        raise InputError(
            f"the two ends are one state (nothing differs by more than {apart:.3g} A): no way leads between."
        )
    places = [_place(f, cell, reference) for f, cell in zip(fractions, cells, strict=True)]
    share = np.linspace(0.0, 1.0, images + 2)[:, None, None]
    guess = (1 - share) * places[0] + share * places[1]
    return CellEnds(initial, final, first, last, reference, guess, _end_forces(reference, places, (first, last)))


def _unit(reference: Structure) -> float:
    """Length by which a strain of 1 counts, as in `Crystals`."""
    n = len(reference)
    return float(np.sqrt(n) * (reference.volume / n) ** (1 / 3))


def _place(fractions: Floats, cell: Floats, reference: Structure) -> Floats:
    """(n + 2, 3) generalised coordinates of fractions in a cell."""
    gradient = np.linalg.solve(reference.cell, cell)
    strain = np.array([gradient[i, j] - (i == j) for i, j in ENTRIES]) * _unit(reference)
    return np.concatenate([fractions @ reference.cell, strain.reshape(2, 3)])


def _end_forces(reference: Structure, places: Sequence[Floats], said: Sequence[Evaluation]) -> Floats:
    """(2, n + 2, 3) generalised forces at both ends, which the path's profile needs."""
    crystals = _crystals([reference, reference], None)
    x = joined(places)
    forces = np.concatenate([e.forces for e in said])
    stress = np.stack([e.stress for e in said])
    return np.stack(parted(crystals.generalised_of(x, forces, stress), [len(reference)] * 2))


def _check(initial: Structure, final: Structure) -> None:
    if not np.array_equal(initial.numbers, final.numbers):
        raise InputError(
            f"the ends hold {initial.formula} and {final.formula}, or another order; a path needs the same atoms."
        )
    for name, s in (("initial", initial), ("final", final)):
        off = float(np.abs([s.cell[0, 1], s.cell[0, 2], s.cell[1, 2]]).max())
        if off > UPRIGHT_A:
            raise InputError(
                f"the {name} cell is not upright (off by {off:.3g} A): its first vector must lie along x and its "
                "second in the xy plane."
            )


def cell_paths(descent: Descent, state: State) -> list[Path]:
    """What became of each pair."""
    return [_path(descent, state, hop) for hop in range(len(descent.landscape.hops))]


def _path(descent: Descent, state: State, hop: int) -> Path:
    bands, point = descent.landscape, state.point
    ends = bands.hops[hop]
    coordinates, energies, forces = bands.band(point.x, point, hop)
    distances, pulls = path_profile(coordinates, energies, forces)
    climbing = int(point.mode[hop])
    _, true = band_forces(
        coordinates,
        tangents(coordinates, energies)[1:-1],
        forces[1:-1],
        0.0,
        climbing_images(climbing, bands.images, False),
    )
    norms = np.linalg.norm(true, axis=2).max(axis=1)
    positions, cells = bands.crystals.shape(point.x)
    starts, first = bands.batch.starts, hop * bands.images
    middle = [
        ends.initial.moved_to(positions[starts[k] : starts[k + 1]], cells[k])
        for k in range(first, first + bands.images)
    ]
    return Path(
        images=[ends.initial, *middle, ends.final],
        energies_eV=energies,
        distances_A=distances,
        tangential_forces_eV_per_A=pulls,
        converged=bool(state.code[hop] == DONE),
        status=sentence(state, hop, descent.limits),
        steps=int(state.steps[hop]),
        evaluations=int(state.evaluations[hop]),
        climbing_image=climbing + 1 if climbing >= 0 else None,
        residual_force_eV_per_A=float(norms[climbing] if climbing >= 0 else norms.max()),
    )
