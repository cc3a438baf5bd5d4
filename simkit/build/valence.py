"""Formal valences: allowed windows, octahedral radii and the electroneutral-slab rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from simkit.arrays import Floats
from simkit.errors import InputError, nearest

RADII_A: Mapping[str, Mapping[int, float]] = MappingProxyType(
    {
        "Li": {1: 0.76},
        "Na": {1: 1.02},
        "Mg": {2: 0.72},
        "Ca": {2: 1.00},
        "Zn": {2: 0.74},
        "Al": {3: 0.535},
        "Ga": {3: 0.62},
        "Si": {4: 0.40},
        "Ge": {4: 0.53},
        "Sc": {3: 0.745},
        "Ti": {3: 0.67, 4: 0.605},
        "V": {3: 0.64, 4: 0.58, 5: 0.54},
        "Cr": {3: 0.615, 4: 0.55},
        "Mn": {2: 0.83, 3: 0.645, 4: 0.53},
        "Fe": {2: 0.78, 3: 0.645, 4: 0.585},
        "Co": {2: 0.745, 3: 0.545, 4: 0.53},
        "Ni": {2: 0.69, 3: 0.56, 4: 0.48},
        "Cu": {2: 0.73, 3: 0.54},
        "Y": {3: 0.90},
        "Zr": {4: 0.72},
        "Nb": {5: 0.64},
        "Mo": {4: 0.65, 5: 0.61, 6: 0.59},
        "Ru": {3: 0.68, 4: 0.62, 5: 0.565},
        "Rh": {3: 0.665, 4: 0.60},
        "In": {3: 0.80},
        "Sn": {4: 0.69},
        "Sb": {5: 0.60},
        "Te": {6: 0.56},
        "La": {3: 1.032},
        "Hf": {4: 0.71},
        "Ta": {5: 0.64},
        "W": {6: 0.60},
        "Ir": {4: 0.625, 5: 0.57},
        "Pt": {4: 0.625},
    }
)
"""Octahedral ionic radii, A (Shannon, Acta Cryst. A 32, 751, 1976), of the valences a slab metal may take."""

ANION_VALENCE: Mapping[str, int] = MappingProxyType({"O": -2, "S": -2, "F": -1})
"""Formal valence of the anions a slab may hold."""

ION_VALENCE: Mapping[str, int] = MappingProxyType({"Li": 1, "Na": 1, "K": 1, "Mg": 2, "Ca": 2, "Zn": 2})
"""Formal valence of the ions a gallery may hold."""

TETRAHEDRAL_VALENCE: Mapping[str, int] = MappingProxyType(
    {"Mn": 2, "Fe": 3, "Co": 2, "Ni": 2, "Cu": 2, "V": 5, "Cr": 6, "Mo": 6, "W": 6, "Si": 4, "Ge": 4, "Ti": 4}
)
"""Formal valence of cations on tetrahedral sites, where it is not that of `ION_VALENCE` or the only one."""

OXIDATION_ORDER: tuple[tuple[str, int], ...] = (
    *(("Ti", 4), ("Mo", 5), ("Mo", 6), ("V", 4), ("V", 5), ("Mn", 3), ("Fe", 3), ("Co", 3), ("Mn", 4), ("Ru", 4)),
    *(("Ni", 3), ("Ir", 5), ("Co", 4), ("Ni", 4), ("Ru", 5), ("Rh", 4), ("Cu", 3), ("Fe", 4), ("Cr", 4)),
)
"""Which couple gives up its electron first when the mean valence of a slab rises: a guess to start from."""


def require_metal(symbol: str) -> None:
    """Raise InputError unless the symbol is a slab metal with known valences."""
    if not isinstance(symbol, str) or symbol not in RADII_A:
        raise InputError(f"metal {symbol!r} has no valence table here; {nearest(str(symbol), RADII_A)}")


def require_dopant(symbol: str) -> None:
    """Raise InputError unless the symbol is a cation with known valences, on whatever site."""
    if symbol not in RADII_A and symbol not in ION_VALENCE:
        raise InputError(f"cation {symbol!r} has no valence here; {nearest(str(symbol), [*RADII_A, *ION_VALENCE])}")


def ion_valence(symbol: str) -> int:
    """Formal valence of an ion of a gallery or tunnel: `ION_VALENCE`, else the lowest of the table."""
    return ION_VALENCE[symbol] if symbol in ION_VALENCE else min(RADII_A[symbol])


def tetrahedral_valence(symbol: str) -> int:
    """Formal valence of a cation on a tetrahedral site."""
    return TETRAHEDRAL_VALENCE[symbol] if symbol in TETRAHEDRAL_VALENCE else ion_valence(symbol)


FIXED: Mapping[str, Callable[[str], int]] = MappingProxyType(
    {"anion": ANION_VALENCE.__getitem__, "alkali": ion_valence, "tetrahedral": tetrahedral_valence}
)
"""Valence of what is not an octahedral metal, by role."""


def window(counts: Mapping[str, int]) -> tuple[float, float]:
    """Lowest and highest mean valence a slab of these metal counts can take."""
    total = sum(counts.values())
    low = sum(n * min(RADII_A[symbol]) for symbol, n in counts.items())
    high = sum(n * max(RADII_A[symbol]) for symbol, n in counts.items())
    return low / total, high / total


def required_valences(contents: Sequence[float]) -> Floats:
    """Mean metal valence each slab needs: q_j = 4 - (x_{j-1} + x_j) / 2 (electroneutral-slab rule).

    contents  alkali (+1) per metal in each gallery from below; gallery j lies above slab j
    A slab gives half of each neighbouring gallery its electrons, so every slab with its half galleries is
    neutral and the stack carries no dipole field. The rule is a start, not the exact electrostatic minimum.
    """
    x = np.asarray(contents, dtype=np.float64)
    return 4.0 - 0.5 * (x + np.roll(x, 1))


def slab_valences(counts: Mapping[str, int], mean: float) -> dict[str, float]:
    """Mean valence of each metal of a slab whose mean valence is given, oxidised in `OXIDATION_ORDER`.

    Values outside the window are clipped to its nearer end; `window` says whether that happened.
    """
    valence = {symbol: float(min(RADII_A[symbol])) for symbol in counts}
    missing = mean * sum(counts.values()) - sum(n * valence[symbol] for symbol, n in counts.items())
    steps = [(s, q) for s, q in _ladder(counts) if counts[s]]
    for symbol, _ in steps:
        taken = min(max(missing, 0.0), float(counts[symbol]))
        valence[symbol] += taken / counts[symbol]
        missing -= taken
    return valence


def mean_bond_A(metals: Mapping[str, float], mean: float) -> float:
    """Mean metal-oxygen length of a slab from ionic radii (oxygen 1.40 A), A, at a mean valence."""
    low, high = window(metals)
    valences = slab_valences(metals, min(max(mean, low), high))
    return 1.40 + sum(x * octahedral_radius_A(symbol, valences[symbol]) for symbol, x in metals.items())


def _ladder(counts: Mapping[str, float]) -> list[tuple[str, int]]:
    return [(s, q) for s, q in OXIDATION_ORDER if s in counts and q in RADII_A[s] and q > min(RADII_A[s])]


def octahedral_radius_A(symbol: str, valence: float) -> float:
    """Octahedral radius, A, interpolated between the valences of the table and held at its ends."""
    table = RADII_A[symbol]
    return float(np.interp(valence, sorted(table), [table[q] for q in sorted(table)]))
