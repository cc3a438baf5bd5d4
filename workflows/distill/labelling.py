"""What the teacher says: short relaxations of drawn cells, and the changed copies of where they lead."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from simkit import solve
from simkit.errors import CorruptFileError
from simkit.io import checkpoint
from simkit.potential.base import Evaluation, Potential
from simkit.structure import Structure
from simkit.workflows.distill.dataset import Labelled, deduplicated, labelled
from simkit.workflows.distill.perturb import variants
from simkit.workflows.distill.sampling import Base, Sampling, draw

Value = TypeVar("Value")
EDITION = 4
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


def drawn(source: Source, stage: int, first: int, count: int) -> list[Base]:
    """The cells `first` .. `first + count - 1` of a stage."""
    return [draw(source.sampling, (source.seed, stage, index)) for index in range(first, first + count)]


def base_labels(source: Source, bases: Sequence[Base], tell: Callable[[str], None]) -> list[Labelled]:
    """Labels of drawn cells.

    Of each cell: as built, after `Sampling.relax_steps` steps of a free-cell relaxation with the teacher, and
    `Sampling.variants` changed copies of that. Structures with a force above the limit are left out, which `tell`
    says, and so are duplicates.
    """
    found: list[Labelled] = []
    for group in by_atoms([base.structure for base in bases]):
        found += _labels_of([bases[i] for i in group], source)
    found = deduplicated(found)
    limit = source.sampling.force_limit_eV_per_A
    kept = within_limit(found, limit)
    if len(kept) < len(found):
        tell(f"{len(found) - len(kept)} of {len(found)} labels left out: a force above {limit:g} eV/A, or no number")
    return kept


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


@dataclass(frozen=True)
class Keep:
    """A file of kept work: where, the key of what decides it, and the records in it."""

    path: Path
    key: str
    types: tuple[type, ...]


def kept(keep: Keep, make: Callable[[], Value], tell: Callable[[str], None]) -> tuple[Value, bool]:
    """What a finished shard holds, or what is made and written now, and whether it was made.

    A shard of other settings or a damaged one is set aside as NAME.stale-N, which `tell` says, and made anew.
    """
    path = keep.path
    if path.is_file():
        try:
            return checkpoint.load(path, keep.types, keep.key), False
        except CorruptFileError as error:
            tell(f"set aside as {set_aside(path).name} and made anew: {error}")
    path.parent.mkdir(parents=True, exist_ok=True)
    value = make()
    checkpoint.save(path, value, keep.key)
    return value, True


def set_aside(path: Path) -> Path:
    """Rename a file or folder to NAME.stale-N, with the first N that is free; returns the new path."""
    number = 1
    while (aside := path.with_name(f"{path.name}.stale-{number}")).exists():
        number += 1
    return path.rename(aside)
