"""`simkit potentials`: what is at hand, what it is, and whether it answers consistently."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from simkit import config, io, potential
from simkit.cli.distilling import distill_command
from simkit.cli.doctor import FORCE_TOLERANCE_EV_PER_A, force_error
from simkit.errors import InputError, SimkitError
from simkit.workflows import scorecard
from simkit.workflows.common import Hooks
from simkit.workflows.distill.dataset import Labelled, checksum, read_extxyz, read_labels

app = typer.Typer(help="Potentials: list, show, check, compare, distill.", no_args_is_help=True)
app.command("distill")(distill_command)

Name = Annotated[str, typer.Argument(help="default, chgnet, mace-mp:medium, mace:FILE, simkit:FILE ...")]
Trust = Annotated[str | None, typer.Option("--trust", help="Name or SHA-256 of a pickled model file you trust.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:0.")]
Labels = Annotated[
    Path | None,
    typer.Option("--labels", help="Held-out labels: .extxyz(.gz), or a file of simkit's; default: the model's own."),
]
Quick = Annotated[bool, typer.Option("--quick", help="Fewer and smaller cells: minutes.")]
Rows = Annotated[
    list[str] | None, typer.Option("--row", help=f"Only this subject; repeatable: {', '.join(scorecard.ROWS)}.")
]
Out = Annotated[Path | None, typer.Option("--out", help="Folder of the result; default scorecards/NAME.")]
Cache = Annotated[Path | None, typer.Option("--cache", help="Folder of numbers saved before, to share; default --out.")]
MdPs = Annotated[float | None, typer.Option("--md-ps", help="Length of the dynamics; default 100, quick 0.4.")]
Strict = Annotated[bool, typer.Option("--strict", help="End with 1 when a goal is missed.")]

ALONE = (
    "the numbers stand alone: the card names {teacher!r} as teacher, which is not loaded: {why}. "
    "Give one with --teacher (a pickle that you trust as mace:FILE?trust=NAME)."
)


@dataclass(frozen=True)
class Asked:
    """What `check` and `compare` are told alike; other: the second name; both: its dynamics and errors."""

    name: str
    other: str | None
    quick: bool
    rows: list[str] | None
    md_ps: float | None
    both: bool
    labels: Path | None
    out: Path | None
    cache: Path | None


@app.command("list")
def list_command() -> None:
    """Names that --potential accepts."""
    for name, summary in potential.available():
        typer.echo(f"{name:<16} {summary}")


@app.command()
def show(name: Name, trust: Trust = None, device: Device = "auto") -> None:
    """The card of a potential: origin, licence, elements, limits."""
    known = potential.card_of(name)
    card = potential.load(name, device=device, trust=trust).card if known is None else known
    typer.echo(f"{card.name}: {card.summary}")
    elements = "decided by the calculator" if card.elements is None else ", ".join(card.elements)
    cutoff = "-" if card.cutoff_A is None else f"{card.cutoff_A:.2f} A"
    facts = {
        "kind": card.kind, "elements": elements, "cutoff": cutoff, "dtype": card.dtype,
        "device": card.device, "atomic virials": "yes" if card.virials else "no",
        "committee": ", ".join(card.committee), "licence": card.licence,
        "source": card.source, "teacher": card.teacher, "sha256": card.sha256,
    }  # fmt: skip
    for key, value in facts.items():
        typer.echo(f"  {key}: {value or '-'}")
    for limit in card.limits:
        typer.echo(f"  limit: {limit}")
    scores = potential.scorecard_of(name)
    if scores is not None:
        typer.echo(f"  scorecard: {scores}")


@app.command()
def check(  # noqa: PLR0913 (one option each)
    name: Name,
    teacher: Annotated[
        str | None, typer.Option("--teacher", help="Held against this one; default: its card's.")
    ] = None,
    alone: Annotated[bool, typer.Option("--alone", help="Its own numbers, held against no teacher.")] = False,
    labels: Labels = None,
    quick: Quick = False,
    rows: Rows = None,
    out: Out = None,
    cache: Cache = None,
    md_ps: MdPs = None,
    device: Device = "auto",
    trust: Trust = None,
    strict: Strict = False,
) -> None:
    """The scorecard of a potential: forces against energies in float64, then phases, barriers, dynamics ... in a table.

    Beside a teacher every number has a difference, and goals are met or missed; a missed goal ends with 0 unless
    --strict. Forces that are not the slope of the energy end with 1. The numbers stand alone with --alone, and where
    the teacher that the card names cannot be loaded or is a pickled file: a card vouches for none.
    """
    if alone and teacher is not None:
        raise InputError(f"--alone and --teacher {teacher} exclude one another; leave one out.")
    asked = Asked(name, None, quick, rows, md_ps, False, labels, out, cache)
    error, seconds = force_error(potential.load(name, device=device, dtype="float64", trust=trust))
    good = error < FORCE_TOLERANCE_EV_PER_A
    verdict = "ok" if good else f"FAILED, allowed is {FORCE_TOLERANCE_EV_PER_A}"
    typer.echo(f"{name}: force against finite difference {error:.1e} eV/A in {seconds:.1f} s: {verdict}")
    subject = potential.load(name, device=device, trust=trust)
    beside = None
    if not alone:
        beside = taught_by(subject.card, device) if teacher is None else potential.load(teacher, device=device)
    first = scorecard.consistency(error, FORCE_TOLERANCE_EV_PER_A)
    card = written(asked, subject, beside, [first])
    raise typer.Exit(0 if good and (card.met or not strict) else 1)


@app.command()
def compare(  # noqa: PLR0913 (one option each)
    name: Name,
    other: Annotated[str, typer.Argument(help="What it is held against; a pickle as mace:FILE?trust=NAME.")],
    labels: Labels = None,
    quick: Quick = False,
    rows: Rows = None,
    out: Out = None,
    cache: Cache = None,
    md_ps: MdPs = None,
    device: Device = "auto",
    trust: Trust = None,
    strict: Strict = False,
) -> None:
    """The scorecard of a potential beside another, with molecular dynamics and errors of both."""
    asked = Asked(name, other, quick, rows, md_ps, True, labels, out, cache)
    subject = potential.load(name, device=device, trust=trust)
    card = written(asked, subject, potential.load(other, device=device), [])
    raise typer.Exit(0 if card.met or not strict else 1)


def taught_by(card: potential.Card, device: str) -> potential.Potential | None:
    """The teacher that a card names; None where it names none, and, with the reason said, where it cannot be loaded.

    A card comes with a file from anywhere, so a `?trust=` on it is no consent of the user's, and no pickled file is
    loaded; known models of mace-mp are, which come from their publisher.
    """
    if not card.teacher:
        return None
    try:
        if potential.parse(card.teacher, device, "float32", None).trust is not None:
            raise InputError("a pickle can run any program and is not loaded on the word of a card")
        return potential.load(card.teacher, device=device)
    except SimkitError as error:
        typer.echo(ALONE.format(teacher=card.teacher, why=str(error).rstrip(".")), err=True)
        return None


def written(
    asked: Asked, subject: potential.Potential, other: potential.Potential | None, first: list[scorecard.Row]
) -> scorecard.Scorecard:
    """The scorecard, computed, printed and saved as scorecard.json, scorecard.md, figures and scorecard.html."""
    settings: dict[str, Any] = {"quick": asked.quick, "md_ps": asked.md_ps, "both": asked.both}
    settings |= {"rows": asked.rows} if asked.rows else {}
    config_ = config.checked(scorecard.Config, settings)
    found = labels_for(asked, config_)
    out = asked.out or Path("scorecards") / io.file_name(subject.card.name)
    cache = asked.cache or out
    for folder in (out, cache):
        folder.mkdir(parents=True, exist_ok=True)
    hooks = Hooks(keep=io.RunDirectory(cache, "scorecard").step)
    compared = scorecard.Compared(subject, other, found.labels, found.words, apart(asked, found))
    card = scorecard.run(config_, compared, hooks, lambda row: typer.echo(f"  {row} ...", err=True), first)
    parity = scorecard.predicted(config_, compared, hooks)
    page = scorecard.publish(card, subject.card, out, parity, shlex.join(["simkit", *sys.argv[1:]]))
    typer.echo(scorecard.markdown(card))
    typer.echo(f"saved: {page.resolve()}")
    return card


def labels_for(asked: Asked, settings: scorecard.Config) -> scorecard.Belonging:
    """What --labels names; else the labels that belong to the model, where the row of errors is wanted, said so."""
    if asked.labels is not None:
        return scorecard.Belonging(read(asked.labels), f"labels: {asked.labels}")
    if "errors" not in settings.rows:
        return scorecard.Belonging(None, "no row asks for labels")
    found = scorecard.labels_of(asked.name)
    typer.echo(found.words, err=True)
    return found


def apart(asked: Asked, found: scorecard.Belonging) -> str:
    """Why the other potential of `compare` is not asked about labels that are not its own; "" where it is."""
    if asked.other is None or asked.labels is not None or found.labels is None:
        return ""
    theirs = scorecard.labels_of(asked.other).labels
    if theirs is not None and checksum(theirs) == checksum(found.labels):
        return ""
    return (
        f"{asked.other} is not asked: the labels are those of {asked.name}, and it may have learnt them or have "
        "another teacher; give labels that neither has seen with --labels."
    )


def read(path: Path) -> list[Labelled]:
    """Labels from a user's extended XYZ file, or from one that simkit wrote. Raises InputError without such a file."""
    if not path.is_file():
        raise InputError(f"--labels {path} is no file; give extended XYZ, or labels that simkit wrote.")
    return read_extxyz(path) if path.name.removesuffix(".gz").endswith((".xyz", ".extxyz")) else read_labels(path)
