"""What is told of molecular dynamics while it runs: speed, temperature, energy drift, time left."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from simkit import solve
from simkit.arrays import Floats
from simkit.solve.breakdown import MOVING

DAY_S = 86400.0


@dataclass(frozen=True, eq=False)
class MdFacts:
    """A line of progress.

    step of steps; active of groups systems still moving; temperatures_K lowest and highest of these
    change_meV_per_atom of the conserved energy since the run (or its resumption) began, the largest; None at constant
    pressure. Over times as short as those between two lines a rate would be noise; the report gives one
    ns_per_day of each system; left_s until the last step
    """

    step: int
    steps: int
    active: int
    groups: int
    temperatures_K: tuple[float, float]
    change_meV_per_atom: float | None
    ns_per_day: float
    left_s: float

    @property
    def text(self) -> str:
        """The facts in one line."""
        low, high = self.temperatures_K
        heat = f"{low:.0f} K" if self.groups == 1 else f"{low:.0f} to {high:.0f} K"
        change = self.change_meV_per_atom
        parts = [f"step {self.step}/{self.steps}", heat]
        parts += [] if change is None else [f"energy {change:+.2g} meV/atom"]
        parts += [f"{self.ns_per_day:.3g} ns/day", f"{_span(self.left_s)} left"]
        parts += [f"{self.groups - self.active} broken down"] if self.active < self.groups else []
        return ", ".join(parts)


class Clock:
    """Measures from the first state it is shown."""

    def __init__(self, timestep_fs: float, steps: int) -> None:
        self._timestep_fs, self._steps = timestep_fs, steps
        self._start: tuple[float, int, Floats | None] | None = None

    def facts(self, state: solve.Motion, columns: Mapping[str, Floats]) -> MdFacts:
        """The line of a state, from the columns of its log."""
        now, energy = time.monotonic(), columns.get("conserved_eV")
        if self._start is None:
            self._start = (now, state.step, energy)
        began, first, before = self._start
        moving = state.code == MOVING
        done, spent = state.step - first, max(now - began, 1e-9)
        change = None
        if energy is not None and before is not None and moving.any():
            per_atom = (energy - before)[moving] / (len(state.positions) / len(state.code)) * 1e3
            change = float(per_atom[np.argmax(np.abs(per_atom))])
        warm = columns["temperature_K"][moving]
        return MdFacts(
            step=state.step,
            steps=self._steps,
            active=int(moving.sum()),
            groups=len(moving),
            temperatures_K=(float(warm.min(initial=np.inf)), float(warm.max(initial=0.0))),
            change_meV_per_atom=change,
            ns_per_day=done * self._timestep_fs * 1e-6 / spent * DAY_S,
            left_s=(self._steps - state.step) * spent / done if done else float("inf"),
        )


def _span(seconds: float) -> str:
    """Seconds in the unit that suits them."""
    if not np.isfinite(seconds):
        return "?"
    for unit, size in (("d", DAY_S), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
