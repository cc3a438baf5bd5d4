"""Gamma surfaces: every translation of a gallery, its stable and unstable faults and the low paths between letters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field

from simkit import build, io, measure, solve
from simkit.config import Section
from simkit.potential.base import Potential
from simkit.structure import Structure
from simkit.workflows.common import QUIET, Hooks
from simkit.workflows.glides.points import Effort, Place, Point, Row, answers
from simkit.workflows.glides.starts import slide_starts
from simkit.workflows.gliding import Mode, galleries_of, layered, name_of, plane_of


class Config(Section):
    """A gamma surface on a grid reduced by symmetry.

    grid       points along each side of the period; a multiple of 3 holds the letters
    period     "slabs": the primitive cell of the slabs, exact where the ions follow them; "structure": the smallest
               translations of the whole structure, ordered ions and vacancies included
    galleries  indices to slide, or "kinds": one gallery of each kind, as far from an interface as there is
    modes      "rigid", "normal" and "held", as of lines
    seed       of the nudge that free ions get
    fmax_eV_per_A, max_steps  of each relaxed point
    symprec_A  how far an atom may lie from its symmetric place
    """

    grid: int = Field(default=6, ge=3, le=60)
    period: Literal["slabs", "structure"] = "slabs"
    galleries: Literal["kinds"] | list[int] = "kinds"
    modes: list[Mode] = Field(default_factory=lambda: ["rigid"], min_length=1)
    seed: int = Field(default=0, ge=0)
    fmax_eV_per_A: float = Field(default=0.05, gt=0)
    max_steps: int = Field(default=150, gt=0)
    symprec_A: float = Field(default=0.01, gt=0)


@dataclass(frozen=True, eq=False)
class Surface:
    """One gallery slid everywhere, with one kind of relaxation.

    gamma    the surface; unlike how many points were computed of size^2
    paths    the low path to each neighbouring letter, by letter; becomes the gallery's name there
    stable   fractions of the period and gamma (J/m2) of the stable translations, lowest first
    """

    name: str
    structure: str
    kind: str
    gallery: int
    mode: str
    gamma: measure.GammaSurface
    unlike: int
    paths: dict[int, measure.LowPath]
    becomes: dict[int, str]
    stable: tuple[tuple[np.ndarray, float], ...]
    statuses: tuple[str, ...]
    structures: tuple[Structure, ...]

    @property
    def converged(self) -> bool:
        """Whether every point converged."""
        return all(status == solve.CONVERGED for status in self.statuses)


@dataclass(frozen=True)
class Result:
    """surfaces: one per structure, gallery and mode."""

    surfaces: tuple[Surface, ...]

    def to_ase(self) -> dict[str, list[Any]]:
        """The slid cells of each surface as ase.Atoms, by "kind in structure mode"."""
        return {f"{s.name} {s.mode}": [io.to_ase(one) for one in s.structures] for s in self.surfaces}


@dataclass(frozen=True, eq=False)
class _Task:
    label: str
    structure: Structure
    gallery: int
    mode: Mode
    grid: build.GlideGrid

    def places(self, config: Config, name: str) -> list[list[Place]]:
        """For every unlike point the places to start from."""
        kind = build.classify(self.structure).stack.gap(self.gallery)
        starts = slide_starts(self.structure, self.gallery, self.mode, config.seed, after=kind)
        head = f"{name}-{self.label}-gallery{self.gallery}-{self.mode}-{config.period}{config.grid}"
        return [
            [Place(f"{head}-{u:.6f}-{v:.6f}-{k}", solve.slid_by(s, w, t), self.mode) for k, (s, w) in enumerate(starts)]
            for (u, v), t in zip(self.grid.fractions, self.grid.vectors_A, strict=True)
        ]


def run(config: Config, potential: Potential, structures: Any, hooks: Hooks = QUIET, name: str = "surface") -> Result:
    """Gamma surfaces of relaxed layered structures (Structure, ase.Atoms, pymatgen.Structure; one or by name).

    All unlike points of all galleries, structures and modes are one batch; each is kept the moment it is done.
    Raises InputError for a structure that is not layered, has free surfaces or lacks a gallery, Stopped when the
    potential answers with numbers that are not finite.
    """
    tasks = [
        _Task(label, s, g, mode, build.glide_grid(s, g, config.grid, config.period, symprec_A=config.symprec_A))
        for label, s in layered(structures).items()
        for g in galleries_of(config.galleries, s)
        for mode in config.modes
    ]
    rows = [Row(f"{t.label}, gallery {t.gallery}, {t.mode} surface", t.places(config, name)) for t in tasks]
    found = answers(rows, potential, Effort(config.fmax_eV_per_A, config.max_steps), hooks, name)
    return Result(tuple(_surface(task, points) for task, points in zip(tasks, found, strict=True)))


def _surface(task: _Task, points: list[Point]) -> Surface:
    read = build.classify(task.structure)
    stack, grid = read.stack, task.grid
    kind = stack.gaps()[task.gallery]
    energies = np.array([point.energy_eV for point in points])[grid.index]
    letters = build.letter_vectors(task.structure, every=True)
    gamma = measure.gamma_surface(grid.lattice, energies, plane_of(task.structure))
    return Surface(
        name=name_of(kind, task.label),
        structure=task.label,
        kind=kind,
        gallery=task.gallery,
        mode=task.mode,
        gamma=gamma,
        unlike=len(points),
        paths={g: lowest_path(gamma, letters[k]) for k, g in ((0, 1), (1, -1))},
        becomes={g: stack.glide(task.gallery, g).gaps()[task.gallery] for g in (1, -1)},
        stable=tuple(gamma.minima()),
        statuses=tuple(point.status for point in points),
        structures=tuple(point.structure for point in points),
    )


def lowest_path(gamma: measure.GammaSurface, vectors_A: np.ndarray) -> measure.LowPath:
    """Of the low paths to each of several equivalent translations (k, 3) A, the lowest."""
    ends = vectors_A @ np.linalg.pinv(gamma.lattice)
    straight = np.round(gamma.at(np.linspace(0.0, 1.0, 9)[:, None, None] * ends), 6)
    unlike = [ends[k] for k in np.unique(straight, axis=1, return_index=True)[1]]
    paths = [gamma.low_path(np.zeros(2), end) for end in unlike]
    return min(paths, key=lambda path: (round(path.unstable_J_per_m2, 9), path.length_A))


def table(surface: Surface) -> dict:
    """Plain numbers of one surface, unit in every key."""
    gamma = surface.gamma
    return {
        "name": surface.name,
        "structure": surface.structure,
        "gallery": surface.gallery,
        "kind": surface.kind,
        "mode": surface.mode,
        "converged": surface.converged,
        "points_computed": surface.unlike,
        "points_of_grid": gamma.values_J_per_m2.size,
        "lattice_A": gamma.lattice.tolist(),
        "gamma_J_per_m2": gamma.values_J_per_m2.tolist(),
        "stable": [{"fractions": f.tolist(), "gamma_J_per_m2": value} for f, value in surface.stable],
        "paths": [_path(surface, letter) for letter in surface.paths],
    }


def _path(surface: Surface, letter: int) -> dict:
    path = surface.paths[letter]
    end = float(path.gamma_J_per_m2[-1])
    return {
        "letter": letter,
        "becomes": surface.becomes[letter],
        "unstable_J_per_m2": path.unstable_J_per_m2,
        "unstable_meV_per_fu": surface.gamma.meV_per_fu(path.unstable_J_per_m2),
        "unstable_at_fractions": path.unstable_fractions.tolist(),
        "next_letter_J_per_m2": end,
        "next_letter_meV_per_fu": surface.gamma.meV_per_fu(end),
        "ideal_shear_stress_GPa": path.ideal_shear_stress_GPa,
        "length_A": path.length_A,
        "distances_A": path.distances_A.tolist(),
        "gamma_J_per_m2": path.gamma_J_per_m2.tolist(),
    }
