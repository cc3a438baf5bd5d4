"""Diffusivities, conductivities, jumps and residence times of one stored trajectory or several replicas of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simkit import build, measure
from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.kernels.correlation import squares_at_all_lags
from simkit.measure.error_bars import Estimate
from simkit.structure import Structure
from simkit.trajectory import Trajectory
from simkit.workflows.diffusion.config import Transport

AXES = ("xyz", "xy", "z")
"""Everywhere; within the layers; across them."""
OTHER_JUMP_A = 2.9
"""Jump length where no sites are known: that between octahedral sites."""
LAGS = 4
SHORTEST_LAG_PS = 0.2
"""Lags of the van Hove function: from a vibration to a quarter of the run."""


@dataclass(frozen=True, eq=False)
class Entry:
    """A diffusivity of a group of ions ("all", "gallery 3", "P2") along some axes."""

    group: str
    axes: str
    found: measure.Diffusivity


@dataclass(frozen=True, eq=False)
class Charge:
    """Means over the replicas: conductivity along axes, S/cm, by Nernst and Einstein and of the charge as a whole, and
    the Haven ratio; None where ions are not diffusive."""

    axes: str
    nernst_einstein_S_per_cm: Estimate | None
    collective_S_per_cm: Estimate | None
    haven_ratio: Estimate | None


@dataclass(frozen=True, eq=False)
class Hopping:
    """Jumps between the sites of the stacking at the start.

    rate_per_ps of an ion; residence_ps, occupancy: by kind of site (occupancy per site); counts by kind of jump
    """

    rate_per_ps: Estimate
    jumps: int
    residence_ps: dict[str, float]
    occupancy: dict[str, float]
    counts: dict[str, int]


@dataclass(frozen=True, eq=False)
class Motions:
    """What the replicas of one structure at one temperature say together.

    squares_A2 (t,) MSD at times_ps (t,) by axes; van_hove: (lag_ps, (b,) 1/A) on distances_A; density of the ions and
    the structure it goes with; reason: why there are no sites, or no diffusivities, a sentence
    """

    source: str
    temperature_K: float
    length_ps: float
    replicas: int
    times_ps: Floats
    squares_A2: dict[str, Floats]
    entries: tuple[Entry, ...]
    charges: tuple[Charge, ...]
    hopping: Hopping | None
    distances_A: Floats
    van_hove: tuple[tuple[float, Floats], ...]
    density: measure.DensityMap
    reason: str = ""

    def entry(self, group: str, axes: str) -> Entry | None:
        """The diffusivity of a group along axes, None where there is none."""
        return next((e for e in self.entries if (e.group, e.axes) == (group, axes)), None)


@dataclass(frozen=True, eq=False)
class _Sites:
    """Sites (s, 3) A relative to the host in the mean cell, their kinds, and the shortest distance between two."""

    positions: Floats
    kinds: np.ndarray
    apart_A: float


def motions(config: Transport, bath: tuple[str, float], runs: Sequence[Trajectory], whole: Structure) -> Motions:
    """Everything about one structure at one temperature, `bath`; `runs` are its replicas, `whole` their start.

    Raises InputError where the ion is absent or a run has fewer than two frames after `skip_ps`.
    """
    tracks = [measure.ion_tracks(run, config.ion, from_ps=config.skip_ps) for run in runs]
    cell = measure.mean_cell(runs[0], config.skip_ps)
    sites, reason = _sites(whole, config.ion, cell)
    jump = config.jump_length_A or (sites.apart_A if sites else OTHER_JUMP_A)
    together = _joined(tracks)
    squares = squares_at_all_lags(together.positions).mean(axis=1)
    window = measure.FitWindow(blocks=config.blocks)
    entries, charges = (), ()
    try:
        entries = _entries(together, len(runs), whole, config.ion, (jump, window))
        carrier = measure.Carrier(config.charge_e, float(np.linalg.det(cell)), bath[1])
        charges = tuple(_charge(carrier, tracks, axes, (jump, window)) for axes in AXES)
    except InputError as error:
        reason = f"{reason} {error}".strip()
    shortest = min(max(round(SHORTEST_LAG_PS / together.interval_ps), 1), max(len(together) // 8, 1))
    lags = np.unique(np.geomspace(shortest, max(len(together) // 4, 2), LAGS).astype(int)) * together.interval_ps
    edges = np.linspace(0.0, 8.0, 81)
    return Motions(
        source=bath[0],
        temperature_K=bath[1],
        length_ps=together.length_ps,
        replicas=len(runs),
        times_ps=np.arange(len(together)) * together.interval_ps,
        squares_A2={axes: squares[:, ["xyz".index(letter) for letter in axes]].sum(axis=1) for axes in AXES},
        entries=entries,
        charges=charges,
        hopping=None if sites is None else _hopping(config, together, sites, cell),
        distances_A=0.5 * (edges[1:] + edges[:-1]),
        van_hove=tuple((float(lag), measure.van_hove(together, lag, edges)) for lag in lags),
        density=measure.density_map(
            together.positions + _host(whole, config.ion, cell), cell, config.density_A, max(0.3, config.density_A)
        ),
        reason=reason,
    )


def groups(structure: Structure, ion: str) -> dict[str, np.ndarray]:
    """Masks over the ions: all, and those of each phase and gallery where there are several."""
    ions = np.array(structure.symbols) == ion
    found = {"all": np.ones(int(ions.sum()), dtype=bool)}
    try:
        labelled = structure if {"phase", "gallery"} <= set(structure.tags) else build.label(structure)
    except InputError:
        return found
    for tag, word in (("phase", "{}"), ("gallery", "gallery {}")):
        column = labelled.tags[tag][ions]
        values = np.unique(column)
        if len(values) > 1:
            found |= {word.format(value): column == value for value in values}
    return found


def _entries(
    tracks: measure.IonTracks, replicas: int, whole: Structure, ion: str, how: tuple[float, measure.FitWindow]
) -> tuple[Entry, ...]:
    jump, window = how
    return tuple(
        Entry(name, axes, measure.diffusivity(of, axes, jump_length_A=jump, window=window))
        for name, mask in groups(whole, ion).items()
        for of in [tracks.only(np.tile(mask, replicas))]
        for axes in AXES
    )


def _charge(
    carrier: measure.Carrier,
    tracks: Sequence[measure.IonTracks],
    axes: str,
    how: tuple[float, measure.FitWindow],
) -> Charge:
    jump, window = how
    found = [measure.conductivity(t, carrier, axes, jump_length_A=jump, window=window) for t in tracks]
    return Charge(
        axes,
        _mean([one.nernst_einstein_S_per_cm for one in found]),
        _mean([one.value_S_per_cm for one in found]),
        _mean([one.haven_ratio for one in found]),
    )


def _mean(values: Sequence[Estimate | None]) -> Estimate | None:
    """Mean of independent estimates; None where one is missing."""
    if not values or any(v is None for v in values):
        return None
    error = float(np.sqrt(sum(v.error**2 for v in values))) / len(values)
    return Estimate(float(np.mean([v.value for v in values])), error, sum(v.freedom for v in values))


def _joined(tracks: Sequence[measure.IonTracks]) -> measure.IonTracks:
    """The ions of all replicas side by side; replicas are cut to the shortest."""
    shortest = min(len(t) for t in tracks)
    return measure.IonTracks(np.concatenate([t.positions[:shortest] for t in tracks], axis=1), tracks[0].interval_ps)


def _host(structure: Structure, ion: str, cell: Floats) -> Floats:
    """(3,) A centre of the host at the start, in the mean cell."""
    rest = np.array(structure.symbols) != ion
    return structure.positions[rest].mean(axis=0) @ np.linalg.inv(structure.cell) @ cell


def _sites(structure: Structure, ion: str, cell: Floats) -> tuple[_Sites | None, str]:
    """Sites of the galleries in the frame of the tracks; None and a sentence where there are none."""
    try:
        stack = build.classify(structure)
        found = build.candidate_sites(structure, stack)
    except InputError as error:
        return None, f"no sites, so no jumps: {error}"
    if not len(found):
        return None, "no sites, so no jumps: no gallery holds ions."
    positions = found.positions @ np.linalg.inv(structure.cell) @ cell - _host(structure, ion, cell)
    fractional = positions @ np.linalg.inv(cell)
    steps = fractional[:, None] - fractional[None]
    lengths = np.linalg.norm((steps - np.round(steps)) @ cell, axis=2)
    apart = float(lengths[~np.eye(len(lengths), dtype=bool)].min(initial=np.inf))
    names = stack.stack.gaps()
    kinds = np.array([f"{names[g]} {k}" for g, k in zip(found.gallery, found.kind, strict=True)])
    return _Sites(positions, kinds, apart), ""


def _hopping(config: Transport, tracks: measure.IonTracks, sites: _Sites, cell: Floats) -> Hopping | None:
    found = measure.jumps(tracks, measure.site_table(sites.positions, cell), config.dwell_ps)
    leaving = np.bincount(found.origins, minlength=found.sites)
    residence, occupancy = {}, {}
    ions_per_copy = found.occupancy
    for kind in np.unique(sites.kinds):
        mine = sites.kinds == kind
        left = int(leaving[mine].sum())
        residence[str(kind)] = float(found.occupied_ps[mine].sum() / left) if left else float("inf")
        occupancy[str(kind)] = float(ions_per_copy[mine].mean())
    ways, numbers = np.unique(
        [f"{a} > {b}" for a, b in zip(sites.kinds[found.origins], sites.kinds[found.targets], strict=True)],
        return_counts=True,
    )
    blocks = min(config.blocks, max(len(tracks) - 1, 2))
    rate = measure.jump_rate(found, blocks)
    return Hopping(rate, len(found), residence, occupancy, dict(zip(ways.tolist(), numbers.tolist(), strict=True)))
