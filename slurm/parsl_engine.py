"""Parsl behind the few words a driver knows: submit, loss, close. Nothing else in simkit knows Parsl.

What Parsl leaves to its user and is done here: an interchange that dies with its driver, so that a killed driver holds
no GPU; no pinning of devices by Parsl, which counts them from 0 whatever SLURM gave (workers pin themselves from
SLURM's own list); jobs that share nodes; failures sorted into a lost process and a lost machine.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import parsl
from parsl.executors import HighThroughputExecutor
from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost
from parsl.launchers import SimpleLauncher, SrunLauncher
from parsl.launchers.base import Launcher
from parsl.providers import LocalProvider, SlurmProvider
from parsl.providers.base import ExecutionProvider

from simkit.errors import InputError

LOCAL, ALLOCATION, BLOCKS = "local", "allocation", "blocks"
HEARTBEAT_S = 5
SILENCE_S = 20
"""Without a heartbeat before the other side is taken for dead: four of them were missed. So long a block outlives its
driver."""
SPARE = 2
"""Units given to the engine beyond one per worker, so that none waits for the driver: as many again."""
HERE = "127.0.0.1"
"""Where workers on this machine reach this process."""


@dataclass(frozen=True)
class Setup:
    """Where workers run.

    kind      "local" (this machine), "allocation" (the nodes of the SLURM job this process is in), "blocks" (jobs
              that come and go with the work)
    workers   per node: one per GPU
    nodes     of the allocation, or of a block
    blocks    at most so many jobs
    walltime  of a block, HH:MM:SS
    options   #SBATCH lines of a block
    prepare   lines of shell before a worker starts: checked and quoted by whoever made them
    gpus      per node; 0: CPU only
    overrides words for srun
    address   where workers on other nodes reach this process; None: found out
    drain_s   after which a block takes no new work, so that it can end before its time
    """

    kind: str
    folder: Path
    workers: int = 1
    nodes: int = 1
    blocks: int = 1
    walltime: str = "01:00:00"
    options: tuple[str, ...] = ()
    prepare: tuple[str, ...] = ()
    gpus: int = 0
    overrides: tuple[str, ...] = ()
    address: str | None = None
    drain_s: int | None = None


class ParslEngine:
    """Work is done by processes that Parsl looks after."""

    def __init__(self, setup: Setup, deadline_s: float = 0.0) -> None:
        self.capacity = setup.workers * setup.nodes * setup.blocks * SPARE
        self.outlives_workers = setup.kind == BLOCKS
        self._deadline_s = deadline_s
        self._kernel = parsl.DataFlowKernel(_config(setup))
        self._apps: dict[Callable, Callable[..., Future]] = {}

    def submit(self, work: Callable, root: str, items: Sequence[Mapping[str, Any]]) -> Future:
        """A future of the outcomes."""
        if work not in self._apps:
            self._apps[work] = parsl.python_app(work, data_flow_kernel=self._kernel, executors=["simkit"])
        return self._apps[work](root, list(items), self._deadline_s)

    def loss(self, error: BaseException) -> str:
        """Which end of the work died, if one did."""
        if isinstance(error, WorkerLost):
            return "worker"
        return "node" if isinstance(error, ManagerLost) else ""

    def close(self) -> None:
        """Stop workers and give back jobs."""
        self._kernel.cleanup()


def _config(setup: Setup) -> parsl.Config:
    executor = HighThroughputExecutor(
        label="simkit",
        address=HERE if setup.kind == LOCAL else setup.address,
        loopback_address=HERE,
        encrypted=True,
        max_workers_per_node=setup.workers,
        cores_per_worker=1e-3,  # how many there are is for max_workers_per_node to say
        provider=_provider(setup),
        block_error_handler=False,
        interchange_launch_cmd=interchange(),
        heartbeat_period=HEARTBEAT_S,
        heartbeat_threshold=SILENCE_S,
        prefetch_capacity=0,
        drain_period=setup.drain_s,
    )
    strategy = "htex_auto_scale" if setup.kind == BLOCKS else "none"
    folder = str(setup.folder / "parsl")
    return parsl.Config(
        [executor], retries=0, run_dir=folder, strategy=strategy, initialize_logging=False, usage_tracking=0
    )


def interchange() -> list[str]:
    """The command of Parsl's interchange, killed with the process that starts it."""
    found = shutil.which("interchange.py", path=f"{Path(sys.executable).parent}")
    if found is None:
        raise InputError(
            f"Parsl's interchange.py is not beside {sys.executable}; install simkit with its dependencies."
        )
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise InputError("setpriv (util-linux) is not on PATH; without it a killed driver would leave its jobs behind.")
    return [setpriv, "--pdeathsig", "TERM", found]


def _provider(setup: Setup) -> ExecutionProvider:
    given = ",".join(map(str, range(setup.gpus))) if setup.kind == LOCAL else ""
    devices = "export SIMKIT_NODE_DEVICES=${CUDA_VISIBLE_DEVICES:-" + given + "}"  # before anything narrows them
    prepare = "\n".join([f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH", *setup.prepare, devices])
    if setup.kind != BLOCKS:
        return LocalProvider(
            init_blocks=1, min_blocks=1, max_blocks=1, nodes_per_block=setup.nodes, worker_init=prepare,
            launcher=_launcher(setup),
        )  # fmt: skip
    return SlurmProvider(
        exclusive=False,
        nodes_per_block=setup.nodes,
        init_blocks=1,
        min_blocks=0,
        max_blocks=setup.blocks,
        walltime=setup.walltime,
        scheduler_options="\n".join(setup.options),
        worker_init=prepare,
        launcher=_launcher(setup),
    )


def _launcher(setup: Setup) -> Launcher:
    """Steps of srun, also on one node: SLURM signals steps when it preempts or cancels, and nothing else of a job."""
    if setup.kind == LOCAL:
        return SimpleLauncher()
    gpus = (f"--gres=gpu:{setup.gpus}",) if setup.gpus else ()
    return SrunLauncher(overrides=shlex.join(["--overlap", *gpus, *setup.overrides]))
