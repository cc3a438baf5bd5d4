"""The whole way from a recipe to a model: labels, training, active rounds, held-out labels, members, card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tomli_w

from simkit import potential
from simkit.errors import InputError
from simkit.io.rundir import LOCK_FILE, Lock, RunDirectory
from simkit.potential.base import Potential
from simkit.workflows.distill.dataset import Labelled, checksum, deduplicated, read_extxyz, write_extxyz
from simkit.workflows.distill.export import Labels, Member, export
from simkit.workflows.distill.labelling import Source, key_of
from simkit.workflows.distill.recipe import Recipe
from simkit.workflows.distill.stages import HELD_OUT, Shelf, Tell, active_labels, drawn_labels, held_out_dynamics
from simkit.workflows.distill.train import Trained, train
from simkit.workflows.distill.training import Training

ROUND_DECAY = 0.1
"""In a round before the last the learning rate falls only to this share of its start: the model goes on learning."""


@dataclass(frozen=True)
class Given:
    """What a user brings: labelled structures of their own, and a model to start from."""

    data: Path | None = None
    start: Path | None = None


@dataclass(frozen=True)
class Made:
    """models: one JSON path per member; labels, held_out: what they learnt from and are judged on; run: the folder."""

    models: tuple[Path, ...]
    labels: tuple[Labelled, ...]
    held_out: tuple[Labelled, ...]
    run: RunDirectory


@dataclass(frozen=True)
class Work:
    """One distillation at work: its recipe, what was given, where it writes, and how it reports."""

    recipe: Recipe
    given: Given
    run: RunDirectory
    tell: Tell


def distill(recipe: Recipe, out: str | Path, given: Given, tell: Tell, teacher: Potential | None = None) -> Made:
    """Make the model of a recipe in the folder `out`, or take up what an earlier call left there.

    given.data trains on the user's own labels instead of a teacher's, without active rounds; given.start goes on from
    an existing model. teacher replaces the one the recipe names (an ASE calculator through `potential.from_ase`).
    Every stage keeps what it made: a call that is interrupted and repeated does the missing rest. Raises InputError
    when `out` holds another recipe, and what the stages raise.
    """
    facts = {"data": "" if given.data is None else checksum(read_extxyz(given.data)), "start": str(given.start or "")}
    run = opened(Path(out), recipe, facts)
    work = Work(recipe, given, run, tell)
    if given.data is not None:
        labels, held_out = own_labels(work)
        trained = members(work, labels, given.start)
    else:
        labels, held_out, trained = taught_models(work, teacher or potential.load(recipe.teacher))
    write_extxyz(run.path / "held-out.extxyz", held_out)
    own = [Member(item.model_path, recipe.seed + k, item) for k, item in enumerate(trained)]
    paths = export(recipe, own, Labels(labels, held_out), run)
    run.log("distilled", labels=len(labels), held_out=len(held_out), models=[str(path) for path in paths])
    return Made(tuple(paths), tuple(labels), tuple(held_out), run)


def opened(out: Path, recipe: Recipe, facts: dict[str, str]) -> RunDirectory:
    """The folder of a distillation, locked, with the resolved recipe written.

    A recipe may change between calls: each shard of labels and each training knows its own settings. Raises
    InputError when another process works there.
    """
    out.mkdir(parents=True, exist_ok=True)
    try:
        run = RunDirectory(out, key_of(facts), Lock(out / LOCK_FILE))
    except BlockingIOError as error:
        raise InputError(f"another process is working in {out}; wait for it, or choose another folder.") from error
    run.write_bytes("recipe.toml", tomli_w.dumps(recipe.model_dump(mode="json")).encode())
    return run


def taught_models(work: Work, teacher: Potential) -> tuple[list[Labelled], list[Labelled], list[Trained]]:
    """Labels, held-out labels and trained members of a recipe with a teacher."""
    recipe, folder = work.recipe, work.run.path / "labels"
    source = Source(recipe.sampling, teacher, recipe.seed)
    labels = drawn_labels(source, 0, recipe.sampling.bases, Shelf(folder / "round-0", "first labels", work.tell))
    start = work.given.start
    for number in range(1, recipe.rounds + 1):
        students = [learn(work, labels, number, k, start) for k in range(judges(recipe))]
        start = students[0].model_path
        student = together([item.model_path for item in students])
        shelf = Shelf(folder / f"round-{number}", f"round {number}", work.tell)
        labels = deduplicated(labels + active_labels(student, source, number, recipe.active, shelf))
    trained = members(work, labels, start)
    shelf = Shelf(folder / "held-out", "held out", work.tell)
    held_out = drawn_labels(source, HELD_OUT, recipe.held_out, shelf)
    student = together([trained[0].model_path])
    held_out += held_out_dynamics(student, source, recipe.held_out, recipe.active, shelf)
    return labels, deduplicated(held_out), trained


def judges(recipe: Recipe) -> int:
    """Models trained in each round: a committee where it judges, else one."""
    return recipe.committee if recipe.active.judge == "committee" else 1


def learn(work: Work, labels: Sequence[Labelled], number: int, member: int, start: Path | None) -> Trained:
    """The training of one member before active round `number`."""
    final = work.recipe.training.learning_rate * ROUND_DECAY
    change = {"epochs": work.recipe.round_epochs, "final_learning_rate": final}
    settings = work.recipe.training.model_copy(update=change)
    return _train(work, labels, settings, f"round-{number - 1}-{member}", member, start)


def members(work: Work, labels: Sequence[Labelled], start: Path | None) -> list[Trained]:
    """The final training of every member; the first goes on from the last round, the others begin anew."""
    starts = [start] + [work.given.start] * (work.recipe.committee - 1)
    return [_member(work, labels, k, beginning) for k, beginning in enumerate(starts)]


def _member(work: Work, labels: Sequence[Labelled], member: int, start: Path | None) -> Trained:
    recipe = work.recipe
    trained = _train(work, labels, recipe.training, f"final-{member}", member, start)
    if recipe.polish is None:
        return trained
    settings = recipe.training.model_copy(update=recipe.polish.model_dump())
    return _train(work, labels, settings, f"polish-{member}", member, trained.model_path)


def _train(
    work: Work, labels: Sequence[Labelled], settings: Training, name: str, member: int, start: Path | None
) -> Trained:
    def observe(epoch: int, facts: dict) -> None:
        numbers = ", ".join(f"{key} {value:.4g}" for key, value in facts.items() if isinstance(value, float))
        work.tell(f"{name}: epoch {epoch + 1} of {settings.epochs}: {numbers}")

    seed = work.recipe.seed + member
    return train(labels, settings, seed, work.run.path / "models" / name, start, observe)


def together(models: Sequence[Path]) -> Potential:
    """One model, or several as a committee."""
    if len(models) == 1:
        return potential.load(f"simkit:{models[0]}")
    return potential.load("committee:" + ",".join(f"simkit:{path}" for path in models))


def own_labels(work: Work) -> tuple[list[Labelled], list[Labelled]]:
    """The user's labels, and every n-th of them held out, as many as `held_out` of the recipe but at most a fifth."""
    labels = deduplicated(read_extxyz(work.given.data or Path()))
    count = min(work.recipe.held_out, len(labels) // 5)
    if count == 0:
        raise InputError(f"{work.given.data} holds {len(labels)} different structures; at least 5 are needed.")
    stride = len(labels) // count
    chosen = set(range(0, stride * count, stride))
    held_out = [label for i, label in enumerate(labels) if i in chosen]
    return [label for i, label in enumerate(labels) if i not in chosen], held_out
