"""Bands of many hops in one batch, each kept by what fixes it, with the preconditioner of its cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from simkit import solve
from simkit.workflows.common import Content
from simkit.workflows.hops.ends import Bench, Ready
from simkit.workflows.hops.guesses import guessed
from simkit.workflows.hops.hessians import optimiser_of_bands
from simkit.workflows.hops.keeping import Place, batched
from simkit.workflows.hops.record import TYPES

Key = TypeVar("Key")
BANDS = "bands"
"""The stage in which bands are found, which many may share."""


@dataclass(frozen=True, eq=False)
class Wanted:
    """A band to be found: the name it is kept under, its cell by label, what fixes it beside the settings of bands."""

    name: str
    label: str
    fixed: Mapping[str, Any]


def first_bands(bench: Bench, hops: Mapping[int, Ready]) -> dict[int, solve.Path]:
    """The band of each hop, by number, from its first guess."""
    wanted = {
        k: Wanted(f"{bench.name}-hop-{k:04d}", item.chosen.label, _fixed(item, item.through))
        for k, item in hops.items()
    }

    def starts(keys: list[int]) -> list[solve.Hop]:
        return list(guessed(bench.potential, {k: hops[k] for k in keys}, bench.config.images).values())

    return found(bench, wanted, starts, BANDS)


def found(
    bench: Bench, wanted: Mapping[Key, Wanted], starts: Callable[[list[Key]], Sequence[solve.Hop]], stage: str
) -> dict[Key, solve.Path]:
    """The paths of bands by key; starts: where those begin that are not kept from before."""
    config = bench.config
    optimiser = optimiser_of_bands(config, {bench.kind(one.label) for one in wanted.values()})
    settings = solve.NebSettings(
        fmax_eV_per_A=config.fmax_eV_per_A,
        barrier_error_eV=config.barrier_error_eV,
        barrier_change_eV=config.barrier_change_eV,
        max_steps=config.max_steps,
        optimiser=optimiser,
    )
    places = {key: Place(one.name, _content(bench, one, optimiser)) for key, one in wanted.items()}

    def prepare(keys: list[Key]) -> solve.Descent:
        bands = list(starts(keys))
        asked = settings
        if bench.hosts is not None:
            asked = replace(settings, model=tuple(bench.hosts.models().bands[wanted[key].label] for key in keys))
        return solve.prepare_paths(bands, bench.potential, config.images, config.climb, asked)

    return batched(bench.hooks, places, TYPES, prepare, solve.paths, stage)


def _fixed(item: Ready, through: Any) -> dict[str, Any]:
    ends = [end.structure for end in item.ends]
    return {"ends": ends, "through": through, "ion": item.chosen.hop.moving}


def _content(bench: Bench, one: Wanted, optimiser: str) -> Content:
    """What fixes a band: its ends, the way between them, and how it is relaxed."""
    names = ("images", "climb", "fmax_eV_per_A", "barrier_error_eV", "barrier_change_eV", "max_steps")
    kind = bench.kind(one.label)
    how = {
        "model": repr(solve.BAND_SPRINGS) if kind == "exp" else kind,
        "optimiser": optimiser,
        **{name: getattr(bench.config, name) for name in names},
    }
    return Content({"step": "band", **one.fixed, **how}, "band")
