"""Configurational entropy of a composition, in units of R."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import log

import numpy as np

from simkit.build.arguments import require_kind
from simkit.build.composition import Composition

MEDIUM_R, HIGH_R = 1.0, 1.5
"""Below 1 R low, from 1 R medium, from 1.5 R high entropy: the usual limits for the metal sublattice."""
ANIONS_PER_METAL, TETRAHEDRAL_PER_METAL = 2.0, 0.5
"""Sites per octahedral metal in AMO2, and in AB2O4."""


@dataclass(frozen=True)
class Entropy:
    """Ideal entropy of mixing, R per formula unit with one metal site.

    metals_R, ions_R, anions_R, tetrahedral_R  of each sublattice; total_R their sum
    per_site_R  total over all sites that were counted
    label  "low", "medium" or "high", by metals_R
    """

    metals_R: float
    ions_R: float
    anions_R: float
    tetrahedral_R: float
    per_site_R: float
    label: str

    @property
    def total_R(self) -> float:
        """Sum over the sublattices."""
        return self.metals_R + self.ions_R + self.anions_R + self.tetrahedral_R


def configurational_entropy(composition: Composition, vacancies: bool = False) -> Entropy:
    """S / R = - sum_s a_s sum_i x_i ln x_i over sublattices s with a_s sites per metal site.

    vacancies  whether empty alkali sites count as a species (a = 1); without them only ions mix (a = content)
    For a gradient, the mean over its slabs. Complete disorder is assumed: an upper bound for an ordered crystal.
    Raises InputError for anything but a Composition.
    """
    require_kind("composition", composition, Composition, "Composition(metals={'Ni': 0.5, 'Mn': 0.5})")
    tables = [composition.metals] if isinstance(composition.metals, Mapping) else list(composition.metals)
    metals = float(np.mean([mixing(table.values()) for table in tables]))
    content = composition.mean_content
    ions = [1.0 - sum(composition.dopants.values()), *composition.dopants.values()]
    filled = [content * x for x in ions]
    mobile = mixing([*filled, 1.0 - content]) if vacancies else content * mixing(ions)
    anions = ANIONS_PER_METAL * mixing(composition.anions.values())
    tetrahedral = TETRAHEDRAL_PER_METAL * mixing(composition.tetrahedral.values())
    sites = 1.0 + (1.0 if vacancies else content) + ANIONS_PER_METAL
    sites += TETRAHEDRAL_PER_METAL if composition.tetrahedral else 0.0
    total = metals + mobile + anions + tetrahedral
    return Entropy(metals, mobile, anions, tetrahedral, total / sites, entropy_label(metals))


def mixing(fractions: Iterable[float]) -> float:
    """- sum x ln x over the fractions above zero."""
    return -sum(x * log(x) for x in fractions if x > 0) or 0.0


def entropy_label(metals_R: float) -> str:
    """ "low", "medium" or "high" for an entropy of the metal sublattice in R; ln 3 = 1.10 is medium, ln 5 high."""
    if metals_R >= HIGH_R - 1e-12:
        return "high"
    return "medium" if metals_R >= MEDIUM_R - 1e-12 else "low"
