"""The systems of one batch: every structure at every temperature, several times over."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from simkit import io, solve
from simkit.elements import atomic_number
from simkit.errors import InputError
from simkit.potential.base import Potential
from simkit.structure import Structure
from simkit.units import FEMTOSECOND
from simkit.workflows.md.config import Config, ramp


@dataclass(frozen=True, eq=False)
class System:
    """One trajectory to be: its name, what it starts from and in which bath (None: along the ramp)."""

    name: str
    source: str
    structure: Structure
    temperature_K: float | None
    replica: int


def systems(config: Config, structures: Mapping[str, Structure]) -> list[System]:
    """All systems in order; names are the structure's, the temperature and the number of the replica.

    Raises InputError where a slab is held that a structure does not have.
    """
    for name, structure in structures.items():
        present = set(structure.layers.tolist()) - {-1}
        wanted = set(config.fixed_slabs)
        if not wanted <= present or (config.resting == "slabs" and not present):
            raise InputError(
                f"{name} has slabs {sorted(present) or 'nowhere'}; fixed_slabs = {sorted(wanted)} and resting = "
                f"{config.resting!r} need them. Files of simkit carry them in the column `layers`."
            )
    temperatures = [None] if config.heating else list(config.temperatures_K)
    return [
        System(_name(name, temperature, replica, config.replicas), name, structure, temperature, replica)
        for name, structure in structures.items()
        for temperature in temperatures
        for replica in range(config.replicas)
    ]


def dynamics(config: Config, found: list[System], potential: Potential) -> solve.Dynamics:
    """The batch, ready to be integrated."""
    heat = [ramp(config.heating)] if config.heating else [s.temperature_K for s in found]
    conditions = solve.MdConditions(config.ensemble, heat, config.timestep_fs, config.steps, config.seed)
    settings = solve.MdSettings(
        thermostat=config.thermostat,
        friction_per_ps=config.friction_per_ps,
        relaxation_fs=config.relaxation_fs,
        every=config.ticks(config.frame_fs),
        pressure_GPa=ramp(config.pressing) if config.pressing else config.pressure_GPa,
        cell=config.cell,
        barostat_fs=config.barostat_fs,
        compressibility_per_GPa=config.compressibility_per_GPa,
        fixed=[_fixed(config, s.structure) for s in found] if config.fixed_slabs else None,
        resting=[_resting(config, s.structure) for s in found] if config.resting == "slabs" else None,
    )
    return solve.prepare_md([s.structure for s in found], potential, conditions, settings)


def layout(config: Config, found: list[System], prepared: solve.Dynamics) -> io.Layout:
    """What will be stored. Raises InputError where a structure has none of the ions that are asked for."""
    facts = [
        {
            "source": s.source,
            "replica": s.replica,
            "ensemble": config.ensemble,
            **({} if s.temperature_K is None else {"temperature_K": s.temperature_K}),
        }
        for s in found
    ]
    return io.Layout(
        names=tuple(s.name for s in found),
        structures=tuple(s.structure for s in found),
        atoms=tuple(_stored(config, s) for s in found),
        freedoms=prepared.bodies.freedoms,
        timestep_fs=prepared.tick_time / FEMTOSECOND,
        single=config.storage.single,
        facts=tuple(facts),
    )


def key_of(config: Config, structures: Mapping[str, Structure], model: str) -> str:
    """What ties a saved state to its run: everything but its length and how often it is saved."""
    words = config.model_dump_json(exclude={"length_ps", "save_ps", "save_minutes"})
    digest = hashlib.sha256(f"{words}|{model}".encode())
    for name, structure in structures.items():
        digest.update(name.encode())
        for array in (structure.numbers, structure.positions, structure.cell, structure.periodic, structure.layers):
            digest.update(array.tobytes())
    return digest.hexdigest()


def _name(source: str, temperature_K: float | None, replica: int, replicas: int) -> str:
    heat = "ramp" if temperature_K is None else f"{temperature_K:g}K"
    return f"{io.file_name(source)}-{heat}" + (f"-{replica}" if replicas > 1 else "")


def _fixed(config: Config, structure: Structure) -> np.ndarray:
    return np.isin(structure.layers, config.fixed_slabs)


def _resting(config: Config, structure: Structure) -> np.ndarray:
    return np.where(_fixed(config, structure), -1, structure.layers)


def _stored(config: Config, system: System) -> np.ndarray:
    everyone = np.arange(len(system.structure))
    if config.storage.atoms == "all":
        return everyone
    ions = everyone[system.structure.numbers == atomic_number(config.storage.ion)]
    if not 0 < len(ions) < len(everyone):
        raise InputError(
            f"storage.atoms = 'ions': {system.source} has {len(ions)} atoms of {config.storage.ion} among "
            f"{len(everyone)}; some, but not all, are needed."
        )
    return ions
