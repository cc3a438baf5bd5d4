"""What a network of hops lets through: the barriers at which it percolates, and diffusion over it with errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from simkit import measure
from simkit.errors import InputError
from simkit.workflows.hops.network import CellNetwork
from simkit.workflows.hops.settings import Kinetics

AXES = ("a", "b", "c")
INTERFACE = "interface"
WHOLE = "whole cell"
OFF = 0.05
"""How far the share of vacancies may be from that asked for: less than the errors of sampled diffusion."""


@dataclass(frozen=True)
class Way:
    """The smallest barrier at which a region lets ions through without end along an axis, or from phase to phase.

    barrier_eV  highest saddle on the way above the lowest site of the region, None where no hops lead through;
    bottleneck  the hop that decides it; hardest_hop_eV, hardest_hop the same counting each hop from its own start
    """

    region: str
    axis: str
    barrier_eV: float | None
    bottleneck: str | None
    hardest_hop_eV: float | None
    hardest_hop: str | None


@dataclass(frozen=True, eq=False)
class Diffusion:
    """Diffusion over one network at one temperature, along x, y, z, cm^2/s.

    lone_cm2_per_s  exact, of one vacancy (or one ion) in the endless network; sampled: tracer and collective by kinetic
    Monte Carlo with standard errors over replicas, vacancy_fraction of the sites being empty. None where they cannot be
    had, and note says why
    """

    temperature_K: float
    lone_cm2_per_s: tuple[float, ...] | None
    sampled: measure.HoppingDiffusion | None
    note: str = ""

    @property
    def vacancy_fraction(self) -> float | None:
        """Of the sites that were sampled, how many were empty."""
        return None if self.sampled is None else 1.0 - self.sampled.ions / len(self.sampled.occupation)


@dataclass(frozen=True, eq=False)
class Flow:
    """Diffusion within one region at several temperatures, and the activation energies along x, y, z (None: no way).

    lone_activation_eV of the exact lone walk between the lowest and the highest temperature
    """

    region: str
    runs: tuple[Diffusion, ...]
    activation: tuple[measure.Arrhenius | None, ...]
    lone_activation_eV: tuple[float | None, ...]


@dataclass(frozen=True, eq=False)
class Through:
    """What one network lets through: the ways of every region and across boundaries, and diffusion within regions."""

    cell: CellNetwork
    ways: tuple[Way, ...]
    flows: tuple[Flow, ...]

    def way(self, region: str, axis: str) -> Way | None:
        """The way of a region along an axis, if the cell has that region."""
        return next((w for w in self.ways if (w.region, w.axis) == (region, axis)), None)


def through(config: Kinetics, cell: CellNetwork) -> Through:
    """Percolation of every region and across their boundaries, and diffusion within every region."""
    across = _across(cell)
    areas = regions(cell, joined=all(way.barrier_eV is not None for way in across))
    ways = [way for name, inside in areas.items() for way in _percolating(cell, name, inside)]
    return Through(cell, tuple(ways + across), tuple(_flow(config, cell, *area) for area in areas.items()))


def regions(cell: CellNetwork, joined: bool) -> dict[str, np.ndarray]:
    """Sites (n,) of the whole cell, of each phase, of each phase away from interfaces and at them, and of the latter.

    Where no hops join the phases each keeps its ions at any temperature, and the cell as a whole is no region.
    """
    phases = np.array(cell.phases)
    names = [name for name in dict.fromkeys(cell.phases) if name]
    if len(names) < 2:
        found = {names[0] if names else WHOLE: np.ones(len(phases), dtype=bool)}
    else:
        found = {WHOLE: np.full(len(phases), joined)}
    for name in names:
        mine = phases == name
        found |= {name: mine, f"{name} inside": mine & ~cell.beside, f"{name} at the {INTERFACE}": mine & cell.beside}
        if cell.beside[mine].all() or not cell.beside[mine].any():
            del found[f"{name} at the {INTERFACE}"], found[f"{name} inside"]
    return {name: mask for name, mask in found.items() if mask.any()}


def _percolating(cell: CellNetwork, region: str, inside: np.ndarray) -> list[Way]:
    saddle, hop = (measure.percolation_within(cell.walker, inside, by) for by in ("saddle", "hop"))
    return [
        Way(
            region,
            axis,
            *_told(cell, saddle.barriers_eV[k], saddle.bottlenecks[k]),
            *_told(cell, hop.barriers_eV[k], hop.bottlenecks[k]),
        )
        for k, axis in enumerate(AXES)
    ]


def _across(cell: CellNetwork) -> list[Way]:
    """From each phase to each other one: through the boundary where they meet."""
    phases = np.array(cell.phases)
    names = [name for name in dict.fromkeys(cell.phases) if name]
    ways = []
    for k, first in enumerate(names):
        for second in names[k + 1 :]:
            sides = (phases == first, phases == second)
            told = [_told(cell, *measure.crossing(cell.walker, *sides, by=by)) for by in ("saddle", "hop")]
            ways.append(Way(f"{first} to {second}", "across", *told[0], *told[1]))
    return ways


def _told(cell: CellNetwork, barrier: float, hop: int) -> tuple[float | None, str | None]:
    return (float(barrier), cell.network.names[int(hop)]) if np.isfinite(barrier) else (None, None)


def _flow(config: Kinetics, cell: CellNetwork, region: str, inside: np.ndarray) -> Flow:
    """Exact diffusion of a lone walker that stays in a region, and of a vacancy the sampled one of its ions."""
    part = measure.part_of(cell.network, inside)
    walker = measure.vacancy_network(part) if cell.mechanism == "vacancy" else part
    runs = [_diffusion(config, part, walker, t) for t in config.temperatures_K]
    known = [run.sampled for run in runs if run.sampled is not None]
    fits = measure.hopping_activation(known) if len(known) > 1 else (None, None, None)
    return Flow(region, tuple(runs), fits, lone_activation_eV(runs))


def _diffusion(config: Kinetics, part: measure.Network, walker: measure.Network, temperature_K: float) -> Diffusion:
    """Diffusion over a part of a network at one temperature; ions are sampled where vacancies walk."""
    if not len(part.ends):
        return Diffusion(temperature_K, (0.0, 0.0, 0.0), None, "no hop stays within the region")
    notes: list[str] = []
    lone, sampled = None, None
    try:
        lone = tuple(map(float, np.diag(measure.single_ion_cm2_per_s(walker, temperature_K))))
    except InputError as error:
        notes.append(f"lone walk: {error}")
    try:
        sampled = _sampled(config, part, temperature_K) if walker is not part else None
    except InputError as error:
        notes.append(f"kinetic Monte Carlo: {error}")
    return Diffusion(temperature_K, lone, sampled, " ".join(notes))


def _sampled(config: Kinetics, part: measure.Network, temperature_K: float) -> measure.HoppingDiffusion:
    """Kinetic Monte Carlo of ions on all sites but the vacancies."""
    repeats, empty = vacant(config, part)
    large = measure.repeated(part, repeats)
    sampling = measure.KineticSampling(config.replicas, config.jumps_per_ion, seed=config.seed)
    return measure.hopping_diffusion(large, len(large.positions) - empty, temperature_K, sampling)


def vacant(config: Kinetics, part: measure.Network) -> tuple[list[int], int]:
    """The fewest repeats of a region in which whole vacancies make the fraction asked for, within `OFF`, and how many.

    Tracer diffusion goes with the number of vacancies: one in every region, whatever its size, would be no comparison.
    A site that hops lead to its own image is repeated at least once.
    """
    a, b, c = config.repeats
    for more in count(2 if (part.ends[:, 0] == part.ends[:, 1]).any() else 1):
        large = len(part.positions) * a * b * c * more**2
        empty = round(config.vacancy_fraction * large)
        if 0 < empty < large and abs(empty / large / config.vacancy_fraction - 1.0) <= OFF:
            return [a * more, b * more, c], empty
    raise AssertionError("counting never ends")


def lone_activation_eV(runs: Sequence[Diffusion]) -> tuple[float | None, ...]:
    """Activation energy along x, y, z of an exact walk between its lowest and highest temperature; None where none."""
    known = sorted((run.temperature_K, run.lone_cm2_per_s) for run in runs if run.lone_cm2_per_s is not None)
    if len(known) < 2 or known[0][0] == known[-1][0]:
        return (None, None, None)
    (cold_K, cold), (hot_K, hot) = known[0], known[-1]
    return tuple(measure.activation_between(a, cold_K, b, hot_K) for a, b in zip(cold, hot, strict=True))
