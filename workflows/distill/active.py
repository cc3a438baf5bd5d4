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
from simkit.trajectory import FINISHED, Trajectory
from simkit.workflows.distill.dataset import Labelled, labelled, sodium_content
from simkit.workflows.distill.labelling import Source, by_atoms, within_limit
from simkit.workflows.distill.perturb import EMPTY, variants
from simkit.workflows.distill.sampling import Base, Stratum, draw

RELAX_FMAX_EV_PER_A = 0.03
SODIUM = "Na"
HOPS_EACH = 2
HOPPING = 7
"""Place in the stream of numbers that names a cell: keeps cells for hops apart from the others."""
JOINED_EACH = 3
"""One in so many of the cells in which hops are followed joins two phases."""
ALWAYS = ("minimum", "hop")


Kelvin = Annotated[float, Field(gt=0)]


class Active(Section):
    """What the student is sent to do in each round.

    cells           new cells drawn
    relax_steps     steps of the free-cell relaxation with the student
    temperatures_K  of its molecular dynamics; each cell takes one in turn
    timestep_fs, steps, frames  of each run, and how many frames are taken from it
    hops            wide cells with few vacancies and joined phases, drawn besides; in each, two sodium hops are
                    followed by a band of `images`, for `band_steps` steps
    variants        rattled, strained, glided ... copies of each cell as the student relaxed it
    keep            share of the candidates that is kept, largest disagreement first; minima, hops and empty hosts
                    are all kept: their small errors decide lattices, barriers and adhesion
    judge           "teacher": all candidates are labelled and its forces decide; "committee": the spread of the
                    members decides and only what is kept is labelled
    """

    cells: Annotated[int, Field(ge=1)] = 60
    relax_steps: Annotated[int, Field(ge=1)] = 40
    temperatures_K: Annotated[tuple[Kelvin, ...], Field(strict=False, min_length=1)] = (
        300.0,
        600.0,
        900.0,
        1200.0,
    )
    timestep_fs: Annotated[float, Field(gt=0)] = 1.5
    steps: Annotated[int, Field(ge=1)] = 300
    frames: Annotated[int, Field(ge=1)] = 3
    hops: Annotated[int, Field(ge=0)] = 30
    images: Annotated[int, Field(ge=1)] = 3
    band_steps: Annotated[int, Field(ge=1)] = 20
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
    """Where the student goes from `count` new cells: minima, dynamics, and changed copies of its minima."""
    bases = [draw(source.sampling, (source.seed, stage, index)) for index in range(first, first + count)]
    found: list[Candidate] = []
    for group in by_atoms([base.structure for base in bases]):
        relaxed = relax_with_student(student, [bases[i] for i in group], want.relax_steps)
        found += [Candidate(base.structure, base.group, "minimum") for base in relaxed]
        found += dynamics(student, relaxed, want)[0]
        for base in relaxed:
            stream = np.random.default_rng([*base.stream, 2])
            changed = variants(base.structure, want.variants, base.stacked, stream)
            found += [Candidate(item.structure, base.group, item.kind) for item in changed]
    return found


def hopping(student: Potential, source: Source, stage: int, first: int, count: int, want: Active) -> list[Candidate]:
    """Ends and images of sodium hops in `count` cells of `hopping_cells`; cells that offer none give none."""
    bases = relax_with_student(student, hopping_cells(source, stage, first, count), want.relax_steps)
    return along_hops(student, bases, want)


def hopping_cells(source: Source, stage: int, first: int, count: int) -> list[Base]:
    """The cells of a round in which hops are followed, as built: wide ones with few vacancies, and joined phases."""
    streams = [(source.seed, stage, HOPPING, index) for index in range(first, first + count)]
    strata = [Stratum("intergrowth" if index % JOINED_EACH == 0 else "dilute") for index in range(first, first + count)]
    return [draw(source.sampling, stream, only) for stream, only in zip(streams, strata, strict=True)]


def relax_with_student(student: Potential, bases: Sequence[Base], steps: int) -> list[Base]:
    """The cells as the student relaxes them, cell and all; what explodes is left where it last was sound."""
    settings = solve.RelaxSettings(max_steps=steps)
    outcomes = solve.relax([b.structure for b in bases], student, "free", RELAX_FMAX_EV_PER_A, settings)
    return [replace(base, structure=outcome.structure) for base, outcome in zip(bases, outcomes, strict=True)]


def dynamics(student: Potential, bases: Sequence[Base], want: Active) -> tuple[list[Candidate], int]:
    """Frames of molecular dynamics with the student at constant volume, and how many runs broke down.

    The origin is "md300" at 300 K and so on.
    """
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
    found = [
        Candidate(structure, base.group, f"md{temperature:.0f}")
        for base, temperature, run in zip(bases, temperatures, runs, strict=True)
        for structure in _frames(run, want.frames)
    ]
    return found, sum(run.status != FINISHED for run in runs)


def _frames(run: Trajectory, most: int) -> list[Structure]:
    """The first `most` frames after the start, without the end of a run that the frames do not divide evenly."""
    return [run[i] for i in range(len(run)) if run.time_fs[i] > 0][:most]


def along_hops(student: Potential, bases: Sequence[Base], want: Active) -> list[Candidate]:
    """Relaxed ends and moving images of up to `HOPS_EACH` sodium hops in each cell, some steps into the band."""
    found = [(base, ends) for base in bases for ends in _hop_ends(base)]
    if not found:
        return []
    settings = solve.RelaxSettings(max_steps=want.band_steps)
    ends = solve.relax([s for _, pair in found for s in pair], student, "fixed", RELAX_FMAX_EV_PER_A, settings)
    pairs = [(ends[2 * k].structure, ends[2 * k + 1].structure) for k in range(len(found))]
    startable = [k for k, pair in enumerate(pairs) if _startable(pair, want.images)]
    band = solve.NebSettings(max_steps=want.band_steps)
    chosen = [pairs[k] for k in startable]
    paths = solve.find_paths(chosen, student, want.images, climb=False, settings=band) if chosen else []
    structures = [(found[k // 2][0], end.structure) for k, end in enumerate(ends)]
    structures += [(found[k][0], s) for k, path in zip(startable, paths, strict=True) for s in path.images[1:-1]]
    return [Candidate(structure, base.group, "hop") for base, structure in structures]


def _hop_ends(base: Base) -> list[tuple[Structure, Structure]]:
    """Both ends of drawn sodium hops that can be started; none where the cell has no slabs or no such hop."""
    try:
        hops = build.hops(base.structure)
    except InputError:
        return []
    hops = [hop for hop in hops if base.structure.symbols[hop.ion] == SODIUM]
    order = np.random.default_rng([*base.stream, 4]).permutation(len(hops))
    found = [build.endpoints(base.structure, hops[int(i)]) for i in order[: 3 * HOPS_EACH]]
    return [ends for ends in found if _startable(ends, 3)][:HOPS_EACH]


def _startable(ends: tuple[Structure, Structure], images: int) -> bool:
    """Whether the two ends are different states with a way between them that keeps atoms apart."""
    try:
        solve.first_guess(solve.Hop(*ends), images)
    except InputError:
        return False
    return True


def judged(
    found: Sequence[Candidate], student: Potential, source: Source, want: Active
) -> tuple[list[Labelled], list[float]]:
    """Labels of the candidates worth keeping and the disagreement of each, eV/A, largest first.

    The disagreement is the root mean square over atoms of the force difference between student and teacher, or of
    the committee's force spread. Raises InputError when a committee is to judge and the student is none.
    """
    if want.judge == "teacher":
        labels = label_with_teacher(found, source)
        guesses = _answers(student, [label.structure for label in labels])
        errors = [_rms(g.forces - label.forces) for g, label in zip(guesses, labels, strict=True)]
        order = _worth([(label.origin, label.structure) for label in labels], errors, want.keep)
        return [labels[i] for i in order], [errors[i] for i in order]
    errors = _spreads(found, student)
    order = _worth([(item.origin, item.structure) for item in found], errors, want.keep)
    pairs = [(label, errors[i]) for i in order for label in label_with_teacher([found[i]], source)]
    return [label for label, _ in pairs], [error for _, error in pairs]


def _worth(items: Sequence[tuple[str, Structure]], errors: Sequence[float], keep: float) -> list[int]:
    """Indices of what is kept, largest disagreement first: minima, hops and empty hosts, and a share of the rest."""
    order = sorted(range(len(items)), key=lambda i: -errors[i])
    always = {i for i in order if items[i][0] in ALWAYS or sodium_content(items[i][1]) < EMPTY}
    rest = [i for i in order if i not in always]
    kept = always | set(rest[: round(keep * len(rest))])
    return [i for i in order if i in kept]


def _spreads(found: Sequence[Candidate], student: Potential) -> list[float]:
    """The committee's force spread of each candidate. Raises InputError when the student is no committee."""
    spreads = [answer.spread for answer in _answers(student, [item.structure for item in found])]
    if any(spread is None for spread in spreads):
        raise InputError("judge = 'committee' needs committee = 2 or more in the recipe; one model has no spread.")
    return [_worst_if_broken(np.sqrt(np.mean(spread.forces**2))) for spread in spreads]


def label_with_teacher(found: Sequence[Candidate], source: Source) -> list[Labelled]:
    """The teacher's labels of candidates, without those whose forces are above the limit of the recipe."""
    return within_limit(teacher_labels(found, source), source.sampling.force_limit_eV_per_A)


def teacher_labels(found: Sequence[Candidate], source: Source) -> list[Labelled]:
    """The teacher's labels of all candidates, whatever they are."""
    answers = _answers(source.teacher, [item.structure for item in found])
    return [labelled(i.structure, a, i.group, i.origin) for i, a in zip(found, answers, strict=True)]


def _answers(potential: Potential, structures: Sequence[Structure]) -> list[Evaluation]:
    """Evaluations in batches of a size that fits the caches of a CPU."""
    found: list[Evaluation] = []
    for group in by_atoms(structures):
        found += potential.evaluate([structures[i] for i in group])
    return found


def _rms(difference: np.ndarray) -> float:
    return _worst_if_broken(np.sqrt(np.mean(np.sum(difference**2, axis=1))))


def _worst_if_broken(size: float) -> float:
    """The size, or infinity where it is no number: a student that breaks down there is furthest off."""
    return float(size) if np.isfinite(size) else float("inf")
