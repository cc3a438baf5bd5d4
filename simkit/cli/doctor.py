"""`simkit doctor`: is this installation able to compute, and on what."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable

import numpy as np

from simkit import build, potential
from simkit.errors import SimkitError
from simkit.io.record import machine_name, versions

STEP_A = 5e-4
FORCE_TOLERANCE_EV_PER_A = 1e-4
"""Error of a central difference over 1e-3 A of a smooth energy in float64; a wrong force is off by far more."""


def examine(say: Callable[[str], None], device: str = "auto") -> bool:
    """Print what is found, evaluate the default potential on a small cell, compare a force with a finite difference."""
    say(f"simkit on Python {platform.python_version()}, {machine_name()}")
    say("versions: " + ", ".join(f"{name} {version}" for name, version in versions().items()))
    say(f"devices: {', '.join(potential.devices())}")
    for name, summary in potential.available():
        say(f"potential {name}: {summary}")
    try:
        start = time.perf_counter()
        loaded = potential.load("default", device=device, dtype="float64")
        say(f"loaded {loaded.card.name} on {loaded.card.device} in {time.perf_counter() - start:.1f} s")
        error, seconds = force_error(loaded)
    except SimkitError as problem:
        say(f"FAILED: {problem}")
        return False
    healthy = error < FORCE_TOLERANCE_EV_PER_A
    verdict = "ok" if healthy else f"FAILED, allowed is {FORCE_TOLERANCE_EV_PER_A}"
    say(f"self-check: force against finite difference of the energy {error:.1e} eV/A in {seconds:.1f} s: {verdict}")
    return healthy


def force_error(loaded: potential.Potential) -> tuple[float, float]:
    """Largest error of three force components in a small P2 cell, and the seconds it took."""
    structure = build.bulk(build.Block("P2", 2), repeats=(1, 1)).structure
    rattled = structure.moved_to(
        structure.positions + np.random.default_rng(0).normal(0, 0.03, structure.positions.shape)
    )
    start = time.perf_counter()
    moved = []
    for axis in range(3):
        for sign in (1, -1):
            positions = rattled.positions.copy()
            positions[0, axis] += sign * STEP_A
            moved.append(rattled.moved_to(positions))
    here, *there = loaded.evaluate([rattled, *moved])
    energies = np.array([e.energy for e in there]).reshape(3, 2)
    difference = -(energies[:, 0] - energies[:, 1]) / (2 * STEP_A)
    return float(np.abs(difference - here.forces[0]).max()), time.perf_counter() - start
