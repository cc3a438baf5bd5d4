"""Composite: a checked cell from any builder, layered or not, with its report and recipe."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import numpy as np

from simkit.arrays import Integers
from simkit.build.check.charge import Ledger, Share, ledger, shares, without_valence
from simkit.build.check.contacts import KINDS, ROLE_KINDS, Contacts, contacts, shortest_A
from simkit.build.check.coordination import COORDINATION_A, histogram
from simkit.build.check.limits import Rules
from simkit.build.check.validation import Subject, Validation, examine
from simkit.build.fill.entropy import entropy_label, mixing
from simkit.build.layering import ANIONS
from simkit.build.occupy import Filled, candidates, occupy
from simkit.build.scaffold import Scaffold
from simkit.build.sites import Sites
from simkit.errors import InputError
from simkit.structure import Structure

Fact = float | int | str | bool
WIDTH = 120


@dataclass(frozen=True)
class RegionReport:
    """One region: phase, atoms by role and element, fractions asked and reached, formal charges.

    charges  None where an element has no valence here
    entropy_R, entropy_class  configurational entropy of its octahedral metals per metal, in units of R, with its class
    """

    region: int
    phase: str
    counts: Mapping[str, Mapping[str, int]]
    shares: tuple[Share, ...]
    charges: Ledger | None
    entropy_R: float = 0.0
    entropy_class: str = "low"


@dataclass(frozen=True)
class CellReport:
    """What was built, whatever the builder.

    kind    which builder: "lateral", "tunnel", "particle" ...
    facts   numbers and words of that builder, unit in every key (strain_x_percent, gap_A, boundary_length_A)
    regions what each part holds; shortest_A by pair kind (O anion, M metal, A alkali ion, T tetrahedral cation);
    coordination kind -> number of anions -> atoms; checks what every check said; warnings its soft sentences
    """

    kind: str
    formula: str
    atoms: int
    counts: Mapping[str, int]
    facts: Mapping[str, Fact]
    warnings: tuple[str, ...]
    seed: int
    volume_per_anion_A3: float = float("nan")
    regions: tuple[RegionReport, ...] = ()
    shortest_A: Mapping[str, float] = field(default_factory=dict)
    coordination: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    checks: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict:
        """JSON-able dictionary; units are part of the keys."""
        return asdict(self)

    def text(self) -> str:
        """A readable table of at most 120 columns."""
        lines = [f"{self.formula}  ({self.atoms} atoms, {self.kind}, seed {self.seed})"]
        lines += [f"{key}: {_plain(value)}" for key, value in self.facts.items()]
        lines += [f"{self.volume_per_anion_A3:.2f} A^3 per anion", "", *_region_lines(self.regions), ""]
        lines.append("shortest contacts, A: " + "  ".join(f"{k} {v:.3f}" for k, v in self.shortest_A.items()))
        for kind, numbers in self.coordination.items():
            counts = "  ".join(f"{n}:{count}" for n, count in numbers.items())
            lines.append(f"anions around {kind} (to {COORDINATION_A[kind]:g} A): {counts}")
        lines.append("checks: " + "  ".join(f"{name} {state}" for name, state in self.checks.items()))
        lines += [f"warning: {text}" for text in self.warnings]
        return "\n".join(part for line in lines for part in _wrapped(line))


@dataclass(frozen=True, eq=False)
class Composite:
    """A built cell: structure with layers and tags, the scaffold it fills, atom_of its sites, report, recipe.

    rules  what the builder promised, for `validate`
    """

    structure: Structure
    scaffold: Scaffold
    atom_of: Integers
    report: CellReport
    recipe: dict
    rules: Rules = field(default_factory=Rules)

    @property
    def sites(self) -> Sites:
        """Every alkali site, filled or empty."""
        return candidates(self.scaffold, self.atom_of)

    @property
    def subject(self) -> Subject:
        """The cell as the checks see it."""
        return Subject(self.structure, self.rules, self.scaffold, self.atom_of)


def composite(
    kind: str,
    scaffold: Scaffold,
    seed: int,
    facts: Mapping[str, Fact],
    recipe: Mapping[str, object],
    rules: Rules | None = None,
) -> Composite:
    """Fill a scaffold, check the cell and report on it.

    recipe  what rebuilds the cell: arguments of the builder named by its "kind"
    rules   limits, exemptions (numbers of anions by site tag, particles in vacuum) and promises to check
    Raises InputError where a composition cannot be met or the finished cell fails a hard check.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise InputError(f"seed = {seed!r}; it must be a whole number, 0 or larger.")
    done: Filled = occupy(scaffold, seed)
    subject = Subject(done.structure, rules or Rules(), scaffold, done.atom_of)
    found = contacts(done.structure, subject.kinds)
    validation = examine(subject, found)
    if not validation.passed:
        more = f" (and {len(validation.hard) - 3} more)" if len(validation.hard) > 3 else ""
        raise InputError(" ".join(validation.hard[:3]) + more)
    report = cell_report(kind, subject, facts, (int(seed), validation, found))
    record = {"kind": kind, "seed": int(seed), **recipe}
    return Composite(done.structure, scaffold, done.atom_of, report, record, subject.rules)


def cell_report(
    kind: str, subject: Subject, facts: Mapping[str, Fact], checked: tuple[int, Validation, Contacts]
) -> CellReport:
    """The report of a filled scaffold from its seed, its validation and its contacts."""
    seed, validation, found = checked
    s = subject.structure
    anions = int(np.isin(s.numbers, ANIONS).sum())
    return CellReport(
        kind=kind,
        formula=s.formula,
        atoms=len(s),
        counts=dict(sorted(Counter(s.symbols).items())),
        facts=dict(facts),
        warnings=validation.soft,
        seed=seed,
        volume_per_anion_A3=s.volume / max(anions, 1),
        regions=_regions(subject, found),
        shortest_A=shortest_A(found),
        coordination={k: numbers for k in KINDS[1:] if (numbers := histogram(found, k, s.numbers))},
        checks={f"{f.number} {f.name}": f.state for f in validation.findings},
    )


def _regions(subject: Subject, found: Contacts) -> tuple[RegionReport, ...]:
    s, scaffold, atom_of = subject.structure, subject.scaffold, subject.atom_of
    region = np.empty(len(s), dtype=np.int64)
    region[atom_of[atom_of >= 0]] = scaffold.region[atom_of >= 0]
    asked = shares(s, scaffold, atom_of, subject.rules.contents, subject.rules.amounts)
    known = not without_valence(s)
    symbols = np.array(s.symbols)
    records = []
    for k, part in enumerate(scaffold.regions):
        mine = region == k
        counts = {
            role: dict(sorted(Counter(symbols[mine & (found.kinds == kind)].tolist()).items()))
            for role, kind in ROLE_KINDS.items()
            if (mine & (found.kinds == kind)).any()
        }
        charges = ledger(s, found.kinds, f"region {k} ({part.phase})", mine) if known and mine.any() else None
        metals = np.array(list(counts.get("metal", {}).values()))
        entropy = mixing(metals / metals.sum()) if len(metals) else 0.0
        mine_asked = tuple(x for x in asked if x.region == k)
        records.append(RegionReport(k, part.phase, counts, mine_asked, charges, entropy, entropy_label(entropy)))
    return tuple(records)


def _region_lines(regions: tuple[RegionReport, ...]) -> list[str]:
    lines = ["region phase      role         atoms by element; asked -> reached"]
    for r in regions:
        for role, counts in r.counts.items():
            atoms = " ".join(f"{symbol}:{n}" for symbol, n in counts.items())
            shares = (s for s in r.shares if s.role == role)
            told = "  ".join(f"{s.symbol or 'content'} {s.asked:.4f} -> {s.reached:.4f}" for s in shares)
            lines.append(f"{r.region:6d} {r.phase:10s} {role:12s} {atoms}; {told}")
        if "metal" in r.counts:
            entropy = f"{r.entropy_R:.3f} R per metal of mixing, {r.entropy_class}"
            lines.append(f"{r.region:6d} {r.phase:10s} {'entropy':12s} {entropy}")
        if r.charges is not None:
            c = r.charges
            need = "" if c.mean is None else f", metals at {c.mean:+.3f} on average would make it neutral"
            lines.append(
                f"{r.region:6d} {r.phase:10s} {'charge':12s} anions {c.anions:+.0f}, ions {c.ions:+.0f}, "
                f"total {c.lowest:+.1f} to {c.highest:+.1f} e with the metals at their lowest to highest valences{need}"
            )
    return lines


def _plain(value: Fact) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(line, WIDTH, subsequent_indent="    ") or [""]
