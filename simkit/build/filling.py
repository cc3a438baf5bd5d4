"""What sits on every site of a filled scaffold, counted by role and region."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from simkit.arrays import Integers
from simkit.build.check.contacts import ROLE_KINDS
from simkit.build.fill.charges import Part, parts
from simkit.build.scaffold import Scaffold
from simkit.structure import Structure


@dataclass(frozen=True, eq=False)
class Filling:
    """A filled scaffold read site by site: symbols (m,) on the sites, "" where empty; role, region, capacities."""

    scaffold: Scaffold
    symbols: np.ndarray

    @classmethod
    def of(cls, scaffold: Scaffold, structure: Structure, atom_of: Integers) -> Filling:
        """What sits on each site."""
        return cls(scaffold, np.where(atom_of >= 0, np.array(structure.symbols)[atom_of], ""))

    def counts(self, which: np.ndarray) -> dict[str, int]:
        """Atoms by element on the sites `which` (m,) bool, in alphabetical order."""
        return dict(sorted(Counter(self.symbols[which & (self.symbols != "")].tolist()).items()))

    def on(self, role: str, region: int | None = None) -> np.ndarray:
        """(m,) bool: sites of a role, of one region where given."""
        mine = self.scaffold.role == role
        return mine if region is None else mine & (self.scaffold.region == region)

    def capacity(self, role: str, region: int) -> int:
        """Most atoms of a role that a region may hold."""
        return sum(s.capacity for s in self.scaffold.strata if s.role == role and s.region == region)

    @property
    def kinds(self) -> Integers:
        """(n,) kind of each atom by the role of its site (`contacts.ROLE_KINDS`)."""
        return np.array([ROLE_KINDS[role] for role in self.scaffold.role[self.symbols != ""].tolist()], dtype=np.int64)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The neutral parts of the cell and what their metals must carry."""
        strata = range(len(self.scaffold.strata))
        return parts(self.scaffold, [self.counts(self.scaffold.stratum == k) for k in strata])[0]
