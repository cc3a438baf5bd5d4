"""`simkit potentials`: what is at hand, what it is, and whether it answers consistently."""

from __future__ import annotations

from typing import Annotated

import typer

from simkit import potential
from simkit.cli.doctor import FORCE_TOLERANCE_EV_PER_A, force_error

app = typer.Typer(help="Potentials: list, show, check.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="default, chgnet, mace-mp:medium, mace:FILE, simkit:FILE ...")]
Trust = Annotated[str | None, typer.Option("--trust", help="Name or SHA-256 of a pickled model file you trust.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:0.")]


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
        "device": card.device, "atomic virials": "yes" if card.virials else "no", "licence": card.licence,
        "source": card.source, "sha256": card.sha256,
    }  # fmt: skip
    for key, value in facts.items():
        typer.echo(f"  {key}: {value or '-'}")
    for limit in card.limits:
        typer.echo(f"  limit: {limit}")


@app.command()
def check(name: Name, trust: Trust = None, device: Device = "auto") -> None:
    """Forces against finite differences of the energy, in float64, on a small P2 NaCoO2 cell."""
    error, seconds = force_error(potential.load(name, device=device, dtype="float64", trust=trust))
    good = error < FORCE_TOLERANCE_EV_PER_A
    verdict = "ok" if good else f"FAILED, allowed is {FORCE_TOLERANCE_EV_PER_A}"
    typer.echo(f"{name}: force against finite difference {error:.1e} eV/A in {seconds:.1f} s: {verdict}")
    raise typer.Exit(0 if good else 1)
