"""The lowest ion arrangements of a scaffold by Coulomb energy, for a potential to rank again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from simkit.build.fill.charges import filled_charges
from simkit.build.fill.coulomb import COLD_EV, annealed, coulomb
from simkit.build.fill.ewald import ewald_energy
from simkit.build.occupy import Filled, filled, occupants
from simkit.build.scaffold import Scaffold
from simkit.errors import InputError

STREAM = 16
LAST_KT_EV = (COLD_EV, 0.2, 0.5, 1.0)
"""Anneals stop at these temperatures in turn: warmer ones stop in other low arrangements, eV."""
WALKS_PER_ORDER, LEAST_WALKS = 4, 8
DISTINCT_EV = 1e-4
"""Arrangements whose energies agree to this are taken as copies by symmetry."""


@dataclass(frozen=True, eq=False)
class IonOrder:
    """One arrangement: the filled scaffold, its Coulomb energy on formal charges, and ions by kind of site."""

    filled: Filled
    energy_eV: float
    by_kind: Mapping[str, int]


def ion_orders(scaffold: Scaffold, seed: int, count: int) -> tuple[IonOrder, ...]:
    """Up to `count` arrangements of the ions of all galleries, distinct in energy, lowest first.

    Metals, anions and the counts of every stratum are those of `occupy` with this seed. Energies are full Ewald sums
    of formal charges (electroneutral-slab rule), unscreened: for ranking, not for comparison between compositions.
    Fewer come back where the anneals meet fewer; the lowest of all arrangements is not promised.
    Raises InputError for a count below 1 and as `occupy` does.
    """
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
        raise InputError(f"count = {count!r}; it must be a whole number of arrangements, at least 1.")
    names = occupants(scaffold, seed)
    strata = [k for k, s in enumerate(scaffold.strata) if s.role == "alkali"]
    charge = filled_charges(scaffold, names)
    table = coulomb(scaffold, names, charge, strata)
    rest = (names != "") & (scaffold.role != "alkali")
    fixed = ewald_energy(scaffold.positions[rest], charge[rest], scaffold.cell)
    found: list[tuple[float, np.ndarray]] = []
    for walk in range(max(LEAST_WALKS, WALKS_PER_ORDER * int(count))):
        cold = LAST_KT_EV[walk % len(LAST_KT_EV)]
        symbols, energy = annealed(table, np.random.default_rng((seed, STREAM, walk + 1)), cold)
        if all(abs(energy - other) > DISTINCT_EV for other, _ in found):
            found.append((energy, symbols))
    found.sort(key=lambda item: item[0])
    return tuple(IonOrder(filled(scaffold, s), fixed + e, ions_by_kind(scaffold, s)) for e, s in found[: int(count)])


def ions_by_kind(scaffold: Scaffold, names: np.ndarray) -> dict[str, int]:
    """Filled alkali sites by kind; "e" over "f" is the ratio that diffraction gives for P2."""
    there = (scaffold.role == "alkali") & (names != "")
    return dict(sorted(Counter(scaffold.kind[there].tolist()).items()))
