"""Progress of solvers on the terminal: one line per task, quiet when the output is no terminal."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from simkit.solve import Summary
from simkit.workflows.md import MdFacts

PLAIN_EVERY_S = 10.0

Told = Summary | MdFacts
"""What a solver says after a step, or molecular dynamics after some."""
Watch = Callable[[str], Callable[[int, Told], None]]


@contextmanager
def watching(console: Console) -> Iterator[Watch]:
    """A `watch(label)` whose observers draw bars on a terminal and print a line now and then elsewhere."""
    if not console.is_terminal:
        yield lambda label: _Plain(console, label)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[facts]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=False) as progress:
        yield lambda label: _Bar(progress, label)


def facts(summary: Told) -> str:
    """Step, open systems and distance from the criterion in words; of molecular dynamics its own line."""
    if isinstance(summary, MdFacts):
        return summary.text
    worst = "" if math.isnan(summary.worst) else f", {summary.worst:.1f} x criterion"
    return f"step {summary.step}, {summary.groups - summary.active}/{summary.groups} done{worst}"


class _Bar:
    def __init__(self, progress: Progress, label: str) -> None:
        self._progress = progress
        self._task = progress.add_task(label, total=1.0, facts="starting")

    def __call__(self, step: int, summary: Told) -> None:
        self._progress.update(self._task, completed=completed(summary), facts=facts(summary))


class _Plain:
    def __init__(self, console: Console, label: str) -> None:
        self._console, self._label = console, label
        self._last = time.monotonic()

    def __call__(self, step: int, summary: Told) -> None:
        now = time.monotonic()
        if completed(summary) >= 1.0 or now - self._last > PLAIN_EVERY_S:
            self._console.print(f"  {self._label}: {facts(summary)}", highlight=False, soft_wrap=True)
            self._last = now


def completed(summary: Told) -> float:
    """Part done, 0 to 1: steps of molecular dynamics, else finished systems and how near the others are (log scale)."""
    if isinstance(summary, MdFacts):
        return summary.step / summary.steps
    done = 1.0 - summary.active / summary.groups
    if math.isnan(summary.worst) or summary.worst <= 1.0:
        return done if summary.active else 1.0
    near = 1.0 / (1.0 + math.log(summary.worst))
    return done + (1.0 - done) * near
