"""Stages of a distillation that keep what they made: labels of drawn cells, in shards, round by round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from simkit.potential.base import Potential
from simkit.workflows.distill.active import Active, Candidate, candidates, dynamics, hopping, judged, settled, taught
from simkit.workflows.distill.dataset import Labelled, deduplicated
from simkit.workflows.distill.labelling import Source, base_labels, kept_labels, key_of
from simkit.workflows.distill.sampling import draw

SHARD = 10
"""Cells per file of labels: what is lost at most when a run is stopped."""
HELD_OUT = 900
"""Number of the stage whose cells are never trained on; rounds count from 0."""
HELD_OUT_TEMPERATURES_K = (300.0, 600.0, 900.0)
Tell = Callable[[str], None]
Explore = Callable[[Potential, Source, int, int, int, Active], list[Candidate]]


@dataclass(frozen=True)
class Shelf:
    """Where the labels of a stage are kept, and how it says what it does."""

    folder: Path
    name: str
    tell: Tell


def drawn_labels(source: Source, stage: int, bases: int, shelf: Shelf) -> list[Labelled]:
    """Labels of `bases` drawn cells of a stage, shard by shard; finished shards are read back."""
    facts = [*facts_of(source), stage]
    return _shards(shelf, "shard", bases, facts, lambda first, count: base_labels(source, stage, first, count))


def active_labels(student: Potential, source: Source, stage: int, want: Active, shelf: Shelf) -> list[Labelled]:
    """Labels won in an active round, shard by shard: where the student went and was furthest from the teacher."""
    facts = [*facts_of(source), want.model_dump(exclude={"cells", "hops"}), student.card.sha256, stage]

    def make(explore: Explore, first: int, count: int) -> list[Labelled]:
        went = explore(student, source, stage, first, count, want)
        labels, apart = judged(went, student, source, want)
        if apart:
            shelf.tell(f"{shelf.name}: kept {len(labels)} of {len(went)}, {median(apart):.3f} eV/A apart (median)")
        return labels

    found = _shards(shelf, "shard", want.cells, facts, partial(make, candidates))
    return found + _shards(shelf, "hops", want.hops, facts, partial(make, hopping))


def held_out_dynamics(student: Potential, source: Source, cells: int, want: Active, shelf: Shelf) -> list[Labelled]:
    """Labels of frames of dynamics at `HELD_OUT_TEMPERATURES_K` in the held-out cells, good or bad."""
    want = want.model_copy(update={"temperatures_K": HELD_OUT_TEMPERATURES_K})
    facts = [*facts_of(source), want.model_dump(), student.card.sha256]

    def make(first: int, count: int) -> list[Labelled]:
        streams = [(source.seed, HELD_OUT, index) for index in range(first, first + count)]
        bases = settled(student, [draw(source.sampling, stream) for stream in streams], want.relax_steps)
        return taught(dynamics(student, bases, want), source)

    return _shards(shelf, "dynamics", cells, facts, make)


def _shards(
    shelf: Shelf, kind: str, cells: int, facts: list, make: Callable[[int, int], list[Labelled]]
) -> list[Labelled]:
    """The labels of all cells of a stage, `SHARD` cells a file, without duplicates."""
    found: list[Labelled] = []
    for first in range(0, cells, SHARD):
        count = min(SHARD, cells - first)
        path = shelf.folder / f"{kind}-{first // SHARD:04d}.npz"
        labels, made = kept_labels(path, key_of(kind, facts, first, count), partial(make, first, count))
        found += labels
        if made:
            shelf.tell(f"{shelf.name}: {first + count} of {cells} cells, {len(found)} labels")
    unique = deduplicated(found)
    shelf.tell(f"{shelf.name}: {len(unique)} labels of {cells} cells, {len(found) - len(unique)} duplicates left out")
    return unique


def facts_of(source: Source) -> list:
    """What identifies cells, teacher and seed of a piece of work."""
    card = source.teacher.card
    return [source.sampling.model_dump(exclude={"bases"}), card.name, card.sha256, card.dtype, source.seed]
