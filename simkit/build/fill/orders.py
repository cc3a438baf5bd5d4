"""The lowest ion arrangements of a scaffold by Coulomb energy, for a potential to rank again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from simkit.build.arguments import require_kind, require_whole
from simkit.build.fill.charges import filled_charges
from simkit.build.fill.coulomb import Coulomb, annealed, coulomb
from simkit.build.fill.ewald import COULOMB_EV_A, ewald_energy
from simkit.build.occupy import Filled, filled, occupants
from simkit.build.scaffold import Scaffold
from simkit.build.valence import ion_valence
from simkit.errors import InputError

STREAM = 16
WALKS = 6
"""Anneals that look for the lowest arrangement; the others are found by single jumps from the lowest ones."""
FRONTIER = 4
"""States kept and followed for each arrangement wanted: the way to a low one may lead over a higher one."""
SYMMETRY_COPIES = 60
"""Jumps looked at for each arrangement wanted: copies by symmetry have one energy."""
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
    The lowest comes from seeded anneals, the others by following single jumps from the lowest known, best first.
    Fewer come back where jumps meet fewer; the lowest of all arrangements is not promised.
    Raises InputError for a count below 1, for a cell without alkali ions and as `occupy` does.
    """
    require_kind("scaffold", scaffold, Scaffold, "the `scaffold` of a built cell")
    count, seed = require_whole("count", count, 1), require_whole("seed", seed, 0)
    names = occupants(scaffold, seed)
    if not ((names != "") & (scaffold.role == "alkali")).any():
        raise InputError(
            "this cell holds no alkali ions that could be ordered; ask for orders of a cell with ions in its galleries "
            "or tunnels."
        )
    strata = [k for k, s in enumerate(scaffold.strata) if s.role == "alkali"]
    charge = filled_charges(scaffold, names)
    table = coulomb(scaffold, names, charge, strata)
    rest = (names != "") & (scaffold.role != "alkali")
    fixed = ewald_energy(scaffold.positions[rest], charge[rest], scaffold.cell)
    known = _Lowest(FRONTIER * count)
    for walk in range(WALKS):
        symbols, energy = annealed(table, np.random.default_rng((seed, STREAM, walk + 1)))
        known.add(energy, symbols[table.lattice.sites])
    while (state := known.next()) is not None:
        for energy, symbols in _jumps(table, *state, known.limit_eV, count):
            known.add(energy, symbols)
    return tuple(_order(scaffold, table, fixed + energy, symbols) for energy, symbols in known.states[:count])


class _Lowest:
    """The lowest `count` states met so far, distinct in energy, and which of them have been left by jumps."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.states: list[tuple[float, np.ndarray]] = []
        self._done: list[float] = []

    @property
    def limit_eV(self) -> float:
        """Energy above which nothing is kept any more."""
        return self.states[-1][0] if len(self.states) == self._count else np.inf

    def add(self, energy: float, symbols: np.ndarray) -> None:
        """Keep a state if it is low enough and new."""
        if energy < self.limit_eV and all(abs(energy - other) > DISTINCT_EV for other, _ in self.states):
            self.states = sorted([*self.states, (energy, symbols)], key=lambda state: state[0])[: self._count]

    def next(self) -> tuple[float, np.ndarray] | None:
        """The lowest state not returned before."""
        for energy, symbols in self.states:
            if all(abs(energy - other) > DISTINCT_EV for other in self._done):
                self._done.append(energy)
                return energy, symbols
        return None


def _jumps(
    table: Coulomb, energy: float, symbols: np.ndarray, limit_eV: float, count: int
) -> Iterator[tuple[float, np.ndarray]]:
    """The lowest states one jump of one ion away, at most a few times `count` of them, below a limit."""
    charge = np.array([ion_valence(str(s)) if s else 0 for s in symbols], dtype=np.float64)
    pair = COULOMB_EV_A * table.pair
    np.fill_diagonal(pair, 0.0)
    field = COULOMB_EV_A * table.host + pair @ charge
    ions, empty = np.flatnonzero(charge), np.flatnonzero(charge == 0)
    blocked = table.forbidden[:, ions].sum(axis=1)[empty][None, :] - table.forbidden[np.ix_(ions, empty)]
    q = charge[ions][:, None]
    change = q * (field[empty][None, :] - field[ions][:, None] - q * pair[np.ix_(ions, empty)])
    same = table.lattice.group[ions][:, None] == table.lattice.group[empty][None, :]
    change = np.where(same & (blocked == 0), change, np.inf)
    few = np.argsort(change, axis=None, kind="stable")[: SYMMETRY_COPIES * count]
    for i, j in zip(*np.unravel_index(few, change.shape), strict=True):
        if energy + change[i, j] >= limit_eV:
            return
        moved = symbols.copy()
        moved[empty[j]], moved[ions[i]] = symbols[ions[i]], ""
        yield energy + float(change[i, j]), moved


def _order(scaffold: Scaffold, table: Coulomb, energy: float, symbols: np.ndarray) -> IonOrder:
    names = table.names.copy()
    names[table.lattice.sites] = symbols
    return IonOrder(filled(scaffold, names), energy, ions_by_kind(scaffold, names))


def ions_by_kind(scaffold: Scaffold, names: np.ndarray) -> dict[str, int]:
    """Filled alkali sites by kind; "e" over "f" is the ratio that diffraction gives for P2."""
    there = (scaffold.role == "alkali") & (names != "")
    return dict(sorted(Counter(scaffold.kind[there].tolist()).items()))
