"""Relaxing structures: atoms and, where asked, the cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from simkit.errors import InputError
from simkit.potential.base import Potential
from simkit.solve.cells import free_entries
from simkit.solve.crystal import Criterion, Crystals, Freedom
from simkit.solve.descent import DONE, Descent, Limits, State, run, sentence
from simkit.solve.host_model import Model, models_of
from simkit.solve.landscape import evaluation
from simkit.solve.loop import Hooks, Observer, hooks_of
from simkit.solve.optimisers import DAMPED, stepper
from simkit.solve.outcome import Outcome
from simkit.solve.precondition import Springs
from simkit.structure import Structure, require_structure
from simkit.units import EV_PER_A3_IN_GPA


@dataclass(frozen=True, eq=False)
class RelaxSettings:
    """How to relax.

    optimiser      "lbfgs" or "ode12r" (preconditioned, few evaluations), "fire2" or "abcfire" (slow, hard to upset);
                   "fire" is "fire2"
    max_steps      optimiser steps; one evaluation each
    max_step_A     largest change of one coordinate per step
    stress_max_GPa of a free cell: largest component of stress + pressure, in the frame of a1 and a2, that
                   a free part of the cell works against; part of the criterion beside the forces
    pressure_GPa   outside pressure
    energy_error_eV  energy that the forces on all atoms may still stand for, as a host's Hessian says or as if all
                   motions were soft (`Criterion`), without that of a free cell's stress; infinite: fmax alone decides;
                   or a tuple with one for each structure
    frozen         (n,) mask of atoms that stay, or None; the same for every structure
    directions     (n, 3) mask of the cartesian components that may move, or None
    model          model Hessian: `Springs`, a `HostModel` (of a crystal that the structures are made from) or None; or
                   a tuple with one for each structure
    limits         explosion and run-away limits (its max_steps is replaced)
    """

    optimiser: str = "lbfgs"
    max_steps: int = 500
    max_step_A: float = 0.2
    stress_max_GPa: float = 0.05
    pressure_GPa: float = 0.0
    energy_error_eV: float | tuple[float, ...] = np.inf
    frozen: np.ndarray | None = None
    directions: np.ndarray | None = None
    model: Model | tuple[Model, ...] = field(default_factory=Springs)
    limits: Limits = field(default_factory=Limits)


def relax(
    structures: Sequence[Structure],
    potential: Potential,
    cell: str = "fixed",
    fmax_eV_per_A: float = 0.02,
    settings: RelaxSettings | None = None,
    observer: Observer | Hooks | None = None,
) -> list[Outcome]:
    """Relax structures in one batch until forces (and, of a free cell, stresses) are small.

    cell           "fixed", "free" (all six shape parameters, no rotation), "c" (length along the normal
                   of a1 and a2) or "inplane" (a1 and a2 in their plane)
    fmax_eV_per_A  largest force on an atom that may move
    observer       called as observer(step, Summary) after every step

    One `Outcome` per structure, in order. Not converging, non-finite numbers and explosions are statuses.
    Raises InputError for unknown names, masks of the wrong shape and criteria that are not positive.
    Promises a stationary point near the start, not the lowest minimum.
    """
    descent = prepare_relaxation(structures, potential, cell, fmax_eV_per_A, settings)
    return outcomes(descent, run(descent, hooks_of(observer)))


def prepare_relaxation(
    structures: Sequence[Structure],
    potential: Potential,
    cell: str = "fixed",
    fmax_eV_per_A: float = 0.02,
    settings: RelaxSettings | None = None,
) -> Descent:
    """The descent that `relax` runs, for those who attach `Hooks` (checkpoints, stopping) to `run`."""
    settings = RelaxSettings() if settings is None else settings
    if isinstance(structures, Structure) or not len(structures):
        raise InputError("relax takes a list of at least one structure; write relax([structure], ...)[0].")
    for item in structures:
        require_structure(item)
    free_entries(cell)
    positive = {"stress_max_GPa": settings.stress_max_GPa, "energy_error_eV": settings.energy_error_eV}
    for name, value in (("fmax_eV_per_A", fmax_eV_per_A), *positive.items()):
        if not (np.asarray(value) > 0).all():
            raise InputError(f"{name}={value} is not allowed; it must be positive.")
    freedoms = tuple(_freedom(s, cell, settings) for s in structures)
    return descent_of(structures, potential, freedoms, fmax_eV_per_A, settings)


def descent_of(
    structures: Sequence[Structure],
    potential: Potential,
    freedoms: Sequence[Freedom],
    fmax_eV_per_A: float,
    settings: RelaxSettings,
) -> Descent:
    """Landscape, stepper and limits for structures with a `Freedom` each."""
    if np.shape(settings.energy_error_eV) not in ((), (len(structures),)):
        raise InputError(f"energy_error_eV={settings.energy_error_eV} for {len(structures)} structures; give one each.")
    criterion = Criterion(
        fmax_eV_per_A,
        settings.stress_max_GPa / EV_PER_A3_IN_GPA,
        settings.pressure_GPa / EV_PER_A3_IN_GPA,
        np.asarray(settings.energy_error_eV, dtype=float),
    )
    chosen = stepper(settings.optimiser, settings.max_step_A)
    model = None if settings.optimiser in DAMPED else settings.model
    models = models_of(model, [(s,) for s in structures])
    landscape = Crystals(potential, tuple(structures), tuple(freedoms), criterion, models)
    return Descent(landscape, chosen, limited(settings.limits, settings.max_steps))


def outcomes(descent: Descent, state: State, which: Sequence[int] | None = None) -> list[Outcome]:
    """What became of each structure of a relaxation, or of those numbered in `which`."""
    landscape, point = descent.landscape, state.point
    positions, cells = landscape.shape(point.x)
    starts = landscape.batch.starts
    forces = landscape.free_forces(point.answers.forces)
    return [
        Outcome(
            structure=s.moved_to(positions[starts[i] : starts[i + 1]], cells[i]),
            evaluation=evaluation(point.answers, landscape.batch, i),
            converged=bool(state.code[i] == DONE),
            status=sentence(state, i, descent.limits),
            steps=int(state.steps[i]),
            evaluations=int(state.evaluations[i]),
            fmax_eV_per_A=float(forces[i]),
        )
        for i in (range(len(landscape.structures)) if which is None else which)
        for s in [landscape.structures[i]]
    ]


def limited(limits: Limits, max_steps: int) -> Limits:
    """The same limits with another number of steps. Raises InputError for a negative number."""
    if max_steps < 0:
        raise InputError(f"max_steps={max_steps} is not allowed; it must be 0 or more.")
    return replace(limits, max_steps=max_steps)


def _freedom(structure: Structure, cell: str, settings: RelaxSettings) -> Freedom:
    full = Freedom.full(structure, cell)
    moves = full.moves
    for name, mask, shape in (
        ("frozen", settings.frozen, (len(structure),)),
        ("directions", settings.directions, (len(structure), 3)),
    ):
        if mask is not None and np.shape(mask) != shape:
            raise InputError(f"{name} has shape {np.shape(mask)}; the structure wants {shape}.")
    if settings.directions is not None:
        moves = moves & np.asarray(settings.directions, dtype=bool)
    if settings.frozen is not None:
        moves = moves & ~np.asarray(settings.frozen, dtype=bool)[:, None]
    return Freedom(cell, moves, full.held)
