"""Interlayer gliding: the energy of sliding one gallery towards its neighbouring letters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator

from simkit import build, io, measure, solve
from simkit.config import Section
from simkit.errors import InputError, Stopped
from simkit.potential.base import Potential
from simkit.structure import Structure
from simkit.workflows.common import QUIET, Hooks, named_structures

Mode = Literal["rigid", "normal", "held"]


NUDGE_A = 0.15
"""Standard deviation of the in-plane nudge of free ions before a held slide relaxes, A."""


class Config(Section):
    """points: displaced points from one letter to the next (the next one included); letters: +1 and/or -1.

    galleries: indices to slide, or "kinds": one gallery of each kind, as far from an interface as there is.
    modes: "rigid"; "normal", atoms and cell along the normal only; "held", slabs held in the plane and ions free:
    each point starts with the ions half way and with the ions staying behind, both nudged by `NUDGE_A` (seed), since
    an ion on a symmetry element would stay there, and the lower energy counts.
    """

    points: int = Field(default=6, ge=3)
    letters: list[Literal[1, -1]] = Field(default_factory=lambda: [1, -1], min_length=1, max_length=2)

    @field_validator("letters")
    @classmethod
    def _once(cls, letters: list[int]) -> list[int]:
        if len(set(letters)) < len(letters):
            raise ValueError("name each letter once, as [1], [-1] or [1, -1]")
        return letters

    modes: list[Mode] = Field(default_factory=lambda: ["rigid", "normal", "held"], min_length=1)
    seed: int = Field(default=0, ge=0)
    galleries: Literal["kinds"] | list[int] = "kinds"
    fmax_eV_per_A: float = Field(default=0.05, gt=0)
    max_steps: int = Field(default=150, gt=0)


@dataclass(frozen=True, eq=False)
class Profile:
    """One gallery slid one way, with one kind of relaxation.

    fraction (k,) of the way to the next letter, signed by direction, 0 included; energy_eV (k,) of the cell;
    structures: the slid cells, relaxed as the mode says; becomes: the gallery's name at the next letter, by letter.
    """

    name: str
    structure: str
    kind: str
    gallery: int
    mode: str
    fraction: np.ndarray
    energy_eV: np.ndarray
    area_A2: float
    formula_units: float
    letter_distance_A: float
    becomes: dict[int, str]
    statuses: tuple[str, ...]
    structures: tuple[Structure, ...]

    @property
    def letters(self) -> list[int]:
        """The ways it was slid: +1, -1 or both."""
        return [letter for letter in (1, -1) if (letter * self.fraction > 0).any()]

    @property
    def converged(self) -> bool:
        """Whether every point converged."""
        return all(status == "converged" for status in self.statuses)


@dataclass(frozen=True)
class Result:
    """profiles: one per structure, gallery and mode."""

    profiles: tuple[Profile, ...]

    def to_ase(self) -> dict[str, list[Any]]:
        """The slid cells of each profile as ase.Atoms, by "kind in structure mode"."""
        return {f"{p.name} {p.mode}": [io.to_ase(s) for s in p.structures] for p in self.profiles}


TYPES = (Profile,)


@dataclass(frozen=True)
class _Task:
    label: str
    structure: Structure
    gallery: int
    mode: Mode


def run(config: Config, potential: Potential, structures: Any, hooks: Hooks = QUIET, name: str = "gliding") -> Result:
    """Slide galleries of relaxed layered structures (Structure, ase.Atoms, pymatgen.Structure; one or by name).

    Each profile is one batch: every displaced point of one gallery under one kind of relaxation.
    Raises InputError for a structure that is not layered or a gallery that it does not have, Stopped when the
    potential answers with numbers that are not finite.
    """
    tasks = [
        _Task(label, structure, gallery, mode)
        for label, given in named_structures(structures).items()
        for structure in [build.label(given)]
        for gallery in _galleries(config, structure)
        for mode in config.modes
    ]
    return Result(tuple(_kept(config, potential, task, hooks, name) for task in tasks))


def _kept(config: Config, potential: Potential, task: _Task, hooks: Hooks, name: str) -> Profile:
    key = f"{name}-{task.label}-gallery{task.gallery}-{task.mode}"
    return hooks.keep(key, lambda: _slide(config, potential, task, hooks), TYPES)


def _galleries(config: Config, structure: Structure) -> list[int]:
    """The galleries to slide: those asked for, or of each kind the one farthest from any other kind."""
    gaps = build.classify(structure).stack.gaps()
    count = len(gaps)
    if config.galleries != "kinds":
        wrong = [g for g in config.galleries if not 0 <= g < count]
        if wrong:
            raise InputError(f"gallery {wrong[0]} does not exist; this structure has galleries 0 to {count - 1}.")
        return list(config.galleries)

    def distance(gallery: int) -> int:
        others = [min((gallery - j) % count, (j - gallery) % count) for j in range(count) if gaps[j] != gaps[gallery]]
        return min(others, default=count)

    return [max((j for j in range(count) if gaps[j] == kind), key=distance) for kind in dict.fromkeys(gaps)]


def _slide(config: Config, potential: Potential, task: _Task, hooks: Hooks) -> Profile:
    structure, gallery = task.structure, task.gallery
    stack = build.classify(structure).stack
    up, down = build.letter_vectors(structure)
    steps = np.arange(1, config.points + 1) / config.points
    fraction = np.sort(np.concatenate([[0.0], *(letter * steps for letter in config.letters)]))
    vectors = np.array([f * up if f > 0 else -f * down for f in fraction])
    relaxing = solve.RelaxSettings(max_steps=config.max_steps)
    watch = hooks.watch(f"gliding {task.label}, gallery {gallery}, {task.mode}")
    settings = solve.SlideSettings(config.fmax_eV_per_A, relaxing, None if task.mode == "rigid" else watch)
    starts = _starts(config, task)
    found = [solve.slide(s, weights, vectors, potential, task.mode, settings) for s, weights in starts]
    points = [min(same, key=lambda point: (not point.converged, point.energy_eV)) for same in zip(*found, strict=True)]
    kind = stack.gaps()[gallery]
    broken = [point.status for point in points if not np.isfinite(point.energy_eV)]
    if broken:
        raise Stopped(f"{task.label}, gallery {gallery}, {task.mode} slide: {broken[0]}")
    return Profile(
        name=f"{kind} alone" if task.label == kind else f"{kind} in {task.label}",
        structure=task.label,
        kind=kind,
        gallery=gallery,
        mode=task.mode,
        fraction=fraction,
        energy_eV=np.array([point.energy_eV for point in points]),
        area_A2=points[0].area_A2,
        formula_units=float((structure.tags["site"] == "TM").sum() / len(stack.gaps())),
        letter_distance_A=float(np.linalg.norm(up)),
        becomes={g: stack.glide(gallery, g).gaps()[gallery] for g in (1, -1)},
        statuses=tuple(point.status for point in points),
        structures=tuple(point.structure for point in points),
    )


def _starts(config: Config, task: _Task) -> list[tuple[Structure, np.ndarray]]:
    """Structures and weights to start from: one, or for free ions two (half way, staying behind), nudged."""
    weights = build.slide_weights(task.structure, task.gallery)
    if task.mode != "held":
        return [(task.structure, weights)]
    ions = task.structure.tags["gallery"] == task.gallery
    nudge = np.zeros_like(task.structure.positions)
    nudge[ions, :2] = np.random.default_rng(config.seed).normal(0.0, NUDGE_A, (int(ions.sum()), 2))
    nudged = task.structure.moved_to(task.structure.positions + nudge)
    return [(nudged, weights), (nudged, np.where(ions, 0.0, weights))]


def gamma(profile: Profile, letter: int) -> measure.GammaProfile:
    """The gamma curve of one way of a profile, from the present letter (0) to the next (1)."""
    way = letter * profile.fraction >= 0
    order = np.argsort(np.abs(profile.fraction[way]))
    plane = measure.GlidePlane(profile.area_A2, profile.formula_units, profile.letter_distance_A)
    return measure.gamma_profile(np.abs(profile.fraction[way])[order], profile.energy_eV[way][order], plane, "start")
