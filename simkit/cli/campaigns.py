"""Campaigns on the command line: submit, drive, status, resume, cancel, retry, verify."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import tomli_w
import typer

from simkit import io
from simkit.cli import driving
from simkit.cli.standing import SITE_FILE, submitted
from simkit.slurm import queue, script, site
from simkit.workflows.campaign import plan, run, stopping
from simkit.workflows.campaign import status as standing

JOB_FILE = "runs/job.sh"

File = Annotated[Path, typer.Argument(help="Campaign file, or a study file: a campaign of one.")]
Folder = Annotated[Path, typer.Argument(help="Folder of a campaign.")]
Out = Annotated[Path | None, typer.Option("--out", help="Folder of the campaign; default runs/<name of the file>.")]
SiteName = Annotated[str, typer.Option("--site", help="Site file (*.toml), or a shipped one: gpu-cluster, many-gpus.")]
Engine = Annotated[str, typer.Option("--engine", help="slurm; local: this machine's processes; inline: this process.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the batch script and the graph; submit nothing.")]
Workers = Annotated[int | None, typer.Option("--workers", help="With local: so many processes on the CPU.")]
Partition = Annotated[str | None, typer.Option("--partition")]
Account = Annotated[str | None, typer.Option("--account")]
Gpus = Annotated[int | None, typer.Option("--gpus", help="Per node; 0: CPU only.")]
Time = Annotated[str | None, typer.Option("--time", help="Limit of one job, HH:MM:SS; longer work goes on in another.")]
Nodes = Annotated[int | None, typer.Option("--nodes")]
MaxJobs = Annotated[int | None, typer.Option("--max-jobs", help="More than 1: so many jobs that come and go.")]
Spread = Annotated[int | None, typer.Option("--spread", min=1, help="So many workers may share the work of one study.")]
Watch = Annotated[bool, typer.Option("--watch", help="Look again every few seconds until it is over.")]
Which = Annotated[list[str] | None, typer.Argument(help="Keys or steps; all failed tasks where none is named.")]

CANCEL_ROUNDS = 3
CANCEL_PAUSE_S = 1.0


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("submit")(submit_command)
    app.command("drive", hidden=True)(drive_command)
    app.command("resume")(resume_command)
    app.command("cancel")(cancel_command)
    app.command("retry")(retry_command)
    app.command("verify")(verify_command)


def submit_command(  # noqa: PLR0913 (one option each)
    file: File,
    out: Out = None,
    site_: SiteName = "",
    engine: Engine = "slurm",
    partition: Partition = None,
    account: Account = None,
    gpus: Gpus = None,
    time_: Time = None,
    nodes: Nodes = None,
    max_jobs: MaxJobs = None,
    spread: Spread = None,
    workers: Workers = None,
    dry_run: DryRun = False,
) -> None:
    """Submit a campaign (many studies) or a study to SLURM, or run it here with --engine local; twice is safe."""
    given = {"partition": partition, "account": account, "gpus": gpus, "time": time_, "nodes": nodes}
    given |= {"max_jobs": max_jobs, "workers": workers}
    if workers is not None and gpus is None:
        given["gpus"] = 0
    settings = site_settings(site_, given)
    resolved = run.resolve(file, spread)
    root = (out if out is not None else Path("runs") / file.stem).resolve()
    text = batch_script(root, resolved.name, site.site(settings)) if engine == "slurm" else ""
    if dry_run:
        typer.echo(text + "\n".join(graph(resolved)))
        return
    run.write(file, root, resolved)
    io.write_atomic(root / SITE_FILE, tomli_w.dumps(settings).encode())
    start(root, resolved.name, engine, text)


def site_settings(word: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """A site's tables with what the command line says, checked."""
    settings = {
        **(site.read(word) if word else {}),
        **{key: value for key, value in given.items() if value is not None},
    }
    return site.site(settings).model_dump()


def job(root: Path, name: str, settings: site.Site) -> script.Job:
    """The job of a campaign; its name in the queue is made of letters that a queue accepts."""
    command = Path(settings.activate, "bin", "simkit") if settings.activate else Path(sys.executable).parent / "simkit"
    return script.Job(str(root), str(command), io.file_name(name)[:40] or "campaign")


def batch_script(root: Path, name: str, settings: site.Site) -> str:
    """The text of a campaign's job."""
    return script.script(job(root, name, settings), settings)


def start(root: Path, name: str, engine: str, text: str) -> None:
    """Hand over to SLURM, or drive here."""
    if engine != "slurm":
        raise typer.Exit(driving.drive(root, engine, typer.echo))
    known = queue.queued(submitted(root))
    if known:
        typer.echo(f"already in the queue as job {', '.join(one.job for one in known)}: {known[0].state.lower()}")
        return
    (root / stopping.FILE).unlink(missing_ok=True)
    io.write_atomic(root / JOB_FILE, text.encode())
    number = queue.submit(root / JOB_FILE)
    with (root / "runs" / "jobs").open("a") as stream:
        stream.write(f"{number}\n")
    typer.echo(f"submitted {name} as job {number}; look at it with: simkit status {root}")


def drive_command(root: Folder, engine: Annotated[str, typer.Option("--engine")] = "local") -> None:
    """Drive a campaign from here: what a batch script calls."""
    raise typer.Exit(driving.drive(root, engine, driving.said))


def resume_command(root: Folder, engine: Engine = "slurm") -> None:
    """Take a campaign up again, with the settings it was submitted with."""
    root = root.resolve()
    resolved = plan.read(root)
    text = batch_script(root, resolved.name, driving.settings_of(root)) if engine == "slurm" else ""
    start(root, resolved.name, engine, text)


def cancel_command(root: Folder) -> None:
    """Stop a campaign: running tasks save what they have, jobs leave the queue; simkit resume takes it up again."""
    plan.read(root)
    (root / stopping.FILE).touch()
    cancelled: set[str] = set()
    for _ in range(CANCEL_ROUNDS):  # a job that is ending may just have queued its successor
        jobs = [one.job for one in queue.queued(submitted(root)) if one.job not in cancelled]
        queue.cancel(jobs)
        cancelled |= set(jobs)
        time.sleep(CANCEL_PAUSE_S if cancelled else 0)
    typer.echo(f"told to stop; {len(cancelled)} jobs cancelled. Take it up again with: simkit resume {root}")


def retry_command(root: Folder, which: Which = None) -> None:
    """Let failed tasks be tried again, for the next resume."""
    count = run.retry(root, which or [])
    typer.echo(f"{count} failed tasks will be tried again with: simkit resume {root}")


def verify_command(root: Folder) -> None:
    """Read every result again and check it; what is damaged is set aside and made again by the next resume."""
    resolved = plan.read(root)
    found = standing.verify(root, resolved)
    for line in found:
        typer.echo(line)
    typer.echo(f"{len(found)} damaged" if found else "every result is as it was written")
    raise typer.Exit(74 if found else 0)


def graph(resolved: plan.Plan) -> list[str]:
    """The tasks in words: how many of each step, what each study needs, what is shared."""
    tasks, members = list(resolved.tasks.values()), len(resolved.members)
    steps = dict.fromkeys(task.title for task in tasks)
    lines = [f"{resolved.name}: {members} studies, {len(tasks)} tasks in {len(resolved.units())} units"]
    for step in steps:
        found = [task for task in tasks if task.title == step]
        needs = dict.fromkeys(resolved.tasks[key].title for task in found for key in task.needs)
        lines.append(f"  {len(found):>6} {step}" + (f", after {', '.join(needs)}" if needs else ""))
    for member in resolved.members.values():
        lines.append(
            f"  {member.name}: " + (", ".join(f"{k} = {v}" for k, v in member.changes.items()) or "as written")
        )
    return lines
