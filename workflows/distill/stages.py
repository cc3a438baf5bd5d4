"""Stages of a distillation that keep what they made: labels of drawn cells, in shards, round by round."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median

from simkit.potential.base import Potential
from simkit.workflows.distill.active import Active, candidates, dynamics, judged, settled, taught
from simkit.workflows.distill.dataset import Labelled, deduplicated
from simkit.workflows.distill.labelling import Source, base_labels, kept_labels, key_of
from simkit.workflows.distill.sampling import draw

SHARD = 10
"""Cells per file of labels: what is lost at most when a run is stopped."""
HELD_OUT = 900
"""Number of the stage whose cells are never trained on; rounds count from 0."""
HELD_OUT_TEMPERATURES_K = (300.0, 600.0, 900.0)
Tell = Callable[[str], None]


def drawn_labels(source: Source, stage: int, bases: int, folder: Path, tell: Tell) -> list[Labelled]:
    """Labels of `bases` drawn cells of a stage, shard by shard; finished shards are read back."""
    found: list[Labelled] = []
    for first in range(0, bases, SHARD):
        count = min(SHARD, bases - first)
        path = folder / f"shard-{first // SHARD:04d}.npz"
        key = key_of(source.sampling.model_dump(exclude={"bases"}), teacher_facts(source), stage, first, count)

        def make(first: int = first, count: int = count) -> list[Labelled]:
            return base_labels(source, stage, first, count)

        found += kept_labels(path, key, make)
        tell(f"stage {stage}: {first + count} of {bases} cells, {len(found)} labels")
    return deduplicated(found)


def teacher_facts(source: Source) -> list[str | int | float]:
    """What identifies the teacher and the seed of a piece of work."""
    card = source.teacher.card
    return [card.name, card.sha256, card.dtype, source.seed]


def active_labels(
    student: Potential, source: Source, stage: int, want: Active, folder: Path, tell: Tell
) -> list[Labelled]:
    """Labels won in an active round, shard by shard: where the student went and was furthest from the teacher."""
    found: list[Labelled] = []
    for first in range(0, want.cells, SHARD):
        count = min(SHARD, want.cells - first)
        path = folder / f"shard-{first // SHARD:04d}.npz"
        facts = [source.sampling.model_dump(exclude={"bases"}), want.model_dump(exclude={"cells"})]
        key = key_of(facts, teacher_facts(source), student.card.sha256, stage, first, count)

        def make(first: int = first, count: int = count) -> list[Labelled]:
            went = candidates(student, source, stage, first, count, want)
            labels, errors = judged(went, student, source, want)
            if errors:
                tell(
                    f"round {stage}: kept {len(labels)} of {len(went)}, force error {median(errors):.3f} eV/A (median)"
                )
            return labels

        found += kept_labels(path, key, make)
        tell(f"round {stage}: {first + count} of {want.cells} cells, {len(found)} labels")
    return found


def held_out_dynamics(
    student: Potential, source: Source, cells: int, want: Active, folder: Path, tell: Tell
) -> list[Labelled]:
    """Labels of frames of dynamics at `HELD_OUT_TEMPERATURES_K`, in the held-out cells, good or bad."""
    want = want.model_copy(update={"temperatures_K": HELD_OUT_TEMPERATURES_K})
    found: list[Labelled] = []
    for first in range(0, cells, SHARD):
        count = min(SHARD, cells - first)
        path = folder / f"dynamics-{first // SHARD:04d}.npz"
        facts = [source.sampling.model_dump(exclude={"bases"}), want.model_dump()]
        key = key_of(facts, teacher_facts(source), student.card.sha256, first, count)

        def make(first: int = first, count: int = count) -> list[Labelled]:
            stream = [(source.seed, HELD_OUT, index) for index in range(first, first + count)]
            bases = settled(student, [draw(source.sampling, item) for item in stream], want.relax_steps)
            return taught(dynamics(student, bases, want), source)

        found += kept_labels(path, key, make)
    tell(f"held out: {len(found)} frames of dynamics")
    return found
