"""One way to put bytes on disk: all of them or none."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from simkit.errors import InputError


def write_atomic(path: str | os.PathLike, data: bytes) -> Path:
    """Write `data` to `path` so that a reader sees the old file or the new one, never a part.

    A temporary file in the same folder is written, synced and renamed over `path`, then the folder is synced.
    Raises InputError when the folder does not exist or `path` is a folder; OSError (disk full, read-only)
    passes through with the old file untouched and the temporary file removed.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise InputError(f"the folder {str(target.parent)!r} does not exist; create it or choose another place.")
    if target.is_dir():
        raise InputError(f"{str(target)!r} is a folder; give the name of a file.")
    temporary = target.parent / f".{target.name[:200]}.{secrets.token_hex(6)}.tmp"
    try:
        with open(temporary, "xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)
    return target


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
