"""A whole study from one TOML file: cells, phases, relaxation, migration, gliding, stress, report."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

import tomli_w
from pydantic import Field

from simkit import build, io, measure, potential, solve
from simkit.config import Section
from simkit.errors import InputError, Stopped
from simkit.io.record import versions
from simkit.potential.base import Potential, check_elements
from simkit.workflows import gliding, migration, outputs, relax, stress
from simkit.workflows.cells import StructureConfig, area_A2, intergrowth, phase_cells, phase_names, strained_to
from simkit.workflows.common import QUIET, Hooks
from simkit.workflows.findings import Findings
from simkit.workflows.gliding import Config as GlidingConfig
from simkit.workflows.ledger import Ledger
from simkit.workflows.migration import Config as MigrationConfig
from simkit.workflows.relax import Config as RelaxConfig
from simkit.workflows.stress import Config as StressConfig


class Config(Section):
    """A study: what to build, with which potential, and the settings of each step."""

    name: str = "study"
    seed: int = Field(default=0, ge=0)
    potential: str = "default"
    dtype: Literal["float32", "float64"] = "float32"
    device: str = "auto"
    structure: StructureConfig
    relax: RelaxConfig = RelaxConfig()
    migration: MigrationConfig = MigrationConfig()
    gliding: GlidingConfig = GlidingConfig()
    stress: StressConfig = StressConfig()


@dataclass(frozen=True, eq=False)
class Result:
    """What a study found, the content of results.json, lines for the terminal, and whether every step converged."""

    findings: Findings
    summary: dict
    lines: tuple[str, ...]
    converged: bool


def template() -> str:
    """The study file that `simkit init` writes."""
    return resources.files("simkit.workflows").joinpath("configs", "template.toml").read_text(encoding="utf-8")


def run(
    config: Config,
    out: str | Path,
    resume: bool = False,
    hooks: Hooks = QUIET,
    command: str = "",
    model: Potential | None = None,
) -> Result:
    """Run a study into the directory `out`; with `resume` finished steps are read back, not repeated.

    model: a potential to use instead of the one the study names, as `potential.from_ase(calculator)`.
    The request is checked whole before the directory is made: InputError for impossible cells, unknown elements,
    a directory that holds other work. Raises Stopped, with everything finished kept, when a relaxation meets
    numbers that are not finite or an exploding energy.
    """
    start = intergrowth(config.structure, config.seed)
    loaded = _loaded(config) if model is None else model
    check_elements(start.structure.numbers, loaded.card)
    counted = potential.Counted(loaded)
    identity = {"model": f"{loaded.card.name} {loaded.card.sha256}", "simkit": versions()["simkit"]}
    directory = io.open_run(out, tomli_w.dumps(config.model_dump()), identity, resume)
    ledger = Ledger(directory, counted)
    ledger.open(config.name, config.seed, command, loaded.card.device)
    return _Study(config, counted, ledger, Hooks(directory.step, hooks.watch)).run()


def _loaded(config: Config) -> Potential:
    if "trust=" in config.potential:
        raise InputError(
            f"potential = {config.potential!r}: a study file cannot vouch for a program; "
            "name the file you trust on the command line with --trust."
        )
    return potential.load(config.potential, device=config.device, dtype=config.dtype)


@dataclass(frozen=True, eq=False)
class _Study:
    config: Config
    model: Potential
    ledger: Ledger
    hooks: Hooks

    def run(self) -> Result:
        """Every step in order, each timed, counted and saved."""
        config, model, hooks, step = self.config, self.model, self.hooks, self.ledger.step
        phases = step("phases", self._phases)
        heights = {name: build.harvest(outcome.structure) for name, outcome in phases.items()}
        cell = intergrowth(config.structure, config.seed, heights)
        whole = step("relaxation", lambda: self._relaxed(cell))
        strained = step("strained phases", lambda: self._strained(phases, whole))
        cells = {self.label: whole.structure, **{name: outcome.structure for name, outcome in phases.items()}}
        moved = step("migration", lambda: migration.run(config.migration, model, cells, hooks))
        glided = step("gliding", lambda: gliding.run(config.gliding, model, cells, hooks))
        mapped = step("stress", lambda: stress.run(config.stress, model, cells, tuple(phases), hooks))
        energies = self._energies(phases, strained, whole)
        found = Findings(self.label, cell, phases, strained, whole, energies, moved, glided, mapped)
        summary, lines = step("report", lambda: outputs.write(self.ledger.directory, config.name, found, model.card))
        good = found.converged
        self.ledger.close("finished" if good else "finished, not everything converged")
        outputs.page(self.ledger.directory)
        return Result(found, summary, tuple(lines), good)

    @property
    def label(self) -> str:
        """Name of the cell under study among its own phases: "P2/O3"."""
        names = list(dict.fromkeys(phase_names(self.config.structure)))
        return "/".join(names) if len(names) > 1 else f"{names[0]} stack"

    def _phases(self) -> dict[str, solve.Outcome]:
        cells = phase_cells(self.config.structure, self.config.seed)
        models = {name: cell.structure for name, cell in cells.items()}
        return _usable(relax.run(self.config.relax, self.model, models, self.hooks, "phases"))

    def _relaxed(self, cell: build.Model) -> solve.Outcome:
        found = relax.run(self.config.relax, self.model, {self.label: cell.structure}, self.hooks, "relaxation")
        return _usable(found)[self.label]

    def _strained(self, phases: dict[str, solve.Outcome], whole: solve.Outcome) -> dict[str, solve.Outcome]:
        cells = {name: strained_to(o.structure, whole.structure.cell) for name, o in phases.items()}
        settings = self.config.relax.model_copy(update={"cell": "c"})
        return _usable(relax.run(settings, self.model, cells, self.hooks, "strained-phases"))

    def _energies(
        self, phases: dict[str, solve.Outcome], strained: dict[str, solve.Outcome], whole: solve.Outcome
    ) -> measure.IntergrowthEnergies | None:
        """Interface, coherency and formation energy; None for a cell of one phase, which has no interface."""
        if len(phases) < 2:
            return None
        units: dict[str, float] = {}
        metals = (whole.structure.tags["site"] == "TM").sum() / sum(b.gaps for b in self.config.structure.blocks)
        names = phase_names(self.config.structure)
        for name, block in zip(names, self.config.structure.blocks, strict=True):
            units[name] = units.get(name, 0.0) + metals * block.gaps
        shares = [
            measure.PhaseShare(name, units[name], _per_metal(strained[name]), _per_metal(phases[name]))
            for name in phases
        ]
        return measure.intergrowth_energies(whole.evaluation.energy, shares, area_A2(whole.structure))


def _per_metal(outcome: solve.Outcome) -> float:
    structure = outcome.structure
    return outcome.evaluation.energy / int((structure.tags["site"] == "TM").sum())


def _usable(result: relax.Result) -> dict[str, solve.Outcome]:
    """The outcomes. Raises Stopped where one ended on numbers that are not finite or an exploding energy."""
    for name, outcome in result.outcomes.items():
        if outcome.failed:
            raise Stopped(f"{name}: {outcome.status}")
    return result.outcomes
