"""What every step shares: how it saves, how it reports progress, and what it accepts as a structure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from simkit import io, solve
from simkit.io.rundir import unsaved
from simkit.structure import Structure

Observer = Callable[..., None] | solve.Hooks
"""Called by a solver after each step, or all that may be attached to a solver."""


def unwatched(label: str) -> Observer | None:
    """No progress is shown."""
    return None


@dataclass(frozen=True)
class Hooks:
    """keep(name, compute, types, given) returns a saved result, or computes and saves it; watch(label) gives an
    observer, or hooks of a solver that also save and restore what is under way.

    given: what fixes a result by itself, whatever step or study asks for it; None: the step and its settings.
    """

    keep: Callable[..., Any] = unsaved
    watch: Callable[[str], Observer | None] = unwatched


QUIET = Hooks()


def named_structures(given: Any) -> dict[str, Structure]:
    """Structures by name from one structure, a list of them or a mapping (Structure, ase.Atoms, pymatgen)."""
    if isinstance(given, Mapping):
        return {str(name): io.as_structure(item) for name, item in given.items()}
    if isinstance(given, list | tuple):
        return {str(index): io.as_structure(item) for index, item in enumerate(given)}
    return {"structure": io.as_structure(given)}
