"""mace-torch's own trainer in a process of its own, or in several that share each batch: `python -m ... JOB.json`.

mace's command is run as it is, but for four names of its module `mace.cli.run_train`, put back after:
`DDP`, which mace calls with `device_ids` as GPUs need it and which on the CPU must not get any;
`configure_model`, which builds the first model: here it may be given one, and gets simkit's kernels;
`get_optimizer`, which makes one of mace's optimisers: here it may be SOAP;
`deepcopy`, which makes the copy that is saved: that one gets mace's own modules back.
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from simkit.errors import InputError, SimkitError
from simkit.potential.card import Card
from simkit.potential.mace_backend import default_dtype, quarantine
from simkit.potential.mace_fused_training import STEPS, check_gradients, fuse, unfuse
from simkit.potential.mace_soap import soap
from simkit.potential.mace_train import convert, trainable
from simkit.potential.mace_widen import Width

with quarantine():
    from mace.cli import run_train

POLL_S = 0.2
GRACE_S = 10.0
"""How long a process may take to end when asked, before it is made to."""
PATIENCE = timedelta(minutes=30)
"""How long a process waits for the others at one exchange; the first waits while all read the data."""
DOUBLINGS = 2
"""How often the steps of the radial table may be doubled."""
CHECKED = 2
"""Structures on which the gradients of both ways are compared."""
OUTPUTS = {"energy": True, "forces": True, "stress": True, "virials": False, "dipoles": False}
"""What a model given by the caller is asked for in training: the same as one that mace builds for this loss."""


@dataclass(frozen=True)
class Job:
    """What to train.

    arguments  of mace's command; processes share each batch, each with `threads` threads
    start      safe-format model whose weights are the first ones; "" for random ones
    written    the pickle that mace writes at the end; result: base of the safe model made of it; card: its card
    meeting    a file that does not exist yet, through which the processes find one another
    fused      train through simkit's kernels where the model and the device allow it
    optimiser  "adam", mace's own, or "soap"
    width      channels and radial functions, where it begins with fewer; None for as many as that has
    seed       of how it is made wider
    """

    arguments: tuple[str, ...]
    processes: int
    threads: int
    start: str
    written: str
    result: str
    card: Mapping[str, Any]
    meeting: str
    fused: bool = True
    optimiser: str = "adam"
    width: Width | None = None
    seed: int = 0


def read_job(path: str | Path) -> Job:
    """The job in a JSON file, which the caller wrote."""
    record = json.loads(Path(path).read_text())
    return Job(**{**record, "arguments": tuple(record["arguments"]), "width": Width(**record["width"])})


def main(words: list[str]) -> int:
    """`JOB.json` starts a training, `JOB.json RANK` is one process of it. Returns the exit code."""
    threading.Thread(target=leave_with_caller, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    job = read_job(words[0])
    if job.processes > 1 and len(words) == 1:
        return launch(words[0], job)
    train(job, int(words[1]) if len(words) > 1 else 0)
    return 0


def leave_with_caller() -> None:
    """End this process when the one that started it is gone: its end of the pipe closes, however it ends."""
    os.read(0, 1)  # nothing is ever written: it returns when the pipe closes
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os._exit(1)


def train(job: Job, rank: int) -> None:
    """One process of a training; the first one converts the result."""
    torch.set_num_threads(job.threads)
    args = run_train.tools.build_default_arg_parser().parse_args(list(job.arguments))
    if job.processes > 1:
        join(job, rank)
    with adapted(job):
        run_train.run(args)
    if rank == 0:
        convert(job.written, job.result, Card(**job.card))


def join(job: Job, rank: int) -> None:
    """Enter the group of processes over gloo, on this machine only; mace finds it made and makes none."""
    Path(job.meeting).parent.mkdir(parents=True, exist_ok=True)
    distributed.init_process_group(
        "gloo", init_method=f"file://{job.meeting}", rank=rank, world_size=job.processes, timeout=PATIENCE
    )


@contextmanager
def adapted(job: Job) -> Iterator[None]:
    """mace's trainer with the four names of the module's docstring replaced."""
    before = run_train.DDP, run_train.configure_model, run_train.deepcopy, run_train.get_optimizer
    made: list[torch.nn.Module] = []
    run_train.DDP = on_cpu
    run_train.configure_model = configured(job, run_train.configure_model, made)
    run_train.deepcopy = plain_copy
    if job.optimiser == "soap":
        run_train.get_optimizer = lambda args, options: soap(made[-1], options["params"], args.lr)
    try:
        yield
    finally:
        run_train.DDP, run_train.configure_model, run_train.deepcopy, run_train.get_optimizer = before


def configured(
    job: Job, build: Callable[..., tuple[torch.nn.Module, Any]], made: list[torch.nn.Module]
) -> Callable[..., Any]:
    """mace's `configure_model`: the first model, given or built, made ready for its training; appended to `made`."""

    def configure(args: argparse.Namespace, loader: Any, *rest: Any) -> tuple[torch.nn.Module, Any]:
        if job.start:
            model, outputs = trainable(job.start, job.width, job.seed), OUTPUTS
        else:
            model, outputs = build(args, loader, *rest)
        if job.fused and args.device == "cpu":
            model = fused_or_plain(model, args, loader, outputs)
        else:
            logging.info("Training through mace's own modules")
        made.append(model)
        return model, outputs

    return configure


def fused_or_plain(model: torch.nn.Module, args: argparse.Namespace, loader: Any, outputs: Mapping[str, bool]) -> Any:
    """The model with simkit's kernels where it qualifies; the log says what trains.

    Gradients are compared in float64: near a minimum they are small differences, in float32 of rounding only.
    """
    double = copy.deepcopy(model).double()
    try:
        unfuse(fuse(model))
    except InputError as error:
        logging.info(f"Training through mace's own modules: {error}")
        return model
    items = [loader.dataset[i] for i in range(min(CHECKED, len(loader.dataset)))]  # the loader's order is not touched
    batch = run_train.torch_geometric.Batch.from_data_list(items)
    batch = batch.apply(lambda part: part.double() if part.is_floating_point() else part)
    measure = run_train.get_loss_fn(args, False, args.compute_dipole)
    wanted = {f"compute_{name}": outputs[name] for name in ("virials", "stress")} | {"compute_force": outputs["forces"]}

    def loss(module: torch.nn.Module) -> torch.Tensor:
        return measure(pred=module(batch.to_dict(), training=True, **wanted), ref=batch)

    with default_dtype(torch.float64):
        steps, error = table_steps(double, loss)
    logging.info(
        f"Training through simkit's kernels: gradients of a batch agree with mace's to {error:.1g} in float64 with "
        f"{steps} steps of the radial table"
    )
    return fuse(model, steps)


def table_steps(model: torch.nn.Module, loss: Callable[[torch.nn.Module], torch.Tensor]) -> tuple[int, float]:
    """Steps of the radial table, doubled up to `DOUBLINGS` times until gradients agree with mace's, and their error."""
    for doubling in range(DOUBLINGS):
        try:
            return STEPS << doubling, check_gradients(model, loss, STEPS << doubling)
        except SimkitError:
            logging.info(f"Gradients with {STEPS << doubling} steps of the radial table are not mace's: doubled")
    return STEPS << DOUBLINGS, check_gradients(model, loss, STEPS << DOUBLINGS)


def plain_copy(item: Any) -> Any:
    """A deep copy; of a model, one made of mace's own modules only, which is what mace saves."""
    copied = copy.deepcopy(item)
    return unfuse(copied) if isinstance(copied, torch.nn.Module) else copied


def on_cpu(module: torch.nn.Module, device_ids: list[int]) -> DistributedDataParallel:
    """The module with gradients averaged over the processes; on the CPU there are no devices to name."""
    del device_ids
    return DistributedDataParallel(module)


def launch(path: str, job: Job) -> int:
    """Start the processes of a job and wait for all of them. Returns the first failure or 0."""
    Path(job.meeting).unlink(missing_ok=True)
    ranks: list[subprocess.Popen] = []
    try:
        for rank in range(job.processes):
            command = [sys.executable, "-W", "ignore", "-m", "simkit.potential.mace_trainer", path, str(rank)]
            ranks.append(subprocess.Popen(command, env=environment(job, rank), stdin=subprocess.PIPE))
        return first_failure(ranks)
    finally:
        end(ranks)
        Path(job.meeting).unlink(missing_ok=True)


def first_failure(processes: list[subprocess.Popen]) -> int:
    """Wait until all have ended well (0) or one has failed (its exit status), with the others still running."""
    while True:
        ended = [process.poll() for process in processes]
        failures = [status for status in ended if status]
        if failures or None not in ended:
            return failures[0] if failures else 0
        time.sleep(POLL_S)


def environment(job: Job, rank: int) -> dict[str, str]:
    """What torchrun would set for one process, and the loopback interface for what they exchange."""
    names = [name for _, name in socket.if_nameindex()]
    loopback = next((name for name in names if name.startswith("lo")), "")
    own = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(job.processes)}
    return {**os.environ, **own, "OMP_NUM_THREADS": str(job.threads), "GLOO_SOCKET_IFNAME": loopback}


def end(processes: list[subprocess.Popen]) -> None:
    """Ask every process that still runs to end, then make it."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    for process in processes:
        try:
            process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin is not None:
            process.stdin.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
