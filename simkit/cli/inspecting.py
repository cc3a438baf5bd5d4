"""`simkit classify` and `simkit match`: what a structure is, and which planes of two crystals fit."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from simkit import build, io
from simkit.errors import InputError
from simkit.structure import Structure

Files = Annotated[list[Path], typer.Argument(help="Structure files; of an extended XYZ every frame is read.")]
Columns = Annotated[str, typer.Option("--columns", help="Read in columns along the cell vector a or b (boundaries).")]
Checks = Annotated[bool, typer.Option("--checks", help="Also print what every check says.")]
Pair = Annotated[list[Path], typer.Argument(help="Two crystals; or one layered phase, matched with the tunnel phase.")]
Plane = Annotated[list[str] | None, typer.Option("--plane", help="h,k,l of the first and of the second crystal.")]
Area = Annotated[float, typer.Option("--max-area", help="Largest common cell, A^2.")]
Strain = Annotated[float, typer.Option("--max-strain", help="Largest principal strain or misfit, per cent.")]

NO_MATCH = "no match within these bounds; raise --max-area or --max-strain."


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("classify")(classify_command)
    app.command("match")(match_command)


def classify_command(files: Files, columns: Columns = "", checks: Checks = False) -> None:
    """Stacking of built, relaxed or MD cells from coordinates alone."""
    for path in files:
        frames = [f.structure for f in io.read_frames(path)] if path.suffix in (".extxyz", ".xyz") else [io.read(path)]
        for k, structure in enumerate(frames):
            where = f"{path.name} frame {k}" if len(frames) > 1 else path.name
            typer.echo(f"{where}: {_columns(structure, columns) if columns else _stack(structure)}")
            if checks:
                typer.echo(build.validate(structure).text())


def match_command(crystals: Pair, plane: Plane = None, max_area: Area = 200.0, max_strain: Strain = 4.0) -> None:
    """Common cells of two crystals' planes, or of a layered phase and the tunnel phase, smallest first."""
    structures = [io.read(path) for path in crystals]
    if len(structures) == 1:
        lines = _tunnel_lines(structures[0], max_area, max_strain)
    elif len(structures) == 2:
        lines = _plane_lines(structures, plane or ["0,0,1", "0,0,1"], build.MatchSearch(max_area, max_strain))
    else:
        raise InputError(f"{len(structures)} files; give one layered phase, or two crystals.")
    typer.echo("\n".join(lines) if len(lines) > 1 else NO_MATCH)


def _stack(structure: Structure) -> str:
    found = build.classify(structure)
    counts = Counter(found.stack.gaps())
    shares = ", ".join(f"{name} {n / len(found.stack):.0%}" for name, n in counts.items())
    return (
        f"{found.stack}, galleries {' '.join(found.stack.gaps())} ({shares}), order parameter at least "
        f"{found.order_parameter.min():.2f}, a = {found.a_A:.3f} A"
    )


def _columns(structure: Structure, normal: str) -> str:
    found = build.classify_columns(structure, normal)
    runs = ", ".join(f"{run.start_A:.1f} to {run.end_A:.1f} A {' '.join(run.gaps)}" for run in found.domains)
    shares = ", ".join(f"{name} {share:.0%}" for name, share in found.phase_fractions.items())
    return f"columns along {normal}: {runs} ({shares}), order parameter at least {found.order_parameter.min():.2f}"


def _plane_lines(structures: list[Structure], planes: list[str], search: build.MatchSearch) -> list[str]:
    if len(planes) != 2:
        raise InputError(f"--plane was given {len(planes)} time(s); give it twice, as --plane 0,0,1 --plane 1,1,1.")
    indices = [_indices(text) for text in planes]
    found = build.match_table(structures[0].cell, structures[1].cell, [indices[0]], [indices[1]], search)
    rows = [f"{m.area_A2:8.1f}  {m.strain_percent[0]:+6.2f} {m.strain_percent[1]:+6.2f}  " for m in found]
    cells = [f"{m.matrix_a} on {m.matrix_b}" for m in found]
    return ["area A^2  strains %       supercells", *(row + cell for row, cell in zip(rows, cells, strict=True))]


def _tunnel_lines(layered: Structure, max_area: float, max_strain: float) -> list[str]:
    found = build.classify(layered)
    bounds = build.Search(max_area_A2=max_area, max_misfit_percent=max_strain)
    table = build.tunnel_matches(found.a_A, _period_A(found), None, bounds)
    rows = [
        f"{m.area_A2:8.1f}  {m.along_percent:+6.2f} {m.across_percent:+6.2f}  ({m.tunnel}) on ({m.layered}), "
        f"{m.periods[0]} x {m.periods[1]} periods{'' if m.buildable else ' (table only)'}"
        for m in table
    ]
    return ["area A^2  along, across %  planes (tunnel on layered), a hypothesis each", *rows]


def _period_A(found: build.Classification) -> float:
    """Height of the smallest repeat of the stacking, A; a stack closed by a shear repeats after three times itself."""
    slabs, count = found.slabs, len(found.stack)
    repeat = next(p for p in range(1, count + 1) if count % p == 0 and slabs == slabs[:p] * (count // p))
    return found.height_A * (3 if found.stack.shear else repeat / count)


def _indices(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if len(parts) != 3 or not all(p.strip().lstrip("-").isdecimal() for p in parts):
        raise InputError(f"--plane {text!r} is not h,k,l; write it like 1,1,1 or 1,-1,0.")
    return tuple(int(p) for p in parts)
