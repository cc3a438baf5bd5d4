"""`simkit neb`: hops, barriers and networks of a study's cells or of structure files."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from simkit import config, io, potential
from simkit.cli.progress import watching
from simkit.errors import InputError
from simkit.workflows import building, committee, migration, paths, rundirs, study
from simkit.workflows.common import Hooks

Inputs = Annotated[
    list[str],
    typer.Argument(help="A study (TOML or shipped: neb-p2-o3), a recipe, or relaxed files: .cif, .extxyz, POSCAR ..."),
]
Out = Annotated[Path, typer.Option("--out", help="Run directory; new or empty, or one to take up with --resume.")]
Resume = Annotated[bool, typer.Option("--resume", help="Take up the run in --out hop by hop.")]
PotentialName = Annotated[str | None, typer.Option("--potential", help="See: simkit potentials list.")]
Device = Annotated[str | None, typer.Option("--device", help="auto, cpu, cuda or cuda:0.")]
Trust = Annotated[str | None, typer.Option("--trust", help="Name or SHA-256 of a pickled model file you trust.")]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", help="key=value: hops=distinct, mechanisms=['divacancy']; of a study migration.hops=all."),
]


def neb_command(  # noqa: PLR0913 (one option each)
    inputs: Inputs,
    out: Out = Path("migration"),
    resume: Resume = False,
    potential_name: PotentialName = None,
    device: Device = None,
    trust: Trust = None,
    set_: Assignments = None,
) -> None:
    """Barriers of the hops of an ion, how they percolate, and what diffuses over them; one of each class of hops."""
    job = paths.Job(out, resume, shlex.join(["simkit", *sys.argv[1:]]))
    given = [("potential", potential_name), ("device", device), ("trust", trust)]
    named = {key: value for key, value in given if value is not None}
    ready = {**building.recipes(), **rundirs.shipped("neb")}
    tomls = [word for word in inputs if word.endswith(".toml") or word in ready]
    if tomls and len(inputs) > 1:
        raise InputError(f"{tomls[0]} is a study: give it alone, or give structure files only.")
    with watching(Console(stderr=True)) as watch:
        if tomls:
            result = _study(ready.get(tomls[0], tomls[0]), job, named, set_ or [], watch)
        else:
            result = _files(inputs, job, named, set_ or [], watch)
    for line in result.lines:
        typer.echo(line)
    typer.echo(f"report: {(out / 'report.html').resolve()}")
    raise typer.Exit(0 if result.converged else 1)


def _study(file: str | Path, job: paths.Job, named: dict[str, str], assignments: list[str], watch) -> paths.Result:
    data = config.read_toml(Path(file))
    table = data.setdefault("migration", {})
    if isinstance(table, dict):
        table.setdefault("hops", "distinct")
    words = [f'{key}="{value}"' for key, value in named.items() if key != "trust"]
    settings = study.settings(config.with_overrides(data, [*assignments, *words]))
    model = None
    if "trust" in named:
        model = potential.load(settings.potential, settings.device, settings.dtype, named["trust"])
    return paths.run(settings, job, Hooks(watch=watch), model)


def _files(words: list[str], job: paths.Job, named: dict[str, str], assignments: list[str], watch) -> paths.Result:
    given = config.with_overrides({"hops": "distinct"}, assignments)
    limits = config.checked(committee.Settings, {k: given.pop(k) for k in ("committee",) if k in given}).committee
    settings = config.checked(migration.Config, given)
    structures = {Path(word).stem: io.read(word) for word in words}
    if len(structures) < len(words):
        raise InputError("two of the files have the same name; rename one, results are kept by name.")
    name, device = named.get("potential", "default"), named.get("device", "auto")
    loaded = potential.load(name, device=device, trust=named.get("trust"))
    beside = {Path(word).stem: paths.built_beside(word, structures[Path(word).stem]) for word in words}
    built = {name: cell for name, cell in beside.items() if cell is not None}
    about = paths.About(", ".join(structures), committee=limits, built=built)
    return paths.run_files(settings, structures, loaded, job, about, Hooks(watch=watch))
