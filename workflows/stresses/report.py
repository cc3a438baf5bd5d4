"""What a study of stress leaves behind: numbers, tables, page, columns for OVITO and grids for ParaView."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simkit import io, measure
from simkit.io.rundir import file_name
from simkit.potential.card import Card
from simkit.workflows import numbers
from simkit.workflows.rundirs import box, card_facts, column, section
from simkit.workflows.stress import StressMap
from simkit.workflows.stress_study import Mapped
from simkit.workflows.stresses import figures
from simkit.workflows.stresses.tables import region_row, regions

FIELDS = (
    "Each atom carries its virial over its Voronoi volume (raw). What a site carries in its phase relaxed alone, in "
    "the same state of charge, is taken off (excess), and the rest is averaged by a Gaussian of about one formula unit "
    "(coarse): only that is mechanics. The split of a many-body energy among atoms is the potential's choice, and the "
    "raw field shows it. Sites of one kind share one reference, their mean: what the arrangement of ions does to "
    "single sites stays in the excess, of a phase alone as well, and is the floor below which differences mean "
    "nothing. Widths, volumes and the split are choices: compare cells mapped alike, and read no local strength off."
)


def page(study: str, found: Sequence[Mapped], card: Card) -> dict[str, Any]:
    """results.json with the page."""
    states = list(dict.fromkeys(m.state for m in found))
    sections = [_state(k, state, [m for m in found if m.state == state]) for k, state in enumerate(states)]
    view = section("To be turned", [], [], [], figures.turning(found))
    return {
        "study": study,
        "title": study,
        "lead": "Von Mises stress of " + ", ".join(dict.fromkeys(m.cell for m in found)) + ", on one colour scale, in "
        + ", ".join(states) + ".",
        "warnings": list(figures.warnings(card)) + [
            f"{m.cell}, {m.state}: {m.status}." for m in found if not m.converged
        ],
        "headline": [
            box(f"{m.cell}, {m.state}", m.map.mean_GPa, "GPa", f"95 % of the volume below {m.map.p95_GPa:.2f}", 2)
            for m in found
        ],
        "sections": [*sections, view],
        "potential": card_facts(card),
        "stress": [plain(m) for m in found],
    }  # fmt: skip


def plain(mapped: Mapped) -> dict[str, Any]:
    """Numbers of one cell in one state, its regions, and its phases alone."""
    found = regions(mapped.map)
    return {
        "state": mapped.state,
        "cell": mapped.cell,
        "status": mapped.status,
        **numbers.stress_of(mapped.map),
        "regions": {kind: [region_row(record) for record in records] for kind, records in found.items()},
        "phases_alone": {name: numbers.stress_of(m) for name, m in mapped.phases.items()},
    }


def lines(found: Sequence[Mapped]) -> list[str]:
    """One line for each cell in each state."""
    return [
        f"{m.state}, {m.cell}: von Mises of the coarse {m.map.field.shown_name} field, mean {m.map.mean_GPa:.3f} GPa, "
        f"median {m.map.p50_GPa:.3f}, 95 % below {m.map.p95_GPa:.3f}, {100 * m.map.share:.1f} % of the volume above "
        f"{m.map.threshold_GPa:g} GPa"
        + ("" if m.converged else f" ({m.status})")
        for m in found
    ]  # fmt: skip


def _state(k: int, state: str, own: Sequence[Mapped]) -> dict:
    shown = [
        (f"map-{k}", "Coarse-grained von Mises stress, every cell and state on one colour scale."),
        (f"profile-{k}", "Von Mises stress of plane averages along the stacking direction."),
        (f"distance-{k}", "Mean von Mises stress by distance from the nearest shared slab."),
    ]
    tables = [_whole(own), *_regions(own, "phase", "Phases inside each cell."), *_regions(own, "layer", "Layers.")]
    return section(f"State: {state}", [FIELDS] if k == 0 else [], shown, tables)


def _whole(own: Sequence[Mapped]) -> dict:
    threshold = own[0].map.threshold_GPa
    columns = [
        column("cell"), column("mean", "GPa"), column("median", "GPa"), column("95 % below", "GPa"),
        column("99 % below", "GPa"), column(f"volume above {threshold:g} GPa", "%", 1),
        column("raw atomic mean", "GPa", 2), column("largest stress of the cell", "GPa", 2),
        column("status", text=True),
    ]  # fmt: skip
    rows = [[m.cell, *_numbers(m.map), m.status] for m in own]
    rows += [[f"{m.cell}: {name} alone", *_numbers(one), ""] for m in own for name, one in m.phases.items()]
    return {
        "caption": "Von Mises stress over the volume; phases alone are relaxed free, and show the floor of the method.",
        "columns": columns,
        "rows": rows,
    }


def _numbers(mapped: StressMap) -> list[float]:
    e = numbers.stress_of(mapped)
    largest = max((abs(x) for row in e["cell_stress_GPa"] for x in row), default=0.0)
    return [
        e["von_mises_mean_GPa"], e["von_mises_p50_GPa"], e["von_mises_p95_GPa"], e["von_mises_p99_GPa"],
        100 * e["share_above_threshold"], e["raw_atomic_von_mises_mean_GPa"], largest,
    ]  # fmt: skip


def _regions(own: Sequence[Mapped], kind: str, caption: str) -> list[dict]:
    columns = [
        column("cell"), column("region", text=True), column("atoms", digits=0), column("mean xx", "GPa", 2),
        column("mean yy", "GPa", 2), column("mean zz", "GPa", 2), column("hydrostatic", "GPa", 2),
        column("von Mises of the mean", "GPa", 2), column("smallest principal", "GPa", 2),
        column("largest principal", "GPa", 2), column("mean von Mises", "GPa", 2), column("95 % below", "GPa", 2),
    ]  # fmt: skip
    rows = []
    for m in own:
        for record in regions(m.map).get(kind, []):
            values, _ = record.principal
            rows.append([
                m.cell, record.name, record.atoms, *(float(record.mean_GPa[i, i]) for i in range(3)),
                record.hydrostatic_GPa, record.von_mises_of_mean_GPa, float(values[0]), float(values[2]),
                record.von_mises_mean_GPa, record.von_mises_p95_GPa,
            ])  # fmt: skip
    return [{"caption": caption, "columns": columns, "rows": rows}] if rows else []


def write(directory: io.RunDirectory, maps: Mapping[str, StressMap]) -> None:
    """Each map as extended XYZ with per-atom columns (OVITO) and as VTK image data (ParaView)."""
    folder = directory.path / "structures"
    folder.mkdir(exist_ok=True)
    for name, mapped in maps.items():
        stem = file_name(name)
        io.write(folder / f"{stem}.extxyz", measure.with_stress(mapped.structure, mapped.field, mapped.smooth))
        grid = measure.box_grid(mapped.structure, mapped.virials, mapped.width_A)
        directory.write_bytes(f"structures/{stem}.vti", measure.vti_text(grid).encode())


def maps_of(found: Sequence[Mapped]) -> dict[str, StressMap]:
    """Every map by "state cell", and of its phases alone by "state cell phase"."""
    named = {}
    for m in found:
        named[f"{m.state} {m.cell}"] = m.map
        named |= {f"{m.state} {m.cell} {phase} alone": one for phase, one in m.phases.items()}
    return named
