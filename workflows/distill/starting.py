"""The model that a training goes on from: where it lies, its shape, what it knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from simkit.elements import SYMBOLS
from simkit.errors import InputError
from simkit.potential.load import backend, safe_path
from simkit.workflows.distill.baseline import Baseline
from simkit.workflows.distill.dataset import Labelled
from simkit.workflows.distill.training import Training

MODEL = "model"
"""Base name of the model in the folder of a training."""
WIDTH, MOST = ("channels", "bessel"), 2
"""Settings that may be larger than those of the start, and by which factor channels may."""
RECORD = "trained.json"
"""What the folder of a finished training says of it."""


def finished(folder: str | Path) -> Path:
    """The folder, absolute. Raises InputError when no training was finished in it."""
    path = Path(folder).resolve()
    if not (path / RECORD).is_file():
        raise InputError(f"{folder} holds no finished training; call train with its settings to finish it.")
    return path


def starting_model(start: str | Path) -> Path:
    """The JSON of a model: of that path or embedded name, or left in a folder by an earlier training.

    Raises InputError when there is none.
    """
    path = Path(start)
    if path.is_dir():
        path = finished(path) / f"{MODEL}.json"
    found = backend("simkit").stem(safe_path(str(path)))
    if not found.with_name(found.name + ".json").is_file():
        raise InputError(f"no model to start from at {start}; give a safe-format model or the folder of a training.")
    return found.with_name(found.name + ".json").resolve()


def like(settings: Training, start: Path) -> Training:
    """The settings with the shape of the model `start`, as training from it needs them."""
    return Training(**{**settings.model_dump(), **_shape(starting_model(start))})


def wider(settings: Training, start: Path, width: Mapping[str, int | None]) -> Training:
    """The settings with the shape of `start`, but what is given of its width."""
    given = {name: value for name, value in width.items() if value is not None}
    return like(settings, start).model_copy(update=given)


def check_start(labels: Sequence[Labelled], settings: Training, model: Path) -> None:
    """Raise InputError when labels hold elements that the model does not know, or settings describe another shape.

    It may be wider, at most by a factor of two in channels.
    """
    known = backend("simkit").read_record(model)["arguments"]["atomic_numbers"]
    unknown = sorted({int(z) for label in labels for z in label.structure.numbers} - set(known))
    if unknown:
        names = ", ".join(SYMBOLS[z] for z in unknown)
        raise InputError(
            f"the labels hold {names}, which {model.name} has never seen (it knows "
            f"{', '.join(SYMBOLS[z] for z in known)}); train from scratch, or leave those labels out."
        )
    shape = _shape(model)
    apart = {name: value for name, value in shape.items() if getattr(settings, name) != value}
    apart = {name: had for name, had in apart.items() if name not in WIDTH or had > getattr(settings, name)}
    if settings.channels > MOST * shape["channels"]:
        apart["channels"] = f"{shape['channels']} to {MOST * shape['channels']}"
    if apart:
        words = ", ".join(f"{name} = {value}" for name, value in apart.items())
        raise InputError(f"{model.name} has another shape than the settings: {words} can go on from it.")


def _shape(model: Path) -> dict[str, Any]:
    """Settings that describe a model. Raises InputError when its features are not scalar."""
    stored = backend("simkit").read_record(model)["arguments"]
    channels, _, kind = stored["hidden_irreps"].partition("x")
    if kind != "0e" or len(set(np.ravel(stored["correlation"]))) != 1:
        raise InputError(f"{model.name} has features {stored['hidden_irreps']}; only scalars (32x0e) are trained.")
    return {
        "channels": int(channels),
        "lmax": stored["max_ell"],
        "correlation": int(np.ravel(stored["correlation"])[0]),
        "cutoff_A": stored["r_max"],
        "radial_mlp": tuple(stored["radial_MLP"]),
        "bessel": stored["num_bessel"],
    }


def check_widths(settings: Training, widths: Sequence[Mapping[str, int | None]]) -> None:
    """Raise InputError when stages that follow a training of these settings ask for a width that cannot be made."""
    had = settings
    for number, width in enumerate(widths):
        wanted = had.model_copy(update={name: value for name, value in width.items() if value is not None})
        if not had.channels <= wanted.channels <= MOST * had.channels or wanted.bessel < had.bessel:
            raise InputError(
                f"polish {number} asks for {wanted.channels} channels and {wanted.bessel} radial functions; the model "
                f"before it has {had.channels} and {had.bessel}: {had.channels} to {MOST * had.channels} channels and "
                f"{had.bessel} functions or more can go on from it."
            )
        had = wanted


def stored_baseline(model: Path) -> Baseline:
    """The baseline inside a safe-format model."""
    stored = backend("simkit").read_record(model)["arguments"]
    energies = np.ravel(stored["atomic_energies"])
    return Baseline(
        dict(zip(stored["atomic_numbers"], map(float, energies), strict=True)),
        float(np.ravel(stored["atomic_inter_scale"])[0]),
        float(stored["avg_num_neighbors"]),
    )
