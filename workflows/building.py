"""Build a cell from a file or a shipped recipe, write it with its provenance, and relax it."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import create_model

from simkit import build, io, plot
from simkit.config import checked, read_toml, with_overrides
from simkit.errors import InputError
from simkit.io.record import versions
from simkit.structure import Structure
from simkit.workflows import figures, formulas, study
from simkit.workflows.structures import KINDS, Built, Request, kind_of

FORMATS = ("extxyz", "cif", "lammps-data")
HASH_DIGITS = 16
BUILT_WITH = ("numpy", "scipy", "ase", "pymatgen", "icet", "spglib", "python")
"""What the numbers of a built cell depend on besides simkit."""


@dataclass(frozen=True, eq=False)
class Cell:
    """A built cell with the file it came from: request is what was asked, built what came out.

    changed  assignments that made the request another one than the file's, as "seed=7"
    """

    name: str
    request: Any
    built: Built
    changed: tuple[str, ...] = ()

    @property
    def structure(self) -> Structure:
        """The atoms."""
        return self.built.structure


def recipes() -> dict[str, Path]:
    """Shipped recipes by name."""
    return {path.stem: path for path in sorted(folder().glob("*.toml"))}


def folder() -> Path:
    """Where the shipped recipes lie."""
    return Path(str(resources.files("simkit.workflows").joinpath("recipes")))


def locate(word: str | Path) -> Path:
    """The file a word means: a path, or the name of a shipped recipe. Raises InputError when it is neither."""
    path, known = Path(word), recipes()
    if path.suffix == ".toml" or path.exists():
        return path
    if str(word) not in known:
        close = difflib.get_close_matches(str(word), known, n=1, cutoff=0.6)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise InputError(
            f"{str(word)!r} is no file and no recipe; {hint}simkit build --list shows the {len(known)} recipes."
        )
    return known[str(word)]


def settings(data: Mapping[str, Any]) -> Any:
    """Checked settings of a file that builds a cell, of any kind. Raises InputError with one line per mistake."""
    kind = kind_of(data)
    if kind == "stack":
        return checked(study.Config, data)
    return checked(create_model("Recipe", __base__=Request, structure=(KINDS[kind], ...)), data)


def load(word: str | Path, assignments: Sequence[str] = ()) -> tuple[str, Any, tuple[str, ...]]:
    """Name and checked settings of a file or recipe with `key.path=value` assignments applied, and those that count.

    The assignments are named where they lead to other settings than those of the file.
    """
    path = locate(word)
    data = read_toml(path)
    request = settings(with_overrides(data, assignments))
    return path.stem, request, tuple(assignments) if _differs(request, data) else ()


def _differs(request: Any, data: Mapping[str, Any]) -> bool:
    """Whether checked settings are others than those of a file, which may be incomplete by itself."""
    try:
        return request.model_dump() != settings(data).model_dump()
    except InputError:
        return True


def run(name: str, request: Any, changed: Sequence[str] = ()) -> Cell:
    """Build and check the cell. Raises InputError where it cannot be built as asked."""
    return Cell(name, request, request.structure.built(request.seed), tuple(changed))


def provenance(cell: Cell, stage: str = "built") -> dict[str, str | int]:
    """What every file of a cell says of its origin: recipe, kind, seed, versions, hash, stage, strains."""
    recipe, installed = cell.built.recipe, versions()
    text = json.dumps(recipe, sort_keys=True, separators=(",", ":"))
    return {
        "recipe": ", ".join([cell.name, *([f"changed: {' '.join(cell.changed)}"] if cell.changed else [])]),
        "kind": str(recipe.get("kind", "stack")),
        "seed": int(cell.request.seed),
        "simkit": installed["simkit"],
        "with": ", ".join(f"{package} {installed[package]}" for package in BUILT_WITH),
        "recipe_sha256": hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS],
        "stage": stage,
        "strains": strains(cell.built) or "none",
    }


def strains(built: Built) -> str:
    """Strain of every block or domain in words."""
    if isinstance(built, build.Model):
        return ", ".join(f"{b.phase} {b.strain_percent:+.2f} %" for b in built.report.blocks)
    facts = {key: value for key, value in built.report.facts.items() if "strain" in key and isinstance(value, float)}
    return ", ".join(f"{_plainly(key)} {value:+.2f} %" for key, value in facts.items() if key.endswith("percent"))


def _plainly(key: str) -> str:
    """The name of a strain in words: "strain_line_left_percent" is "line left"."""
    return " ".join(word for word in key.split("_") if word not in ("strain", "percent"))


def write(folder: Path, cell: Cell) -> None:
    """Write a built cell: every structure format, picture, report as text and JSON, and the recipe it rebuilds from.

    Everything is composed before the folder is made, so that a cell that cannot be written leaves nothing behind.
    """
    report = {"provenance": provenance(cell), **cell.built.report.to_dict()}
    files = {
        **structure_files("cell", cell.structure, provenance(cell)),
        "cell.png": plot.png_bytes(figures.cell(cell.structure, cell.request.name)),
        "report.txt": (text(cell) + "\n").encode(),
        "report.json": io.json_bytes(report),
        "recipe.json": io.json_bytes(cell.built.recipe),
    }
    write_files(folder, files)


def structure_files(stem: str, structure: Structure, facts: Mapping[str, Any]) -> dict[str, bytes]:
    """One structure as extended XYZ, CIF, LAMMPS data and POSCAR (there grouped by element, as VASP wants it)."""
    files = {name: io.text(name, structure, facts) for name in (f"{stem}.{ending}" for ending in FORMATS)}
    grouped = structure.take(np.argsort(structure.symbols, kind="stable"))
    name = "POSCAR" if stem == "cell" else f"{stem}.POSCAR.vasp"
    files[name] = io.text(name, grouped, facts)
    return {name: content.encode() for name, content in files.items()}


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write composed files into a folder, which is made where it is missing; each of them atomically."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        io.write_atomic(folder / name, content)


def text(cell: Cell) -> str:
    """The report with what the recipe says of its source and what it leaves open."""
    about = cell.request.about
    lines = [f"{provenance(cell)['recipe']}: {cell.request.name}"]
    lines += [f"{key}: {value}" for key, value in (("system", about.system), ("source", about.source)) if value]
    lines += [f"assumed: {sentence}" for sentence in about.assumed]
    if about.formula:
        reached = formulas.text(formulas.composition(cell.structure, about.per))
        lines.append(f"composition per {about.per}: asked {about.formula}, built {reached}")
    for phase, asked in about.regions.items():
        reached = formulas.text(formulas.composition(formulas.of_phase(cell.structure, phase), "metals"))
        lines.append(f"composition of {phase} per metal: asked {asked}, built {reached}")
    lines += [f"{key} {value}" for key, value in provenance(cell).items() if key in ("simkit", "with", "recipe_sha256")]
    return "\n".join([*lines, "", cell.built.report.text()])
