"""The whole way from a recipe to a model: labels, training, active rounds, held-out labels, members, card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import tomli_w

from simkit import potential
from simkit.elements import SYMBOLS
from simkit.errors import InputError
from simkit.io.rundir import LOCK_FILE, Lock, RunDirectory
from simkit.potential.base import Potential, check_elements
from simkit.potential.card import Card
from simkit.workflows.distill.dataset import Labelled, deduplicated, fingerprint, write_extxyz
from simkit.workflows.distill.export import Labels, Member, Origin, export
from simkit.workflows.distill.heldout import Dropped, held_out_cells
from simkit.workflows.distill.labelling import Source, set_aside
from simkit.workflows.distill.own import Given, added_labels, file_hash, on_the_zero_of, own_labels
from simkit.workflows.distill.recipe import Recipe, own_words
from simkit.workflows.distill.stages import (
    LabelStore,
    Tell,
    active_labels,
    drawn_labels,
    held_out_dynamics,
    held_out_labels,
    training_cells,
)
from simkit.workflows.distill.starting import WIDTH, check_widths, like, starting_model, wider
from simkit.workflows.distill.train import Trained, differences, request_of, train
from simkit.workflows.distill.training import Training

ROUND_DECAY = 0.1
"""In a round before the last the learning rate falls only to this share of its start: the model goes on learning."""


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

    given.data trains on the user's own labels instead of a teacher's, without active rounds; given.added are learnt
    besides what the recipe draws; given.start goes on from an existing model, its constants of the elements moved to
    the energies of the labels. teacher replaces the one the recipe names (an ASE calculator through
    `potential.from_ase`). Every stage keeps what it made: a call that is interrupted and repeated does the missing
    rest, and what was made with other settings is set aside. Raises InputError when another process works in `out`,
    when both data and added are given, and what the stages raise.
    """
    if given.files and given.added:
        raise InputError("structures are added to those of a teacher, own labels replace it: give all files to --data.")
    run = opened(Path(out))
    try:
        return _distilled(Work(recipe, given, run, tell), teacher)
    finally:
        if run.lock is not None:
            run.lock.close()


def _distilled(work: Work, teacher: Potential | None) -> Made:
    given, run = work.given, work.run
    spec = "" if given.files else work.recipe.teacher if teacher is None else teacher.card.name
    work = replace(work, recipe=own_words(work.recipe, spec, work.tell))
    if given.files and any(stage.more or stage.active for stage in work.recipe.polish):
        work.tell("polish.more and polish.active are left out: labels are those of the data, and there is no teacher")
        polish = tuple(stage.model_copy(update={"more": None, "active": None}) for stage in work.recipe.polish)
        work = replace(work, recipe=work.recipe.model_copy(update={"polish": polish}))
    shape = begun(work.recipe.training, given.start)
    check_widths(shape, [stage.model_dump(include=set(WIDTH)) for stage in work.recipe.polish])
    run.write_bytes("recipe.toml", tomli_w.dumps(work.recipe.model_dump(mode="json", exclude_none=True)).encode())
    if given.start is not None and work.recipe.committee > 1:
        work.tell("all members go on from one model: their spread says less than that of models begun apart")
    if given.files:
        own = own_labels(given.files, work.recipe.held_out, work.recipe.seed, work.tell)
        labels, held_out, how = own.learnt, own.held_out, own.how
        trained, dropped = members(work, labels, [begin(work, labels)] * work.recipe.committee), None
        for number in range(len(work.recipe.polish)):
            trained = polished(work, labels, number, [item.model_path for item in trained])
        spec, card = ", ".join(f"{path.name} (sha256 {file_hash(path)})" for path in given.files), None
    else:
        teacher = teacher or potential.load(work.recipe.teacher)
        labels, held_out, trained, dropped = taught_models(work, teacher)
        how, card = "", potential.card_of(spec) or teacher.card
    write_extxyz(run.path / "held-out.extxyz", held_out)
    begun_from = None if given.start is None else model_card(given.start)
    added = {str(path): file_hash(path) for path in given.added}
    origin = Origin(spec, card, given.files, begun_from, how, dropped, added)
    rounds = 0 if given.files else work.recipe.rounds * work.recipe.round_epochs
    stages = [work.recipe.training.epochs, *(stage.epochs for stage in work.recipe.polish)]
    first = sum(stages[:-1])
    seed, judging = work.recipe.seed, judges(work.recipe)
    made = [Member(t.model_path, seed + k, t, first + (rounds if k < judging else 0)) for k, t in enumerate(trained)]
    paths = export(work.recipe, made, Labels(labels, held_out), origin, run)
    unseen = sorted({SYMBOLS[z] for z in trained[0].baseline.energies_eV} - origin.knows(labels))
    if unseen:
        work.tell(f"no label holds {', '.join(unseen)}: the card of the model leaves them out, and it refuses them")
    run.log("distilled", labels=len(labels), held_out=len(held_out), models=[str(path) for path in paths])
    return Made(tuple(paths), tuple(labels), tuple(held_out), run)


def model_card(start: Path) -> Card:
    """The card of a model to start from."""
    return potential.load(f"simkit:{starting_model(start)}", device="cpu").card


def begin(work: Work, labels: Sequence[Labelled]) -> Path | None:
    """The model that the first training goes on from, on the energy zero of its labels; None where none is given."""
    start = work.given.start
    return None if start is None else on_the_zero_of(labels, start, work.run.path / "begun", work.tell)


def opened(out: Path) -> RunDirectory:
    """The folder of a distillation, locked.

    What is given and what the recipe says may change between calls: each shard of labels and each training knows
    its own settings. Raises InputError when another process works there, or a model there could not be named.
    """
    if set(",?") & set(str(out)):
        raise InputError(f"--out {out} holds a comma or a question mark, which mean something in names of potentials.")
    out.mkdir(parents=True, exist_ok=True)
    try:
        return RunDirectory(out, "", Lock(out / LOCK_FILE))
    except BlockingIOError as error:
        raise InputError(f"another process is working in {out}; wait for it, or choose another folder.") from error


def taught_models(work: Work, teacher: Potential) -> tuple[list[Labelled], list[Labelled], list[Trained], Dropped]:
    """Labels, held-out labels and trained members of a recipe with a teacher, and what held-out dynamics lost.

    Raises InputError when the teacher does not know an element of the recipe.
    """
    recipe, folder = work.recipe, work.run.path / "labels"
    source = Source(recipe.cells, teacher, recipe.seed)
    check_elements([SYMBOLS.index(symbol) for symbol in recipe.cells.elements], teacher.card)
    labels = drawn_labels(source, 0, recipe.cells.bases, LabelStore(folder / "round-0", "first labels", work.tell))
    if work.given.added:
        labels = deduplicated(labels + added_labels(work.given.added, source, folder, work.tell))
    starts = [begin(work, labels)] * recipe.committee
    for number in range(1, recipe.rounds + 1):
        students = [learn(work, labels, number, k, starts[k]) for k in range(judges(recipe))]
        starts[: len(students)] = [item.model_path for item in students]
        student = together([item.model_path for item in students], recipe)
        store = LabelStore(folder / f"round-{number}", f"round {number}", work.tell)
        labels = deduplicated(labels + active_labels(student, source, number, recipe.active, store))
    trained = members(work, labels, starts)
    for number in range(len(recipe.polish)):
        models = [item.model_path for item in trained]
        labels = deduplicated(labels + polish_labels(work, source, number, models))
        trained = polished(work, labels, number, models)
    stages = [(0, recipe.cells.bases)] + [(number, recipe.active.cells) for number in range(1, recipe.rounds + 1)]
    taken = training_cells(source, stages, recipe.active.hops) | polish_cells(recipe, source)
    bases = held_out_cells(source, recipe.held_out, taken)
    store = LabelStore(folder / "held-out", "held out", work.tell)
    held_out = held_out_labels(source, bases, store)
    moved = held_out_dynamics(together([trained[0].model_path], recipe), source, bases, recipe.active, store)
    learnt = {fingerprint(label.structure) for label in labels}
    apart = [label for label in deduplicated(held_out + moved.labels) if fingerprint(label.structure) not in learnt]
    return labels, apart, trained, moved.dropped


def polish_labels(work: Work, source: Source, number: int, models: Sequence[Path]) -> list[Labelled]:
    """What the teacher says for one stage of polish: of cells drawn for it, and of where the models before it go."""
    stage, folder = work.recipe.polish[number], work.run.path / "labels"
    place, name = place_of(work.recipe, number), f"labels of polish {number}"
    found: list[Labelled] = []
    if stage.more is not None:
        store = LabelStore(folder / f"polish-{number}", name, work.tell)
        found += drawn_labels(replace(source, sampling=stage.more), place, stage.more.bases, store)
    if stage.active is not None:
        judging = models if stage.active.judge == "committee" else models[:1]
        student = together(judging, work.recipe)
        store = LabelStore(folder / f"polish-{number}-active", name, work.tell)
        found += active_labels(student, source, place, stage.active, store)
    return found


def polish_cells(recipe: Recipe, source: Source) -> set[str]:
    """Fingerprints of the cells that are drawn for all stages of polish."""
    found: set[str] = set()
    for number, stage in enumerate(recipe.polish):
        place = place_of(recipe, number)
        if stage.more is not None:
            found |= training_cells(replace(source, sampling=stage.more), [(place, stage.more.bases)], 0)
        if stage.active is not None:
            found |= training_cells(source, [(place, stage.active.cells)], stage.active.hops)
    return found


def place_of(recipe: Recipe, number: int) -> int:
    """Place of a stage of polish in the streams of random numbers: after the first labels and the rounds."""
    return recipe.rounds + 1 + number


def judges(recipe: Recipe) -> int:
    """Models trained in each round: a committee where it judges, else one."""
    return recipe.committee if recipe.active.judge == "committee" else 1


def learn(work: Work, labels: Sequence[Labelled], number: int, member: int, start: Path | None) -> Trained:
    """The training of one member before active round `number`."""
    settings = begun(work.recipe.training, start).model_copy(update={"epochs": work.recipe.round_epochs})
    settings = settings.model_copy(update={"final_learning_rate": settings.learning_rate * ROUND_DECAY})
    return _train(work, labels, settings, f"round-{number - 1}-{member}", member, start)


def members(work: Work, labels: Sequence[Labelled], starts: Sequence[Path | None]) -> list[Trained]:
    """The final training of every member, each from its own start; those without one begin anew."""
    settings = work.recipe.training
    return [_train(work, labels, begun(settings, s), f"final-{k}", k, s) for k, s in enumerate(starts)]


def polished(work: Work, labels: Sequence[Labelled], number: int, models: Sequence[Path]) -> list[Trained]:
    """One stage of polish of every member, each from its own model."""
    stage = work.recipe.polish[number]
    given = stage.model_dump(exclude_none=True, exclude={"more", "active", *WIDTH})
    settings = work.recipe.training.model_copy(update=given)
    found = []
    for member, model in enumerate(models):
        name = f"polish-{member}" if number == 0 else f"polish-{number}-{member}"
        found.append(
            _train(work, labels, wider(settings, model, stage.model_dump(include=set(WIDTH))), name, member, model)
        )
    return found


def begun(settings: Training, start: Path | None) -> Training:
    """The settings, with the shape and the lower rate of a restart where there is a model to go on from."""
    if start is None:
        return settings
    rate = min(settings.learning_rate, settings.restart_learning_rate)
    final = min(settings.final_learning_rate, rate)
    return like(settings.model_copy(update={"learning_rate": rate, "final_learning_rate": final}), start)


def _train(
    work: Work, labels: Sequence[Labelled], settings: Training, name: str, member: int, start: Path | None
) -> Trained:
    def observe(epoch: int, facts: dict) -> None:
        numbers = ", ".join(f"{key} {value:.4g}" for key, value in facts.items() if isinstance(value, float))
        work.tell(f"{name}: epoch {epoch + 1} of {settings.epochs}: {numbers}")

    seed, folder = work.recipe.seed + member, work.run.path / "models" / name
    if not work.given.files:
        settings = settings.model_copy(update={"elements": work.recipe.cells.elements})
    model = None if start is None else starting_model(start)
    changed = differences(folder, request_of(labels, settings, seed, model))
    if changed:
        work.tell(f"{name}: set aside as {set_aside(folder).name}, made with other {', '.join(changed)}")
    return train(labels, settings, seed, folder, start, observe)


def together(models: Sequence[Path], recipe: Recipe) -> Potential:
    """One model, or several as a committee, on the CPU unless the recipe trains on a GPU."""
    device = recipe.training.device
    if len(models) == 1:
        return potential.load(f"simkit:{models[0]}", device=device)
    return potential.load("committee:" + ",".join(f"simkit:{path}" for path in models), device=device)
