"""Gliding, stress and elastic constants: on structure files, or as a study from one TOML file, taken up again."""

from __future__ import annotations

import hashlib
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from simkit import config, io, potential, solve
from simkit.cli.progress import watching
from simkit.errors import InputError, nearest
from simkit.potential.base import check_elements
from simkit.structure import Structure
from simkit.workflows import (
    committee,
    elastic,
    rundirs,
    stress,
    stress_study,
)
from simkit.workflows import gliding_lock as lock
from simkit.workflows.common import Hooks
from simkit.workflows.glides import files as glides
from simkit.workflows.glides import report as told
from simkit.workflows.stresses import figures as stress_figures
from simkit.workflows.stresses import report as stress_report
from simkit.workflows.structures import Request

Inputs = Annotated[
    list[Path],
    typer.Argument(help="Structure files (.cif, POSCAR ...), or one study: a .toml file or a shipped name."),
]
Out = Annotated[Path | None, typer.Option("--out", help="Run directory; default: named after the command.")]
Resume = Annotated[bool, typer.Option("--resume", help="Take up the run in --out, point by point.")]
PotentialName = Annotated[str | None, typer.Option("--potential", help="See: simkit potentials list.")]
Device = Annotated[str | None, typer.Option("--device", help="auto, cpu, cuda or cuda:0.")]
Trust = Annotated[str | None, typer.Option("--trust", help="Name or SHA-256 of a pickled model file you trust.")]
Assignments = Annotated[list[str] | None, typer.Option("--set", help="key=value of the settings; repeatable.")]


@dataclass(frozen=True)
class Asked:
    """What every command is told."""

    inputs: list[Path]
    out: Path
    resume: bool
    potential: str | None
    device: str | None
    trust: str | None
    settings: list[str]

    @property
    def study(self) -> Path | None:
        """The study file, where that is what was given: a TOML file, or the name of a shipped study."""
        if len(self.inputs) != 1:
            return None
        word = self.inputs[0]
        if word.suffix == ".toml":
            return word
        return None if word.exists() else rundirs.shipped("glide", "stress").get(str(word))

    def data(self) -> dict[str, Any]:
        """The study file with the assignments, potential and device of the command line."""
        given = [("device", self.device), ("potential", self.potential)]
        flags = [f'{name}="{value}"' for name, value in given if value is not None]
        return config.with_overrides(config.read_toml(self.study or self.inputs[0]), [*self.settings, *flags])


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("glide")(glide_command)
    app.command("stress")(stress_command)
    app.command("elastic")(elastic_command)


def named(files: list[Path]) -> dict[str, Structure]:
    """Structures by the stem of their file. Raises InputError when two files share one."""
    structures = {path.stem: io.read(path) for path in files}
    if len(structures) < len(files):
        raise InputError("two of the files have the same name; rename one, results are kept by name.")
    return structures


@contextmanager
def running(asked: Asked, settings: config.Section, request: Request, elements: Any) -> Iterator[rundirs.Run]:
    """An open run directory with the potential loaded; one that InputError leaves empty-handed is removed again."""
    made = not asked.out.exists()
    name, device = asked.potential or request.potential, asked.device or request.device
    model = potential.load(name, device=device, dtype=request.dtype, trust=asked.trust)
    for structure in elements:
        check_elements(structure.numbers, model.card)
    files = {} if asked.study else {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in asked.inputs}
    command = shlex.join(["simkit", *sys.argv[1:]])
    with watching(Console(stderr=True)) as watch:
        where = rundirs.Where(asked.out, asked.resume, Hooks(watch=watch), command)
        run = rundirs.opened(settings, request, model, where, files)
        try:
            yield run
        except InputError:
            if made:
                shutil.rmtree(asked.out, ignore_errors=True)
            raise


def settings_of(asked: Asked, model: type[config.Record]) -> tuple[config.Record, Request]:
    """Checked settings of a step on files, and the request that names the run and its committee's limits."""
    given = config.with_overrides({}, asked.settings)
    words = {name: given.pop(name) for name in ("committee",) if name in given}
    limits = config.checked(committee.Settings, words).committee
    title = ", ".join(path.stem for path in asked.inputs)
    return config.checked(model, given), Request(name=title, committee=limits)


def finish(run: rundirs.Run, results: dict[str, Any], figures: dict[str, object], converged: bool) -> Path:
    """Write results, figures and page, with what a committee said; returns the page."""
    return run.finish(committee.told(results, _spreads(run)), figures, converged)


def ended(run: rundirs.Run, page: Path, converged: bool) -> None:
    """Say what a committee said and where the page is, and leave with 0, or 1 where not everything converged."""
    found = _spreads(run)
    for line in [] if found is None else found.lines:
        typer.echo(line)
    typer.echo(f"report: {page.resolve()}")
    raise typer.Exit(0 if converged else 1)


def _spreads(run: rundirs.Run) -> committee.Summary | None:
    return committee.summary(run.ledger.record, run.ledger.watched)


def glide_command(  # noqa: PLR0913 (one option each)
    inputs: Inputs,
    out: Out = None,
    resume: Resume = False,
    surface: Annotated[bool, typer.Option("--surface", help="Whole gamma surfaces instead of lines.")] = False,
    slabs: Annotated[bool, typer.Option("--slabs", help="Single slabs between their two galleries.")] = False,
    to: Annotated[list[str] | None, typer.Option("--to", help="Collective path to a phase, as O2; repeatable.")] = None,
    potential_name: PotentialName = None,
    device: Device = None,
    trust: Trust = None,
    set_: Assignments = None,
) -> None:
    """Gliding: lines between letters, --surface, --slabs, --to PHASE, or a study file of the lock over contents."""
    given = [*(set_ or []), *([f"targets={list(to)}"] if to else [])]
    asked = Asked(inputs, out or Path("gliding"), resume, potential_name, device, trust, given)
    kinds = [name for name, wanted in (("surface", surface), ("slabs", slabs), ("collective", bool(to))) if wanted]
    if len(kinds) > 1:
        raise InputError(f"{' and '.join(kinds)} are {len(kinds)} questions; ask one at a time.")
    if asked.study is not None:
        _lock_study(asked)
    kind = kinds[0] if kinds else "lines"
    structures = named(asked.inputs)
    settings, request = settings_of(asked, glides.CONFIGS[kind])
    with running(asked, settings, request, structures.values()) as run:
        found = run.ledger.step("gliding", lambda: glides.run(kind, settings, run.model, structures, run.hooks))
        results, figures = glides.page(request.name, kind, found, run.model.card)
        glides.write(run.directory, kind, found)
        page = finish(run, results, figures, glides.converged(kind, found))
    for line in glides.lines(kind, found):
        typer.echo(line)
    ended(run, page, glides.converged(kind, found))


def _lock_study(asked: Asked) -> None:
    settings = config.checked(lock.Config, asked.data())
    with running(asked, settings, settings, []) as run:
        result = run.ledger.step("lock", lambda: lock.run(settings, run.model, run.hooks))
        glides.write_lock(run.directory, result)
        results = told.lock_page(settings.name, result, run.model.card)
        page = finish(run, results, told.lock_figures(result), result.converged)
    for line in told.lock_lines(result):
        typer.echo(line)
    ended(run, page, result.converged)


def stress_command(  # noqa: PLR0913 (one option each)
    inputs: Inputs,
    out: Out = None,
    resume: Resume = False,
    reference: Annotated[
        list[str] | None, typer.Option("--reference", help="Stem of a file that is a bulk phase.")
    ] = None,
    potential_name: PotentialName = None,
    device: Device = None,
    trust: Trust = None,
    set_: Assignments = None,
) -> None:
    """Stress maps: of files, with --reference in excess of bulk phases; or a study file of cells and states."""
    asked = Asked(inputs, out or Path("stress"), resume, potential_name, device, trust, set_ or [])
    if asked.study is not None:
        settings = config.checked(stress_study.Config, asked.data())
        with running(asked, settings, settings, []) as run:
            result = run.ledger.step("stress", lambda: stress_study.run(settings, run.model, run.hooks))
            _end_stress(run, settings.name, result.maps, result.converged)
    structures = named(asked.inputs)
    for name in reference or []:
        if name not in structures:
            raise InputError(f"--reference {name!r} is none of the files; {nearest(name, structures)}")
    settings, request = settings_of(asked, stress.Config)
    with running(asked, settings, request, structures.values()) as run:
        given = tuple(reference or ())
        found = run.ledger.step("stress", lambda: stress.run(settings, run.model, structures, given, run.hooks))
        maps = tuple(stress_study.Mapped("as given", name, m, solve.CONVERGED, {}) for name, m in found.maps.items())
        _end_stress(run, request.name, maps, True)


def _end_stress(run: rundirs.Run, name: str, maps: tuple[stress_study.Mapped, ...], converged: bool) -> None:
    stress_report.write(run.directory, stress_report.maps_of(maps))
    figures = stress_figures.draw(maps, run.model.card)
    page = finish(run, stress_report.page(name, maps, run.model.card), figures, converged)
    for line in stress_report.lines(maps):
        typer.echo(line)
    ended(run, page, converged)


def elastic_command(
    inputs: Inputs,
    out: Out = None,
    resume: Resume = False,
    potential_name: PotentialName = None,
    device: Device = None,
    set_: Assignments = None,
) -> None:
    """Elastic constants, moduli along and across the layers, and stability, of structure files."""
    asked = Asked(inputs, out or Path("elastic"), resume, potential_name, device, None, set_ or [])
    structures = named(asked.inputs)
    settings, request = settings_of(asked, elastic.Config)
    with running(asked, settings, request, structures.values()) as run:
        found = run.ledger.step("elastic", lambda: elastic.run(settings, run.model, structures, run.hooks))
        page = finish(run, elastic.page(request.name, found, run.model.card), {}, True)
    for name, answer in found.answers.items():
        io.write(asked.out / f"{name}.extxyz", answer.structure)
        typer.echo(elastic.line(name, answer))
    ended(run, page, True)
