"""A crystal read from a file as a scaffold whose sites are filled with their own elements, and its formal charges."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.composition import Composition
from simkit.build.layering import ALKALI_NUMBERS, ANIONS
from simkit.build.scaffold import Region, Scaffold, Stratum
from simkit.build.tunnel.slice import BOND_A, ION_BOND_A
from simkit.build.valence import ANION_VALENCE, RADII_A, ion_valence
from simkit.elements import SYMBOLS
from simkit.errors import InputError
from simkit.kernels.pair_search import find_pairs
from simkit.structure import Structure


def crystal_scaffold(structure: Structure, phase: str) -> Scaffold:
    """Sites of any ordered oxide, fluoride or sulfide, each to be filled with its own element.

    Kinds say how many anions a site has in the crystal: "X6" a metal, "A6" an alkali ion, "O" an anion. The k-th
    region holds the k-th metal, anion and alkali element. Raises InputError without anions or for elements whose
    valence is not known.
    """
    anion, alkali = np.isin(structure.numbers, ANIONS), np.isin(structure.numbers, ALKALI_NUMBERS)
    if not anion.any() or anion.all():
        raise InputError(f"{structure.formula} has no anions or no cations; a coherent join needs both.")
    role = np.where(anion, "anion", np.where(alkali, "alkali", "metal"))
    around = _coordination(structure, role)
    kind = np.array(
        ["O" if r == "anion" else f"{'A' if r == 'alkali' else 'X'}{n}" for r, n in zip(role, around, strict=True)]
    )
    elements = {name: sorted(set(structure.numbers[role == name].tolist())) for name in ("anion", "metal", "alkali")}
    regions = [_pure(elements, k, phase) for k in range(max(len(e) for e in elements.values()))]
    keys = [(name, elements[name].index(z)) for name, z in zip(role, structure.numbers.tolist(), strict=True)]
    names = sorted(set(keys))
    strata = tuple(Stratum(name, k, keys.count((name, k))) for name, k in names)
    nowhere: Integers = np.full(len(structure), -1)
    stratum = np.array([names.index(key) for key in keys])
    return Scaffold(structure.cell, structure.positions, stratum, kind, nowhere, nowhere, strata, tuple(regions))


def formal_charges(structure: Structure) -> Floats:
    """(n,) charges of the atoms of a crystal, summing to zero; metals share what anions and alkali ions leave.

    Every metal lies the same part of the way through the window of its valences; where that cannot make the crystal
    neutral all are shifted alike. A start for telling neutral planes from polar ones.
    """
    symbols = np.array(structure.symbols)
    metal = ~np.isin(structure.numbers, (*ANIONS, *ALKALI_NUMBERS))
    own = [0.0 if m else float(ANION_VALENCE.get(s) or ion_valence(s)) for s, m in zip(symbols, metal, strict=True)]
    charges = np.array(own)
    if not metal.any():
        return charges - charges.mean()
    low, high = (np.array([pick(RADII_A[s]) for s in symbols[metal]], dtype=np.float64) for pick in (min, max))
    width = float((high - low).sum())
    part = np.clip((-charges.sum() - low.sum()) / width, 0.0, 1.0) if width else 0.0
    charges[metal] = low + part * (high - low)
    charges[metal] -= charges.sum() / metal.sum()
    return charges


def _coordination(structure: Structure, role: np.ndarray) -> Integers:
    anions = structure.positions[role == "anion"]
    counts = np.zeros(len(structure), dtype=np.int64)
    for name, reach in (("metal", BOND_A), ("alkali", ION_BOND_A)):
        mine = np.flatnonzero(role == name)
        pairs = find_pairs(structure.positions[mine], anions, structure.cell, reach)
        counts[mine] = np.bincount(pairs.point, minlength=len(mine))
    return counts


def _pure(elements: Mapping[str, list[int]], k: int, phase: str) -> Region:
    def pick(name: str) -> str | None:
        return SYMBOLS[elements[name][k]] if k < len(elements[name]) else None

    metal, anion, alkali = pick("metal"), pick("anion"), pick("alkali")
    tables = {"metals": metal and {metal: 1.0}, "anions": anion and {anion: 1.0}, "alkali": alkali}
    return Region(phase, Composition(content=1.0, **{key: value for key, value in tables.items() if value}))
