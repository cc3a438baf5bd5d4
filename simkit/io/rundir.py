"""The run directory: what a study leaves on disk, step by step, so that it can be taken up again."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import time
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from simkit.errors import CorruptFileError, InputError
from simkit.io import checkpoint
from simkit.io.atomic import write_atomic

Value = TypeVar("Value")
STUDY_FILE = "study.toml"
IDENTITY_FILE = "identity.json"
LOCK_FILE = ".lock"
CAMPAIGN = (
    "campaign.toml",
    "campaign.lock.json",
    "campaign.html",
    "results.db",
    "results.csv",
    "tasks",
    "runs",
    "STOP",
)
"""What a campaign of one study keeps beside the study."""


def json_bytes(value: Any) -> bytes:
    """Plain data as the content of a JSON file. Raises ValueError for numbers that are not finite."""
    return (json.dumps(value, indent=2, allow_nan=False) + "\n").encode()


@dataclass(frozen=True)
class RunDirectory:
    """One study on disk; `key` ties every saved step to the settings and the model it was made with.

    `lock` is the open lock file while this process writes here; it is freed when the process ends, however it ends.
    """

    path: Path
    key: str
    lock: Lock | None = None

    def log(self, event: str, **facts: Any) -> None:
        """Append one line of JSON to log.jsonl."""
        line = json.dumps({"time_s": round(time.time(), 3), "event": event, **facts}) + "\n"
        with (self.path / "log.jsonl").open("ab+") as stream:
            stream.seek(max(0, stream.seek(0, 2) - 1))
            torn = stream.read(1) not in (b"", b"\n")
            stream.write(("\n" if torn else "").encode() + line.encode())

    def step(self, name: str, compute: Callable[[], Value], types: Iterable[type] = (), given: Any = None) -> Value:
        """The saved result of step `name`, or `compute()` saved. A damaged file is set aside and remade.

        given: what fixes the result by itself; here everything is kept under the key of the run, so it is not used.
        A name that is no file name is part of that key: names of one file never read each other's values.
        """
        plain = file_name(name)
        path, key = self.path / "steps" / f"{plain}.npz", self.key if plain == name else f"{self.key} {name}"
        if path.exists():
            try:
                return checkpoint.load(path, types, key)
            except CorruptFileError as error:
                path.rename(path.with_suffix(".corrupt"))
                self.log("step file set aside", step=name, reason=str(error))
        value = compute()
        path.parent.mkdir(exist_ok=True)
        checkpoint.save(path, value, key)
        return value

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON file of the run atomically."""
        self.write_bytes(name, json_bytes(value))

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write a file of the run atomically, making its folder."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content)

    def read_json(self, name: str) -> Any:
        """Read a JSON file of the run. Raises InputError when it is missing or damaged."""
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{self.path} holds no readable {name}: {error}") from error


def open_run(path: str | Path, study_toml: str, identity: dict[str, Any], resume: bool) -> RunDirectory:
    """Make a run directory, or take one up again.

    `study_toml` is the resolved study, `identity` what else fixes the numbers (model hash, dtype, version).
    Raises InputError when the folder holds another study, other files, or the same study without `resume`.
    """
    path = Path(path)
    content = json.dumps({"study": study_toml, **identity}, sort_keys=True)
    run = RunDirectory(path, hashlib.sha256(content.encode()).hexdigest())
    if path.exists() and not path.is_dir():
        raise InputError(f"--out {path} is a file; name a folder.")
    if path.exists():
        _sweep(path)
    if path.exists() and any(item.name not in CAMPAIGN for item in path.iterdir()):
        _check_same(path, study_toml, resume)
        _check_identity(run, identity)
        return replace(run, lock=_locked(path))
    path.mkdir(parents=True, exist_ok=True)
    run.write_json(IDENTITY_FILE, identity)
    run.write_bytes(STUDY_FILE, study_toml.encode())
    return replace(run, lock=_locked(path))


class Lock:
    """An exclusive lock on a file, held until `close`, the end of this object or of the process."""

    def __init__(self, path: Path) -> None:
        self._descriptor: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise

    def close(self) -> None:
        """Free the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __del__(self) -> None:
        self.close()


def _locked(path: Path) -> Lock:
    """The lock of a run directory. Raises InputError when another process holds it."""
    try:
        return Lock(path / LOCK_FILE)
    except BlockingIOError:
        raise InputError(
            f"--out {path} is in use: another process is running this study. Wait for it, or stop it."
        ) from None


def _sweep(path: Path) -> None:
    """Remove what a killed write left behind; a directory killed before its study was written is new again."""
    for folder in (path, *(item for item in path.iterdir() if item.is_dir() and item.name not in CAMPAIGN)):
        for leftover in folder.rglob(".*.tmp") if folder != path else folder.glob(".*.tmp"):
            leftover.unlink()
    if [item.name for item in path.iterdir()] == [IDENTITY_FILE]:
        (path / IDENTITY_FILE).unlink()


def _check_identity(run: RunDirectory, identity: dict[str, Any]) -> None:
    if not (run.path / IDENTITY_FILE).exists():
        raise InputError(f"--out {run.path} was made by another version of simkit; name another folder, or remove it.")
    old = run.read_json(IDENTITY_FILE)
    changed = [f"{name} was {old.get(name)!r}, is {identity.get(name)!r}" for name in {**old, **identity}]
    changed = [
        words for name, words in zip({**old, **identity}, changed, strict=True) if old.get(name) != identity.get(name)
    ]
    if changed:
        raise InputError(
            f"--out {run.path} was made with something else ({'; '.join(changed)}), so its steps cannot be mixed with "
            "new ones. Name another folder, or remove this one."
        )


def _check_same(path: Path, study_toml: str, resume: bool) -> None:
    study = path / STUDY_FILE
    if not study.exists():
        raise InputError(f"--out {path} holds other files and no simkit study; name an empty or new folder.")
    old = study.read_text(encoding="utf-8")
    if old != study_toml:
        raise InputError(
            f"--out {path} already holds another study ({_difference(old, study_toml)}). Name another folder."
        )
    if not resume:
        raise InputError(f"--out {path} already holds this study; add --resume to take it up, or name another folder.")


def _difference(old: str, new: str) -> str:
    """The first keys in which two studies differ, with both values."""
    try:
        there, here = _flat(tomllib.loads(old)), _flat(tomllib.loads(new))
    except tomllib.TOMLDecodeError:
        return "its study.toml cannot be read"
    keys = [key for key in {**there, **here} if there.get(key) != here.get(key)]
    words = [f"{key}: {there.get(key, 'absent')} there, {here.get(key, 'absent')} here" for key in keys]
    return "; ".join(words[:3]) + (f"; and {len(words) - 3} more" if len(words) > 3 else "")


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        return {
            k: v for name, item in value.items() for k, v in _flat(item, f"{prefix}.{name}" if prefix else name).items()
        }
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return {k: v for n, item in enumerate(value) for k, v in _flat(item, f"{prefix}.{n}").items()}
    return {prefix: value}


def file_name(label: str) -> str:
    """A label as a file name: letters, digits, dots and dashes only. Numbers of either sign have names of their own."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", re.sub(r"\+(?=[0-9.])", "-plus", label)).strip("-")


def unsaved(name: str, compute: Callable[[], Value], types: Iterable[type] = (), given: Any = None) -> Value:
    """The `step` of no run directory: compute now, keep nothing."""
    return compute()
