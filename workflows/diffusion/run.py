"""Molecular dynamics, its analysis, and what both leave in a run directory."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from simkit import io, measure, plot, potential, report
from simkit.config import checked
from simkit.elements import atomic_number
from simkit.errors import InputError
from simkit.io import checkpoint
from simkit.io.record import git_commit, versions
from simkit.io.rundir import RunDirectory, file_name
from simkit.potential.base import Potential, check_elements
from simkit.structure import Structure
from simkit.workflows import committee, md
from simkit.workflows.common import QUIET, Hooks, named_structures
from simkit.workflows.diffusion import figures, numbers, page
from simkit.workflows.diffusion.analyse import analyse
from simkit.workflows.diffusion.config import Config
from simkit.workflows.diffusion.findings import Findings
from simkit.workflows.ledger import Ledger

START = "start.npz"
STUDY = "study.toml"


@dataclass(frozen=True, eq=False)
class Result:
    """What a run found, the content of results.json, lines for the terminal, and whether every system finished."""

    findings: Findings
    summary: dict
    lines: tuple[str, ...]
    converged: bool

    def to_ase(self) -> dict[str, Any]:
        """The last stored frame of every trajectory as ase.Atoms, by name."""
        run = self.findings.run.run
        return {name: io.to_ase(run.trajectory(name)[-1]) for name in run.names}


def run(  # noqa: PLR0913 (what to do, with what, where, how)
    config: Config,
    model: Potential,
    structures: Any,
    out: str | Path,
    resume: bool = False,
    hooks: Hooks = QUIET,
    command: str = "",
) -> Result:
    """Simulate `structures` (Structure, ase.Atoms, pymatgen; one, a list or by name) in the directory `out`.

    With `resume` the run in `out` is taken up, bit for bit, until all its steps are done; a run that has them is only
    analysed again. Raises InputError for impossible requests or a directory that holds other work, Interrupted, with
    everything saved, after a signal.
    """
    given = named_structures(structures)
    for structure in given.values():
        check_elements(structure.numbers, model.card)
    md.systems(config.dynamics, given)
    directory = io.open_run(out, tomli_w.dumps(config.model_dump(exclude_none=True)), _identity(model, given), resume)
    checkpoint.save(directory.path / START, given)
    watched = committee.watched(config.committee, model, directory.path)
    ledger = Ledger(directory, potential.Counted(watched), watched)
    ledger.open("molecular dynamics", config.dynamics.seed, command, model.card.device)
    simulated = ledger.step(
        "dynamics", lambda: md.simulate(config.dynamics, ledger.model, given, directory.path, hooks)
    )
    found = ledger.step("analysis", lambda: analyse(config, simulated, given))
    spreads = committee.summary(ledger.record, watched)
    summary, lines = ledger.step("report", lambda: _write(directory, found, model, spreads))
    ledger.mark("finished" if found.converged else "finished, not everything converged")
    report.write_report(directory)
    ledger.close()
    return Result(found, summary, tuple(lines), found.converged)


def stored(out: str | Path) -> tuple[Config, dict[str, Structure]]:
    """Settings and starting structures of a run directory. Raises InputError where it holds no molecular dynamics."""
    out = Path(out)
    if not (out / START).exists() or not (out / STUDY).exists():
        raise InputError(f"{out} holds no molecular dynamics; make some with: simkit md FILE --out {out}")
    settings = checked(Config, tomllib.loads((out / STUDY).read_text(encoding="utf-8")))
    return settings, checkpoint.load(out / START)


def lengthen(out: str | Path, length_ps: float) -> tuple[Config, dict[str, Structure]]:
    """Give a run in `out` another length; `run` with `resume` then goes on to it.

    Raises InputError for a length that is not beyond the present one.
    """
    config, structures = stored(out)
    now = config.dynamics.length_ps
    if not length_ps > now:
        raise InputError(f"the run in {out} is {now:g} ps long already; give a length beyond that, not {length_ps:g}.")
    dynamics = config.dynamics.model_copy(update={"length_ps": float(length_ps)})
    longer = config.model_copy(update={"dynamics": dynamics})
    io.write_atomic(Path(out) / STUDY, tomli_w.dumps(longer.model_dump(exclude_none=True)).encode())
    return longer, structures


def extend(out: str | Path, length_ps: float, model: Potential, hooks: Hooks = QUIET, command: str = "") -> Result:
    """Take the run in `out` on to another length. What is refused leaves the run as it was."""
    before = (Path(out) / STUDY).read_bytes() if (Path(out) / STUDY).exists() else b""
    config, structures = lengthen(out, length_ps)
    try:
        return run(config, model, structures, out, True, hooks, command)
    except InputError:
        io.write_atomic(Path(out) / STUDY, before)
        raise


def _identity(model: Potential, structures: Mapping[str, Structure]) -> dict[str, str]:
    digest = hashlib.sha256()
    for name, structure in structures.items():
        digest.update(name.encode() + structure.positions.tobytes() + structure.numbers.tobytes())
        digest.update(structure.cell.tobytes())
    return {
        "model": f"{model.card.name} {model.card.sha256}".strip(),
        "simkit": versions()["simkit"],
        "commit": git_commit().removesuffix("+changes"),
        "structures": digest.hexdigest(),
    }


def _write(
    directory: RunDirectory, found: Findings, model: Potential, spreads: committee.Summary | None
) -> tuple[dict, list[str]]:
    """Every file but the report; returns the content of results.json and lines for a terminal."""
    for name in found.run.run.names:
        directory.write_bytes(f"thermo/{file_name(name)}.csv", io.log_csv(found.run.run, name).encode())
    for name, figure in figures.draw(found).items():
        directory.write_bytes(f"figures/{name}.png", plot.png_bytes(figure))
        directory.write_bytes(f"figures/{name}.svg", plot.svg_bytes(figure))
    for one in found.motions:
        words = f"density of {found.config.transport.ion} in {one.source} at {one.temperature_K:g} K"
        start = found.structures[one.source]
        host = start.take(start.numbers != _number(found)).strained_to(one.density.cell)
        cube = measure.cube_text(one.density, host, words)
        directory.write_bytes(f"structures/density-{file_name(one.source)}-{one.temperature_K:g}K.cube", cube.encode())
    summary = committee.told({**numbers.results(found), **page.page(found, model.card)}, spreads)
    directory.write_json("results.json", summary)
    return summary, page.lines(found) + ([] if spreads is None else spreads.lines)


def _number(found: Findings) -> int:
    return atomic_number(found.config.transport.ion)
