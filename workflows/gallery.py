"""The shipped recipes as a table and as a page of pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from simkit import io, plot
from simkit.workflows import building, figures, formulas
from simkit.workflows.building import Cell

PICTURE_DPI = 80
COLOURS = 128
HEAD = """# Gallery

Every recipe that ships with simkit, built from starting heights and drawn before relaxation. Phases are patches of
colour, atoms discs. `simkit build NAME` makes the cell; `simkit build --gallery DIR` makes this page.
"""


def rows() -> list[tuple[str, ...]]:
    """One row per recipe: name, system, kind, atoms, phases, elements, source."""
    table = []
    for name in building.recipes():
        _, request = building.load(name)
        about = request.about
        table.append(
            (
                name,
                about.system,
                request.structure.kind,
                str(about.atoms),
                phases(request),
                elements(request),
                about.source,
            )
        )
    return table


def phases(request: Any) -> str:
    """Phases of a recipe in their order, each once."""
    return "/".join(dict.fromkeys(phase for phase, _ in request.structure.parts))


def elements(request: Any) -> str:
    """Elements that a recipe asks for, ions first."""
    names: dict[str, None] = {}
    for _, composition in request.structure.parts:
        ions = [composition.alkali] if composition.mean_content else []
        tables = (composition.dopants, composition.tetrahedral, composition.mean_metals, composition.anions)
        names.update(dict.fromkeys([*ions, *(symbol for table in tables for symbol in table)]))
    return " ".join(names)


def table() -> str:
    """The recipes in columns."""
    lines = [("name", "system", "kind", "atoms", "phases", "elements", "source"), *rows()]
    widths = [max(len(line[k]) for line in lines) for k in range(6)]
    return "\n".join("  ".join([*(w.ljust(n) for w, n in zip(line, widths, strict=False)), line[6]]) for line in lines)


def write(folder: Path, say: Callable[[str], None]) -> None:
    """Build and draw every recipe into `folder`: GALLERY.md and pictures/*.png."""
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    parts = [HEAD]
    for name in building.recipes():
        cell = building.run(*building.load(name))
        picture = figures.cell(cell.structure, "")
        data = plot.small_png_bytes(picture, PICTURE_DPI, COLOURS)
        io.write_atomic(folder / "pictures" / f"{name}.png", data)
        parts.append(entry(cell))
        say(f"{name}: {len(cell.structure)} atoms, picture {len(data) / 1000:.0f} kB")
    io.write_atomic(folder / "GALLERY.md", "\n".join(parts).encode())


def entry(cell: Cell) -> str:
    """One recipe as Markdown: picture, composition, phases, strains, source, what is assumed."""
    request, about = cell.request, cell.request.about
    reached = formulas.text(formulas.composition(cell.structure))
    lines = [
        f"**{request.name}**, {len(cell.structure)} atoms, phases {phases(request)}, kind `{request.structure.kind}`.",
        f"Asked {about.formula}; built {reached}. "
        f"Strain: {building.strains(cell.built) or 'none'}. Source: {about.source or 'none, a model cell'}.",
        *(f"- assumed: {sentence}" for sentence in about.assumed),
    ]
    return f"## {cell.name}\n\n![{cell.name}](pictures/{cell.name}.png)\n\n{lines[0]} {lines[1]}\n\n" + "".join(
        line + "\n" for line in lines[2:]
    )
