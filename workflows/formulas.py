"""Chemical formulas as numbers, asked against built."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from simkit import build
from simkit.errors import InputError
from simkit.structure import Structure

ANIONS = tuple(build.ANION_VALENCE)


def reduced(counts: Mapping[str, float], per: str = "anions") -> dict[str, float]:
    """The same composition with two anions, or with one metal (every cation but the alkali ions counts).

    Raises InputError where there is none of them.
    """
    wanted = {symbol for symbol in counts if _rank(symbol) == (2 if per == "anions" else 1)}
    total = sum(counts[symbol] for symbol in wanted) / (2.0 if per == "anions" else 1.0)
    if not total:
        raise InputError(f"a composition of {', '.join(counts)} has no {per}.")
    return {symbol: number / total for symbol, number in counts.items()}


def composition(structure: Structure, per: str = "anions") -> dict[str, float]:
    """Composition of a cell (`reduced`), alkali first, then metals, then anions, each by falling amount."""
    found = reduced(Counter(structure.symbols), per)
    return {symbol: found[symbol] for symbol in sorted(found, key=lambda s: (_rank(s), -found[s]))}


def text(counts: Mapping[str, float], digits: int = 3) -> str:
    """A formula in one word."""
    return "".join(symbol + f"{number:.{digits}f}".rstrip("0").rstrip(".") for symbol, number in counts.items())


def misses(structure: Structure, formula: str, per: str = "anions", within: float = 0.0) -> list[str]:
    """Elements of a cell that differ from a formula by more than `within`, or one atom of the cell, in sentences."""
    asked, built = reduced(build.formula_amounts(formula), per), composition(structure, per)
    known = [symbol for symbol in built if per == "anions" or _rank(symbol) < 2]
    allowed = max(within, built[known[0]] / structure.symbols.count(known[0])) + 1e-9
    return [
        f"{symbol} is {built.get(symbol, 0.0):.4f} where {formula} has {asked.get(symbol, 0.0):.4f} (per {per}); "
        f"{allowed:.4f} is allowed."
        for symbol in dict.fromkeys([*asked, *built])
        if symbol in {*known, *asked} - ({*ANIONS} if per == "metals" else set())
        and abs(asked.get(symbol, 0.0) - built.get(symbol, 0.0)) > allowed
    ]


def of_phase(structure: Structure, phase: str) -> Structure:
    """The atoms of one phase of a built cell. Raises InputError where it has none."""
    mine = np.flatnonzero(structure.tags["phase"] == phase)
    if not len(mine):
        raise InputError(f"the cell has no phase {phase!r}; it has {', '.join(sorted(set(structure.tags['phase'])))}.")
    return structure.take(mine)


def _rank(symbol: str) -> int:
    """0 alkali ions, 1 metals, 2 anions."""
    return 0 if symbol in ("Li", "Na", "K") else 2 if symbol in ANIONS else 1
