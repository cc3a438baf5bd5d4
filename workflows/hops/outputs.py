"""What hops and their networks leave on disk: bands, figures, results.json and the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from simkit import io, measure, plot, report
from simkit.io.rundir import RunDirectory, file_name
from simkit.potential.card import Card
from simkit.structure import Structure
from simkit.workflows import committee, numbers
from simkit.workflows.hops import compare, pages, pictures, tables
from simkit.workflows.hops.kinetics import Through
from simkit.workflows.hops.layout import card
from simkit.workflows.hops.record import HopResult
from simkit.workflows.hops.settings import Hopping
from simkit.workflows.hops.tables import barrier_of


@dataclass(frozen=True, eq=False)
class Found:
    """Everything that was found: cells by label, hops, networks, and the variants to compare; problems in sentences."""

    title: str
    config: Hopping
    cells: Mapping[str, Structure]
    hops: Sequence[HopResult]
    networks: Sequence[Through]
    variants: Sequence[compare.Variant] = ()
    problems: Sequence[str] = field(default=())
    attempts: Mapping[str, measure.Attempts] = field(default_factory=dict)

    @property
    def warnings(self) -> list[str]:
        """One sentence for everything that did not converge."""
        bad = [f"Hop {hop.name}: {hop.status}{_residual(hop)}." for hop in self.hops if not hop.converged]
        return [*self.problems, *bad]

    @property
    def places(self) -> list[compare.Place]:
        """The comparison, place by place."""
        return compare.places(self.variants, self.hops, self.networks)


def _residual(hop: HopResult) -> str:
    """How far a band that did not converge still was, and where its best images are."""
    if hop.path is None:
        return ""
    return f"; {hop.path.residual_force_eV_per_A:.3g} eV/Å left at its top, best band kept in {band_file(hop)}"


def band_file(hop: HopResult) -> str:
    """File of the images of one hop, within the run directory."""
    return f"trajectories/neb-{file_name(hop.name)}.extxyz"


def write(
    directory: RunDirectory, found: Found, model: Card, spreads: committee.Summary | None = None
) -> dict[str, Any]:
    """Write every file but the report, with the spreads of a committee; returns the content of results.json."""
    for label, cell in found.cells.items():
        directory.write_bytes(f"structures/{file_name(label)}.extxyz", io.text("cell.extxyz", cell).encode())
    for hop in found.hops:
        write_band(directory, hop)
    for name, figure in pictures.draw(found.cells, found.hops, found.networks).items():
        directory.write_bytes(f"figures/{name}.png", plot.png_bytes(figure))
        directory.write_bytes(f"figures/{name}.svg", plot.svg_bytes(figure))
    directory.write_json("networks.json", [tables.graph(net) for net in found.networks])
    summary = committee.told({**results(found), **page(found, model)}, spreads)
    directory.write_json("results.json", summary)
    return summary


def write_band(directory: RunDirectory, hop: HopResult) -> None:
    """The images of one hop as extended XYZ with the energy of each, where there are any."""
    if hop.path is None:
        return
    facts = [
        {"energy_eV": float(energy), "path_A": float(place), "hop": hop.name, "status": hop.status}
        for energy, place in zip(hop.path.energies_eV, hop.path.distances_A, strict=True)
    ]
    directory.write_bytes(band_file(hop), io.text("band.extxyz", hop.path.images, facts).encode())


def results(found: Found) -> dict[str, Any]:
    """The numbers as plain JSON."""
    return {
        "schema": report.SCHEMA,
        "converged": not found.warnings,
        "problems": found.warnings,
        "migration": [entry(found, hop) for hop in found.hops],
        "networks": [tables.network(net) for net in found.networks],
        "comparison": [asdict(place) for place in found.places],
        "over_seeds": [asdict(one) for one in compare.over_seeds(found.places)],
        "verdicts": compare.verdicts(found.places),
    }


def entry(found: Found, hop: HopResult) -> dict[str, Any]:
    """One hop of `numbers.hop`, with its attempt frequencies where they were asked for."""
    known = found.attempts.get(hop.name)
    if known is None:
        return numbers.hop(hop)
    return numbers.hop(hop) | {
        "attempts_per_s": known.forward_per_s,
        "reverse_attempts_per_s": known.backward_per_s,
        "negative_curvatures_at_start_top_end": [known.negative_start, known.negative_top, known.negative_end],
    }


def page(found: Found, model: Card) -> dict[str, Any]:
    """Title, lead, warnings, headline and sections, as the page template reads them."""
    entries = [entry(found, hop) for hop in found.hops]
    sections = [
        *pages.comparison(found.places),
        pages.hops(found.config, entries, list(found.cells)),
        *pages.networks(found.networks),
    ]
    return {
        "study": found.title,
        "title": f"Paths of {found.config.ion}: {found.title}",
        "lead": f"{len(found.hops)} hops in {', '.join(found.cells)}: their barriers, and the network they make.",
        "warnings": found.warnings,
        "headline": headline(found),
        "sections": sections,
        "potential": asdict(model),
    }


def headline(found: Found) -> list[dict[str, Any]]:
    """The lowest barrier of each cell and phase, and the barriers at which regions percolate."""
    cards = []
    for label in found.cells:
        best: dict[str, HopResult] = {}
        for hop in found.hops:
            value = barrier_of(hop)
            held = best.get(hop.hop.phase)
            if hop.structure == label and value is not None and (held is None or value < (barrier_of(held) or 0.0)):
                best[hop.hop.phase] = hop
        for phase, hop in best.items():
            where = f"{phase} in {label}" if phase and phase != label else label
            cards.append(
                card(f"lowest barrier, {where}", barrier_of(hop) or 0.0, "eV", f"{hop.sites}, {hop.hop.mechanism}")
            )
    for net in found.networks:
        for way in net.ways:
            if way.axis == "a" and way.barrier_eV is not None:
                label = f"percolates along a, {way.region} of {net.cell.label}"
                cards.append(card(label, way.barrier_eV, "eV", net.cell.mechanism))
    return cards


def lines(found: Found) -> list[str]:
    """What a terminal is told: each hop, the ways of each network, the verdicts, problems last."""
    text = [hop_line(numbers.hop(hop)) for hop in found.hops]
    for net in found.networks:
        for way in net.ways:
            told = "closed" if way.barrier_eV is None else f"{way.barrier_eV:.3f} eV ({way.bottleneck})"
            text.append(f"{net.cell.label}, {net.cell.mechanism}, {way.region}, {way.axis}: {told}")
    return text + compare.verdicts(found.places) + [f"warning: {line}" for line in found.warnings]


def hop_line(hop: Mapping[str, Any]) -> str:
    """One hop of `numbers.hop` in words; a path that did not converge has no barrier to be quoted."""
    known = hop["barrier_eV"] is not None
    apart = f" ± {hop['barrier_spread_eV']:.3f}" if "barrier_spread_eV" in hop else ""
    barrier = f", barrier {hop['barrier_eV']:.3f}{apart} eV, back {hop['reverse_barrier_eV']:.3f}" if known else ""
    rest = min((split["energy_eV"] for split in hop.get("splits", ())), default=None)
    split = "" if rest is None else f", rests on the way at {rest:+.3f}, largest rise {hop['largest_rise_eV']:.3f}"
    return f"{hop['name']} ({hop['sites']}): {hop['status']}{barrier}{split}"
