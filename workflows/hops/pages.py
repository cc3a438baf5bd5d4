"""The words and tables of hops, networks and comparisons, for the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from simkit.io.rundir import file_name
from simkit.workflows.hops import compare
from simkit.workflows.hops.kinetics import Through
from simkit.workflows.hops.layout import column, section
from simkit.workflows.hops.settings import Hopping

MOST_ROWS = 60
"""Rows of a table of hops in the page; all of them are in results.json."""


LIMITS = (
    "What these numbers are not: barriers are those of the potential, at zero temperature, at the fixed cell and ion "
    "arrangement they were computed in, along the path nearest to the first guess. In the network every hop keeps its "
    "barrier whatever its neighbours do: ions that repel, order or move together are not in it, nor are e and f sites "
    "that exclude each other. Compare places and phases with it; take absolute diffusivities from dynamics."
)


def hops(config: Hopping, entries: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> dict[str, Any]:
    """Every hop of `numbers.hop`, as far as a page can hold them."""
    table = {
        "caption": "Barrier: highest image above the start; back: above the end; fitted: cubic through the images; "
        "largest rise: from the deepest state on the way; residual: force on the climbing image; committee: standard "
        "deviation of its members.",
        "columns": [
            column("hop"), column("sites", text=True), column("alike", digits=0), column("barrier", "eV"),
            column("back", "eV"), column("fitted", "eV"), column("reaction", "eV"), column("largest rise", "eV"),
            column("height", "Å", 2), column("from interface", "Å", 2), column("metals: start, top, end", text=True),
            column("closest O", "Å", 2), column("split", text=True), column("residual", "eV/Å"),
            column("committee, barrier", "eV"), column("committee, force", "meV/Å", 0), column("status", text=True),
        ],
        "rows": [_row(h) for h in entries[:MOST_ROWS]],
    }  # fmt: skip
    alike = ", ".join(sorted({str(h["alike_by"]) for h in entries}))
    finders = ", ".join(sorted({str(h["sites_found_by"]) for h in entries}))
    words = [
        f"Hops of {config.ion} ({', '.join(config.mechanisms)}), {config.hops}; sites found by: {finders}; hops "
        f"counted as alike by {alike}. Every state was relaxed once at the cell of its structure, for all its hops; "
        "the paths are climbing nudged elastic bands, converged by the climbing image's force, the energy that "
        "all forces on it stand for and the change of the barrier. A hop marked spontaneous has one end that falls "
        "into the other. Split: a minimum between the ends, so that the hop is two."
    ]
    if config.refine:
        words.append(
            "Paths were looked at again: the minima of a split were relaxed, and each piece is a band with its own "
            "climbing image; where other ions change their sites too, both orders were tried and the lowest path kept."
        )
    if len(entries) > MOST_ROWS:
        words.append(f"The first {MOST_ROWS} of {len(entries)} hops are listed; all are in results.json.")
    pictures = [("barriers", "Energy along the hops."), ("histogram", "How many hops have which barrier.")]
    pictures += [(f"heights-{file_name(label)}", f"Barriers through {label}.") for label in labels]
    return section("Hops", words, pictures, [table])


def _row(h: Mapping[str, Any]) -> list[Any]:
    passed = h["metals_at_start_top_end"]
    metals = None if passed is None else ", ".join(m or "none" for m in passed)
    split = "; ".join(f"{s['energy_eV']:.2f} eV at {s['at_A']:.1f} Å" for s in h["splits"]) or None
    return [
        h["name"], h["sites"], h["multiplicity"], h["barrier_eV"], h["reverse_barrier_eV"], h["fitted_barrier_eV"],
        h["reaction_energy_eV"], h["largest_rise_eV"], h["height_A"], h["from_interface_A"], metals,
        h["oxygen_window_A"], split, h["residual_force_eV_per_A"], h.get("barrier_spread_eV"),
        h.get("force_spread_meV_per_A"), h["status"],
    ]  # fmt: skip


def networks(nets: Sequence[Through]) -> list[dict[str, Any]]:
    """Percolation and diffusion of every network; nothing where none was made."""
    if not nets:
        return []
    ways = {
        "caption": "Smallest barrier at which a region lets ions through; bottleneck: the hop that decides it.",
        "columns": [
            column("cell"), column("mechanism", text=True), column("region", text=True), column("axis", text=True),
            column("highest saddle", "eV"), column("bottleneck", text=True), column("hardest hop", "eV"),
        ],
        "rows": [
            [n.cell.label, n.cell.mechanism, w.region, w.axis, w.barrier_eV, w.bottleneck or "closed", w.hardest_hop_eV]
            for n in nets for w in n.ways
        ],
    }  # fmt: skip
    rates = np.concatenate([n.cell.network.attempts_per_s for n in nets])
    attempts = f"{rates.min():.2g} attempts per second for every hop"
    if rates.max() > rates.min():
        attempts = f"{rates.min():.2g} to {rates.max():.2g} attempts per second, each hop its own"
    words = [
        "Each class of alike hops lends its members its mean barrier of both directions; the energies of the sites are "
        "those of the relaxed vacancies, or for other mechanisms the least-squares answer to what the hops say. "
        "Highest saddle: above the lowest site of the region, the activation energy of a lone carrier at low "
        "temperature; where a minimum on the way lies below both ends of a hop, above that. A cell whose phases no hop "
        "joins has no way across: the slabs between galleries are closed to "
        f"the hops asked for. Diffusion: {attempts}; ions exclude each other and nothing more"
        + (
            f"; {_share(nets)} of the sites of every region are empty, so that regions can be compared; errors are "
            "standard errors over replicas."
            if _share(nets)
            else "."
        ),
        LIMITS,
        *_gaps(nets),
    ]
    pictures = [
        ("diffusion", f"Tracer diffusion in the plane with {_share(nets)} of the sites empty, two standard errors.")
    ]
    pictures += [
        (
            f"network-{file_name(n.cell.label)}-{n.cell.mechanism}",
            f"{n.cell.label}, {n.cell.mechanism}: the network; in red the hops that decide whether ions get through.",
        )
        for n in nets
    ]
    return [section("The network they make", words, pictures, [ways, _flows(nets)])]


def _share(nets: Sequence[Through]) -> str:
    """Empty sites per site where ions were sampled, as "10 %"."""
    known = [run.vacancy_fraction for net in nets for flow in net.flows for run in flow.runs]
    shares = [100 * share for share in known if share is not None]
    if not shares:
        return ""
    low, high = f"{min(shares):.0f}", f"{max(shares):.0f}"
    return f"{low} %" if low == high else f"{low} to {high} %"


def _gaps(nets: Sequence[Through]) -> list[str]:
    """What is missing of networks, in words."""
    return [
        f"{n.cell.label}, {n.cell.mechanism}: {n.cell.missing} hops are left out because their class has no converged "
        f"barrier ({'; '.join(n.cell.missing_classes)}), so barriers of this network are upper bounds."
        for n in nets
        if n.cell.missing
    ]


def _flows(nets: Sequence[Through]) -> dict[str, Any]:
    rows = [
        [
            n.cell.label, f.region, run.temperature_K,
            *(_power((run.lone_cm2_per_s or (None, None))[k]) for k in (0, 1)),
            *(_sampled(run.sampled, k) for k in (0, 1)),
            *(_fit(a) for a in f.activation[:2]),
        ]
        for n in nets if n.cell.mechanism == "vacancy" for f in n.flows for run in f.runs
    ]  # fmt: skip
    return {
        "caption": "Diffusion in the plane: exact for one vacancy alone, and of the ions by kinetic Monte Carlo.",
        "columns": [
            column("cell"), column("region", text=True), column("temperature", "K", 0),
            column("one vacancy, x", "cm²/s", text=True), column("one vacancy, y", "cm²/s", text=True),
            column("tracer, x", "cm²/s", text=True), column("tracer, y", "cm²/s", text=True),
            column("activation, x", "eV", text=True), column("activation, y", "eV", text=True),
        ],
        "rows": rows,
    }  # fmt: skip


def _sampled(run: Any, axis: int) -> str | None:
    if run is None:
        return None
    return f"{_power(run.tracer_cm2_per_s[axis, axis])} ± {_power(run.tracer_error_cm2_per_s[axis, axis])}"


def _fit(one: Any) -> str | None:
    return None if one is None else f"{one.activation_eV.value:.3f} ± {one.activation_eV.error:.3f}"


def _power(value: float | None) -> str | None:
    return None if value is None else f"{value:.2e}".replace("-", "−")


def comparison(found: Sequence[compare.Place]) -> list[dict[str, Any]]:
    """The intergrowth against its phases; nothing where there is nothing to compare."""
    if not found:
        return []
    rows = [
        [
            p.variant, p.place, p.mechanism, p.hops["hops"], p.hops.get("lowest_eV"), p.hops.get("mean_eV"),
            p.hops.get("standard_deviation_eV"), p.percolates_eV, p.activation_eV, _tracer(p),
        ]
        for p in found
    ]  # fmt: skip
    table = {
        "caption": "Places compared; barriers of the harder direction, each hop counted as often as it occurs.",
        "columns": [
            column("cell"), column("place", text=True), column("mechanism", text=True), column("hops", digits=0),
            column("lowest", "eV"), column("mean", "eV"), column("spread", "eV"), column("percolates", "eV"),
            column("activation", "eV"), column("tracer, coldest", "cm²/s", text=True),
        ],
        "rows": rows,
    }  # fmt: skip
    seeds = compare.over_seeds(found)
    tables = [table]
    if any(one.seeds > 1 for one in seeds):
        tables.append(_seeds(seeds))
    words = compare.verdicts(found) or ["Percolation is compared where every class of hops is run (no number given)."]
    return [section("Intergrowth against its phases", words, [], tables)]


def _tracer(one: compare.Place) -> str | None:
    if one.tracer_cm2_per_s is None or one.tracer_error_cm2_per_s is None:
        return None
    return f"{_power(one.tracer_cm2_per_s)} ± {_power(one.tracer_error_cm2_per_s)} at {one.temperature_K:g} K"


def _seeds(seeds: Sequence[compare.Spread]) -> dict[str, Any]:
    return {
        "caption": "Percolation in the plane over the seeds of the metal arrangement.",
        "columns": [
            column("place"), column("mechanism", text=True), column("sodium per metal", digits=3),
            column("seeds", digits=0), column("mean", "eV"), column("standard deviation", "eV"),
            column("lowest", "eV"), column("highest", "eV"),
        ],
        "rows": [
            [s.place, s.mechanism, s.content, s.seeds, s.mean_eV, s.standard_deviation_eV, s.lowest_eV, s.highest_eV]
            for s in seeds
        ],
    }  # fmt: skip
