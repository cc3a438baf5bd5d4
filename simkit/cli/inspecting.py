"""`simkit classify` and `simkit match`: what a structure is, and which planes of two crystals fit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simkit import build, io
from simkit.errors import InputError
from simkit.structure import Structure

Files = Annotated[list[Path], typer.Argument(help="Structure files; of an extended XYZ every frame is read.")]
COLUMNS = (
    "Read in columns along the in-plane cell vector a or b: the one that crosses the boundaries, not the one they run "
    "along. Left out, both are tried, and a cell that is not uniform in the plane is read along the better one."
)
Columns = Annotated[str, typer.Option("--columns", help=COLUMNS)]
Checks = Annotated[bool, typer.Option("--checks", help="Also print what every check says.")]
Pair = Annotated[list[Path], typer.Argument(help="Two crystals; or one layered phase, matched with the tunnel phase.")]
Plane = Annotated[list[str] | None, typer.Option("--plane", help="h,k,l of the first and of the second crystal.")]
Area = Annotated[float, typer.Option("--max-area", help="Largest common cell, A^2.")]
Strain = Annotated[float, typer.Option("--max-strain", help="Largest principal strain or misfit, per cent.")]

MIXED = (
    "no layered cell along its third vector: metals and alkali ions share slabs and galleries alike (slabs cross that "
    "vector, as in a twin that is not basal, or the cations are disordered); of the anions alone: "
)
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
            typer.echo(f"{where}: {_asked(structure, columns) if columns else _found(structure)}")
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


def _found(structure: Structure) -> str:
    """In columns where the cell is not uniform in the plane, as one stack where it is."""
    domains = build.lateral_domains(structure)
    return _stack(structure) if domains is None else f"not uniform in the plane, {_columns(domains)}"


def _stack(structure: Structure) -> str:
    found = build.classify(structure)
    return (
        f"{MIXED if found.mixed else ''}{found.stack}, galleries {' '.join(found.stack.gaps())} ({_shares(found)}), "
        f"order parameter at least {found.order_parameter.min():.2f}, a = {found.a_A:.3f} A"
        f"{'' if found.mixed else _decorated(found)}"
    )


def _shares(found: build.Classification) -> str:
    gaps = found.stack.gaps()
    shares = {name: gaps.count(name) / len(gaps) for name in gaps} if found.mixed else found.fractions
    return ", ".join(f"{name} {share:.0%}" for name, share in shares.items())


def _decorated(found: build.Classification) -> str:
    """The galleries with metals, those of one kind and share together."""
    alike: dict[str, list[str]] = {}
    for j, (kind, share) in enumerate(found.decorated):
        if kind:
            text = kind if share > 0.99 else f"{share:.0%} {kind}"
            alike.setdefault(text, []).append(str(j))
    return "".join(f"; galler{'y' if len(j) == 1 else 'ies'} {', '.join(j)}: {text}" for text, j in alike.items())


def _asked(structure: Structure, normal: str) -> str:
    """In columns along the vector asked for, with a word where the other one crosses the boundaries."""
    text = _columns(build.classify_columns(structure, normal))
    better = build.lateral_domains(structure)
    if better is None or better.normal == normal:
        return text
    return f"{text}; the cell varies more along {better.normal}: read it with --columns {better.normal}"


def _columns(found: build.Columns) -> str:
    runs = ", ".join(f"{run.start_A:.1f} to {run.end_A:.1f} A {' '.join(run.gaps)}" for run in found.domains)
    shares = ", ".join(f"{name} {share:.0%}" for name, share in found.phase_fractions.items())
    return (
        f"columns along {found.normal}: {runs} ({shares}), order parameter at least {found.order_parameter.min():.2f}"
    )


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
