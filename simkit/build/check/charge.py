"""Charge: slabs within the valence windows of their metals, a neutral cell, compositions as asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simkit.arrays import Integers
from simkit.build.check.contacts import ROLE_KINDS
from simkit.build.check.limits import NOTHING, Amount, Limits
from simkit.build.composition import Composition
from simkit.build.fill.charges import part_problems, parts
from simkit.build.scaffold import Region, Scaffold
from simkit.build.valence import (
    ANION_VALENCE,
    ION_VALENCE,
    RADII_A,
    TETRAHEDRAL_VALENCE,
    ion_valence,
    required_valences,
    tetrahedral_valence,
    window,
)
from simkit.structure import Structure

ROUNDING = 1e-6


@dataclass(frozen=True)
class Ledger:
    """Formal charges of one region (or of a cell): anions, alkali ions, and what its cations may carry.

    lowest, highest  total charge with every octahedral metal at the low and the high end of its window
    mean             valence that the octahedral metals need on average for a neutral region, None without metals
    """

    name: str
    anions: float
    ions: float
    lowest: float
    highest: float
    mean: float | None


@dataclass(frozen=True)
class Share:
    """One requested fraction: of a metal, an anion, a dopant, a tetrahedral cation, or of filled alkali sites.

    sites  number of atoms, sites or metals that the fraction is a fraction of
    room   largest fraction that the sites of the region hold
    held   fraction the builder could give, where sites gave way, and why; None: that asked for, up to the room
    """

    region: int
    phase: str
    role: str
    symbol: str
    asked: float
    reached: float
    sites: float
    room: float = 1.0
    held: float | None = None
    why: str = ""


def charge_problems(metals: Sequence[Mapping[str, int]], contents: Sequence[float]) -> list[str]:
    """Slabs whose metals cannot take the mean valence the electroneutral-slab rule asks of them.

    metals    counts by element for each slab, from below
    contents  alkali per metal for each gallery, gallery j above slab j
    """
    problems = []
    for j, (counts, needed) in enumerate(zip(metals, required_valences(contents), strict=True)):
        low, high = window(counts)
        if not low - ROUNDING <= needed <= high + ROUNDING:
            text = " ".join(f"{n} {symbol}" for symbol, n in counts.items())
            change = "fewer ions or lower-valent metals" if needed < low else "more ions or higher-valent metals"
            problems.append(
                f"slab {j} ({text}) needs a mean metal valence of {needed:.3f} between galleries of content "
                f"{contents[j - 1]:.3f} and {contents[j]:.3f}, but its metals allow {low:.3f} to {high:.3f}; "
                f"ask for {change}, or change the repeats so that counts come out exact."
            )
    return problems


def ledger(structure: Structure, kinds: Integers, name: str = "cell", which: np.ndarray | None = None) -> Ledger:
    """Formal charges of the atoms `which` (a mask; all by default) by their kinds (index into `contacts.KINDS`)."""
    which = np.ones(len(structure), dtype=bool) if which is None else which
    counts = Counter(zip(kinds[which].tolist(), np.array(structure.symbols)[which].tolist(), strict=True))
    anions = sum(n * ANION_VALENCE[s] for (k, s), n in counts.items() if k == 0)
    ions = sum(n * ion_valence(s) for (k, s), n in counts.items() if k == 2)
    tetrahedral = sum(n * tetrahedral_valence(s) for (k, s), n in counts.items() if k == 3)
    low = tetrahedral + sum(n * min(_valences(s)) for (k, s), n in counts.items() if k == 1)
    high = tetrahedral + sum(n * max(_valences(s)) for (k, s), n in counts.items() if k == 1)
    metals = sum(n for (k, _), n in counts.items() if k == 1)
    mean = -(anions + ions + tetrahedral) / metals if metals else None
    return Ledger(name, float(anions), float(ions), anions + ions + low, anions + ions + high, mean)


def without_valence(structure: Structure) -> list[str]:
    """Elements of a structure that have no valence here; charges of such a cell cannot be checked."""
    known = {*RADII_A, *ION_VALENCE, *ANION_VALENCE, *TETRAHEDRAL_VALENCE}
    return sorted(set(structure.symbols) - known)


def neutrality_problems(found: Ledger) -> list[str]:
    """Whether the metals of a cell can make it neutral within their valence windows."""
    if found.lowest <= ROUNDING and found.highest >= -ROUNDING:
        return []
    sign, least = ("negative", found.highest) if found.highest < 0 else ("positive", found.lowest)
    need = "" if found.mean is None else f", a mean metal valence of {found.mean:.3f} is needed"
    remedy = "add alkali or take anions out" if sign == "negative" else "take alkali out"
    metals = "higher-valent" if sign == "negative" else "lower-valent"
    return [
        f"the {found.name} stays {sign} by at least {abs(least):.3f} e whatever valences its metals take (anions "
        f"{found.anions:+.0f}, alkali ions {found.ions:+.0f}{need}); "
        f"{remedy}, or take {metals} metals."
    ]


def shares(
    structure: Structure,
    scaffold: Scaffold,
    atom_of: Integers,
    contents: Mapping[int, float | tuple[float, ...]] = NOTHING,
    amounts: Mapping[tuple[int, str], Amount] = NOTHING,
) -> tuple[Share, ...]:
    """Requested and reached fractions of every region of a filled scaffold.

    contents  region -> alkali per metal asked of it (`Rules.contents`); others are counted by their ion sites
    amounts   `Rules.amounts`, which go before both
    """
    symbols = np.where(atom_of >= 0, np.array(structure.symbols)[atom_of], "")
    role, region = scaffold.role, scaffold.region
    records = []
    for k, part in enumerate(scaffold.regions):
        for kind in ROLE_KINDS:
            here = Counter(symbols[(region == k) & (role == kind) & (symbols != "")].tolist())
            if kind == "alkali":
                metals = int(((region == k) & (role == "metal")).sum())
                capacity = [s.capacity for s in scaffold.strata if (s.region, s.role) == (k, kind)]
                content = _content_share(k, part, (sum(here.values()), metals, capacity), contents.get(k))
                if (k, kind) in amounts:
                    content = _amount_share((k, part.phase, kind), sum(here.values()), amounts[k, kind])
                records += _ion_shares(k, part, here, content)
                continue
            if (k, kind) in amounts:
                records.append(_amount_share((k, part.phase, kind), sum(here.values()), amounts[k, kind]))
            table = _table(part.composition, kind)
            total, times = sum(here.values()), _parts(part.composition, kind)
            if total:
                names = dict.fromkeys([*table, *here])
                records += [
                    Share(k, part.phase, kind, s, table.get(s, 0.0), here[s] / total, total / times) for s in names
                ]
    return tuple(records)


def valence_problems(structure: Structure, scaffold: Scaffold, atom_of: Integers) -> list[str]:
    """Slabs and regions of a filled scaffold whose metals cannot take the mean valence neutrality asks of them."""
    symbols = np.array(structure.symbols)
    there = atom_of >= 0
    counts = [Counter(symbols[atom_of[there & (scaffold.stratum == k)]].tolist()) for k in range(len(scaffold.strata))]
    found, _ = parts(scaffold, counts)
    return part_problems(found, [r.phase for r in scaffold.regions])


def composition_problems(found: Sequence[Share], limits: Limits | None = None) -> list[str]:
    """Fractions farther from the request than the limit and than one atom of the sites they apply to.

    What the sites have no room for is not asked of them here; `rounding_problems` tells of it.
    """
    return [_share_sentence(s) for s in found if _missing(s) > _allowed(s, limits)]


def rounding_problems(found: Sequence[Share], limits: Limits | None = None) -> list[str]:
    """Fractions farther from the request than the limit, though within one atom of it or of the room (soft)."""
    limit = (limits or Limits()).content + 1e-9
    return [
        _share_sentence(s) for s in found if abs(s.reached - s.asked) > limit and _missing(s) <= _allowed(s, limits)
    ]


def _missing(share: Share) -> float:
    if share.held is not None:
        return abs(share.reached - share.held)
    return abs(share.reached - min(share.asked, max(share.room, share.reached)))


def _allowed(share: Share, limits: Limits | None) -> float:
    return max((limits or Limits()).content, 1.0 / share.sites) + 1e-9


def _share_sentence(share: Share) -> str:
    what = "content" if share.role == "alkali" else f"{share.role} content"
    what = f"{share.role} {share.symbol}" if share.symbol else what
    if share.held is not None:
        return (
            f"region {share.region} ({share.phase}) has {what} {share.reached:.4f} where {share.asked:.4f} was asked; "
            f"{share.why}"
        )
    if share.asked > share.room + 1e-9:
        return (
            f"region {share.region} ({share.phase}) has {what} {share.reached:.4f} where {share.asked:.4f} was asked; "
            f"its sites hold {share.room:.4f} at most: ask for that, or for a larger region."
        )
    return (
        f"region {share.region} ({share.phase}) has {what} {share.reached:.4f} where {share.asked:.4f} was asked; one "
        f"atom is {1.0 / share.sites:.4f}: take more repeats or a fraction these sites can hold."
    )


def _ion_shares(k: int, part: Region, here: Counter, content: Share | None) -> list[Share]:
    ions, asked = sum(here.values()), part.composition
    records = [content] if content else []
    if ions:
        names = [s for s in dict.fromkeys([*asked.dopants, *here]) if s != asked.alkali]
        records += [Share(k, part.phase, "alkali", s, asked.dopants.get(s, 0.0), here[s] / ions, ions) for s in names]
    return records


def _content_share(
    k: int, part: Region, counts: tuple[int, int, list[int]], asked: float | tuple[float, ...] | None
) -> Share | None:
    """The content of a region; counts: its ions, its metals, the capacity of each stratum; asked per metal, if so."""
    ions, metals, capacity = counts
    per_metal = asked is not None and metals
    whole = metals if per_metal else sum(capacity)
    if not whole:
        return None
    content = asked if per_metal else part.composition.content
    values = (content,) if isinstance(content, float) else content
    room = 1.0
    if per_metal:
        wanted = [whole] if len(values) == 1 else [x * whole / len(values) for x in values]
        held = [sum(capacity)] if len(values) == 1 else capacity
        room = sum(min(*pair) for pair in zip(wanted, held, strict=True)) / whole
    return Share(k, part.phase, "alkali", "", float(np.mean(values)), ions / whole, whole / len(values), room)


def _amount_share(place: tuple[int, str, str], there: int, amount: Amount) -> Share:
    numbers = amount.asked, there / amount.sites, amount.sites / amount.parts
    return Share(*place, "", *numbers, held=amount.held, why=amount.why)


def _table(asked: Composition, role: str) -> Mapping[str, float]:
    return {"anion": asked.anions, "metal": asked.mean_metals, "tetrahedral": asked.tetrahedral}[role]


def _parts(asked: Composition, role: str) -> int:
    return 1 if role != "metal" or isinstance(asked.metals, Mapping) else len(asked.metals)


def _valences(symbol: str) -> tuple[int, ...]:
    return tuple(RADII_A[symbol]) if symbol in RADII_A else (ION_VALENCE[symbol],)
