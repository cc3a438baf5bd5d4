"""Under which key each step of a study is kept: its settings, the keys of what it needs, the model."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from simkit import io
from simkit.io.keys import digest
from simkit.io.record import versions
from simkit.io.rundir import file_name
from simkit.potential.card import Card
from simkit.structure import Structure
from simkit.workflows.common import Content
from simkit.workflows.structures import Request

Value = TypeVar("Value")
Step = Callable[..., Any]
"""step(name, compute) runs a step of a study and returns what it found."""

NUMERICS = 2
"""Raised when simkit gives other numbers for the same settings, so that no kept value outlives its meaning."""


@dataclass(frozen=True)
class Rule:
    """needs: steps whose results a step uses, in order; reads: tables and keys of the study that fix its numbers.

    stored: the step is a task of its own in a campaign; else it is cheap, and redone wherever it is needed.
    table: of the study, without which there is no such step.
    """

    needs: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    stored: bool = True
    table: str = ""

    def asked(self, study: Mapping[str, Any]) -> bool:
        """Whether a study, as resolved tables, has the step."""
        return not self.table or study.get(self.table) is not None


RULES: dict[str, Rule] = {
    "phases": Rule((), ("structure", "seed", "relax"), stored=False),
    "cell": Rule(("phases",), ("structure", "seed"), stored=False),
    "relaxation": Rule(("phases", "cell"), ("relax",)),
    "strained phases": Rule(("phases", "cell", "relaxation"), ("relax",)),
    "migration": Rule(("phases", "cell", "relaxation"), ("migration",)),
    "gliding": Rule(("phases", "cell", "relaxation"), ("gliding",)),
    "stress": Rule(("phases", "cell", "relaxation"), ("stress",)),
    "elastic": Rule(("phases", "cell", "relaxation"), ("elastic",), table="elastic"),
    "surfaces": Rule(("phases", "cell", "relaxation"), ("surfaces",), table="surfaces"),
    "dynamics": Rule(("phases", "cell", "relaxation"), ("dynamics",), table="dynamics"),
}
"""Steps of a study in order, before its report. A step that is not here needs all before it and reads everything."""

IDLE = ("name", "about", "device", "potential", "dtype", "committee")
"""Keys of a study that change no kept number; potential and dtype are in the model's part of the key."""


def model_identity(card: Card) -> dict[str, Any]:
    """What of a potential fixes its numbers: name and kind, hash of its weights, dtype; not the device."""
    return {
        "name": card.name,
        "kind": card.kind,
        "sha256": card.sha256 or card.summary,
        "dtype": card.dtype,
        "committee": list(card.committee),
    }


def content_key(given: Any, card: Card) -> str:
    """Key of a result that `given` and the model fix by themselves."""
    return digest({"given": given, "model": model_identity(card), "numerics": NUMERICS, "simkit": versions()["simkit"]})


def step_key(config: Request, name: str, card: Card) -> str:
    """Key of a step of a study: what it reads, and the keys of what it needs."""
    return content_key(_content(config, name), card)


def phase_content(config: Request, cell: Structure) -> dict[str, Any]:
    """What fixes a phase relaxed alone: the atoms it starts from, and how it is relaxed."""
    return {"step": "phase", "relax": config.relax.model_dump(), "structure": cell}


def _content(config: Request, name: str) -> dict[str, Any]:
    data = config.model_dump(exclude_none=True)
    rule = RULES.get(name) or Rule(tuple(RULES), tuple(key for key in data if key not in IDLE))
    needs = [_content(config, need) for need in rule.needs]
    return {"step": name, "settings": {key: data.get(key) for key in rule.reads}, "needs": needs}


@dataclass
class Keeper:
    """Keeps the results of a study's steps in a store; `view` gets a hard link with a plain name to each of them.

    own: key of what no content fixes, in place of the step's: for work that does a step in part
    told: called with the path of every file that is newly kept by content
    items: files of the store, by path below its root, that were kept or read by content
    """

    store: io.Store
    config: Request
    card: Card
    view: Path | None = None
    own: str = ""
    told: Callable[[Path], None] = lambda path: None
    current: str = field(default="", init=False)
    items: set[Path] = field(default_factory=set, init=False)

    def entering(self, step: Step) -> Step:
        """The same `step`, after which results are kept under the key of the step under way."""

        def entered(name: str, compute: Callable[[], Value]) -> Value:
            self.current = name
            return step(name, compute)

        return entered

    def keep(self, name: str, compute: Callable[[], Value], types: Iterable[type] = (), given: Any = None) -> Value:
        """`keep` of the hooks of a workflow."""
        key = self.key(given)
        kept_as = given.name if isinstance(given, Content) else name
        path = self.store.path(key, kept_as)
        fresh = not path.exists()
        value = self.store.keep(key, kept_as, compute, types)
        if isinstance(given, Content):
            self.items.add(path.relative_to(self.store.root))
            if fresh:
                self.told(path)
        self._show(path, name)
        return value

    def key(self, given: Any = None) -> str:
        """Key under which the step under way keeps a result."""
        if isinstance(given, Content):
            return content_key(given.given, self.card)
        if given is not None:
            return content_key(given, self.card)
        return self.own or step_key(self.config, self.current, self.card)

    def _show(self, path: Path, name: str) -> None:
        """A file system without hard links, and a store on another one, go without the view."""
        if self.view is None:
            return
        self.view.mkdir(exist_ok=True)
        link = self.view / f"{file_name(name)}.npz"
        with contextlib.suppress(OSError):
            if not link.exists() or not link.samefile(path):
                link.unlink(missing_ok=True)
                os.link(path, link)
