"""`simkit xrd`: powder patterns over the ion content and the temperature, as operando diffraction draws them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simkit.cli.mechanics import (
    Asked,
    Assignments,
    Device,
    Out,
    PotentialName,
    Resume,
    Trust,
    ended,
    finish,
    named,
    running,
    settings_of,
)
from simkit.workflows import xrd

Files = Annotated[list[Path], typer.Argument(help="Structure files (.cif, .extxyz, POSCAR ...).")]
Contents = Annotated[
    list[float] | None,
    typer.Option("--content", help="Ions per formula unit each cell is brought to; repeat. None: cells as they come."),
]
Temperatures = Annotated[
    list[float] | None, typer.Option("--temperature", help="K, of molecular dynamics whose mean diffracts; repeat.")
]
Relaxed = Annotated[bool, typer.Option("--relax/--as-given", help="Whether cells are relaxed before.")]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("xrd")(xrd_command)


def xrd_command(  # noqa: PLR0913 (one option each)
    files: Files,
    out: Out = None,
    resume: Resume = False,
    content: Contents = None,
    temperature: Temperatures = None,
    relaxed: Relaxed = True,
    potential_name: PotentialName = None,
    device: Device = None,
    trust: Trust = None,
    set_: Assignments = None,
) -> None:
    """Powder patterns as contour maps over the ion content, and over the temperature: operando diffraction."""
    words = [f"contents={content}"] if content else []
    words += [f"temperatures_K={temperature}"] if temperature else []
    words += [] if relaxed else ["relaxed=false"]
    asked = Asked(files, out or Path("xrd"), resume, potential_name, device, trust, [*words, *(set_ or [])])
    structures = named(asked.inputs)
    settings, request = settings_of(asked, xrd.Config)
    with running(asked, settings, request, structures.values()) as run:
        place = run.directory.path
        found = run.ledger.step("diffraction", lambda: xrd.run(settings, run.model, structures, place, run.hooks))
        xrd.write(run.directory, found)
        figures = xrd.figures(found)
        results = xrd.page(request.name, found, run.model.card, list(figures))
        page = finish(run, results, figures, found.converged)
    for line in xrd.lines(found):
        typer.echo(line)
    ended(run, page, found.converged)
