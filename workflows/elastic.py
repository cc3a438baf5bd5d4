"""Elastic constants of any phase: relaxed free of stress, strained as its symmetry asks, all cells in one batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field

from simkit import build, io, measure, solve
from simkit.arrays import Floats
from simkit.config import Section
from simkit.errors import Stopped
from simkit.potential.base import Evaluation, Potential, Spread
from simkit.potential.card import Card
from simkit.structure import Structure
from simkit.units import EV_PER_A3_IN_GPA
from simkit.workflows.common import QUIET, Content, Hooks, named_structures
from simkit.workflows.hops.keeping import Place, batched
from simkit.workflows.rundirs import card_facts, column, section


class Config(Section):
    """How elastic constants are found.

    strain         size of each strain, made with both signs; engineering shear
    relax          whether the structures are relaxed free of stress first; without it they must be
    fmax_eV_per_A  largest force on an atom of a strained cell (0.3 of it before)
    stress_max_GPa largest stress left in the relaxed cell
    max_steps      of each relaxation
    symprec_A      how far an atom may lie from its symmetric place
    """

    strain: float = Field(default=0.005, gt=0, le=0.05)
    relax: bool = True
    fmax_eV_per_A: float = Field(default=5e-3, gt=0)
    stress_max_GPa: float = Field(default=0.02, gt=0)
    max_steps: int = Field(default=500, gt=0)
    symprec_A: float = Field(default=5e-3, gt=0)


@dataclass(frozen=True, eq=False)
class Answer:
    """Elastic constants of one structure; structure as relaxed, space group, largest stress left, model evaluations."""

    elastic: measure.Elastic
    structure: Structure
    space_group: str
    residual_stress_GPa: float
    evaluations: int


@dataclass(frozen=True)
class Result:
    """answers: one per structure, by name."""

    answers: dict[str, Answer]

    def to_ase(self) -> dict[str, Any]:
        """The relaxed structures as ase.Atoms, by name."""
        return {name: io.to_ase(answer.structure) for name, answer in self.answers.items()}


TYPES = (Result, Answer, measure.Elastic)
OUTCOMES = (solve.Outcome, Evaluation, Spread)
RELAXED, STRAINED = "relaxed cells", "strained cells"
"""Stages, which many may share."""


def run(config: Config, potential: Potential, structures: Any, hooks: Hooks = QUIET, name: str = "elastic") -> Result:
    """Elastic constants of `structures` (Structure, ase.Atoms, pymatgen.Structure; one or by name).

    C = d stress / d strain with relaxed ions, by central differences; the point group turns the fewest strains into
    all (`measure.elastic_constants`). Raises Stopped for a cell that does not relax: half-relaxed ions make stiff
    crystals.
    """
    given = named_structures(structures)
    return hooks.keep(name, lambda: _computed(config, potential, given, hooks, name), TYPES)


def _computed(config: Config, potential: Potential, given: Mapping[str, Structure], hooks: Hooks, name: str) -> Result:
    spent = dict.fromkeys(given, 0)
    if config.relax:
        found = _relaxed(config, potential, given, hooks, name)
        spent = {label: o.evaluations for label, o in found.items()}
        given = {label: o.structure for label, o in found.items()}
    turns = {label: _rotations(s, config.symprec_A) for label, s in given.items()}
    needed = {label: measure.strains_needed(r) for label, r in turns.items()}
    strained = {
        (label, k, sign): s.strained_to(s.cell @ (np.eye(3) + measure.strain(k, sign * config.strain)))
        for label, s in given.items()
        for k in needed[label]
        for sign in (1, -1)
    }
    by_key = _settled(config, potential, strained, hooks, name)
    residual = {
        label: float(np.abs(e.stress).max() * EV_PER_A3_IN_GPA)
        for label, e in zip(given, potential.evaluate(list(given.values())), strict=True)
    }
    answers = {}
    for label, structure in given.items():
        responses = [_response(by_key, label, k, config.strain) for k in needed[label]]
        elastic = measure.elastic_constants(needed[label], np.array(responses), turns[label])
        cost = spent[label] + sum(o.evaluations for (key, _, _), o in by_key.items() if key == label)
        group = build.space_group(structure, config.symprec_A)[0]
        answers[label] = Answer(elastic, structure, group, residual[label], cost)
    return Result(answers)


def _relaxed(
    config: Config, potential: Potential, given: Mapping[str, Structure], hooks: Hooks, name: str
) -> dict[str, solve.Outcome]:
    """The structures free of stress."""
    tight = 0.3 * config.fmax_eV_per_A
    settings = solve.RelaxSettings(max_steps=config.max_steps, stress_max_GPa=config.stress_max_GPa)

    def prepare(labels: list[str]) -> solve.Descent:
        return solve.prepare_relaxation([given[label] for label in labels], potential, "free", tight, settings)

    how = {"fmax": tight, "max_steps": config.max_steps, "stress_max_GPa": config.stress_max_GPa}
    places = {
        label: Place(f"{name}-relaxed-{label}", Content({"step": "free", "start": s, **how}, "free"))
        for label, s in given.items()
    }
    found = batched(hooks, places, OUTCOMES, prepare, solve.outcomes, RELAXED)
    _require(found)
    return found


def _settled(
    config: Config, potential: Potential, strained: Mapping[tuple, Structure], hooks: Hooks, name: str
) -> dict[tuple, solve.Outcome]:
    """Strained cells with relaxed ions."""
    settings = solve.RelaxSettings(max_steps=config.max_steps)

    def prepare(keys: list[tuple]) -> solve.Descent:
        cells = [strained[key] for key in keys]
        return solve.prepare_relaxation(cells, potential, "fixed", config.fmax_eV_per_A, settings)

    how = {"fmax": config.fmax_eV_per_A, "max_steps": config.max_steps}
    places = {
        (label, k, sign): Place(
            f"{name}-{label}-strain{k}-{sign:+d}", Content({"step": "strained", "start": s, **how}, "strained")
        )
        for (label, k, sign), s in strained.items()
    }
    found = batched(hooks, places, OUTCOMES, prepare, solve.outcomes, STRAINED)
    _require({f"{label}, strain {k}": o for (label, k, _), o in found.items()})
    return found


def _response(outcomes: Mapping, label: str, component: int, size: float) -> Floats:
    """(3, 3) GPa central difference of the stress by one strain."""
    up, down = (outcomes[label, component, sign].evaluation.stress for sign in (1, -1))
    return (up - down) / (2 * size) * EV_PER_A3_IN_GPA


def strains(structure: Structure, symprec_A: float) -> list[int]:
    """The fewest strains (Voigt numbers) from which the point group makes all."""
    return list(measure.strains_needed(_rotations(structure, symprec_A)))


def _rotations(structure: Structure, symprec_A: float) -> Floats:
    rotations, _ = build.operations(structure, symprec_A)
    return measure.cartesian_rotations(np.unique(rotations, axis=0), structure.cell)


def _require(outcomes: Mapping[str, solve.Outcome]) -> None:
    for label, outcome in outcomes.items():
        if not outcome.converged:
            raise Stopped(f"{label}: {outcome.status}; no elastic constants from cells that are not relaxed.")


def table(answer: Answer) -> dict:
    """Plain numbers of one answer, unit in every key."""
    elastic = answer.elastic
    numbers = {
        "space_group": answer.space_group,
        "stiffness_GPa": elastic.stiffness_GPa.tolist(),
        "constants_GPa": elastic.constants_GPa,
        "eigenvalues_GPa": elastic.eigenvalues_GPa.tolist(),
        "stable": elastic.stable,
        "asymmetry_GPa": elastic.asymmetry_GPa,
        "residual_stress_GPa": answer.residual_stress_GPa,
        "strained_pairs": elastic.strains,
        "model_evaluations": answer.evaluations,
    }
    if elastic.stable:
        numbers["moduli_GPa"] = {key: value for key, value in vars(measure.moduli(elastic)).items()}
    return numbers


def line(name: str, answer: Answer) -> str:
    """One answer in words."""
    c = answer.elastic.constants_GPa
    words = ", ".join(f"{key} {value:.1f}" for key, value in c.items())
    return f"{name} ({answer.space_group}): {words} GPa; {'stable' if answer.elastic.stable else 'NOT stable'}"


def page(study: str, result: Result, card: Card) -> dict[str, Any]:
    """results.json and page of elastic constants."""
    rows, kinds = [], ("C11", "C12", "C13", "C33", "C44", "C66")
    names = ("young_along", "young_across", "shear_along", "shear_between", "bulk", "biaxial")
    for name, answer in result.answers.items():
        c = answer.elastic.constants_GPa
        m = vars(measure.moduli(answer.elastic)) if answer.elastic.stable else dict.fromkeys(names)
        verdict = "stable" if answer.elastic.stable else "not stable"
        rows.append([name, answer.space_group, *(c[k] for k in kinds), *(m[k] for k in names), verdict])
    columns = [column("structure"), column("group", text=True), *(column(k, "GPa", 1) for k in kinds)]
    columns += [column(k.replace("_", " "), "GPa", 1) for k in names] + [column("Born", text=True)]
    words = (
        "Stresses of cells strained both ways with relaxed ions; the point group turns the fewest strains into all. "
        "Constants are averaged over turns about the layer normal. Young's and shear moduli along the layers are means "
        "over directions; shear between is that of layers sliding over one another."
    )
    table_ = {"caption": "", "columns": columns, "rows": rows}
    return {
        "study": study,
        "title": f"Elastic constants of {study}",
        "lead": "Elastic constants, moduli along and across the layers, and whether each crystal is stable.",
        "warnings": [f"{n}: not stable." for n, a in result.answers.items() if not a.elastic.stable],
        "headline": [],
        "sections": [section("Elastic constants", [words], [], [table_])],
        "potential": card_facts(card),
        "elastic": {name: table(answer) for name, answer in result.answers.items()},
    }
