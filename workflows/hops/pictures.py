"""The figures of hops and their networks: results handed to the plot room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from simkit import build, plot
from simkit.errors import InputError
from simkit.io.rundir import file_name
from simkit.structure import Structure
from simkit.workflows.figures import path_curve, phase_spans
from simkit.workflows.hops.kinetics import Flow, Through
from simkit.workflows.hops.record import HopResult
from simkit.workflows.hops.tables import barrier_of

FEW = 8
"""So many curves have a legend of their own."""


def draw(cells: Mapping[str, Structure], hops: Sequence[HopResult], nets: Sequence[Through]) -> dict[str, object]:
    """Figure by file name: profiles, barrier against height of each cell, histogram, networks, diffusion."""
    figures: dict[str, object] = {}
    if any(hop.fit is not None for hop in hops):
        figures["barriers"] = profiles(hops)
    for label, cell in cells.items():
        mine = [hop for hop in hops if hop.structure == label]
        if dots(mine):
            figures[f"heights-{file_name(label)}"] = heights(label, cell, mine)
    if any(dot.converged for dot in dots(hops)):
        figures["histogram"] = plot.barrier_histogram(dots(hops))
    for net in nets:
        if len(net.cell.hops):
            figures[f"network-{file_name(net.cell.label)}-{net.cell.mechanism}"] = network(cells[net.cell.label], net)
    curves = diffusion(nets)
    if any((curve.values_cm2_per_s > 0).any() for curve in curves):
        figures["diffusion"] = plot.kinetic_figure(curves)
    return figures


def curve(hop: HopResult) -> plot.BarrierCurve | None:
    """Energy along one hop."""
    return None if hop.path is None else path_curve(hop.name, hop.path, hop.converged)


def profiles(hops: Sequence[HopResult]) -> object:
    """Energy along every hop: each named where they are few, else a panel for each kind of place."""
    drawn = [(hop, one) for hop in hops if (one := curve(hop)) is not None]
    if len(drawn) <= FEW:
        return plot.barrier_figure([one for _, one in drawn])
    panels: dict[str, list[plot.BarrierCurve]] = {}
    for hop, one in drawn:
        # a band that broke down may end anywhere: it would set the scale
        if hop.converged:
            panels.setdefault(f"{hop.kind or hop.sites}\n{hop.hop.mechanism}", []).append(one)
    return (
        plot.profiles_figure(list(panels.items())) if panels else plot.barrier_figure([one for _, one in drawn[:FEW]])
    )


def dots(hops: Sequence[HopResult]) -> list[plot.HopDot]:
    """One dot for each hop that has a barrier."""
    found = []
    for hop in hops:
        barrier = barrier_of(hop)
        if barrier is not None and hop.around is not None:
            phase = hop.hop.phase or hop.sites
            dot = (phase, hop.hop.mechanism, hop.around.height_A, barrier, hop.multiplicity, True, hop.structure)
            found.append(plot.HopDot(*dot))
    return found


def heights(label: str, cell: Structure, hops: Sequence[HopResult]) -> object:
    """Barrier against height, with the phases and the slabs that two of them share."""
    try:
        spans, planes = phase_spans(cell), build.interface_heights_A(cell).tolist()
    except InputError:
        spans, planes = [], []
    return plot.height_figure(dots(hops), spans, planes, label)


def network(cell: Structure, net: Through) -> object:
    """The network in the cell; the hops that decide how ions get through stand out."""
    graph = net.cell.network
    deciding = {way.bottleneck for way in net.ways} - {None}
    picture = plot.NetworkPicture(
        cell,
        graph.positions,
        net.cell.phases,
        net.cell.galleries,
        graph.ends,
        graph.steps_A,
        graph.barriers_eV.max(axis=1),
        np.array([name in deciding for name in graph.names]),
    )
    return plot.network_figure(picture, f"{net.cell.label}, {net.cell.mechanism}")


def diffusion(nets: Sequence[Through]) -> list[plot.KineticCurve]:
    """Mean of the in-plane diffusion over temperature: exact lone walks as lines, sampled tracers as points."""
    curves = []
    for net in nets:
        for flow in net.flows if net.cell.mechanism == "vacancy" else ():
            place = flow.region if flow.region == net.cell.label else f"{flow.region} of {net.cell.label}"
            curves += _curves(place, flow)
    return curves


def _curves(place: str, flow: Flow) -> list[plot.KineticCurve]:
    temperatures = np.array([run.temperature_K for run in flow.runs])
    sampled = [run.sampled for run in flow.runs]
    if any(run is None for run in sampled):
        return []
    values = np.array([np.trace(run.tracer_cm2_per_s[:2, :2]) / 2 for run in sampled if run is not None])
    errors = np.array([np.trace(run.tracer_error_cm2_per_s[:2, :2]) / 2 for run in sampled if run is not None])
    return [plot.KineticCurve(place, temperatures, values, errors)]
