"""One row of a benchmark: ratio first, what it is held to, both numbers, the spread, and on which machine."""

from __future__ import annotations

import platform
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HEADER = "id, ratio, goal, met, ours, theirs, unit, spread, what, against, versions"
PACKAGES = ("numpy", "numba", "torch", "ase", "mace-torch", "matscipy", "torch-sim-atomistic")


@dataclass(frozen=True)
class Row:
    """ours over theirs, smaller is better; goal: largest ratio allowed, None where none is stated.

    spread  relative spread of the blocks, 0 for counts
    """

    id: str
    what: str
    against: str
    ours: float
    theirs: float
    unit: str
    goal: float | None = None
    spread: float = 0.0

    @property
    def ratio(self) -> float:
        """Ours over theirs."""
        return self.ours / self.theirs

    @property
    def met(self) -> str:
        """yes, no, or - where there is no goal."""
        return "-" if self.goal is None else ("yes" if self.ratio <= self.goal else "no")

    def __str__(self) -> str:
        goal = "-" if self.goal is None else f"{self.goal:g}"
        numbers = f"{self.ours:.5g}, {self.theirs:.5g}, {self.unit}, {self.spread:.2f}"
        return f"{self.id}, {self.ratio:.3f}, {goal}, {self.met}, {numbers}, {self.what}, {self.against}, {versions()}"


def say(row: Row | str) -> None:
    """Print a row at once."""
    sys.stdout.write(f"{row}\n")
    sys.stdout.flush()


def versions() -> str:
    """Versions of what is installed of the packages that matter."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return " ".join(found)


def machine() -> str:
    """The accelerator, or the processor with its number of cores, as a plain file name."""
    name = _gpu() or _processor()
    return "-".join("".join(c if c.isalnum() else " " for c in name.lower()).split())


def _gpu() -> str:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else ""


def _processor() -> str:
    import os

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    facts = Path("/proc/cpuinfo")
    names = (
        [line.split(":", 1)[1] for line in facts.read_text().splitlines() if line.startswith("model name")]
        if (facts.exists())
        else []
    )
    return f"{names[0].strip() if names else platform.machine()} {cores} cores"


def of_blocks(pairs: list[tuple[float, float]]) -> tuple[float, float, float]:
    """Median seconds of ours and of theirs over blocks taken in turn, and the relative spread of their ratio."""
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratios = [a / b for a, b in pairs]
    return mine, other, (max(ratios) - min(ratios)) / statistics.median(ratios)


def calls_until(seen: list[float], reference: float, within: float) -> int:
    """How many evaluations it takes until a number is, and stays, within a distance of the reference."""
    off = [k for k, value in enumerate(seen) if not abs(value - reference) <= within]
    return off[-1] + 2 if off else 1


def main(rows: Callable[[], object]) -> None:
    """Print the header, then every row as it comes."""
    say(HEADER)
    for row in rows():
        say(row)
