"""What a committee says of a run: spreads per step, the structures to label next, and the words for both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from simkit import io, solve
from simkit.arrays import Floats
from simkit.config import Section
from simkit.errors import InputError
from simkit.potential import Doubtful, Evaluation, Limits, Potential, Seen, Spread, Watched
from simkit.potential.committee import difference_spread
from simkit.potential.watched import KEPT, SPREAD_LIMIT_EV_PER_A
from simkit.structure import Structure

FILE = "structures/doubtful.extxyz"
COLUMN = "force_spread_eV_per_A"
"""Per-atom column of the file, and its largest entry in the comment line of each frame as `LARGEST`."""
LARGEST = "largest_force_spread_eV_per_A"
ENERGY = "energy_spread_eV_per_atom"
TO_MEV = 1e3


class Config(Section):
    """When a committee's members are too far apart, and how many structures are kept for it.

    spread_limit_eV_per_A  of the force on one atom, beyond which a structure is saved to be labelled next
    keep                   at most so many structures, the worst
    """

    spread_limit_eV_per_A: float = Field(default=SPREAD_LIMIT_EV_PER_A, gt=0)
    keep: int = Field(default=KEPT, ge=1)


class Settings(Section):
    """The [committee] table alone, for commands that are told nothing else of a study."""

    committee: Config = Config()


@dataclass(frozen=True)
class Summary:
    """The spreads of a whole run.

    steps   (name, what was seen) of each step that asked the committee
    saved   structures in `FILE`
    """

    members: tuple[str, ...]
    limit_eV_per_A: float
    steps: tuple[tuple[str, Seen], ...]
    saved: int

    @property
    def seen(self) -> Seen:
        """All steps together."""
        total = Seen()
        for _, seen in self.steps:
            total = total.plus(seen)
        return total

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON, units in the keys."""
        return {
            "members": list(self.members),
            "spread_limit_meV_per_A": self.limit_eV_per_A * TO_MEV,
            **facts(self.seen),
            "doubtful_structures_saved": self.saved,
            "steps": {name: facts(seen) for name, seen in self.steps},
        }

    @property
    def sentence(self) -> str:
        """How far the members were apart."""
        seen = self.seen
        return (
            f"Energies and forces are means over a committee of {len(self.members)} models, which differed in "
            f"{seen.evaluations} evaluations by at most {seen.energy * TO_MEV:.2f} meV/atom in energy (standard "
            f"deviation) and {seen.forces * TO_MEV:.0f} meV/Å in the force on one atom (limit "
            f"{self.limit_eV_per_A * TO_MEV:.0f})."
        )

    @property
    def warnings(self) -> list[str]:
        """One line where the limit was passed: how many structures, where they are, what to do with them."""
        seen = self.seen
        if not seen.doubtful:
            return []
        return [
            f"The members of the committee are more than {self.limit_eV_per_A * TO_MEV:.0f} meV/Å apart in "
            f"{seen.doubtful} of {seen.evaluations} evaluations (at most {seen.forces * TO_MEV:.0f}); saved worst "
            f"first to {FILE} ({self.saved} distinct). To have them labelled and train again: simkit potentials "
            "distill RECIPE.toml --add FILE; with labels of your own: simkit potentials distill RECIPE.toml --data "
            "EARLIER --data LABELLED."
        ]

    @property
    def lines(self) -> list[str]:
        """The same for a terminal."""
        return [self.sentence, *(f"warning: {line}" for line in self.warnings)]


def watched(config: Config, potential: Potential, folder: Path | None = None) -> Watched:
    """The potential with an eye on its spread; with `folder`, what an earlier part of the same run kept is kept on.

    A potential without a spread is not changed by this. Raises InputError when the file in `folder` is another's.
    """
    file = None if folder is None else folder / FILE
    kept = [_doubtful(frame, file) for frame in io.read_frames(file)] if file is not None and file.exists() else []
    return Watched(potential, Limits(config.spread_limit_eV_per_A, config.keep), kept)


def save(folder: Path, kept: Sequence[Doubtful]) -> None:
    """Write the doubtful structures, worst first, with their spreads; nothing when there are none."""
    if not kept:
        return
    frames = [
        io.Frame(
            one.structure,
            {LARGEST: one.spread.largest, ENERGY: one.spread.energy},
            {COLUMN: one.spread.forces},
        )
        for one in kept
    ]
    (folder / FILE).parent.mkdir(parents=True, exist_ok=True)
    io.write_atomic(folder / FILE, io.frames_text(frames).encode())


def finish(folder: Path, model: Watched) -> list[str]:
    """Save what a single step found: doubtful structures and committee.json; returns its words for the terminal.

    Nothing is written and nothing said for a potential without a spread.
    """
    seen = model.take_seen()
    if not seen.evaluations:
        return []
    save(folder, model.kept)
    found = Summary(members(model), model.limits.spread_eV_per_A, (("all", seen),), len(model.kept))
    whole = {key: value for key, value in found.to_dict().items() if key != "steps"}
    io.write_atomic(folder / "committee.json", io.json_bytes(whole))
    return found.lines


def summary(record: Mapping[str, Any], model: Watched) -> Summary | None:
    """The spreads of a study from the steps of its record; None where no step asked a committee."""
    steps = tuple((step["name"], of_facts(step)) for step in record["steps"] if "committee_evaluations" in step)
    if not steps:
        return None
    return Summary(members(model), model.limits.spread_eV_per_A, steps, len(model.kept))


def told(page: Mapping[str, Any], found: Summary | None) -> dict[str, Any]:
    """Content of results.json and of a page, with what a committee said: numbers, warnings and a section."""
    if found is None:
        return dict(page)
    words = {"title": "Agreement of the committee", "paragraphs": [found.sentence]}
    section = {**words, "figures": [], "tables": [], "views": ""}
    return {
        **page,
        "warnings": [*page["warnings"], *found.warnings],
        "sections": [*page["sections"], section],
        "committee": found.to_dict(),
    }


def members(model: Potential) -> tuple[str, ...]:
    """Names of the members; the potential itself where its card lists none."""
    return model.card.committee or (model.card.name,)


def facts(seen: Seen) -> dict[str, Any]:
    """Counts and largest spreads for JSON; nothing where no spread was seen."""
    if not seen.evaluations:
        return {}
    return {
        "committee_evaluations": seen.evaluations,
        "doubtful_evaluations": seen.doubtful,
        "largest_energy_spread_meV_per_atom": seen.energy * TO_MEV,
        "largest_force_spread_meV_per_A": seen.forces * TO_MEV,
    }


def of_facts(entry: Mapping[str, Any]) -> Seen:
    """Inverse of `facts`."""
    if "committee_evaluations" not in entry:
        return Seen()
    return Seen(
        entry["committee_evaluations"],
        entry["doubtful_evaluations"],
        entry["largest_energy_spread_meV_per_atom"] / TO_MEV,
        entry["largest_force_spread_meV_per_A"] / TO_MEV,
    )


def spread_of(evaluation: Evaluation) -> dict[str, float]:
    """Spreads of one evaluation for JSON; nothing for a single potential."""
    if evaluation.spread is None:
        return {}
    return {
        "energy_spread_meV_per_atom": evaluation.spread.energy * TO_MEV,
        "force_spread_meV_per_A": evaluation.spread.largest * TO_MEV,
    }


def spread_over(energy_spread: Floats) -> dict[str, float]:
    """Mean and largest spread of the energy over the frames (f,) eV/atom of a trajectory for JSON."""
    mean, largest = float(energy_spread.mean()) * TO_MEV, float(energy_spread.max()) * TO_MEV
    return {"mean_energy_spread_meV_per_atom": mean, "largest_energy_spread_meV_per_atom": largest}


def difference_spreads(model: Potential, groups: Sequence[Sequence[Structure]]) -> list[Floats | None]:
    """(k,) eV of each group: standard deviation over a committee's members of energies above that of the first of it.

    Offsets of the members cancel from the differences. Every structure is evaluated once more, all in one batch, with
    the energies of each member; None where the potential does not tell them.
    """
    if not groups:
        return []
    said = iter(model.evaluate([structure for group in groups for structure in group]))
    return [_difference_spread([next(said) for _ in group]) for group in groups]


def _difference_spread(said: Sequence[Evaluation]) -> Floats | None:
    energies = [one.spread.members for one in said if one.spread is not None and one.spread.members is not None]
    return difference_spread(np.stack(energies)) if len(energies) == len(said) else None


def spread_along(path: solve.Path | None) -> dict[str, float]:
    """Largest spread of the force on one atom along a path for JSON; nothing for a single potential."""
    if path is None or path.force_spreads_eV_per_A is None:
        return {}
    return {"force_spread_meV_per_A": float(path.force_spreads_eV_per_A.max()) * TO_MEV}


def _doubtful(frame: io.Frame, file: Path) -> Doubtful:
    s = frame.structure
    if COLUMN not in s.tags or ENERGY not in frame.metadata:
        raise InputError(f"{file} lacks {COLUMN} or {ENERGY}: it is not what this run wrote; move it away.")
    spread = Spread(float(frame.metadata[ENERGY]), s.tags[COLUMN])
    return Doubtful(Structure(s.numbers, s.positions, s.cell, s.periodic), spread)
