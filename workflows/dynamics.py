"""Molecular dynamics as a step of a study: every run in segments, each kept, so that other workers may go on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

from pydantic import Field

from simkit import io, solve
from simkit.config import Section
from simkit.errors import InputError
from simkit.io.keys import digest
from simkit.measure.error_bars import Estimate
from simkit.potential.base import Potential
from simkit.trajectory import FINISHED, Trajectory
from simkit.workflows import md
from simkit.workflows.common import QUIET, Content, Hooks, named_structures
from simkit.workflows.diffusion.config import Transport
from simkit.workflows.diffusion.transport import Motions, motions
from simkit.workflows.md.systems import System, dynamics, systems
from simkit.workflows.together import together

SEGMENT = "segment"
"""Stages are "segment 0", "segment 1" and so on; many may share each of them."""
IDLE = {"length_ps", "save_ps", "save_minutes", "storage", "log_fs", "temperatures_K", "replicas", "seed"}
"""Keys of molecular dynamics that do not fix what one run does in one segment, or that are named beside."""


class Config(Section):
    """Molecular dynamics of relaxed cells.

    run         what is simulated, as for `simkit md`; nothing but frames is stored
    transport   how diffusivities are taken from it
    segment_ps  what is done in one go and kept
    cells       "whole": the cell under study; "all": its phases too
    """

    run: md.Config = md.Config()
    transport: Transport = Transport()
    segment_ps: float = Field(default=5.0, gt=0)
    cells: Literal["whole", "all"] = "whole"

    @property
    def ends(self) -> list[int]:
        """Last step of each segment."""
        each = self.run.ticks(1e3 * self.segment_ps)
        return [*range(each, self.run.steps, each), self.run.steps]


@dataclass(frozen=True, eq=False)
class Result:
    """trajectories by name; transport of every cell and temperature, or in `missing` why there is none."""

    systems: tuple[System, ...]
    trajectories: dict[str, Trajectory]
    motions: tuple[Motions, ...]
    missing: tuple[str, ...] = field(default=())

    @property
    def converged(self) -> bool:
        """Whether every run took all its steps."""
        return all(one.status == FINISHED for one in self.trajectories.values())

    def to_ase(self) -> dict[str, Any]:
        """The last frame of every trajectory as ase.Atoms, by name."""
        return {name: io.to_ase(one[-1]) for name, one in self.trajectories.items() if len(one)}


def run(config: Config, potential: Potential, structures: Any, hooks: Hooks = QUIET, name: str = "dynamics") -> Result:
    """Molecular dynamics of relaxed structures (Structure, ase.Atoms, pymatgen.Structure; one or by name).

    Runs go side by side in one batch. Each is what it would be alone: its random numbers come from seed, temperature
    and replica. A segment that is kept is read back. A run that breaks down ends with a sentence; the others go on.
    """
    given = named_structures(structures)
    found = systems(config.run, given)
    share = hooks.share
    last = len(config.ends) - 1 if share is None else int(share.stage.removeprefix(SEGMENT))
    stage = f"{SEGMENT} {last}"
    mine = hooks.mine(stage, found)
    jobs: list[Callable[[Potential], Trajectory]] = [
        partial(_followed, config, system, last, hooks, f"{name}-{system.name}") for system in mine
    ]
    done = together(potential, jobs) if jobs else []
    for one in done:
        if isinstance(one, BaseException):
            raise one
    hooks.leave(stage)
    trajectories = {system.name: one for system, one in zip(found, done, strict=True)}
    return _analysed(config, given, found, trajectories)


def _followed(
    config: Config, system: System, last: int, hooks: Hooks, name: str, potential: Potential
) -> Trajectory | None:
    """One run up to the end of a segment: kept segments read back, the others integrated and kept."""
    seed = int(digest([config.run.seed, system.temperature_K, system.replica])[:8], 16)
    prepared = dynamics(config.run.model_copy(update={"seed": seed}), [system], potential)
    how = {"settings": config.run.model_dump(exclude=IDLE), "bath": system.temperature_K, "seed": seed}
    state, frames, begin = None, [], 0
    for k, end in enumerate(config.ends[: last + 1]):
        content = Content({"step": SEGMENT, "start": system.structure, **how, "begin": begin, "end": end}, SEGMENT)
        part = replace(prepared, steps=end)
        label = f"{name}-{k:04d}"
        arrays = hooks.keep(label, partial(_integrated, part, state, hooks, label), (), content)
        state, begin = solve.motion_from_arrays(arrays), end
        frames += state.frames
        state = replace(state, frames=())
    whole = replace(state, frames=tuple(frames))
    return solve.trajectories([system.structure], replace(prepared, steps=begin), whole)[0]


def _integrated(part: solve.Dynamics, state: solve.Motion | None, hooks: Hooks, label: str) -> dict[str, Any]:
    attached = replace(solve.hooks_of(hooks.watch(label)), resume=state)
    return solve.motion_to_arrays(solve.integrate(part, attached))


def _analysed(
    config: Config, given: Mapping[str, Any], found: list[System], trajectories: dict[str, Trajectory]
) -> Result:
    """Transport of every cell at every temperature, replicas together."""
    seen, missing = [], []
    baths = dict.fromkeys((s.source, s.temperature_K) for s in found)
    for source, temperature in baths:
        runs = [trajectories[s.name] for s in found if (s.source, s.temperature_K) == (source, temperature)]
        if temperature is None:
            missing.append(f"no diffusivities of {source}: the temperature changes along the ramp.")
            continue
        try:
            seen.append(motions(config.transport, (source, temperature), runs, given[source]))
        except InputError as error:
            missing.append(f"no transport of {source} at {temperature:g} K: {error}")
    return Result(tuple(found), trajectories, tuple(seen), tuple(missing))


def problems(found: Result) -> list[str]:
    """One sentence for each run that did not take all its steps."""
    return [f"Dynamics of {name}: {one.status}." for name, one in found.trajectories.items() if one.status != FINISHED]


def table(found: Result) -> dict[str, dict[str, Any]]:
    """Plain numbers of every run and of the transport of every cell and temperature, unit in every key."""
    rows: dict[str, dict[str, Any]] = {}
    for name, one in found.trajectories.items():
        rows[name] = {"status": one.status, "steps": one.steps, "model_evaluations": one.evaluations}
        if len(one):
            half = len(one) // 2
            rows[name] |= {
                "mean_energy_eV": float(one.energy[half:].mean()),
                "mean_temperature_K": float(one.temperature_K[half:].mean()),
            }
    for one in found.motions:
        row: dict[str, Any] = {"temperature_K": one.temperature_K, "length_ps": one.length_ps}
        for entry in one.entries:
            value: Estimate | None = entry.found.value_cm2_per_s
            key = f"D_{entry.axes}_{entry.group.replace(' ', '_')}"
            row[f"{key}_status"] = entry.found.status
            row[f"{key}_cm2_per_s"] = None if value is None else _finite(value.value)
            row[f"{key}_error_cm2_per_s"] = None if value is None else _finite(value.error)
        rows[f"{one.source} at {one.temperature_K:g} K"] = row
    return rows


def _finite(value: float) -> float | None:
    """JSON knows no infinity."""
    return float(value) if math.isfinite(value) else None
