"""Figures of a study of stress: maps on one scale with the potential's warning, profiles, regions, the turning view."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simkit import plot
from simkit.potential.card import Card
from simkit.workflows.figures import SCALE_PERCENTILE
from simkit.workflows.stress import StressMap
from simkit.workflows.stress_study import Mapped
from simkit.workflows.stresses.tables import regions

SOFT = ("soft", "elastic", "stress", "C11")
"""Words of a card's limits that concern stress."""
SMOOTH, RAW, PRESSURE = "coarse von Mises (GPa)", "per-atom von Mises (GPa)", "coarse hydrostatic (GPa)"


def warnings(card: Card) -> tuple[str, ...]:
    """What the card says about its elasticity; where it says nothing, that is said."""
    said = tuple(limit for limit in card.limits if any(word in limit for word in SOFT))
    return said or (
        f"The card of {card.name} says nothing about its elastic constants: take them with simkit elastic before "
        "quoting stresses.",
    )


def upper_GPa(maps: Sequence[StressMap]) -> float:
    """End of the one colour scale: a high percentile over all atoms of all maps."""
    return float(np.percentile(np.concatenate([m.smooth_von_mises_GPa for m in maps]), SCALE_PERCENTILE))


def draw(found: Sequence[Mapped], card: Card) -> dict[str, object]:
    """Figure by file name: a map for every state, all on one scale; profiles and distances."""
    top = upper_GPa([m.map for m in found])
    figures: dict[str, object] = {}
    for k, state in enumerate(dict.fromkeys(m.state for m in found)):
        own = [m for m in found if m.state == state]
        figures[f"map-{k}"] = _map(own, card, top)
        figures[f"profile-{k}"] = _profiles(own)
        if any("distance" in regions(m.map) for m in own):
            figures[f"distance-{k}"] = _distances(own)
    return figures


def _map(own: Sequence[Mapped], card: Card, top: float) -> object:
    first = own[0].map
    note = plot.PanelNote(
        f"State: {own[0].state}. Coarse-grained {first.field.shown_name} field, Gaussian width {first.width_A:.2f} Å; "
        "one colour scale for all states and cells.",
        tuple(f"{card.name}: {words}" for words in warnings(card)),
    )
    panels = [plot.StressPanel(m.cell, m.map.structure, m.map.smooth_von_mises_GPa) for m in own]
    return plot.stress_panel_figure(panels, note, upper_GPa=top)


def _profiles(own: Sequence[Mapped]) -> object:
    curves = []
    for m in own:
        profile = m.map.profile
        curves.append(plot.LineCurve(f"{m.cell}, von Mises", profile.z_A / profile.z_A.max(), profile.von_mises_GPa))
    return plot.line_figure(curves, "height in parts of the cell", "stress (GPa)")


def _distances(own: Sequence[Mapped]) -> object:
    tables = {m.cell: {r.name: r.von_mises_mean_GPa for r in regions(m.map).get("distance", [])} for m in own}
    tables = {cell: table for cell, table in tables.items() if table}
    names = sorted({name for table in tables.values() for name in table}, key=lambda name: float(name.split("-")[0]))
    values = [[table.get(name) for name in names] for table in tables.values()]
    shown = [name.replace(" A", " Å") for name in names]
    return plot.region_figure(shown, list(tables), values, "von Mises stress (GPa)", "distance from the interface")


def turning(found: Sequence[Mapped]) -> str:
    """The view to be turned: every cell in every state, on the scales of all."""
    cells = []
    for m in found:
        fields = {
            SMOOTH: m.map.smooth_von_mises_GPa,
            PRESSURE: m.map.smooth_hydrostatic_GPa,
            RAW: m.map.field.von_mises_GPa,
        }
        names = [f"{symbol}, {site}" for symbol, site in zip(m.map.structure.symbols, _sites(m.map), strict=True)]
        cells.append(plot.TurningCell(f"{m.cell}, {m.state}", m.map.structure, fields, names))
    upper = {
        name: float(np.percentile(np.abs(np.concatenate([c.fields[name] for c in cells])), SCALE_PERCENTILE))
        for name in (SMOOTH, PRESSURE, RAW)
    }
    return plot.turning_html(cells, upper, "Stress at the atoms, on one scale for all cells and states.")


def _sites(mapped: StressMap) -> list[str]:
    tags = mapped.structure.tags
    site = tags.get("site", np.full(len(mapped.structure), ""))
    phase = tags.get("phase", np.full(len(mapped.structure), ""))
    return [f"{s} of {p}" if str(p) else str(s) for s, p in zip(site, phase, strict=True)]
