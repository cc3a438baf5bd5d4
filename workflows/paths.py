"""Ion paths of a study: every hop of an intergrowth and of its phases alone, over sodium contents and metal seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from simkit import build, io, potential, solve
from simkit.errors import InputError, Stopped
from simkit.io.record import git_commit, versions
from simkit.io.rundir import RunDirectory
from simkit.potential.base import Potential, check_elements
from simkit.structure import Structure
from simkit.workflows import committee, migration, outputs, relax
from simkit.workflows.cells import blocks_of, intergrowth, named, phase_cells, phase_names, strained_to
from simkit.workflows.common import QUIET, Hooks
from simkit.workflows.findings import foreign_galleries
from simkit.workflows.hops import outputs as files
from simkit.workflows.hops.choice import choose
from simkit.workflows.hops.compare import Variant
from simkit.workflows.ledger import Ledger
from simkit.workflows.structures import Built, StackConfig
from simkit.workflows.study import OUTCOMES, Config
from simkit.workflows.under_way import UnderWay


@dataclass(frozen=True, eq=False)
class Result:
    """What was found, the content of results.json, lines for the terminal, and whether everything converged."""

    found: files.Found
    summary: dict[str, Any]
    lines: tuple[str, ...]
    converged: bool

    def to_ase(self) -> dict[str, list[Any]]:
        """The images of each path as ase.Atoms, by hop name."""
        return migration.Result(tuple(self.found.hops)).to_ase()


@dataclass(frozen=True)
class Job:
    """What a run is told besides its settings: where to write, whether to take up, and what to log."""

    out: str | Path
    resume: bool = False
    command: str = ""


@dataclass(frozen=True, eq=False)
class _Variant:
    about: Variant
    stack: StackConfig


def run(config: Config, job: Job, hooks: Hooks = QUIET, model: Potential | None = None) -> Result:
    """Build and relax every variant and its phases alone, then find all their hops, bands and networks in one batch.

    model: a potential to use instead of the one the study names. Finished work is read back with `job.resume`, hop by
    hop. A cell that cannot be built or relaxed is named among the problems and left out. Raises InputError for a
    request that cannot work, Stopped where no cell is left.
    """
    asked = _variants(config)
    loaded = potential.load(config.potential, device=config.device, dtype=config.dtype) if model is None else model
    for one in asked:
        check_elements(intergrowth(one.stack, one.about.seed).structure.numbers, loaded.card)
    ledger = open_ledger(job, tomli_w.dumps(config.model_dump(exclude_none=True)), loaded, config)
    return _Run(config, asked, ledger, _kept(ledger, hooks)).run()


def open_ledger(job: Job, settings: str, loaded: Potential, about: Config | About) -> Ledger:
    """The run directory with its record begun; the potential inside counts and is watched."""
    identity = {
        "model": f"{loaded.card.name} {loaded.card.sha256}".strip(),
        "simkit": versions()["simkit"],
        "commit": git_commit().removesuffix("+changes"),
    }
    directory = io.open_run(job.out, settings, identity, job.resume)
    watched = committee.watched(about.committee, loaded, directory.path)
    ledger = Ledger(directory, potential.Counted(watched), watched)
    ledger.open(about.name, about.seed, job.command, loaded.card.device)
    return ledger


def _kept(ledger: Ledger, hooks: Hooks) -> Hooks:
    """Hooks that keep everything in the run directory, what is under way included."""
    return Hooks(ledger.directory.step, hooks.watch, under_way=UnderWay(ledger.directory))


def _variants(config: Config) -> list[_Variant]:
    """Every content with every seed. Raises InputError for contents or seeds that cannot be."""
    asked = config.paths
    if any(not 0 < x <= 1 for x in asked.contents) or any(s < 0 for s in asked.seeds):
        raise InputError(
            f"paths.contents = {asked.contents}, paths.seeds = {asked.seeds}: contents lie above 0 and up to 1 per "
            "metal, seeds are 0 or more."
        )
    names = list(dict.fromkeys(phase_names(config.structure)))
    base = "/".join(names) if len(names) > 1 else f"{names[0]} stack"
    made = []
    for content in asked.contents or [None]:
        blocks = [b if content is None else b.model_copy(update={"content": content}) for b in config.structure.blocks]
        stack = config.structure.model_copy(update={"blocks": blocks})
        for seed in asked.seeds or [config.seed]:
            tail = (f", x = {content:g}" if content is not None else "") + (f", seed {seed}" if asked.seeds else "")
            alone = {name: f"{name} alone{tail}" for name in dict.fromkeys(phase_names(stack))}
            pure = alone if asked.pure and len(names) > 1 else {}
            made.append(_Variant(Variant(base + tail, pure, content, seed), stack))
    return made


@dataclass(frozen=True, eq=False)
class _Run:
    config: Config
    asked: Sequence[_Variant]
    ledger: Ledger
    hooks: Hooks

    def run(self) -> Result:
        """Every step in order, each timed, counted and kept."""
        step, problems = self.ledger.step, list[str]()
        models = {one.about.label: phase_cells(one.stack, one.about.seed) for one in self.asked}
        phases = step("phases", lambda: self._phases(models, problems))
        cells = step("cell", lambda: self._cells(phases, problems))
        wholes = step("relaxation", lambda: self._relaxed("relaxation", cells, self.config.relax, problems))
        strained = step("strained phases", lambda: self._strained(phases, wholes, problems))
        if not wholes:
            raise Stopped("no cell of the study is left: " + " ".join(problems))
        built, everything = dict(cells), {**wholes, **strained}
        for one in self.asked:
            built |= {label: models[one.about.label][name] for name, label in one.about.phases.items()}
        settings, mine = self.config.migration, {label: built[label] for label in everything}
        moved = step(
            "migration",
            lambda: migration.run(settings, self.ledger.model, everything, self.hooks, models=mine),
        )
        nets = step("networks", lambda: migration.networks(settings, everything, moved, mine))
        about = [one.about for one in self.asked if one.about.label in wholes]
        found = files.Found(self.config.name, settings, everything, moved.hops, nets, about, problems, moved.attempts)
        return finish(self.ledger, found)

    def _phases(self, models: Mapping[str, Mapping[str, build.Model]], problems: list[str]) -> dict[str, Structure]:
        """Every phase of every variant relaxed alone, by "label: phase"."""
        cells = {f"{label}: {name}": m for label, parts in models.items() for name, m in parts.items()}
        relaxed = self._relaxed("phases", cells, self.config.relax, problems)
        for key in list(relaxed):
            kinds = foreign_galleries(key.rpartition(": ")[2], relaxed[key])
            if kinds:
                problems.append(f"{key} turned into galleries of kind {', '.join(kinds)} when relaxed alone.")
                del relaxed[key]
        return relaxed

    def _cells(self, phases: Mapping[str, Structure], problems: list[str]) -> dict[str, build.Model]:
        """The cell of every variant whose phases all relaxed, from the heights of those."""
        made = {}
        for one in self.asked:
            blocks = dict(zip(phase_names(one.stack), blocks_of(one.stack), strict=True))
            if any(f"{one.about.label}: {name}" not in phases for name in blocks):
                continue
            heights = {
                name: build.harvest(phases[f"{one.about.label}: {name}"], block.distorted)
                for name, block in blocks.items()
            }
            try:
                made[one.about.label] = named(intergrowth(one.stack, one.about.seed, heights), one.stack)
            except InputError as error:
                problems.append(f"{one.about.label} could not be built: {error}")
        return made

    def _strained(
        self, phases: Mapping[str, Structure], wholes: Mapping[str, Structure], problems: list[str]
    ) -> dict[str, Structure]:
        """Each phase alone on the in-plane lattice of its variant, relaxed along the normal."""
        cells = {}
        for one in self.asked:
            if one.about.label in wholes:
                plane = wholes[one.about.label].cell
                for name, label in one.about.phases.items():
                    cells[label] = strained_to(phases[f"{one.about.label}: {name}"], plane)
        settings = self.config.relax.model_copy(update={"cell": "c"})
        return self._relaxed("strained-phases", cells, settings, problems)

    def _relaxed(
        self, name: str, cells: Mapping[str, build.Model | Structure], settings: relax.Config, problems: list[str]
    ) -> dict[str, Structure]:
        """Relaxed structures; those that broke down or lost their layers become problems."""
        given = {label: c if isinstance(c, Structure) else c.structure for label, c in cells.items()}
        if not given:
            return {}

        def compute() -> dict[str, solve.Outcome]:
            return relax.run(settings, self.ledger.model, given, Hooks(watch=self.hooks.watch), name).outcomes

        outcomes = self.hooks.keep(name, compute, OUTCOMES)
        good = {}
        for label, outcome in outcomes.items():
            if not outcome.converged:
                problems.append(f"Relaxation of {label}: {outcome.status}.")
            if not outcome.failed:
                good[label] = outcome.structure
        return good


def finish(ledger: Ledger, found: files.Found) -> Result:
    """Write everything, mark how it ended, and free the directory."""
    directory: RunDirectory = ledger.directory
    spreads = committee.summary(ledger.record, ledger.watched)
    summary = ledger.step("report", lambda: files.write(directory, found, ledger.model.card, spreads))
    good = not found.warnings
    ledger.mark("finished" if good else "finished, not everything converged")
    outputs.page(directory)
    ledger.close()
    lines = files.lines(found) + ([] if spreads is None else spreads.lines)
    return Result(found, summary, tuple(lines), good)


@dataclass(frozen=True)
class About:
    """What `run_files` is told of its structures: title, seed, when the members of a committee are too far apart, and
    the built cells, by name, whose sites are to be used."""

    name: str
    seed: int = 0
    committee: committee.Config = field(default_factory=committee.Config)
    built: Mapping[str, Built] = field(default_factory=dict)


def built_beside(path: str | Path, structure: Structure) -> Built | None:
    """The built cell that a structure file was made from, where `simkit build` left its recipe beside the file.

    None where there is no recipe or its cell holds other atoms or another order. Raises InputError for a recipe that
    cannot be read or rebuilt.
    """
    recipe = Path(path).parent / "recipe.json"
    if not recipe.is_file():
        return None
    built = build.rebuild(RunDirectory(recipe.parent, "").read_json("recipe.json"))
    return built if np.array_equal(built.structure.numbers, structure.numbers) else None


def run_files(
    settings: migration.Config,
    structures: Mapping[str, Structure],
    loaded: Potential,
    job: Job,
    about: About,
    hooks: Hooks = QUIET,
) -> Result:
    """Hops, bands and networks of given relaxed structures, by name.

    about: name, seed, committee limits and built cells, for the record and for their sites. Raises InputError as
    `migration.run` does.
    """
    for structure in structures.values():
        check_elements(structure.numbers, loaded.card)
    # a request without hops is refused before anything is made
    choose(settings, structures, about.built)
    texts = {name: io.text("cell.extxyz", structure) for name, structure in structures.items()}
    given = {"migration": settings.model_dump(exclude_none=True), "structures": texts}
    ledger = open_ledger(job, tomli_w.dumps(given), loaded, about)
    kept = _kept(ledger, hooks)
    built = about.built
    moved = ledger.step("migration", lambda: migration.run(settings, ledger.model, structures, kept, models=built))
    nets = ledger.step("networks", lambda: migration.networks(settings, structures, moved, built))
    return finish(ledger, files.Found(about.name, settings, structures, moved.hops, nets, attempts=moved.attempts))
