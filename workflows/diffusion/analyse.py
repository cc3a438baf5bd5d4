"""From stored trajectories to findings; nothing is simulated here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simkit.errors import InputError
from simkit.structure import Structure
from simkit.workflows import md
from simkit.workflows.diffusion.config import Config
from simkit.workflows.diffusion.evolution import History, history
from simkit.workflows.diffusion.findings import Findings
from simkit.workflows.diffusion.ladder import ladders
from simkit.workflows.diffusion.transport import Motions, motions


def analyse(config: Config, run: md.Result, structures: Mapping[str, Structure]) -> Findings:
    """Everything that the trajectories of a run say. What cannot be said is a sentence in `missing`, never a number."""
    missing: list[str] = []
    moved = _transport(config, run, structures, missing)
    seen = _histories(config, run, missing)
    return Findings(
        config=config,
        structures=dict(structures),
        run=run,
        motions=tuple(moved),
        ladders=tuple(ladders(moved)),
        histories=tuple(seen),
        missing=tuple(missing),
    )


def _transport(
    config: Config, run: md.Result, structures: Mapping[str, Structure], missing: list[str]
) -> list[Motions]:
    if config.dynamics.heating:
        missing.append("no diffusivities: the temperature changes along the ramp, so there is no one to give them at.")
        return []
    found = []
    for source, structure in structures.items():
        for temperature in config.dynamics.temperatures_K:
            mine = [s.name for s in run.systems if (s.source, s.temperature_K) == (source, temperature)]
            try:
                runs = [run.run.trajectory(name, status=run.statuses[name]) for name in mine]
                found.append(motions(config.transport, (source, temperature), runs, structure))
            except InputError as error:
                missing.append(f"no transport of {source} at {temperature:g} K: {error}")
    return found


def _histories(config: Config, run: md.Result, missing: list[str]) -> Sequence[History]:
    if config.dynamics.storage.atoms != "all":
        missing.append("no structure over time: only the ions were stored.")
        return []
    found = []
    for system in run.systems:
        try:
            trajectory = run.run.trajectory(system.name, status=run.statuses[system.name])
            found.append(history(config.evolution, system.name, trajectory))
        except InputError as error:
            missing.append(f"no structure over time of {system.name}: {error}")
    return found
