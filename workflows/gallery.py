"""The shipped recipes as a table and as a page of pictures."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from simkit import build, io, plot
from simkit.workflows import building, figures, formulas
from simkit.workflows.building import Cell

PICTURE_DPI = 80
COLOURS = 256
RELAXED = "relaxed.csv"
ROLES = {"metal": "metals", "alkali": "ions", "anion": "anions", "tetrahedral": "tetrahedra"}
HEAD = """# Gallery

Every recipe that ships with simkit, built from starting heights and drawn before relaxation. Phases are patches of
colour, atoms discs. Below each: what every region holds, as asked and as built (cations per metal of the region), and
what became of the cell when it was relaxed (`python -m benchmarks recipes`). `simkit build NAME` makes the cell;
`simkit build --gallery DIR` makes this page.
"""


def rows() -> list[tuple[str, ...]]:
    """One row per recipe: name, system, kind, atoms, phases, elements, source."""
    table = []
    for name in building.recipes():
        _, request, _ = building.load(name)
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
    parts, relaxed = [HEAD], relaxations()
    for name in building.recipes():
        cell = building.run(*building.load(name))
        picture = figures.cell(cell.structure, cell.request.name)
        data = plot.small_png_bytes(picture, PICTURE_DPI, COLOURS)
        io.write_atomic(folder / "pictures" / f"{name}.png", data)
        parts.append(entry(cell, relaxed.get(name)))
        say(f"{name}: {len(cell.structure)} atoms, picture {len(data) / 1000:.0f} kB")
    io.write_atomic(folder / "GALLERY.md", "\n".join(parts).encode())


def entry(cell: Cell, relaxed: Mapping[str, str] | None = None) -> str:
    """One recipe as Markdown: picture, composition, strains, source, regions, what relaxing did, what is assumed."""
    request, about = cell.request, cell.request.about
    reached = formulas.text(formulas.composition(cell.structure))
    head = (
        f"**{request.name}**, {len(cell.structure)} atoms, phases {phases(request)}, kind `{request.structure.kind}`. "
        f"Asked {about.formula}; built {reached}. "
        f"Strain: {building.strains(cell.built) or 'none'}. Source: {about.source or 'none, a model cell'}."
    )
    lines = [*regions(cell), f"relaxed: {relaxed_words(relaxed)}", *(f"assumed: {words}" for words in about.assumed)]
    return f"## {cell.name}\n\n![{cell.name}](pictures/{cell.name}.png)\n\n{head}\n\n" + "".join(
        f"- {line}\n" for line in lines
    )


def regions(cell: Cell) -> list[str]:
    """One line per region: its cations per metal of its slabs (or of its polyhedra), as asked and as built."""
    if isinstance(cell.built, build.Model):
        return [_block(block) for block in cell.built.report.blocks]
    return [_region(region) for region in cell.built.report.regions]


def _block(block: Any) -> str:
    ions = block.phase not in ("spinel", "rock-salt")
    asked = {**({block.alkali: block.content_requested} if ions else {}), **block.metals_requested}
    built = {**({block.alkali: block.content_reached} if ions else {}), **block.metals_reached}
    if ions and set(block.metals_requested) & {block.alkali}:
        asked, built = dict(block.metals_requested), dict(block.metals_reached)
    more = [f"anions {formulas.text(block.anions)}"] if set(block.anions) != {"O"} else []
    more += [f"of the ions {formulas.text(block.dopants)}"] if block.dopants else []
    more += [f"tetrahedra {formulas.text(block.tetrahedral)}"] if block.tetrahedral else []
    return "; ".join([f"{block.phase}: asked {formulas.text(asked)}, built {formulas.text(built)}", *more])


def _region(region: Any) -> str:
    words = []
    for role in dict.fromkeys(share.role for share in region.shares):
        shares = [share for share in region.shares if share.role == role]
        if role == "anion" and {share.symbol for share in shares} == {"O"}:
            continue
        name = ROLES.get(role, role)
        kinds = [share for share in shares if share.symbol]
        if kinds:
            asked, built = ({s.symbol: getattr(s, key) for s in kinds} for key in ("asked", "reached"))
            words.append(f"{name} asked {formulas.text(asked)}, built {formulas.text(built)}")
        words += [f"content of {name} asked {s.asked:.3g}, built {s.reached:.3g}" for s in shares if not s.symbol]
    counts = " ".join(f"{symbol}{n}" for table in region.counts.values() for symbol, n in table.items())
    return f"{region.phase} ({counts}): {'; '.join(words) or 'as asked'}"


def relaxations() -> dict[str, dict[str, str]]:
    """What relaxing the recipes did, by recipe, from the table that ships beside them; nothing where there is none."""
    path = building.folder() / RELAXED
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as lines:
        return {row["recipe"]: row for row in csv.DictReader(lines)}


def relaxed_words(row: Mapping[str, str] | None) -> str:
    """One row of the table in words."""
    if row is None:
        return "not relaxed yet"
    if not row["steps"]:
        return f"{row['potential']}: {row['status']}"
    seconds = f"{float(row['seconds']):.0f} s"
    return (
        f"{row['potential']}, {row['status']} after {row['steps']} steps in {seconds}, largest force "
        f"{float(row['fmax_eV_per_A']):.3f} eV/A; volume {float(row['volume_change_percent']):+.2f} %, largest "
        f"displacement {float(row['largest_displacement_A']):.2f} A; what the checks find changed: {row['changed']}"
    )
