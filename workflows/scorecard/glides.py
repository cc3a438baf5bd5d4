"""Gliding of one gallery towards its neighbouring letters: the barrier on the way and the energy of what it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from simkit import build
from simkit.errors import InputError, Stopped
from simkit.potential.base import Potential
from simkit.structure import Structure
from simkit.units import EV_PER_A2_IN_J_PER_M2
from simkit.workflows import gliding
from simkit.workflows.scorecard.answers import Answers
from simkit.workflows.scorecard.cells import NIMN, Cell, built, relaxed
from simkit.workflows.scorecard.config import Config

COBALT: Mapping[str, float] = {"Co": 1.0}


@dataclass(frozen=True)
class Way:
    """A relaxed cell, the gallery kind that its first gallery becomes, and the kind of relaxation on the way.

    mode  of `solve.slide`: "held" leaves the ions free, which wander from one kind of site to another while the
          slabs pass; "normal" keeps every atom on its line, which an empty gallery does by itself
    """

    cell: Cell
    becomes: str
    mode: Literal["normal", "held"]


FULL: Mapping[str, Way] = {
    "P2 Na1/3Ni1/3Mn2/3O2": Way(Cell("P2", 2, NIMN, 1 / 3, build.ROOT3), "O2u", "held"),
    "O3 NaCoO2": Way(Cell("O3", 3, COBALT, 1.0), "P3", "held"),
    "P2 Ni1/3Mn2/3O2": Way(Cell("P2", 2, NIMN, 0.0, build.ROOT3), "O2u", "normal"),
    "O3 CoO2": Way(Cell("O3", 3, COBALT, 0.0), "O1", "normal"),
}
QUICK = ("O3 NaCoO2",)
POINTS = 4
FMAX_EV_PER_A = 0.02


def measure(potential: Potential, config: Config) -> Answers:
    """Highest energy on the way and energy at the next letter, meV per formula unit of the gallery that glides."""
    chosen = {name: FULL[name] for name in (QUICK if config.quick else FULL)}
    structures, problems = built({name: way.cell for name, way in chosen.items()}, config, potential)
    outcomes, failed = relaxed(structures, potential, config)
    problems.update(failed)
    numbers = {}
    for name, outcome in outcomes.items():
        try:
            numbers[name] = glide(outcome.structure, chosen[name], potential, config)
        except (InputError, Stopped) as error:
            problems[name] = str(error)
    return Answers(numbers, problems)


def glide(structure: Structure, way: Way, potential: Potential, config: Config) -> dict[str, float]:
    """Unstable and end energy of one way.

    Raises InputError where no letter makes of the gallery what is asked, Stopped where a point did not converge.
    """
    stack = build.classify(structure).stack
    letters = [g for g in (1, -1) if stack.glide(0, g).gaps()[0] == way.becomes]
    if not letters:
        raise InputError(f"gliding {stack.gaps()[0]} makes no {way.becomes} of it.")
    settings = gliding.Config(
        points=POINTS,
        letters=letters,
        modes=[way.mode],
        galleries=[0],
        seed=config.seed,
        fmax_eV_per_A=FMAX_EV_PER_A,
        max_steps=config.max_steps,
    )
    (profile,) = gliding.run(settings, potential, structure).profiles
    if not profile.converged:
        raise Stopped(f"gliding: {next(words for words in profile.statuses if words != 'converged')}")
    curve = gliding.gamma(profile, letters[0])
    per_fu = 1e3 * profile.area_A2 / profile.formula_units / EV_PER_A2_IN_J_PER_M2
    return {
        f"to {way.becomes} highest_meV_per_fu": curve.unstable_J_per_m2 * per_fu,
        f"to {way.becomes} end_meV_per_fu": float(curve.gamma_meV_per_fu[-1]),
    }
