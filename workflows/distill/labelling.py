"""What the teacher says: short relaxations of drawn cells, and the changed copies of where they lead."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simkit import solve
from simkit.errors import CorruptFileError
from simkit.potential.base import Evaluation, Potential
from simkit.structure import Structure
from simkit.workflows.distill.dataset import Labelled, deduplicated, labelled, read_labels, write_labels
from simkit.workflows.distill.perturb import variants
from simkit.workflows.distill.sampling import Base, Sampling, draw

EDITION = 2
"""Raised with every change of what a stream of numbers draws, so that labels kept before are made anew."""
ATOMS_AT_ONCE = 400
FMAX_EV_PER_A = 0.02


@dataclass(frozen=True, eq=False)
class Source:
    """Where labels come from: how cells are drawn, the teacher, the seed of the whole recipe."""

    sampling: Sampling
    teacher: Potential
    seed: int


def key_of(*facts: Any) -> str:
    """A hash of the facts that decide a piece of work."""
    return hashlib.sha256(json.dumps([EDITION, *facts], sort_keys=True, default=str).encode()).hexdigest()


def base_labels(source: Source, stage: int, first: int, count: int) -> list[Labelled]:
    """Labels of the cells `first` .. `first + count - 1` of a stage.

    Of each cell: as built, after `Sampling.relax_steps` steps of a free-cell relaxation with the teacher, and
    `Sampling.variants` changed copies of that. Structures with a force above the limit and duplicates are left out.
    """
    bases = [draw(source.sampling, (source.seed, stage, index)) for index in range(first, first + count)]
    kept: list[Labelled] = []
    for group in by_atoms([base.structure for base in bases]):
        kept += _labels_of([bases[i] for i in group], source)
    return within_limit(deduplicated(kept), source.sampling.force_limit_eV_per_A)


def _labels_of(bases: Sequence[Base], source: Source) -> list[Labelled]:
    built = [base.structure for base in bases]
    settings = solve.RelaxSettings(max_steps=source.sampling.relax_steps)
    late = solve.relax(built, source.teacher, cell="free", fmax_eV_per_A=FMAX_EV_PER_A, settings=settings)
    found = _paired(bases, built, source.teacher.evaluate(built), "built")
    found += _paired(bases, [o.structure for o in late], [o.evaluation for o in late], "relaxed")
    for base, outcome in zip(bases, late, strict=True):
        stream = np.random.default_rng([*base.stream, 1])
        changed = variants(outcome.structure, source.sampling.variants, base.stacked, stream)
        answers = source.teacher.evaluate([item.structure for item in changed]) if changed else []
        found += [
            labelled(item.structure, answer, base.group, item.kind)
            for item, answer in zip(changed, answers, strict=True)
        ]
    return found


def _paired(
    bases: Sequence[Base], structures: Sequence[Structure], answers: Sequence[Evaluation], origin: str
) -> list[Labelled]:
    return [
        labelled(structure, answer, base.group, origin)
        for base, structure, answer in zip(bases, structures, answers, strict=True)
    ]


def within_limit(labels: Sequence[Labelled], limit_eV_per_A: float) -> list[Labelled]:
    """Labels with finite numbers and no force above the limit."""
    return [
        label
        for label in labels
        if np.isfinite(label.energy_eV)
        and np.isfinite(label.forces).all()
        and np.linalg.norm(label.forces, axis=1).max() <= limit_eV_per_A
    ]


def by_atoms(structures: Sequence[Structure], most: int = ATOMS_AT_ONCE) -> list[list[int]]:
    """Indices in order, cut into groups of at most `most` atoms (one structure at least)."""
    groups: list[list[int]] = []
    filled = most
    for index, structure in enumerate(structures):
        if filled + len(structure) > most:
            groups.append([])
            filled = 0
        groups[-1].append(index)
        filled += len(structure)
    return groups


def kept_labels(path: Path, key: str, make: Callable[[], list[Labelled]]) -> tuple[list[Labelled], bool]:
    """Labels of a finished shard, or made and written now, and whether they were made.

    A shard of other settings or a damaged one is set aside as .stale and made anew.
    """
    if path.is_file():
        try:
            return read_labels(path, key), False
        except CorruptFileError:
            path.rename(path.with_suffix(".stale"))
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = make()
    write_labels(path, labels, key)
    return labels, True
