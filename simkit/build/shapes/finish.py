"""From a decorated scaffold to a checked cell with the charge ledger of every region."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from simkit.build.check.limits import Rules
from simkit.build.composite import Composite, Fact, composite
from simkit.build.scaffold import Scaffold
from simkit.build.valence import ANION_VALENCE, ion_valence, tetrahedral_valence, window

CHARGES = {"anion": ANION_VALENCE.__getitem__, "alkali": ion_valence, "tetrahedral": tetrahedral_valence}


@dataclass(frozen=True)
class Balance:
    """Charge of one region that would stand alone.

    anions   how many its cation sites stand for: one per octahedron, filled or not (six anions, a sixth of each)
    metals   octahedral metals by element; mean valence they need; low, high what they allow
    """

    phase: str
    anions: float
    metals: Mapping[str, int]
    mean: float
    low: float
    high: float

    @property
    def possible(self) -> bool:
        """Whether the mean valence lies inside the window."""
        return self.low - 1e-6 <= self.mean <= self.high + 1e-6


@dataclass(frozen=True, eq=False)
class Decorated:
    """A scaffold and the number of octahedra of each region, empty ones included."""

    scaffold: Scaffold
    shares: tuple[float, ...]


def finished(
    kind: str, made: Decorated, seed: int, facts: Mapping[str, Fact], recipe: Mapping[str, object], rules: Rules
) -> Composite:
    """Fill, check and report; facts gain region_k_PHASE_valence, what the metals of each region need.

    A region whose metals cannot take its mean valence alone is a warning: charge must pass to its neighbours. The
    whole cell must balance. Raises InputError where it does not, or another hard check fails.
    """
    built = composite(kind, made.scaffold, seed, facts, recipe, rules)
    books = balances(built, made.shares)
    numbers = {f"region_{k}_{b.phase}_valence": b.mean for k, b in books.items()}
    warnings = tuple(
        f"region {k} ({b.phase}) alone would need a mean metal valence of {b.mean:.3f}, its metals allow {b.low:.3f} "
        f"to {b.high:.3f}: charge must pass to its neighbours."
        for k, b in books.items()
        if not b.possible
    )
    facts = {**built.report.facts, **numbers}
    return replace(built, report=replace(built.report, facts=facts, warnings=(*built.report.warnings, *warnings)))


def balances(built: Composite, shares: Sequence[float]) -> dict[int, Balance]:
    """Region -> its balance, for the regions that hold metals; the anion charge is the mean of the cell."""
    scaffold = built.scaffold
    symbols = np.where(built.atom_of >= 0, np.array(built.structure.symbols)[built.atom_of], "")
    region, role = scaffold.region, scaffold.role
    counts = Counter(zip(region.tolist(), role.tolist(), symbols.tolist(), strict=True))
    charge, anions, anion_charge = np.zeros(len(shares)), 0, 0
    metals: dict[int, dict[str, int]] = {}
    for (k, what, symbol), n in counts.items():
        if symbol and what == "metal":
            metals.setdefault(k, {})[symbol] = n
        elif symbol and what == "anion":
            anions, anion_charge = anions + n, anion_charge + n * ANION_VALENCE[symbol]
        elif symbol:
            charge[k] += n * CHARGES[what](symbol)
    charge += np.array(shares) * anion_charge / anions
    return {
        k: Balance(scaffold.regions[k].phase, shares[k], table, -float(charge[k]) / sum(table.values()), *window(table))
        for k, table in sorted(metals.items())
    }
