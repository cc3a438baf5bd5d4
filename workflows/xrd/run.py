"""Cells that lose ions step by step, relaxed or at temperature, and the powder pattern of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from simkit import build, io, measure, solve
from simkit.arrays import Floats
from simkit.build.layering import ANIONS
from simkit.config import Section
from simkit.errors import InputError, Stopped
from simkit.potential.base import Potential
from simkit.structure import Structure
from simkit.trajectory import FINISHED
from simkit.workflows import committee, md, relax
from simkit.workflows.common import QUIET, Hooks, named_structures
from simkit.workflows.relax import Config as RelaxConfig

SERIES = "cells as given"
"""Name of the one course of cells that are taken as they are."""
Content = Annotated[float, Field(ge=0)]
Kelvin = Annotated[float, Field(gt=0)]


class Warm(Section):
    """Molecular dynamics at constant pressure whose mean structure diffracts.

    length_ps of each run; skip: share of it left out at the start; cell: what may change
    """

    length_ps: float = Field(default=20.0, gt=0)
    skip: float = Field(default=0.5, ge=0, lt=1)
    timestep_fs: float = Field(default=1.0, gt=0)
    frame_fs: float = Field(default=50.0, gt=0)
    cell: Literal["isotropic", "layered", "anisotropic", "free"] = "anisotropic"


class Config(Section):
    """Powder patterns over the ion content, and over temperature where some are given.

    contents       ions per formula unit (two anions) each cell is brought to, to the nearest ion, by taking ions out;
                   none: the cells are one course, each with the content it has
    how, phase     "evenly" from every gallery, or those of `phase` first
    relaxed        whether cells are relaxed (`relax`) before they diffract; without it they diffract as they are
    temperatures_K of molecular dynamics from the relaxed cells; none: the relaxed cells themselves diffract
    two_theta_deg  range; wavelength as pymatgen names it; fwhm_deg of a peak
    """

    ion: str = "Na"
    contents: Annotated[tuple[Content, ...], Field(strict=False)] = ()
    how: Literal["evenly", "phase"] = "evenly"
    phase: str = ""
    seed: int = Field(default=0, ge=0)
    relaxed: bool = True
    relax: RelaxConfig = RelaxConfig()
    temperatures_K: Annotated[tuple[Kelvin, ...], Field(strict=False)] = ()
    warm: Warm = Warm()
    two_theta_deg: Annotated[tuple[float, float], Field(strict=False)] = (10.0, 50.0)
    wavelength: str = "CuKa"
    fwhm_deg: float = Field(default=0.3, gt=0)


@dataclass(frozen=True, eq=False)
class Point:
    """What diffracts: a cell of a series at a content (ions per formula unit) and a temperature, None for relaxed.

    structure  relaxed, or the mean over a run
    status     of the relaxation or the run, a sentence
    intensity  (k,) over the angles of the result
    a_A, spacing_A  hexagonal lattice parameter and mean distance of slabs, nan where the cell is no stack
    volume_A3  of a formula unit; galleries: shares by kind, empty where the cell is no stack
    spreads    of a committee with the unit in each key: of the relaxed cell, or the mean over what was averaged of a
               run; empty for a single potential and for cells as given
    """

    series: str
    content: float
    temperature_K: float | None
    structure: Structure
    status: str
    intensity: Floats
    a_A: float
    spacing_A: float
    volume_A3: float
    galleries: dict[str, float]
    spreads: Mapping[str, float] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Whether the relaxation converged or the run took all its steps."""
        return self.status in (solve.CONVERGED, FINISHED)


@dataclass(frozen=True, eq=False)
class _Made:
    """A cell whose pattern is wanted: its series and content, and the rest as in `Point`."""

    key: tuple[str, float]
    temperature_K: float | None
    structure: Structure
    status: str
    spreads: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Result:
    """Points by series, content and temperature, all on one axis of angles (k,) degrees."""

    config: Config
    angles_deg: Floats
    points: tuple[Point, ...]

    @property
    def converged(self) -> bool:
        """Whether every cell is as it was asked for."""
        return all(point.good for point in self.points)

    def to_ase(self) -> dict[str, Any]:
        """What diffracts, as ase.Atoms by name."""
        return {name_of(point): io.to_ase(point.structure) for point in self.points}


def run(config: Config, potential: Potential, structures: Any, folder: str | Path, hooks: Hooks = QUIET) -> Result:
    """Patterns of `structures` (Structure, ase.Atoms, pymatgen; one, a list or by name) over contents and temperatures.

    All cells relax in one batch and all runs are another, in `folder`, taken up where they stopped. Raises InputError
    for contents a cell cannot be brought to, and cells that make no course, Stopped for a run that breaks down at once.
    """
    cells = stepped(config, named_structures(structures))
    found, apart = dict.fromkeys(cells, solve.CONVERGED), dict[tuple[str, float], dict[str, float]]()
    whole = {_key(key): cell for key, cell in cells.items()}
    if config.relaxed:
        outcomes = relax.run(config.relax, potential, whole, hooks, "relax").outcomes
        found = {key: outcomes[_key(key)].status for key in cells}
        apart = {key: committee.spread_of(outcomes[_key(key)].evaluation) for key in cells}
        cells = {key: outcomes[_key(key)].structure for key in cells}
    if not config.temperatures_K:
        made = [_Made(key, None, cell, found[key], apart.get(key, {})) for key, cell in cells.items()]
    else:
        made = _warmed(config, potential, cells, (Path(folder), hooks))
    radiation = measure.Radiation(config.wavelength, config.two_theta_deg, config.fwhm_deg)
    points = tuple(_point(radiation, one) for one in made)
    return Result(config, measure.powder_pattern(made[0].structure, radiation)[0], points)


def stepped(config: Config, given: Mapping[str, Structure]) -> dict[tuple[str, float], Structure]:
    """Cells by series and content, from low to high: brought to the contents, or as given in one series."""
    if not config.contents:
        contents = {name: content(cell, config.ion) for name, cell in given.items()}
        if len({round(x, 9) for x in contents.values()}) < len(given):
            raise InputError(
                f"two of the cells have the same {config.ion} content ({_words(contents)}); cells as given make one "
                "course over the content. Give contents to bring every cell to each of them."
            )
        return {(SERIES, contents[name]): given[name] for name in sorted(given, key=contents.__getitem__)}
    cells = {}
    for name, cell in given.items():
        for wanted in sorted(set(config.contents)):
            reached = _brought(config, name, cell, wanted)
            cells[name, content(reached, config.ion)] = reached
    return cells


def content(structure: Structure, ion: str) -> float:
    """Ions per two anions. Raises InputError where there is no anion."""
    anions = int(np.isin(structure.numbers, ANIONS).sum())
    if not anions:
        raise InputError(f"{structure.formula} holds no anion, so it has no content of {ion} per formula unit.")
    return 2.0 * structure.symbols.count(ion) / anions


def name_of(point: Point) -> str:
    """A name for files: series, content, temperature."""
    heat = "" if point.temperature_K is None else f"-{point.temperature_K:g}K"
    return f"{_key((point.series, point.content))}{heat}"


def _brought(config: Config, name: str, cell: Structure, wanted: float) -> Structure:
    now = content(cell, config.ion)
    half_an_ion = 0.5 * now / max(cell.symbols.count(config.ion), 1)
    if not 0 < now or wanted > now + half_an_ion:
        raise InputError(
            f"{name} holds {now:.4g} {config.ion} per formula unit and cannot be brought to {wanted:g} by taking ions "
            "out; give a fuller cell, or contents up to what it holds."
        )
    first = config.phase if config.how == "phase" else None
    return build.charged(cell, max(1.0 - wanted / now, 0.0), config.ion, config.seed, first)


def _warmed(
    config: Config, potential: Potential, cells: dict[tuple[str, float], Structure], where: tuple[Path, Hooks]
) -> list[_Made]:
    folder, hooks = where
    settings = md.Config(
        ensemble="npt",
        temperatures_K=tuple(sorted(set(config.temperatures_K))),
        length_ps=config.warm.length_ps,
        timestep_fs=config.warm.timestep_fs,
        frame_fs=config.warm.frame_fs,
        cell=config.warm.cell,
        seed=config.seed,
    )
    keys = {_key(key): key for key in cells}
    simulated = md.simulate(settings, potential, {name: cells[key] for name, key in keys.items()}, folder, hooks)
    made = []
    for system in simulated.systems:
        run = simulated.run.trajectory(system.name, status=simulated.statuses[system.name])
        if not len(run):
            raise Stopped(f"{system.name} gave no frame to diffract: {simulated.statuses[system.name]}")
        late = slice(int(config.warm.skip * len(run)), None)
        mean = measure.mean_structure(run.structure, run.positions[late], run.cells[late])
        apart = {} if run.energy_spread is None else committee.spread_over(run.energy_spread[late])
        status = simulated.statuses[system.name]
        made.append(_Made(keys[system.source], system.temperature_K, mean, status, apart))
    return made


def _point(radiation: measure.Radiation, made: _Made) -> Point:
    structure = made.structure
    a, spacing, galleries = np.nan, np.nan, {}
    try:
        read = build.classify(structure)
        a, spacing, galleries = read.a_A, read.height_A / len(read.stack), read.fractions
    except InputError:
        pass  # a cell that is no stack has a pattern all the same; its lattice stays unknown, and the page says so
    formulas = int(np.isin(structure.numbers, ANIONS).sum()) / 2.0
    return Point(
        *made.key,
        made.temperature_K,
        structure,
        made.status,
        measure.powder_pattern(structure, radiation)[1],
        float(a),
        float(spacing),
        structure.volume / formulas,
        galleries,
        made.spreads,
    )


def _key(key: tuple[str, float]) -> str:
    name, x = key
    return io.file_name(f"{name}-x{x:.3f}")


def _words(contents: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {x:.4g}" for name, x in contents.items())
