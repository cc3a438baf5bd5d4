"""From a decorated scaffold to a checked cell with the charge ledger of every region."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from simkit.build.check.limits import Amount, Rules
from simkit.build.composite import Composite, Fact, RegionReport, composite
from simkit.build.fill.charges import name_counts, parts
from simkit.build.scaffold import Scaffold
from simkit.build.valence import window


@dataclass(frozen=True)
class Balance:
    """Charge of one region that would stand alone.

    metals   octahedral metals by element; mean valence they need; low, high what they allow
    """

    phase: str
    metals: Mapping[str, int]
    mean: float
    low: float
    high: float

    @property
    def possible(self) -> bool:
        """Whether the mean valence lies inside the window."""
        return self.low - 1e-6 <= self.mean <= self.high + 1e-6


def finished(
    kind: str, made: Scaffold, seed: int, facts: Mapping[str, Fact], recipe: Mapping[str, object], rules: Rules
) -> Composite:
    """Fill, check and report; facts gain region_k_PHASE_valence, what the metals of each region need.

    A region whose metals cannot take its mean valence alone is a warning: charge must pass to its neighbours. The
    whole cell must balance. Raises InputError where it does not, or another hard check fails.
    """
    built = with_ledgers(composite(kind, made, seed, facts, recipe, rules))
    books = balances(built)
    numbers = {f"region_{k}_{b.phase}_valence": b.mean for k, b in books.items()}
    warnings = tuple(
        f"region {k} ({b.phase}) alone would need a mean metal valence of {b.mean:.3f}, its metals allow {b.low:.3f} "
        f"to {b.high:.3f}: charge must pass to its neighbours."
        for k, b in books.items()
        if not b.possible
    )
    facts = {**built.report.facts, **numbers}
    return replace(built, report=replace(built.report, facts=facts, warnings=(*built.report.warnings, *warnings)))


def with_ledgers(built: Composite) -> Composite:
    """The cell with the charge of anions that regions share divided in their ledgers as in `balances`."""
    books = balances(built) if all(r.charges is not None for r in built.report.regions) else {}
    regions = tuple(_shared(r, books[r.region]) if r.region in books else r for r in built.report.regions)
    return replace(built, report=replace(built.report, regions=regions))


def _shared(region: RegionReport, balance: Balance) -> RegionReport:
    old = region.charges
    more = (old.mean - balance.mean) * sum(balance.metals.values())
    shifted = {name: getattr(old, name) + more for name in ("anions", "lowest", "highest")}
    return replace(region, charges=replace(old, mean=balance.mean, **shifted))


def balances(built: Composite) -> dict[int, Balance]:
    """Region -> its balance, for the regions that hold metals: the neutral parts (`parts`) that ions follow too."""
    scaffold = built.scaffold
    names = np.where(built.atom_of >= 0, np.array(built.structure.symbols)[built.atom_of], "")
    metals: dict[int, Counter] = {}
    charge: dict[int, float] = {}
    for part in parts(scaffold, name_counts(scaffold, names))[0]:
        metals.setdefault(part.region, Counter()).update(part.metals)
        charge[part.region] = charge.get(part.region, 0.0) + part.mean * sum(part.metals.values())
    return {
        k: Balance(scaffold.regions[k].phase, dict(table), charge[k] / table.total(), *window(table))
        for k, table in sorted(metals.items())
    }


def amounts(made: Scaffold, lost: Mapping[tuple[int, str], int], why: str) -> dict[tuple[int, str], Amount]:
    """What regions were asked to hold, where `lost` of their sites by (region, role) had to stay empty.

    why  ends the sentence that flags it
    """
    result = {}
    for (k, role), number in lost.items():
        left = sum(s.capacity for s in made.strata if (s.region, s.role) == (k, role))
        content = made.regions[k].composition.content
        parts = 1 if isinstance(content, float) else len(content)
        asked, whole = made.regions[k].composition.mean_content, left + number
        result[k, role] = Amount(
            asked, whole, asked * left / whole, f"{number} of {whole} sites are left out: {why}.", parts
        )
    return result
