"""Commands of simkit: each parses its words and hands over to a workflow."""

from __future__ import annotations

import shlex
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from simkit import config, io, report
from simkit.cli import benching, campaigns, diffraction, dynamics, inspecting, potentials, shortcuts, standing
from simkit.cli import doctor as doctor_checks
from simkit.cli.progress import watching
from simkit.errors import InputError, Interrupted, SimkitError
from simkit.io.record import is_alive
from simkit.potential import load
from simkit.workflows import building
from simkit.workflows import study as studies
from simkit.workflows.common import Hooks

DISK_EXIT_CODE = 74
"""The operating system refused: a full disk, a folder that may not be written."""

app = typer.Typer(
    name="simkit",
    help="Builds intergrown layered-oxide cathodes and computes sodium barriers, gliding energies and stress maps.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(potentials.app, name="potentials")
shortcuts.register(app)
inspecting.register(app)
campaigns.register(app)
dynamics.register(app)
diffraction.register(app)
benching.register(app)

Study = Annotated[
    Path, typer.Argument(help="Study file (see simkit init) or recipe of a stack (see simkit build --list).")
]
Out = Annotated[Path | None, typer.Option("--out", help="Run directory; default runs/<name of the study file>.")]
Store = Annotated[Path | None, typer.Option("--store", help="Folder tasks/ of a campaign whose finished work is used.")]
Resume = Annotated[bool, typer.Option("--resume", help="Take up the run in --out where it stopped.")]
Device = Annotated[str | None, typer.Option("--device", help="auto, cpu, cuda or cuda:0.")]
Trust = Annotated[str | None, typer.Option("--trust", help="Name or SHA-256 of a pickled model file you trust.")]
PotentialName = Annotated[str | None, typer.Option("--potential", help="See: simkit potentials list.")]
Assignments = Annotated[list[str] | None, typer.Option("--set", help="key=value, as relax.max_steps=50; repeatable.")]


@app.command()
def run(  # noqa: PLR0913 (one option each)
    study: Study,
    out: Out = None,
    resume: Resume = False,
    device: Device = None,
    potential: PotentialName = None,
    trust: Trust = None,
    set_: Assignments = None,
    store: Store = None,
) -> None:
    """Run a study: build, relax, migrate, glide, map the stress, write the report."""
    given = [("device", device), ("potential", potential)]
    flags = [f'{name}="{value}"' for name, value in given if value is not None]
    file = building.locate(study)
    settings = studies.settings(config.with_overrides(config.read_toml(file), [*(set_ or []), *flags]))
    console = Console(stderr=True)
    folder = out if out is not None else Path("runs") / study.stem
    command = shlex.join(["simkit", *sys.argv[1:]])
    model = None if trust is None else load(settings.potential, settings.device, settings.dtype, trust)
    with watching(console) as watch:
        kept = None if store is None else io.Store(store)
        result = studies.run(settings, folder, resume, Hooks(watch=watch), command, model, kept)
    for line in result.lines:
        typer.echo(line)
    typer.echo(f"report: {(folder / 'report.html').resolve()}")
    raise typer.Exit(0 if result.converged else 1)


@app.command()
def init(path: Annotated[Path, typer.Argument(help="File to write.")] = Path("study.toml")) -> None:
    """Write a study file to start from, with every key explained."""
    if path.exists():
        raise InputError(f"{path} exists already; name another file.")
    io.write_atomic(path, studies.template().encode())
    typer.echo(f"wrote {path}; run it with: simkit run {path}")


@app.command("report")
def report_command(directory: Annotated[Path, typer.Argument(help="Run directory.")]) -> None:
    """Write report.html of a run directory again."""
    if not directory.is_dir():
        raise InputError(f"no such run directory: {directory}.")
    typer.echo(report.write_report(io.RunDirectory(directory, "")))


@app.command()
def status(
    directory: Annotated[Path, typer.Argument(help="Run directory, or folder of a campaign.")],
    watch: campaigns.Watch = False,
) -> None:
    """What a run or a campaign has finished and how it ended."""
    if standing.is_campaign(directory):
        raise typer.Exit(standing.show(directory, watch, typer.echo))
    record = io.RunDirectory(directory, "").read_json("record.json")
    gone = record["status"] == "running" and not is_alive(record["pid"], record["host"])
    note = " (its process is gone: take it up again with simkit run --resume)" if gone else ""
    typer.echo(f"{record['study']}: {record['status']}{note}")
    for step in record["steps"]:
        typer.echo(f"  {step['name']:<12} {step['status']:<12} {step['wall_time_s']:8.1f} s")


@app.command()
def doctor(device: Device = None) -> None:
    """Versions, device, potentials, and a one-second self-check."""
    healthy = doctor_checks.examine(typer.echo, device or "auto")
    raise typer.Exit(0 if healthy else 1)


def main() -> None:
    """Entry point: one clear line per mistake, exit codes of execution (0, 1, 2, 74, 75)."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(name, _interrupt)
    try:
        app()
    except SimkitError as error:
        for line in str(error).splitlines():
            print(f"simkit: {line}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
    except OSError as error:
        print(f"simkit: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(DISK_EXIT_CODE)


def _interrupt(number: int, frame: object) -> None:
    again = "take the run up again with --resume"
    remedies = {
        "run": again, "neb": again, "glide": again, "stress": again, "elastic": again, "md": again, "md-extend": again,
        "submit": "what was begun goes on with simkit resume",
        "potentials": "what was finished is kept: give the command again",
    }  # fmt: skip
    remedy = remedies.get("".join(sys.argv[1:2]), "nothing is kept of it: give the command again")
    raise Interrupted(f"stopped by {signal.Signals(number).name}; {remedy}.")
