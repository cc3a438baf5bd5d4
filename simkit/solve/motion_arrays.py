"""The state of molecular dynamics as named plain arrays, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from simkit.errors import InputError
from simkit.solve.landscape import Answers
from simkit.solve.motion import Frame, Motion

_PLAIN = tuple(f.name for f in fields(Motion) if f.name not in ("answers", "frames"))
_FRAME = ("step", "positions", "velocities", "cells", "good")
_REQUIRED = {"answers.energy", "answers.forces", "answers.stress"}


def motion_to_arrays(state: Motion) -> dict[str, np.ndarray]:
    """The state as named plain arrays, frames included, for `numpy.savez` or a checkpoint."""
    out = {name: np.asarray(getattr(state, name)) for name in _PLAIN}
    out |= {f"answers.{name}": value for name, value in vars(state.answers).items() if value is not None}
    if not state.frames:
        return out
    out |= {f"frames.{name}": np.stack([getattr(f, name) for f in state.frames]) for name in _FRAME}
    for name, value in vars(state.answers).items():
        if value is not None:
            out[f"frames.answers.{name}"] = np.stack([getattr(f.answers, name) for f in state.frames])
    return out


def motion_from_arrays(arrays: Mapping[str, np.ndarray]) -> Motion:
    """Inverse of `motion_to_arrays`. Raises InputError naming an array that is missing."""
    known = [f"answers.{f.name}" for f in fields(Answers) if f"answers.{f.name}" in arrays]
    needed = {*known, *_REQUIRED}
    wanted = [*_PLAIN, *needed]
    if any(name.startswith("frames.") for name in arrays):
        wanted += [*(f"frames.{name}" for name in _FRAME), *(f"frames.{name}" for name in needed)]
    missing = sorted(name for name in wanted if name not in arrays)
    if missing:
        raise InputError(f"the saved state lacks {missing[0]!r}; it was not written by motion_to_arrays.")
    read = {name: np.asarray(arrays[name]) for name in wanted}

    def answers(prefix: str, where: Any) -> Answers:
        return Answers(**{name.removeprefix("answers."): read[prefix + name][where] for name in needed})

    columns = zip(*(read.get(f"frames.{name}", ()) for name in _FRAME), strict=True)
    frames = tuple(
        Frame(int(step), positions, velocities, cells, answers("frames.", k), good)
        for k, (step, positions, velocities, cells, good) in enumerate(columns)
    )
    plain = {name: int(read[name]) if name == "step" else read[name] for name in _PLAIN}
    return Motion(answers=answers("", ...), frames=frames, **plain)
