"""Sliding one part of a periodic crystal over the rest: one fault per cell, no vacuum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from simkit.arrays import Floats
from simkit.errors import InputError, nearest
from simkit.potential.base import Evaluation, Potential
from simkit.solve.crystal import Freedom
from simkit.solve.descent import RUNNING, Descent, State, run
from simkit.solve.loop import Hooks, Observer, also_saving, hooks_of
from simkit.solve.outcome import CONVERGED, Outcome
from simkit.solve.relaxation import RelaxSettings, descent_of, outcomes
from simkit.structure import Structure

MODES: tuple[str, ...] = ("rigid", "normal", "held")
Finished = Callable[[int, Outcome], None]
"""Called with the number of a slide and its outcome, as soon as it has one."""


@dataclass(frozen=True, eq=False)
class SlideSettings:
    """How the slid structures relax ("normal" and "held").

    fmax_eV_per_A largest force that may still act (for held slabs after taking out their mean in-plane
                  force); relax optimiser, steps, stress criterion and limits
    observer      called as observer(step, Summary) while a relaxed slide is under way
    """

    fmax_eV_per_A: float = 0.02
    relax: RelaxSettings = field(default_factory=RelaxSettings)
    observer: Observer | Hooks | None = None


@dataclass(frozen=True, eq=False)
class SlidePoint:
    """One place on the sliding surface.

    vector_A (3,) how far the upper part was moved, outcome what the relaxation said (for "rigid" one
    evaluation), area_A2 of the face spanned by the first two cell vectors.
    """

    vector_A: Floats
    outcome: Outcome
    area_A2: float

    @property
    def structure(self) -> Structure:
        """The slid (and relaxed) structure."""
        return self.outcome.structure

    @property
    def energy_eV(self) -> float:
        """Energy of the whole cell; differences of two points of one call are meaningful."""
        return self.outcome.evaluation.energy

    @property
    def converged(self) -> bool:
        """Whether the relaxation met its criterion."""
        return self.outcome.converged

    @property
    def status(self) -> str:
        """`CONVERGED` or why it stopped."""
        return self.outcome.status


def slide(
    structure: Structure,
    weights: ArrayLike,
    vectors_A: ArrayLike,
    potential: Potential,
    mode: str = "rigid",
    settings: SlideSettings | None = None,
) -> list[SlidePoint]:
    """Energies of a crystal whose upper part is moved by in-plane vectors, all in one batch.

    Atom i moves by weights[i] t and the third cell vector tilts by t, so each cell holds exactly one
    fault and no free surface.

    weights   (n,) 1 above the fault, 0 below; between for ions that go half the way
    vectors_A (k, 3) or (3,) A, in the plane of the first two cell vectors
    mode      "rigid": as it is; "normal": atoms along the normal and the cell length along it; "held":
              also in the plane, but the centroid of each slab (`structure.layers` >= 0) stays where the
              slide put it, and atoms of layer -1 are free

    Raises InputError for an unknown mode, wrong shapes, vectors out of the plane and "held" without slabs.
    Only energies: what a fault costs per area is for `measure` to say.
    """
    settings = SlideSettings() if settings is None else settings
    vectors = np.atleast_2d(np.asarray(vectors_A, dtype=np.float64))
    weights = np.asarray(weights, dtype=np.float64)
    _check(structure, weights, vectors, mode)
    slid = [slid_by(structure, weights, t) for t in vectors]
    if mode == "rigid":
        results = [_as_is(s, e) for s, e in zip(slid, potential.evaluate(slid), strict=True)]
    else:
        descent = prepare_slides(slid, potential, mode, settings)
        results = outcomes(descent, run(descent, hooks_of(settings.observer)))
    area = float(np.linalg.norm(np.cross(structure.cell[0], structure.cell[1])))
    return [SlidePoint(t.copy(), o, area) for t, o in zip(vectors, results, strict=True)]


def settle(
    slid: Sequence[Structure],
    modes: Sequence[str],
    potential: Potential,
    settings: SlideSettings | None = None,
    finished: Finished | None = None,
) -> list[Outcome]:
    """Relax structures that are slid already, each as its own mode says, all in one batch.

    modes     one of "rigid", "normal", "held" for each structure (`slide`)
    finished  told of each structure the moment it is done, for those who keep it
    Raises InputError for an unknown mode, lists of unequal length, and "held" without slabs.
    """
    settings = SlideSettings() if settings is None else settings
    if len(slid) != len(modes) or not len(slid):
        raise InputError(f"{len(slid)} structures with {len(modes)} modes; give at least one, and one mode each.")
    for structure, mode in zip(slid, modes, strict=True):
        _require_mode(structure, mode)
    tell = finished or (lambda index, outcome: None)
    results: dict[int, Outcome] = {}
    rigid = [i for i, mode in enumerate(modes) if mode == "rigid"]
    said = potential.evaluate([slid[i] for i in rigid]) if rigid else []
    for i, evaluation in zip(rigid, said, strict=True):
        results[i] = _as_is(slid[i], evaluation)
        tell(i, results[i])
    rest = [i for i, mode in enumerate(modes) if mode != "rigid"]
    if rest:
        freedoms = [_freedom(slid[i], modes[i]) for i in rest]
        descent = descent_of([slid[i] for i in rest], potential, freedoms, settings.fmax_eV_per_A, settings.relax)
        results |= _descended(descent, rest, settings, tell)
    return [results[i] for i in range(len(slid))]


def _descended(descent: Descent, numbers: Sequence[int], settings: SlideSettings, tell: Finished) -> dict[int, Outcome]:
    """Run a descent and tell of each structure when it ends."""
    results: dict[int, Outcome] = {}

    def watch(state: State) -> None:
        done = [k for k in range(len(numbers)) if state.code[k] != RUNNING and numbers[k] not in results]
        for k, outcome in zip(done, outcomes(descent, state, done) if done else [], strict=True):
            results[numbers[k]] = outcome
            tell(numbers[k], outcome)

    run(descent, also_saving(settings.observer, watch))
    return results


def slid_by(structure: Structure, weights: Floats, vector: Floats) -> Structure:
    """The structure with its atoms moved by weights[i] t and its third cell vector tilted by t."""
    cell = structure.cell.copy()
    cell[2] += vector
    return structure.moved_to(structure.positions + weights[:, None] * vector, cell)


def prepare_slides(slid: Sequence[Structure], potential: Potential, mode: str, settings: SlideSettings) -> Descent:
    """The descent that `slide` runs on slid structures, for those who attach `Hooks` to `run`."""
    freedoms = [_freedom(s, mode) for s in slid]
    return descent_of(slid, potential, freedoms, settings.fmax_eV_per_A, settings.relax)


def _freedom(structure: Structure, mode: str) -> Freedom:
    full = Freedom.full(structure, "c")
    if mode == "held":
        return Freedom("c", full.moves, structure.layers)
    return Freedom("c", full.moves & np.array([False, False, True]), full.held)


def _as_is(structure: Structure, said: Evaluation) -> Outcome:
    fine = said.finite
    status = CONVERGED if fine else "the potential returned an energy, force or stress that is not a finite number"
    fmax = float(np.linalg.norm(said.forces, axis=1).max())
    return Outcome(structure, said, fine, status, 0, 1, fmax)


def _check(structure: Structure, weights: Floats, vectors: Floats, mode: str) -> None:
    _require_mode(structure, mode)
    if weights.shape != (len(structure),) or not np.isfinite(weights).all():
        raise InputError(f"weights has shape {weights.shape}; wanted ({len(structure)},) finite numbers.")
    if vectors.ndim != 2 or vectors.shape[1] != 3 or not np.isfinite(vectors).all():
        raise InputError(f"vectors_A has shape {vectors.shape}; wanted (k, 3) finite numbers.")
    normal = np.cross(structure.cell[0], structure.cell[1])
    out = float(np.abs(vectors @ normal).max() / np.linalg.norm(normal))
    if out > 1e-6:
        raise InputError(f"a slide vector leaves the plane of the first two cell vectors by {out:.3g} A.")
    flat = abs(normal[0]) + abs(normal[1]) < 1e-6 * abs(normal[2])
    if not flat:
        raise InputError("the first two cell vectors must lie in the xy plane to slide along it; turn the cell.")


def _require_mode(structure: Structure, mode: str) -> None:
    if mode not in MODES:
        raise InputError(f"mode={mode!r} is no way of sliding; {nearest(mode, MODES)}")
    if mode == "held" and not (structure.layers >= 0).any():
        raise InputError('mode="held" needs slabs: structure.layers is -1 for every atom; set it first.')
