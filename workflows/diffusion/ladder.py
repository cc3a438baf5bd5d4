"""Activation energies over a ladder of temperatures: of diffusivities, conductivities and jump rates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simkit import measure
from simkit.errors import InputError
from simkit.measure.error_bars import Estimate
from simkit.workflows.diffusion.transport import AXES, Motions


@dataclass(frozen=True, eq=False)
class Ladder:
    """One quantity of one group of ions over temperature.

    values: None where it is not known; fit: None where fewer than two are, and reason says so
    """

    source: str
    quantity: str
    group: str
    axes: str
    temperatures_K: tuple[float, ...]
    values: tuple[Estimate | None, ...]
    fit: measure.Arrhenius | None
    reason: str = ""


def ladders(found: Sequence[Motions]) -> list[Ladder]:
    """All ladders of all sources, also those with a single rung: the reader sees what is missing."""
    out = []
    for source in dict.fromkeys(one.source for one in found):
        mine = sorted((one for one in found if one.source == source), key=lambda one: one.temperature_K)
        groups = dict.fromkeys(entry.group for one in mine for entry in one.entries)
        for group in groups:
            out += [_ladder(mine, ("D", group, axes), _diffusivity(group, axes)) for axes in AXES]
        out += [
            _ladder(mine, ("sigma T", "all", axes), _conductivity(axes))
            for axes in AXES
            if any(m.charges for m in mine)
        ]
        if any(one.hopping for one in mine):
            out.append(_ladder(mine, ("jumps", "all", "xyz"), _rate))
    return out


def _ladder(mine: Sequence[Motions], what: tuple[str, str, str], of: Callable[[Motions], Estimate | None]) -> Ladder:
    values = tuple(of(one) for one in mine)
    temperatures = tuple(one.temperature_K for one in mine)
    usable = [
        (t, v) for t, v in zip(temperatures, values, strict=True) if v is not None and v.value > 0 and v.error > 0
    ]
    fit, reason = None, ""
    try:
        fit = measure.arrhenius([t for t, _ in usable], [v for _, v in usable])
    except InputError as error:
        reason = f"{len(usable)} of {len(values)} temperatures are known: {error}"
    return Ladder(mine[0].source, *what, temperatures, values, fit, reason)


def _diffusivity(group: str, axes: str) -> Callable[[Motions], Estimate | None]:
    def of(one: Motions) -> Estimate | None:
        entry = one.entry(group, axes)
        return None if entry is None else entry.found.value_cm2_per_s

    return of


def _conductivity(axes: str) -> Callable[[Motions], Estimate | None]:
    """sigma T by Nernst and Einstein, whose activation energy is that of D; the collective one has too wide errors."""

    def of(one: Motions) -> Estimate | None:
        found = next((c.nernst_einstein_S_per_cm for c in one.charges if c.axes == axes), None)
        return None if found is None else found.times(one.temperature_K)

    return of


def _rate(one: Motions) -> Estimate | None:
    return None if one.hopping is None else one.hopping.rate_per_ps
