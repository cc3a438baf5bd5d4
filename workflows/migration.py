"""Sodium migration: one vacancy hop of each kind, its relaxed ends and its climbing-image path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field

from simkit import build, io, measure, solve
from simkit.config import Section
from simkit.errors import InputError
from simkit.potential.base import Evaluation, Potential, Spread
from simkit.solve.outcome import Outcome
from simkit.structure import Structure
from simkit.workflows.common import QUIET, Hooks, named_structures

SPONTANEOUS = "spontaneous"
"""Status of a hop one end of which falls into the other: no barrier."""
SPONTANEOUS_A = 0.3
"""Ends whose moving ion relaxes to within this distance of the other end's are one state, A."""


class Config(Section):
    """ion: what hops; sites: "galleries" of a layered oxide, or in any crystal the places of the "ions".

    images: moving images; hops_per_kind: distinct hops of each phase inside and at the interface; cutoff_A: longest.
    """

    ion: str = "Na"
    sites: Literal["galleries", "ions"] = "galleries"
    images: int = Field(default=5, gt=0)
    climb: bool = True
    fmax_eV_per_A: float = Field(default=0.05, gt=0)
    barrier_change_eV: float = Field(default=0.005, gt=0)
    end_fmax_eV_per_A: float = Field(default=0.03, gt=0)
    max_steps: int = Field(default=200, gt=0)
    cutoff_A: float = Field(default=3.6, gt=0)
    hops_per_kind: int = Field(default=1, gt=0)


@dataclass(frozen=True, eq=False)
class HopResult:
    """One hop: where it is, its relaxed ends, its path and what the path passes.

    status is "converged", "spontaneous" (one end falls into the other: no barrier) or a sentence.
    window_A is the shortest distance between the moving ion and an oxygen (without oxygen: any atom) on the path;
    track_A the length of the moving ion's own way; multiplicity counts equivalent hops in the cell.
    """

    name: str
    kind: str
    sites: str
    gallery: int
    multiplicity: int
    distance_A: float
    gallery_height_A: float | None
    status: str
    ends: tuple[Outcome, ...]
    path: solve.Path | None
    window_A: float | None
    track_A: float | None

    @property
    def converged(self) -> bool:
        """Whether the number can be used: a converged path or a spontaneous hop."""
        return self.status in (solve.CONVERGED, SPONTANEOUS)


@dataclass(frozen=True)
class Result:
    """hops: one `HopResult` per hop that was run."""

    hops: tuple[HopResult, ...]

    def to_ase(self) -> dict[str, list[Any]]:
        """The images of each path as ase.Atoms, by hop name."""
        return {hop.name: [io.to_ase(s) for s in hop.path.images] for hop in self.hops if hop.path is not None}


@dataclass(frozen=True, eq=False)
class _Chosen:
    name: str
    kind: str
    hop: build.Hop
    ends: tuple[Structure, Structure]
    gallery_height_A: float | None


TYPES = (Result, HopResult, Outcome, Evaluation, Spread, solve.Path)


def run(config: Config, potential: Potential, structures: Any, hooks: Hooks = QUIET, name: str = "migration") -> Result:
    """Barriers of the distinct vacancy hops of `structures` (relaxed Structure, ase.Atoms or pymatgen.Structure).

    A layered oxide gives hops of each phase, inside it and at the interface; any other crystal the shortest distinct
    hops between its ions (sites="ions"). All ends relax in one batch, then all bands in one batch, at fixed cell.
    Raises InputError when no hop is possible. Barriers are those of the potential, at the vacancy concentration of
    the cell given.
    """
    chosen = [hop for label, s in named_structures(structures).items() for hop in _choose(config, label, s)]
    if not chosen:
        raise InputError(
            f"no hop of {config.ion} up to {config.cutoff_A} A was found; raise cutoff_A, or check the structure."
        )

    def relax_ends() -> tuple[Outcome, ...]:
        settings = solve.RelaxSettings(max_steps=config.max_steps)
        ends = [end for item in chosen for end in item.ends]
        watch = hooks.watch(f"{name}: ends of {len(chosen)} hops")
        return tuple(solve.relax(ends, potential, "fixed", config.end_fmax_eV_per_A, settings, watch))

    ends = hooks.keep(f"{name}-ends", relax_ends, TYPES)
    pairs = [tuple(ends[2 * k : 2 * k + 2]) for k in range(len(chosen))]

    def find() -> Result:
        statuses = [_status_before(config, item, pair) for item, pair in zip(chosen, pairs, strict=True)]
        open_hops = [k for k, status in enumerate(statuses) if status is None]
        settings = solve.NebSettings(
            fmax_eV_per_A=config.fmax_eV_per_A,
            barrier_change_eV=config.barrier_change_eV,
            max_steps=config.max_steps,
        )
        watch = hooks.watch(f"{name}: {len(open_hops)} bands of {config.images} images")
        requests = [(pairs[k][0].structure, pairs[k][1].structure) for k in open_hops]
        found = solve.find_paths(requests, potential, config.images, config.climb, settings, watch) if requests else []
        paths = dict(zip(open_hops, found, strict=True))
        results = [_result(item, pairs[k], paths.get(k), statuses[k]) for k, item in enumerate(chosen)]
        return Result(tuple(results))

    return hooks.keep(name, find, TYPES)


def _choose(config: Config, label: str, structure: Structure) -> list[_Chosen]:
    """The hops to run in one structure: `hops_per_kind` of each phase, inside it and at the interface."""
    chosen, taken = [], {}
    for hop in sorted(_hops(config, structure), key=lambda hop: hop.vacancy < 0):
        kind = f"{hop.phase} at the interface" if hop.at_interface else hop.phase
        taken[kind] = taken.get(kind, 0) + 1
        if taken[kind] <= config.hops_per_kind:
            place = f"{kind} alone" if kind == label else f"{kind or hop.kind} in {label}"
            name = place + (f", number {taken[kind]}" if taken[kind] > 1 else "")
            chosen.append(_Chosen(name, kind, hop, build.endpoints(structure, hop), _gallery_height(structure, hop)))
    return chosen


def _hops(config: Config, structure: Structure) -> list[build.Hop]:
    """Hops of a layered structure between its gallery sites, of any other crystal between its ions."""
    if config.sites == "ions":
        return build.hops_between_ions(structure, config.ion, config.cutoff_A)
    try:
        found = build.hops(structure, config.cutoff_A)
    except InputError as error:
        raise InputError(f"{error} For hops in any other crystal set sites='ions'.") from error
    return [hop for hop in found if structure.symbols[hop.ion] == config.ion]


def _gallery_height(structure: Structure, hop: build.Hop) -> float | None:
    return None if hop.gallery < 0 else float(build.classify(structure).gallery_heights_A[hop.gallery])


def _ends_status(item: _Chosen, ends: tuple[Outcome, Outcome]) -> str | None:
    """Why no band is run between these ends, or None when one is."""
    for side, end in zip(("initial", "final"), ends, strict=True):
        if not end.converged:
            return f"the {side} state did not relax: {end.status}"
    step = measure.displacements_A(ends[0].structure, ends[1].structure)[item.hop.moving]
    return SPONTANEOUS if np.linalg.norm(step) < SPONTANEOUS_A else None


def _status_before(config: Config, item: _Chosen, ends: tuple[Outcome, Outcome]) -> str | None:
    """Why no band is run for a hop: its ends, or no first guess that keeps atoms apart; None when one is."""
    trouble = _ends_status(item, ends)
    if trouble is None:
        try:
            solve.first_guess(solve.Hop(ends[0].structure, ends[1].structure), config.images)
        except InputError as error:
            trouble = f"no path could be started: {error}"
    return trouble


def _result(item: _Chosen, ends: tuple[Outcome, Outcome], path: solve.Path | None, status: str | None) -> HopResult:
    hop = item.hop
    status = path.status if path is not None else status
    if path is not None and not np.isfinite(path.energies_eV).all():
        path = None
    return HopResult(
        name=item.name,
        kind=item.kind,
        sites=hop.kind,
        gallery=hop.gallery,
        multiplicity=hop.multiplicity,
        distance_A=hop.distance_A,
        gallery_height_A=item.gallery_height_A,
        status=status,
        ends=tuple(ends),
        path=path,
        window_A=None if path is None else measure.window_A(path.images, hop.moving, _wall(path)),
        track_A=None if path is None else measure.track_length_A(path.images, hop.moving),
    )


def _wall(path: solve.Path) -> str | None:
    """What an ion squeezes through: oxygen where there is any, else whatever is nearest."""
    return "O" if "O" in path.images[0].symbols else None
