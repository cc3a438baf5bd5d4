"""Relax a built cell and say what became of it: phases, coordination, volume, displacements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simkit import build, io, plot, solve
from simkit.errors import InputError
from simkit.io.rundir import RunDirectory
from simkit.potential.base import Potential, check_elements
from simkit.structure import Structure
from simkit.workflows import building, figures, ordering, relax
from simkit.workflows.building import Cell
from simkit.workflows.common import QUIET, Hooks


@dataclass(frozen=True, eq=False)
class Result:
    """What relaxing did: outcome, numbers with units in the keys, and what the checks say of the relaxed cell.

    reason  why there is no outcome, or no checks of it, a sentence; empty else
    """

    potential: str
    outcome: solve.Outcome | None
    facts: dict[str, float | int | str]
    checks: build.Validation | None
    reason: str = ""

    @property
    def good(self) -> bool:
        """Whether it converged and kept what it was, or could not be tried with this potential."""
        if self.outcome is None:
            return True
        return self.outcome.converged and self.checks is not None and self.checks.passed

    def text(self) -> str:
        """A readable table."""
        if self.outcome is None:
            return f"not relaxed, built and checked only: {self.reason}"
        lines = [f"relaxed with {self.potential}: {self.outcome.status}"]
        lines += [f"{key}: {_word(value)}" for key, value in self.facts.items()]
        return "\n".join([*lines, self.reason if self.checks is None else self.checks.text()])

    def to_dict(self) -> dict:
        """JSON-able record."""
        status = self.reason if self.outcome is None else str(self.outcome.status)
        checks = None if self.checks is None else self.checks.to_dict()
        return {"potential": self.potential, "status": status, **self.facts, "checks": checks}


def run(cell: Cell, potential: Potential, hooks: Hooks = QUIET) -> Result:
    """Relax with the settings of the cell's [relax] table and compare with the cell as built."""
    name = potential.card.name
    try:
        check_elements(cell.structure.numbers, potential.card)
    except InputError as error:
        return Result(name, None, {}, None, str(error))
    settings = cell.request.relax
    outcome = relax.run(settings, potential, {cell.name: cell.structure}, hooks).outcomes[cell.name]
    if outcome.failed:
        return Result(name, outcome, {}, None, str(outcome.status))
    fmax, wanted = float(outcome.fmax_eV_per_A), settings.fmax_eV_per_A
    checks = build.validate_relaxed(cell.built, outcome.structure, fmax, wanted)
    return Result(name, outcome, _facts(cell.structure, outcome), checks)


def rank(cell: Cell, potential: Potential, count: int, hooks: Hooks = QUIET) -> list[ordering.Ranked]:
    """The `count` best arrangements of the ions by their Coulomb energy, lowest energy first; nothing is written.

    Raises InputError for a cell without ions and for elements the potential does not know.
    """
    check_elements(cell.structure.numbers, potential.card)
    if not (cell.built.scaffold.role[cell.built.atom_of >= 0] == "alkali").any():
        raise InputError(f"{cell.name} holds no ions ({cell.structure.formula}); --orders has nothing to arrange.")
    return ordering.run(ordering.Config(count=count), potential, cell.built, hooks)


def write_orders(folder: Path, cell: Cell, ranked: Sequence[ordering.Ranked]) -> list[str]:
    """Write ranked arrangements into folder/orders; one line each. The cell itself stays as its recipe builds it."""
    (folder / "orders").mkdir()
    lines = []
    for k, one in enumerate(ranked):
        facts = {**building.provenance(cell, f"order {k}"), "energy_eV": one.energy_eV, "coulomb_eV": one.coulomb_eV}
        io.write(folder / "orders" / f"{k}.extxyz", one.structure, facts)
        kinds = " ".join(f"{kind}:{n}" for kind, n in one.by_kind.items())
        lines.append(f"order {k}: {one.energy_eV:.6f} eV, Coulomb {one.coulomb_eV:.4f} eV, {kinds}")
    return lines


def write(folder: Path, cell: Cell, result: Result) -> None:
    """Write the relaxed cell beside the built one, and what changed into the reports."""
    if result.outcome is not None:
        facts = building.provenance(cell, f"relaxed with {result.potential}, {result.outcome.status}")
        files = building.structure_files("relaxed", result.outcome.structure, facts)
        picture = figures.cell(result.outcome.structure, f"{cell.request.name}, relaxed")
        building.write_files(folder, {**files, "relaxed.png": plot.png_bytes(picture)})
    report = (folder / "report.txt").read_text(encoding="utf-8")
    io.write_atomic(folder / "report.txt", f"{report}\n{result.text()}\n".encode())
    run = RunDirectory(folder, "")
    run.write_json("report.json", {**run.read_json("report.json"), "relaxation": result.to_dict()})


def _facts(built: Structure, outcome: solve.Outcome) -> dict[str, float | int | str]:
    relaxed = outcome.structure
    moved = np.linalg.norm(build.checks.displacements_A(built, relaxed), axis=1)
    strain = np.linalg.norm(relaxed.cell, axis=1) / np.linalg.norm(built.cell, axis=1) - 1
    far = int(np.argmax(moved))
    return {
        "energy_eV": float(outcome.evaluation.energy),
        "fmax_eV_per_A": float(outcome.fmax_eV_per_A),
        "steps": int(outcome.steps),
        "volume_change_percent": build.checks.volume_change_percent(built, relaxed),
        "length_changes_percent": " ".join(f"{100 * x:+.2f}" for x in strain),
        "largest_displacement_A": float(moved[far]),
        "largest_displacement_of": f"atom {far} ({built.symbols[far]})",
    }


def _word(value: float | int | str) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
