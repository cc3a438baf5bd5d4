"""What a study leaves on disk: structures, trajectories, grids, figures, results.json and the report."""

from __future__ import annotations

from pathlib import Path

from simkit import io, measure, plot, report
from simkit.io.rundir import RunDirectory, file_name
from simkit.potential.card import Card
from simkit.structure import Structure
from simkit.workflows import extras_report, figures, narrative, numbers
from simkit.workflows.findings import Findings
from simkit.workflows.hops import pictures, tables


def write(directory: RunDirectory, study: str, found: Findings, card: Card) -> tuple[dict, list[str]]:
    """Write every file of a finished study but the report; returns results.json's content and lines for a terminal."""
    _structures(directory, found)
    _trajectories(directory, found)
    drawn = figures.draw(found) | extras_report.figures(found.extras)
    if found.networks:
        cells = {found.label: found.whole.structure, **{name: o.structure for name, o in found.phases.items()}}
        drawn |= pictures.draw(cells, found.migration.hops, found.networks)
        directory.write_json("networks.json", [tables.graph(net) for net in found.networks])
    for name, figure in drawn.items():
        directory.write_bytes(f"figures/{name}.png", plot.png_bytes(figure))
        directory.write_bytes(f"figures/{name}.svg", plot.svg_bytes(figure))
    page_ = narrative.page(study, found, card)
    page_["sections"] += extras_report.sections(found.extras, study, card)
    summary = {**numbers.results(found), **extras_report.numbers(found.extras), **page_}
    directory.write_json("results.json", summary)
    return summary, narrative.lines(found)


def write_stopped(directory: RunDirectory, name: str, structure: Structure) -> None:
    """Write the last good structure of a relaxation that broke down."""
    folder = directory.path / "structures"
    folder.mkdir(exist_ok=True)
    io.write(folder / f"stopped-{file_name(name)}.extxyz", structure)


def page(directory: RunDirectory) -> Path:
    """Write report.html from what `write` left."""
    return report.write_report(directory)


def _structures(directory: RunDirectory, found: Findings) -> None:
    cells: dict[str, Structure] = {"built": found.model.structure}
    cells |= {found.label: found.whole.structure, **{name: o.structure for name, o in found.phases.items()}}
    cells |= {name: measure.with_stress(m.structure, m.field, m.smooth) for name, m in found.stress.maps.items()}
    folder = directory.path / "structures"
    folder.mkdir(exist_ok=True)
    for name, cell in cells.items():
        io.write(folder / f"{file_name(name)}.extxyz", cell)
        io.write(folder / f"{file_name(name)}.cif", cell)
    for name, outcome in found.strained.items():
        io.write(folder / f"{file_name(name)}-at-the-common-lattice.extxyz", outcome.structure)
    if found.label not in found.stress.maps:
        return
    mapped = found.stress.maps[found.label]
    grid = measure.stress_grid(mapped.structure, mapped.virials, mapped.width_A)
    directory.write_bytes(f"structures/stress-{file_name(found.label)}.vtk", measure.vtk_text(grid).encode())


def _trajectories(directory: RunDirectory, found: Findings) -> None:
    folder = directory.path / "trajectories"
    folder.mkdir(exist_ok=True)
    for hop in found.migration.hops:
        if hop.path is not None:
            facts = [{"energy_eV": float(energy)} for energy in hop.path.energies_eV]
            io.write(folder / f"neb-{file_name(hop.name)}.extxyz", hop.path.images, facts)
    for profile in found.gliding.profiles:
        facts = [
            {"fraction": float(f), "energy_eV": float(e)}
            for f, e in zip(profile.fraction, profile.energy_eV, strict=True)
        ]
        name = f"glide-{profile.structure}-gallery{profile.gallery}-{profile.mode}"
        io.write(folder / f"{file_name(name)}.extxyz", list(profile.structures), facts)
