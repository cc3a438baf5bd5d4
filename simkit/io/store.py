"""Finished work on disk by content key: any POSIX file system, no database, safe to write from many processes.

tasks/ab/abcdef.../ holds what the task `abcdef...` left:
  NAME.npz       a kept value, written once
  NAME.ckpt      where long work was, and NAME.ckpt.prev the time before
  result.json    the task is done; it names its own checksum
  failed.json    why it is not done, and shall not be tried again by itself
  attempts.jsonl one line per beginning and end of an attempt: host, process, job, seconds
  lease          who works on it now
A damaged file is renamed to .corrupt and its work is done again, or taken up from the generation before.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from simkit.errors import CorruptFileError
from simkit.io import checkpoint
from simkit.io.atomic import write_atomic
from simkit.io.rundir import file_name
from simkit.io.sealed import sealed, unsealed

Value = TypeVar("Value")
RESULT, FAILED, ATTEMPTS = "result.json", "failed.json", "attempts.jsonl"
SHARD_DIGITS = 2
"""Tasks are spread over 256 folders."""


@dataclass(frozen=True)
class Store:
    """The folder `root`/ab/abcdef... of every task."""

    root: Path

    def folder(self, key: str) -> Path:
        """Where a task's files are; the folder need not exist."""
        return self.root / key[:SHARD_DIGITS] / key

    def made(self, key: str) -> Path:
        """The folder, which exists from now on."""
        folder = self.folder(key)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def path(self, key: str, name: str) -> Path:
        """The file of a kept value."""
        return self.folder(key) / f"{file_name(name)}.npz"

    def keep(self, key: str, name: str, compute: Callable[[], Value], types: Iterable[type] = ()) -> Value:
        """The kept value `name` of a task, or `compute()`, kept. A damaged file is set aside and made again."""
        path = self.path(key, name)
        value = loaded(path, types, key)
        if value is None:
            found = compute()
            self.made(key)
            checkpoint.save(path, [found], key)
            return found
        return value[0]

    def kept(self, key: str) -> list[Path]:
        """The files of kept values, by name."""
        return sorted(self.folder(key).glob("*.npz"))

    def save_checkpoint(self, key: str, name: str, value: Any) -> None:
        """Write where long work is; the checkpoint before stays as .prev."""
        path = self.made(key) / f"{file_name(name)}.ckpt"
        with contextlib.suppress(FileNotFoundError):
            link = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
            os.link(path, link)
            os.replace(link, path.with_name(path.name + ".prev"))
        checkpoint.save(path, value, key)

    def load_checkpoint(self, key: str, name: str, types: Iterable[type] = ()) -> Any | None:
        """The newest whole checkpoint of long work, or None; damaged ones are set aside."""
        path = self.folder(key) / f"{file_name(name)}.ckpt"
        for one in (path, path.with_name(path.name + ".prev")):
            value = loaded(one, types, key)
            if value is not None:
                return value
        return None

    def finish(self, key: str, facts: dict[str, Any], items: Iterable[Path] = ()) -> None:
        """Write result.json: the task is done, and what only led there is removed.

        items: files of other folders that the result stands on, by path below the root
        """
        files = {path.name: file_sha256(path) for path in self.kept(key)}
        files |= {str(item): file_sha256(self.root / item) for item in sorted(items)}
        self.write_sealed(key, RESULT, {"key": key, "files": files, **facts})
        for path in (self.folder(key) / FAILED, *self.folder(key).glob("*.ckpt*")):
            path.unlink(missing_ok=True)

    def result(self, key: str) -> dict[str, Any] | None:
        """What `finish` wrote, or None; a damaged file is set aside, and the task is not done."""
        return self.read_sealed(key, RESULT)

    def write_sealed(self, key: str, name: str, facts: dict[str, Any]) -> None:
        """Write JSON that carries its own checksum, atomically."""
        write_atomic(self.made(key) / name, sealed(facts))

    def read_sealed(self, key: str, name: str) -> dict[str, Any] | None:
        """What `write_sealed` wrote under this key; None where it is missing or damaged (then set aside)."""
        path = self.folder(key) / name
        try:
            facts = unsealed(path)
            if facts.get("key", key) != key:
                raise CorruptFileError(f"{path} belongs to other work (key {facts['key'][:12]}).")
        except FileNotFoundError:
            return None
        except CorruptFileError:
            set_aside(path)
            return None
        return facts

    def note(self, key: str, event: str, **facts: Any) -> None:
        """Append a line to attempts.jsonl; a torn last line of a killed writer is closed first."""
        line = json.dumps({"time_s": round(time.time(), 3), "event": event, **facts}).encode() + b"\n"
        with (self.made(key) / ATTEMPTS).open("ab+") as stream:
            stream.seek(max(0, stream.seek(0, 2) - 1))
            stream.write(line if stream.read(1) in (b"", b"\n") else b"\n" + line)

    def attempts(self, key: str) -> list[dict[str, Any]]:
        """The readable lines of attempts.jsonl."""
        try:
            lines = (self.folder(key) / ATTEMPTS).read_bytes().splitlines()
        except FileNotFoundError:
            return []
        return list(_readable(lines))


def _readable(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        with contextlib.suppress(ValueError):
            yield json.loads(line)


def loaded(path: Path, types: Iterable[type], key: str) -> Any | None:
    """A checkpoint file under its key; None where it is missing or damaged (then set aside)."""
    try:
        return checkpoint.load(path, types, key)
    except FileNotFoundError:
        return None
    except CorruptFileError:
        set_aside(path)
        return None


def file_sha256(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def set_aside(path: Path) -> None:
    """Rename a damaged file to .corrupt; another process may have done so before."""
    with contextlib.suppress(FileNotFoundError):
        os.replace(path, path.with_name(path.name + ".corrupt"))
