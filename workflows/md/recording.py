"""From the states of a run to rows on disk: frames, the thermodynamic log, and the state to go on from."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from simkit import io, solve
from simkit.arrays import Floats
from simkit.solve.breakdown import MOVING
from simkit.units import BOLTZMANN_EV_PER_K, EV_PER_A3_IN_GPA, FEMTOSECOND
from simkit.workflows.md.config import Config
from simkit.workflows.md.facts import Clock, MdFacts


class Recorder:
    """Called after every step; `save` puts all that is known on disk, in an order that no kill can spoil.

    First the frames up to a step, then the state of that step: a state on disk never lacks frames, and frames beyond
    the state are cut off when the run is taken up.
    """

    def __init__(
        self, config: Config, dynamics: solve.Dynamics, segments: io.Segments, place: tuple[Path, str]
    ) -> None:
        self._config, self._dynamics, self._segments = config, dynamics, segments
        self._folder, self._key = place
        self._log_every = config.ticks(config.log_fs)
        self._save_every = config.ticks(1e3 * config.save_ps)
        self._saved_at = time.monotonic()
        self._clock = Clock(config.timestep_fs, config.steps)
        self.observer: Callable[[int, MdFacts], None] | None = None

    def __call__(self, state: solve.Motion) -> None:
        """Record what is due."""
        if state.step % self._log_every == 0:
            self._log(state)
        for frame in state.frames:
            self._frame(state, frame.good)
        late = time.monotonic() - self._saved_at > 60.0 * self._config.save_minutes
        if state.step and (state.step % self._save_every == 0 or late):
            self.save(state)

    def save(self, state: solve.Motion) -> None:
        """Frames and log up to now, then the state."""
        self._segments.flush(state.step)
        io.save_state(self._folder, solve.motion_to_arrays(replace(state, frames=())), self._key)
        self._saved_at = time.monotonic()

    def _log(self, state: solve.Motion) -> None:
        columns = thermo(self._dynamics, state)
        for system in np.flatnonzero(state.code == MOVING):
            row = {name: np.float64(values[system]) for name, values in columns.items()}
            self._segments.add(int(system), "log", {"step": np.int64(state.step), **row})
        if self.observer is not None:
            self.observer(state.step, self._clock.facts(state, columns))

    def _frame(self, state: solve.Motion, good: np.ndarray) -> None:
        virials = self._virials(state) if self._config.storage.virials else None
        starts = self._dynamics.batch.starts
        for system in np.flatnonzero(good):
            first, last = starts[system : system + 2]
            chosen = self._segments.layout.atoms[system]
            self._segments.add(
                int(system), "frames", self._row(state, int(system), slice(first, last), chosen, virials)
            )

    def _row(
        self, state: solve.Motion, system: int, mine: slice, chosen: np.ndarray, virials: Floats | None
    ) -> dict[str, np.ndarray]:
        storage, positions = self._config.storage, state.positions[mine]
        row = {
            "step": np.int64(state.step),
            "positions": positions[chosen],
            "cells": state.cells[system],
            "energy": state.answers.energy[system],
            "stress": state.answers.stress[system],
        }
        if len(chosen) < len(positions):
            row["rest_centre"] = np.delete(positions, chosen, axis=0).mean(axis=0)
        if storage.velocities:
            row["velocities"] = state.velocities[mine][chosen] * FEMTOSECOND
        if storage.forces:
            row["forces"] = state.answers.forces[mine][chosen]
        if virials is not None:
            row["virials"] = virials[mine][chosen]
        if state.answers.energy_spread is not None:
            row["energy_spread"] = state.answers.energy_spread[system]
        return row

    def _virials(self, state: solve.Motion) -> Floats:
        """(n, 3, 3) eV by one more evaluation of the frame."""
        batch = self._dynamics.batch.moved_to(state.positions, state.cells)
        return self._dynamics.potential.evaluate_batch(batch, virials=True).virials


def thermo(dynamics: solve.Dynamics, state: solve.Motion) -> dict[str, Floats]:
    """(m,) columns of the log, units in the names. `conserved_eV` is what the bath leaves alone, at constant volume.

    The pressure is (2 K / 3 - V tr stress / 3) / V with the kinetic energy of all atoms.
    """
    bodies = dynamics.bodies_at(state.step)
    kinetic, volume = bodies.kinetic(state.velocities), np.linalg.det(state.cells)
    lengths = np.linalg.norm(state.cells, axis=2)
    inside = 2.0 * kinetic / (3.0 * volume) - np.trace(state.answers.stress, axis1=1, axis2=2) / 3.0
    columns = {
        "time_ps": np.full(len(volume), state.step * dynamics.tick_time / FEMTOSECOND * 1e-3),
        "potential_eV": state.answers.energy,
        "kinetic_eV": kinetic,
        "temperature_K": 2.0 * kinetic / (bodies.freedoms * BOLTZMANN_EV_PER_K),
        "set_temperature_K": bodies.warmth / BOLTZMANN_EV_PER_K,
        "pressure_GPa": inside * EV_PER_A3_IN_GPA,
        "volume_A3": volume,
        "a_A": lengths[:, 0],
        "b_A": lengths[:, 1],
        "c_A": lengths[:, 2],
    }
    if dynamics.barostat is None:
        columns["conserved_eV"] = state.answers.energy + kinetic - state.heat
    return columns
