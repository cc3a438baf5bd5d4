"""Which rows of the scorecard are computed, and on how much."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from simkit.config import Section

RowName = Literal[
    "errors", "lattice", "stacking", "barriers", "gliding", "elastic", "spacing", "smoothness", "dynamics", "speed"
]
ROWS: tuple[RowName, ...] = (
    "errors", "lattice", "stacking", "barriers", "gliding", "elastic", "spacing", "smoothness",
    "dynamics", "speed",
)  # fmt: skip
QUICK_MD_PS = 0.4
"""Long enough for an unstable model to break at 900 K (tens of vibrations), short enough for any teacher."""
FULL_MD_PS = 100.0


class Config(Section):
    """What to compute.

    quick       fewer and smaller cells, for a first look in minutes
    rows        subjects; those left out do not appear
    md_ps       length of the molecular dynamics of each temperature; None: 0.4 quick, 100 full
    both        run molecular dynamics and held-out errors of the other potential too
    max_steps   of every relaxation and path; what has not converged by then is named as a problem
    seed        of velocities, metals and ions
    """

    quick: bool = False
    rows: list[RowName] = Field(default_factory=lambda: list(ROWS), min_length=1)
    md_ps: float | None = Field(default=None, gt=0)
    both: bool = False
    max_steps: int = Field(default=300, gt=0)
    seed: int = Field(default=0, ge=0)

    @property
    def dynamics_ps(self) -> float:
        """Length of the molecular dynamics, ps."""
        if self.md_ps is not None:
            return self.md_ps
        return QUICK_MD_PS if self.quick else FULL_MD_PS
