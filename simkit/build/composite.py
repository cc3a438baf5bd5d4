"""Composite: a checked cell from any builder, layered or not, with its report and recipe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from simkit.arrays import Integers
from simkit.build.occupy import Filled, candidates, occupy
from simkit.build.scaffold import Scaffold
from simkit.build.sites import Sites
from simkit.structure import Structure

Fact = float | int | str | bool


@dataclass(frozen=True)
class CellReport:
    """What was built, whatever the builder.

    kind    which builder: "lateral", "tunnel", "particle" ...
    facts   numbers and words of that builder, unit in every key (strain_x_percent, gap_A, boundary_length_A)
    """

    kind: str
    formula: str
    atoms: int
    counts: Mapping[str, int]
    facts: Mapping[str, Fact]
    warnings: tuple[str, ...]
    seed: int

    def to_dict(self) -> dict:
        """JSON-able dictionary; units are part of the keys."""
        return asdict(self)

    def text(self) -> str:
        """A readable table."""
        lines = [f"{self.formula}  ({self.atoms} atoms, {self.kind}, seed {self.seed})"]
        lines += [f"{key}: {value}" for key, value in self.facts.items()]
        return "\n".join([*lines, *(f"warning: {text}" for text in self.warnings)])


@dataclass(frozen=True, eq=False)
class Composite:
    """A built cell: structure with layers and tags, the scaffold it fills, atom_of its sites, report, recipe."""

    structure: Structure
    scaffold: Scaffold
    atom_of: Integers
    report: CellReport
    recipe: dict

    @property
    def sites(self) -> Sites:
        """Every alkali site, filled or empty."""
        return candidates(self.scaffold, self.atom_of)


def composite(
    kind: str, scaffold: Scaffold, seed: int, facts: Mapping[str, Fact], recipe: Mapping[str, object]
) -> Composite:
    """Fill a scaffold, check the cell and report on it.

    recipe  what rebuilds the cell: arguments of the builder named by its "kind"
    Raises InputError where a composition cannot be met or the finished cell fails a hard check.
    """
    done: Filled = occupy(scaffold, seed)
    counts = dict(sorted(Counter(done.structure.symbols).items()))
    report = CellReport(kind, done.structure.formula, len(done.structure), counts, dict(facts), (), seed)
    return Composite(done.structure, scaffold, done.atom_of, report, {"kind": kind, "seed": seed, **recipe})
