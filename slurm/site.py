"""A cluster described in a small TOML file: partition, GPUs, environment, scratch."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from simkit.config import Section, checked, read_toml
from simkit.errors import InputError, nearest
from simkit.slurm import words


class Site(Section):
    """What a cluster wants to be told.

    partition, account, qos, constraint  as in sbatch; empty: not given
    gpu_type         the middle of --gres=gpu:TYPE:COUNT; empty: any
    gpus             GPUs of a job on each of its nodes, one worker for each; 0: CPU only, `workers` of them
    workers          per node where there are no GPUs
    cpus_per_worker  cores for each worker
    memory_GB        per node; 0: the partition's default
    time             limit of a job, HH:MM:SS; work that is longer goes on in a successor
    nodes            of a job
    max_jobs         1: one job that drives itself; more: a one-core driver and so many jobs that come and go
    driver_partition for that one-core driver; empty: `partition`
    driver_time      its limit; empty: `time`
    modules          loaded in this order, after a purge
    environment      variables to set
    activate         a Python environment with simkit (its folder); empty: the one that submits
    scratch          node-local folder for numba's cache; "" for the node's /tmp
    save_s           seconds before the limit at which work is told to save
    srun             further words for srun, as ["--mpi=none"]
    address          where workers reach the driver; empty: found out. "127.0.0.1" for a cluster on one machine
    """

    partition: str = ""
    account: str = ""
    qos: str = ""
    constraint: str = ""
    gpu_type: str = ""
    gpus: int = 1
    workers: int = 1
    cpus_per_worker: int = 4
    memory_GB: int = 0
    time: str = "04:00:00"
    nodes: int = 1
    max_jobs: int = 1
    driver_partition: str = ""
    driver_time: str = ""
    modules: list[str] = []  # noqa: RUF012 (a pydantic field: copied for each record)
    environment: dict[str, str] = {}  # noqa: RUF012
    activate: str = ""
    scratch: str = ""
    save_s: int = 120
    srun: list[str] = []  # noqa: RUF012
    address: str = ""

    @property
    def per_node(self) -> int:
        """Workers of a node."""
        return self.gpus or self.workers


CHECKS = {
    "partition": words.names, "account": words.name, "qos": words.name, "constraint": words.features,
    "gpu_type": words.name, "time": words.clock, "driver_partition": words.names, "driver_time": words.clock,
    "activate": words.path, "scratch": words.path, "address": words.name,
}  # fmt: skip
COUNTS = {
    "gpus": (0, 64), "workers": (1, 1024), "cpus_per_worker": (1, 1024), "memory_GB": (0, 1 << 20),
    "nodes": (1, 10_000), "max_jobs": (1, 10_000), "save_s": (5, 3600),
}  # fmt: skip


def shipped() -> dict[str, Path]:
    """Site files that come with simkit, by name."""
    folder = Path(str(resources.files("simkit.slurm").joinpath("sites")))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def read(word: str) -> dict[str, Any]:
    """The tables of a site file: a path, or the name of a shipped one. Raises InputError when it is neither."""
    if word.endswith(".toml"):
        return read_toml(word)
    if word not in shipped():
        raise InputError(f"--site {word!r} is no file (*.toml) and no shipped site; {nearest(word, shipped())}")
    return read_toml(shipped()[word])


def site(data: Mapping[str, Any]) -> Site:
    """A checked site. Raises InputError naming the key of anything that is unknown or may not enter a script."""
    found = checked(Site, data)
    for key, (least, most) in COUNTS.items():
        if not least <= getattr(found, key) <= most:
            raise InputError(f"{key} = {getattr(found, key)}: should be {least} to {most}.")
    for key, check in CHECKS.items():
        if getattr(found, key):
            check(key, getattr(found, key))
    _check_lists(found)
    if words.seconds(found.time) <= found.save_s:
        raise InputError(f"time = {found.time!r}: should be longer than save_s = {found.save_s} seconds.")
    return found


def _check_lists(found: Site) -> None:
    for k, one in enumerate(found.modules):
        words.module(f"modules.{k}", one)
    for k, one in enumerate(found.srun):
        words.option(f"srun.{k}", one)
    for key, one in found.environment.items():
        words.variable(f"environment.{key} (its name)", key)
        words.value(f"environment.{key}", one)
