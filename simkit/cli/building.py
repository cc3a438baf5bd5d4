"""`simkit build`: a cell from a recipe or a file, the list of recipes, the gallery."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from simkit import potential
from simkit.cli.progress import watching
from simkit.errors import InputError
from simkit.workflows import building, committee, gallery, keys, settling
from simkit.workflows.common import Hooks

Word = Annotated[
    str,
    typer.Argument(help="Name of a recipe (see --list), a TOML file with a structure table, or with --keys a kind."),
]
Out = Annotated[Path, typer.Option("--out", help="Folder for what is made; new or empty.")]
Assignments = Annotated[list[str] | None, typer.Option("--set", help="key=value, as structure.repeats=[4,4].")]
Seed = Annotated[int | None, typer.Option("--seed", help="Another arrangement of metals and ions.")]
Relax = Annotated[bool, typer.Option("--relax", help="Relax atoms and cell, then check what became of the phases.")]
PotentialName = Annotated[str, typer.Option("--potential", help="For --relax, --orders; see: simkit potentials list.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:0.")]
Trust = Annotated[str | None, typer.Option("--trust", help="Name or SHA-256 of a pickled model file you trust.")]
Orders = Annotated[int, typer.Option("--orders", min=0, help="Rank so many arrangements of the ions by energy.")]
List = Annotated[bool, typer.Option("--list", help="List the recipes and build nothing.")]
Keys = Annotated[bool, typer.Option("--keys", help="Every key of a [structure] table; of the kind named, or of all.")]
Gallery = Annotated[Path | None, typer.Option("--gallery", help="Draw every recipe into this folder.")]


def build_command(  # noqa: PLR0913 (one option each)
    recipe: Word = "",
    out: Out = Path("cell"),
    set_: Assignments = None,
    seed: Seed = None,
    relax: Relax = False,
    orders: Orders = 0,
    potential_name: PotentialName = "default",
    device: Device = "auto",
    trust: Trust = None,
    list_: List = False,
    gallery_: Gallery = None,
    keys_: Keys = False,
) -> None:
    """Build a cell, check it, and write it with a picture and its report; --list names what is at hand."""
    if keys_:
        typer.echo(keys.text(recipe))
        return
    if list_:
        typer.echo(gallery.table())
        return
    if gallery_ is not None:
        gallery.write(gallery_, typer.echo)
        return
    if not recipe:
        raise InputError("name a recipe or a file to build; simkit build --list shows the recipes.")
    assignments = [*(set_ or []), *([] if seed is None else [f"seed={seed}"])]
    asked = building.load(recipe, assignments)
    require_free(out)
    cell = building.run(*asked)
    loaded = _loaded(cell, potential_name, device, trust) if relax or orders else None
    ranked = settling.rank(cell, loaded, orders) if loaded is not None and orders else []
    building.write(out, cell)
    typer.echo(building.text(cell))
    typer.echo(f"wrote {out}/: {', '.join(sorted(path.name for path in out.iterdir()))}")
    if ranked:
        typer.echo("\n".join(settling.write_orders(out, cell, ranked)))
    if loaded is not None:
        good = _settled(out, cell, loaded) if relax else True
        _tell_spread(out, loaded)
        raise typer.Exit(0 if good else 1)


def _loaded(cell: building.Cell, name: str, device: str, trust: str | None) -> potential.Watched:
    """The potential asked for, watched as the cell's [committee] table says."""
    return committee.watched(cell.request.committee, potential.load(name, device=device, trust=trust))


def _tell_spread(out: Path, loaded: potential.Watched) -> None:
    """What a committee has to say, where the potential is one."""
    for line in committee.finish(out, loaded):
        typer.echo(line)


def _settled(out: Path, cell: building.Cell, loaded: potential.Potential) -> bool:
    """Relax and report; True where the relaxation converged or the potential cannot do it."""
    with watching(Console(stderr=True)) as watch:
        result = settling.run(cell, loaded, Hooks(watch=watch))
    settling.write(out, cell, result)
    typer.echo(result.text())
    return result.good


def require_free(out: Path) -> None:
    """Raise InputError when the output folder is a file or holds something."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"--out {out} exists and is not an empty folder; name another.")
