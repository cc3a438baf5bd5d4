"""Molecular dynamics in a heat bath: does the oxide hold together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simkit import build, solve
from simkit.errors import InputError
from simkit.kernels.pair_search import find_pairs
from simkit.potential.base import Potential, check_elements
from simkit.structure import Structure
from simkit.trajectory import Trajectory
from simkit.workflows.scorecard.answers import Answers, Numbers, Verdict
from simkit.workflows.scorecard.cells import NIMN, relaxed
from simkit.workflows.scorecard.config import Config

TEMPERATURES_K = (300.0, 600.0, 900.0)
QUICK_K = (900.0,)
TIMESTEP_FS = 2.0
EQUILIBRATION = 0.25
"""Part of a run that is not looked at for temperatures and drift: a relaxed start gives half its heat away."""
FRAMES = 400
"""Frames looked at, at most."""
BOND_A = 2.9
"""Metal-oxygen distances of an octahedron stay below this at 900 K; the next shell begins at 3.4 A."""
OXYGENS = 5
"""A metal with fewer oxygens than this within `BOND_A` has left its octahedron."""
LIMIT_LOST_PERCENT = 0.0
OXYGEN = 8
FINISHED = "time held_ps"


def measure(potential: Potential, config: Config) -> Answers:
    """A relaxed P2/O3 intergrowth at each temperature, all in one batch, timestep 2 fs, Langevin bath.

    temperature_K mean and extremes of the instantaneous one; shortest metal-oxygen distance; potential energy of the
    last quarter above that of the second (no conserved quantity in a bath: it shows a cell that transforms); metals
    that have left their octahedron in the last frame.
    """
    temperatures = QUICK_K if config.quick else TEMPERATURES_K
    structure = cell(config)
    names = [f"{t:.0f} K" for t in temperatures]
    try:
        check_elements(structure.numbers, potential.card)
    except InputError as error:
        return Answers({}, dict.fromkeys(names, str(error)))
    outcomes, failed = relaxed({"start": structure}, potential, config)
    if failed:
        return Answers({}, {name: f"its start was not relaxed: {failed['start']}" for name in names})
    runs = simulated(outcomes["start"].structure, potential, config, temperatures)
    numbers = {name: facts(run) for name, run in zip(names, runs, strict=True) if len(run)}
    problems = {name: run.status for name, run in zip(names, runs, strict=True) if not run.finished}
    return Answers(numbers, problems)


def cell(config: Config) -> Structure:
    """P2 with two galleries on O3 with one, 102 atoms (34 quick)."""
    blocks = [build.Block("P2", 2, metals=NIMN, content=2 / 3), build.Block("O3", 1, metals=NIMN, content=1.0)]
    return build.intergrowth(blocks, build.ROOT3 if config.quick else (3, 3), seed=config.seed).structure


def simulated(
    structure: Structure, potential: Potential, config: Config, temperatures_K: Sequence[float]
) -> list[Trajectory]:
    """One trajectory per temperature, of at most about `FRAMES` frames."""
    steps = max(1, round(1e3 * config.dynamics_ps / TIMESTEP_FS))
    return solve.run_md(
        [structure] * len(temperatures_K),
        potential,
        "nvt",
        temperature_K=list(temperatures_K),
        timestep_fs=TIMESTEP_FS,
        steps=steps,
        seed=config.seed,
        settings=solve.MdSettings(every=max(1, steps // FRAMES)),
    )


def facts(run: Trajectory) -> dict[str, float]:
    """The numbers of one trajectory with at least one frame."""
    late = slice(int(len(run) * EQUILIBRATION), None)
    quarter = max(1, len(run) // 4)
    drift = run.energy[-quarter:].mean() - run.energy[quarter : 2 * quarter].mean() if len(run) >= 4 else 0.0
    shortest = min(float(_bonds(run[k])[0].min()) for k in range(len(run)))
    return {
        FINISHED: float(run.steps * TIMESTEP_FS * 1e-3),
        "mean temperature_K": float(run.temperature_K[late].mean()),
        "lowest temperature_K": float(run.temperature_K[late].min()),
        "highest temperature_K": float(run.temperature_K[late].max()),
        "shortest metal-oxygen_A": shortest,
        "potential energy drift_meV_per_atom": 1e3 * float(drift) / len(run.structure),
        "metals out of their octahedra_percent": 100.0 * float(np.mean(_bonds(run[-1])[1] < OXYGENS)),
    }


def _bonds(structure: Structure) -> tuple[np.ndarray, np.ndarray]:
    """Shortest metal-oxygen distance (metals,) A and number of oxygens within `BOND_A` (metals,) of slab metals."""
    metals = structure.positions[structure.tags["site"] == "TM"]
    oxygens = structure.positions[structure.numbers == OXYGEN]
    pairs = find_pairs(metals, oxygens, structure.cell, BOND_A)
    shortest = np.full(len(metals), np.inf)
    np.minimum.at(shortest, pairs.point, pairs.distance)
    return shortest, np.bincount(pairs.point, minlength=len(metals))


def judge_alone(own: Numbers, config: Config) -> tuple[Verdict, ...]:
    """Every temperature held to the end, and no metal lost."""
    held = [numbers[FINISHED] for numbers in own.values()]
    expected = len(QUICK_K if config.quick else TEMPERATURES_K)
    lost = [numbers["metals out of their octahedra_percent"] for numbers in own.values()]
    shortest_ps = min(held) if len(held) == expected else 0.0
    wanted_ps = round(1e3 * config.dynamics_ps / TIMESTEP_FS) * TIMESTEP_FS * 1e-3
    return (
        Verdict("dynamics held to the end", shortest_ps, wanted_ps, "ps", at_least=True),
        Verdict("metals out of their octahedra", max(lost, default=None), LIMIT_LOST_PERCENT, "%"),
    )
