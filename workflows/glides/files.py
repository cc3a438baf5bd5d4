"""Gliding of structures from files: lines, surfaces or single slabs, with one page and files for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simkit import io
from simkit.config import Section
from simkit.potential.base import Potential
from simkit.potential.card import Card
from simkit.structure import Structure
from simkit.workflows import (
    figures,
    gliding,
    gliding_collective,
    gliding_slabs,
    gliding_surface,
    numbers,
)
from simkit.workflows import gliding_lock as lock
from simkit.workflows.common import Hooks
from simkit.workflows.glides import figures as gliding_figures
from simkit.workflows.glides import report as told
from simkit.workflows.rundirs import box, card_facts

STEPS = {
    "lines": gliding, "surface": gliding_surface, "slabs": gliding_slabs, "collective": gliding_collective,
}  # fmt: skip
"""Kind of question -> the workflow that answers it."""
CONFIGS: Mapping[str, type[Section]] = {kind: step.Config for kind, step in STEPS.items()}


def run(kind: str, settings: Any, potential: Potential, structures: Mapping[str, Structure], hooks: Hooks) -> Any:
    """Answer one kind of question for all structures."""
    return STEPS[kind].run(settings, potential, structures, hooks)


def converged(kind: str, found: Any) -> bool:
    """Whether every point converged."""
    return all(item.converged for item in getattr(found, ITEMS[kind]))


ITEMS = {"lines": "profiles", "surface": "surfaces", "slabs": "moves", "collective": "transformations"}
"""Kind of question -> the field of its result."""


def page(study: str, kind: str, found: Any, card: Card) -> tuple[dict[str, Any], dict[str, object]]:
    """results.json with the page, and the figures by name."""
    sections, drawn, data = _parts(kind, found)
    facts = {
        "study": study,
        "title": f"Gliding of {study}",
        "lead": "Energies of gliding relative to the same cell unslid, relaxed alike.",
        "warnings": [],
        "headline": [box(*entry) for entry in _headline(kind, found)],
        "sections": sections,
        "potential": card_facts(card),
    }
    return {**facts, **data}, drawn


def _parts(kind: str, found: Any) -> tuple[list[dict], dict[str, object], dict]:
    if kind == "lines":
        ways = [way for profile in found.profiles for way in numbers.ways(profile)]
        return [told.lines_section(found.profiles)], {"gliding": figures.glide_lines(found.profiles)}, {"gliding": ways}
    if kind == "surface":
        drawn = {"gamma-surfaces": gliding_figures.surfaces(found.surfaces)}
        return [told.surface_section(found.surfaces)], drawn, {"surfaces": told.surface_rows(found.surfaces)}
    if kind == "collective":
        rows = [gliding_collective.table(t) for t in found.transformations]
        good = [t for t in found.transformations if t.path is not None]
        drawn = {"collective": gliding_figures.collective(good)} if good else {}
        return [told.collective_section(found.transformations)], drawn, {"collective": rows}
    starts = {move.structure: move.structures[0] for move in found.moves}
    data = {"moves": [gliding_slabs.table(move) for move in found.moves], "interlock": told.interlock_rows(starts)}
    return [told.moves_section(found.moves)], {"moves": gliding_figures.moves(found.moves)}, data


def _headline(kind: str, found: Any) -> list[tuple]:
    """The easiest way of each structure."""
    best: dict[str, tuple[float, str]] = {}
    for structure, value, note in _ways(kind, found):
        if structure not in best or value < best[structure][0]:
            best[structure] = (value, note)
    return [(f"easiest glide, {name}", value, "J/m²", note, 3) for name, (value, note) in best.items()]


def _ways(kind: str, found: Any) -> list[tuple[str, float, str]]:
    if kind == "lines":
        ways = [way for profile in found.profiles for way in numbers.ways(profile)]
        return [(w["structure"], w["unstable_J_per_m2"], f"{w['kind']} to {w['becomes']}, {w['mode']}") for w in ways]
    if kind == "surface":
        return [
            (s.structure, path.unstable_J_per_m2, f"{s.kind} to {s.becomes[g]}, {s.mode}")
            for s in found.surfaces
            for g, path in s.paths.items()
        ]
    if kind == "collective":
        return []
    return [(m.structure, m.barrier_J_per_m2, f"{'|'.join(m.before)} to {'|'.join(m.after)}") for m in found.moves]


def lines(kind: str, found: Any) -> list[str]:
    """One line for each way."""
    if kind == "lines":
        return [way_line(way) for profile in found.profiles for way in numbers.ways(profile)]
    done = {True: "", False: " (not converged)"}
    if kind == "surface":
        return [
            f"{s.name}, {s.mode}, {s.kind} to {s.becomes[g]}: unstable {path.unstable_J_per_m2:.4f} J/m2, there "
            f"{path.gamma_J_per_m2[-1]:.4f}, ideal shear {path.ideal_shear_stress_GPa:.2f} GPa{done[s.converged]}"
            for s in found.surfaces
            for g, path in s.paths.items()
        ]
    if kind == "collective":
        return [told.collective_line(t) for t in found.transformations]
    return [
        f"{m.structure}, slab {m.slab}: {'|'.join(m.before)} to {'|'.join(m.after)}: barrier "
        f"{m.barrier_J_per_m2:.4f} J/m2, there {m.final_J_per_m2:.4f}{done[m.converged]}"
        for m in found.moves
    ]


def way_line(way: Mapping[str, Any]) -> str:
    """One way of `numbers.ways` in words; energies of points that did not converge are not quoted."""
    words = f"{way['name']}, {way['mode']}, {way['kind']} to {way['becomes']}: "
    if not way["converged"]:
        return words + "not converged"
    apart = f" ± {way['unstable_spread_J_per_m2']:.4f}" if "unstable_spread_J_per_m2" in way else ""
    return words + f"unstable {way['unstable_J_per_m2']:.4f}{apart} J/m2, there {way['next_letter_J_per_m2']:.4f}"


def write(directory: io.RunDirectory, kind: str, found: Any) -> None:
    """Trajectories of every way, as extended XYZ."""
    folder = directory.path / "trajectories"
    folder.mkdir(exist_ok=True)
    if kind == "lines":
        for p in found.profiles:
            facts = [
                {"fraction": float(f), "energy_eV": float(e)} for f, e in zip(p.fraction, p.energy_eV, strict=True)
            ]
            name = io.file_name(f"{p.structure}-gallery{p.gallery}-{p.mode}")
            io.write(folder / f"{name}.extxyz", list(p.structures), facts)
    if kind == "surface":
        for s in found.surfaces:
            name = io.file_name(f"{s.structure}-gallery{s.gallery}-{s.mode}")
            io.write(folder / f"{name}.extxyz", list(s.structures))
    if kind == "slabs":
        write_moves(directory, found.moves)
    if kind == "collective":
        for t in (t for t in found.transformations if t.path is not None):
            energies = [{"energy_eV": float(e)} for e in t.path.energies_eV]
            io.write(folder / f"{io.file_name(f'{t.structure}-to-{t.target}')}.extxyz", t.path.images, energies)


def write_moves(directory: io.RunDirectory, moves: tuple[gliding_slabs.Move, ...]) -> None:
    """Trajectories of single-slab moves."""
    folder = directory.path / "trajectories"
    folder.mkdir(exist_ok=True)
    for m in moves:
        name = io.file_name(f"{m.structure}-slab{m.slab}{m.g:+d}")
        io.write(folder / f"{name}.extxyz", list(m.structures), _facts(m))


def _facts(way: gliding.Profile | gliding_slabs.Move) -> list[dict[str, float]]:
    """What each frame says of itself."""
    pairs = zip(way.fraction, way.energy_eV, strict=True)
    return [{"fraction": float(fraction), "energy_eV": float(energy)} for fraction, energy in pairs]


def write_lock(directory: io.RunDirectory, result: lock.Result) -> None:
    """Relaxed cells and the trajectories of all moves."""
    folder = directory.path / "structures"
    folder.mkdir(exist_ok=True)
    for case in result.cases:
        for name, cell in case.cells.items():
            io.write(folder / f"{io.file_name(f'{case.name} {name}')}.extxyz", cell)
        write_moves(directory, case.moves)
