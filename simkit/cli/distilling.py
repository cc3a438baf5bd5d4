"""`simkit potentials distill`: from a recipe, or from labels of one's own, to a small fast model."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from simkit.workflows.distill.recipe import read_recipe
from simkit.workflows.distill.run import Given, distill

Recipe = Annotated[str, typer.Argument(help="TOML file (teacher, cells, model), or a shipped one: nalox, fine-tune.")]
Out = Annotated[Path, typer.Option("--out", help="Folder of labels, trainings, model; taken up again.")]
Data = Annotated[
    list[Path] | None,
    typer.Option(
        "--data", help="Labels of your own (extended XYZ: energy, forces, stress) in place of a teacher's; repeatable."
    ),
]
Add = Annotated[
    list[Path] | None,
    typer.Option("--add", help="Structures for the teacher to label besides those drawn; repeatable."),
]
Start = Annotated[Path | None, typer.Option("--start", help="A model to go on from: its .json, or nalox.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Change one key of the recipe: training.epochs=50.")]


def distill_command(
    recipe: Recipe, out: Out, data: Data = None, add: Add = None, start: Start = None, settings: Set = None
) -> None:
    """Make a small fast model from a teacher, or from your own labels. Stages that are done are not done again."""
    begun = time.monotonic()

    def tell(sentence: str) -> None:
        typer.echo(f"{time.monotonic() - begun:7.0f} s  {sentence}")

    made = distill(read_recipe(recipe, settings or []), out, Given(tuple(data or ()), start, tuple(add or ())), tell)
    for path in made.models:
        typer.echo(f"simkit:{path}")
