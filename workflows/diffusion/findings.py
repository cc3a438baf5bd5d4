"""What a run found, all of it: the content of its results and of its report."""

from __future__ import annotations

from dataclasses import dataclass

from simkit.structure import Structure
from simkit.workflows import md
from simkit.workflows.diffusion.config import Config
from simkit.workflows.diffusion.evolution import History
from simkit.workflows.diffusion.ladder import Ladder
from simkit.workflows.diffusion.transport import Motions


@dataclass(frozen=True, eq=False)
class Findings:
    """A run with its settings, starts by name, transport at each temperature, ladders over them, and histories.

    missing: sentences about what could not be analysed
    """

    config: Config
    structures: dict[str, Structure]
    run: md.Result
    motions: tuple[Motions, ...]
    ladders: tuple[Ladder, ...]
    histories: tuple[History, ...]
    missing: tuple[str, ...] = ()

    @property
    def converged(self) -> bool:
        """Whether every system took all its steps."""
        return self.run.finished
