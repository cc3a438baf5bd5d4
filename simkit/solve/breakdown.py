"""What counts as breaking down in molecular dynamics: forces, temperature, and distances between atoms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats
from simkit.kernels.driving import kinetic_and_largest, largest_norm
from simkit.kernels.neighbours import pairs_within
from simkit.solve.bodies import Bodies
from simkit.solve.landscape import Answers
from simkit.structure import Batch
from simkit.units import BOLTZMANN_EV_PER_K

MOVING, NOT_FINITE, PULLED, TOO_HOT, TOO_CLOSE, TOO_FAST, SWOLLEN = range(7)
"""Codes of a replica; `dynamics.trajectories` turns them into words."""
COLD_K = 300.0
"""Replicas set colder than this are held to the temperature limit of this one: a strained start warms up."""
SKIN_A = 0.6
"""Margin at which distances are checked: no new check while no atom has moved half of it."""


@dataclass(frozen=True)
class MdLimits:
    """When a replica has broken down; infinity (zero for `closest_A`) switches a limit off.

    force_eV_per_A largest force on one atom
    hotter         instantaneous temperature over the set one (at least `COLD_K`); widened by six standard
                   deviations of the instantaneous temperature, which is wide in small systems
    closest_A      shortest distance between two atoms, periodic images included
    faster         kinetic energy of one atom over kT of the set temperature (at least `COLD_K`): chance is exp(-faster)
    swelling       largest factor by which the volume may grow or shrink
    """

    force_eV_per_A: float = 100.0
    hotter: float = 5.0
    closest_A: float = 0.5
    faster: float = 100.0
    swelling: float = 2.0


def closest(limit_A: float, batch: Batch, x: Floats, active: np.ndarray, clear: Floats) -> tuple[Floats, Floats]:
    """Shortest distance below limit_A in each active system (m,), infinite where there is none, and the new `clear`.

    clear (n, 3) positions at which a system had no two atoms within limit_A + `SKIN_A`, nan where it had. While no
    atom is farther than SKIN_A/2 from there, none are within limit_A, and nothing is searched.
    """
    starts = batch.starts
    look = active & ~(largest_norm(x, starts, clear) <= 0.5 * SKIN_A)
    nearest = np.full(len(batch), np.inf)
    if not look.any():
        return nearest, clear
    atoms = look[batch.system_of]
    starts = np.concatenate([[0], np.cumsum(np.diff(starts)[look])])
    pairs = pairs_within(x[atoms], batch.cells[look], batch.periodic[look], starts, limit_A + SKIN_A)
    system = np.flatnonzero(look)[np.searchsorted(starts, pairs.first, side="right") - 1]
    np.minimum.at(nearest, system, pairs.lengths)
    fresh = np.where(np.isinf(nearest)[batch.system_of][:, None], x, np.nan)
    return np.where(nearest < limit_A, nearest, np.inf), np.where(atoms[:, None], fresh, clear)


def torn(
    limits: MdLimits, batch: Batch, answers: Answers, verdict: tuple[np.ndarray, Floats], asked: np.ndarray
) -> tuple[np.ndarray, Floats]:
    """`verdict` (codes, numbers behind them) with the replicas added whose answers are too large or no numbers."""
    code, found = verdict
    pull = largest_norm(answers.forces, batch.starts)
    # a force that is nan counts as infinite in `pull`, and is no number whatever the limit
    numbers = np.isfinite(pull) & np.isfinite(answers.energy) & np.isfinite(answers.stress).all(axis=(1, 2))
    fresh = asked & (code == MOVING)
    pulled = fresh & numbers & (pull > limits.force_eV_per_A)
    return np.where(fresh & ~numbers, NOT_FINITE, np.where(pulled, PULLED, code)), np.where(pulled, pull, found)


def heated(
    limits: MdLimits, bodies: Bodies, v: Floats, verdict: tuple[np.ndarray, Floats]
) -> tuple[np.ndarray, Floats]:
    """`verdict` with the replicas added that are too hot or lose an atom; those that failed before keep their code."""
    code, found = verdict
    kinetic, fastest = kinetic_and_largest(v, bodies.masses, bodies.streams.starts)
    temperature = 2.0 * kinetic / (bodies.freedoms * BOLTZMANN_EV_PER_K)
    set_K = np.maximum(bodies.warmth / BOLTZMANN_EV_PER_K, COLD_K)
    limit = limits.hotter * set_K
    hot = (code == MOVING) & (temperature > limit * (1.0 + 6.0 * np.sqrt(2.0 / bodies.freedoms)))
    fast = (code == MOVING) & ~hot & (fastest > limits.faster * set_K * BOLTZMANN_EV_PER_K)
    code = np.where(hot, TOO_HOT, np.where(fast, TOO_FAST, code))
    return code, np.where(hot, temperature, np.where(fast, fastest, found))


def swollen(limits: MdLimits, first: Floats, cells: Floats) -> tuple[np.ndarray, Floats]:
    """Codes and numbers of the systems whose volume left its limits; first, cells (m, 3, 3) A."""
    ratio = np.linalg.det(cells) / np.linalg.det(first)
    away = ~((ratio < limits.swelling) & (ratio * limits.swelling > 1.0))
    return np.where(away, SWOLLEN, MOVING), np.where(away, ratio, 0.0)
