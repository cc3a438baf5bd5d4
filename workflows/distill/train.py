"""Training a small MACE on labels: settings, a folder that can be taken up again, and what came out."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simkit import io
from simkit.errors import InputError
from simkit.io.rundir import json_bytes
from simkit.potential.load import backend
from simkit.workflows.distill import trainer
from simkit.workflows.distill.baseline import Baseline, fit
from simkit.workflows.distill.dataset import Labelled, checksum, write_extxyz
from simkit.workflows.distill.diary import Diary
from simkit.workflows.distill.history import DivergedError, Epoch, Observer, from_plain
from simkit.workflows.distill.starting import (
    MODEL,
    RECORD,
    check_start,
    finished,
    like,
    starting_model,
    stored_baseline,
)
from simkit.workflows.distill.training import PLACEMENT, Training

__all__ = ["Trained", "Training", "like", "read_trained", "train"]
REQUEST = "request.json"
"""What was asked of the training in a folder."""
DIVERGED = "diverged"
"""A mark in the folder of a training whose loss became no number."""


@dataclass(frozen=True)
class Trained:
    """A finished training.

    model_path   JSON of the safe-format model (`potential.load(f"simkit:{model_path}")`)
    best_epoch   the epoch whose averaged weights these are: the lowest validation loss
    wall_s       of all runs in the folder that reached the end of an epoch
    history      of every epoch; resumed_at: epochs at which an interrupted run was taken up
    baseline     constants of the elements, scale and neighbours (those of the start where there was one)
    labels       checksum of the labels
    """

    model_path: Path
    epochs: int
    best_epoch: int
    wall_s: float
    history: tuple[Epoch, ...]
    resumed_at: tuple[int, ...]
    baseline: Baseline
    labels: str


def train(
    labels: Sequence[Labelled],
    settings: Training,
    seed: int,
    folder: Path,
    start: Path | None = None,
    observer: Observer | None = None,
) -> Trained:
    """Train a model on labels in `folder` with mace-torch, or take up what an earlier call left there.

    A finished folder is read back at once; an interrupted one continues at the epoch of its last checkpoint (the
    best so far), with fresh running averages. start: a safe-format model, or the folder of an earlier training, to
    go on from: its weights, constants of the elements, scale and shift are kept and the optimiser begins anew; its
    elements must include those of the labels, and the settings must describe its shape (`like` fills them in), but
    that more channels or radial functions make it wider with the same answers.
    observer(epoch, facts) is called as each epoch ends.

    The same labels, settings and seed give the same weights on the same machine with one process and the same number
    of threads; not promised: equality between machines, devices, numbers of threads or processes, or between a run
    that was interrupted and one that was not. Validation labels may be siblings of training ones: measure accuracy
    on other structures.

    Raises InputError when the folder holds another training, the labels cannot be learnt from or the start does not
    fit; DivergedError when the loss is no number; SimkitError when the trainer fails.
    """
    model = None if start is None else starting_model(start)
    check(labels, settings, model)
    place = trainer.Place(Path(folder).resolve(), seed)
    place.folder.mkdir(parents=True, exist_ok=True)
    request = request_of(labels, settings, seed, model)
    claim(place.folder, request)
    if not (place.folder / RECORD).exists():
        _run(labels, settings, place, model, observer)
    return read_trained(place.folder)


def read_trained(folder: str | Path) -> Trained:
    """The finished training in a folder. Raises InputError when there is none."""
    path = finished(folder)
    record, request = (json.loads((path / name).read_text()) for name in (RECORD, REQUEST))
    history, resumed = from_plain(record["history"]), tuple(record["resumed_at"])
    last = [item for item in history if item.epoch >= max(resumed, default=0)]
    constants = {int(z): energy for z, energy in record["baseline"]["energies_eV"].items()}
    return Trained(
        model_path=path / f"{MODEL}.json",
        epochs=len(history),
        best_epoch=min(last, key=lambda item: item.validation_loss).epoch,
        wall_s=record["wall_s"],
        history=history,
        resumed_at=resumed,
        baseline=Baseline(**{**record["baseline"], "energies_eV": constants}),
        labels=request["labels"],
    )


def check(labels: Sequence[Labelled], settings: Training, model: Path | None) -> None:
    """Raise InputError when labels, settings and starting model do not go together."""
    for index, label in enumerate(labels):
        parts = (label.energy_eV, label.forces, 0.0 if label.stress is None else label.stress)
        if not all(np.isfinite(part).all() for part in parts):
            raise InputError(f"label {index} ({label.structure.formula}) is not finite; leave it out.")
    if settings.batch_size % settings.processes or (settings.processes > 1 and settings.device != "cpu"):
        raise InputError(
            f"batch_size = {settings.batch_size} cannot be shared by {settings.processes} processes on "
            f"{settings.device}; choose a multiple, and processes = 1 on cuda."
        )
    held = held_out(len(labels), settings)
    if len(labels) - held < settings.batch_size:
        raise InputError(
            f"{len(labels)} labels leave {len(labels) - held} to learn from, fewer than batch_size = "
            f"{settings.batch_size}; give more labels or a smaller batch_size or validation_fraction."
        )
    if model is not None:
        check_start(labels, settings, model)


def held_out(labels: int, settings: Training) -> int:
    """How many labels validate: the fraction asked for, and at least one for each process."""
    return max(settings.processes, round(settings.validation_fraction * labels))


def request_of(labels: Sequence[Labelled], settings: Training, seed: int, model: Path | None) -> dict[str, Any]:
    """What decides the result of a training; model is the JSON it goes on from."""
    return {
        "settings": settings.model_dump(mode="json", exclude=set(PLACEMENT)),
        "seed": seed,
        "labels": checksum(labels),
        "start": "" if model is None else backend("simkit").read_record(model)["sha256"],
    }


def differences(folder: Path, request: Mapping[str, Any]) -> list[str]:
    """What the training in a folder was asked that a request does not ask; none where the folder holds none."""
    path = folder / REQUEST
    if not path.exists():
        return []
    before = json.loads(path.read_text())
    apart = [name for name in ("seed", "labels", "start") if before[name] != request[name]]
    plain = Training().model_dump(mode="json")
    for name, value in request["settings"].items():
        there = before["settings"].get(name, plain[name])
        if there != value:
            apart.append(f"{name} ({there} there, {value} here)")
    return apart


def claim(folder: Path, request: Mapping[str, Any]) -> None:
    """Write a request into a folder. Raises InputError when it holds another one, or a training that diverged."""
    path = folder / REQUEST
    if not path.exists():
        io.write_atomic(path, json_bytes(request))
        return
    apart = differences(folder, request)
    if apart:
        raise InputError(f"{folder} holds a training with other {', '.join(apart)}; choose another folder.")
    if (folder / DIVERGED).exists():
        raise InputError(f"the training in {folder} diverged; lower learning_rate and choose another folder.")


def _run(
    labels: Sequence[Labelled], settings: Training, place: trainer.Place, model: Path | None, observer: Observer | None
) -> None:
    """Train to the end, then write the record that says so."""
    baseline = fit(labels, settings.cutoff_A, settings.elements) if model is None else stored_baseline(model)
    order = np.random.default_rng(place.seed).permutation(len(labels))
    held = held_out(len(labels), settings)
    scale = settings.force_scale_eV_per_A
    write_extxyz(place.folder / trainer.VALID, [labels[i] for i in sorted(order[:held])], scale)
    write_extxyz(place.folder / trainer.TRAIN, [labels[i] for i in sorted(order[held:])], scale)
    diary = Diary(place.folder / "progress.json", observer)
    diary.read(place.checkpoint())
    try:
        trainer.run(settings, baseline, place, model, diary.keep)
    except DivergedError:
        (place.folder / DIVERGED).touch()
        raise
    diary.tick()
    io.write_atomic(place.folder / RECORD, json_bytes({**diary.record(), "baseline": dataclasses.asdict(baseline)}))
