"""A whole study from one TOML file: cells, phases, relaxation, migration, gliding, stress, report, and what it adds."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import tomli_w

from simkit import build, io, potential, solve
from simkit.build.phases import DECORATED
from simkit.config import checked
from simkit.errors import InputError, Stopped
from simkit.io.record import git_commit, versions
from simkit.potential.base import Evaluation, Potential, Spread, check_elements
from simkit.structure import Structure
from simkit.workflows import committee, energies, extras, relax, stress
from simkit.workflows.cell_steps import Cells, added, glided, moved
from simkit.workflows.cells import blocks_of, intergrowth, named, phase_cells, phase_names, strained_to
from simkit.workflows.common import QUIET, Hooks
from simkit.workflows.dynamics import Config as DynamicsConfig
from simkit.workflows.elastic import Config as ElasticConfig
from simkit.workflows.findings import Findings, foreign_galleries
from simkit.workflows.gliding import Config as GlidingConfig
from simkit.workflows.gliding_surface import Config as SurfaceConfig
from simkit.workflows.hops.settings import Paths
from simkit.workflows.kept import Keeper, Step, phase_content
from simkit.workflows.ledger import Ledger
from simkit.workflows.migration import Config as MigrationConfig
from simkit.workflows.migration import networks
from simkit.workflows.stress import Config as StressConfig
from simkit.workflows.structures import Request, StackConfig, kind_of
from simkit.workflows.under_way import UnderWay

OUTCOMES = (solve.Outcome, Evaluation, Spread)
OUTPUTS = "simkit.workflows.outputs"
"""Loaded when a study is written: workers of a campaign that only compute do without what draws."""


class Config(Request):
    """A study: what to build, with which potential, and the settings of each step; steps without a table are left out
    where the default is None."""

    structure: StackConfig
    migration: MigrationConfig = MigrationConfig()
    gliding: GlidingConfig = GlidingConfig()
    stress: StressConfig = StressConfig()
    paths: Paths = Paths()
    elastic: ElasticConfig | None = None
    surfaces: SurfaceConfig | None = None
    dynamics: DynamicsConfig | None = None


@dataclass(frozen=True, eq=False)
class Result:
    """What a study found, the content of results.json, lines for the terminal, and whether every step converged."""

    findings: Findings
    summary: dict
    lines: tuple[str, ...]
    converged: bool

    def to_ase(self) -> dict[str, Any]:
        """The relaxed cell and its phases as ase.Atoms, by name."""
        return {name: io.to_ase(outcome.structure) for name, outcome in self.findings.outcomes.items()}


def template() -> str:
    """The study file that `simkit init` writes."""
    return resources.files("simkit.workflows").joinpath("configs", "template.toml").read_text(encoding="utf-8")


def settings(data: Mapping[str, Any]) -> Config:
    """The settings of a study file. Raises InputError with one line per mistake, and for cells that are no stack."""
    kind = kind_of(data)
    if kind != "stack":
        raise InputError(
            f"structure.kind = {kind!r}: a study compares a stack with its phases alone, so it runs on stacks only. "
            "Build this cell with `simkit build FILE --relax`, then take `simkit neb`, `glide` or `stress` to "
            "relaxed.extxyz."
        )
    settings = checked(Config, data)
    filled = [block.phase for block in settings.structure.blocks if block.phase in DECORATED]
    if filled:
        raise InputError(
            f"phase {filled[0]!r}: a study slides galleries and moves their ions, and this phase has metals there. "
            "Build the cell with `simkit build FILE --relax`, then take `simkit neb` or `stress` to relaxed.extxyz."
        )
    return settings


def run(  # noqa: PLR0913 (one for each thing a caller may bring)
    config: Config,
    out: str | Path,
    resume: bool = False,
    hooks: Hooks = QUIET,
    command: str = "",
    model: Potential | None = None,
    store: io.Store | None = None,
) -> Result:
    """Run a study into the directory `out`; with `resume` finished steps are read back, not repeated.

    store: where finished work is kept by content, shared with other studies; out/tasks when it is not given.
    model: a potential to use instead of the one the study names, as `potential.from_ase(calculator)`; on resuming,
    it is for the caller to bring the same one. A potential without atomic virials leaves out the stress maps.
    The request is checked whole before the directory is made: InputError for impossible cells, unknown elements,
    settings that cannot work, a directory that holds other work. Raises Stopped, with everything finished kept, when
    a relaxation meets numbers that are not finite or an exploding energy, or loses its layers.
    """
    whole, phases = checked_cells(config)
    loaded = load(config) if model is None else model
    for cell in (whole, *phases.values()):
        check_elements(cell.numbers, loaded.card)
    identity = {
        "model": f"{loaded.card.name} {loaded.card.sha256}".strip(),
        "simkit": versions()["simkit"],
        "commit": git_commit().removesuffix("+changes"),
    }
    directory = io.open_run(out, tomli_w.dumps(config.model_dump(exclude_none=True)), identity, resume)
    watched = committee.watched(config.committee, loaded, directory.path)
    ledger = Ledger(directory, potential.Counted(watched), watched)
    ledger.open(config.name, config.seed, command, loaded.card.device)
    keeper = Keeper(store or io.Store(directory.path / "tasks"), config, loaded.card, directory.path / "steps")
    kept = Hooks(keeper.keep, hooks.watch, under_way=UnderWay(directory))
    try:
        return _Study(config, ledger.model, ledger, kept).run(keeper.entering(ledger.step))
    except Stopped as stopped:
        told = committee.summary(ledger.record, watched)
        raise Stopped("\n".join([str(stopped), *(told.warnings if told else [])])) from stopped


def replay(config: Config, model: Potential, ledger: Ledger, hooks: Hooks, step: Step) -> None:
    """Go through the steps of a study with a `step` of one's own, which may skip steps and leave by an exception."""
    _Study(config, model, ledger, hooks).run(step)


def one_cell(config: Config, model: Potential, ledger: Ledger, hooks: Hooks, step: Step, phase: str) -> Cells:
    """A phase of a study, or (phase = "") the cell under study, relaxed: from what is kept, or made."""
    return _Study(config, model, ledger, hooks).one_cell(step, phase)


def checked_cells(config: Config) -> tuple[Structure, dict[str, Structure]]:
    """The cell of the study, and each of its phases by name, from starting heights.

    Raises InputError for what could only fail later.
    """
    whole = intergrowth(config.structure, config.seed).structure
    alkali = sorted({block.alkali for block in blocks_of(config.structure)})
    if config.migration.sites == "galleries" and config.migration.ion not in alkali:
        raise InputError(f"migration.ion = {config.migration.ion!r}: the galleries hold {', '.join(alkali)}; name one.")
    count = sum(block.gaps for block in config.structure.blocks)
    wrong = [] if config.gliding.galleries == "kinds" else [g for g in config.gliding.galleries if not 0 <= g < count]
    if wrong:
        raise InputError(f"gliding.galleries: {wrong[0]} does not exist; the cell has galleries 0 to {count - 1}.")
    return whole, {name: model.structure for name, model in phase_cells(config.structure, config.seed).items()}


def label(config: Config) -> str:
    """Name of the cell under study among its own phases: "P2/O3"."""
    names = list(dict.fromkeys(phase_names(config.structure)))
    return "/".join(names) if len(names) > 1 else f"{names[0]} stack"


def load(config: Config) -> Potential:
    """The potential a study names. Raises InputError for one that only the command line can vouch for."""
    if potential.parse(config.potential, config.device, config.dtype, None).trust is not None:
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

    def run(self, step: Step) -> Result:
        """Every step in order, each timed, counted and saved by `step(name, compute)`."""
        config = self.config
        phases = step("phases", self._phases)
        cell = step("cell", lambda: self._cell(phases))
        whole = step("relaxation", lambda: self._relaxed(cell))
        strained = step("strained phases", lambda: self._strained(phases, whole))
        given = {self.label: whole.structure, **{name: outcome.structure for name, outcome in phases.items()}}
        cells = Cells(self.label, given, {self.label: cell, **phase_cells(config.structure, config.seed)})
        hops = step("migration", lambda: moved(config, self.model, cells, self.hooks))
        nets = tuple(networks(config.migration, given, hops, cells.built)) if hops else ()
        glides = step("gliding", lambda: glided(config, self.model, cells, self.hooks))
        mapped = step("stress", lambda: self._mapped(given))
        more = self._added(cells, step)
        hindrance = energies.obstacle(config.structure, config.relax.cell, whole.structure, phases)
        known = None if hindrance else energies.against_phases(config.structure, whole, strained, phases)
        spreads = committee.summary(self.ledger.record, self.ledger.watched)
        found = Findings(
            self.label, cell, phases, strained, whole, known, hindrance, hops, glides, mapped, spreads, nets, more
        )
        return self._finish(found, step)

    def _finish(self, found: Findings, step: Step) -> Result:
        directory, name = self.ledger.directory, self.config.name
        summary, lines = step("report", lambda: _outputs().write(directory, name, found, self.model.card))
        good = found.converged
        self.ledger.mark("finished" if good else "finished, not everything converged")
        _outputs().page(directory)
        self.ledger.close()
        return Result(found, summary, tuple(lines), good)

    def _added(self, cells: Cells, step: Step) -> extras.Extras:
        """The steps whose tables are in the study."""
        found = {}
        for name, (table, _) in extras.STEPS.items():
            if getattr(self.config, table) is not None:
                found[name] = step(name, partial(added, self.config, self.model, cells, self.hooks, name))
        return extras.Extras(**found)

    def one_cell(self, step: Step, phase: str) -> Cells:
        """A phase, or the cell under study, relaxed."""
        built = phase_cells(self.config.structure, self.config.seed)
        if phase:
            outcome = step("phases", lambda: self._phase(phase, built[phase].structure))
            return Cells(self.label, {phase: outcome[phase].structure}, {phase: built[phase]})
        phases = step("phases", self._phases)
        cell = step("cell", lambda: self._cell(phases))
        whole = step("relaxation", lambda: self._relaxed(cell))
        return Cells(self.label, {self.label: whole.structure}, {self.label: cell})

    @property
    def label(self) -> str:
        return label(self.config)

    def _phases(self) -> dict[str, solve.Outcome]:
        relaxed: dict[str, solve.Outcome] = {}
        for name, cell in phase_cells(self.config.structure, self.config.seed).items():
            relaxed |= self._phase(name, cell.structure)
        return relaxed

    def _phase(self, name: str, cell: Structure) -> dict[str, solve.Outcome]:
        given = phase_content(self.config, cell)
        return self._usable(f"phase-{name}", self.config.relax, {name: cell}, given)

    def _cell(self, phases: Mapping[str, solve.Outcome]) -> build.Model:
        """The cell with the heights of its relaxed phases. Raises Stopped where one is no longer what it was."""
        for name, outcome in phases.items():
            kinds = foreign_galleries(name, outcome.structure)
            if kinds:
                raise Stopped(
                    f"phase {name} turned into galleries of kind {', '.join(kinds)} when relaxed alone: with this "
                    "potential it is not stable at this composition."
                )
        blocks = dict(zip(phase_names(self.config.structure), blocks_of(self.config.structure), strict=True))
        heights = {name: build.harvest(o.structure, blocks[name].distorted) for name, o in phases.items()}
        return named(intergrowth(self.config.structure, self.config.seed, heights), self.config.structure)

    def _relaxed(self, cell: build.Model) -> solve.Outcome:
        return self._usable("relaxation", self.config.relax, {self.label: cell.structure})[self.label]

    def _strained(self, phases: Mapping[str, solve.Outcome], whole: solve.Outcome) -> dict[str, solve.Outcome]:
        cells = {name: strained_to(o.structure, whole.structure.cell) for name, o in phases.items()}
        settings = self.config.relax.model_copy(update={"cell": "c"})
        return self._usable("strained-phases", settings, cells)

    def _usable(
        self, name: str, settings: relax.Config, cells: Mapping[str, Structure], given: Any = None
    ) -> dict[str, solve.Outcome]:
        """Relaxed cells, saved. A broken one is written to structures/ and raises Stopped; nothing broken is saved."""

        def compute() -> dict[str, solve.Outcome]:
            outcomes = relax.run(settings, self.model, cells, Hooks(watch=self.hooks.watch), name).outcomes
            for label, outcome in outcomes.items():
                trouble = broken(outcome)
                if trouble:
                    _outputs().write_stopped(self.ledger.directory, label, outcome.structure)
                    raise Stopped(f"{label}: {trouble}; the last good structure is in structures/")
            return outcomes

        return self.hooks.keep(name, compute, OUTCOMES, given)

    def _mapped(self, cells: Mapping[str, Structure]) -> stress.Result:
        if not self.model.card.virials:
            return stress.Result({})
        references = tuple(name for name in cells if name != self.label)
        return stress.run(self.config.stress, self.model, cells, references, self.hooks)


def broken(outcome: solve.Outcome) -> str:
    """Why a relaxation failed, or left a cell that is no longer a stack of slabs; or nothing."""
    if outcome.failed:
        return outcome.status
    try:
        build.classify(outcome.structure)
    except InputError as error:
        return f"the relaxation lost the layers: {error}"
    return ""


def _outputs() -> Any:
    return importlib.import_module(OUTPUTS)
