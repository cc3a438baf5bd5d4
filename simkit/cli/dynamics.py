"""`simkit md`: molecular dynamics on structure files, taken up, made longer, written out."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from simkit import config, io, potential
from simkit.cli.progress import watching
from simkit.errors import InputError
from simkit.potential.base import Potential
from simkit.structure import Structure
from simkit.workflows import diffusion
from simkit.workflows.common import Hooks
from simkit.workflows.md import TRAJECTORIES

Files = Annotated[
    list[Path] | None, typer.Argument(help="Structure files (.cif, .extxyz, POSCAR ...); none with --resume.")
]
Out = Annotated[Path, typer.Option("--out", help="Run directory; new or empty, or that of the run to take up.")]
Resume = Annotated[bool, typer.Option("--resume", help="Take up the run in --out; it ends after its steps, no more.")]
Temperature = Annotated[list[float] | None, typer.Option("--temperature", help="K; repeat for a ladder.")]
Length = Annotated[float | None, typer.Option("--length-ps", help="Length of each run, ps.")]
Ensemble = Annotated[str | None, typer.Option("--ensemble", help="nve, nvt or npt.")]
Replicas = Annotated[int | None, typer.Option("--replicas", help="Runs at each temperature.")]
PotentialName = Annotated[str, typer.Option("--potential", help="See: simkit potentials list.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:0.")]
Dtype = Annotated[str, typer.Option("--dtype", help="float32 or float64.")]
Trust = Annotated[str | None, typer.Option("--trust", help="Name or SHA-256 of a pickled model file you trust.")]
Assignments = Annotated[
    list[str] | None, typer.Option("--set", help="key=value, as dynamics.timestep_fs=0.5, committee.keep=5.")
]
Directory = Annotated[Path, typer.Argument(help="Run directory of simkit md.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("md")(md_command)
    app.command("md-extend")(extend_command)
    app.command("md-export")(export_command)


def md_command(  # noqa: PLR0913 (one option each)
    files: Files = None,
    out: Out = Path("dynamics"),
    resume: Resume = False,
    temperature: Temperature = None,
    length_ps: Length = None,
    ensemble: Ensemble = None,
    replicas: Replicas = None,
    potential_name: PotentialName = "default",
    device: Device = "auto",
    dtype: Dtype = "float32",
    trust: Trust = None,
    set_: Assignments = None,
) -> None:
    """Molecular dynamics of structures at one or more temperatures: diffusion, stacking over time, report."""
    if resume:
        if files or set_ or temperature or length_ps or ensemble or replicas:
            raise InputError("--resume takes the run up as it was begun: give --out and the potential, nothing else.")
        settings, structures = diffusion.stored(out)
    else:
        flags = [("temperatures_K", temperature), ("length_ps", length_ps), ("replicas", replicas)]
        words = [f"dynamics.{key}={value}" for key, value in flags if value]
        words += [f'dynamics.ensemble="{ensemble}"'] if ensemble else []
        settings = config.checked(diffusion.Config, config.with_overrides({}, [*words, *(set_ or [])]))
        structures = _read(files or [])
    loaded = potential.load(potential_name, device=device, dtype=dtype, trust=trust)
    _run(settings, loaded, structures, out, resume)


def extend_command(
    directory: Directory,
    length_ps: Annotated[float, typer.Option("--length-ps", help="Length of each run in all, ps.")],
    potential_name: PotentialName = "default",
    device: Device = "auto",
    dtype: Dtype = "float32",
    trust: Trust = None,
) -> None:
    """Make a run longer: it goes on from its last state as if it had been asked for so much from the start."""
    diffusion.stored(directory)  # a wrong folder is told before a model is read
    loaded = potential.load(potential_name, device=device, dtype=dtype, trust=trust)
    _tell(directory, lambda hooks, command: diffusion.extend(directory, length_ps, loaded, hooks, command))


def export_command(
    directory: Directory,
    name: Annotated[str, typer.Argument(help="Trajectory; without it the names are listed.")] = "",
    file: Annotated[Path, typer.Option("--to", help="Extended XYZ file to write.")] = Path("trajectory.extxyz"),
    every: Annotated[int, typer.Option("--every", min=1, help="Every so many stored frames.")] = 1,
) -> None:
    """Write a stored trajectory as extended XYZ; it may still be running."""
    run = io.open_trajectories(directory / TRAJECTORIES)
    if not name:
        for known in run.names:
            typer.echo(f"{known}: {len(run.column(known, 'frames', 'step'))} frames")
        return
    frames = io.write_extxyz(run, name, file, every)
    typer.echo(f"wrote {file}: {frames} frames of {name}")


def _read(files: list[Path]) -> dict[str, Structure]:
    if not files:
        raise InputError("name at least one structure file, or take a run up with --resume.")
    structures = {path.stem: io.read(path) for path in files}
    if len(structures) < len(files):
        raise InputError("two of the files have the same name; rename one, results are kept by name.")
    return structures


def _run(
    settings: diffusion.Config, loaded: Potential, structures: dict[str, Structure], out: Path, resume: bool
) -> None:
    _tell(out, lambda hooks, command: diffusion.run(settings, loaded, structures, out, resume, hooks, command))


def _tell(out: Path, work: Callable[[Hooks, str], diffusion.Result]) -> None:
    """Do the work under progress, say what came of it, and leave with the exit code."""
    command = shlex.join(["simkit", *sys.argv[1:]])
    with watching(Console(stderr=True)) as watch:
        result = work(Hooks(watch=watch), command)
    for line in result.lines:
        typer.echo(line)
    typer.echo(f"report: {(out / 'report.html').resolve()}")
    raise typer.Exit(0 if result.converged else 1)
