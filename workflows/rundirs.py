"""A run directory for a study of one kind: opened or taken up again, its record kept, its page written."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import tomli_w

from simkit import io, plot, potential, report
from simkit.config import Section
from simkit.io.record import git_commit, versions
from simkit.potential.base import Potential
from simkit.potential.card import Card
from simkit.workflows import committee
from simkit.workflows.common import QUIET, Hooks
from simkit.workflows.ledger import Ledger
from simkit.workflows.structures import Request


@dataclass(frozen=True)
class Where:
    """Where a study runs: out folder, whether it is taken up again, progress, and the command as typed."""

    out: str | Path
    resume: bool = False
    hooks: Hooks = QUIET
    command: str = ""


@dataclass(frozen=True, eq=False)
class Run:
    """An open run: hooks that keep every step, the counted potential, and the ledger that times the steps."""

    ledger: Ledger
    hooks: Hooks

    @property
    def model(self) -> Potential:
        """The potential, counted."""
        return self.ledger.model

    @property
    def directory(self) -> io.RunDirectory:
        """The folder."""
        return self.ledger.directory

    def finish(self, results: dict[str, Any], figures: dict[str, object], converged: bool) -> Path:
        """Write results.json, the figures and report.html; returns the page."""
        for name, figure in figures.items():
            self.directory.write_bytes(f"figures/{name}.png", plot.png_bytes(figure))
            self.directory.write_bytes(f"figures/{name}.svg", plot.svg_bytes(figure))
        self.directory.write_json("results.json", {"schema": report.SCHEMA, **results, "converged": converged})
        self.ledger.mark("finished" if converged else "finished, not everything converged")
        page = report.write_report(self.directory)
        self.ledger.close()
        return page


def opened(config: Section, request: Request, model: Potential, where: Where, extra: dict[str, str]) -> Run:
    """Open a run directory for the settings `config` of a study; extra: what else fixes its numbers, as file hashes.

    Raises InputError when the folder holds other work, or the same without `resume`.
    """
    identity = {
        "model": f"{model.card.name} {model.card.sha256}".strip(),
        "simkit": versions()["simkit"],
        "commit": git_commit().removesuffix("+changes"),
        **extra,
    }
    text = tomli_w.dumps(config.model_dump(exclude_none=True))
    directory = io.open_run(where.out, text, identity, where.resume)
    watched = committee.watched(request.committee, model, directory.path)
    ledger = Ledger(directory, potential.Counted(watched), watched)
    ledger.open(request.name, request.seed, where.command, model.card.device)
    return Run(ledger, Hooks(directory.step, where.hooks.watch))


def shipped(*commands: str) -> dict[str, Path]:
    """Ready studies of these commands (neb, glide, stress) by name, which begins with that of the command."""
    folder = Path(str(resources.files("simkit.workflows").joinpath("configs")))
    return {path.stem: path for path in sorted(folder.glob("*.toml")) if path.stem.split("-")[0] in commands}


def card_facts(card: Card) -> dict[str, Any]:
    """What the page says of the potential."""
    facts = ("summary", "name", "kind", "dtype", "device", "source", "licence", "sha256", "limits")
    return {name: getattr(card, name) for name in facts}


def column(name: str, unit: str = "", digits: int = 3, text: bool = False) -> dict[str, Any]:
    """A column of a table of the page."""
    return {"name": name, "unit": unit, "digits": digits, "text": text}


def box(label: str, value: object, unit: str = "", note: str = "", digits: int = 3) -> dict[str, Any]:
    """A number shown large."""
    return {"label": label, "value": value, "unit": unit, "note": note, "digits": digits}


def section(
    title: str,
    paragraphs: list[str],
    figures: list[tuple[str, str]] | None = None,
    tables: list[dict] | None = None,
    html: str = "",
) -> dict[str, Any]:
    """A section of the page: sentences, (figure, caption) pairs, tables, and an interactive view as trusted HTML."""
    pictures = [{"name": name, "caption": caption} for name, caption in figures or []]
    return {"title": title, "paragraphs": paragraphs, "figures": pictures, "tables": tables or [], "views": html}
