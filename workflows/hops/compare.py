"""An intergrowth against its phases alone: hops and percolation by place, over sodium contents and metal seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simkit.workflows.hops.kinetics import Flow, Through
from simkit.workflows.hops.record import HopResult
from simkit.workflows.hops.tables import statistics


@dataclass(frozen=True)
class Variant:
    """One cell under study and its phases alone at the same sodium content and in-plane lattice.

    label of the cell; phases: name of a phase -> label of it alone; content asked of all galleries, or None as the
    file says; seed of the metals
    """

    label: str
    phases: Mapping[str, str]
    content: float | None
    seed: int


@dataclass(frozen=True)
class Place:
    """What one place offers by one mechanism: its hops in numbers, and how it percolates in the plane.

    place  "P2 at the interface", "P2 inside", "P2" or "P2 alone"; hops: see `tables.statistics`
    networked  whether its hops were joined into a network of a region of this name
    percolates_eV  the larger of the barriers along a and along b; None where one is closed or no network was made
    tracer_cm2_per_s  mean of x and y at the lowest temperature, with its standard error; activation_eV the same mean
    """

    variant: str
    content: float | None
    seed: int
    mechanism: str
    phase: str
    place: str
    hops: Mapping[str, float | int]
    networked: bool
    percolates_eV: float | None
    bottleneck: str | None
    temperature_K: float | None
    tracer_cm2_per_s: float | None
    tracer_error_cm2_per_s: float | None
    activation_eV: float | None


@dataclass(frozen=True)
class Spread:
    """One number over the seeds of the metals: how many, mean, standard deviation (None of one), lowest, highest."""

    content: float | None
    mechanism: str
    place: str
    seeds: int
    mean_eV: float
    standard_deviation_eV: float | None
    lowest_eV: float
    highest_eV: float


def places(variants: Sequence[Variant], hops: Sequence[HopResult], nets: Sequence[Through]) -> list[Place]:
    """Every place of every variant by every mechanism that has hops there."""
    found = []
    for variant in variants:
        for phase, alone in variant.phases.items():
            for label, words in ((variant.label, None), (alone, f"{phase} alone")):
                mine = [h for h in hops if h.structure == label and h.hop.phase == phase]
                for mechanism in dict.fromkeys(h.hop.mechanism for h in mine):
                    some = [h for h in mine if h.hop.mechanism == mechanism]
                    net = next((n for n in nets if (n.cell.label, n.cell.mechanism) == (label, mechanism)), None)
                    found += _of(variant, phase, words, some, net)
    return found


def _of(variant: Variant, phase: str, words: str | None, hops: Sequence[HopResult], net: Through | None) -> list[Place]:
    """The places of one phase in one cell: as a whole, and where it meets another inside and at the interface."""
    parts = {words or phase: (phase, list(hops))}
    if words is None:
        for name, at in ((f"{phase} at the interface", True), (f"{phase} inside", False)):
            some = [h for h in hops if h.hop.at_interface == at]
            if some and len(some) < len(hops):
                parts[name] = (name, some)
    return [_place(variant, phase, name, region, some, net) for name, (region, some) in parts.items()]


def _place(
    variant: Variant, phase: str, place: str, region: str, hops: Sequence[HopResult], net: Through | None
) -> Place:
    barrier, bottleneck = _percolates(net, region)
    flow = None if net is None else next((f for f in net.flows if f.region == region), None)
    temperature, tracer, error, activation = _tracer(flow)
    return Place(
        variant=variant.label,
        content=variant.content,
        seed=variant.seed,
        mechanism=hops[0].hop.mechanism,
        phase=phase,
        place=place,
        hops=statistics(hops),
        networked=net is not None and net.way(region, "a") is not None,
        percolates_eV=barrier,
        bottleneck=bottleneck,
        temperature_K=temperature,
        tracer_cm2_per_s=tracer,
        tracer_error_cm2_per_s=error,
        activation_eV=activation,
    )


def _percolates(net: Through | None, region: str) -> tuple[float | None, str | None]:
    """Barrier at which a region lets ions through along both a and b, and the hop that decides it."""
    ways = [] if net is None else [way for axis in "ab" if (way := net.way(region, axis)) is not None]
    if len(ways) < 2 or any(way.barrier_eV is None for way in ways):
        return None, None
    worst = max(ways, key=lambda way: way.barrier_eV or 0.0)
    return worst.barrier_eV, worst.bottleneck


def _tracer(flow: Flow | None) -> tuple[float | None, float | None, float | None, float | None]:
    """Lowest temperature, in-plane tracer diffusion there with its error, and the exact in-plane activation energy."""
    if flow is None:
        return None, None, None, None
    energies = [e for e in flow.lone_activation_eV[:2] if e is not None]
    activation = float(np.mean(energies)) if energies else None
    coldest = min(flow.runs, key=lambda run: run.temperature_K)
    if coldest.sampled is None:
        return coldest.temperature_K, None, None, activation
    plane = (slice(None, 2), slice(None, 2))
    value = float(np.trace(coldest.sampled.tracer_cm2_per_s[plane]) / 2)
    error = float(np.trace(coldest.sampled.tracer_error_cm2_per_s[plane]) / 2)
    return coldest.temperature_K, value, error, activation


def over_seeds(found: Sequence[Place]) -> list[Spread]:
    """Percolation barriers of each content, mechanism and place over the seeds; places that are closed are left out."""
    groups: dict[tuple[float | None, str, str], list[float]] = {}
    for one in found:
        if one.percolates_eV is not None:
            groups.setdefault((one.content, one.mechanism, one.place), []).append(one.percolates_eV)
    return [
        Spread(
            *key,
            len(values),
            float(np.mean(values)),
            float(np.std(values, ddof=1)) if len(values) > 1 else None,
            min(values),
            max(values),
        )
        for key, values in groups.items()
    ]


def verdicts(found: Sequence[Place]) -> list[str]:
    """One sentence for each variant, mechanism and phase: the interface against the inside and the phase alone."""
    by_key = {(p.variant, p.mechanism, p.place): p for p in found}
    sentences = []
    for one in found:
        if one.place != one.phase or not one.networked:
            continue
        whole = (one.variant, one.mechanism)
        parts = {
            "beside the interface": by_key.get((*whole, f"{one.phase} at the interface")),
            "inside": by_key.get((*whole, f"{one.phase} inside")),
            "in the intergrowth": one,
            "in the phase alone": by_key.get((*whole, f"{one.phase} alone")),
        }
        if parts["beside the interface"] is not None:
            del parts["in the intergrowth"]
        told = [f"{_eV(p)} {where}" for where, p in parts.items() if p is not None and p.networked]
        sentences.append(
            f"{one.variant}, {one.phase}, {one.mechanism}: sodium percolates in the plane at {_listed(told)}."
        )
    return sentences


def _eV(place: Place) -> str:
    return (
        "no barrier (these hops do not lead through)"
        if place.percolates_eV is None
        else f"{place.percolates_eV:.3f} eV"
    )


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
