"""Lattice parameter and layer heights of a phase: literature-like starting values, or harvested."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from simkit.build.identify import classify
from simkit.build.stacking import GAP_RULES, PRISMATIC
from simkit.build.valence import mean_bond_A
from simkit.errors import InputError
from simkit.structure import Structure

ALKALI: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"Li": (2.11, 2.20), "Na": (2.35, 2.44), "K": (2.73, 2.83)}
)
"""Alkali-oxygen length in an octahedral and in a prismatic gallery, A."""

A_PER_BOND = 1.478
"""In-plane a over metal-oxygen length, mean of layered NaMO2 cells (M = Cr, Fe, Ni/Mn)."""
PRISMATIC_BOND = 0.986
"""Metal-oxygen length in prismatic phases over the sum of radii; brings a of P2 and P3 cells to 1 % of print."""
EMPTY_GALLERY_A = MappingProxyType({"O": 2.50, "P": 3.30})
"""Height of a gallery without ions, A."""


@dataclass(frozen=True)
class Heights:
    """Geometry of one phase.

    a_A          in-plane lattice parameter of the primitive hexagonal cell, A
    slab_A       distance between the two oxygen layers of a slab, A
    galleries_A  gallery kind (P2, O3, P3, O1, O2 or O2u and O2l) -> distance between its oxygen layers, A

    Raises InputError for lengths no layered oxide has (a 2.4 to 3.6, slab 1.4 to 3.0, gallery 1.8 to 6 A).
    """

    a_A: float
    slab_A: float
    galleries_A: Mapping[str, float]

    def __post_init__(self) -> None:
        _require_length("a_A", self.a_A, (2.4, 3.6))
        _require_length("slab_A", self.slab_A, (1.4, 3.0))
        for kind, height in self.galleries_A.items():
            if kind not in GAP_RULES and kind != "O2":
                raise InputError(f"gallery kind {kind!r} is unknown; use one of {', '.join(GAP_RULES)} or O2.")
            _require_length(f"galleries_A[{kind!r}]", height, (1.8, 6.0))
        object.__setattr__(self, "galleries_A", MappingProxyType(dict(self.galleries_A)))

    def __getstate__(self) -> dict:
        return {**self.__dict__, "galleries_A": dict(self.galleries_A)}

    def __setstate__(self, state: dict) -> None:
        for name, value in {**state, "galleries_A": MappingProxyType(state["galleries_A"])}.items():
            object.__setattr__(self, name, value)

    def gallery_A(self, kind: str) -> float:
        """Height of a gallery of this kind, A. Raises InputError where none is known."""
        for name in (kind, "O2" if kind in ("O2u", "O2l") else kind):
            if name in self.galleries_A:
                return self.galleries_A[name]
        known = ", ".join(self.galleries_A) or "none"
        raise InputError(f"no height for a gallery of kind {kind}; known: {known}. Add it to galleries_A.")

    def strained_to(self, a_A: float, thinning: float = 0.0) -> Heights:
        """The same phase at another in-plane a; heights change by -thinning times the in-plane strain.

        thinning  2 C13 / C33, dimensionless; 0 leaves the heights as they are
        """
        factor = 1.0 - thinning * (a_A / self.a_A - 1.0)
        galleries = {kind: height * factor for kind, height in self.galleries_A.items()}
        return Heights(a_A, self.slab_A * factor, galleries)

    def to_dict(self) -> dict:
        """JSON-able record, lengths in A."""
        return {"a_A": self.a_A, "slab_A": self.slab_A, "galleries_A": dict(self.galleries_A)}


def default_heights(metals: Mapping[str, float], alkali: str, contents: Mapping[str, float]) -> Heights:
    """Starting values from ionic radii: a = 1.478 d(M-O), slab and galleries from the bond lengths.

    metals    fraction of each metal
    alkali    Li, Na or K
    contents  gallery kind -> alkali per metal
    Within about 2 % of published layered NaMO2 cells; Jahn-Teller distortion is averaged over. A cell built
    from them must be relaxed; energies of interfaces need `harvest` of bulks relaxed by the same potential.
    """
    prismatic = [kind in PRISMATIC for kind in contents]
    content = sum(contents.values()) / len(contents)
    bond = mean_bond_A(metals, 4.0 - content) * (PRISMATIC_BOND if all(prismatic) else 1.0)
    a = bond * A_PER_BOND
    slab = 2.0 * math.sqrt(bond**2 - a**2 / 3.0)
    galleries = {kind: _gallery(kind, alkali, x, a) for kind, x in contents.items()}
    return Heights(a, slab, galleries)


def harvest(structure: Structure) -> Heights:
    """Heights measured in a relaxed bulk cell: a from the in-plane area, mean slab and gallery heights.

    Raises InputError where the structure is not layered. Says nothing about kinds of gallery it lacks.
    """
    found = classify(structure)
    kinds: dict[str, list[float]] = {}
    for name, height in zip(found.stack.gaps(), found.gallery_heights_A, strict=True):
        kinds.setdefault("O2" if name.startswith("O2") else name, []).append(float(height))
    galleries = {kind: sum(values) / len(values) for kind, values in kinds.items()}
    return Heights(found.a_A, float(found.thicknesses_A.mean()), galleries)


def _gallery(kind: str, alkali: str, content: float, a_A: float) -> float:
    if content == 0:
        return EMPTY_GALLERY_A[kind[0]]
    bond = ALKALI[alkali][1 if kind in PRISMATIC else 0]
    return 2.0 * math.sqrt(bond**2 - a_A**2 / 3.0)


def _require_length(name: str, value: float, allowed: tuple[float, float]) -> None:
    if not allowed[0] <= value <= allowed[1]:
        raise InputError(f"{name} = {value!r}; a layered oxide has {allowed[0]} to {allowed[1]} A.")
