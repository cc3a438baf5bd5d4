"""Run, take up and extend molecular dynamics in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simkit import io, solve
from simkit.errors import Interrupted
from simkit.potential.base import Potential
from simkit.structure import Structure
from simkit.trajectory import FINISHED
from simkit.workflows.common import QUIET, Hooks
from simkit.workflows.md.config import Config
from simkit.workflows.md.recording import Recorder
from simkit.workflows.md.stopping import stop_on_signals
from simkit.workflows.md.systems import System, dynamics, key_of, layout, systems

TRAJECTORIES = "trajectories"
STATE = "state"


@dataclass(frozen=True, eq=False)
class Result:
    """A run on disk: its trajectories, and the status and steps of every system by name.

    notes: what was set aside when the run was taken up
    """

    run: io.StoredRun
    systems: tuple[System, ...]
    statuses: Mapping[str, str]
    steps: Mapping[str, int]
    notes: tuple[str, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether every system took all its steps."""
        return all(status == FINISHED for status in self.statuses.values())


def simulate(
    config: Config,
    potential: Potential,
    structures: Mapping[str, Structure],
    folder: Path,
    hooks: Hooks = QUIET,
) -> Result:
    """Molecular dynamics in `folder`, from the newest state there, or from the start where there is none.

    A run taken up is the uninterrupted one bit for bit, and one that has all its steps is only read. Trajectories go
    to `trajectories/`, the two newest states to `state/`; what a replica broke down in, and its last good state, to
    `structures/`. Raises InputError for requests that make no sense or a folder that holds another run, Interrupted,
    with everything saved, after a signal.
    """
    found = systems(config, structures)
    key = key_of(config, structures, f"{potential.card.name} {potential.card.sha256} {potential.card.dtype}")
    prepared = dynamics(config, found, potential)
    segments = io.Segments(folder / TRAJECTORIES, layout(config, found, prepared))
    state, notes = _taken_up(folder / STATE, key, segments)
    recorder = Recorder(config, prepared, segments, (folder / STATE, key))
    recorder.observer = hooks.watch("dynamics")
    with stop_on_signals() as stopped:
        watch = solve.Hooks(stop=lambda: bool(stopped()), resume=state)
        end = solve.integrate(prepared, watch, recorder)
        if state is None or end.step > state.step:
            recorder.save(end)
        signal = stopped()
    if signal and end.step < config.steps:
        raise Interrupted(
            f"stopped by {signal} after {end.step} of {config.steps} steps; everything is saved, take it up with "
            "--resume."
        )
    _write_ends(folder / "structures", found, prepared, end)
    return Result(
        run=io.open_trajectories(folder / TRAJECTORIES),
        systems=tuple(found),
        statuses={s.name: solve.status(prepared, end, k) for k, s in enumerate(found)},
        steps={s.name: int(end.steps[k]) for k, s in enumerate(found)},
        notes=tuple(notes),
    )


def _taken_up(folder: Path, key: str, segments: io.Segments) -> tuple[solve.Motion | None, list[str]]:
    """The state to go on from, with the trajectories cut to it; None, with trajectories begun anew, without one."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays, notes = io.load_state(folder, key)
    if arrays is None:
        segments.start()
        return None, notes
    state = solve.motion_from_arrays(arrays)
    segments.cut(state.step)
    return state, notes


def _write_ends(folder: Path, found: list[System], prepared: solve.Dynamics, end: solve.Motion) -> None:
    """The last good state of every system, and the one in which a replica broke down, with what it broke."""
    folder.mkdir(parents=True, exist_ok=True)
    for k, system in enumerate(found):
        mine = slice(*prepared.batch.starts[k : k + 2])
        said = {"status": solve.status(prepared, end, k), "step": int(end.steps[k])}
        if np.isfinite(end.positions[mine]).all():
            last = system.structure.moved_to(end.positions[mine], end.cells[k])
            io.write(folder / f"last-{system.name}.extxyz", last, said)
        lost = solve.wreck(system.structure, prepared, end, k)
        if lost is not None:
            io.write(folder / f"broken-{system.name}.extxyz", lost, said)
