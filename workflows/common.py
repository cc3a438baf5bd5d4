"""What every step shares: how it saves, how it reports progress, and what it accepts as a structure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simkit import io, solve
from simkit.io.rundir import unsaved
from simkit.structure import Structure
from simkit.workflows.under_way import UnderWay

Observer = Callable[..., None] | solve.Hooks
"""Called by a solver after each step, or all that may be attached to a solver."""


def unwatched(label: str) -> Observer | None:
    """No progress is shown."""
    return None


@dataclass(frozen=True)
class Content:
    """What fixes a kept value by itself, whatever step or study asks for it.

    given: plain data, arrays and records; name: tells values apart that share `given`
    """

    given: Any
    name: str


@dataclass(frozen=True)
class Share:
    """Part `part` of `parts` of the items of one stage of a step: whoever has it does these and leaves."""

    stage: str
    part: int
    parts: int


class Shared(Exception):
    """The items of a share are done and kept."""


@dataclass(frozen=True)
class Hooks:
    """keep(name, compute, types, given) returns a saved result, or computes and saves it; watch(label) gives an
    observer, or hooks of a solver that also save and restore what is under way.

    given: the `Content` that fixes a result by itself, or what does for a result of that name; None: the step and its
    settings.
    share: of one stage of the work, where many share it; its results are kept, and `Shared` is raised.
    under_way: where states of descents of many items are saved until all have ended; None: nowhere.
    """

    keep: Callable[..., Any] = unsaved
    watch: Callable[[str], Observer | None] = unwatched
    share: Share | None = None
    under_way: UnderWay | None = None

    def mine(self, stage: str, items: Sequence[Any]) -> list[Any]:
        """Of the items of a stage those to do here: all, or those of the share."""
        if self.share is None or self.share.stage != stage:
            return list(items)
        low, high = (len(items) * k // self.share.parts for k in (self.share.part, self.share.part + 1))
        return list(items[low:high])

    def leave(self, stage: str) -> None:
        """End here where no more than this stage was asked for."""
        if self.share is not None and self.share.stage == stage:
            raise Shared


QUIET = Hooks()


def named_structures(given: Any) -> dict[str, Structure]:
    """Structures by name from one structure, a list of them or a mapping (Structure, ase.Atoms, pymatgen)."""
    if isinstance(given, Mapping):
        return {str(name): io.as_structure(item) for name, item in given.items()}
    if isinstance(given, list | tuple):
        return {str(index): io.as_structure(item) for index, item in enumerate(given)}
    return {"structure": io.as_structure(given)}
