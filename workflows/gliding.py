"""Interlayer gliding: the energy of sliding one gallery towards its neighbouring letters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator

from simkit import build, io, measure, solve
from simkit.config import Section
from simkit.errors import InputError
from simkit.potential.base import Potential
from simkit.structure import Structure
from simkit.workflows.cells import area_A2
from simkit.workflows.common import QUIET, Hooks, named_structures
from simkit.workflows.glides.points import Apart, Effort, Place, Point, Row, answers, apart
from simkit.workflows.glides.starts import slide_starts

Mode = Literal["rigid", "normal", "held"]


class Config(Section):
    """points: displaced points from one letter to the next (the next one included); letters: +1 and/or -1.

    galleries: indices to slide, or "kinds": one gallery of each kind, as far from an interface as there is.
    modes: "rigid"; "normal", atoms and cell along the normal only; "held", slabs held in the plane and ions free:
    each point starts with the ions in several places (`glides.starts.ion_starts`), all nudged (seed), since an ion on a
    symmetry element would stay there, and the lowest energy counts.
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
    apart: spreads of a committee above the cell that is not slid, None for a single potential.
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
    apart: Apart | None = None

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


@dataclass(frozen=True)
class _Task:
    label: str
    structure: Structure
    gallery: int
    mode: Mode

    @property
    def what(self) -> str:
        return f"{self.label}, gallery {self.gallery}, {self.mode} slide"


def run(config: Config, potential: Potential, structures: Any, hooks: Hooks = QUIET, name: str = "gliding") -> Result:
    """Slide galleries of relaxed layered structures (Structure, ase.Atoms, pymatgen.Structure; one or by name).

    Every point of every gallery, structure and kind of relaxation is relaxed in one batch, and kept by itself.
    Raises InputError for a structure that is not layered, has free surfaces or lacks a gallery, Stopped when the
    potential answers with numbers that are not finite.
    """
    tasks = [
        _Task(label, structure, gallery, mode)
        for label, structure in layered(structures).items()
        for gallery in galleries_of(config.galleries, structure)
        for mode in config.modes
    ]
    fraction = _fractions(config)
    effort = Effort(config.fmax_eV_per_A, config.max_steps)
    rows = [Row(task.what, _places(config, task, fraction, name)) for task in tasks]
    found = answers(rows, potential, effort, hooks, name)
    spreads = apart(found, potential, [int(np.flatnonzero(fraction == 0.0)[0])] * len(found), hooks, name)
    return Result(
        tuple(_profile(task, fraction, *told) for task, *told in zip(tasks, found, spreads, strict=True)),
    )


def layered(structures: Any) -> dict[str, Structure]:
    """Labelled structures by name. Raises InputError for one that is not layered or has free surfaces."""
    found = {}
    for label, given in named_structures(structures).items():
        build.require_filled(given, label)
        found[label] = build.label(given)
    return found


def _fractions(config: Config) -> np.ndarray:
    steps = np.arange(1, config.points + 1) / config.points
    return np.sort(np.concatenate([[0.0], *(letter * steps for letter in config.letters)]))


def _places(config: Config, task: _Task, fraction: np.ndarray, name: str) -> list[list[Place]]:
    """For every fraction the places to start from, of which the lowest counts."""
    up, down = build.letter_vectors(task.structure)
    vectors = [f * up if f > 0 else -f * down for f in fraction]
    stack = build.classify(task.structure).stack
    starts = {
        letter: slide_starts(
            task.structure, task.gallery, task.mode, config.seed, stack.glide(task.gallery, letter).gap(task.gallery)
        )
        for letter in (1, -1)
    }
    head = f"{name}-{task.label}-gallery{task.gallery}-{task.mode}"
    return [
        [
            Place(f"{head}-{f:+.6f}-{k}", solve.slid_by(s, w, t), task.mode)
            for k, (s, w) in enumerate(starts[1 if f > 0 else -1])
        ]
        for f, t in zip(fraction, vectors, strict=True)
    ]


def _profile(task: _Task, fraction: np.ndarray, points: list[Point], spreads: Apart | None) -> Profile:
    stack = build.classify(task.structure).stack
    kind = stack.gaps()[task.gallery]
    plane = plane_of(task.structure)
    return Profile(
        name=name_of(kind, task.label),
        structure=task.label,
        kind=kind,
        gallery=task.gallery,
        mode=task.mode,
        fraction=fraction,
        energy_eV=np.array([point.energy_eV for point in points]),
        area_A2=plane.area_A2,
        formula_units=plane.formula_units,
        letter_distance_A=plane.length_A,
        becomes={g: stack.glide(task.gallery, g).gaps()[task.gallery] for g in (1, -1)},
        statuses=tuple(point.status for point in points),
        structures=tuple(point.structure for point in points),
        apart=spreads,
    )


def name_of(kind: str, label: str) -> str:
    """What a gallery of a structure is called."""
    return f"{kind} alone" if label == kind else f"{kind} in {label}"


def plane_of(structure: Structure) -> measure.GlidePlane:
    """Area of a slab, formula units of it, and how far the next letter is."""
    units = float((structure.tags["site"] == "TM").sum() / len(build.classify(structure).stack))
    return measure.GlidePlane(area_A2(structure), units, float(np.linalg.norm(build.letter_vectors(structure)[0])))


def galleries_of(asked: Literal["kinds"] | list[int], structure: Structure) -> list[int]:
    """The galleries to slide: those asked for, or of each kind the one farthest from any other kind."""
    gaps = build.classify(structure).stack.gaps()
    count = len(gaps)
    if asked != "kinds":
        wrong = [g for g in asked if not 0 <= g < count]
        if wrong:
            raise InputError(f"gallery {wrong[0]} does not exist; this structure has galleries 0 to {count - 1}.")
        return list(asked)

    def distance(gallery: int) -> int:
        others = [min((gallery - j) % count, (j - gallery) % count) for j in range(count) if gaps[j] != gaps[gallery]]
        return min(others, default=count)

    return [max((j for j in range(count) if gaps[j] == kind), key=distance) for kind in dict.fromkeys(gaps)]


def gamma(profile: Profile, letter: int) -> measure.GammaProfile:
    """The gamma curve of one way of a profile, from the present letter (0) to the next (1)."""
    way = points_of(profile, letter)
    plane = measure.GlidePlane(profile.area_A2, profile.formula_units, profile.letter_distance_A)
    return measure.gamma_profile(np.abs(profile.fraction[way]), profile.energy_eV[way], plane, "start")


def points_of(profile: Profile, letter: int) -> np.ndarray:
    """Numbers of the points of one way, from the present letter to the next."""
    way = np.flatnonzero(letter * profile.fraction >= 0)
    return way[np.argsort(np.abs(profile.fraction[way]))]
