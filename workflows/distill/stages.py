"""Stages of a distillation that keep what they made: labels of drawn cells, in shards, round by round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from simkit.potential.base import Potential
from simkit.workflows.distill.active import Active, Candidate, candidates, hopping, hopping_cells, judged
from simkit.workflows.distill.dataset import Labelled, deduplicated, fingerprint
from simkit.workflows.distill.heldout import HELD_OUT, TEMPERATURES_K, USED, Dropped, Moved, moved_labels
from simkit.workflows.distill.labelling import Keep, Source, base_labels, drawn, kept, key_of
from simkit.workflows.distill.perturb import rattled
from simkit.workflows.distill.sampling import Base

SHARD = 10
"""Cells per file of labels: what is lost at most when a run is stopped."""
Tell = Callable[[str], None]
Explore = Callable[[Potential, Source, int, int, int, Active], list[Candidate]]


@dataclass(frozen=True)
class LabelStore:
    """Where the labels of a stage are kept, and how it says what it does."""

    folder: Path
    name: str
    tell: Tell


def drawn_labels(source: Source, stage: int, bases: int, store: LabelStore) -> list[Labelled]:
    """Labels of `bases` drawn cells of a stage, shard by shard; finished shards are read back."""
    facts = [*facts_of(source), stage]

    def make(first: int, count: int) -> list[Labelled]:
        return base_labels(source, drawn(source, stage, first, count), store.tell)

    return _shards(store, "shard", bases, facts, make)


def active_labels(student: Potential, source: Source, stage: int, want: Active, store: LabelStore) -> list[Labelled]:
    """Labels won in an active round, shard by shard: where the student went and was furthest from the teacher."""
    facts = [*facts_of(source), want.model_dump(exclude={"cells", "hops"}), student.card.sha256, stage]

    def make(explore: Explore, first: int, count: int) -> list[Labelled]:
        went = explore(student, source, stage, first, count, want)
        labels, disagreement = judged(went, student, source, want)
        if disagreement:
            store.tell(
                f"{store.name}: kept {len(labels)} of {len(went)}, {median(disagreement):.3f} eV/A apart (median)"
            )
        return labels

    found = _shards(store, "shard", want.cells, facts, partial(make, candidates))
    return found + _shards(store, "hops", want.hops, facts, partial(make, hopping))


def held_out_labels(source: Source, bases: Sequence[Base], store: LabelStore) -> list[Labelled]:
    """Labels of the held-out cells as `base_labels` makes them, shard by shard."""
    facts = [*facts_of(source), HELD_OUT, [fingerprint(base.structure) for base in bases]]

    def make(first: int, count: int) -> list[Labelled]:
        return base_labels(source, bases[first : first + count], store.tell)

    return _shards(store, "shard", len(bases), facts, make)


def held_out_dynamics(
    student: Potential, source: Source, bases: Sequence[Base], want: Active, store: LabelStore
) -> Moved:
    """Dynamics and hops of the student in the held-out cells, shard by shard, and what was lost in them."""
    used = {name: value for name, value in want.model_dump().items() if name in USED}
    cells = [fingerprint(base.structure) for base in bases]
    facts = [*facts_of(source), used, TEMPERATURES_K, student.card.sha256, cells]
    labels: list[Labelled] = []
    lost = Dropped()
    for first in range(0, len(bases), SHARD):
        some = bases[first : first + SHARD]
        path = store.folder / f"moved-{first // SHARD:04d}.npz"
        keep = Keep(path, key_of("moved", facts, first, len(some)), (Labelled, Moved, Dropped))
        moved, made = kept(keep, partial(moved_labels, student, source, some, want), store.tell)
        labels += moved.labels
        lost = lost.plus(moved.dropped)
        if made:
            store.tell(f"{store.name}: dynamics in {first + len(some)} of {len(bases)} cells, {len(labels)} labels")
    store.tell(
        f"{store.name}: {lost.broken} of {lost.replicas} runs of dynamics broke down, {lost.dropped} of {lost.frames} "
        "frames without a label"
    )
    return Moved(deduplicated(labels), lost)


def training_cells(source: Source, stages: Sequence[tuple[int, int]], hops: int) -> set[str]:
    """Fingerprints as built of all cells that are trained on: (stage, cells) pairs, and `hops` wide ones a round."""
    bases = [base for stage, count in stages for base in drawn(source, stage, 0, count)]
    bases += [base for stage, _ in stages if stage for base in hopping_cells(source, stage, 0, hops)]
    return {fingerprint(base.structure) for base in bases}


def _shards(
    store: LabelStore, kind: str, cells: int, facts: list, make: Callable[[int, int], list[Labelled]]
) -> list[Labelled]:
    """The labels of all cells of a stage, `SHARD` cells a file, without duplicates."""
    found: list[Labelled] = []
    for first in range(0, cells, SHARD):
        count = min(SHARD, cells - first)
        path = store.folder / f"{kind}-{first // SHARD:04d}.npz"
        keep = Keep(path, key_of(kind, facts, first, count), (Labelled,))
        labels, made = kept(keep, partial(make, first, count), store.tell)
        found += labels
        if made:
            store.tell(f"{store.name}: {first + count} of {cells} cells, {len(found)} labels")
    unique = deduplicated(found)
    store.tell(f"{store.name}: {len(unique)} labels of {cells} cells, {len(found) - len(unique)} duplicates left out")
    return unique


def facts_of(source: Source) -> list:
    """What identifies cells, teacher and seed of a piece of work."""
    return [source.sampling.model_dump(exclude={"bases"}, exclude_none=True), *teacher_facts(source), source.seed]


def teacher_facts(source: Source) -> list:
    """What identifies a teacher; one without a hash of weights (an ASE calculator) by what it says of one cell."""
    card = source.teacher.card
    known: list = [card.name, card.sha256, card.dtype]
    return known if card.sha256 else known + _answer_to_probe(source)


def _answer_to_probe(source: Source) -> list:
    """Energy (eV) and forces (eV/A) of the first cell of the recipe, each to 1e-6."""
    (base,) = drawn(source, 0, 0, 1)
    shaken = rattled(base.structure, np.random.default_rng(0))
    (answer,) = source.teacher.evaluate([shaken])
    return [round(float(answer.energy), 6), np.round(answer.forces, 6).tolist()]
