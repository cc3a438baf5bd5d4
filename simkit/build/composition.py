"""Composition: who may sit on the sites of one region of a cell, and how they are laid out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from simkit.build.arguments import is_number
from simkit.build.heights import ALKALI
from simkit.build.valence import ANION_VALENCE, require_dopant, require_metal
from simkit.errors import InputError, nearest

SITE_CHOICES = ("auto", "e", "f", "lower", "upper", "mixed")
ARRANGEMENTS = ("random", "ordered", "honeycomb", "stripes", "sqs")
ORDERINGS = ("screened", "ewald", "random")
DEFAULT_METALS: Mapping[str, float] = MappingProxyType({"Co": 1.0})
OXYGEN: Mapping[str, float] = MappingProxyType({"O": 1.0})
NOUNS = {"metals": "metal", "anions": "anion", "tetrahedral": "tetrahedral"}
NOTHING: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class Composition:
    """What fills one region: a block of an intergrowth, a domain of a plane, a particle.

    metals       fraction of each metal on the metal sites, summing to 1 (default Co); a sequence of such
                 tables gives one to each slab from below (a gradient)
    alkali       Li, Na or K
    content      alkali per capacity of its galleries, one number or one per gallery from below, 0 to 1
    anions       fraction of each anion, summing to 1 (default O): F and S dopants go here
    dopants      fraction of the alkali ions replaced by another cation, as {"Ca": 0.05}
    tetrahedral  fraction of each cation on the tetrahedral sites of a spinel, summing to 1; empty where the
                 region has none
    sites        prismatic sites that may be filled: "e" or "f" in P2 (edge or face sharing), "lower" or
                 "upper" in P3 (edge shared with that slab), "mixed" both, "auto" one kind where full and both
                 otherwise
    arrangement  of metals (and anions): "random" by seed with exact counts per slab, "ordered" unlike charges
                 apart, "honeycomb", "stripes", or "sqs" the special quasirandom structure of icet
    ordering     of ions: "screened" repulsion within each gallery, "ewald" lattice-gas Monte Carlo with the full
                 Coulomb sum on the slab charges, or "random"

    Raises InputError naming the field, the value and what is allowed.
    """

    metals: Mapping[str, float] | Sequence[Mapping[str, float]] = field(default_factory=lambda: DEFAULT_METALS)
    alkali: str = "Na"
    content: float | Sequence[float] = 1.0
    anions: Mapping[str, float] = field(default_factory=lambda: OXYGEN)
    dopants: Mapping[str, float] = field(default_factory=lambda: NOTHING)
    tetrahedral: Mapping[str, float] = field(default_factory=lambda: NOTHING)
    sites: str = "auto"
    arrangement: str = "random"
    ordering: str = "screened"

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "metals", _metals(self.metals))
        if not isinstance(self.alkali, str) or self.alkali not in ALKALI:
            raise InputError(f"alkali {self.alkali!r} is not offered; choose one of {', '.join(ALKALI)}.")
        put(self, "content", _contents(self.content))
        put(self, "anions", MappingProxyType(_fractions("anions", self.anions, _require_anion)))
        put(self, "dopants", MappingProxyType(_dopants(self.dopants)))
        if self.alkali in self.dopants:
            raise InputError(f"dopant {self.alkali!r} is the alkali itself; leave it out: it fills the rest.")
        if not isinstance(self.tetrahedral, Mapping):
            raise InputError(f"tetrahedral = {self.tetrahedral!r}; give a table of fractions such as {{'Mn': 1.0}}.")
        if self.tetrahedral:
            put(self, "tetrahedral", MappingProxyType(_fractions("tetrahedral", self.tetrahedral, require_dopant)))
        for name, allowed in (("sites", SITE_CHOICES), ("arrangement", ARRANGEMENTS), ("ordering", ORDERINGS)):
            if not isinstance(getattr(self, name), str) or getattr(self, name) not in allowed:
                raise InputError(
                    f"{name} {getattr(self, name)!r} is unknown; {nearest(str(getattr(self, name)), allowed)}"
                )

    def __getstate__(self) -> dict:
        return self.to_dict()

    def __setstate__(self, state: dict) -> None:
        for name, value in Composition(**state).__dict__.items():
            object.__setattr__(self, name, value)

    @property
    def mean_metals(self) -> Mapping[str, float]:
        """Fraction of each metal over the whole region (every slab counting alike)."""
        if isinstance(self.metals, Mapping):
            return self.metals
        names = dict.fromkeys(name for table in self.metals for name in table)
        return {name: sum(t.get(name, 0.0) for t in self.metals) / len(self.metals) for name in names}

    @property
    def mean_content(self) -> float:
        """Requested content over the whole region."""
        return self.content if isinstance(self.content, float) else float(np.mean(self.content))

    def to_dict(self) -> dict:
        """JSON-able record of the request."""
        metals = dict(self.metals) if isinstance(self.metals, Mapping) else [dict(table) for table in self.metals]
        content = self.content if isinstance(self.content, float) else list(self.content)
        tables = {name: dict(getattr(self, name)) for name in ("anions", "dopants", "tetrahedral")}
        words = {name: getattr(self, name) for name in ("alkali", "sites", "arrangement", "ordering")}
        return {"metals": metals, "content": content, **tables, **words}


def _metals(metals: object) -> Mapping[str, float] | tuple[Mapping[str, float], ...]:
    if isinstance(metals, Sequence) and not isinstance(metals, str) and metals:
        return tuple(MappingProxyType(_fractions("metals", table, require_metal)) for table in metals)
    return MappingProxyType(_fractions("metals", metals, require_metal))


def _fractions(name: str, table: object, require: object) -> dict[str, float]:
    if not isinstance(table, Mapping) or not table:
        raise InputError(f"{name} = {table!r}; give a table of fractions such as {{'Ni': 0.5, 'Mn': 0.5}}.")
    for symbol, fraction in table.items():
        require(symbol)
        if not is_number(fraction) or not 0 < fraction <= 1 + 1e-9:
            raise InputError(f"{name}[{symbol!r}] = {fraction!r}; every fraction must lie above 0 and up to 1.")
    total = float(sum(table.values()))
    if abs(total - 1) > 0.02:
        raise InputError(f"the {NOUNS[name]} fractions sum to {total:.4g}; they must sum to 1 (within 0.02).")
    return {symbol: float(fraction) / total for symbol, fraction in table.items()}


def _require_anion(symbol: str) -> None:
    if symbol not in ANION_VALENCE:
        raise InputError(f"anion {symbol!r} is not offered; {nearest(str(symbol), ANION_VALENCE)}")


def _dopants(table: object) -> dict[str, float]:
    if not isinstance(table, Mapping):
        raise InputError(f"dopants = {table!r}; give a table of fractions such as {{'Ca': 0.05}}.")
    for symbol, fraction in table.items():
        require_dopant(symbol)
        if not is_number(fraction) or not 0 < fraction < 1:
            raise InputError(f"dopants[{symbol!r}] = {fraction!r}; every fraction must lie between 0 and 1.")
    if sum(table.values()) >= 1:
        raise InputError(f"the dopants replace {sum(table.values()):.4g} of the ions; it must stay below 1.")
    return {symbol: float(fraction) for symbol, fraction in table.items()}


def _contents(content: object) -> float | tuple[float, ...]:
    values = [content] if is_number(content) else content
    if not isinstance(values, Sequence | np.ndarray) or isinstance(values, str) or not len(values):
        raise InputError(f"content = {content!r}; give a number from 0 to 1, or one per gallery.")
    for value in values:
        if not is_number(value) or not 0 <= value <= 1:
            raise InputError(
                f"content = {value!r} alkali per metal is impossible: a gallery holds from 0 to 1 per metal."
            )
    return float(content) if is_number(content) else tuple(float(value) for value in values)
