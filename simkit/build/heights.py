"""Lattice parameter and layer heights of a phase: literature-like starting values, or harvested."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from simkit.arrays import Floats
from simkit.build.arguments import is_number, require_kind, require_number
from simkit.build.identify import Classification, classify
from simkit.build.recognise import metal_order
from simkit.build.stacking import PRISMATIC, RULES
from simkit.build.strain import stiffness
from simkit.build.valence import mean_bond_A, require_metal
from simkit.errors import InputError
from simkit.structure import Structure

ALKALI: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"Li": (2.11, 2.20), "Na": (2.35, 2.44), "K": (2.73, 2.83)}
)
"""Alkali-oxygen length in an octahedral and in a prismatic gallery, A. Octahedral Na: mean of O3-NaCrO2 (2.341),
NaFeO2 (2.371) and NaNi1/2Mn1/2O2 (2.349); prismatic Na: P2-Na2/3MnO2 (2.438), P2- and P3-Na2/3Ni1/3Mn2/3O2 (2.434,
2.442); octahedral Li: O2-LiCoO2 (2.109). Octahedral K: sum of the radii (Shannon 1976) less 0.05, as for Li; prismatic
Li and K: 0.09 and 0.10 longer, as for Na."""
TETRAHEDRAL: Mapping[str, float] = MappingProxyType({"Li": 1.97, "Na": 2.37, "K": 2.75})
"""Alkali-oxygen length of the distorted tetrahedra of T#2, A: radii of four-fold sites (Shannon 1976)."""

A_PER_BOND = 1.478
"""In-plane a over metal-oxygen length: O3-NaCrO2 1.471, NaFeO2 1.474, NaNi1/2Mn1/2O2 1.479, NaCoO2 1.492."""
PRISMATIC_BOND = 0.986
"""Metal-oxygen length in prismatic phases over the sum of radii; brings a to 1 % of P2-Na2/3MnO2 (2.87 A) and of P2-
and P3-Na2/3Ni1/3Mn2/3O2 (2.885, 2.887 A)."""
EMPTY_GALLERY_A = MappingProxyType({"O": 2.50, "P": 3.30, "T": 2.70})
"""Height of a gallery without ions, A. O: between O1-CoO2 (2.40) and O2-MnO2 (2.52). P and T: no such cell is
printed; starting values between O and the filled galleries, to be relaxed."""


@dataclass(frozen=True)
class Heights:
    """Geometry of one phase.

    a_A          in-plane lattice parameter of the primitive hexagonal cell, A
    slab_A       distance between the two oxygen layers of a slab, A
    galleries_A  gallery kind (P2, O3, P3, O1, T2, O2 or O2u and O2l) -> distance between its oxygen layers, A
    ratio        long / (sqrt(3) short) of the centred rectangular in-plane cell; 1 hexagonal. a_A then means the
                 hexagonal cell of the same area; the short side lies along the first primitive vector
    lean         displacement along the long side per height of a slab of sense +1, opposite for sense -1
    elastic      elastic constants in GPa, a table C11, C12, C13, C33 ... or a 6 x 6 matrix (`strain.stiffness`),
                 x along the short side, z the normal; None: unknown

    Raises InputError for lengths no layered oxide has (a 2.4 to 3.6, slab 1.4 to 3.0, gallery 1.8 to 6 A), a
    ratio outside 0.8 to 1.25, a lean beyond 0.3 and unstable elastic constants.
    """

    a_A: float
    slab_A: float
    galleries_A: Mapping[str, float]
    ratio: float = 1.0
    lean: float = 0.0
    elastic: Mapping[str, float] | Sequence[Sequence[float]] | None = None

    def __post_init__(self) -> None:
        _require_length("a_A", self.a_A, (2.4, 3.6))
        _require_length("slab_A", self.slab_A, (1.4, 3.0))
        require_kind("galleries_A", self.galleries_A, Mapping, '{"P2": 3.5}')
        for kind, height in self.galleries_A.items():
            if kind not in RULES and kind != "O2":
                raise InputError(f"gallery kind {kind!r} is unknown; use one of {', '.join(RULES)} or O2.")
            _require_length(f"galleries_A[{kind!r}]", height, (1.8, 6.0))
        numbers = is_number(self.ratio) and is_number(self.lean)
        if not numbers or not 0.8 <= self.ratio <= 1.25 or not abs(self.lean) <= 0.3:
            raise InputError(
                f"ratio = {self.ratio!r}, lean = {self.lean!r}; a distorted layered oxide has a ratio of 0.8 to 1.25 "
                "(1 is hexagonal) and a lean of -0.3 to 0.3."
            )
        object.__setattr__(self, "galleries_A", MappingProxyType(dict(self.galleries_A)))
        if self.elastic is not None:
            rows = stiffness(self.elastic).tolist()
            object.__setattr__(self, "elastic", tuple(tuple(row) for row in rows))

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

    @property
    def sides_A(self) -> tuple[float, float]:
        """Short and long side of the centred rectangular in-plane cell, A."""
        return self.a_A / math.sqrt(self.ratio), self.a_A * math.sqrt(3.0 * self.ratio)

    def strained_to(self, a_A: float, thinning: float = 0.0) -> Heights:
        """The same phase at another in-plane a; heights change by -thinning times the in-plane strain.

        thinning  2 C13 / C33, dimensionless; 0 leaves the heights as they are
        Raises InputError for what is no number and for lengths no layered oxide has.
        """
        a_A, thinning = require_number("a_A", a_A, 0.0), require_number("thinning", thinning)
        return replace(self.thickened(-thinning * (a_A / self.a_A - 1.0)), a_A=a_A)

    def thickened(self, strain: float, gallery_share: float | None = None) -> Heights:
        """The same phase with every slab-and-gallery period longer by a strain along the normal.

        gallery_share  part of the change that the galleries take, 0 to 1; None: slab and gallery alike
        Raises InputError for another share, for a share without galleries and for lengths no layered oxide has.
        """
        strain = require_number("strain", strain)
        if gallery_share is None:
            galleries = {kind: height * (1.0 + strain) for kind, height in self.galleries_A.items()}
            return replace(self, slab_A=self.slab_A * (1.0 + strain), galleries_A=galleries)
        gallery_share = require_number("gallery_share", gallery_share, 0, 1)
        if not self.galleries_A:
            raise InputError("gallery_share needs a gallery to share with; galleries_A is empty: give their heights.")
        mean = sum(self.galleries_A.values()) / len(self.galleries_A)
        slab = (1.0 - gallery_share) * strain * (self.slab_A + mean)
        galleries = {k: h + strain * (self.slab_A + h) - slab for k, h in self.galleries_A.items()}
        return replace(self, slab_A=self.slab_A + slab, galleries_A=galleries)

    def to_dict(self) -> dict:
        """JSON-able record, lengths in A, elastic constants in GPa."""
        elastic = None if self.elastic is None else [list(row) for row in self.elastic]
        shape = {"ratio": self.ratio, "lean": self.lean, "elastic": elastic}
        return {"a_A": self.a_A, "slab_A": self.slab_A, "galleries_A": dict(self.galleries_A), **shape}


def default_heights(metals: Mapping[str, float], alkali: str, contents: Mapping[str, float]) -> Heights:
    """Starting values from ionic radii: a = 1.478 d(M-O), slab and galleries from the bond lengths.

    metals    fraction of each metal
    alkali    Li, Na or K
    contents  gallery kind -> alkali per metal
    Within about 2 % of published layered NaMO2 cells; Jahn-Teller distortion is averaged over. A cell built
    from them must be relaxed; energies of interfaces need `harvest` of bulks relaxed by the same potential.
    Raises InputError for metals, an alkali or galleries that it has no lengths for.
    """
    _require_known(metals, alkali, contents)
    prismatic = [kind in PRISMATIC for kind in contents]
    content = sum(contents.values()) / len(contents)
    bond = mean_bond_A(metals, 4.0 - content) * (PRISMATIC_BOND if all(prismatic) else 1.0)
    a = bond * A_PER_BOND
    slab = 2.0 * math.sqrt(bond**2 - a**2 / 3.0)
    galleries = {kind: _gallery(kind, alkali, x, a) for kind, x in contents.items()}
    return Heights(a, slab, galleries)


def harvest(structure: Structure, shape: bool = False) -> Heights:
    """Heights measured in a relaxed bulk cell: a from the in-plane area, mean slab and gallery heights.

    shape  also measure ratio and lean (of a distorted phase); else the in-plane lattice counts as hexagonal
    In a spinel slab and gallery get their mean: anions leave their planes there by the oxygen parameter, which is
    not a height (`spinel.oxygen_parameter`). Raises InputError where the structure is not layered. Says nothing
    about kinds of gallery it lacks.
    """
    require_kind("structure", structure, Structure, "bulk(...).structure")
    found = classify(structure)
    kinds: dict[str, list[float]] = {}
    for name, height in zip(found.stack.gaps(), found.gallery_heights_A, strict=True):
        kinds.setdefault("O2" if name.startswith("O2") else name, []).append(float(height))
    galleries = {kind: sum(values) / len(values) for kind, values in kinds.items()}
    heights = Heights(found.a_A, float(found.thicknesses_A.mean()), galleries)
    if set(metal_order(structure, found).galleries) == {"spinel"}:
        mean = 0.5 * (heights.slab_A + galleries["O3"])
        heights = replace(heights, slab_A=mean, galleries_A={"O3": mean})
    if not shape:
        return heights
    ratio, lean = measured_shape(found)
    return replace(heights, ratio=ratio, lean=lean)


def measured_shape(found: Classification) -> tuple[float, float]:
    """Ratio and lean of the rectangular in-plane cell whose short side is the squarest of the three.

    Where they are equally square, as in a hexagonal layer, the one along whose long side the slabs lean is taken.
    """
    a1, a2 = found.primitive
    pairs = [(u, u + 2.0 * v) for u, v in ((a1, a2), (a2, -a1 - a2), (-a1 - a2, a1))]
    lean = np.array([slab.s for slab in found.slabs]) @ found.drift_A / found.height_A

    def off(pair: tuple[Floats, Floats]) -> tuple[float, float]:
        short, long = (side / np.linalg.norm(side) for side in pair)
        return round(abs(float(short @ long)), 3), round(abs(float(lean @ short)), 6)

    short, long = min(pairs, key=off)
    length = float(np.linalg.norm(long))
    return length / (math.sqrt(3.0) * float(np.linalg.norm(short))), float(lean @ long) / length


def _gallery(kind: str, alkali: str, content: float, a_A: float) -> float:
    if content == 0:
        return EMPTY_GALLERY_A[kind[0]]
    if kind == "T2":
        return 2.0 * math.sqrt(TETRAHEDRAL[alkali] ** 2 - a_A**2 / 4.0)
    bond = ALKALI[alkali][1 if kind in PRISMATIC else 0]
    return 2.0 * math.sqrt(bond**2 - a_A**2 / 3.0)


def _require_known(metals: object, alkali: object, contents: object) -> None:
    require_kind("metals", metals, Mapping, "{'Ni': 0.5, 'Mn': 0.5}")
    require_kind("contents", contents, Mapping, "{'P2': 0.67}")
    if not metals or not contents:
        raise InputError(f"metals = {dict(metals)}, contents = {dict(contents)}; each needs at least one entry.")
    for symbol, fraction in metals.items():
        require_metal(symbol)
        require_number(f"metals[{symbol!r}]", fraction, 0, 1)
    if not isinstance(alkali, str) or alkali not in ALKALI:
        raise InputError(f"alkali {alkali!r} is not offered; choose one of {', '.join(ALKALI)}.")
    for kind, content in contents.items():
        if kind not in RULES and kind != "O2":
            raise InputError(f"gallery kind {kind!r} is unknown; use one of {', '.join(RULES)} or O2.")
        require_number(f"contents[{kind!r}]", content, 0, 1)


def _require_length(name: str, value: float, allowed: tuple[float, float]) -> None:
    if not is_number(value) or not allowed[0] <= value <= allowed[1]:
        raise InputError(f"{name} = {value!r}; a layered oxide has {allowed[0]} to {allowed[1]} A.")
