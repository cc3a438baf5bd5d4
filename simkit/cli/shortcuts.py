"""One command per step, on structure files: build, relax, neb; glide, stress and elastic are in `mechanics`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from simkit import config, io, potential
from simkit.cli import mechanics
from simkit.cli.building import build_command, require_free
from simkit.cli.paths import neb_command
from simkit.cli.progress import watching
from simkit.errors import InputError
from simkit.potential.base import check_elements
from simkit.workflows import committee, relax
from simkit.workflows.common import Hooks

Files = Annotated[list[Path], typer.Argument(help="Structure files: .cif, .extxyz, .xyz, POSCAR, .vasp, .lammps-data")]
Out = Annotated[Path, typer.Option("--out", help="Folder for what is made; new or empty.")]
PotentialName = Annotated[str, typer.Option("--potential", help="See: simkit potentials list.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:0.")]
Trust = Annotated[str | None, typer.Option("--trust", help="Name or SHA-256 of a pickled model file you trust.")]
Assignments = Annotated[list[str] | None, typer.Option("--set", help="key=value of the step's settings; repeatable.")]


@dataclass(frozen=True)
class Asked:
    """What every step is told on the command line."""

    files: list[Path]
    out: Path
    potential: str
    device: str
    trust: str | None
    settings: list[str]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("build")(build_command)
    app.command("relax")(relax_command)
    app.command("neb")(neb_command)
    mechanics.register(app)


@contextmanager
def prepared(asked: Asked, model: type[config.Record]) -> Iterator[tuple]:
    """Checked settings, the loaded potential, the structures by name, and hooks with progress.

    At the end a committee says how far its members were apart; its limits are set as committee.KEY=VALUE.
    """
    given = config.with_overrides({}, asked.settings)
    words = {name: given.pop(name) for name in ("committee",) if name in given}
    limits = config.checked(committee.Settings, words).committee
    settings = config.checked(model, given)
    structures = mechanics.named(asked.files)
    require_free(asked.out)
    loaded = committee.watched(limits, potential.load(asked.potential, device=asked.device, trust=asked.trust))
    for structure in structures.values():
        check_elements(structure.numbers, loaded.card)
    made = not asked.out.exists()
    asked.out.mkdir(parents=True, exist_ok=True)
    try:
        with watching(Console(stderr=True)) as watch:
            yield settings, loaded, structures, Hooks(watch=watch)
    except InputError:
        if made:
            asked.out.rmdir()
        raise
    for line in committee.finish(asked.out, loaded):
        typer.echo(line)


def relax_command(
    files: Files,
    out: Out = Path("relaxed"),
    potential_name: PotentialName = "default",
    device: Device = "auto",
    trust: Trust = None,
    set_: Assignments = None,
) -> None:
    """Relax structures in one batch."""
    asked = Asked(files, out, potential_name, device, trust, set_ or [])
    with prepared(asked, relax.Config) as (settings, loaded, structures, hooks):
        result = relax.run(settings, loaded, structures, hooks)
    for name, o in result.outcomes.items():
        known = {"energy_eV": o.evaluation.energy, "status": o.status, **committee.spread_of(o.evaluation)}
        io.write(out / f"{name}.extxyz", o.structure, known)
        io.write(out / f"{name}.cif", o.structure)
        typer.echo(f"{name}: {o.status}; {o.evaluation.energy:.6f} eV, {o.fmax_eV_per_A:.4f} eV/A, {o.steps} steps")
    raise typer.Exit(0 if result.converged else 1)


def write_json(path: Path, value: object) -> None:
    """Write plain data as JSON, atomically."""
    io.write_atomic(path, io.json_bytes(value))
