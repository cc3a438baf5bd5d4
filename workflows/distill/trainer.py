"""mace-torch's trainer as a process of its own: its arguments, its progress, its ways to fail."""

from __future__ import annotations

import dataclasses
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from simkit import io
from simkit.errors import SimkitError
from simkit.io.rundir import json_bytes
from simkit.potential.card import Card
from simkit.potential.load import whole_checkpoint
from simkit.workflows.distill.baseline import Baseline
from simkit.workflows.distill.history import DivergedError, Epoch, Reader
from simkit.workflows.distill.starting import MODEL
from simkit.workflows.distill.training import Training

TRAIN, VALID = "train.extxyz", "valid.extxyz"
POLL_S = 0.3
GRACE_S = 30.0
LAST_LINES = 12
BLOCK = "RealAgnosticResidualInteractionBlock"
Keep = Callable[[Epoch], None]
CHECKPOINT = re.compile(rf"{MODEL}_run-\d+_epoch-(\d+)\.pt")


@dataclass(frozen=True)
class Place:
    """The files of one training: `folder` is what `train` was given, `mace` what mace-torch writes in."""

    folder: Path
    seed: int

    @property
    def mace(self) -> Path:
        return self.folder / "mace"

    @property
    def log(self) -> Path:
        return self.folder / "trainer.log"

    @property
    def result(self) -> Path:
        return self.folder / MODEL

    @property
    def lines(self) -> Path:
        return self.mace / "results" / f"{MODEL}_run-{self.seed}_train.txt"

    def checkpoints(self) -> dict[int, Path]:
        """Checkpoints by epoch. One that was cut short while it was written is set aside as `.corrupt`."""
        found = {}
        for path in sorted((self.mace / "checkpoints").glob("*.pt")):
            if not whole_checkpoint(path):
                path.rename(path.with_suffix(".corrupt"))
            elif match := CHECKPOINT.fullmatch(path.name):
                found[int(match[1])] = path
        return found

    def checkpoint(self) -> int | None:
        """Epoch of the newest checkpoint, None where there is none."""
        return max(self.checkpoints(), default=None)


def arguments(settings: Training, baseline: Baseline, place: Place) -> list[str]:
    """Of mace-torch's command `run_train`, version 0.3.

    Statistics are given, not measured by mace: each process of several would measure its own share.
    """
    rates = settings.final_learning_rate / settings.learning_rate
    each = settings.batch_size // settings.processes
    values = {
        "name": MODEL, "seed": place.seed, "work_dir": place.mace, "model_dir": place.mace, "device": settings.device,
        "train_file": place.folder / TRAIN, "valid_file": place.folder / VALID,
        "energy_key": "REF_energy", "forces_key": "REF_forces", "stress_key": "REF_stress", "compute_stress": True,
        "E0s": baseline.energies_eV, "atomic_numbers": sorted(baseline.energies_eV), "mean": 0.0,
        "std": baseline.scale, "avg_num_neighbors": baseline.neighbours, "compute_avg_num_neighbors": False,
        "model": "ScaleShiftMACE", "interaction": BLOCK, "interaction_first": BLOCK, "num_interactions": 2,
        "num_channels": settings.channels, "max_L": 0, "max_ell": settings.lmax, "correlation": settings.correlation,
        "r_max": settings.cutoff_A, "num_radial_basis": settings.bessel, "radial_MLP": list(settings.radial_mlp),
        "loss": "universal", "energy_weight": settings.energy_weight, "forces_weight": settings.forces_weight,
        "stress_weight": settings.stress_weight, "huber_delta": settings.huber_eV_per_A,
        "error_table": "PerAtomRMSEstressvirials",
        "skip_evaluate_heads": "Default", "max_num_epochs": settings.epochs, "batch_size": each,
        "valid_batch_size": settings.batch_size, "lr": settings.learning_rate, "scheduler": "ExponentialLR",
        "lr_scheduler_gamma": rates ** (1 / max(settings.epochs - 1, 1)), "ema_decay": settings.ema_decay,
        "clip_grad": settings.clip, "default_dtype": "float32", "num_workers": 0, "pin_memory": False, "plot": False,
        "eval_interval": 1, "keep_isolated_atoms": True,
    }  # fmt: skip
    words = [f"--{name}={value}" for name, value in values.items()]
    words += ["--amsgrad", "--ema", "--restart_latest", "--keep_checkpoints", "--save_cpu"]
    return words + (["--distributed", "--launcher=torchrun"] if settings.processes > 1 else [])


def run(settings: Training, baseline: Baseline, place: Place, start: Path | None, keep: Keep) -> None:
    """Train from where the folder stands to the end; the model lies at `place.result` after it.

    keep is called with each epoch as it ends. Raises DivergedError when the loss is no number, SimkitError
    when the trainer fails or does not take up its checkpoint; both name the log.
    """
    job = place.folder / "job.json"
    io.write_atomic(job, json_bytes(_job(settings, baseline, place, start)))
    threads = threads_each(settings)
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    rate = [settings.learning_rate, settings.final_learning_rate, max(settings.epochs - 1, 1)]
    seen = place.lines.stat().st_size if place.lines.exists() else 0
    reader = Reader(place.lines, lambda epoch: rate[0] * (rate[1] / rate[0]) ** (epoch / rate[2]), seen)
    command = [sys.executable, "-W", "ignore", "-m", "simkit.potential.mace_trainer", str(job)]
    with (
        place.log.open("ab") as log,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, env=environment, cwd=place.folder
        ) as process,
    ):
        try:
            _watch(process, reader, place, keep)
        finally:
            _end(process)
    for old in sorted(place.checkpoints().items())[:-1]:
        old[1].unlink()  # they were kept for the case that the next one was cut short


def threads_each(settings: Training) -> int:
    """Threads of each process: those asked for, or an equal share of the cores this process may use."""
    cores = len(os.sched_getaffinity(0)) if platform.system() == "Linux" else os.cpu_count()
    return settings.threads or max(1, (cores or 1) // settings.processes)


def _job(settings: Training, baseline: Baseline, place: Place, start: Path | None) -> Mapping[str, object]:
    card = Card(
        name=place.folder.name,
        kind="mace",
        summary=f"MACE of {settings.channels} scalar channels trained by simkit",
        limits=("energies are relative to a fit of the labels, not to free atoms",),
    )
    return {
        "arguments": arguments(settings, baseline, place),
        "processes": settings.processes,
        "threads": threads_each(settings),
        "start": "" if start is None else str(start),
        "width": {"channels": settings.channels, "bessel": settings.bessel},
        "seed": place.seed,
        "written": str(place.mace / f"{MODEL}.model"),
        "result": str(place.result),
        "card": dataclasses.asdict(card),
        "meeting": str(place.folder / "meeting"),
        "fused": settings.fused,
        "optimiser": settings.optimiser,
    }


def _watch(process: subprocess.Popen, reader: Reader, place: Place, keep: Keep) -> None:
    """Follow the trainer to its end."""
    expected = place.checkpoint()
    running = True
    while running:
        running = process.poll() is None
        try:
            epochs = reader.new()
        except DivergedError as error:
            raise DivergedError(
                f"the training diverged: {error}. Look for labels with wild forces, or lower learning_rate, and train "
                f"in a new folder. Log: {place.log}"
            ) from error
        for epoch in epochs:
            if expected is not None and epoch.epoch < expected:
                raise SimkitError(f"the checkpoint of epoch {expected} was not taken up; log: {place.log}")
            keep(epoch)
        time.sleep(POLL_S if running else 0)
    if process.returncode:
        tail = "\n".join(place.log.read_text(errors="replace").splitlines()[-LAST_LINES:])
        raise SimkitError(f"the trainer ended with status {process.returncode}; log: {place.log}\n{tail}")


def _end(process: subprocess.Popen) -> None:
    """Ask a trainer that still runs to end, then make it."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
