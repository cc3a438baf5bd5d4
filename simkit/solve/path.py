"""Minimum energy paths between two structures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.potential.base import Potential
from simkit.solve.band import Bands, Ends
from simkit.solve.band_rules import BandRules, climbing_images
from simkit.solve.descent import DONE, Descent, Limits, State, run, sentence
from simkit.solve.guarded import Guarded
from simkit.solve.host_model import Model, models_of
from simkit.solve.idpp import interpolated_through
from simkit.solve.loop import Hooks, Observer, hooks_of
from simkit.solve.mirror import Asked, Mirror, mirrors_of, symmetric
from simkit.solve.optimisers import DAMPED, stepper
from simkit.solve.path_checks import check_ends, check_guess
from simkit.solve.precondition import Springs
from simkit.solve.relaxation import limited
from simkit.solve.stepper import Stepper
from simkit.solve.tangents import band_forces, fitted_maximum, path_profile, tangents
from simkit.structure import Structure

BAND_SPRINGS = Springs(decay=2.0)
"""Model Hessian of bands that have no host's: springs that reach further than those of relaxations. O3 hops in P2|O3
of 210 atoms took L-BFGS 17 to 22 steps (29 to 41 with a decay of 3, 45 to 80 without a model); relaxations of 24
oxide cells take 9 % more with it."""


class Hop(NamedTuple):
    """Where a path begins and ends; `through` is a structure on the way (a tetrahedron), or None.

    guess (images + 2, n, 3) A, ends included and unwrapped along the path, is where the band starts instead of an
    interpolation; its last image may lie cell vectors away from `final`.
    """

    initial: Structure
    final: Structure
    through: Structure | None = None
    guess: Floats | None = None


@dataclass(frozen=True, eq=False)
class NebSettings:
    """How to look for a path.

    fmax_eV_per_A        largest force on an atom of the climbing image (without climbing: of all images)
    others_eV_per_A      the same for the images beside the climbing one
    barrier_error_eV     by which the highest image may still lie too high, as far as all its forces tell: well with a
                         host's Hessian; without one it may miss glides of large soft cells
    barrier_change_eV    largest change of the barrier over the last `window` steps
    spring_eV_per_A2     between images; along the path only
    climb_below_eV_per_A projected force of the whole band below which the highest image begins to climb
    optimiser            "lbfgs" or "ode12r" (FIRE takes over a band that they lead astray), "fire2", "abcfire";
                         a band moves as one state
    max_steps            optimiser steps; each evaluates every moving image once
    max_step_A           largest change of one coordinate per step
    model                model Hessian of "lbfgs" and "ode12r": `Springs`, `HostModel` or None; or a tuple, one a hop
    mirror               evaluate half of the images of a path that a symmetry operation carries onto itself reversed
    limits               explosion limits (its steps and its energy change are replaced)
    """

    fmax_eV_per_A: float = 0.03
    others_eV_per_A: float = 0.15
    barrier_error_eV: float = 0.002
    barrier_change_eV: float = 0.002
    window: int = 2
    spring_eV_per_A2: float = 5.0
    climb_below_eV_per_A: float = 0.5
    optimiser: str = "lbfgs"
    max_steps: int = 300
    max_step_A: float = 0.2
    model: Model | tuple[Model, ...] = BAND_SPRINGS
    mirror: bool = True
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, eq=False)
class Path:
    """A band of images from `images[0]` to `images[-1]`.

    energies_eV (k + 2,), distances_A (k + 2,) path length in the space of all coordinates,
    tangential_forces_eV_per_A (k + 2,) minus the slope of the energy along it, climbing_image the index
    in `images` or None, residual_force_eV_per_A the largest force on an atom of the climbing (else of
    any) image, evaluations of the moving images together. A path that is not `converged` has no barrier
    to be quoted: `status` says why. force_spreads_eV_per_A (k + 2,) the largest of each image, of a committee.
    stops are the indices of images that are relaxed states, where several bands were joined (`joined_path`).
    """

    images: list[Structure]
    energies_eV: Floats
    distances_A: Floats
    tangential_forces_eV_per_A: Floats
    converged: bool
    status: str
    steps: int
    evaluations: int
    climbing_image: int | None
    residual_force_eV_per_A: float
    force_spreads_eV_per_A: Floats | None = None
    stops: tuple[int, ...] = ()

    @property
    def barrier_eV(self) -> float:
        """Highest image above the initial structure."""
        return float(self.energies_eV.max() - self.energies_eV[0])

    @property
    def reverse_barrier_eV(self) -> float:
        """Highest image above the final structure."""
        return float(self.energies_eV.max() - self.energies_eV[-1])

    @property
    def fitted_barrier_eV(self) -> float:
        """Highest point of the cubic Hermite curve through energies and slopes, above the initial structure."""
        top = fitted_maximum(self.distances_A, self.energies_eV, self.tangential_forces_eV_per_A)
        return top - float(self.energies_eV[0])

    @property
    def fitted_reverse_barrier_eV(self) -> float:
        """The same highest point above the final structure."""
        return self.fitted_barrier_eV - self.reaction_energy_eV

    @property
    def reaction_energy_eV(self) -> float:
        """Final minus initial energy: what the hop costs once it is done."""
        return float(self.energies_eV[-1] - self.energies_eV[0])


def find_path(
    initial: Structure,
    final: Structure,
    potential: Potential,
    images: int = 5,
    climb: bool = True,
    settings: NebSettings | None = None,
) -> Path:
    """The path between two relaxed structures; see `find_paths`."""
    return find_paths([Hop(initial, final)], potential, images, climb, settings)[0]


def find_paths(
    pairs: Sequence[Hop | tuple[Structure, Structure]],
    potential: Potential,
    images: int = 5,
    climb: bool = True,
    settings: NebSettings | None = None,
    observer: Observer | Hooks | None = None,
) -> list[Path]:
    """Climbing nudged elastic bands of many hops, all their images in one batch.

    pairs    relaxed endpoints with the same atoms in the same order and the same cell; a `Hop` may name
             a structure the first guess is led through
    images   moving images of each band
    climb    whether the highest image climbs to the saddle

    One `Path` per pair, in order. Converged by the climbing image's force and the barrier's change.
    Raises InputError for endpoints that differ in atoms or cell, that are one and the same state, or
    whose interpolation runs through an atom. Finds the path near the first guess, not the lowest one.
    """
    descent = prepare_paths(pairs, potential, images, climb, settings)
    return paths(descent, run(descent, hooks_of(observer)))


def prepare_paths(
    pairs: Sequence[Hop | tuple[Structure, Structure]],
    potential: Potential,
    images: int = 5,
    climb: bool = True,
    settings: NebSettings | None = None,
) -> Descent:
    """The descent that `find_paths` runs, for those who attach `Hooks` (checkpoints, stopping) to `run`.

    Evaluates the endpoints, all in one batch, and makes the first guesses.
    """
    settings = NebSettings() if settings is None else settings
    if images < 1 or not len(pairs):
        raise InputError(f"got {images} images for {len(pairs)} pairs; at least one of each is needed.")
    hops = [Hop(*pair) for pair in pairs]
    model = None if settings.optimiser in DAMPED else settings.model
    models = models_of(model, [(hop.initial, hop.final) for hop in hops])
    guesses = [_guess(hop, i, images) for i, hop in enumerate(hops)]
    said = potential.evaluate([s for hop in hops for s in (hop.initial, hop.final)])
    mirrors: list[Mirror | None] = [None] * len(hops)
    if _may_mirror(settings, images, climb):
        levels = [(said[2 * i].energy, said[2 * i + 1].energy) for i in range(len(hops))]
        asked = [Asked(hop.initial, *both) for hop, *both in zip(hops, levels, guesses, strict=True)]
        mirrors = mirrors_of(asked, potential)
    guesses = [g if m is None else symmetric(m, g) for g, m in zip(guesses, mirrors, strict=True)]
    ends = tuple(Ends(hop.initial, hop.final, said[2 * i], said[2 * i + 1], guesses[i]) for i, hop in enumerate(hops))
    rules = band_rules(settings, climb)
    limits = replace(
        limited(settings.limits, settings.max_steps),
        watched_change_eV=settings.barrier_change_eV,
        window=settings.window,
    )
    return Descent(Bands(potential, ends, rules, tuple(mirrors), models), band_stepper(settings), limits)


def band_rules(settings: NebSettings, climb: bool) -> BandRules:
    """When a band with these settings is converged."""
    return BandRules(
        settings.fmax_eV_per_A,
        max(settings.others_eV_per_A, settings.fmax_eV_per_A),
        settings.barrier_error_eV,
        settings.spring_eV_per_A2,
        climb,
        max(settings.climb_below_eV_per_A, settings.fmax_eV_per_A),
    )


def _may_mirror(settings: NebSettings, images: int, climb: bool) -> bool:
    """Whether half bands are wanted and spare anything. An even number of images has no middle one that could climb."""
    return settings.mirror and images > 1 and not (climb and images % 2 == 0)


def band_stepper(settings: NebSettings) -> Stepper:
    """The optimiser asked for, with damped dynamics behind it where it may be led astray."""
    chosen = stepper(settings.optimiser, settings.max_step_A)
    if settings.optimiser in DAMPED:
        return chosen
    return Guarded(chosen, stepper("fire2", settings.max_step_A))


def paths(descent: Descent, state: State) -> list[Path]:
    """What became of each hop."""
    return [_path(descent, state, hop) for hop in range(len(descent.landscape.hops))]


def _path(descent: Descent, state: State, hop: int) -> Path:
    bands, point = descent.landscape, state.point
    ends = bands.hops[hop]
    positions, energies, forces = bands.path(point.x, point.answers, hop)
    distances, pulls = path_profile(positions, energies, forces)
    climbing = int(point.mode[hop])
    climbers = climbing_images(climbing, bands.images, bands.mirrors[hop] is not None)
    _, true = band_forces(positions, tangents(positions, energies)[1:-1], forces[1:-1], 0.0, climbers)
    norms = np.linalg.norm(true, axis=2).max(axis=1)
    residual = norms[climbing] if climbing >= 0 else norms.max()
    middle = [ends.initial.moved_to(x) for x in positions[1:-1]]
    return Path(
        images=[ends.initial, *middle, ends.final.moved_to(positions[-1])],
        energies_eV=energies,
        distances_A=distances,
        tangential_forces_eV_per_A=pulls,
        converged=bool(state.code[hop] == DONE),
        status=sentence(state, hop, descent.limits),
        steps=int(state.steps[hop]),
        evaluations=int(state.evaluations[hop]),
        climbing_image=climbing + 1 if climbing >= 0 else None,
        residual_force_eV_per_A=float(residual),
        force_spreads_eV_per_A=bands.force_spreads(point.answers, hop),
    )


def first_guess(hop: Hop, images: int) -> Floats:
    """(images, n, 3) A, where a band of this hop would start: image-dependent pair potential, nearest images.

    Raises InputError for endpoints that differ in atoms or cell, that are one state, or whose way runs through an
    atom. `find_paths` refuses all its pairs for one such hop; ask here first where the others must go on.
    """
    check_ends(hop.initial, hop.final, hop.through)
    if hop.guess is None:
        return interpolated_through(hop.initial, hop.final, hop.through, images)
    check_guess(hop.initial, hop.final, hop.guess, images)
    return hop.guess


def _guess(hop: Hop, index: int, images: int) -> Floats:
    """First guess of a checked hop; a refusal says which of the pairs it was."""
    try:
        return first_guess(hop, images)
    except InputError as error:
        raise InputError(f"pair {index}: {error}") from error
