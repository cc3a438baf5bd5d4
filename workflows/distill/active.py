"""Active rounds: where the student itself goes, asked of the teacher again, worst disagreements first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from simkit import build, solve
from simkit.config import Section
from simkit.errors import InputError
from simkit.potential.base import Evaluation, Potential
from simkit.structure import Structure
from simkit.trajectory import Trajectory
from simkit.workflows.distill.dataset import Labelled, labelled
from simkit.workflows.distill.labelling import Source, by_atoms, within_limit
from simkit.workflows.distill.perturb import variants
from simkit.workflows.distill.sampling import Base, draw

RELAX_FMAX_EV_PER_A = 0.03
SODIUM = "Na"


class Active(Section):
    """What the student is sent to do in each round.

    cells           new cells drawn
    relax_steps     steps of the free-cell relaxation with the student
    temperatures_K  of its molecular dynamics; each cell takes one in turn
    timestep_fs, steps, frames  of each run, and how many frames are taken from it
    hops            the first so many cells, of which one sodium hop is followed by a band of
                    `images`, for `band_steps` steps
    variants        rattled, strained, glided ... copies of each cell as the student relaxed it
    keep            share of the candidates that is kept, largest disagreement first
    judge           "teacher": all candidates are labelled and its forces decide; "committee": the spread of the
                    members decides and only what is kept is labelled
    """

    cells: Annotated[int, Field(ge=1)] = 60
    relax_steps: Annotated[int, Field(ge=1)] = 40
    temperatures_K: Annotated[tuple[float, ...], Field(strict=False, min_length=1)] = (300.0, 600.0, 900.0, 1200.0)
    timestep_fs: Annotated[float, Field(gt=0)] = 1.5
    steps: Annotated[int, Field(ge=1)] = 300
    frames: Annotated[int, Field(ge=1)] = 3
    hops: Annotated[int, Field(ge=0)] = 24
    images: Annotated[int, Field(ge=1)] = 3
    band_steps: Annotated[int, Field(ge=1)] = 15
    variants: Annotated[int, Field(ge=0)] = 3
    keep: Annotated[float, Field(gt=0, le=1)] = 0.7
    judge: Literal["teacher", "committee"] = "teacher"


@dataclass(frozen=True, eq=False)
class Candidate:
    """A structure that the student went through, the phase it began as, and how it got there."""

    structure: Structure
    group: str
    origin: str


def candidates(student: Potential, source: Source, stage: int, first: int, count: int, want: Active) -> list[Candidate]:
    """Where the student goes from `count` new cells: minima, dynamics, hops, and changed copies of its minima."""
    bases = [draw(source.sampling, (source.seed, stage, index)) for index in range(first, first + count)]
    found: list[Candidate] = []
    for group in by_atoms([base.structure for base in bases]):
        chosen = [bases[i] for i in group]
        relaxed = settled(student, chosen, want.relax_steps)
        found += [Candidate(base.structure, base.group, "minimum") for base in relaxed]
        found += dynamics(student, relaxed, want)
        for base in relaxed:
            stream = np.random.default_rng([*base.stream, 2])
            changed = variants(base.structure, want.variants, base.stacked, stream)
            found += [Candidate(item.structure, base.group, item.kind) for item in changed]
        hopping = [base for base in relaxed if base.stacked and base.stream[-1] < want.hops]
        found += along_hops(student, hopping, want)
    return found


def settled(student: Potential, bases: Sequence[Base], steps: int) -> list[Base]:
    """The cells as the student relaxes them, cell and all; what explodes is left where it last was sound."""
    settings = solve.RelaxSettings(max_steps=steps)
    outcomes = solve.relax([b.structure for b in bases], student, "free", RELAX_FMAX_EV_PER_A, settings)
    return [replace(base, structure=outcome.structure) for base, outcome in zip(bases, outcomes, strict=True)]


def dynamics(student: Potential, bases: Sequence[Base], want: Active) -> list[Candidate]:
    """Frames of molecular dynamics with the student at constant volume; origin "md300" at 300 K and so on."""
    temperatures = [want.temperatures_K[base.stream[-1] % len(want.temperatures_K)] for base in bases]
    every = max(1, want.steps // want.frames)
    runs = solve.run_md(
        [base.structure for base in bases],
        student,
        "nvt",
        temperature_K=temperatures,
        timestep_fs=want.timestep_fs,
        steps=want.steps,
        seed=[int(np.random.default_rng([*base.stream, 3]).integers(2**31)) for base in bases],
        settings=solve.MdSettings(every=every, friction_per_ps=10.0),
    )
    return [
        Candidate(structure, base.group, f"md{temperature:.0f}")
        for base, temperature, run in zip(bases, temperatures, runs, strict=True)
        for structure in _frames(run)
    ]


def _frames(run: Trajectory) -> list[Structure]:
    """All frames but the start."""
    return [run[i] for i in range(len(run)) if run.time_fs[i] > 0]


def along_hops(student: Potential, bases: Sequence[Base], want: Active) -> list[Candidate]:
    """Moving images of one sodium vacancy hop in each cell that has any, a few steps into the band."""
    pairs, homes = [], []
    for base in bases:
        ends = _hop_ends(base)
        if ends is not None:
            pairs.append(ends)
            homes.append(base)
    if not pairs:
        return []
    settings = solve.NebSettings(max_steps=want.band_steps)
    paths = solve.find_paths(pairs, student, want.images, climb=False, settings=settings)
    return [
        Candidate(image, base.group, "hop")
        for base, path in zip(homes, paths, strict=True)
        for image in path.images[:-1]
    ]


def _hop_ends(base: Base) -> tuple[Structure, Structure] | None:
    """Both ends of one drawn sodium hop; None where the cell has none that can be started."""
    try:
        hops = [hop for hop in build.hops(base.structure) if base.structure.symbols[hop.ion] == SODIUM]
        if not hops:
            return None
        hop = hops[int(np.random.default_rng([*base.stream, 4]).integers(len(hops)))]
        initial, final = build.endpoints(base.structure, hop)
        solve.first_guess(solve.Hop(initial, final), 3)
    except InputError:
        return None
    return initial, final


def judged(
    found: Sequence[Candidate], student: Potential, source: Source, want: Active
) -> tuple[list[Labelled], list[float]]:
    """Labels of the candidates worth keeping and the disagreement of each, eV/A, largest first.

    The disagreement is the root mean square over atoms of the force difference between student and teacher, or of
    the committee's force spread. Raises InputError when a committee is to judge and the student is none.
    """
    if want.judge == "teacher":
        labels, errors = _against_teacher(found, student, source)
    else:
        labels, errors = _by_committee(found, student, source, want.keep)
    order = sorted(range(len(labels)), key=lambda i: -errors[i])
    count = max(1, round(want.keep * len(found))) if found else 0
    chosen = order[:count]
    return [labels[i] for i in chosen], [errors[i] for i in chosen]


def _against_teacher(
    found: Sequence[Candidate], student: Potential, source: Source
) -> tuple[list[Labelled], list[float]]:
    labels = taught(found, source)
    guesses = _answers(student, [label.structure for label in labels])
    return labels, [_rms(g.forces - label.forces) for g, label in zip(guesses, labels, strict=True)]


def _by_committee(
    found: Sequence[Candidate], student: Potential, source: Source, keep: float
) -> tuple[list[Labelled], list[float]]:
    spreads = [answer.spread for answer in _answers(student, [item.structure for item in found])]
    if any(spread is None for spread in spreads):
        raise InputError("judge = 'committee' needs committee = 2 or more in the recipe; one model has no spread.")
    sizes = [float(np.sqrt(np.mean(spread.forces**2))) for spread in spreads]
    order = sorted(range(len(found)), key=lambda i: -sizes[i])[: max(1, round(keep * len(found)))]
    labels, errors = [], []
    for index in order:
        for label in taught([found[index]], source):
            labels.append(label)
            errors.append(sizes[index])
    return labels, errors


def taught(found: Sequence[Candidate], source: Source) -> list[Labelled]:
    """The teacher's labels of candidates, without those whose forces are above the limit of the recipe."""
    answers = _answers(source.teacher, [item.structure for item in found])
    labels = [labelled(i.structure, a, i.group, i.origin) for i, a in zip(found, answers, strict=True)]
    return within_limit(labels, source.sampling.force_limit_eV_per_A)


def _answers(potential: Potential, structures: Sequence[Structure]) -> list[Evaluation]:
    """Evaluations in batches of a size that fits the caches of a CPU."""
    found: list[Evaluation] = []
    for group in by_atoms(structures):
        found += potential.evaluate([structures[i] for i in group])
    return found


def _rms(difference: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.sum(difference**2, axis=1))))
