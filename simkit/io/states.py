"""The state of a long run on disk: the newest two, so that a damaged one costs little."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from simkit.errors import CorruptFileError
from simkit.io import checkpoint

NEWEST, BEFORE = "state.npz", "state.prev.npz"


def save_state(folder: Path, value: Any, key: str) -> None:
    """Write the newest state atomically; the one before it is kept. At every moment one of the two is whole."""
    newest, before = folder / NEWEST, folder / BEFORE
    if newest.exists():
        _keep(newest, before)
    checkpoint.save(newest, value, key)


def _keep(newest: Path, before: Path) -> None:
    """`newest` under the name `before` as well: a hard link, or a copy where the file system knows none."""
    link = newest.with_name(f".{BEFORE}.tmp")
    link.unlink(missing_ok=True)
    try:
        os.link(newest, link)
    except OSError:
        shutil.copyfile(newest, link)
    os.replace(link, before)


def load_state(folder: Path, key: str, types: Iterable[type] = ()) -> tuple[Any | None, list[str]]:
    """The newest state that is whole, None where there is none, and a sentence for each file that was set aside.

    Raises CorruptFileError where a file is whole but belongs to other work.
    """
    notes = []
    for name in (NEWEST, BEFORE):
        path = folder / name
        if not path.exists():
            continue
        try:
            return checkpoint.load(path, types, key), notes
        except CorruptFileError as error:
            if "belongs to other work" in str(error):
                raise
            with contextlib.suppress(FileNotFoundError):
                path.rename(path.with_suffix(".corrupt"))
            notes.append(f"{name} was set aside: {error}")
    return None, notes
